"""What SQL can ask, Ibis can: pairs of questions that mean the same, answered alike by their plans and by DuckDB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import ibis
import pytest
from ibis import _

from accord.frame import ibis_tables
from accord.frame.oracle import answered
from accord.frame.sql import to_plan
from accord.plan.interpret import interpret
from tests.frame.test_constructs import pooled
from tests.plan.worlds import CATALOG, world

s, p, a = (ibis_tables.table(CATALOG, name) for name in ("sales", "staff", "area"))
few = s.select("amount", "n").distinct()
by = [_.amount, _.n]
PAIRS: dict[str, tuple[Callable[[], Any], str]] = {
    "distinct": (lambda: s.select("region", "kind").distinct(), "SELECT DISTINCT region, kind FROM sales"),
    "union all": (lambda: s.select(x=_.n).union(p.select(x=_.grade)), "SELECT n AS x FROM sales UNION ALL SELECT grade FROM staff"),
    "union": (
        lambda: s.select(x=_.n).union(p.select(x=_.grade), distinct=True),
        "SELECT n AS x FROM sales UNION SELECT grade FROM staff",
    ),
    "intersect": (lambda: s.select(x=_.n).intersect(p.select(x=_.grade)), "SELECT n AS x FROM sales INTERSECT SELECT grade FROM staff"),
    "except": (lambda: s.select(x=_.n).difference(p.select(x=_.grade)), "SELECT n AS x FROM sales EXCEPT SELECT grade FROM staff"),
    "semi join": (lambda: s.semi_join(p, "region").select("n"), "SELECT n FROM sales WHERE region IN (SELECT region FROM staff)"),
    "anti join": (
        lambda: s.anti_join(p.filter(_.grade > 2), "region").select("n"),
        "SELECT n FROM sales s WHERE NOT EXISTS (SELECT 1 FROM staff p WHERE p.region = s.region AND p.grade > 2)",
    ),
    "full join": (
        lambda: s.select("region", m="n").outer_join(p.select("region", "pay"), "region").select("m", "pay"),
        "SELECT n AS m, pay FROM sales FULL JOIN staff ON sales.region = staff.region",
    ),
    "right join": (
        lambda: s.right_join(a, "region").select("n", "rank"),
        "SELECT n, rank FROM sales RIGHT JOIN area ON sales.region = area.region",
    ),
    "joins": (
        lambda: s.join(p, "region").join(a, "region").select("n", "pay", "rank"),
        "SELECT n, pay, rank FROM sales, staff, area WHERE sales.region = staff.region AND sales.region = area.region",
    ),
    "first rows": (
        lambda: s.order_by(_.price, _.n, _.day, _.amount).limit(3, offset=1).select("n", "price"),
        "SELECT n, price FROM sales ORDER BY price, n, day, amount LIMIT 3 OFFSET 1",
    ),
    "nulls first": (
        lambda: s.select("n", "amount").order_by(ibis.desc("amount", nulls_first=True), "n"),
        "SELECT n, amount FROM sales ORDER BY amount DESC NULLS FIRST, n",
    ),
    "rank": (
        lambda: s.mutate(r=ibis.rank().over(group_by="region", order_by=_.amount) + 1).select("amount", "r"),
        "SELECT amount, RANK() OVER (PARTITION BY region ORDER BY amount) AS r FROM sales",
    ),
    "lag and lead": (
        lambda: few.mutate(r=_.amount.lag(1).over(order_by=by), q=_.n.lead(2, 0).over(order_by=by)),
        """SELECT *, LAG(amount) OVER (ORDER BY amount, n) AS r, LEAD(n, 2, 0) OVER (ORDER BY amount, n) AS q
        FROM (SELECT DISTINCT amount, n FROM sales)""",
    ),
    "running sums": (
        lambda: few.mutate(r=_.amount.cumsum(order_by=by), q=_.n.sum().over(ibis.window(preceding=2, following=0, order_by=by))),
        """SELECT *, SUM(amount) OVER (ORDER BY amount, n ROWS UNBOUNDED PRECEDING) AS r,
        SUM(n) OVER (ORDER BY amount, n ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS q FROM (SELECT DISTINCT amount, n FROM sales)""",
    ),
    "averages over": (
        lambda: s.mutate(r=_.price.mean().over(group_by="region")).select("n", "r"),
        "SELECT n, AVG(price) OVER (PARTITION BY region) AS r FROM sales",
    ),
    "qualify": (
        lambda: s.filter(ibis.rank().over(group_by="region", order_by=ibis.desc(s.price)) == 0).select("region", "price"),
        "SELECT region, price FROM sales QUALIFY RANK() OVER (PARTITION BY region ORDER BY price DESC) = 1",
    ),
    "moments": (
        lambda: s.group_by("region").agg(m=_.amount.median(), v=_.amount.var(), c=_.amount.cov(_.n)),
        "SELECT region, MEDIAN(amount) AS m, VAR_SAMP(amount) AS v, COVAR_SAMP(amount, n) AS c FROM sales GROUP BY region",
    ),
    "deviations": (
        lambda: s.group_by("region").agg(d=_.amount.std(), e=_.price.std(how="pop"), c=_.amount.corr(_.price, how="pop")),
        "SELECT region, STDDEV(amount) AS d, STDDEV_POP(price) AS e, CORR(amount, price) AS c FROM sales GROUP BY region",
    ),
    "truth values": (
        lambda: s.group_by("region").agg(x=_.ok.any(), y=_.ok.all(), z=(_.amount > 3).sum(), c=_.count(where=_.ok)),
        """SELECT region, BOOL_OR(ok) AS x, BOOL_AND(ok) AS y, SUM(CAST(amount > 3 AS BIGINT)) AS z, COUNT(*) FILTER (WHERE ok) AS c
        FROM sales GROUP BY region""",
    ),
    "distinct counts": (
        lambda: s.group_by("region").agg(x=_.price.nunique(), y=_.kind.nunique(where=_.ok)),
        "SELECT region, COUNT(DISTINCT price) AS x, COUNT(DISTINCT kind) FILTER (WHERE ok) AS y FROM sales GROUP BY region",
    ),
    "in": (lambda: s.filter(~_.n.isin(p.grade)).select("n"), "SELECT n FROM sales WHERE n NOT IN (SELECT grade FROM staff)"),
    "exists": (
        lambda: s.filter((p.region == s.region).any()).select("n"),
        "SELECT n FROM sales s WHERE EXISTS (SELECT 1 FROM staff p WHERE p.region = s.region)",
    ),
    "a value": (
        lambda: s.filter(_.amount > p.pay.mean().as_scalar() / 10).mutate(m=p.pay.max().as_scalar()).select("n", "m"),
        "SELECT n, (SELECT MAX(pay) FROM staff) AS m FROM sales WHERE amount > (SELECT AVG(pay) FROM staff) / 10",
    ),
    "a table used twice": (
        lambda: (lambda t: t.filter(_.x == t.x.max().as_scalar()))(s.group_by("region").agg(x=_.n.sum())),
        "WITH t AS (SELECT region, SUM(n) AS x FROM sales GROUP BY region) SELECT * FROM t WHERE x = (SELECT MAX(x) FROM t)",
    ),
    "texts": (
        lambda: s.filter(_.region.like("n%") | _.shop.contains("e")).select(
            a=_.shop.upper(), b=_.region.substr(0, 2), c=_.shop.length(), d=_.shop + "-" + _.region, g=_.shop.right(2)
        ),
        """SELECT UPPER(shop) AS a, SUBSTRING(region, 1, 2) AS b, LENGTH(shop) AS c, shop || '-' || region AS d, RIGHT(shop, 2) AS g
        FROM sales WHERE region LIKE 'n%' OR CONTAINS(shop, 'e')""",
    ),
    "dates": (
        lambda: s.filter(_.day >= ibis.date("2024-01-02")).select(
            y=_.day.year(), q=_.day.quarter(), e=_.day + ibis.interval(days=1), f=_.day - ibis.interval(months=2), t=_.day.truncate("M")
        ),
        """SELECT YEAR(day) AS y, QUARTER(day) AS q, day + INTERVAL 1 DAY AS e, day - INTERVAL 2 MONTH AS f, DATE_TRUNC('month', day) AS t
        FROM sales WHERE day >= DATE '2024-01-02'""",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_ibis_and_sql_give_the_same_rows(name: str) -> None:
    expression, sql = PAIRS[name]
    said = ibis_tables.to_sql(expression())
    plans = ibis_tables.to_plan(expression(), CATALOG), to_plan(sql, CATALOG)
    names = tuple(one.name for one in plans[0].fields)
    assert [one.type.kind for one in plans[0].fields] == [one.type.kind for one in plans[1].fields]
    for seed in range(2):
        answers = [interpret(plan, world(seed)).tuples(names) for plan in plans]
        answers.append(answered(pooled(seed), said, CATALOG, {}).tuples(names))
        assert Counter(answers[0]) == Counter(answers[1]) == Counter(answers[2]), said
