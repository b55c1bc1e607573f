"""Logarithms: a secret positive number is moved up to a known place by a power of two, then followed by a trigonometric sum.

Its leading bit need not be found exactly: where c + r begins can be told from c and r without adding them, to within one place, and the
sum serves two octaves. The power of two is applied modulo 2^k − 1, by rotation, so its exponent is never brought into a ring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from accord.base.errors import OurFault, Refused
from accord.base.ring import Z8, Z64, Column, Ring
from accord.mpc.compose import together
from accord.mpc.convert import half_sums, half_sums_cost, summand, summand_bits
from accord.mpc.cost import Cost, cost_of, costs
from accord.mpc.exponential import require_scale
from accord.mpc.halves import Half, Masks, cut, cut_cost, fresh, given, given_cost, tell, tell_cost
from accord.mpc.party import Party
from accord.mpc.reciprocal import leading_zeros
from accord.mpc.residues import Residues
from accord.mpc.share import Bits, Share
from accord.mpc.waves import Sum, given_waves, half_sum
from accord.wire.exchange import Protocol

LOG2 = Sum(
    -4_715_938_990_697,
    (
        (-4_125_876_429_623, 3_173_420_426_763),
        (448_271_004_159, 2_989_096_642_886),
        (1_383_419_370_030, 492_442_339_963),
        (407_922_754_549, -382_278_418_456),
        (-44_683_456_898, -149_965_402_486),
        (-28_413_467_865, -4_690_770_040),
        (-1_506_305_974, 2_161_925_810),
    ),
    1,
    Fraction(1, 4_400_000),
)
"""log2 of θ / 2π from ⅛ to ½, the best of seven harmonics; found again, and its error, in tests/mpc/test_functions.py."""
LOG2_AT_0 = Fraction(-607, 100)
"""The sum at θ = 0, to 1/100: what the logarithm of 0 comes to."""
LN_2 = Fraction(12_786_308_645_202_655_660, 1 << 64)
"""To 2^−65."""
LOG_BITS = 56
"""Fraction bits of a natural logarithm before it is cut."""
NARROW_BITS, WIDE_BITS = 30, 62
"""Up to 30 bits residues modulo 2^32 − 1 have room for two octaves below a half, up to 62 bits those modulo 2^64 − 1."""


@dataclass(frozen=True)
class Place:
    """Where numbers of `bits` bits are moved to: from ⅛ to ½ of the modulus. Raises Refused beyond 62 bits."""

    bits: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= WIDE_BITS:
            raise Refused(f"a function of numbers of {self.bits} bits", rule=f"1 to {WIDE_BITS}", do="narrow the declared bounds")

    @property
    def width(self) -> int:
        """Bits that are looked at."""
        return max(self.bits, 2)

    @property
    def residues(self) -> Residues:
        return Residues(32 if self.width <= NARROW_BITS else 64)

    @property
    def count_bits(self) -> int:
        """Of the number of leading zeros."""
        return (self.width - 1).bit_length()

    @property
    def spare(self) -> int:
        """Places beyond the leading zeros."""
        return self.residues.bits - 2 - self.width

    @property
    def whole(self) -> int:
        """log2 x = log2 of the moved number, in moduli, + this − leading zeros."""
        return self.width + 2


# ---- the leading bit


def begin_cost(rows: int, bits: int, with_zero: bool) -> Cost:
    return half_sums_cost(rows, bits + 1, bits).then(cost_of(leading_zeros, rows, bits, with_zero))


@costs(begin_cost)
async def begin(me: Party, x: Share, bits: int, with_zero: bool) -> Bits:
    """How many of `bits` bits stand above the highest 1 of x, or one more: a word of ⌈log2 bits⌉ bits; above it, 1 where x = 0.

    x = c + r modulo 2^(bits + 1). Let t be c ⊕ r and g be c · r. From the top the sum is 0 while both are 0 (t = g = 0), or while t = 1 up
    to a first g and then both are 0; so the plane t_(i+1) ⊕ t_i ⊕ g_i is first 1 at the highest 1 of the sum, or one below it where a
    carry comes in [SN01]. That plane is free, where the sum would take an adder.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 + ⌈log2 bits⌉ rounds, about 10 bytes a row and server at 30 bits. Facts: rows, bits, with_zero.
    Needs:  0 ≤ x < 2^bits. For x = 0 the count is all ones.
    """
    generate, propagate = await half_sums(me.step("halves"), summand(me, x.cast_down(Ring(bits + 1))), bits + 1, bits)
    starts = propagate.planes(slice(1, None)) ^ propagate.planes(slice(bits)) ^ generate
    return await leading_zeros(me.step("zeros"), starts, with_zero)


# ---- the logarithm of two octaves


@dataclass(frozen=True)
class Weights:
    """Numbers that the bits of a count stand for, modulo 2^8: powers of two, and `zero` for the flag of x = 0 (0: no flag)."""

    place: Place
    zero: int = 0

    @property
    def column(self) -> Column:
        numbers = [1 << j for j in range(self.place.count_bits)] + ([self.zero] if self.zero else [])
        return np.array(numbers, np.uint8).reshape(-1, 1)


def logarithm_cost(rows: int, weights: Weights, more: Cost) -> Cost:
    place, planes = weights.place, weights.column.shape[0]
    residues = place.residues
    ahead = given_cost(rows, Z8, planes).beside(given_cost(rows, residues, 3)).beside(given_cost(rows, Z64, LOG2.count)).beside(more)
    told = tell_cost(rows, Z8).then(tell_cost(rows, residues))
    return begin_cost(rows, place.width, bool(weights.zero)).then(ahead).then(told)


@costs(logarithm_cost)
async def logarithm(
    me: Party, x: Share, weights: Weights, masks: Masks, factor: Fraction, fraction_bits: int, more: Sequence[Protocol[Any]]
) -> tuple[Half, Half, list[Any]]:
    """Halves of factor · (log2 x + count) with `fraction_bits`, where the count is told under `masks` (of Z_2^8); r of the count; the
    results of `more`, protocols of one round that run beside.

    For x = 0 the halves are those of factor · (`LOG2_AT_0` + whole).

    Learns: nobody anything, but for a chance of 2^−93 a row (`Residues.role_mask`).
    Opens:  nothing.
    Cost:   10 rounds and about 57 bytes a row and server at 30 bits. Facts: rows, weights, the cost of `more`.
    Needs:  0 ≤ x < 2^bits of the place, in Z_2^64; factor from −1 to 1; 53 to 58 fraction bits.
    """
    place, rows = weights.place, x.rows
    count = await begin(me.step("begin"), x, place.width, bool(weights.zero))
    moved, planes, known = fresh(me.step("moved"), place.residues, rows), summand_bits(me, count), me.role == 0
    bits = np.unpackbits(np.ascontiguousarray(planes).view(np.uint8), axis=1, count=rows, bitorder="little")
    view = summand(me, x.cast_down(place.residues.ring))
    flags, scales, sums, *others = await together(
        given(me.step("flags"), bits if known else None, Z8, count.width, rows),
        given(me.step("scales"), _scales(place, view, masks.known) if known else None, place.residues, 3, rows),
        given(me.step("sums"), given_waves(_angles(moved.known), LOG2) if known else None, Z64, LOG2.count, rows),
        *more,
    )
    zeros = await tell(me.step("zeros"), _weighted_flags(me, bits, flags, weights.column), masks)
    mantissa = await tell(me.step("mantissa"), _moved(place, view, scales, zeros), moved)
    half = None
    if mantissa is not None:
        half = half_sum(_angles(mantissa), sums, LOG2, factor, fraction_bits)
        if me.role == 1:
            constant = LOG2.constant_units(factor, fraction_bits) + round(factor * place.whole * 2**fraction_bits)
            half += np.uint64(constant % (1 << 64))
    return half, zeros, others


def _weighted_flags(me: Party, bits: Column, flags: Half, weights: Column) -> Half:
    """Σ weight · (v ⊕ u) = Σ weight · (v + (1 − 2v) u), from halves of each u."""
    if flags is None:
        return None
    signed = flags * (1 - 2 * bits) + (bits if me.role == 1 else 0)
    half: Column = (signed * weights).sum(axis=0, dtype=np.uint8)
    return half


def _scales(place: Place, view: Column, zeros: Column) -> Column:
    """What role 0 gives, c and its top bit m being its view of x, A the power of two of its part of the count: A (c − m), A, A m."""
    residues = place.residues
    places, one = (zeros.astype(np.uint16) + np.uint16(place.spare)) % np.uint16(residues.bits), residues.ring.dtype.type(1)
    top = view >> residues.ring.dtype.type(residues.bits - 1)
    power = residues.turned(np.full_like(view, one), places)
    return np.stack([residues.turned(view - top, places), power, power * top])


def _moved(place: Place, view: Column, scales: Half, zeros: Half) -> Half:
    """Halves of x · 2^(zeros + spare), modulo 2^k − 1: x = c + r − 2^k (m ∨ m'), so x is (c − m) + (r − m') + m m' there."""
    if scales is None or zeros is None:
        return None
    residues = place.residues
    top = view >> residues.ring.dtype.type(residues.bits - 1)
    half = residues.plus(residues.plus(scales[0], residues.times(scales[1], view - top)), scales[2] * top)
    return residues.turned(half, zeros % np.uint8(residues.bits))


