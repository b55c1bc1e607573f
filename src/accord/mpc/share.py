"""Secret columns: one server's two components of a value that no server knows.

`Share` is arithmetic, x = x0 + x1 + x2 in Z_2^k; `Bits` is boolean, x = x0 ⊕ x1 ⊕ x2, as bit-planes. Server i holds
components i (`own`) and i + 1 (`next`), modulo 3. Neither can be printed, compared or used as a condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from accord.base.errors import OurFault
from accord.base.ring import Column, Ring


class Secret:
    """What no server may look at by accident."""

    __slots__ = ()

    def __bool__(self) -> NoReturn:
        raise OurFault("a secret has no truth value", do="select between values with mpc.select")

    def __eq__(self, other: object) -> NoReturn:
        raise OurFault("== would open a secret", do="use mpc.equality")

    def __hash__(self) -> NoReturn:
        raise OurFault("a secret has no hash")

    def __iter__(self) -> NoReturn:
        raise OurFault("a secret cannot be walked through", do="slice it by public rows")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Share(Secret):
    """An arithmetic secret column over `ring`: `own` and `next` are one-dimensional arrays of the ring's dtype."""

    ring: Ring
    own: Column
    next: Column

    def __repr__(self) -> str:
        return f"<secret column, {self.rows} rows over Z_2^{self.ring.bits}>"

    @property
    def rows(self) -> int:
        return int(self.own.shape[0])

    def __len__(self) -> int:
        return self.rows

    def __add__(self, other: Share) -> Share:
        _same_ring(self, other)
        return Share(self.ring, self.ring.reduce(self.own + other.own), self.ring.reduce(self.next + other.next))

    def __sub__(self, other: Share) -> Share:
        _same_ring(self, other)
        return Share(self.ring, self.ring.reduce(self.own - other.own), self.ring.reduce(self.next - other.next))

    def __neg__(self) -> Share:
        zero = self.ring.dtype.type(0)
        return Share(self.ring, self.ring.reduce(zero - self.own), self.ring.reduce(zero - self.next))

    def times(self, factor: int | Column) -> Share:
        """The product with a public integer, or with a public column of the ring's dtype."""
        by = self.ring.encode(np.array(factor & int(self.ring.mask), np.uint64)) if isinstance(factor, int) else factor
        return Share(self.ring, self.ring.reduce(self.own * by), self.ring.reduce(self.next * by))

    def __getitem__(self, rows: slice | Column) -> Share:
        """Public rows of the column: a slice, or an array of row numbers or booleans."""
        return Share(self.ring, self.own[rows], self.next[rows])

    def sum(self) -> Share:
        """The sum of all rows, modulo the ring: one row."""
        return self.group_sums(np.zeros(1, np.intp))

    def group_sums(self, starts: Column) -> Share:
        """Sums of consecutive public groups that begin at the rows `starts` (increasing, the first is 0)."""
        parts = (np.add.reduceat(part, starts, dtype=self.ring.dtype) for part in (self.own, self.next))
        return Share(self.ring, *(self.ring.reduce(part) for part in parts))

    def cast_down(self, ring: Ring) -> Share:
        """The value modulo a narrower ring: local and free."""
        if ring.bits > self.ring.bits:
            raise OurFault(f"cast down from {self.ring.bits} to {ring.bits} bits", do="use mpc.cast_up")
        return Share(ring, self.ring.cast_down(self.own, ring), self.ring.cast_down(self.next, ring))

    @staticmethod
    def concatenate(parts: list[Share]) -> Share:
        ring = parts[0].ring
        return Share(ring, np.concatenate([one.own for one in parts]), np.concatenate([one.next for one in parts]))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Bits(Secret):
    """A boolean secret column of `width` bits a row, as bit-planes: shape (width, ⌈rows / 64⌉), uint64.

    Plane j holds bit j (0 is the least significant) of 64 rows a word, row 0 in the lowest bit of word 0. Pad
    bits past `rows` in the last word carry no meaning.
    """

    rows: int
    own: Column
    next: Column

    def __repr__(self) -> str:
        return f"<secret bits, {self.rows} rows of {self.width} bits>"

    @property
    def width(self) -> int:
        return int(self.own.shape[0])

    def __len__(self) -> int:
        return self.rows

    def __xor__(self, other: Bits) -> Bits:
        if (self.rows, self.width) != (other.rows, other.width):
            raise OurFault(f"⊕ of {self!r} and {other!r}")
        return Bits(self.rows, self.own ^ other.own, self.next ^ other.next)

    def plane(self, index: int) -> Bits:
        """One bit of every row."""
        return self.planes(slice(index, index + 1))

    def planes(self, which: slice) -> Bits:
        return Bits(self.rows, self.own[which], self.next[which])

    def block(self, start: int, stop: int) -> Bits:
        """Rows start … stop − 1; `start` is a multiple of 64."""
        if start % 64:
            raise OurFault(f"a block of bits from row {start}", rule="blocks start at a multiple of 64")
        words = slice(start // 64, (stop + 63) // 64)
        return Bits(stop - start, self.own[:, words], self.next[:, words])

    @staticmethod
    def concatenate(parts: list[Bits]) -> Bits:
        """Blocks in row order; every one but the last has a multiple of 64 rows."""
        if any(one.rows % 64 for one in parts[:-1]):
            raise OurFault("blocks of bits that end inside a word", rule="only the last block may")
        joined = (np.concatenate([getattr(one, name) for one in parts], axis=1) for name in ("own", "next"))
        return Bits(sum(one.rows for one in parts), *joined)

    @staticmethod
    def stack(parts: list[Bits]) -> Bits:
        """The planes of several columns of the same rows, one above the other."""
        joined = (np.concatenate([getattr(one, name) for one in parts], axis=0) for name in ("own", "next"))
        return Bits(parts[0].rows, *joined)


def _same_ring(x: Share, y: Share) -> None:
    if x.ring != y.ring or x.own.shape != y.own.shape:
        raise OurFault(f"{x!r} and {y!r} do not go together", do="cast to one ring, align the rows")


AnySecret = Share | Bits


def rows_of(secret: Any, start: int, stop: int) -> Any:
    """The public rows start … stop − 1 of a secret column of either kind."""
    return secret.block(start, stop) if isinstance(secret, Bits) else secret[start:stop]
