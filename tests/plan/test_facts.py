"""How many rows can agree on some columns: the bound that ranges and grids rest on, held against the rows that there are."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from accord.frame.sql import to_plan
from accord.plan.facts import rows_max, walk
from accord.plan.interpret import interpret
from accord.plan.nodes import Node, Scan
from tests.plan.worlds import CATALOG, examples, world

SEEDS = (1, 5, 6, 17, 33, 37)
"""Worlds with full tables among them, so that joins of many with many occur."""
QUESTIONS = [
    "SELECT s.n, s.amount, p.weight FROM sales s JOIN shipped p ON s.n = p.n",
    "SELECT s.region, s.amount, t.pay FROM sales s JOIN staff t ON s.region = t.region",
    "SELECT a.region, t.pay FROM area a LEFT JOIN staff t ON a.region = t.region",
    "SELECT s.shop, p.weight FROM sales s LEFT JOIN shipped p ON s.shop = p.shop",
    "SELECT p.weight, s.amount FROM shipped p LEFT JOIN sales s ON s.shop = p.shop AND s.n = p.n",
    "SELECT a.region, b.rank FROM area a CROSS JOIN area b WHERE b.rank >= 2",
    "SELECT shop, weight FROM shipped WHERE n >= 1",
    "SELECT shop, weight FROM shipped WHERE n = 1",
    "SELECT shop, weight FROM shipped WHERE n = 1 OR n = 2",
    "SELECT region, kind, COUNT(*) AS c FROM sales GROUP BY region, kind",
    "SELECT kind, ok, COUNT(*) AS c FROM sales GROUP BY kind, ok",
    "SELECT c FROM (SELECT region, n, COUNT(*) AS c FROM sales GROUP BY region, n) WHERE c > 0",
    *examples(),
]


def most(node: Node, names: tuple[str, ...], seed: int) -> int:
    """The largest number of rows that agree on these columns."""
    return max(Counter(interpret(node, world(seed)).tuples(names)).values(), default=0)


@pytest.mark.parametrize("sql", QUESTIONS)
def test_no_more_rows_agree_than_the_bound_says(sql: str) -> None:
    for node in walk(to_plan(sql, CATALOG)):
        names = [field.name for field in node.fields][:6]
        for keys in [(), *combinations(names, 1), *combinations(names, 2)]:
            bound = rows_max(node, frozenset(keys), CATALOG)
            assert all(most(node, keys, seed) <= bound for seed in SEEDS), (type(node).__name__, keys, bound)


def test_the_bound_is_reached() -> None:
    """Of a whole table, of one owner's part, of a unique key: these are exact, or everything above is loose."""
    for table, keys, bound in (("sales", (), 28), ("sales", ("shop",), 12), ("shipped", ("shop", "n"), 1)):
        node = next(one for one in walk(to_plan(f"SELECT * FROM {table}", CATALOG)) if isinstance(one, Scan))
        assert rows_max(node, frozenset(keys), CATALOG) == bound
        assert rows_max(node, frozenset(keys), CATALOG, "b") <= bound


def test_a_left_join_to_the_many_has_a_row_for_each_of_them_at_most() -> None:
    """And one for each that has none: the left side's key is unique."""
    node = to_plan("SELECT p.weight, s.amount FROM shipped p LEFT JOIN sales s ON s.shop = p.shop AND s.n = p.n", CATALOG)
    (shipped,) = (rows_max(one, frozenset(), CATALOG) for one in walk(node) if isinstance(one, Scan) and one.table == "shipped")
    assert rows_max(node, frozenset(), CATALOG) == shipped + 28
