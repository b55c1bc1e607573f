"""Residues modulo 2^k − 1, where 2^k is 1: a product with a power of two is a rotation, and exponents add modulo k by themselves.

That is what shares of an exponent need: 2^(c + r) is 2^c · 2^r whether c + r wraps or not. Columns hold 0 … 2^k − 2 in the dtype of
Z_2^k, and travel packed as its elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from accord.base.ring import Z64, Column, Ring
from accord.mpc.party import Party


@dataclass(frozen=True)
class Residues:
    """The residues modulo 2^bits − 1; 2 to 32, or 64 bits."""

    bits: int

    @cached_property
    def ring(self) -> Ring:
        """Whose elements they are packed as."""
        return Ring(self.bits)

    @cached_property
    def modulus(self) -> Any:
        """2^bits − 1, as a scalar of the dtype."""
        return self.ring.mask

    def plus(self, a: Column, b: Column) -> Column:
        """The sum: a carry out of the top comes in at the bottom."""
        total = a + b
        if self.ring.is_full:
            total += total < a
        else:
            total = (total & self.modulus) + (total >> self.ring.dtype.type(self.bits))
        total[total == self.modulus] = 0
        return total

    def minus(self, a: Column, b: Column) -> Column:
        return self.plus(a, self.modulus - b)

    def times(self, a: Column, b: Column) -> Column:
        """The product, by parts of 32 bits where it is wider than a word."""
        if self.bits <= Z64.bits // 2:
            whole = a.astype(np.uint64) * b
            high = whole >> np.uint64(self.bits)
            return self.plus((whole & np.uint64(self.modulus)).astype(self.ring.dtype), high.astype(self.ring.dtype))
        half, low = np.uint64(32), np.uint64(0xFFFF_FFFF)
        first, second = self.turned((a >> half) * (b & low), half), self.turned((a & low) * (b >> half), half)
        return self.plus(self.plus((a & low) * (b & low), (a >> half) * (b >> half)), self.plus(first, second))

    def turned(self, a: Column, places: Column | np.uint64) -> Column:
        """a · 2^places, for 0 ≤ places < bits (an array or a scalar): its bits rotated to the left."""
        left = np.asarray(places).astype(self.ring.dtype)
        turned: Column = self.ring.reduce(a << left) | (a >> (self.ring.dtype.type(self.bits) - left))
        return turned

    def role_mask(self, me: Party, component: int, rows: int) -> Column:
        """A residue a row that the two holders of a component (counted from the pivot) draw.

        The sum of three words of `bits`, or of two of 64: its distance from uniform is below 8^−bits or 4^−64 a row, 2^−96 or less.
        """
        words = me.role_mask(component, self.ring, rows)
        for lane in ("second", "third")[: 1 if self.bits == Z64.bits else 2]:
            words = self.plus(words, me.role_mask(component, self.ring, rows, lane=lane))
        return words
