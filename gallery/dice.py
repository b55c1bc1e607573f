"""Deterministic draws for made-up data: the same seed gives the same files on every machine.

Only the generator's raw words are taken from NumPy (their stream is fixed for good); what is made of them is whole-number arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

ONE = 1 << 16
"""Fixed point: logarithms and normal deviates are whole numbers of 1/65536."""
T = TypeVar("T")


class Dice:
    """Draws from the raw words of a seeded PCG64."""

    def __init__(self, seed: int) -> None:
        self._words = np.random.PCG64(seed)

    def below(self, count: int) -> int:
        """0 to count - 1, for counts up to 2^32; off uniform by less than count / 2^32."""
        return int(self._words.random_raw() >> 32) * count >> 32

    def permille(self) -> int:
        """0 to 999."""
        return self.below(1000)

    def one_of(self, values: Sequence[T]) -> T:
        """One of them, each as often."""
        return values[self.below(len(values))]

    def normal(self) -> int:
        """A nearly normal deviate in units of 1/65536: the sum of twelve uniform ones (variance 1), less its mean."""
        return int((self._words.random_raw(12) >> np.uint64(48)).sum()) - 6 * ONE

    def order(self, count: int) -> list[int]:
        """0 to count - 1, shuffled."""
        return [int(place) for place in np.argsort(self._words.random_raw(count), kind="stable")]
