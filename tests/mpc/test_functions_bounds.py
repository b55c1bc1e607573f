"""What the errors of functions are made of: best approximations found again, integer waves, residues, leading bits, cuts of halves."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from accord.base.ring import Z64, Ring
from accord.mpc import kernels_waves
from accord.mpc.cost import cost_of
from accord.mpc.exponential import EXPONENT_BITS, LOG2_E
from accord.mpc.halves import cut, half_product, united
from accord.mpc.kernels_waves import WAVE_ERROR_ULPS, circle, waves, weighted
from accord.mpc.logarithm import LN_2, LOG2, LOG2_AT_0, LOG_BITS, LOG_ERROR, begin
from accord.mpc.logistic import EDGE, EDGE_ERROR, LOGISTIC, LOGISTIC_ERROR, SUM_BITS, TURN
from accord.mpc.party import Party
from accord.mpc.residues import Residues
from accord.mpc.root import INVERSE, INVERSE_SQRT, LN_2_MAX, LOGARITHM_ERROR, SQRT
from accord.mpc.waves import UNITS, Sum
from accord.testing.world import World
from tests.mpc.cases import every_sharing, run_at_cost
from tests.mpc.minimax import remez

# ---- approximations


def harmonics(terms: Sum, turns: np.ndarray, *, sines_only: bool) -> np.ndarray:
    angles = [2 * np.pi * (1 + j * terms.stride) * turns for j in range(len(terms.pairs))]
    if sines_only:
        return np.column_stack([np.sin(one) for one in angles])
    return np.column_stack([np.ones_like(turns), *(wave(one) for one in angles for wave in (np.cos, np.sin))])


def listed(terms: Sum, *, sines_only: bool) -> np.ndarray:
    both = [one for pair in terms.pairs for one in pair]
    units = both[1::2] if sines_only else [terms.constant, *both]
    return np.array(units) / 2.0**UNITS


def logistic_less_half(turns: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-TURN * turns)) - 0.5


FOUND = [(LOG2, np.log2, 1 / 8, 1 / 2, False), (LOGISTIC, logistic_less_half, 1e-9, EDGE / TURN, True)]


@pytest.mark.parametrize(("terms", "target", "low", "high", "sines_only"), FOUND)
def test_sums_are_the_best_of_so_many_harmonics(terms: Sum, target: Any, low: float, high: float, sines_only: bool) -> None:
    """Remez finds the same coefficients; their error changes its sign between equal peaks once more than there are coefficients."""
    found, level = remez(target, lambda turns: harmonics(terms, turns, sines_only=sines_only), low, high)
    ours = listed(terms, sines_only=sines_only)
    assert np.abs(found - ours).max() < 1e-9 * np.abs(ours).sum()
    grid = np.linspace(low, high, 400_001)
    error = target(grid) - harmonics(terms, grid, sines_only=sines_only) @ ours
    assert np.abs(error).max() <= float(terms.error) * 0.9999 and float(terms.error) < 1.02 * level
    peaks = np.sign(error[np.abs(error) > 0.99 * level])
    assert np.count_nonzero(np.diff(peaks)) == len(ours)


def test_an_odd_sum_has_no_cosines() -> None:
    assert LOGISTIC.constant == 0 and all(a == 0 for a, _ in LOGISTIC.pairs) and LOGISTIC.stride == 2


def test_the_sum_at_zero() -> None:
    at_0 = Fraction(LOG2.constant + sum(a for a, _ in LOG2.pairs), 1 << UNITS)
    assert abs(at_0 - LOG2_AT_0) < Fraction(1, 100)


def test_constants() -> None:
    """ln 2 as Σ 1 / (n 2^n), to more places than they have."""
    ln_2 = sum(Fraction(1, n << n) for n in range(1, 90))
    assert abs(LN_2 - ln_2) <= Fraction(1, 1 << 65) and ln_2 < LN_2_MAX
    assert abs(LOG2_E - 1 / ln_2) <= Fraction(1, 1 << 65)
    assert float(EDGE_ERROR) > np.exp(-EDGE)


def test_the_bounds_add_up() -> None:
    """Every stated error is more than the sum of its parts: the sum's, the arithmetic's, and that of angles, 2^−26 in all."""
    rest = Fraction(1, 1 << 26)
    for power in (SQRT, INVERSE_SQRT, INVERSE):
        assert abs(power) * LOG2.error + LOG2.arithmetic_error(power, EXPONENT_BITS) + rest < abs(power) * LOGARITHM_ERROR
    assert LN_2 * LOG2.error + LOG2.arithmetic_error(LN_2, LOG_BITS) + rest < LOG_ERROR
    assert LOGISTIC.error + LOGISTIC.arithmetic_error(Fraction(1), SUM_BITS) + rest < LOGISTIC_ERROR
    for terms in (LOG2, LOGISTIC):
        assert all(np.hypot(a, b) < 5 << UNITS for a, b in terms.pairs), "weighted waves would leave 2^62"


# ---- integer waves


def some_angles() -> np.ndarray:
    edges = [(place << 23) + rest for place in range(512) for rest in (0, 1, (1 << 22) - 1, 1 << 22, (1 << 22) + 1, (1 << 23) - 1)]
    return np.concatenate([np.array(edges, np.uint32), np.random.default_rng(5).integers(0, 1 << 32, 20_000).astype(np.uint32)])


@pytest.mark.parametrize(("count", "stride"), [(7, 1), (12, 2), (1, 1)])
def test_waves_are_within_their_error(count: int, stride: int) -> None:
    angles = some_angles()
    found, turns = waves(angles, count, stride) / 2.0**31, angles / 2.0**32
    for number in range(count):
        j = 1 + number * stride
        exact = 2 * np.pi * (j * turns % 1)
        error = np.hypot(found[2 * number] - np.cos(exact), found[2 * number + 1] - np.sin(exact))
        assert error.max() <= WAVE_ERROR_ULPS * j * 2.0**-31


def test_loops_and_twins_agree_to_the_bit() -> None:
    angles, rng = some_angles(), np.random.default_rng(6)
    for count, stride in ((7, 1), (12, 2)):
        found, twin = waves(angles, count, stride), np.empty((2 * count, angles.size), np.int64)
        kernels_waves.waves_twin(angles, stride, *circle(), twin)
        assert np.array_equal(found, twin)
        weights, halves = rng.integers(-(1 << 30), 1 << 30, (count, 2)), rng.integers(0, 1 << 64, (2 * count, angles.size), np.uint64)
        total = np.zeros(angles.size, np.uint64)
        kernels_waves.weighted_twin(found, weights, 30, halves, total)
        assert np.array_equal(weighted(found, weights, 30, halves), total)
        few = slice(0, 9)
        assert np.array_equal(waves(angles[few], count, stride), found[:, few])
        assert np.array_equal(weighted(found[:, few], weights, 30, halves[:, few]), total[few])


def test_the_table_is_the_same_everywhere() -> None:
    """Servers multiply halves of one secret by these numbers: a last digit that differed would spoil the result."""
    table = circle()
    angles = np.arange(512) / 512 * 2 * np.pi
    assert np.abs(table / 2.0**31 - [np.cos(angles), np.sin(angles)]).max() <= 2.0**-32 * 1.001
    digits = hashlib.sha256(table.astype("<i8").tobytes()).hexdigest()
    assert digits[:16] == "a9732764a588e19c"


# ---- residues


@pytest.mark.parametrize("bits", [2, 3, 4, 7, 8, 12, 31, 32, 64])
def test_residues(bits: int) -> None:
    space, modulus, rng = Residues(bits), (1 << bits) - 1, np.random.default_rng(bits)
    a, b = (
        [int(one) % modulus for one in rng.integers(0, 1 << 64, 200, np.uint64)] + edges
        for edges in ([0, 0, -1 % modulus], [0, -1 % modulus] * 2)
    )
    b = b[: len(a)]
    x, y = np.array(a, space.ring.dtype), np.array(b, space.ring.dtype)
    places = rng.integers(0, bits, len(a))
    assert space.plus(x, y).tolist() == [(one + other) % modulus for one, other in zip(a, b, strict=True)]
    assert space.minus(x, y).tolist() == [(one - other) % modulus for one, other in zip(a, b, strict=True)]
    assert space.times(x, y).tolist() == [one * other % modulus for one, other in zip(a, b, strict=True)]
    assert space.turned(x, places).tolist() == [(one << int(by)) % modulus for one, by in zip(a, places, strict=True)]


@pytest.mark.parametrize("bits", [2, 3, 32, 64])
def test_masks_are_residues(bits: int) -> None:
    """At two bits the 64 triples of words fall on three residues, 22, 21 and 21 of them: uniform but for 8^−bits."""
    masks = Residues(bits).role_mask(World(3).parties()[0].step("mask"), 1, 30_000)
    assert masks.max() < (1 << bits) - 1
    if bits == 2:
        assert np.abs(np.bincount(masks, minlength=3) / 30_000 - [22 / 64, 21 / 64, 21 / 64]).max() < 0.015


# ---- leading bits


@pytest.mark.parametrize(("bits", "pivot"), [(1, 0), (2, 1), (3, 0), (3, 2), (4, 0)])
def test_the_count_of_leading_zeros_is_exact_or_one_more(bits: int, pivot: int) -> None:
    """Of every sharing of every number."""
    dealt, column = every_sharing(Ring(bits + 1))
    fits = column < 1 << bits
    at = [one[np.flatnonzero(fits)] for one in dealt.at]
    width = max(bits - 1, 0).bit_length()
    ran = World(bits).run(lambda me: begin(me, at[me.index], bits, True), pivot=pivot)
    counts, none = ran.value & np.uint64((1 << width) - 1), ran.value >> np.uint64(width)
    for x, count, zero in zip(column[fits].tolist(), counts.tolist(), none.tolist(), strict=True):
        assert zero == (x == 0)
        assert count == (1 << width) - 1 if x == 0 else count - (bits - x.bit_length()) in (0, 1)


@pytest.mark.parametrize("bits", [1, 2, 5, 30, 31, 62])
def test_counting_costs_what_is_declared(bits: int) -> None:
    column = np.minimum(1 << np.arange(bits), (1 << bits) - 1)
    for with_zero in (False, True):
        run_at_cost(World(bits), cost_of(begin, bits, bits, with_zero), begin, column, bits=bits, with_zero=with_zero)


# ---- halves


def run_halves(protocol: Any, at_1: np.ndarray, at_2: np.ndarray, *, pivot: int = 0) -> Any:
    """What a protocol makes of role 1's and role 2's own columns."""
    return World(9).run(lambda me: protocol(me, [None, at_1, at_2][me.role]), pivot=pivot)


@pytest.mark.parametrize("pivot", [0, 1, 2])
def test_products_of_halves(pivot: int) -> None:
    rng, rows = np.random.default_rng(1), 130
    element, flag = rng.integers(0, 1 << 64, rows, np.uint64), rng.random(rows) < 0.5
    held = run_halves(lambda me, own: half_product(me, own, Z64, rows), element, flag, pivot=pivot).held
    parts = [held[(pivot + role) % 3] for role in range(3)]
    assert parts[0] is None and np.array_equal(parts[1] + parts[2], element * flag)
    half = rng.integers(0, 1 << 64, rows, np.uint64)

    async def joined(me: Party, own: Any) -> Any:
        return await united(me, None if own is None else half, own, Z64, rows)

    assert np.array_equal(run_halves(joined, element, flag, pivot=pivot).value, half + half + element * flag)


@pytest.mark.parametrize("shift", [1, 26, 40, 62])
def test_cut_halves_are_rounded_down_or_up(shift: int) -> None:
    rng = np.random.default_rng(shift)
    edges = [0, 1, -1, (1 << 62) - 1, -(1 << 62), 1 << shift - 1, -(1 << shift - 1)]
    total = np.concatenate([np.repeat(edges, 50), rng.integers(-(1 << 62), 1 << 62, 2000)])
    half = rng.integers(0, 1 << 64, total.size, np.uint64)
    half[::5], half[1::5] = 0, np.uint64(1 << 63)
    ran = run_halves(lambda me, own: cut(me, own, shift, total.size), half, total.view(np.uint64) - half, pivot=shift % 3)
    assert set((ran.signed - (total >> shift)).tolist()) <= {0, 1}
