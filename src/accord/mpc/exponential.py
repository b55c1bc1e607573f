"""Powers of a public base with a secret exponent: 2^(c + r) = 2^c · 2^r, a product of what role 0 knows and what roles 1 and 2 know.

Exponents are shares over Z_2^64 with 58 fraction bits, so that they wrap at 64. Modulo 2^64 − 1 so do the powers: 2^64 is 1. Role 0 gives
halves of 2^c there; roles 1 and 2 rotate them by the integer part of r and multiply the rest out, each on its own, as real
numbers [KLRS22].
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from math import ceil

import numpy as np

from accord.base.errors import OurFault, Refused
from accord.base.ring import Z64, Column
from accord.mpc.bits import not_bits
from accord.mpc.compare import sign, sign_cost
from accord.mpc.compose import together
from accord.mpc.convert import bit_to_ring, summand
from accord.mpc.cost import Cost, cost_of, costs
from accord.mpc.halves import Half, given, given_cost, united, united_cost
from accord.mpc.inputs import add_public
from accord.mpc.party import Party
from accord.mpc.product import multiply, product_cost
from accord.mpc.residues import Residues
from accord.mpc.share import Share

EXPONENT_BITS = 58
"""Fraction bits of an exponent: 6 bits are left, so that it wraps at 64."""
POWERS = Residues(64)
SHIFT_MIN = 17
MANTISSA_BITS_MAX = 30
MANTISSA_BITS_MIN = 15
"""Fraction bits of role 0's power: its relative error is half a unit, 2^−16 or better."""
ROUNDING_UNITS = 2
"""A power is within 2 units of its last place, beside its relative error."""
LOG2_E = Fraction(26_613_026_195_688_644_983, 1 << 64)
"""1 / ln 2, to 2^−65."""
FRACTION_BITS_MAX = 30


def require_scale(fraction_bits: int) -> None:
    """Raises Refused for more fraction bits than functions keep."""
    if not 0 <= fraction_bits <= FRACTION_BITS_MAX:
        raise Refused(f"a function with {fraction_bits} fraction bits", rule=f"0 to {FRACTION_BITS_MAX}")


# ---- powers of two


@dataclass(frozen=True)
class Scale:
    """How powers 2^y are held for y from `low` to `high`, as fixed-point numbers of `fraction_bits`.

    The exponent is moved up by `offset`, so that it is at least 1, and role 0's powers have `mantissa_bits`: their sum with the largest
    exponent stays below 2^62, half of the modulus. At least 17 bits are cut off, below which double precision would show. Raises
    Refused where that cannot be.
    """

    low: Fraction
    high: Fraction
    fraction_bits: int

    def __post_init__(self) -> None:
        require_scale(self.fraction_bits)
        if self.mantissa_bits < MANTISSA_BITS_MIN:
            raise Refused(
                f"powers of two from 2^{float(self.low):.1f} to 2^{float(self.high):.1f}",
                rule=f"with {MANTISSA_BITS_MIN} exact bits they span at most 2^{60 - MANTISSA_BITS_MIN}",
                do="narrow the declared bounds, or use fewer fraction bits",
            )
        if self.shift < SHIFT_MIN:
            raise Refused(
                f"powers of two up to 2^{float(self.high):.1f} with {self.fraction_bits} fraction bits",
                rule=f"results stay below 2^{62 - SHIFT_MIN} units",
                do="narrow the declared bounds, or use fewer fraction bits",
            )

    @cached_property
    def offset(self) -> int:
        return max(ceil(-self.low) + 2, self.fraction_bits + SHIFT_MIN - MANTISSA_BITS_MAX)

    @cached_property
    def mantissa_bits(self) -> int:
        return min(MANTISSA_BITS_MAX, 62 - self.offset - ceil(self.high))

    @property
    def shift(self) -> int:
        """From the product's scale to the result's."""
        return self.mantissa_bits + self.offset - self.fraction_bits

    @property
    def relative_error(self) -> Fraction:
        """Of a power, beside `ROUNDING_UNITS`: half a unit of the mantissa, and what floating-point numbers lose."""
        return Fraction(1, 1 << (self.mantissa_bits + 1)) + Fraction(1, 1 << 45)


def given_powers(exponents: Column, mantissa_bits: int) -> Column:
    """What role 0 gives for its exponents c: round(2^(c mod 1) · 2^mantissa_bits) · 2^⌊c⌋ modulo 2^64 − 1."""
    fractions = np.exp2(_fraction(exponents))
    return POWERS.turned(np.rint(fractions * 2.0**mantissa_bits).astype(np.uint64), exponents >> np.uint64(EXPONENT_BITS))


def _fraction(exponents: Column) -> Column:
    """c mod 1, as float64."""
    return (exponents & np.uint64((1 << EXPONENT_BITS) - 1)).astype(np.float64) * 2.0**-EXPONENT_BITS


