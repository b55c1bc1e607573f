"""What a recipient computes of noised columns: exact on fractions, NULL where noise left nothing to divide by, and intervals that hold."""

from __future__ import annotations

from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest

from accord.frame.sql import to_plan
from accord.plan.after_noise import parted
from accord.plan.evaluate import Plain, evaluate
from accord.plan.expression import ColumnRef
from accord.plan.interpret import interpret
from accord.plan.nodes import Field, Project
from accord.plan.types import BOOL, DECIMAL, INT, Type
from accord.plan.typing import call, column, decimal, integer, null, quotient
from accord.release.formula import computed, finished, value_at
from accord.release.layout import Layout
from accord.release.noise import GAUSSIAN, LAPLACE, ColumnNoise
from accord.release.samplers import Words
from accord.release.spec import ReleaseSpec
from tests.plan.test_after_noise import QUESTIONS
from tests.plan.worlds import CATALOG, world
from tests.release.offices import CELLS, cell, opened

ROWS = Field("n", Type(INT, 0, 1000))
TOTAL = Field("total", Type(INT, 0, 100_000, nullable=True))
SQUARES = Field("squares", Type(INT, 0, 10_000_000))
N, S, Q = column(ROWS), column(TOTAL), column(SQUARES)
MEAN = quotient(S, N, 4, (0, 100 * 10**4))
UNDER = call("multiply", N, call("greatest", call("subtract", N, integer(1)), integer(0)))
VARIANCE = quotient(call("subtract", call("multiply", N, Q), call("multiply", S, S)), UNDER, 4, (0, 5000 * 10**4))
FIELDS = (ROWS, TOTAL, SQUARES)


def plain(*values):
    return Plain(np.array([one or 0 for one in values]), np.array([one is None for one in values]))


def of(expression, **columns):
    """Values and intervals as fractions; noise of scale 1 on n, 100 on total, 10,000 on squares."""
    scales = {"n": 1, "total": 100, "squares": 10_000}
    noise = {name: ColumnNoise(LAPLACE, Fraction(1), scale) for name, scale in scales.items()}
    made = computed(expression, FIELDS, {name: plain(*values) for name, values in columns.items()}, noise)
    return [
        [None if null else Fraction(int(value), 10**expression.type.scale) for value, null in zip(one.values, one.nulls, strict=True)]
        for one in made
    ]


def test_a_mean_is_the_quotient_of_what_is_shown():
    values, low, high = of(MEAN, n=[300, 7], total=[12_345, 100], squares=[0, 0])
    assert values == [Fraction("41.15"), Fraction("14.2857")]
    reach_n, reach_s = (ColumnNoise(LAPLACE, Fraction(1), scale).half_width(1 - 0.05 / 2) for scale in (1, 100))
    assert low[0] == Fraction(round(Fraction(12_345 - reach_s, 300 + reach_n) * 10**4), 10**4)
    assert high[0] == Fraction(round(Fraction(12_345 + reach_s, 300 - reach_n) * 10**4), 10**4)


def test_nothing_is_divided_by_what_noise_made_of_a_count():
    """Nothing, or less: there is no mean, and no interval of one; a difference may be negative."""
    assert of(MEAN, n=[0, -3, 1], total=[5, 5, 5], squares=[0, 0, 0])[0] == [None, None, Fraction(5)]
    assert of(MEAN, n=[-3], total=[5], squares=[0])[1:] == [[None], [None]]
    assert of(VARIANCE, n=[1, -4], total=[5, 5], squares=[50, 50])[0] == [None, None]
    less = call("subtract", N, integer(10))
    assert value_at(quotient(S, less, 2), {"n": Fraction(6), "total": Fraction(8)}) == -2


def test_values_stay_within_what_is_possible_without_noise():
    assert of(MEAN, n=[2, 10], total=[900, -40], squares=[0, 0])[0] == [Fraction(100), Fraction(0)]
    values, low, high = of(MEAN, n=[1], total=[0], squares=[0])
    assert (values, low, high) == ([Fraction(0)], [Fraction(0)], [Fraction(100)])


def test_every_function_means_what_it_means_in_a_plan():
    row = {"n": Fraction(7), "total": None, "squares": Fraction(-3)}
    flag = call("gt", N, integer(3))
    told = {
        call("add", N, decimal(15, 1)): Fraction("8.5"),
        call("negate", N): -7,
        call("abs", Q): 3,
        call("round", call("multiply", N, decimal(15, 2)), integer(1)): Fraction("1.1"),
        call("case", flag, Q, N): -3,
        call("coalesce", S, N): 7,
        call("least", N, Q): -3,
        call("greatest", N, S): 7,
        call("and", flag, call("is_null", S)): 1,
        call("or", call("not", flag), call("eq", S, N)): None,
        call("and", flag, call("ne", S, N)): None,
        call("le", N, Q): 0,
        call("case", call("ge", S, N), N, null()): None,
    }
    assert {at: value_at(one, row) for at, one in enumerate(told)} == dict(enumerate(told.values()))
    assert flag.type.kind == BOOL and call("add", N, decimal(15, 1)).type.kind == DECIMAL


