"""Quantiles by counts of bands: without noise they are the cell of the true quantile; and which counts one row is in together."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from accord.base.errors import Refused
from accord.frame.sql import to_plan
from accord.plan.after_noise import parted
from accord.plan.bands import Grid, band, counted_in_bands, found, read_band
from accord.plan.expression import AggregateCall
from accord.plan.families import families
from accord.plan.interpret import interpret
from accord.plan.nodes import Aggregate, Join, Project
from accord.plan.stability import sensitivities
from accord.plan.typing import column
from accord.release.quantile import read_quantiles
from tests.plan.worlds import CATALOG, world

GRIDS = [Grid(low, high) for low, high in ((0, 0), (3, 18), (0, 16), (0, 100), (-50, 100), (5, 260), (0, 256), (-7, 10**6), (0, 255))]
BY_REGION = "SELECT region, QUANTILE_DISC(amount, 0.5) AS m, QUANTILE_DISC(amount, 0.9) AS q FROM sales GROUP BY region"
QUESTIONS = (
    BY_REGION,
    "SELECT QUANTILE_DISC(amount, 0.25) AS q, QUANTILE_DISC(day, 0.5) AS d, QUANTILE_DISC(n, 0.75) AS n FROM sales",
    "SELECT a.region, t.q FROM area a LEFT JOIN (SELECT region, QUANTILE_DISC(kind, 0.5) AS q FROM sales GROUP BY region) t USING (region)",
    "SELECT region, QUANTILE_DISC(amount * 2, 0.1) AS q FROM sales WHERE ok GROUP BY region ORDER BY region",
)


@pytest.mark.parametrize("grid", GRIDS)
def test_what_is_counted_up_to_a_cell_is_every_value_up_to_its_end_once(grid):
    for cell in range(grid.cells):
        blocks, cells = grid.reading(cell)
        values = [value for low, high in (*grid.bands[:blocks], *grid.bands[cells]) for value in (low, high)]
        ends = sorted(zip(values[::2], values[1::2], strict=True))
        assert ends[0][0] == grid.low and ends[-1][1] == grid.bounds(cell, cell)[1]
        assert all(one[1] + 1 == other[0] for one, other in pairwise(ends))
    assert grid.bounds(0, grid.cells - 1) == (grid.low, grid.high) and len(grid.labels) == len(grid.bands) <= 256


@pytest.mark.parametrize("grid", GRIDS)
def test_without_noise_it_is_the_cell_of_the_true_quantile(grid):
    """Ties, all equal, one row, the ends of the range; by sorting in plain Python."""
    draw = random.Random(91)
    for size in (1, 2, 7, 300):
        for values in (
            [draw.randint(grid.low, grid.high) for _ in range(size)],
            [grid.high] * size,
            [grid.low] * size,
            [min(grid.low + 5 * draw.randint(0, 3), grid.high) for _ in range(size)],
        ):
            counts = [Fraction(sum(low <= one <= high for one in values)) for low, high in grid.bands]
            for share in (Fraction(1, 100), Fraction(1, 4), Fraction(1, 2), Fraction(9, 10), Fraction(999, 1000)):
                true = sorted(values)[-(-share * size // 1) - 1]
                assert grid.bounds(*[found(grid, counts, share)] * 2)[0] <= true <= grid.bounds(*[found(grid, counts, share)] * 2)[1]
    assert found(grid, [Fraction(0)] * len(grid.bands), Fraction(1, 2)) is None


@pytest.mark.parametrize("sql", QUESTIONS)
def test_a_question_in_bands_gives_what_the_plan_gives(sql):
    """Where cells are one value wide: numbers, dates, categories; NULLs, and groups without any value."""
    node = to_plan(sql, CATALOG)
    split = parted(counted_in_bands(node, CATALOG))
    made = 0
    for seed in range(12):
        whole, given = interpret(node, world(seed)), interpret(split.node, world(seed))
        for name, expression in split.in_order:
            if name in given.columns:
                continue
            values, low, high = read_quantiles(expression, given.columns, {})
            wanted, width = whole.columns[name], Grid.of(expression.type).width
            assert values.nulls.tolist() == wanted.nulls.tolist(), (seed, name)
            inside = (low.values <= wanted.values) & (wanted.values <= high.values) & (high.values - low.values < width)
            assert (inside | values.nulls).all() and (width > 1 or (values.values == wanted.values).all()), (seed, name)
            made += 1
    assert made


def test_quantiles_of_one_column_share_their_counts_and_these_two_losses():
    one, two = (parted(counted_in_bands(to_plan(sql, CATALOG), CATALOG)) for sql in (BY_REGION.replace(", 0.9", ", 0.5"), BY_REGION))
    assert one.noised == two.noised and len(two.noised) == len(Grid(-50, 100).bands)
    assert set(sensitivities(two.node, "sales", 1, CATALOG).values()) == {1}
    found = families(two.node)
    assert set(found) == two.noised and len(set(found.values())) == 2


def counts(*bands, of="amount"):
    """One group's counts of bands, each bounds and a name."""
    below = to_plan("SELECT amount, n, region FROM sales", CATALOG)
    calls = tuple((name, AggregateCall("count", band(column(below.field(of)), *ends), to_count())) for name, *ends in bands)
    return Aggregate(below, (), calls)


