"""A plan parted where noise goes: without noise, what the recipient computes is what the plan itself gives."""

from __future__ import annotations

import pytest

from accord.base.errors import Refused
from accord.frame.sql import to_plan
from accord.plan.after_noise import parted
from accord.plan.evaluate import evaluate
from accord.plan.expression import ColumnRef, columns_of
from accord.plan.interpret import interpret
from accord.plan.stability import sensitivities
from tests.plan.worlds import CATALOG, world

GRID = "FROM area a LEFT JOIN (SELECT region, {} FROM sales GROUP BY region) t USING (region)"
QUESTIONS = {
    "SELECT region, AVG(amount) AS mean FROM sales GROUP BY region": {"mean_sum": 100, "mean_rows": 1},
    "SELECT region, AVG(amount) AS mean, COUNT(amount) AS n, SUM(amount) AS s FROM sales GROUP BY region": {"s": 100, "n": 1},
    f"SELECT a.region, COALESCE(m, 0) AS m, t.c / 3 AS third {GRID.format('AVG(price) AS m, COUNT(*) AS c')} WHERE a.rank < 3": None,
    f"SELECT a.region, t.v, a.rank * t.c AS w {GRID.format('VAR_SAMP(amount) AS v, COUNT(*) AS c')} ORDER BY a.region": None,
    "SELECT COVAR_POP(amount, n) AS c, CASE WHEN COUNT(*) > 3 THEN AVG(n) END AS mean FROM sales": None,
    "SELECT region, SUM(CASE WHEN ok THEN amount ELSE 0 END) / SUM(amount) AS share, COUNT(*) > 2 AS many FROM sales GROUP BY region": None,
    "SELECT region, COUNT(*) AS a, COUNT(*) AS b, COUNT(*) * 2 AS c FROM sales GROUP BY region": {"a": 1},
}
"""Each with the columns that get noise and their bounds, where these are few enough to say."""


@pytest.mark.parametrize("sql", QUESTIONS)
def test_what_is_computed_after_opening_is_what_the_plan_gives(sql):
    node = to_plan(sql, CATALOG)
    split = parted(node)
    assert not split.is_plain and tuple(split.formulas) == tuple(one.name for one in node.fields)
    for seed in range(12):
        whole, given = interpret(node, world(seed)), interpret(split.node, world(seed))
        for name, expression in split.in_order:
            made, wanted = evaluate(expression, given.columns, given.rows), whole.columns[name]
            assert made.nulls.tolist() == wanted.nulls.tolist() and made.values.tolist() == wanted.values.tolist(), (seed, name)


@pytest.mark.parametrize("sql", QUESTIONS)
def test_noise_goes_on_sums_and_counts_alone_each_once(sql):
    split = parted(to_plan(sql, CATALOG))
    bounds = sensitivities(split.node, "sales", 1, CATALOG)
    assert set(bounds) == split.noised
    assert bounds == (QUESTIONS[sql] or bounds)
    assert {name for _, one in split.in_order for name in columns_of(one)} >= split.noised


def test_a_question_of_sums_is_left_as_it_is():
    split = parted(to_plan(f"SELECT a.region, COALESCE(t.c, 0) AS c {GRID.format('COUNT(*) AS c')}", CATALOG))
    assert split.is_plain and all(isinstance(one, ColumnRef) for one in split.formulas.values())


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELECT region, CASE WHEN COUNT(*) > 2 THEN region END AS big FROM sales GROUP BY region", "computed with a category"),
        ("SELECT region, COUNT(*) // 2 AS half FROM sales GROUP BY region", "computed with FLOOR_DIVIDE"),
    ],
)
def test_what_a_recipient_cannot_compute_is_refused_with_the_nearest_form(sql, sentence):
    with pytest.raises(Refused, match=sentence) as refusal:
        parted(to_plan(sql, CATALOG))
    assert refusal.value.do


def test_noise_in_a_join_or_a_condition_is_left_for_refusal():
    joined = "SELECT a.region, t.c FROM area a JOIN (SELECT region, COUNT(*) AS c FROM sales GROUP BY region) t ON a.rank = t.c"
    for sql in (joined, "SELECT region, COUNT(*) AS c FROM sales GROUP BY region HAVING COUNT(*) > 2"):
        node = to_plan(sql, CATALOG)
        with pytest.raises(Refused):
            sensitivities(parted(node).node, "sales", 1, CATALOG)
