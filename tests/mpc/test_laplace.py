"""Noise that nobody knows: its law, which a scale wrong by a tenth does not pass, its variance, its cost."""

from __future__ import annotations

from fractions import Fraction
from math import exp

import numpy as np
import pytest

from accord.base.ring import Z64
from accord.mpc import ideal
from accord.mpc.cost import cost_of
from accord.mpc.laplace import WORD_BITS, add_laplace, coin_bounds, coins
from accord.testing.world import World
from tests.mpc.cases import run_at_cost
from tests.release.test_samplers import LIMIT, law, misfit

ROWS = 12_000


def drawn(scale, seed=3):
    return World(seed).run(lambda me, x: add_laplace(me, x, bounds=coin_bounds(scale)), np.zeros(ROWS, np.int64)).signed


@pytest.mark.parametrize("factor", [Fraction(9, 10), Fraction(1), Fraction(11, 10)])
def test_draws_are_discrete_laplace(factor):
    draws = drawn(5 * factor)
    assert (abs(misfit(draws.tolist(), law(lambda x: exp(-abs(x) / 5), 300))) < LIMIT) == (factor == 1)


def test_their_variance_is_that_of_the_law_and_not_half_as_much_again():
    q = exp(-0.2)
    assert np.var(drawn(Fraction(5), seed=4)) == pytest.approx(2 * q / (1 - q) ** 2, rel=0.15)


def test_coins_have_the_chances_of_geometric_bits():
    """Against their products: of the sum of bits' weights with these chances, P(k) is proportional to e^(−k / scale)."""
    bounds = coin_bounds(Fraction(3, 2))
    chances = [bound / 2**WORD_BITS for bound in bounds]
    for k in range(12):
        found = np.prod([p if k >> at & 1 else 1 - p for at, p in enumerate(chances)])
        assert found == pytest.approx((1 - exp(-2 / 3)) * exp(-k * 2 / 3), rel=1e-12)
    assert 2 ** len(bounds) > 70 * 1.5 and list(bounds) == sorted(bounds, reverse=True)


@pytest.mark.parametrize("rows", [1, 65])
def test_it_costs_what_it_says_and_moves_the_value(rows):
    bounds, x = coin_bounds(Fraction(2)), np.arange(rows) * 10**6
    ran = run_at_cost(World(rows), cost_of(add_laplace, rows, len(bounds), Z64), lambda me, x: add_laplace(me, x, bounds=bounds), x)
    assert (np.abs(ran.signed - x) < 2 ** len(bounds)).all()


def test_its_twin_draws_by_the_same_bounds():
    """Coins that always fall make the numbers known."""
    bounds = (1 << 63, 0)
    ran = World(5).run(lambda me, x: add_laplace(me, x, bounds=bounds), np.zeros(4000, np.int64)).signed
    twin = ideal.TWINS[add_laplace](
        np.zeros(4000, np.int64), bounds=bounds, words=np.random.default_rng(5).integers(0, 2**64, (4, 4000), np.uint64)
    )
    for found in (ran, twin):
        assert set(found.tolist()) == {-1, 0, 1} and abs(found.mean()) < 0.07 and abs((found == 0).mean() - 0.5) < 0.05


def test_coins_fall_as_their_bounds_say():
    bounds = np.array([0, 1, 2, 3] * 4000, np.uint64)
    ran = run_at_cost(World(8), cost_of(coins, 16_000, Z64, 2), lambda me: coins(me, bounds, ring=Z64, width=2))
    words = np.random.default_rng(8).integers(0, 4, 16_000, np.uint64)
    for found in (ran.signed, ideal.TWINS[coins](bounds, words=words)):
        assert np.abs(found.reshape(-1, 4).mean(axis=0) - np.arange(4) / 4).max() < 6 * 0.5 / 4000**0.5
