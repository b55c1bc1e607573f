"""Samplers against their laws: chi-squared tests that a scale wrong by a tenth does not pass."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import exp

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.release import samplers
from accord.release.noise import GAUSSIAN, LAPLACE, ColumnNoise, Unit
from accord.release.samplers import Words

DRAWS = 12_000
SEED = b"a seed of a test"
LIMIT = 6.0
"""Standard deviations of a chi-squared statistic about its degrees of freedom: beyond it by chance less than once in 10^7 tests."""


def words(label="draws"):
    return Words(SEED, label)


def law(weight, reach):
    """Chances of −reach … reach, proportional to a weight."""
    weights = np.array([weight(x) for x in range(-reach, reach + 1)])
    return weights / weights.sum()


def folded(chances, times):
    """The law of a sum of so many independent draws, by convolution."""
    found = chances
    for _ in range(times - 1):
        found = np.convolve(found, chances)
    return found


def misfit(draws, chances):
    """(χ² − degrees of freedom) / its standard deviation, over values that are expected at least ten times; the rest is one bin."""
    reach, counts = len(chances) // 2, Counter(draws)
    expected = {x: len(draws) * chances[x + reach] for x in range(-reach, reach + 1)}
    kept = [x for x, mean in expected.items() if mean >= 10]
    terms = [(counts[x] - expected[x]) ** 2 / expected[x] for x in kept]
    tail = len(draws) - sum(expected[x] for x in kept)
    terms.append((len(draws) - sum(counts[x] for x in kept) - tail) ** 2 / max(tail, 1.0))
    return (sum(terms) - (len(terms) - 1)) / (2 * (len(terms) - 1)) ** 0.5


def half_law(rate, reach):
    """The negative binomial law of order one half, by its recurrence: p(k) = p(k − 1) q (2k − 1) / (2k)."""
    q, chances = exp(-rate), [1.0]
    for k in range(1, reach):
        chances.append(chances[-1] * q * (2 * k - 1) / (2 * k))
    found = np.array(chances)
    return found / found.sum()


def share_law(rate, reach=400):
    half = half_law(rate, reach)
    return np.convolve(half, half[::-1])


RATE, VARIANCE = Fraction(1, 5), Fraction(81, 2)
FACTORS = [Fraction(9, 10), Fraction(1), Fraction(11, 10)]


@pytest.mark.parametrize("factor", FACTORS)
def test_two_shares_of_laplace_are_discrete_laplace(factor):
    """Drawn at a rate wrong by a tenth, they are not."""
    source = words()
    draws = [samplers.laplace_share(source, RATE * factor) + samplers.laplace_share(source, RATE * factor) for _ in range(DRAWS)]
    assert (abs(misfit(draws, law(lambda x: exp(-abs(x) / 5), 300))) < LIMIT) == (factor == 1)


@pytest.mark.parametrize("factor", FACTORS)
def test_three_shares_of_laplace_have_their_own_law(factor):
    source = words()
    draws = [sum(samplers.laplace_share(source, RATE * factor) for _ in range(3)) for _ in range(DRAWS)]
    assert (abs(misfit(draws, folded(share_law(0.2), 3))) < LIMIT) == (factor == 1)
    if factor == 1:
        q = exp(-0.2)
        assert np.var(draws) == pytest.approx(1.5 * 2 * q / (1 - q) ** 2, rel=0.1)


@pytest.mark.parametrize("factor", FACTORS)
def test_a_discrete_gaussian(factor):
    source = words()
    draws = [samplers.discrete_gaussian(source, VARIANCE * factor**2) for _ in range(DRAWS)]
    assert (abs(misfit(draws, law(lambda x: exp(-x * x / 81), 80))) < LIMIT) == (factor == 1)


@pytest.mark.parametrize(("shares", "factor"), [(2, one) for one in FACTORS] + [(3, one) for one in FACTORS])
def test_shares_of_gaussians_are_nearly_gaussian(shares, factor):
    """Two have the variance asked for; their law and a discrete Gaussian's differ by less than 10^-15 at any point."""
    source = words()
    draws = [sum(samplers.gaussian_share(source, VARIANCE * factor**2) for _ in range(shares)) for _ in range(DRAWS)]
    wanted = law(lambda x: exp(-x * x / (81 * shares / 2)), 100)
    assert (abs(misfit(draws, wanted)) < LIMIT) == (factor == 1)
    one = law(lambda x: exp(-x * x / 40.5), 100)
    assert np.abs(folded(one, shares)[100 * (shares - 1) :][:201] - wanted).max() < 1e-15


def test_chances_are_exact():
    source = words()
    assert sum(samplers.bernoulli_exp(source, 5, 2) for _ in range(20_000)) / 20_000 == pytest.approx(exp(-2.5), abs=5 * 0.0019)
    assert all(samplers.bernoulli_exp(source, 0, 1) for _ in range(100))
    assert not any(samplers.bernoulli(source, 0, 7) for _ in range(100))
    assert min(source.below(3) for _ in range(100)) == 0 and max(source.below(3) for _ in range(100)) == 2
    with pytest.raises(OurFault):
        source.below(0)


def test_draws_follow_from_key_and_label():
    first, again, other = (Words(SEED, label) for label in ("one", "one", "two"))
    drawn = [[source.bits(64) for _ in range(700)] for source in (first, again, other)]
    assert drawn[0] == drawn[1] != drawn[2] and len(set(drawn[0])) == 700


def test_large_variances_take_no_longer():
    """10^18: of sums of money in cents."""
    source, spread = words(), Fraction(10) ** 18
    draws = [samplers.discrete_gaussian(source, spread) for _ in range(400)]
    assert 0.7 < np.var([one / 10**9 for one in draws]) < 1.4


@pytest.mark.parametrize(("mechanism", "sensitivity"), [(LAPLACE, 1), (LAPLACE, 40), (GAUSSIAN, 30), (GAUSSIAN, 10**7)])
def test_the_interval_holds_the_noise_of_three_servers(mechanism, sensitivity):
    """Nineteen times in twenty: 95 % of 4,000, give or take six standard deviations, and a whole number's step for the narrowest."""
    noise = ColumnNoise(mechanism, Fraction(1, 2), sensitivity)
    drawn = [noise.share(Words(bytes([server]) * 16, "noise"), 4_000).view(np.int64) for server in range(3)]
    width = noise.half_width()
    inside = int((np.abs(sum(drawn)) <= width).sum())
    assert inside > 3_800 - 83
    assert int((np.abs(sum(drawn)) < width).sum()) < 3_800 + 83
    assert Unit("trade").sentence == "one row of trade"


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(4)])
def test_the_interval_of_a_joint_draw_is_that_of_one_law(scale):
    """Narrower than three shares': the least reach with 95 % inside, by the law itself."""
    noise, q = ColumnNoise(LAPLACE, 1 / scale, 1, sampling="joint"), exp(-1 / scale)
    inside = [1 - 2 * q ** (reach + 1) / (1 + q) for reach in range(100)]
    assert noise.half_width() == next(reach for reach, chance in enumerate(inside) if chance >= 0.95)
    assert noise.half_width() <= ColumnNoise(LAPLACE, 1 / scale, 1).half_width()