def to_count():
    return to_plan("SELECT COUNT(*) AS n FROM sales", CATALOG).field("n").type


def test_counts_that_one_row_can_be_in_together_are_of_two_families():
    assert families(counts(("a", 0, 4), ("b", 5, 9), ("c", -3, -1))) == dict.fromkeys("abc", "a")
    assert families(counts(("a", 0, 4), ("b", 4, 9))) == {}, "4 is in both"
    assert families(counts(("a", 0, 4), ("b", 0, 4))) == {}
    assert families(counts(("a", 0, 9), ("b", 1, 4), ("c", 5, 9), ("d", 10, 11))) == {"a": "a", "d": "a", "b": "b", "c": "b"}
    two = counts(("a", 0, 1), ("b", 2, 3))
    other = replace(two, aggregates=(two.aggregates[0], *counts(("b", 2, 3), of="n").aggregates))
    assert families(other) == {}, "bands of two values"


def test_a_count_that_stands_in_two_columns_is_in_a_family_once():
    two = counts(("a", 0, 1), ("b", 2, 3))
    columns = tuple((name, column(two.field(of))) for name, of in (("x", "a"), ("y", "b"), ("again", "a")))
    assert families(Project(two, columns)) == {"x": "x", "y": "x"}


def test_a_band_is_read_back_and_nothing_else_is_one():
    call = counts(("a", 0, 4)).aggregates[0][1]
    assert read_band(call.argument)[1:] == (0, 4)
    other = to_plan("SELECT COUNT(CASE WHEN amount >= 0 AND n <= 2 THEN 1 END) AS a, COUNT(amount) AS b, COUNT(*) AS c FROM sales", CATALOG)
    assert [read_band(one.argument) for _, one in next(walked(other)).aggregates] == [None] * 3


def walked(node):
    while not isinstance(node, Aggregate):
        node = node.input
    yield node


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELECT MEDIAN(amount) AS m FROM sales", "noise on MEDIAN"),
        ("SELECT QUANTILE_DISC(amount, 1) AS m FROM sales", "noise on a quantile of 1"),
        ("SELECT QUANTILE_DISC(amount, 0.0) AS m FROM sales", "noise on a quantile of 0"),
        ("SELECT QUANTILE_DISC(amount, 0.5) + 1 AS m FROM sales", "computed with QUANTILE from what has noise"),
    ],
)
def test_other_quantiles_are_refused_with_the_nearest_form(sql, sentence):
    with pytest.raises(Refused, match=sentence) as refusal:
        parted(counted_in_bands(to_plan(sql, CATALOG), CATALOG))
    assert refusal.value.do


def test_quantiles_of_public_tables_and_of_joins_stay_as_they_are():
    for sql in (
        "SELECT QUANTILE_DISC(rank, 0.5) AS q FROM area",
        "SELECT region, QUANTILE_DISC(amount, 0.5) AS q FROM sales GROUP BY ROLLUP (region)",
    ):
        node = to_plan(sql, CATALOG)
        assert counted_in_bands(node, CATALOG) == node
    joined = counted_in_bands(to_plan(QUESTIONS[2], CATALOG), CATALOG)
    assert isinstance(joined.inputs[0], Join) and np.prod([len(one.fields) for one in joined.inputs]) > 0
