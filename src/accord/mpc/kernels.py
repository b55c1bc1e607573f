"""Hot loops: each a plain loop that Numba compiles on first use, beside its NumPy twin.

A call takes the twin where the table is tiny (compiling costs more than it saves) and the compiled loop elsewhere; results are the
same to the bit, so servers need not agree on which one ran. Numba is imported by the first big table, not with this module.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from accord.base.ring import Column

Pair = tuple[Column, Column]
"""The two components that a server holds: own, next."""

WORD_BITS = 64
TILE_WORDS = 8
"""Words of a plane that one tile of a transpose holds: one cache line."""
TILE_ROWS = TILE_WORDS * WORD_BITS
COMPILED_WORDS_MIN = 1 << 12
"""Where fewer words than this are made, the NumPy twin runs."""


@cache
def compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """The loop as machine code, from Numba's cache on disk where it has been compiled before."""
    import numba

    return numba.njit(nogil=True, cache=True)(loop)


def _plain(array: Column) -> Column:
    """The array itself if it is C-contiguous, aligned and writeable, else a copy: a loop is compiled for that one kind."""
    return array if array.flags.carray else np.array(array, order="C")


# ---- transposes between columns and bit-planes


def planes_from_words(column: Column, width: int) -> Column:
    """The low `width` bits of uint64 words as bit-planes: (width, ⌈rows / 64⌉) uint64; pad bits are zero."""
    words = (column.shape[0] + WORD_BITS - 1) // WORD_BITS
    if width * words < COMPILED_WORDS_MIN:
        return planes_twin(column, width)
    planes = np.empty((width, _whole_tiles(words)), np.uint64)
    compiled(planes_loop)(_padded(column, planes.shape[1] * WORD_BITS), planes)
    return planes if planes.shape[1] == words else np.ascontiguousarray(planes[:, :words])


def words_from_planes(planes: Column, rows: int) -> Column:
    """The inverse: `rows` uint64 words whose bit j is plane j's, for at most 64 planes."""
    width, words = planes.shape
    if width * words < COMPILED_WORDS_MIN:
        return words_twin(planes, rows)
    padded = np.zeros((width, _whole_tiles(words)), np.uint64) if words % TILE_WORDS else planes
    if words % TILE_WORDS:
        padded[:, :words] = planes
    column = np.empty(padded.shape[1] * WORD_BITS, np.uint64)
    compiled(words_loop)(_plain(padded), column)
    return column[:rows]


def _whole_tiles(words: int) -> int:
    return (words + TILE_WORDS - 1) // TILE_WORDS * TILE_WORDS


def _padded(column: Column, rows: int) -> Column:
    if column.shape[0] == rows:
        return _plain(column)
    padded = np.zeros(rows, np.uint64)
    padded[: column.shape[0]] = column
    return padded


