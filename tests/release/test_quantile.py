"""Quantiles read off noised counts: the interval holds the true one, and noise is counted where it is read."""

from __future__ import annotations

from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest

from accord.plan.bands import QUANTILE, Grid
from accord.plan.evaluate import Plain
from accord.plan.expression import Call
from accord.plan.nodes import Field
from accord.plan.types import INT, Type
from accord.plan.typing import column, integer
from accord.release.accounting import loss_of
from accord.release.noise import GAUSSIAN, LAPLACE, ColumnNoise
from accord.release.quantile import _reach, read_quantiles
from accord.release.samplers import Words

HIGH, ROWS = 39, 200
GRID = Grid(0, HIGH)
NAMES = [f"c{at}" for at in range(len(GRID.bands))]


def quantile(share):
    of = Type(INT, 0, HIGH)
    counts = (column(Field(name, Type(INT, 0, 10_000))) for name in NAMES)
    return Call(of, QUANTILE, (integer(share.numerator), integer(share.denominator), *counts))


def counted(values, noise=None, rows=1):
    """The counts of a grid for so many rows of a release, with what three servers draw on them."""
    made = {}
    for at, (name, (low, high)) in enumerate(zip(NAMES, GRID.bands, strict=True)):
        exact = np.full(rows, sum(low <= one <= high for one in values), np.int64)
        drawn = sum(noise.share(Words(bytes([server]) * 16, f"{at}"), rows).view(np.int64) for server in range(3)) if noise else 0
        made[name] = Plain(exact + drawn, np.zeros(rows, np.bool_))
    return made


@pytest.mark.parametrize(
    "noise", [ColumnNoise(LAPLACE, Fraction(1, 2), 1, family="f"), ColumnNoise(GAUSSIAN, Fraction(1, 50), 1, family="f")]
)
@pytest.mark.parametrize("share", [Fraction(1, 2), Fraction(9, 10)])
def test_the_interval_holds_the_quantile_nineteen_times_in_twenty(noise, share):
    """95 % of the rows, give or take six standard deviations; the values are near, and the interval tells apart what can be told apart."""
    values = [at * 7 % 40 for at in range(1, 1200)] + [17] * 40
    true = sorted(values)[-(-share * len(values) // 1) - 1]
    read = read_quantiles(quantile(share), counted(values, noise, ROWS), dict.fromkeys(NAMES, noise))
    inside = (read.low.values <= true) & (true <= read.high.values)
    assert int(inside.sum()) >= 0.95 * ROWS - 6 * (ROWS * 0.95 * 0.05) ** 0.5
    assert ((read.low.values <= read.values.values) & (read.values.values <= read.high.values)).all()
    assert np.median(abs(read.values.values - true)) <= 2 and np.median(read.high.values - read.low.values) < HIGH / 2


def test_a_few_rows_tell_nothing_and_none_are_null():
    noise = dict.fromkeys(NAMES, ColumnNoise(LAPLACE, Fraction(1, 10), 1))
    read = read_quantiles(quantile(Fraction(1, 2)), counted([7]), noise)
    assert (read.low.values[0], read.values.values[0], read.high.values[0]) == (0, 7, HIGH)
    for empty in (counted([]), {**counted([]), "c0": Plain(np.array([-3]), np.array([False]))}):
        assert all(one.nulls[0] for one in read_quantiles(quantile(Fraction(1, 2)), empty, noise))


def test_noise_of_every_sum_that_is_read_is_in_the_reach():
    """Of cell 20: of one block before, of five cells, and of two blocks beyond, each by its weight; at a chance of 0.05 / 3."""
    law, share = ColumnNoise(LAPLACE, Fraction(1, 4), 1), Fraction(1, 4)
    one, five, two, three = (law.half_width(1 - 0.05 / 3, draws) for draws in (1, 5, 2, 3))
    laws = [law] * len(NAMES)
    assert _reach(GRID, 20, share, laws) == Fraction(3, 4) * one + five + Fraction(1, 4) * two
    assert _reach(GRID, -1, share, laws) == Fraction(1, 4) * three
    assert _reach(GRID, 15, share, laws) == Fraction(3, 4) * one + Fraction(1, 4) * two, "the end of a block is known by blocks"


def test_how_far_a_sum_of_noise_goes():
    """By adding up the law of one with itself; for Gaussian noise by its variance."""
    law = ColumnNoise(LAPLACE, Fraction(1, 3), 1)
    one = law._laplace_law()
    alone = np.concatenate([one[-400:], one[:401]])
    three = np.convolve(np.convolve(alone, alone), alone)
    centre = three.size // 2
    width = law.half_width(0.95, 3)
    assert three[centre - width : centre + width + 1].sum() >= 0.95 > three[centre - width + 1 : centre + width].sum()
    normal = ColumnNoise(GAUSSIAN, Fraction(1, 128), 1)
    assert normal.half_width(0.95, 4) == int(NormalDist().inv_cdf(0.975) * (4 * 64 * 1.5) ** 0.5) + 1


def test_a_family_loses_what_one_of_its_columns_does():
    one = ColumnNoise(LAPLACE, Fraction(1, 2), 1, family="a")
    alone, other = ColumnNoise(LAPLACE, Fraction(1, 2), 1), ColumnNoise(LAPLACE, Fraction(1, 2), 1, family="b")
    assert loss_of([one] * 9).epsilon == Fraction(1, 2)
    assert loss_of([one, other] * 9).epsilon == 1 and loss_of([alone] * 3 + [one]).epsilon == 2
    wider = ColumnNoise(LAPLACE, Fraction(1, 4), 1, family="a")
    assert loss_of([one, wider, one]).epsilon == Fraction(3, 4), "another law is another mechanism, whatever it is named"
    assert ColumnNoise.read(one.document()) == one