def _angles(residues: Column) -> Column:
    """Residues as angles of 32 bits."""
    return residues if residues.dtype == np.uint32 else (residues >> np.uint64(32)).astype(np.uint32)


# ---- ln x


def log_cost(rows: int, bits: int, fraction_bits: int = 16) -> Cost:
    require_scale(fraction_bits)
    return logarithm_cost(rows, Weights(Place(bits)), given_cost(rows, Z64, 2)).then(cut_cost(rows))


LOG_ERROR = Fraction(1, 1 << 21)
"""Bounds the error of a natural logarithm, beside one unit of its last place; derived at `log`."""


@costs(log_cost)
async def log(me: Party, x: Share, bits: int, fraction_bits: int = 16) -> Share:
    """The natural logarithm of a fixed-point column: ln(x / 2^fraction_bits), with as many fraction bits.

    The error is at most 1 unit of 2^−fraction_bits and 2^−21, whatever the coins are: 2^−15.9 at 16 fraction bits.

    The bound: ln 2 · the sum's own error, below 2^−22.5; its arithmetic's (`Sum.arithmetic_error`), below 2^−22.6; the modulus is taken
    for 2^k, and angles to 2^−32 of a turn, below 2^−26; ln 2 is rounded at 2^−56. Together below 2^−21.5. The cut adds at most one unit.

    Learns: nobody anything, but for a chance of 2^−93 a row (`Residues.role_mask`). Which way it rounds follows from masks that one or two
            servers know: the leak `rounding` of docs/openings.md.
    Opens:  nothing.
    Cost:   12 rounds and about 75 bytes a row and server at 30 bits. Facts: rows, bits, fraction_bits.
    Needs:  1 ≤ x < 2^bits, bits ≤ 62, a ring of 64 bits. For other x the result is some number. Raises Refused beyond 30 fraction bits.
    """
    require_function(x, fraction_bits)
    weights, rows = Weights(Place(bits)), x.rows
    masks = fresh(me.step("count"), Z8, rows)
    lift = given(me.step("lift"), _lifted(masks.known) if me.role == 0 else None, Z64, 2, rows)
    half, zeros, (lifts,) = await logarithm(me.step("logarithm"), x, weights, masks, LN_2, LOG_BITS, [lift])
    if half is not None and zeros is not None:
        half = half - _lowered(me, zeros, lifts)
        half = half - np.uint64(round(LN_2 * fraction_bits * 2**LOG_BITS)) if me.role == 1 else half
    return await cut(me.step("cut"), half, LOG_BITS - fraction_bits, rows)


_LN_2_UNITS = round(LN_2 * 2**LOG_BITS)


def _lifted(zeros: Column) -> Column:
    """What role 0 gives of its part c of the count, m its top bit: ln 2 · (c − 2^8 m) and ln 2 · 2^8 m."""
    top = (zeros >> np.uint8(7)).astype(np.uint64) << np.uint64(8)
    return np.stack([zeros.astype(np.uint64) - top, top]) * np.uint64(_LN_2_UNITS)


def _lowered(me: Party, zeros: Column, lifts: Column) -> Column:
    """Halves of ln 2 · count, as the count c + r − 2^8 (m ∨ m') is below 2^7."""
    top = (zeros >> np.uint8(7)).astype(np.uint64)
    half: Column = lifts[0] + lifts[1] * top
    return half + (zeros - (top << np.uint64(8))) * np.uint64(_LN_2_UNITS) if me.role == 1 else half


def require_function(x: Share, fraction_bits: int) -> None:
    """Raises OurFault for a ring other than Z_2^64, Refused for a scale that functions do not serve."""
    if x.ring != Z64:
        raise OurFault(f"a function of {x!r}", do="cast to 64 bits")
    require_scale(fraction_bits)
