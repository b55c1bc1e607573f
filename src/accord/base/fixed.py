"""Fixed point: real numbers as integers of units 2^−fraction_bits, with bounds that travel along and refuse an overflow.

A product of two such numbers has twice the fraction bits until it is shifted down; both it and every value stay below 2^62.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accord.base.errors import Refused
from accord.base.limits import VALUE_BITS_MAX

Real = int | float | Fraction


@dataclass(frozen=True)
class FixedPoint:
    """What a fixed-point column can hold: `low` … `high` bound the stored integers inclusively.

    Raises Refused where a stored integer could reach ±2^62, or the fraction has not 0 to 61 bits.
    """

    fraction_bits: int
    low: int
    high: int

    def __post_init__(self) -> None:
        if not 0 <= self.fraction_bits < VALUE_BITS_MAX:
            raise Refused(f"{self.fraction_bits} fraction bits", rule=f"0 to {VALUE_BITS_MAX - 1}")
        if self.low > self.high:
            raise Refused(f"bounds {self.low} to {self.high}", rule="the lower bound is not above the upper one")
        if self.magnitude_bits > VALUE_BITS_MAX:
            raise Refused(
                f"a fixed-point value could reach {float(self.magnitude * self.ulp):.3g} at {self.fraction_bits} fraction bits",
                rule=f"stored values stay within ±2^{VALUE_BITS_MAX}",
                do="use fewer fraction bits, or narrow the declared bounds",
            )

    @staticmethod
    def between(low: Real, high: Real, fraction_bits: int) -> FixedPoint:
        """The type of all numbers from `low` to `high`."""
        one = 1 << fraction_bits
        return FixedPoint(fraction_bits, floor(Fraction(low) * one), ceil(Fraction(high) * one))

    @property
    def ulp(self) -> Fraction:
        """The unit: 2^−fraction_bits."""
        return Fraction(1, 1 << self.fraction_bits)

    @property
    def magnitude(self) -> int:
        """The largest absolute value of a stored integer."""
        return max(abs(self.low), abs(self.high))

    @property
    def magnitude_bits(self) -> int:
        """The smallest b with every stored integer within (−2^b, 2^b)."""
        return self.magnitude.bit_length()

    def encode(self, values: ArrayLike) -> NDArray[np.int64]:
        """Real numbers as stored integers, to the nearest unit, ties to even. Raises Refused, with the row, outside the bounds."""
        real = np.asarray(values, np.float64) * float(1 << self.fraction_bits)
        outside = ~((real >= self.low - 0.5) & (real <= self.high + 0.5))
        if outside.any():
            bounds = f"{float(self.low * self.ulp):g} to {float(self.high * self.ulp):g}"
            raise Refused("a number out of bounds", where=f"row {int(outside.argmax()) + 1}", rule=bounds)
        return np.clip(np.rint(real), self.low, self.high).astype(np.int64)

    def decode(self, column: NDArray[np.int64]) -> NDArray[np.float64]:
        """Stored integers as real numbers."""
        return column / float(1 << self.fraction_bits)

    def plus(self, other: FixedPoint) -> FixedPoint:
        """The type of a sum. Raises Refused for another scale."""
        if other.fraction_bits != self.fraction_bits:
            raise Refused(
                f"a sum of numbers of {self.fraction_bits} and {other.fraction_bits} fraction bits",
                rule="both sides of a sum have one scale",
                do="truncate the finer one first",
            )
        return FixedPoint(self.fraction_bits, self.low + other.low, self.high + other.high)

    def times(self, other: FixedPoint) -> FixedPoint:
        """The type of `mpc.fixed_multiply` by `other`'s fraction bits: this scale, one unit wider upwards for the rounding.

        Raises Refused where the product before the shift could reach ±2^62.
        """
        ends = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        FixedPoint(0, min(ends), max(ends))
        shift = other.fraction_bits
        return FixedPoint(self.fraction_bits, min(ends) >> shift, (max(ends) >> shift) + (shift > 0))
