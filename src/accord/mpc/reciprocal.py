"""One over a secret positive integer: normalised by its leading bit, started by a polynomial, finished by one fourth-order step."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from accord.base.ring import Z32, Z64, Ring
from accord.mpc.bits import and_bits, and_cost, not_bits
from accord.mpc.compose import together
from accord.mpc.convert import bit_to_ring, cast_up, to_bits
from accord.mpc.cost import FREE, Cost, cost_of, costs
from accord.mpc.fixed import fixed_multiply
from accord.mpc.inputs import add_public
from accord.mpc.party import Party
from accord.mpc.product import multiply, product_cost, square
from accord.mpc.share import Bits, Share
from accord.mpc.truncate import truncate

RECIPROCAL_BITS = 30
"""Fraction bits of a reciprocal."""
RECIPROCAL_ERROR = Fraction(3, 1 << RECIPROCAL_BITS)
"""The bound on its relative error, derived below `reciprocal` and checked in tests/mpc/test_division.py."""
LOW_BITS = 5
"""A normalising shift up to 2^5 − 1 is one power of two; beyond, its sixth bit is kept apart, so that products fit the ring."""

START_ERROR = Fraction(1, 577)
START = tuple(Fraction(c, 577) for c in (3264, -6784, 6144, -2048))
"""p(x) = Σ START[i] x^i is the cubic with the least relative error to 1/x on [½, 1]: 1 − x p(x) = T(4x − 3) / T(−3), where
T(u) = 8u⁴ − 8u² + 1 is Chebyshev's polynomial, within ±1 on [−1, 1], and T(−3) = 577."""
X_BITS, SLOPE_BITS, START_BITS = 12, 12, 16
"""Fraction bits of x, of the cubic's leading coefficient, and of the start: 3 · 12 + 12 − 16 = 32 are cut off at once."""
C_BITS, H_BITS = 40, 32
"""Fraction bits of the normalised divisor and of the start's relative error, in the finishing step."""


# ---- the leading bit


def leading_zeros_cost(rows: int, width: int, with_none: bool = False) -> Cost:
    total, depth = FREE, (width - 1).bit_length()
    for level in range(depth):
        pairs = 1 << (depth - 1 - level)
        gates = pairs * (level + (pairs > 1 or with_none))
        total = total.then(and_cost(rows, gates)) if gates else total
    return total


@costs(leading_zeros_cost)
async def leading_zeros(me: Party, word: Bits, with_none: bool = False) -> Bits:
    """How many zero bits stand above the highest 1 of a word: a word of ⌈log2 width⌉ bits; above it, if asked for, 1 where there is no 1.

    Neighbouring halves (hi, lo), each with a flag "not zero" and a count, merge level by level: flag hi ∨ lo; the count's new top
    bit is ¬hi, its lower bits are hi's where hi is not zero, else lo's. About half the gates of a prefix OR.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   ⌈log2 width⌉ rounds; 119 bits a row and server at 64 bits, 56 at 32, and one with the flag. Facts: rows, width, with_none.
    Needs:  nothing; for word = 0 the count is all ones.
    """
    depth = (word.width - 1).bit_length()
    zeros = np.zeros(((1 << depth) - word.width, word.own.shape[1]), np.uint64)
    flags = Bits.stack([Bits(word.rows, zeros, zeros), word])
    counts: list[Bits] = []
    for level in range(depth):
        (low, high), last = _halves(flags), flags.width == 2 and not with_none
        pairs = [_halves(count) for count in counts]
        left = [after ^ before for before, after in pairs] + ([] if last else [high])
        right = [high] * level + ([] if last else [low])
        gates = await and_bits(me.step(f"level.{level}"), Bits.stack(left), Bits.stack(right)) if left else high
        parts: list[Bits] = [gates.planes(slice(at, at + high.width)) for at in range(0, len(left) * high.width, high.width)]
        counts = [before ^ part for (before, _), part in zip(pairs, parts, strict=False)] + [not_bits(me, high)]
        flags = flags if last else high ^ low ^ parts[-1]
    none = [not_bits(me, flags)] if with_none else []
    return Bits.stack([*counts, *none]) if counts or none else word.planes(slice(0))


def _halves(planes: Bits) -> tuple[Bits, Bits]:
    """Every second plane from 0, and from 1."""
    return planes.planes(slice(0, None, 2)), planes.planes(slice(1, None, 2))


# ---- normalisation


@dataclass(frozen=True)
class Reciprocal:
    """1/b in parts, for a secret b in [1, 2^width): with z = width − 1 − ⌊log2 b⌋, b · 2^z is in [2^(width−1), 2^width).

    inverse: ≈ 2^30 · 2^width / (b · 2^z), in (2^30, 2^31]. low: 2^(z mod 32). high: z div 32 as 0 or 1; None up to 32 bits.
    """

    width: int
    inverse: Share
    low: Share
    high: Share | None


