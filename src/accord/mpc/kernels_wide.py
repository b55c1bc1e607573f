"""Arithmetic modulo 2^(2h) on columns of two lanes of h bits, low and high: arrays of shape (rows, 2), each lane below 2^h.

The loops are for h = 64 and many rows; the twins for every h. Both give reduced lanes.
"""

from __future__ import annotations

import numpy as np

from accord.base.ring import Column, Ring
from accord.mpc.kernels import COMPILED_WORDS_MIN, Pair, compiled, plain


def _is_hot(lane: Ring, rows: int) -> bool:
    return lane.bits == 64 and rows >= COMPILED_WORDS_MIN // 2


# ---- sums and differences


def add(a: Column, b: Column, lane: Ring) -> Column:
    """a + b; b may be one row for all."""
    out = np.empty_like(a)
    if _is_hot(lane, len(a)):
        compiled(add_loop)(plain(a), plain(np.broadcast_to(b, a.shape)), out)
    else:
        add_twin(a, b, lane, out)
    return out


def add_twin(a: Column, b: Column, lane: Ring, out: Column) -> None:
    """As `add_loop`, by whole arrays."""
    low = lane.reduce(a[:, 0] + b[:, 0])
    out[:, 1] = lane.reduce(a[:, 1] + b[:, 1] + (low < a[:, 0]))
    out[:, 0] = low


def add_loop(a: Column, b: Column, out: Column) -> None:
    for i in range(a.shape[0]):
        low = a[i, 0] + b[i, 0]
        out[i, 1] = a[i, 1] + b[i, 1] + np.uint64(low < a[i, 0])
        out[i, 0] = low


def subtract(a: Column, b: Column, lane: Ring) -> Column:
    """a − b, of one shape."""
    out = np.empty_like(b)
    if _is_hot(lane, len(a)):
        compiled(subtract_loop)(plain(a), plain(b), out)
    else:
        subtract_twin(a, b, lane, out)
    return out


def subtract_twin(a: Column, b: Column, lane: Ring, out: Column) -> None:
    """As `subtract_loop`, by whole arrays."""
    borrow = a[:, 0] < b[:, 0]
    out[:, 1] = lane.reduce(a[:, 1] - b[:, 1] - borrow.astype(a.dtype))
    out[:, 0] = lane.reduce(a[:, 0] - b[:, 0])


def subtract_loop(a: Column, b: Column, out: Column) -> None:
    for i in range(a.shape[0]):
        low, other = a[i, 0], b[i, 0]
        out[i, 1] = a[i, 1] - b[i, 1] - np.uint64(low < other)
        out[i, 0] = low - other


