"""Hot loops on ring columns, each beside its NumPy twin; chosen and compiled as in `kernels`.

Sums wrap at the dtype's width; a caller with a narrower ring reduces the result.
"""

from __future__ import annotations

import numpy as np

from accord.base.ring import Column
from accord.mpc.kernels import COMPILED_WORDS_MIN, Pair, compiled, plain


def product(x: Pair, y: Pair, masks: Pair, out: Column) -> None:
    """This server's summands of the products of two replicated columns, into `out`; the masks' difference is a zero share."""
    if out.size < COMPILED_WORDS_MIN:
        product_twin(*x, *y, *masks, out)
    else:
        compiled(product_loop)(*map(plain, x), *map(plain, y), *map(plain, masks), out)


def product_twin(x0: Column, x1: Column, y0: Column, y1: Column, mask0: Column, mask1: Column, out: Column) -> None:
    """As `product_loop`, by whole arrays."""
    out[:] = x0 * (y0 + y1) + x1 * y0 + mask0 - mask1


def product_loop(x0: Column, x1: Column, y0: Column, y1: Column, mask0: Column, mask1: Column, out: Column) -> None:
    for i in range(out.size):
        out[i] = x0[i] * (y0[i] + y1[i]) + x1[i] * y0[i] + mask0[i] - mask1[i]


def dots(x: Pair, y: Pair, starts: Column, masks: Pair, out: Column) -> None:
    """As `product`, summed over consecutive groups of rows; group j begins at row `starts[j]` and has at least one row."""
    if x[0].size < COMPILED_WORDS_MIN:
        dots_twin(*x, *y, starts, *masks, out)
    else:
        compiled(dots_loop)(*map(plain, x), *map(plain, y), starts, *map(plain, masks), out)


def dots_twin(x0: Column, x1: Column, y0: Column, y1: Column, starts: Column, mask0: Column, mask1: Column, out: Column) -> None:
    """As `dots_loop`, by whole arrays."""
    out[:] = np.add.reduceat(x0 * (y0 + y1) + x1 * y0, starts, dtype=out.dtype) + mask0 - mask1


def dots_loop(x0: Column, x1: Column, y0: Column, y1: Column, starts: Column, mask0: Column, mask1: Column, out: Column) -> None:
    for j in range(out.size):
        stop = starts[j + 1] if j + 1 < out.size else x0.size
        total = out.dtype.type(0)
        for i in range(starts[j], stop):
            total += x0[i] * (y0[i] + y1[i]) + x1[i] * y0[i]
        out[j] = total + mask0[j] - mask1[j]


def shifted_down(view: Column, offset: int, shift: int, bits: int, part: Column, flag: Column) -> None:
    """Of v = view + offset modulo 2^bits: v >> shift, less 2^(bits − shift) where the top bit is set, into `part`; the top bit into `flag`.

    Needs: 0 < shift < bits; elements of `view` below 2^bits.
    """
    loop = shift_twin if part.size < COMPILED_WORDS_MIN else compiled(shift_loop)
    loop(plain(view), np.uint64(offset), np.uint64(shift), np.uint64(bits), part, flag)


def shift_twin(view: Column, offset: np.uint64, shift: np.uint64, bits: np.uint64, part: Column, flag: Column) -> None:
    """As `shift_loop`, by whole arrays."""
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> (np.uint64(64) - bits)
    value = (view.astype(np.uint64) + offset) & mask
    top = value >> (bits - np.uint64(1))
    part[:] = (((value >> shift) - (top << (bits - shift))) & mask).astype(part.dtype)
    flag[:] = top.astype(flag.dtype)


def shift_loop(view: Column, offset: np.uint64, shift: np.uint64, bits: np.uint64, part: Column, flag: Column) -> None:
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> (np.uint64(64) - bits)
    for i in range(part.size):
        value = (np.uint64(view[i]) + offset) & mask
        top = value >> (bits - np.uint64(1))
        part[i] = ((value >> shift) - (top << (bits - shift))) & mask
        flag[i] = top


def lifted_sum(high: Column, low: Column, lift: int, constant: int, out: Column) -> None:
    """high + low · 2^lift + constant into `out`, of the dtype of `high`; that of `low` may be narrower. Sums wrap at the dtype's width."""
    loop = lift_twin if out.size < COMPILED_WORDS_MIN else compiled(lift_loop)
    loop(plain(high), plain(low), np.uint64(lift), np.uint64(constant), out)


def lift_twin(high: Column, low: Column, lift: np.uint64, constant: np.uint64, out: Column) -> None:
    """As `lift_loop`, by whole arrays."""
    out[:] = high + (low.astype(np.uint64) << lift).astype(out.dtype) + constant.astype(out.dtype)


def lift_loop(high: Column, low: Column, lift: np.uint64, constant: np.uint64, out: Column) -> None:
    for i in range(out.size):
        out[i] = np.uint64(high[i]) + (np.uint64(low[i]) << lift) + constant