def planes_twin(column: Column, width: int) -> Column:
    """As `planes_from_words`, by NumPy's bit packing."""
    rows = column.shape[0]
    bits = np.unpackbits(np.ascontiguousarray(column).view(np.uint8).reshape(rows, 8), axis=1, count=width, bitorder="little")
    packed = np.packbits(bits.T, axis=1, bitorder="little")
    planes = np.zeros((width, (rows + WORD_BITS - 1) // WORD_BITS * 8), np.uint8)
    planes[:, : packed.shape[1]] = packed
    return planes.view(np.uint64)


def words_twin(planes: Column, rows: int) -> Column:
    """As `words_from_planes`, by NumPy's bit packing."""
    bits = np.unpackbits(np.ascontiguousarray(planes).view(np.uint8), axis=1, count=rows, bitorder="little")
    wide = np.zeros((rows, 8), np.uint8)
    packed = np.packbits(bits.T, axis=1, bitorder="little")
    wide[:, : packed.shape[1]] = packed
    return wide.view(np.uint64).reshape(rows)


def planes_loop(column: Column, planes: Column) -> None:
    """Transpose whole tiles of 512 rows, eight 64 × 64 blocks at a time, side by side in one vector register [Warren12]."""
    width, words = planes.shape
    tile = np.empty((64, 8), np.uint64)
    for word in range(0, words, 8):
        for lane in range(8):
            for row in range(64):
                tile[row, lane] = column[(word + lane) * 64 + row]
        mask = np.uint64(0x00000000FFFFFFFF)
        step = 32
        while step:
            shift = np.uint64(step)
            for base in range(0, 64, 2 * step):
                for row in range(base, base + step):
                    for lane in range(8):
                        low, high = tile[row, lane], tile[row + step, lane]
                        swapped = ((low >> shift) ^ high) & mask
                        tile[row, lane] = low ^ (swapped << shift)
                        tile[row + step, lane] = high ^ swapped
            step >>= 1
            mask ^= mask << np.uint64(step)
        for plane in range(width):
            for lane in range(8):
                planes[plane, word + lane] = tile[plane, lane]


def words_loop(planes: Column, column: Column) -> None:
    """The inverse of `planes_loop`: the same transpose, read the other way."""
    width, words = planes.shape
    tile = np.empty((64, 8), np.uint64)
    for word in range(0, words, 8):
        for plane in range(64):
            for lane in range(8):
                tile[plane, lane] = planes[plane, word + lane] if plane < width else np.uint64(0)
        mask = np.uint64(0x00000000FFFFFFFF)
        step = 32
        while step:
            shift = np.uint64(step)
            for base in range(0, 64, 2 * step):
                for row in range(base, base + step):
                    for lane in range(8):
                        low, high = tile[row, lane], tile[row + step, lane]
                        swapped = ((low >> shift) ^ high) & mask
                        tile[row, lane] = low ^ (swapped << shift)
                        tile[row + step, lane] = high ^ swapped
            step >>= 1
            mask ^= mask << np.uint64(step)
        for lane in range(8):
            for row in range(64):
                column[(word + lane) * 64 + row] = tile[row, lane]


# ---- AND of replicated planes


def and_planes(a: Pair, left: Column, b: Pair, right: Column, masks: Pair, out: Column) -> None:
    """This server's summands of the products of planes `left[j]` of a and `right[j]` of b, into `out[j]`.

    a and b are the two components (own, next) of planes; `masks` the two streams whose ⊕ is a zero share, of out's shape.
    """
    if out.size < COMPILED_WORDS_MIN:
        and_twin(*a, left, *b, right, *masks, out)
    else:
        compiled(and_loop)(*map(_plain, a), left, *map(_plain, b), right, *masks, out)


def and_twin(
    a0: Column, a1: Column, left: Column, b0: Column, b1: Column, right: Column, mask0: Column, mask1: Column, out: Column
) -> None:
    """As `and_loop`, by whole arrays."""
    b_own = b0[right]
    out[:] = (a0[left] & (b_own ^ b1[right])) ^ (a1[left] & b_own) ^ mask0 ^ mask1


def and_loop(
    a0: Column, a1: Column, left: Column, b0: Column, b1: Column, right: Column, mask0: Column, mask1: Column, out: Column
) -> None:
    for j in range(out.shape[0]):
        x0, x1, y0, y1 = a0[left[j]], a1[left[j]], b0[right[j]], b1[right[j]]
        m0, m1, z = mask0[j], mask1[j], out[j]
        for word in range(z.shape[0]):
            z[word] = (x0[word] & (y0[word] ^ y1[word])) ^ (x1[word] & y0[word]) ^ m0[word] ^ m1[word]


def fold_planes(target: Column, rows: Column, source: Column) -> None:
    """⊕ plane j of the source into plane `rows[j]` of the target, in place. Needs: distinct rows."""
    if source.size < COMPILED_WORDS_MIN:
        target[rows] ^= source
    else:
        compiled(fold_loop)(target, rows, _plain(source))


def fold_loop(target: Column, rows: Column, source: Column) -> None:
    for j in range(source.shape[0]):
        into, by = target[rows[j]], source[j]
        for word in range(by.shape[0]):
            into[word] ^= by[word]