def group_sums(a: Column, starts: Column, lane: Ring) -> Column:
    """Sums of consecutive groups of fewer than 2^32 rows; group j begins at row `starts[j]`."""
    half = np.uint64(lane.bits // 2)
    low, high = a[:, 0].astype(np.uint64), a[:, 1].astype(np.uint64)
    pieces = (low & ((np.uint64(1) << half) - np.uint64(1)), low >> half, high)
    bottom, middle, top = (np.add.reduceat(piece, starts, dtype=np.uint64) for piece in pieces)
    # bottom + 2^(h/2) middle + 2^h top, of which the first two may reach into the high lane.
    width = np.uint64(lane.bits)
    one = _lanes(bottom, bottom >> width, lane)
    return add(add(one, _lanes(middle << half, middle >> (width - half), lane), lane), _lanes(np.zeros_like(top), top, lane), lane)


def running_sums(a: Column, lane: Ring) -> Column:
    """Sums of the rows so far; a low lane that falls below what was added to it has wrapped once."""
    low = lane.reduce(np.cumsum(a[:, 0], dtype=lane.dtype))
    wraps = np.cumsum(low < a[:, 0], dtype=lane.dtype)
    return np.stack([low, lane.reduce(np.cumsum(a[:, 1], dtype=lane.dtype) + wraps)], axis=1)


def _lanes(low: Column, high: Column, lane: Ring) -> Column:
    return np.stack([lane.encode(low), lane.encode(high)], axis=1)


# ---- products


def times(a: Column, b: Column, lane: Ring) -> Column:
    """a · b; b may be one row for all."""
    if not _is_hot(lane, len(a)):
        return times_twin(a, b, lane)
    zeros = np.zeros_like(a)
    return dots((a, zeros), (np.broadcast_to(b, a.shape), zeros), np.arange(len(a)), (zeros, zeros), lane)


def times_twin(a: Column, b: Column, lane: Ring) -> Column:
    """As `times`, by whole arrays."""
    low, high = _full_product(a[:, 0].astype(np.uint64), b[:, 0].astype(np.uint64), lane.bits)
    crossed = (a[:, 0] * b[:, 1] + a[:, 1] * b[:, 0]).astype(np.uint64)
    return _lanes(low, high + crossed, lane)


def _full_product(a: Column, b: Column, bits: int) -> Pair:
    """The products of numbers below 2^bits modulo 2^64, and their upper `bits` bits."""
    half, mask, width = np.uint64(32), np.uint64(0xFFFFFFFF), np.uint64(bits)
    low = a * b
    if bits <= 32:
        return low, low >> width
    a0, a1, b0, b1 = a & mask, a >> half, b & mask, b >> half
    inner = a1 * b0 + (a0 * b0 >> half)
    outer = a0 * b1 + (inner & mask)
    high = a1 * b1 + (inner >> half) + (outer >> half)
    return low, high << np.uint64(64 - bits) | low >> width


def dots(x: Pair, y: Pair, starts: Column, masks: Pair, lane: Ring) -> Column:
    """This server's summands of Σ x · y over consecutive groups of rows; the masks, a row a group, differ by a zero share.

    Group j begins at row `starts[j]` and has at least one row.
    """
    out = np.empty_like(masks[0])
    if _is_hot(lane, len(x[0])):
        compiled(dots_loop)(*map(plain, x), *map(plain, y), starts, *map(plain, masks), out)
    else:
        dots_twin(*x, *y, starts, *masks, lane, out)
    return out


def dots_twin(
    x0: Column, x1: Column, y0: Column, y1: Column, starts: Column, mask0: Column, mask1: Column, lane: Ring, out: Column
) -> None:
    """As `dots_loop`, by whole arrays."""
    products = add(times_twin(x0, add(y0, y1, lane), lane), times_twin(x1, y0, lane), lane)
    out[:] = add(group_sums(products, starts, lane), subtract(mask0, mask1, lane), lane)


def dots_loop(x0: Column, x1: Column, y0: Column, y1: Column, starts: Column, mask0: Column, mask1: Column, out: Column) -> None:
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    for j in range(out.shape[0]):
        stop = starts[j + 1] if j + 1 < out.shape[0] else x0.shape[0]
        low, high = mask0[j, 0] - mask1[j, 0], mask0[j, 1] - mask1[j, 1] - np.uint64(mask0[j, 0] < mask1[j, 0])
        for i in range(starts[j], stop):
            total = y0[i, 0] + y1[i, 0]
            for side in range(2):
                if side == 0:
                    a, above = x0[i, 0], x0[i, 1]
                    b, beyond = total, y0[i, 1] + y1[i, 1] + np.uint64(total < y0[i, 0])
                else:
                    a, above, b, beyond = x1[i, 0], x1[i, 1], y0[i, 0], y0[i, 1]
                a0, a1, b0, b1 = a & mask, a >> half, b & mask, b >> half
                inner = a1 * b0 + ((a0 * b0) >> half)
                outer = a0 * b1 + (inner & mask)
                product = a * b
                low += product
                high += a1 * b1 + (inner >> half) + (outer >> half) + a * beyond + above * b + np.uint64(low < product)
        out[j, 0], out[j, 1] = low, high


# ---- shifts


def shift_down(a: Column, shift: int, lane: Ring) -> Column:
    """⌊a / 2^shift⌋ of unsigned numbers; 0 ≤ shift ≤ h."""
    wide = a.astype(np.uint64)
    low = wide[:, 0] >> np.uint64(shift) | wide[:, 1] << np.uint64(lane.bits - shift)
    return _lanes(low, wide[:, 1] >> np.uint64(shift), lane)