def turned_powers(me: Party, exponents: Half, halves: Half, scale: Scale) -> tuple[Half, Half]:
    """At roles 1 and 2, for exponents r and halves of what was given: a half of 2^(c + r) at the scale, and the `wrap` of `united`.

    A half z of V = z_1 + z_2 − (2^64 − 1)(m_1 ∨ m_2), m being top bits, is turned by ⌊r⌋ and taken less (2^64 − 1) m, times 2^(r mod 1),
    shifted and rounded, as a real number: no two servers need the same digits. What both took off is put back by role 1's number.
    """
    if halves is None or exponents is None:
        return None, None
    turned = POWERS.turned(halves, exponents >> np.uint64(EXPONENT_BITS))
    top = turned >> np.uint64(63)
    factor = np.exp2(_fraction(exponents) - scale.shift)
    part = np.rint((turned + top).view(np.int64) * factor).astype(np.int64).view(np.uint64)
    if me.role == 2:
        return part, top.astype(bool)
    return part, np.rint(2.0**64 * factor).astype(np.uint64) * top


# ---- e^x


@dataclass(frozen=True)
class ExpRange:
    """What `exp` does for stored integers from `low` to `high`: from `floor` up it computes, below it gives 0."""

    low: int
    high: int
    fraction_bits: int

    def __post_init__(self) -> None:
        if self.low > self.high or max(abs(self.low), abs(self.high)) >> 61:
            raise Refused(f"exp for stored values from {self.low} to {self.high}", rule="−2^61 < low ≤ high < 2^61")
        require_scale(self.fraction_bits)
        _ = self.scale

    @cached_property
    def floor(self) -> int:
        """Below e^x is less than a quarter of a unit."""
        return -ceil((self.fraction_bits + 2) / LOG2_E * (1 << self.fraction_bits))

    @property
    def has_floor(self) -> bool:
        return self.low < self.floor

    @property
    def sign_bits(self) -> int:
        """Of x − floor."""
        return max(self.floor - self.low, abs(self.high - self.floor) + 1).bit_length() + 1

    @cached_property
    def factor(self) -> int:
        """From stored values to exponents."""
        return round(LOG2_E * (1 << (EXPONENT_BITS - self.fraction_bits)))

    @cached_property
    def scale(self) -> Scale:
        low, high = max(self.low, self.floor), max(self.high, self.floor)
        return Scale(low * LOG2_E / (1 << self.fraction_bits), high * LOG2_E / (1 << self.fraction_bits), self.fraction_bits)

    @property
    def relative_error(self) -> Fraction:
        """`Scale`'s, and the exponent's factor: half a unit of 2^−58 a stored unit, for at most 2^(6 + fraction_bits) of them."""
        return self.scale.relative_error + Fraction(1, 1 << (53 - self.fraction_bits))


exp_range = cache(ExpRange)
"""Made once for all row blocks."""


def exp_cost(rows: int, low: int, high: int, fraction_bits: int = 16) -> Cost:
    power = given_cost(rows, POWERS, 1).then(united_cost(rows, Z64))
    span = exp_range(low, high, fraction_bits)
    if not span.has_floor:
        return power
    flag = sign_cost(rows, span.sign_bits).then(cost_of(bit_to_ring, rows, Z64))
    return power.beside(flag).then(product_cost(rows, Z64))


@costs(exp_cost)
async def exp(me: Party, x: Share, low: int, high: int, fraction_bits: int = 16) -> Share:
    """e^x, for a fixed-point column with stored values from `low` to `high`, public.

    The error is at most 2 units of 2^−fraction_bits and `ExpRange.relative_error` of e^x, whatever the coins are: 2^−17 where x goes up
    to 17 at 16 fraction bits, 2^−30 up to 8. Where e^x is below a quarter of a unit, which x may be by any amount, it is 0 (a comparison,
    only where `low` is so low).

    The bound: role 0's power is rounded at its last bit, relative half a unit; the three roundings to the last place are ½ each, and
    double precision adds less than 1/64 of a unit; the exponent's factor is rounded at 2^−58.

    Learns: nobody anything, but for a chance of 2^−127 a row (`Residues.role_mask`). Which way it rounds follows from masks that one or two
            servers know: the leak `rounding` of docs/openings.md.
    Opens:  nothing.
    Cost:   3 rounds, 13.4 bytes a row and server; 10 and about 40 with the comparison. Facts: rows, low, high, fraction_bits.
    Needs:  low ≤ x ≤ high, a ring of 64 bits. Raises Refused where e^high and e^low (or its floor) span more than 2^47.
    """
    if x.ring != Z64:
        raise OurFault(f"exp of {x!r}", do="cast to 64 bits")
    span = exp_range(low, high, fraction_bits)
    if not span.has_floor:
        return await _power(me.step("power"), x, span)
    power, kept = await together(_power(me.step("power"), x, span), _is_kept(me.step("kept"), x, span))
    return await multiply(me.step("product"), power, kept)


async def _power(me: Party, x: Share, span: ExpRange) -> Share:
    y = add_public(me, x.times(span.factor), span.scale.offset << EXPONENT_BITS)
    view, rows = summand(me, y), x.rows
    known = given_powers(view, span.scale.mantissa_bits) if me.role == 0 else None
    halves = await given(me.step("given"), known, POWERS, 1, rows)
    part, wrap = turned_powers(me, view, None if halves is None else halves[0], span.scale)
    return await united(me.step("united"), part, wrap, Z64, rows)


async def _is_kept(me: Party, x: Share, span: ExpRange) -> Share:
    """1 from the floor up, 0 below."""
    below = await sign(me.step("sign"), add_public(me, x, -span.floor), span.sign_bits)
    return await bit_to_ring(me.step("ring"), not_bits(me, below), Z64)
