"""How far one unit moves a result: the bound that noise is scaled by, held against every row taken away from small worlds."""

from __future__ import annotations

import numpy as np
import pytest

from accord.base.errors import Refused
from accord.frame.sql import to_plan
from accord.plan.interpret import interpret
from accord.plan.stability import sensitivities
from tests.plan.worlds import CATALOG, world

SEEDS = (1, 5, 17, 33)
GRID = "FROM area a LEFT JOIN (SELECT region, SUM(amount) AS s, COUNT(*) AS c FROM sales WHERE ok GROUP BY region) t USING (region)"
QUESTIONS = {
    "SELECT COUNT(*) AS c, SUM(amount) AS s FROM sales": {"c": 1, "s": 100},
    "SELECT region, COUNT(kind) AS c, SUM(LEAST(price, 10)) AS s FROM sales WHERE n > 1 GROUP BY region": {"c": 1, "s": 1000},
    f"SELECT a.region, a.rank, COALESCE(s, 0) AS s, COALESCE(c, 0) AS c {GRID} WHERE a.rank < 3": {"s": 100, "c": 1},
    f"SELECT a.region, b.rank, s {GRID.replace('LEFT JOIN (', 'CROSS JOIN area b LEFT JOIN (')}": {"s": 300},
    "SELECT s.region, COUNT(*) AS c FROM sales s JOIN staff t ON s.region = t.region GROUP BY s.region": {"c": 12},
    "SELECT s.shop, SUM(p.weight) AS w FROM sales s LEFT JOIN shipped p ON s.shop = p.shop AND s.n = p.n GROUP BY s.shop": {"w": 18},
    "SELECT n, SUM(c) AS t FROM (SELECT n, region, COUNT(*) AS c FROM sales GROUP BY n, region) GROUP BY n": {"t": 56},
    "SELECT region, shop, COUNT(*) AS c, SUM(amount) AS s FROM sales GROUP BY CUBE (region, shop)": {"c": 4, "s": 400},
    "SELECT region, MAX(pay) AS p, COUNT(*) AS c FROM staff GROUP BY region": None,
}
"""Each with the bounds for one row of `sales`; None where the question does not read it in a way that could be noised."""


@pytest.mark.parametrize("sql", [sql for sql, bounds in QUESTIONS.items() if bounds])
def test_no_row_moves_a_result_further_than_the_bound(sql):
    node, bounds = to_plan(sql, CATALOG), QUESTIONS[sql]
    assert sensitivities(node, "sales", 1, CATALOG) == bounds
    assert sensitivities(node, "sales", 3, CATALOG) == {name: 3 * bound for name, bound in bounds.items()}
    moved = {name: max(distances(node, name)) for name in bounds}
    assert all(moved[name] <= bound for name, bound in bounds.items()), moved
    assert any(moved.values()), "some row moves something"


def distances(node, name):
    """How far the column moves, all its rows together, for each row of sales in some worlds."""
    keys = tuple(one.name for one in node.fields if one.name not in QUESTIONS_COLUMNS)
    for seed in SEEDS:
        whole = world(seed)
        before = cells(interpret(node, whole), keys, name)
        for owner, table in whole["sales"].items():
            for row in range(table.rows):
                rest = {**whole["sales"], owner: table.take(np.delete(np.arange(table.rows), row))}
                after = cells(interpret(node, {**whole, "sales": rest}), keys, name)
                yield sum(abs(before.get(key, 0) - after.get(key, 0)) for key in before.keys() | after.keys())


QUESTIONS_COLUMNS = {"c", "s", "w", "t", "p"}


def cells(table, keys, name):
    return {row[:-1]: row[-1] or 0 for row in table.tuples((*keys, name))}


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELECT region, MAX(amount) AS m FROM sales GROUP BY region", "noise on MAX"),
        ("SELECT region, s / c AS mean FROM (SELECT region, SUM(n) AS s, COUNT(*) AS c FROM sales GROUP BY region)", "computed from sums"),
        ("SELECT amount FROM sales", "noise above"),
        ("SELECT region, COUNT(*) AS c FROM sales GROUP BY region ORDER BY c", "ORDER BY c, which has noise"),
        ("SELECT region, COUNT(*) AS c FROM sales GROUP BY region HAVING COUNT(*) > 2", "noise above Filter"),
    ],
)
def test_what_has_no_bound_is_refused_with_the_nearest_form(sql, sentence):
    with pytest.raises(Refused, match=sentence) as refusal:
        sensitivities(to_plan(sql, CATALOG), "sales", 1, CATALOG)
    assert refusal.value.do