def _power_ring(width: int) -> Ring:
    """A ring for powers of two below 2^width, with a zero bit on top."""
    return Z32 if width < Z32.bits else Z64


def _depth(width: int) -> int:
    return (width - 1).bit_length()


def _normalise_cost(rows: int, width: int, adder: str) -> Cost:
    if width == 1:
        return FREE
    ring, low = _power_ring(width), min(_depth(width), LOW_BITS)
    bits = cost_of(to_bits, rows, width, adder).then(cost_of(leading_zeros, rows, width))
    flags = Cost(2, _depth(width) * cost_of(bit_to_ring, rows, ring).bytes)
    return bits.then(flags).then(_tree_cost(rows, low, ring)).then(cost_of(cast_up, rows, ring, Z64))


async def _normalise(me: Party, b: Share, width: int) -> tuple[Share | None, Share | None]:
    """`low` and `high` of `Reciprocal`; None where no shift has such bits. Costs `_normalise_cost`."""
    if width == 1:
        return None, None
    word = await to_bits(me.step("bits"), b, width)
    count = await leading_zeros(me.step("zeros"), word)
    ring = _power_ring(width)
    flags = await together(*(bit_to_ring(me.step(f"flag.{j}"), count.plane(j), ring) for j in range(count.width)))
    factors = [_one_or(me, flag, 1 << (1 << j)) for j, flag in enumerate(flags[:LOW_BITS])]
    low = await cast_up(me.step("cast"), await _product_tree(me.step("low"), factors), Z64)
    return low, flags[LOW_BITS] if len(flags) > LOW_BITS else None


def _one_or(me: Party, flag: Share, value: int) -> Share:
    """The value where the flag is 1, else 1."""
    return add_public(me, flag.times(value - 1), 1)


def _tree_cost(rows: int, count: int, ring: Ring) -> Cost:
    each = product_cost(rows, ring)
    return Cost((count - 1).bit_length(), (count - 1) * each.bytes)


async def _product_tree(me: Party, factors: list[Share]) -> Share:
    """The product of all factors, in ⌈log2 count⌉ rounds."""
    while len(factors) > 1:
        here = me.step(f"of.{len(factors)}")
        pairs = list(zip(factors[0::2], factors[1::2], strict=False))
        products = await together(*(multiply(here.step(f"pair.{j}"), x, y) for j, (x, y) in enumerate(pairs)))
        factors = [*products, *factors[2 * len(pairs) :]]
    return factors[0]


def headroom_cost(rows: int, bits: int, adder: str = "brent-kung") -> Cost:
    count = max(_depth(bits) - 1, 0)
    if not count:
        return FREE
    flags = Cost(2, count * cost_of(bit_to_ring, rows, Z64).bytes)
    zeros = cost_of(to_bits, rows, bits, adder).then(cost_of(leading_zeros, rows, bits))
    return zeros.then(flags).then(_tree_cost(rows, count, Z64))


@costs(headroom_cost)
async def headroom(me: Party, x: Share, bits: int) -> Share:
    """The largest power of two h with x · h² < 2^bits; so x · h² is at least 2^(bits − 2).

    h = 2^⌊z/2⌋, z being the zeros above the highest 1 of x: their number without its last bit.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   23 rounds and about 115 bytes a row and server at 62 bits. Facts: rows, bits, adder.
    Needs:  1 ≤ x < 2^bits, a ring of 64 bits. For x = 0 it is a power of two below 2^32.
    """
    if _depth(bits) < 2:
        return add_public(me, x.times(0), 1)
    count = await leading_zeros(me.step("zeros"), await to_bits(me.step("bits"), x, bits))
    flags = await together(*(bit_to_ring(me.step(f"flag.{j}"), count.plane(j), x.ring) for j in range(1, count.width)))
    return await _product_tree(me.step("power"), [_one_or(me, flag, 1 << (1 << j)) for j, flag in enumerate(flags)])


def scaled_cost(rows: int, width: int) -> Cost:
    products = (width > 1) + (_depth(width) > LOW_BITS)
    return Cost(products, products * product_cost(rows, Z64).bytes)


@costs(scaled_cost)
async def scaled(me: Party, x: Share, low: Share | None, high: Share | None) -> Share:
    """x · 2^z, the power given in the parts of `Reciprocal` (None where 1).

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   1 round and 8 bytes a row and server, twice beyond 32 bits. Facts: rows, width.
    """
    if low is not None:
        x = await multiply(me.step("low"), x, low)
    if high is not None:
        x = await multiply(me.step("high"), x, _one_or(me, high, 1 << (1 << LOW_BITS)))
    return x


