"""Division: exact quotients at the worst cases, fixed-point ratios within their bound, and the bounds themselves.

The bounds are checked on plain integers, where every cut is told which way to round: no luck of the coins hides a bad one.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from accord.base.errors import AccordError, Refused
from accord.base.ring import Z32, Z64
from accord.mpc import division, reciprocal
from accord.mpc.compose import in_blocks
from accord.mpc.cost import cost_of
from accord.mpc.division import LAST_ERROR_MAX, Approach, divide, quotient, schedule
from accord.mpc.ideal import TWINS
from accord.mpc.party import Party, Profile
from accord.mpc.reciprocal import RECIPROCAL_ERROR, START, START_ERROR
from accord.mpc.share import Share
from accord.testing.world import Word, World
from tests.mpc.cases import PIVOTS, ROWS, run_at_cost, words

WIDTHS = [
    (1, 1),
    (1, 61),
    (61, 1),
    (61, 61),
    (61, 32),
    (61, 33),
    (61, 27),
    (50, 24),
    (40, 32),
    (26, 26),
    (27, 26),
    (56, 61),
    (57, 61),
    (33, 33),
    (20, 40),
]


def edges(bits: int) -> list[int]:
    """1, the powers of two, one beside them, the largest: of so many bits."""
    near = {(1 << j) + d for j in range(bits + 1) for d in (-1, 0, 1)}
    return sorted(one for one in near if 1 <= one < 1 << bits)


def worst_cases(a_bits: int, b_bits: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """a = qb − 1, qb, qb + 1 for q small, large and between, at every edge of b; and random pairs of all sizes."""
    rng = np.random.default_rng([a_bits, b_bits, seed])
    pairs = []
    for b in edges(b_bits):
        top = ((1 << a_bits) - 1) // b
        quotients = {0, 1, 2, top, max(top - 1, 0), top // 2, int(rng.integers(0, top + 1))}
        pairs += [(a, b) for q in quotients for a in (q * b - 1, q * b, q * b + 1) if 0 <= a < 1 << a_bits]
        pairs.append(((1 << a_bits) - 1, b))
    for _ in range(500):
        pairs.append((int(2 ** rng.uniform(0, a_bits)) - 1, int(2 ** rng.uniform(0, b_bits))))
    a, b = np.array(pairs, np.int64).T
    return a, b


# ---- results


@pytest.mark.parametrize(("a_bits", "b_bits"), WIDTHS)
def test_quotients_are_exact(a_bits: int, b_bits: int) -> None:
    a, b = worst_cases(a_bits, b_bits, 0)
    declared = cost_of(quotient, len(a), a_bits, b_bits)
    ran = run_at_cost(World(a_bits * b_bits), declared, quotient, a, b, pivot=a_bits % 3, a_bits=a_bits, b_bits=b_bits)
    assert np.array_equal(ran.signed, TWINS[quotient](a, b, a_bits=a_bits, b_bits=b_bits))


def test_quotients_do_not_depend_on_the_coins() -> None:
    """One pair under 2000 sharings and twice as many streams: the closest to the next integer that 40 by 20 bits have."""
    b = (1 << 20) - 1
    a = ((1 << 40) // b) * b - 1
    for world in (World(1), World(2)):
        ran = world.run(quotient, np.full(2000, a), np.full(2000, b), a_bits=41, b_bits=20)
        assert set(ran.signed.tolist()) == {a // b}


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("rows", ROWS)
def test_quotients_of_any_number_of_rows(rows: int, pivot: int) -> None:
    a, b = (column[-rows:] for column in worst_cases(40, 16, rows))
    ran = World(rows).run(quotient, a[:rows], b[:rows], pivot=pivot, a_bits=40, b_bits=16)
    assert np.array_equal(ran.signed, a[:rows] // b[:rows])


def test_quotients_in_blocks_are_quotients() -> None:
    async def blocks(me: Party, a: Share, b: Share) -> Any:
        return await in_blocks(quotient, me, a, b, a_bits=40, b_bits=16)

    a, b = (column[:1003] for column in worst_cases(40, 16, 1))
    ran = World(1, Profile(block_rows=128, blocks_in_flight=3)).run(blocks, a, b)
    assert np.array_equal(ran.signed, a // b)


@pytest.mark.parametrize("adder", ["brent-kung", "sklansky"])
def test_cost_follows_the_profile(adder: str) -> None:
    declared = cost_of(quotient, 65, 30, 20, adder)
    run_at_cost(World(1, Profile(adder=adder)), declared, quotient, np.full(65, 9), np.full(65, 2), a_bits=30, b_bits=20)


def test_a_zero_divisor_harms_nobody() -> None:
    """Some number comes out, in its own row only."""
    ran = World(1).run(quotient, [100, 7, 100], [0, 7, 9], a_bits=20, b_bits=10)
    assert ran.signed[1:].tolist() == [1, 11]


@pytest.mark.parametrize(
    ("a_bits", "b_bits", "fraction_bits"),
    [(30, 24, 16), (30, 31, 16), (10, 10, 16), (45, 16, 16), (16, 45, 20), (1, 60, 0), (1, 60, 60), (1, 1, 60), (29, 32, 32), (40, 21, 20)],
)
def test_ratios_are_within_their_bound(a_bits: int, b_bits: int, fraction_bits: int) -> None:
    a, b = worst_cases(a_bits, b_bits, 2)
    a[::2] *= -1
    declared = cost_of(divide, len(a), fraction_bits, a_bits, b_bits)
    public = {"fraction_bits": fraction_bits, "a_bits": a_bits, "b_bits": b_bits}
    ran = run_at_cost(World(a_bits), declared, divide, a, b, pivot=b_bits % 3, **public)
    for x, y, got in zip(a.tolist(), b.tolist(), ran.signed.tolist(), strict=True):
        exact = Fraction(x, y) * 2**fraction_bits
        assert abs(got - exact) <= abs(exact) * RECIPROCAL_ERROR + 2


def test_ideal_ratio_is_the_ratio() -> None:
    assert TWINS[divide](np.array([7, -7]), np.array([2, 2]), fraction_bits=4, a_bits=3, b_bits=2).tolist() == [56, -56]


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 31, 32, 33, 64])
def test_leading_zeros_agree_with_their_twin(width: int) -> None:
    column = words(65, width)
    column[:width] = np.uint64(1) << np.arange(width, dtype=np.uint64)
    column[column == 0] = 1
    ran = run_at_cost(World(width), cost_of(reciprocal.leading_zeros, 65, width), reciprocal.leading_zeros, Word(column, width))
    assert np.array_equal(ran.value, TWINS[reciprocal.leading_zeros](column, width=width))


@pytest.mark.parametrize("width", [1, 2, 5, 12, 13, 24, 31, 32, 33, 40, 41, 61])
def test_reciprocals_are_within_their_bound(width: int) -> None:
    async def parts(me: Party, b: Share) -> Any:
        found = await reciprocal.reciprocal(me, b, width)
        return (found.inverse, found.low) if found.high is None else (found.inverse, found.low, found.high)

    rng = np.random.default_rng(width)
    b = np.array(edges(width) + [int(2 ** rng.uniform(0, width)) for _ in range(500)])
    inverse, low, *high = run_at_cost(World(width), cost_of(reciprocal.reciprocal, len(b), width), parts, b).value
    ideal = TWINS[reciprocal.reciprocal](b, width=width)
    assert np.all(np.abs(inverse.astype(np.int64) - ideal) <= ideal * float(RECIPROCAL_ERROR) + 1)
    zeros = np.array([width - int(one).bit_length() for one in b])
    assert np.array_equal(low, np.uint64(1) << (zeros % 32).astype(np.uint64))
    assert (len(high) == 1) == (width > 32) and all(np.array_equal(one, zeros // 32) for one in high)


# ---- refusals


@pytest.mark.parametrize(("a_bits", "b_bits"), [(62, 1), (1, 62), (0, 1), (1, 0)])
def test_widths_out_of_range_are_refused(a_bits: int, b_bits: int) -> None:
    with pytest.raises(Refused, match="bits"):
        World().run(quotient, [1], [1], a_bits=a_bits, b_bits=b_bits)


@pytest.mark.parametrize(("a_bits", "b_bits", "fraction_bits"), [(31, 31, 16), (50, 5, 12), (5, 5, -1), (62, 1, 0)])
def test_ratios_that_could_overflow_are_refused(a_bits: int, b_bits: int, fraction_bits: int) -> None:
    with pytest.raises(Refused):
        World().run(divide, [1], [1], fraction_bits=fraction_bits, a_bits=a_bits, b_bits=b_bits)


def test_narrow_rings_are_refused() -> None:
    with pytest.raises(AccordError, match="64 bits"):
        World().run(quotient, [1], [1], ring=Z32, a_bits=5, b_bits=5)


# ---- the bounds


def test_the_start_is_the_best_cubic() -> None:
    """Its relative error reaches ±1/577 five times in turn on [½, 1], which makes it the best there is (equioscillation)."""
    points = [(3 + np.cos(np.pi * k / 4)) / 4 for k in range(5)]
    errors = [1 - x * sum(float(c) * x**i for i, c in enumerate(START)) for x in points]
    assert np.allclose(np.abs(errors), float(START_ERROR), rtol=1e-9)
    assert all(a * b < 0 for a, b in pairwise(errors))
    grid = np.linspace(0.5, 1, 100_001)
    assert np.abs(1 - grid * sum(float(c) * grid**i for i, c in enumerate(START))).max() <= float(START_ERROR) * (1 + 1e-9)


Rounding = Callable[[int, int], int]
"""A cut: a value and a shift to the floor, or one more."""


def towards(rng: np.random.Generator, chance: float) -> Rounding:
    """Cuts that round up with this chance, whatever the fraction is; shifts to the left are exact. No value may reach 2^62."""

    def cut(value: int, right: int) -> int:
        assert abs(value) < 1 << 62, "a truncation out of its range"
        return (value >> right) + int(rng.random() < chance) if right > 0 else value << -right

    return cut


def plain_inverse(b: int, width: int, cut: Rounding) -> int:
    """The protocol of `reciprocal`, on integers."""
    whole = b << (width - b.bit_length())
    x, c = cut(whole, width - 12), cut(whole, width - 40)
    s0, s1, s2, s3 = (round(one * 2**bits) for one, bits in zip(START, (48, 36, 24, 12), strict=True))
    y = cut((s3 * x + s2) * x * x + s1 * x + s0, 32)
    h = cut((1 << 56) - c * y, 24)
    better, h_squared = cut(y * ((1 << 32) + h), 18), cut(h * h, 32)
    return better + cut(better * h_squared, 32)


CHANCES = (0.0, 1.0, 0.5, 0.2, 0.8)


def test_the_bound_of_the_reciprocal_holds_for_any_rounding() -> None:
    rng = np.random.default_rng(7)
    worst = Fraction(0)
    for width in (1, 2, 11, 12, 13, 24, 32, 40, 41, 48, 61):
        for b in [*edges(width), *(int(2 ** rng.uniform(0, width)) for _ in range(40))]:
            exact = Fraction(1 << (30 + b.bit_length()), b)
            for chance in CHANCES:
                worst = max(worst, abs(plain_inverse(b, width, towards(rng, chance)) / exact - 1))
    assert worst < RECIPROCAL_ERROR
    assert worst > RECIPROCAL_ERROR / 3, "a bound that loose would cost a step"


def plain_approach(r: int, b: int, width: int, inverse: int, one: Approach, cut: Rounding) -> int:
    power = 1 << ((width - b.bit_length()) % 32)
    factors = (inverse, power) if one.inverse_first else (power, inverse)
    r = cut(r, one.first) * factors[0]
    return cut(cut(r, one.middle) * factors[1] - one.bias, one.last)


def test_the_schedule_of_every_pair_of_widths() -> None:
    """It ends, its last step needs one correction by −1, 0 or 1, and no remainder but that of a first step by dividend leaves 2^62."""
    for a_bits in range(1, 62):
        for b_bits in range(1, 62):
            steps = schedule(a_bits, b_bits)
            assert len(steps) <= 3
            for one in steps[-1]:
                assert one.error <= LAST_ERROR_MAX and not one.inverse_first
                assert one.error <= one.bias * Fraction(1, 2**one.last) <= one.error + Fraction(1, 16)
            for one in (one for step in steps for one in step):
                assert one.inverse_first or (one.error + 1) * 2**one.high < 2**62
                assert 0 <= one.first <= 62 and one.middle <= 62 and one.last <= 62


@pytest.mark.parametrize(("a_bits", "b_bits"), WIDTHS)
def test_the_bounds_of_the_steps_hold_for_any_rounding(a_bits: int, b_bits: int) -> None:
    """Every step's error is within what its approach says, for the approach of b's range; the last remainder is in [−b, 2b)."""
    rng = np.random.default_rng([a_bits, b_bits])
    steps = schedule(a_bits, b_bits)
    a_column, b_column = worst_cases(a_bits, b_bits, 3)
    for at in rng.permutation(len(a_column))[:150]:
        b, rest = int(b_column[at]), int(a_column[at])
        for chance in CHANCES:
            cut, r = towards(rng, chance), rest
            inverse = plain_inverse(b, b_bits, cut)
            for number, step in enumerate(steps):
                one = next(one for one in step if b.bit_length() <= one.high and (b.bit_length() > one.low or one.low == 0))
                part = plain_approach(r, b, b_bits, inverse, one, cut)
                bound = one.error * Fraction(1 << one.low, b) if one.inverse_first else one.error
                bias = 0 if number < len(steps) - 1 else one.bias * Fraction(1, 2**one.last)
                assert abs(part - Fraction(r, b) + bias) <= bound + 1, (b, rest, number)
                r -= part * b
            assert -b <= r < 2 * b


def test_division_costs_what_the_design_says_or_less() -> None:
    ratio, whole = cost_of(divide, 64_000, 16, 30, 24), cost_of(quotient, 64_000, 50, 24)
    assert ratio.bytes_per_server / 64_000 < 260 and ratio.rounds <= 43
    assert whole.bytes_per_server / 64_000 < 275 and whole.rounds <= 62
    assert division.DIVISION_BITS_MAX == 61
    assert Z64.bits == 64