def test_a_zero_in_place_of_null_widens_no_interval_that_has_none():
    known = call("coalesce", MEAN, integer(0))
    assert of(known, n=[300], total=[12_345], squares=[0])[1:] == of(MEAN, n=[300], total=[12_345], squares=[0])[1:]
    assert of(known, n=[0], total=[0], squares=[0])[0] == [0]


def draws(noise, rows, label):
    """What three servers add up to."""
    return sum(noise.share(Words(bytes([server]) * 16, label), rows).view(np.int64) for server in range(3))


@pytest.mark.parametrize("mechanism", [LAPLACE, GAUSSIAN])
@pytest.mark.parametrize(("expression", "truth"), [(MEAN, Fraction(4)), (VARIANCE, None)])
def test_intervals_hold_the_truth_nineteen_times_in_twenty(mechanism, expression, truth):
    """Of 1,500 draws: 95 % give or take six standard deviations; and they are no wider than two and a half times the delta method's."""
    rows, n, total, squares = 1500, 400, 1600, 7000
    truth = truth or value_at(expression, {"n": Fraction(n), "total": Fraction(total), "squares": Fraction(squares)})
    noise = {"n": (1, n), "total": (10, total), "squares": (40, squares)}
    laws = {
        name: ColumnNoise(mechanism, Fraction(2 if mechanism == LAPLACE else 1, 1 if mechanism == LAPLACE else 32), scale)
        for name, (scale, _) in noise.items()
    }
    columns = {name: Plain(draws(laws[name], rows, name) + noise[name][1], np.zeros(rows, np.bool_)) for name in noise}
    made = computed(expression, FIELDS, columns, laws)
    unit = 10**expression.type.scale
    inside = (made.low.values <= truth * unit) & (truth * unit <= made.high.values)
    assert int(inside.sum()) > 1425 - 6 * 9
    wide = float(np.median(made.high.values - made.low.values)) / unit
    errors = np.std(made.values.values / unit)
    assert wide < 2.5 * 2 * NormalDist().inv_cdf(0.975) * errors


def test_a_release_carries_its_formulas_to_whoever_opens_it():
    counts = Project(CELLS, tuple((name, column(CELLS.field(name))) for name in ("seller", "buyer", "n", "total")))
    noise = (("n", ColumnNoise(LAPLACE, Fraction(20), 1)), ("total", ColumnNoise(LAPLACE, Fraction(20), 1)))
    mean = quotient(column(counts.field("total")), column(counts.field("n")), 4)
    formulas = (("seller", column(counts.field("seller"))), ("mean", mean), ("n", column(counts.field("n"))))
    one = ReleaseSpec("cells", counts, ("usa",), noise=noise, formulas=formulas)
    table = opened(one, [cell(0, 1, 50, total=12_345)])
    assert [field.name for field in table.fields] == ["seller", "mean", "n"]
    row, basis = table.rows()[1], table.basis.rows()[1]
    assert basis["seller"] == "usa" and abs(basis["n"] - 50) < 3
    assert row["mean"] == (basis["total"] / basis["n"]).quantize(row["mean"])
    shown = table.rows_with_intervals()[1]
    assert shown["mean_low"] <= row["mean"] <= shown["mean_high"] and "mean_low" in str(table)
    assert "computed after opening as ROUND(total / n, 4)" in " ".join(one.sentences)
    assert Layout.read(Layout.of(one, "usa", {}, 0).document()).formulas == formulas, "with the types that columns have without noise"
    assert finished(table.basis, ()) is table.basis


def test_the_table_of_a_computed_column_writes_its_interval_beside_it(tmp_path):
    noise = (("n", ColumnNoise(LAPLACE, Fraction(1), 1)),)
    node = Project(CELLS, tuple((name, column(CELLS.field(name))) for name in ("n", "seller")))
    half = quotient(column(node.field("n")), integer(2), 1)
    table = opened(ReleaseSpec("cells", node, ("usa",), noise=noise, formulas=(("half", half),)), [cell(0, 0, 9)])
    table.to_csv(tmp_path / "half.csv")
    assert (tmp_path / "half.csv").read_text().splitlines()[0] == "half,half_low,half_high"


@pytest.mark.parametrize("sql", QUESTIONS)
def test_without_noise_every_formula_gives_what_the_plan_gives(sql):
    """Two ways to compute: fractions here, whole numbers in NumPy there."""
    split = parted(to_plan(sql, CATALOG))
    for seed in range(12):
        given = interpret(split.node, world(seed))
        for name, expression in split.in_order:
            wanted = evaluate(expression, given.columns, given.rows)
            if not isinstance(expression, ColumnRef):
                values, low, high = computed(expression, split.node.fields, given.columns, {})
                assert (values.nulls.tolist(), values.values.tolist()) == (wanted.nulls.tolist(), wanted.values.tolist()), (seed, name)
                assert ((low.values <= values.values) & (values.values <= high.values) | values.nulls).all()
