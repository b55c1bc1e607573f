"""What is said of columns that follow from others, and of how many values there can be, held against rows."""

from __future__ import annotations

from itertools import combinations

import pytest

from accord.frame.sql import to_plan
from accord.plan.dependence import determined, telling, values_max
from accord.plan.facts import walk
from accord.plan.interpret import interpret
from accord.plan.nodes import Aggregate, Node
from tests.plan.worlds import CATALOG, world

QUESTIONS = (
    "SELECT s.amount, p.weight, p.shop, p.n FROM sales s JOIN shipped p ON s.shop = p.shop AND s.n = p.n WHERE s.amount > 3",
    "SELECT s.amount, p.weight FROM sales s LEFT JOIN shipped p ON s.shop = p.shop AND s.n = p.n",
    "SELECT p.shop, p.n, s.price, s.day FROM shipped p LEFT JOIN sales s ON s.shop = p.shop AND s.n = p.n",
    "SELECT g.amount, g.c, t.pay FROM (SELECT amount, COUNT(*) AS c FROM sales GROUP BY amount) g JOIN staff t ON t.pay = g.c",
    "SELECT region, kind, n + 1 AS more, n FROM sales WHERE EXISTS (SELECT 1 FROM staff t WHERE t.region = sales.region)",
    "SELECT a.region, a.rank, pay FROM area a LEFT JOIN staff USING (region)",
    "SELECT * FROM (SELECT region, MAX(pay) AS pay FROM staff GROUP BY region) CROSS JOIN (SELECT COUNT(*) AS c FROM sales)",
)
SEEDS = range(4)


def nodes(sql: str) -> list[Node]:
    return [one for one in walk(to_plan(sql, CATALOG)) if len(one.fields) > 1]


@pytest.mark.parametrize("sql", QUESTIONS)
def test_no_two_rows_that_agree_differ_in_what_follows(sql: str) -> None:
    found = 0
    for node in nodes(sql):
        names = [one.name for one in node.fields]
        tables = [interpret(node, world(seed)) for seed in SEEDS]
        for keys in (*combinations(names, 1), *combinations(names, 2)):
            follows = determined(node, frozenset(keys), CATALOG) - frozenset(keys)
            found += len(follows)
            for table in tables:
                values = set(table.tuples(keys))
                assert len(set(table.tuples((*keys, *sorted(follows))))) == len(values), (keys, follows)
                assert len(values) <= values_max(node, frozenset(keys), CATALOG), keys
    assert found or "EXISTS" in sql


def test_a_key_tells_the_columns_of_its_table() -> None:
    sql = "SELECT p.shop, p.n, p.weight, COUNT(*) AS c FROM sales s JOIN shipped p ON s.shop = p.shop AND s.n = p.n GROUP BY ALL"
    (node,) = [one for one in walk(to_plan(sql, CATALOG)) if isinstance(one, Aggregate)]
    assert set(telling(node.input, node.keys, CATALOG)) == {"shop", "n"} or len(telling(node.input, node.keys, CATALOG)) == 2
    assert telling(node.input, ("weight",), CATALOG) == ("weight",)
    assert values_max(node.input, frozenset({"weight"}), CATALOG) == 10
    assert values_max(node.input, frozenset(node.keys), CATALOG) <= 12
