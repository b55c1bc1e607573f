"""Plans as text, and what each rule of placement makes of a question. Write the fixtures anew with: python -m tests.plan.rules"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from accord.data.schema import ColumnSchema, TableSchema
from accord.frame.sql import to_plan
from accord.plan.catalog import TableInfo
from accord.plan.nodes import Node
from accord.plan.outline import outline
from accord.plan.place import RULES, place
from tests.plan.worlds import CATALOG

FIXTURES = Path(__file__).parent / "fixtures"

LOG = TableSchema("log", (ColumnSchema("level", "int", 1, 4), ColumnSchema("cost", "int", 0, 90, nullable=True)))
HOLDERS = TableInfo(
    TableSchema("holders", (ColumnSchema("holder", "int", 1, 4),), ("holder",)), ("a", "b"), (2, 2), unique_across_owners=True
)
LOGGED = replace(CATALOG, tables={**CATALOG.tables, "log": TableInfo(LOG, ("c",), (20,)), "holders": HOLDERS})
"""With a table of one owner that is larger than others', and one whose key its two owners together promise."""

QUESTIONS: dict[str, tuple[str, ...]] = {
    "reuse_order": (
        """SELECT s.amount, COUNT(*) AS n FROM sales s JOIN (SELECT pay, COUNT(*) AS c FROM staff GROUP BY pay) p ON s.amount = p.pay
        GROUP BY s.amount""",
    ),
    "check_promises": ("SELECT holder, cost FROM holders JOIN log ON holder = level ORDER BY cost LIMIT 3",),
    "push_filters": (
        "SELECT s.n FROM sales s JOIN area a USING (region) WHERE s.n > 1 AND a.rank < 3 AND s.n + a.rank = 4",
        "SELECT a.region, c FROM area a, (SELECT region AS r, COUNT(*) AS c FROM sales GROUP BY region) WHERE r = a.region AND r <> 'west'",
        "SELECT a.region, n FROM area a LEFT JOIN (SELECT region, COUNT(*) AS n FROM sales GROUP BY region) s USING (region) WHERE n > 3",
        "SELECT double FROM (SELECT n * 2 AS double, region FROM sales) WHERE double > 2 AND region = 'north'",
        "WITH s AS (SELECT region, n FROM sales) SELECT a.n FROM s a JOIN s b USING (region) WHERE a.n > 2",
    ),
    "fold_constants": ("SELECT n FROM sales WHERE n < 9 AND amount > 1 + 1 AND (n > 5 OR region = 'north')",),
    "order_joins": (
        """SELECT s.amount, t.pay FROM sales s JOIN (SELECT region, MAX(pay) AS pay FROM staff GROUP BY region) t USING (region)
        JOIN shipped p ON s.shop = p.shop AND s.n = p.n""",
    ),
    "aggregate_early": ("SELECT pay, SUM(cost) AS s, COUNT(*) AS c FROM staff JOIN log ON grade = level GROUP BY pay",),
    "push_columns": (
        """SELECT s.price * s.n AS worth, CASE WHEN s.amount > 9 THEN pay END AS paid
        FROM sales s JOIN (SELECT region, MAX(pay) AS pay FROM staff GROUP BY region) t USING (region)""",
    ),
    "lift_to_owners": (
        "SELECT amount FROM sales WHERE n > 1",
        "SELECT region, SUM(amount) AS s, COUNT(*) AS c FROM sales GROUP BY region",
        "SELECT shop, region, SUM(amount) AS s FROM sales GROUP BY shop, region",
        "SELECT rank, MAX(pay) AS p FROM staff JOIN area USING (region) GROUP BY rank",
        "SELECT region, c, rank FROM (SELECT region, COUNT(*) AS c FROM sales GROUP BY region) JOIN area USING (region)",
        "SELECT shop, s.region, t * rank AS m FROM (SELECT shop, region, SUM(n) AS t FROM sales GROUP BY 1, 2) s JOIN area USING (region)",
        "SELECT shop, s.region, t, rank FROM (SELECT shop, region, SUM(n) AS t FROM sales GROUP BY 1, 2) s JOIN area USING (region)",
        "SELECT shop, n, SUM(weight) AS w FROM sales JOIN shipped USING (shop, n) GROUP BY shop, n",
        "SELECT a.region, pay FROM area a LEFT JOIN staff USING (region)",
    ),
    "prune_columns": (
        "SELECT COUNT(*) AS c FROM sales WHERE amount > 1",
        "SELECT s FROM (SELECT region, SUM(amount) AS s, MAX(price) AS m FROM sales GROUP BY region)",
        "SELECT region, double FROM (SELECT region, n * 2 AS double, n * 3 AS triple FROM sales) JOIN staff USING (region)",
    ),
    "fold_publics": (
        "SELECT a.region, b.rank FROM area a CROSS JOIN area b WHERE a.rank < b.rank",
        "SELECT region, rank + 1 AS next, pay FROM area JOIN (SELECT region, MAX(pay) AS pay FROM staff GROUP BY region) USING (region)",
    ),
    "share_inputs": (
        "SELECT amount FROM sales WHERE n > 1",
        "SELECT shop, region, SUM(amount) AS s FROM sales GROUP BY shop, region",
        "SELECT n // 2 AS half, c FROM (SELECT n, COUNT(*) AS c FROM sales GROUP BY n)",
        "SELECT 'region ' AS what, region, c * 2 AS d FROM (SELECT shop, region, COUNT(*) AS c FROM sales GROUP BY shop, region)",
        "SELECT rank, SUM(pay) AS p FROM area a LEFT JOIN staff s USING (region) GROUP BY rank",
        "SELECT amount, SUM(n) AS s, MAX(price) AS p FROM sales GROUP BY amount ORDER BY s",
    ),
    "trim_secret_steps": (
        """WITH s AS (SELECT amount, SUM(n) AS n FROM sales GROUP BY amount), t AS (SELECT pay, COUNT(*) AS c FROM staff GROUP BY pay),
        u AS (SELECT s.amount, s.n, t.c FROM s JOIN t ON s.amount = t.pay) SELECT c, SUM(n) AS n FROM u GROUP BY c""",
    ),
    "tidy_projections": (
        "SELECT region AS r, c + 1 AS d FROM (SELECT region, c FROM (SELECT region, COUNT(*) AS c FROM sales GROUP BY region))",
    ),
}
"""For each rule, questions whose plans it changes."""


def steps(sql: str) -> dict[str, tuple[Node, Node]]:
    """Each rule's plan before and after."""
    catalog = LOGGED if " log " in sql else CATALOG
    before = to_plan(sql, catalog)
    seen: dict[str, tuple[Node, Node]] = {}
    last = [before]

    def hear(name: str, after: Node) -> None:
        seen[name] = (last[-1], after)
        last.append(after)

    place(before, catalog, hear)
    return seen


def fixture(rule: str) -> str:
    """The text of a rule's fixture: question, plan before, plan after."""
    parts = []
    for sql in QUESTIONS[rule]:
        before, after = steps(sql)[rule]
        parts.append(f"{sql}\n\nbefore\n{outline(before, 1)}after\n{outline(after, 1)}")
    return "\n".join(parts)


if __name__ == "__main__":
    for rule in RULES:
        (FIXTURES / f"{rule.__name__}.txt").write_text(fixture(rule.__name__), encoding="utf-8")
