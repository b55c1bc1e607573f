"""Rings Z_2^k, k = 1…64, as NumPy columns in the narrowest unsigned dtype that fits.

A column of the ring is an array of `Ring.dtype` whose entries lie in [0, 2^k). NumPy wraps modulo the dtype's
width; `reduce` brings a result back where k is narrower than its dtype.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accord.base.errors import OurFault
from accord.base.limits import RING_BITS_MAX

Column = NDArray[Any]
"""An array of ring elements, of the ring's dtype."""


@dataclass(frozen=True)
class Ring:
    """The integers modulo 2^bits.

    Raises OurFault unless 1 ≤ bits ≤ 64.
    """

    bits: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= RING_BITS_MAX:
            raise OurFault(f"a ring of {self.bits} bits", rule=f"1 to {RING_BITS_MAX} bits")

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The narrowest unsigned dtype with room for one element."""
        return np.dtype(f"u{next(size for size in (1, 2, 4, 8) if self.bits <= 8 * size)}")

    @cached_property
    def mask(self) -> Any:
        """2^bits − 1, as a scalar of the dtype."""
        return self.dtype.type((1 << self.bits) - 1)

    @cached_property
    def is_full(self) -> bool:
        """Whether the dtype wraps exactly at 2^bits, so that `reduce` has nothing to do."""
        return self.bits == 8 * self.dtype.itemsize

    def reduce(self, column: Column) -> Column:
        """The same column modulo 2^bits (the argument itself where the dtype already wraps there)."""
        return column if self.is_full else column & self.mask

    def zeros(self, rows: int) -> Column:
        return np.zeros(rows, self.dtype)

    def encode(self, values: ArrayLike) -> Column:
        """Integers of any sign, modulo 2^bits. Needs: int64 or uint64 or bool values."""
        return self.reduce(np.asarray(values).astype(self.dtype))

    def decode(self, column: Column) -> NDArray[np.int64]:
        """Elements read as signed: in [−2^(bits−1), 2^(bits−1)), as int64."""
        shift = 64 - self.bits
        wide = column.astype(np.uint64) << np.uint64(shift)
        return wide.view(np.int64) >> np.int64(shift)

    def decode_unsigned(self, column: Column) -> NDArray[np.uint64]:
        """Elements read as unsigned: in [0, 2^bits), as uint64."""
        return self.reduce(column).astype(np.uint64)

    def cast_down(self, column: Column, narrower: Ring) -> Column:
        """The elements modulo the narrower ring's 2^bits (the argument itself where nothing changes)."""
        return narrower.reduce(column.astype(narrower.dtype, copy=False))

    def nbytes(self, rows: int) -> int:
        """Bytes of `rows` elements on the wire, packed to the bit."""
        return (rows * self.bits + 7) // 8

    def pack(self, column: Column) -> Column:
        """The elements as wire bytes (uint8, `nbytes(rows)` of them), least significant bit first.

        A full ring is viewed, not copied.
        """
        if self.is_full:
            return np.ascontiguousarray(column).view(np.uint8).reshape(-1)
        planes = np.unpackbits(column.reshape(-1, 1).view(np.uint8), axis=1, count=self.bits, bitorder="little")
        return np.packbits(planes.reshape(-1), bitorder="little")

    def unpack(self, wire: Column, rows: int) -> Column:
        """The inverse of `pack`; the result may be a view of `wire`."""
        if self.is_full:
            return wire.view(self.dtype)
        planes = np.unpackbits(wire, count=rows * self.bits, bitorder="little").reshape(rows, self.bits)
        padded = np.zeros((rows, 8 * self.dtype.itemsize), np.uint8)
        padded[:, : self.bits] = planes
        return np.packbits(padded, axis=1, bitorder="little").view(self.dtype).reshape(rows)


Z1 = Ring(1)
Z8 = Ring(8)
Z16 = Ring(16)
Z32 = Ring(32)
Z64 = Ring(64)
