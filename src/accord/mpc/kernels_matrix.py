"""Products of matrices over Z_2^k, k ≤ 64, exactly, by the floating-point products of NumPy's BLAS.

An entry is taken modulo 2^(k+1) and cut into at most three balanced digits of 22 bits, a = Σ 2^(22 i) a_i with |a_i| ≤ 2^21; the topmost
of three is cut at 2^65 and has |a_2| ≤ 2^20. Only Σ_(i+j=s) a_i b_j for s = 0, 1, 2 matter below 2^66: each is one product of float64
matrices whose digits stand side by side.

Nothing is rounded: for one inner index that sum is at most 2 · 2^21 · 2^21 (s = 1) or 2^21 · 2^21 + 2 · 2^21 · 2^20 (s = 2), both
2^43. Over INNER_MAX = 2^10 indices, in whatever order they are added, fused or not, every partial sum is an integer of at most 2^53,
which a float64 holds. (Strassen's method would break this bound; no BLAS takes it.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accord.base.ring import Column
from accord.mpc.kernels import COMPILED_WORDS_MIN, compiled, plain

DIGIT_BITS = 22
DIGITS_MAX = 3
INNER_MAX = 1 << 10
PANEL_ENTRIES = 1 << 19
"""Entries of one panel of digits: with its three digits 12 MB."""

assert (2 << 2 * (DIGIT_BITS - 1)) * INNER_MAX <= 1 << 53, "a float64 holds every partial sum"

BIAS = np.uint64((1 << 21) | (1 << 43))
DIGIT_MASK = np.uint64((1 << DIGIT_BITS) - 1)


def digits_for(bits: int) -> int:
    """How many digits hold every residue modulo 2^bits, bits ≤ 65."""
    return (bits + DIGIT_BITS - 1) // DIGIT_BITS


@dataclass(frozen=True, eq=False)
class Factor:
    """A matrix of `rows` × `columns` entries 2^shift · a + scale · b; a and b are flat columns of one dtype, row by row.

    `shift` is 0 or 1. Where `scale` is 1 entries are exact modulo 2^65; where it is 0 or −1, modulo 2^64. `digits` says how many
    digits of an entry are taken: all that matter, or all that a narrow signed number has.
    """

    a: Column
    b: Column
    rows: int
    columns: int
    shift: int
    scale: int
    digits: int


@dataclass(frozen=True)
class Rounding:
    """Whether each summand of a product is halved, and then whether a half is rounded up."""

    halve: bool = False
    up: bool = False


def add_product(left: Factor, right: Factor, digits: int, rounding: Rounding, out: Column) -> None:
    """Add left · right to `out`, (rows, columns) uint64, modulo 2^(22 · digits) or where that is smaller 2^64.

    `rounding.halve` adds half of it instead: of the sum over each block of INNER_MAX inner indices, rounded down or up, modulo half
    of 2^(22 · digits).
    """
    inner = min(INNER_MAX, left.columns)
    width = min(right.columns, max(1, PANEL_ENTRIES // inner))
    height = max(1, PANEL_ENTRIES // max(inner, width))
    for k in range(0, left.columns, inner):
        depth = slice(k, min(k + inner, left.columns))
        for j in range(0, right.columns, width):
            across = slice(j, min(j + width, right.columns))
            stacked = _digits(right, depth, across, above=True)
            for i in range(0, left.rows, height):
                down = slice(i, min(i + height, left.rows))
                beside = _digits(left, down, depth, above=False)
                fold(_sums(beside, stacked, left, right, digits), rounding, out, i, j)


def _sums(beside: Column, stacked: Column, left: Factor, right: Factor, digits: int) -> Column:
    """Σ_(i+j=s) a_i b_j for every s: (s, rows, columns) float64. Digits of a ascend, those of b descend."""
    inner = beside.shape[1] // left.digits
    sums = np.empty((min(digits, left.digits + right.digits - 1), beside.shape[0], stacked.shape[1]))
    for s in range(sums.shape[0]):
        low, high = max(0, s - right.digits + 1), min(s + 1, left.digits)
        top = right.digits - 1 - (s - low)
        np.matmul(beside[:, low * inner : high * inner], stacked[top * inner : (top + high - low) * inner], out=sums[s])
    return sums


def _digits(factor: Factor, rows: slice, columns: slice, *, above: bool) -> Column:
    """The digits of a block of a factor: side by side in each row, lowest first, or one block above the other, highest first."""
    height, width = rows.stop - rows.start, columns.stop - columns.start
    size = factor.digits * height * width
    start = rows.start * factor.columns + columns.start
    place = (size - height * width, width, -height * width) if above else (0, factor.digits * width, width)
    out = np.empty(size)
    split(factor, start, height, width, place, out)
    return out.reshape((-1, width) if above else (height, -1))


# ---- digits


def split(factor: Factor, start: int, height: int, width: int, place: tuple[int, int, int], out: Column) -> None:
    """Digits of `height` rows of `width` entries from the entry `start` on; `place`: the first one's in `out`, the steps to the next row
    and to the next digit.
    """
    loop = split_twin if height * width < COMPILED_WORDS_MIN else compiled(split_loop)
    scale = np.uint64(factor.scale % (1 << 64))
    loop(plain(factor.a), plain(factor.b), np.uint64(factor.shift), scale, start, factor.columns, height, width, factor.digits, *place, out)


def split_twin(
    a: Column,
    b: Column,
    shift: np.uint64,
    scale: np.uint64,
    start: int,
    step: int,
    height: int,
    width: int,
    digits: int,
    first: int,
    row_step: int,
    digit_step: int,
    out: Column,
) -> None:
    """As `split_loop`, by whole arrays."""
    at = start + np.arange(height)[:, None] * step + np.arange(width)
    x, y = a[at].astype(np.uint64), b[at].astype(np.uint64) * scale
    low = (x << shift) + y
    biased = low + BIAS
    high = ((x >> np.uint64(63)) & shift) ^ (low < y) ^ (biased < BIAS) ^ np.uint64(1)
    every = (
        (biased & DIGIT_MASK).astype(np.int64) - (1 << 21),
        (biased >> np.uint64(22) & DIGIT_MASK).astype(np.int64) - (1 << 21),
        (biased >> np.uint64(44) | high << np.uint64(20)).astype(np.int64) - (1 << 20),
    )
    into = first + np.arange(height)[:, None] * row_step + np.arange(width)
    for digit, values in enumerate(every[:digits]):
        out[into + digit * digit_step] = values


def split_loop(
    a: Column,
    b: Column,
    shift: np.uint64,
    scale: np.uint64,
    start: int,
    step: int,
    height: int,
    width: int,
    digits: int,
    first: int,
    row_step: int,
    digit_step: int,
    out: Column,
) -> None:
    """Balanced digits without a branch: with 2^21 added at each digit's place (2^20 at the top one) they are plain ones, that much
    too large. The 65th bit is carried along in `high`.
    """
    for i in range(height):
        row_a, row_b = a[start + i * step : start + i * step + width], b[start + i * step : start + i * step + width]
        into = first + i * row_step
        d0 = out[into : into + width]
        d1 = out[into + (digits > 1) * digit_step : into + (digits > 1) * digit_step + width]
        d2 = out[into + (digits > 2) * 2 * digit_step : into + (digits > 2) * 2 * digit_step + width]
        for j in range(width):
            x, y = np.uint64(row_a[j]), np.uint64(row_b[j]) * scale
            low = (x << shift) + y
            biased = low + np.uint64(0x80000200000)
            high = ((x >> np.uint64(63)) & shift) ^ np.uint64(low < y) ^ np.uint64(biased < np.uint64(0x80000200000)) ^ np.uint64(1)
            # Digits that are not wanted go where the lowest one overwrites them.
            d2[j] = np.float64(np.int64((biased >> np.uint64(44)) | (high << np.uint64(20))) - 1048576)
            d1[j] = np.float64(np.int64((biased >> np.uint64(22)) & np.uint64(0x3FFFFF)) - 2097152)
            d0[j] = np.float64(np.int64(biased & np.uint64(0x3FFFFF)) - 2097152)


# ---- back to words


def fold(sums: Column, rounding: Rounding, out: Column, row: int, column: int) -> None:
    """Add Σ_s 2^(22 s) sums[s], or its half, to the block of `out` that begins at (row, column)."""
    loop = fold_twin if sums[0].size < COMPILED_WORDS_MIN else compiled(fold_loop)
    loop(sums, int(rounding.halve), int(rounding.up), out, row, column)


def fold_twin(sums: Column, halve: int, up: int, out: Column, row: int, column: int) -> None:
    """As `fold_loop`, by whole arrays."""
    words = sums.astype(np.int64)
    total = (words[0] + up >> halve).view(np.uint64)
    for s in range(1, words.shape[0]):
        total = total + (words[s].view(np.uint64) << np.uint64(22 * s - halve))
    out[row : row + total.shape[0], column : column + total.shape[1]] += total


def fold_loop(sums: Column, halve: int, up: int, out: Column, row: int, column: int) -> None:
    for s in range(sums.shape[0]):
        shift = np.uint64(max(22 * s - halve, 0))
        odd, down = (up, halve) if s == 0 else (0, 0)
        for i in range(sums.shape[1]):
            values, into = sums[s, i], out[row + i]
            for j in range(values.shape[0]):
                into[column + j] += np.uint64((np.int64(values[j]) + odd) >> down) << shift
