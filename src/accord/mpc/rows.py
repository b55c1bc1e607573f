"""Rows of secret columns, cut and put together where public row numbers say: local, and free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from accord.base.errors import OurFault
from accord.base.ring import Column, Ring
from accord.mpc.open import without_pad
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share

S = TypeVar("S", Share, Bits)
WORD_ROWS = 64


def zeros_like(x: S, rows: int) -> S:
    """So many rows of zeros, of the ring or width of x."""
    if isinstance(x, Share):
        return Share(x.ring, x.ring.zeros(rows), x.ring.zeros(rows))
    shape = x.width, (rows + WORD_ROWS - 1) // WORD_ROWS
    return Bits(rows, np.zeros(shape, np.uint64), np.zeros(shape, np.uint64))


def one_after_other(parts: Sequence[S]) -> S:
    """The rows of several columns of one ring or width, of any number of rows each. Raises OurFault for columns of several kinds."""
    first = parts[0]
    if isinstance(first, Share):
        if any(not isinstance(one, Share) or one.ring != first.ring for one in parts):
            raise OurFault(f"rows of {list(parts)} in one column", do="cast to one ring")
        return Share.concatenate([one for one in parts if isinstance(one, Share)])
    words = [one for one in parts if isinstance(one, Bits) and one.width == first.width]
    if len(words) != len(parts):
        raise OurFault(f"rows of {list(parts)} in one column", do="pad to one width")
    rows = sum(one.rows for one in words)
    own, after = (_joined([(getattr(one, name), one.rows) for one in words], rows) for name in ("own", "next"))
    return Bits(rows, own, after)


def _joined(parts: Sequence[tuple[Column, int]], rows: int) -> Column:
    whole = np.zeros((parts[0][0].shape[0], (rows + WORD_ROWS - 1) // WORD_ROWS + 1), np.uint64)
    at = 0
    for planes, count in parts:
        word, shift = at // WORD_ROWS, np.uint64(at % WORD_ROWS)
        clear, words = without_pad(planes, count), planes.shape[1]
        whole[:, word : word + words] |= clear << shift
        if shift:
            whole[:, word + 1 : word + 1 + words] |= clear >> (np.uint64(WORD_ROWS) - shift)
        at += count
    return np.ascontiguousarray(whole[:, :-1])


def rows_between(x: S, start: int, stop: int) -> S:
    """Rows start … stop − 1, from any row on."""
    if isinstance(x, Share):
        return x[start:stop]
    own, after = (_cut(planes, start, stop) for planes in (x.own, x.next))
    return Bits(stop - start, own, after)


def _cut(planes: Column, start: int, stop: int) -> Column:
    word, shift, count = start // WORD_ROWS, np.uint64(start % WORD_ROWS), (stop - start + WORD_ROWS - 1) // WORD_ROWS
    here = planes[:, word : word + count]
    if not shift:
        return here
    cut = here >> shift
    above = planes[:, word + 1 : word + 1 + count]
    cut[:, : above.shape[1]] |= above << (np.uint64(WORD_ROWS) - shift)
    return cut


def row_below(x: S) -> S:
    """Row j of the result is row j + 1; the last row is zero."""
    if x.rows == 0:
        return x
    return one_after_other([rows_between(x, 1, x.rows), zeros_like(x, 1)])


def with_row(me: Party, x: Bits, row: int, value: bool) -> Bits:
    """The same column with a public bit in all planes of one row."""
    if not x.rows:
        return x
    word, bit = row // WORD_ROWS, np.uint64(1) << np.uint64(row % WORD_ROWS)
    own, after = x.own.copy(), x.next.copy()
    for part, holds in ((own, me.index == 0), (after, me.right == 0)):
        part[:, word] &= ~bit
        if value and holds:
            part[:, word] |= bit
    return Bits(x.rows, own, after)


def public_column(me: Party, values: Column, ring: Ring) -> Share:
    """Public ring elements as a secret column: component 0 holds them."""
    return Share(ring, values if me.index == 0 else ring.zeros(values.size), values if me.right == 0 else ring.zeros(values.size))


def every_row(x: S, rows: int) -> S:
    """A column of one row as one of many rows that are all like it."""
    if isinstance(x, Share):
        return Share(x.ring, np.repeat(x.own[:1], rows), np.repeat(x.next[:1], rows))
    return Bits(rows, *(_spread(planes, rows) for planes in (x.own, x.next)))


def _spread(planes: Column, rows: int) -> Column:
    filled = np.uint64(0) - (planes[:, :1] & np.uint64(1))
    return np.repeat(filled, (rows + WORD_ROWS - 1) // WORD_ROWS, axis=1)
