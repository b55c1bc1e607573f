"""STDDEV, CORR and VAR against whole-number arithmetic of any size, and against DuckDB's own floating point within the stated bounds."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from math import isqrt
from random import Random
from typing import Any

import pytest

from accord.data.schema import ColumnSchema, TableSchema
from accord.frame.sql import to_plan
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.interpret import Table, interpret
from accord.plan.moments import CORRELATION_DIGITS, correlation, headroom
from accord.testing.tables import RandomWorld
from accord.testing.three_ways import Asker, Question
from tests.frame.test_constructs import pooled
from tests.plan.worlds import CATALOG, world

ONE = 10**CORRELATION_DIGITS


# ---- CORR of three whole numbers


def true_correlation(c: int, x: int, y: int) -> Decimal:
    """c / √(x y) in units of 10^-6, to fifty digits."""
    with localcontext(prec=60):
        return ONE * Decimal(c) / (Decimal(x) * Decimal(y)).sqrt()


def triples() -> list[tuple[int, int, int]]:
    chance = Random(7)
    most = (1 << 62) - 1
    sides = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, most, most - 1, 1 << 61, (1 << 61) - 1, (1 << 60) + 1, 3 * (1 << 59)]
    sides += [min(int(2 ** chance.uniform(0, 62)), most) for _ in range(60)]
    found = []
    for x in sides:
        for y in sides:
            top = isqrt(x * y)
            found += [
                (c, x, y)
                for c in {0, 1, top, top - 1, top // 2, int(top * chance.random()), -top, -int(top * chance.random())}
                if c * c <= x * y
            ]
    return found


def test_correlations_are_within_their_bound() -> None:
    worst = Decimal(0)
    for c, x, y in triples():
        found = correlation(c, x, y)
        worst = max(worst, abs(found - true_correlation(c, x, y)))
        assert abs(found) <= ONE and (found >= 0) == (c >= 0 or found == 0)
    assert Decimal("0.5") < worst < Decimal("0.68")


@pytest.mark.parametrize("x", [1, 2, 3, 5, 1 << 31, (1 << 61) + 1, (1 << 62) - 1])
def test_numbers_that_go_together_have_a_correlation_of_one(x: int) -> None:
    for factor in (1, 2, 3, 1000):
        if x * factor * factor < 1 << 62:
            assert correlation(x * factor, x, x * factor * factor) == ONE
            assert correlation(-x * factor, x, x * factor * factor) == -ONE


def test_headroom_is_the_largest_power_that_fits() -> None:
    for x in [1, 2, 3, 4, *(1 << bit for bit in range(62)), (1 << 62) - 1]:
        assert x * headroom(x) ** 2 < 1 << 62 <= x * (2 * headroom(x)) ** 2 * 2


# ---- questions


def catalog(low: int, high: int, scale: int, rows: int) -> Catalog:
    """One table of two numbers, of two owners, with so many rows each at most."""
    columns = tuple(
        ColumnSchema(name, "decimal", low, high, precision=18, scale=scale) if scale else ColumnSchema(name, "int", low, high)
        for name in "xy"
    )
    return Catalog({"t": TableInfo(TableSchema("t", columns), ("a", "b"), (rows, rows))}, {})


def exact(values: list[int], population: bool) -> Fraction | None:
    """The second moment about the mean, as it is defined."""
    count = len(values)
    if count == 0 or (count == 1 and not population):
        return None
    mean = Fraction(sum(values), count)
    return sum(((one - mean) ** 2 for one in values), Fraction(0)) / (count if population else count - 1)


def rounded_root(square: Fraction, digits: int) -> int:
    """√square in units of 10^-digits, half up, with no more than whole numbers: the largest k with (2k − 1)² ≤ 4 · square · 10^2d."""
    four = 4 * square * 100**digits
    root = isqrt(four.numerator // four.denominator)
    return max(k for k in range(max(root // 2 - 2, 0), root // 2 + 3) if k == 0 or (2 * k - 1) ** 2 <= four)


SHAPES = [
    (0, 9, 0, 50),
    (-1000, 1000, 0, 200),
    (0, 200_000_00, 2, 10_000),
    (-5, 40_000_000, 0, 2_000),
    (0, 150_000_000, 1, 150),
]


def samples(low: int, high: int, rows: int, seed: int) -> list[list[int]]:
    chance = Random(seed)
    few = min(rows, 400)
    return [
        [],
        [high],
        [low, high],
        [high] * 3,
        [low] * few + [high] * few,
        [chance.randint(low, high) for _ in range(few)],
        [chance.choice((low, low + 1)) for _ in range(few)],
        [high - one for one in range(min(few, high - low))],
    ]


def asked(sql: str, known: Catalog, columns: list[list[int]]) -> tuple[Any, tuple[int, ...]]:
    plan = to_plan(sql, known)
    rows = list(zip(*columns, strict=True))
    held = {"t": {"a": Table.of(("x", "y"), rows[: len(rows) // 2]), "b": Table.of(("x", "y"), rows[len(rows) // 2 :])}}
    (row,) = interpret(plan, held).tuples(tuple(one.name for one in plan.fields))
    return plan, row


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_deviations_and_variances_are_rounded_once(shape: tuple[int, int, int, int]) -> None:
    low, high, scale, rows = shape
    known = catalog(low, high, scale, rows)
    for values in samples(low, high, rows, 3):
        plan, row = asked("SELECT STDDEV(x) AS s, STDDEV_POP(x) AS p, STDDEV_SAMP(y) AS t FROM t", known, [values, values[::-1]])
        for field, found, population in zip(plan.fields, row, (False, True, False), strict=True):
            digits, square = field.type.scale - scale, exact(values, population)
            assert found == (None if square is None else rounded_root(square, digits)), (values[:5], population)
            assert digits >= 1


@pytest.mark.parametrize("rows", [30, 10_000])
@pytest.mark.parametrize("population", [True, False])
def test_variances_of_large_groups_need_no_product_of_their_sums(rows: int, population: bool) -> None:
    """Of 20 000 numbers of a range of 2·10^7, n Σx² is beyond 2^62."""
    low, high = -3, 20_000_000
    known = catalog(low, high, 0, rows)
    for values in samples(low, high, rows, 4):
        _, row = asked(f"SELECT {'VAR_POP' if population else 'VAR_SAMP'}(x) AS v FROM t", known, [values, values])
        square = exact(values, population)
        assert row[0] == (None if square is None else int(square * 10**4 + Fraction(1, 2)))


def test_a_large_group_three_ways() -> None:
    """The way about the mean: by DuckDB, by the plan, by its placed form and by three servers."""
    known, chance = catalog(-3, 20_000_000, 0, 10_000), Random(5)
    rows = {name: [(chance.randint(-3, 20_000_000), chance.randint(-3, 2_000)) for _ in range(40)] for name in "ab"}
    held = {"t": {name: Table.of(("x", "y"), some) for name, some in rows.items()}}
    question = Question(
        "SELECT VAR_POP(x) AS v, STDDEV(x) AS s, CORR(x // 4000, y // 4000) AS c FROM (SELECT x + 3 AS x, y + 3 AS y FROM t) AS t",
        Asker(RandomWorld(known, held)),
    )
    answers = [one.tuples(("v", "s", "c")) for one in (question.clear(), question.planned(), question.plainly(), question.on_shares(9))]
    assert answers == answers[:1] * 4
    square = exact([x for some in rows.values() for x, _ in some], True)
    assert square is not None and answers[0][0][0] == int(square * 10**4 + Fraction(1, 2))


# ---- DuckDB's own


@pytest.mark.parametrize("seed", range(4))
def test_duckdbs_floating_point_agrees_within_the_bound(seed: int) -> None:
    sql = "SELECT region, STDDEV(price) AS s, STDDEV_POP(price) AS p, CORR(amount, price) AS c FROM sales GROUP BY region"
    ours = {row[0]: row[1:] for row in interpret(to_plan(sql, CATALOG), world(seed)).tuples(("region", "s", "p", "c"))}
    scale = to_plan(sql, CATALOG).field("s").type.scale
    regions = to_plan(sql, CATALOG).field("region").type.values
    for region, sample, whole, correlated in pooled(seed).execute(sql).fetchall():
        found = ours[regions.index(region)]
        for mine, theirs, unit, slack in (
            (found[0], sample, 10**scale, 0.51),
            (found[1], whole, 10**scale, 0.51),
            (found[2], correlated, ONE, 0.69),
        ):
            if mine is None:
                assert theirs is None or theirs != theirs
            else:
                assert abs(mine - theirs * unit) <= slack
