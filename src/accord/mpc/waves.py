"""Smooth functions of a bounded secret as trigonometric sums: in the pivot view each harmonic of c + r is bilinear in c's and r's.

An angle is a share modulo 2^k or 2^k − 1, the turn being the modulus: cos j(c + r) = cos jc cos jr − sin jc sin jr. Role 0 gives halves of
cos jc and sin jc, roles 1 and 2 weight them by numbers that both compute from r, alike to the bit. The sum is periodic; it follows the
function on a part of the turn, which leaves it room to return [ZZC+23].
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import hypot

import numpy as np

from accord.base.ring import Column
from accord.mpc.kernels_waves import WAVE_BITS, WAVE_ERROR_ULPS, waves, weighted

GIVEN_BITS = 29
"""Fraction bits of what role 0 gives."""
WEIGHT_BITS = 28
"""Fraction bits of a sum's coefficients, each of at most 4."""
UNITS = 40
"""Coefficients are listed in units 2^−40."""


@dataclass(frozen=True)
class Sum:
    """constant + Σ (a cos jθ + b sin jθ) over j = 1, 1 + stride, … for the rows (a, b) of `pairs`, all in units 2^−40.

    `error`: how far it is from the function that it follows, at most; without the arithmetic's error (`arithmetic_error`).
    """

    constant: int
    pairs: tuple[tuple[int, int], ...]
    stride: int
    error: Fraction

    @property
    def count(self) -> int:
        """Columns that role 0 gives."""
        return 2 * len(self.pairs)

    def constant_units(self, factor: Fraction, fraction_bits: int) -> int:
        return round(factor * self.constant * Fraction(2) ** (fraction_bits - UNITS))

    def arithmetic_error(self, factor: Fraction, fraction_bits: int) -> Fraction:
        """A bound on the error of two `half_sum`s added up, for 53 to 58 fraction bits.

        For harmonic j of amplitude s: both waves are within 4 j units of 2^−31; what is given is rounded by 2^−30, coefficients by
        2^−29 and weights by half a unit of 2^(29 − fraction_bits), each in two parts at a right angle.
        """
        total = Fraction(0)
        for number, (a, b) in enumerate(self.pairs):
            size, j = abs(factor) * Fraction(hypot(a, b) / (1 << UNITS)), 1 + number * self.stride
            wave = Fraction(2 * j * WAVE_ERROR_ULPS, 1 << WAVE_BITS) + Fraction(2, 1 << (GIVEN_BITS + 1))
            total += size * wave + Fraction(2, 1 << (WEIGHT_BITS + 1)) + Fraction(2) ** (GIVEN_BITS - fraction_bits)
        return total * Fraction(101, 100)


def given_waves(angles: Column, terms: Sum) -> Column:
    """What role 0 gives for its angles c (uint32, 2^32 to the turn): uint64, shape (count, rows), 29 fraction bits."""
    drop = WAVE_BITS - GIVEN_BITS
    return ((waves(angles, len(terms.pairs), terms.stride) + (1 << (drop - 1))) >> drop).view(np.uint64)


@cache
def _weights(terms: Sum, factor: Fraction) -> Column:
    """The coefficients times a factor of at most 1, in units 2^−28: int64, one row a pair."""
    unit = factor / (1 << (UNITS - WEIGHT_BITS))
    return np.array([[round(a * unit), round(b * unit)] for a, b in terms.pairs], np.int64)


def half_sum(angles: Column, halves: Column, terms: Sum, factor: Fraction, fraction_bits: int) -> Column:
    """At roles 1 and 2: this one's half of factor · (the sum less its constant), modulo 2^64, from angles r and its halves of what was
    given. Both compute the same weights: `kernels_waves` says why they can.
    """
    turned = waves(angles, len(terms.pairs), terms.stride)
    return weighted(turned, _weights(terms, factor), WAVE_BITS + WEIGHT_BITS + GIVEN_BITS - fraction_bits, halves)
