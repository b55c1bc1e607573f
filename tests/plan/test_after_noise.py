"""A plan parted where noise goes: without noise, what the recipient computes is what the plan itself gives."""

from __future__ import annotations

import numpy as np
import pytest

from accord.base.errors import Refused
from accord.frame.sql import to_plan
from accord.plan.above_noise import Chosen, First, Ordered
from accord.plan.after_noise import counted, parted, trimmed
from accord.plan.evaluate import evaluate
from accord.plan.expression import ColumnRef, columns_of
from accord.plan.interpret import interpret
from accord.plan.plain_table import in_order
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
    "SELECT region, STDDEV(amount) AS d, COUNT(*) // 2 AS half FROM sales GROUP BY region": None,
    f"SELECT a.region, t.c {GRID.format('CORR(amount, n) AS c')}": None,
    "SELECT STDDEV_POP(price) AS d, CORR(price, amount) AS c FROM sales": None,
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
    ],
)
def test_what_a_recipient_cannot_compute_is_refused_with_the_nearest_form(sql, sentence):
    with pytest.raises(Refused, match=sentence) as refusal:
        parted(to_plan(sql, CATALOG))
    assert refusal.value.do


def test_noise_in_a_join_or_a_window_is_left_for_refusal():
    joined = "SELECT a.region, t.c FROM area a JOIN (SELECT region, COUNT(*) AS c FROM sales GROUP BY region) t ON a.rank = t.c"
    for sql in (joined, "SELECT region, COUNT(*) AS c, RANK() OVER (ORDER BY COUNT(*)) AS r FROM sales GROUP BY region"):
        node = to_plan(sql, CATALOG)
        with pytest.raises(Refused):
            sensitivities(parted(node).node, "sales", 1, CATALOG)


ABOVE = {
    "SELECT region, COUNT(*) AS c FROM sales GROUP BY region HAVING COUNT(*) > 2": [Chosen],
    "SELECT region, AVG(amount) AS m FROM sales GROUP BY region HAVING SUM(n) > 2 ORDER BY COUNT(*) DESC, region LIMIT 2 OFFSET 1": [
        Chosen,
        Ordered,
        First,
    ],
    f"SELECT a.region, t.c {GRID.format('COUNT(*) AS c')} WHERE a.rank < 3 AND t.c > 1 ORDER BY a.region": [Chosen, Ordered],
}


@pytest.mark.parametrize("sql", ABOVE)
def test_what_depends_on_noise_comes_above_it(sql):
    """Without noise, the steps above the sums give what the plan gives."""
    node = to_plan(sql, CATALOG)
    split = trimmed(parted(node))
    assert [type(step) for step in split.above] == ABOVE[sql] and not split.is_plain
    for seed in range(12):
        rows, wanted = interpret(split.node, world(seed)), interpret(node, world(seed))
        for step in split.above:
            rows = done(step, rows)
        made = {name: evaluate(one, rows.columns, rows.rows) for name, one in split.in_order}
        assert {name: one.values.tolist() for name, one in made.items()} == {
            name: one.values.tolist() for name, one in wanted.columns.items()
        }, seed


def done(step, rows):
    """One step in the plain."""
    if isinstance(step, First):
        return rows.take(np.arange(rows.rows)[step.offset : step.offset + step.count])
    if isinstance(step, Chosen):
        holds = evaluate(step.predicate, rows.columns, rows.rows)
        return rows.take(np.flatnonzero((holds.values != 0) & ~holds.nulls))
    return rows.take(in_order([(evaluate(one, rows.columns, rows.rows), one.type, down) for one, down in step.keys], rows.rows))


def test_groups_gain_a_count_where_they_have_none():
    for sql, name in (("SELECT COUNT(*) AS c", "c"), ("SELECT SUM(amount) AS s", "rows"), ("SELECT COUNT(amount) AS c", "rows")):
        node, found = counted(to_plan(f"{sql}, shop FROM sales GROUP BY shop ORDER BY shop", CATALOG), 56)
        split = parted(node, secret_groups=True)
        assert found == name and split.node.field(name).type.low == 0 and [type(step) for step in split.above] == [Ordered]
    with pytest.raises(Refused, match="groups that no list names, in Join"):
        counted(to_plan(f"SELECT a.region, t.c {GRID.format('COUNT(*) AS c')}", CATALOG), 56)
