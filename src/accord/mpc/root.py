"""Square root, inverse square root and reciprocal of a fixed-point column: each is 2^(a · log2 x), and the logarithm is never rounded.

Exponents wrap at 64, so the count of leading zeros, shared modulo 2^8, is part of one as it stands; masks of the exponent are drawn
first, so that role 0 knows its part before there is a logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property

import numpy as np

from accord.base.ring import Z8, Z64, Column
from accord.mpc.cost import Cost, costs
from accord.mpc.exponential import EXPONENT_BITS, POWERS, Scale, given_powers, turned_powers
from accord.mpc.halves import fresh, given, given_cost, tell, tell_cost, united, united_cost
from accord.mpc.logarithm import LOG2_AT_0, Place, Weights, logarithm, logarithm_cost, require_function
from accord.mpc.party import Party
from accord.mpc.share import Share

LOGARITHM_ERROR = Fraction(1, 1 << 21)
"""Bounds the error of log2; derived at `log` in logarithm.py."""
LN_2_MAX = Fraction(7, 10)


@dataclass(frozen=True)
class Root:
    """x^power for stored values below 2^bits: how its exponents run, and its error. Raises Refused where they span too much."""

    power: Fraction
    bits: int
    fraction_bits: int

    def __post_init__(self) -> None:
        _ = self.scale

    @property
    def place(self) -> Place:
        return Place(self.bits)

    @cached_property
    def weights(self) -> Weights:
        """For a positive power the flag of x = 0 lowers the exponent, so that the result is below a quarter of a unit."""
        if self.power < 0:
            return Weights(self.place)
        missing = self._exponent_of_zero(0) + self.fraction_bits + 2
        return Weights(self.place, max(0, -int(-missing / self.power // 1)))

    def _exponent_of_zero(self, weight: int) -> Fraction:
        count = (1 << self.place.count_bits) - 1 + weight
        return self.power * (LOG2_AT_0 + Fraction(1, 100) + self.place.whole - count - self.fraction_bits)

    @cached_property
    def scale(self) -> Scale:
        ends = [self.power * (end - self.fraction_bits) for end in (0, self.place.width)]
        if self.power > 0:
            ends.append(self._exponent_of_zero(self.weights.zero))
        return Scale(min(ends), max(ends), self.fraction_bits)

    @property
    def relative_error(self) -> Fraction:
        """Beside `exponential.ROUNDING_UNITS`."""
        return self.scale.relative_error + abs(self.power) * LN_2_MAX * LOGARITHM_ERROR * Fraction(101, 100)


root_of = cache(Root)
"""Made once for all row blocks."""
SQRT, INVERSE_SQRT, INVERSE = Fraction(1, 2), Fraction(-1, 2), Fraction(-1)


def power_cost(rows: int, root: Root) -> Cost:
    logarithms = logarithm_cost(rows, root.weights, given_cost(rows, POWERS, 1))
    return logarithms.then(tell_cost(rows, Z64)).then(united_cost(rows, Z64))


async def _power(me: Party, x: Share, root: Root) -> Share:
    """x^power; costs `power_cost`."""
    require_function(x, root.fraction_bits)
    rows, scale = x.rows, root.scale
    counts, masks = fresh(me.step("count"), Z8, rows), fresh(me.step("exponent"), Z64, rows)
    ahead = given_powers(masks.known + _exponents(counts.known, root), scale.mantissa_bits) if me.role == 0 else None
    powers = given(me.step("powers"), ahead, POWERS, 1, rows)
    factor = root.power
    half, zeros, (halves,) = await logarithm(me.step("logarithm"), x, root.weights, counts, factor, EXPONENT_BITS, [powers])
    if half is not None and me.role == 1:
        constant = (scale.offset - factor * root.fraction_bits) * (1 << EXPONENT_BITS)
        half = half + np.uint64(int(constant) % (1 << 64))
    exponents = await tell(me.step("told"), half, masks)
    if exponents is not None and zeros is not None:
        exponents = exponents + _exponents(zeros, root)
    part, wrap = turned_powers(me, exponents, None if halves is None else halves[0], scale)
    return await united(me.step("united"), part, wrap, Z64, rows)


def _exponents(zeros: Column, root: Root) -> Column:
    """−power · zeros as an exponent; what a count wraps at, 2^8, is a multiple of 64 here, halved or not."""
    return zeros.astype(np.uint64) * np.uint64(int(-root.power * (1 << EXPONENT_BITS)) % (1 << 64))


# ---- public faces


def sqrt_cost(rows: int, bits: int, fraction_bits: int = 16) -> Cost:
    return power_cost(rows, root_of(SQRT, bits, fraction_bits))


@costs(sqrt_cost)
async def sqrt(me: Party, x: Share, bits: int, fraction_bits: int = 16) -> Share:
    """The square root of a fixed-point column, with as many fraction bits.

    The error is at most 2 units of 2^−fraction_bits and `Root.relative_error` of the root, 2^−22.4 up to 44 bits, whatever the coins are.

    The bound: half of log2 x is within 2^−22 (as at `log`), so the power within ln 2 · 2^−22 relative; then `exp`'s. For x = 0 the
    exponent is lowered until the power is below a quarter of a unit.

    Learns: nobody anything, but for a chance of 2^−93 a row (`Residues.role_mask`). Which way it rounds follows from masks that one or two
            servers know: the leak `rounding` of docs/openings.md.
    Opens:  nothing.
    Cost:   13 rounds and about 76 bytes a row and server at 30 bits. Facts: rows, bits, fraction_bits.
    Needs:  0 ≤ x < 2^bits, bits ≤ 62, a ring of 64 bits. For other x the result is some number. Raises Refused beyond 30 fraction bits.
    """
    return await _power(me, x, root_of(SQRT, bits, fraction_bits))


def inverse_sqrt_cost(rows: int, bits: int, fraction_bits: int = 16) -> Cost:
    return power_cost(rows, root_of(INVERSE_SQRT, bits, fraction_bits))


@costs(inverse_sqrt_cost)
async def inverse_sqrt(me: Party, x: Share, bits: int, fraction_bits: int = 16) -> Share:
    """1 / √x of a fixed-point column, with as many fraction bits.

    The error is at most 2 units of 2^−fraction_bits and `Root.relative_error` of the result, 2^−22.4 up to 60 bits, whatever the coins
    are: derived as at `sqrt`.

    Learns: nobody anything, but for a chance of 2^−93 a row (`Residues.role_mask`). Which way it rounds follows from masks that one or two
            servers know: the leak `rounding` of docs/openings.md.
    Opens:  nothing.
    Cost:   13 rounds and about 76 bytes a row and server at 30 bits. Facts: rows, bits, fraction_bits.
    Needs:  1 ≤ x < 2^bits, bits ≤ 62, a ring of 64 bits. For other x the result is some number. Raises Refused beyond 30 fraction bits.
    """
    return await _power(me, x, root_of(INVERSE_SQRT, bits, fraction_bits))


def inverse_cost(rows: int, bits: int, fraction_bits: int = 16) -> Cost:
    return power_cost(rows, root_of(INVERSE, bits, fraction_bits))


@costs(inverse_cost)
async def inverse(me: Party, x: Share, bits: int, fraction_bits: int = 16) -> Share:
    """1 / x of a fixed-point column, with as many fraction bits. For exact quotients and ratios see division.py.

    The error is at most 2 units of 2^−fraction_bits and `Root.relative_error` of the result, 2^−21.4 up to 36 bits, whatever the coins
    are: derived as at `sqrt`.

    Learns: nobody anything, but for a chance of 2^−93 a row (`Residues.role_mask`). Which way it rounds follows from masks that one or two
            servers know: the leak `rounding` of docs/openings.md.
    Opens:  nothing.
    Cost:   13 rounds and about 76 bytes a row and server at 30 bits. Facts: rows, bits, fraction_bits.
    Needs:  1 ≤ x < 2^bits, a ring of 64 bits. For other x the result is some number. Raises Refused beyond 30 fraction bits, or for
            bits with which 1 / x spans more than 2^45.
    """
    return await _power(me, x, root_of(INVERSE, bits, fraction_bits))
