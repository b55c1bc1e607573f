"""Thresholds on counts of groups that no list names: by the exact law of three servers' noise, a lone unit's group is hardly ever shown."""

from __future__ import annotations

from fractions import Fraction
from math import exp, sqrt

import numpy as np
import pytest

from accord.base.errors import Refused
from accord.release.noise import GAUSSIAN, LAPLACE, ColumnNoise
from accord.release.thresholds import least_count
from tests.release.test_samplers import folded, law, share_law

DELTAS = (Fraction(1, 10**6), Fraction(1, 10**9), Fraction(1, 2 * 10**12))


def three_shares(scale):
    """The law of three servers' Laplace shares together, by convolution: every term is positive, so that tails keep their digits."""
    return folded(share_law(1 / scale, int(60 * scale) + 60), 3)


def chance(noise_law, at_least):
    middle = len(noise_law) // 2
    return float(noise_law[middle + at_least :].sum())


@pytest.mark.parametrize("delta", DELTAS)
@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(1), Fraction(5)])
def test_a_planted_row_is_shown_with_no_more_than_the_chance_and_hardly_less(scale, delta):
    """One unit of one row: its count is 1 and noise. One less would be shown too often."""
    least = least_count(ColumnNoise(LAPLACE, 1 / scale, 1), delta)
    noise = three_shares(float(scale))
    assert chance(noise, least - 1) <= delta < chance(noise, least - 2)


@pytest.mark.parametrize("factor", [Fraction(9, 10), Fraction(11, 10)])
def test_noise_of_a_scale_wrong_by_a_tenth_is_seen(factor):
    delta, scale = Fraction(1, 10**9), Fraction(5)
    least = least_count(ColumnNoise(LAPLACE, 1 / (scale * factor), 1), delta)
    noise = three_shares(float(scale))
    assert not chance(noise, least - 1) <= delta < chance(noise, least - 2)


def test_two_servers_shares_would_not_do():
    """The third server's share is in the sum as well, and its holder sees which groups are shown."""
    delta, rate = 1e-9, 1.0
    two = folded(share_law(rate, 200), 2)
    least = least_count(ColumnNoise(LAPLACE, Fraction(1), 1), Fraction(1, 10**9))
    by_two = next(least for least in range(2, 100) if chance(two, least - 1) <= delta)
    assert by_two < least and chance(three_shares(1.0), by_two - 1) > delta


@pytest.mark.parametrize("sensitivity", [2, 5])
def test_a_unit_of_several_rows_is_hidden_however_they_lie(sensitivity):
    """In one group or in several: the groups of the unit alone are all hidden but for δ, and τ is no larger than that needs."""
    delta, noise = Fraction(1, 10**8), ColumnNoise(LAPLACE, Fraction(1), sensitivity)
    least, held = least_count(noise, delta), three_shares(float(noise.scale))
    shown = [sum(chance(held, least - rows) for rows in way) for way in ways(sensitivity)]
    assert max(shown) <= delta
    assert max(sum(chance(held, least - 1 - rows) for rows in way) for way in ways(sensitivity)) > delta


def ways(rows):
    """How so many rows lie in groups."""
    if not rows:
        yield []
    for first in range(1, rows + 1):
        for rest in ways(rows - first):
            yield [first, *rest]


def test_gaussian_noise_is_bounded_from_above():
    noise, delta = ColumnNoise(GAUSSIAN, Fraction(1, 50), 1), Fraction(1, 10**9)
    least = least_count(noise, delta)
    exact = law(lambda x: exp(-x * x / (2 * 37.5)), 400)
    assert chance(exact, least - 1) <= delta and least < 1 + 1.2 * 6 * sqrt(37.5)
    assert np.isclose(float(noise.variance), 25)


def test_noise_too_wide_for_a_threshold_is_refused():
    with pytest.raises(Refused, match="a threshold for noise of scale 2,000") as refusal:
        least_count(ColumnNoise(LAPLACE, Fraction(1, 2000), 1), Fraction(1, 10**9))
    assert refusal.value.do
