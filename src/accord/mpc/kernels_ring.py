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