def shifted_cost(rows: int, right: int) -> Cost:
    return cost_of(truncate, rows, max(right, 0), Z64)


@costs(shifted_cost)
async def shifted(me: Party, x: Share, right: int) -> Share:
    """x / 2^right by `truncate`; for a negative `right` the exact product with 2^−right.

    Learns: nobody anything; the rounding as `truncate`.
    Opens:  nothing.
    Cost:   as `truncate`, or none. Facts: rows, right.
    """
    return await truncate(me, x, right) if right > 0 else x.times(1 << -right)


# ---- the reciprocal


def reciprocal_cost(rows: int, width: int, adder: str = "brent-kung") -> Cost:
    product, cut, fixed = product_cost(rows, Z64), cost_of(truncate, rows, H_BITS, Z64), cost_of(fixed_multiply, rows, H_BITS, Z64)
    trimmed = shifted_cost(rows, width - X_BITS).beside(shifted_cost(rows, width - C_BITS))
    start = product.then(product).then(cut)
    finish = fixed.then(fixed.beside(fixed)).then(fixed)
    return _normalise_cost(rows, width, adder).then(scaled_cost(rows, width)).then(trimmed).then(start).then(finish)


@costs(reciprocal_cost)
async def reciprocal(me: Party, b: Share, width: int) -> Reciprocal:
    """1/b for 1 ≤ b < 2^width, with a relative error below 3 · 2^−30 whatever the coins are.

    C = b · 2^z / 2^width is in [½, 1). The start y ≈ 1/C is START at x ≈ C. With h = 1 − C y, 1/C = y (1 + h)(1 + h²) / (1 − h⁴).

    Learns: nobody anything; every rounding as `truncate`, inside the error.
    Opens:  nothing.
    Cost:   about 150 bytes a row and server at 24 bits. Facts: rows, width, adder.
    Needs:  1 ≤ width ≤ 61. For b = 0 the result is some number.

    The bound. The start's relative error is that of START, 1/577, and: x is C within 2^−12 of at least ½, so 2^−11 (1 + 1/577);
    the leading coefficient is rounded by 2^−13, the others by less than 2^−24; the start is cut at 2^−16. Together |h| < 0.00237.
    The finishing step errs, in 2^−30: h is cut at 2^−32 (and C at 2^−40), which enters y (1 + h) as ¼ relative and 1 + h² as ¼,
    with the factors 1 ± h below 0.51 together; two cuts at 2^−30 of a number of at least 1: 2; h⁴ < 2^−34.8: 0.04. Sum below 2.6.
    """
    low, high = await _normalise(me.step("normalise"), b, width)
    whole = await scaled(me.step("scaled"), b, low, high)
    x, c = await together(shifted(me.step("x"), whole, width - X_BITS), shifted(me.step("c"), whole, width - C_BITS))
    y = await _start(me.step("start"), x)
    inverse = await _finish(me.step("finish"), c, y)
    one = add_public(me, b.times(0), 1)
    return Reciprocal(width, inverse, one if low is None else low, high)


async def _start(me: Party, x: Share) -> Share:
    """START at x (12 fraction bits), with 16: (s₃ x + s₂) x² + s₁ x + s₀, every part with 48 before the cut."""
    slope = add_public(me, x.times(_units(START[3], SLOPE_BITS)), _units(START[2], X_BITS + SLOPE_BITS))
    bend = await multiply(me.step("bend"), slope, await square(me.step("square"), x))
    line = add_public(me, x.times(_units(START[1], 2 * X_BITS + SLOPE_BITS)), _units(START[0], 3 * X_BITS + SLOPE_BITS))
    return await truncate(me.step("cut"), bend + line, 3 * X_BITS + SLOPE_BITS - START_BITS)


async def _finish(me: Party, c: Share, y: Share) -> Share:
    """y (1 + h)(1 + h²), h = 1 − c y, with 30 fraction bits: y (1 + h) has 48 before it is cut to 30."""
    error = add_public(me, -await multiply(me.step("error"), c, y), 1 << (C_BITS + START_BITS))
    h = await truncate(me.step("h"), error, C_BITS + START_BITS - H_BITS)
    first = fixed_multiply(me.step("first"), y, add_public(me, h, 1 << H_BITS), START_BITS + H_BITS - RECIPROCAL_BITS)
    better, h_squared = await together(first, fixed_multiply(me.step("h-squared"), h, h, H_BITS))
    correction = await fixed_multiply(me.step("second"), better, h_squared, H_BITS)
    inverse: Share = better + correction
    return inverse


def _units(number: Fraction, fraction_bits: int) -> int:
    """The nearest integer number of units 2^−fraction_bits."""
    return round(number * (1 << fraction_bits))
