"""Hot loops: each a plain loop that Numba compiles on first use, beside its NumPy twin.

A call takes the twin where the table is tiny (compiling costs more than it saves) and the compiled loop elsewhere; results are the
same to the bit, so servers need not agree on which one ran. Numba is imported by the first big table, not with this module.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from accord.base.ring import Column

Pair = tuple[Column, Column]
"""The two components that a server holds: own, next."""

WORD_BITS = 64
TILE_WORDS = 8
"""Words of a plane that one tile of a transpose holds: one cache line."""
TILE_ROWS = TILE_WORDS * WORD_BITS
COMPILED_WORDS_MIN = 1 << 12
"""Where fewer words (of a column, or of planes) than this are made, the NumPy twin runs."""


@cache
def compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """The loop as machine code, from Numba's cache on disk where it has been compiled before."""
    import numba

    numba.config.CACHE_DIR = numba.config.CACHE_DIR or cache_folder(__file__)  # type: ignore[attr-defined]
    return numba.njit(nogil=True, cache=True)(loop)


def cache_folder(file: str) -> str:
    """Where compiled loops are kept unless NUMBA_CACHE_DIR says: for an installed package the user's cache folder, since the next install
    would sweep away what lies beside the package. Empty for a source tree, which keeps them in `__pycache__`.

    Numba takes a file from there only where the source that it was made of is the same to the byte.
    """
    if not {"site-packages", "dist-packages"} & set(Path(file).parts):
        return ""
    return str(Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "accord" / "kernels")


def plain(array: Column) -> Column:
    """The array itself if it is C-contiguous, aligned and writeable, else a copy: a loop is compiled for that one kind."""
    return array if array.flags.carray else np.array(array, order="C")


# ---- transposes between columns and bit-planes


def planes_from_words(column: Column, width: int) -> Column:
    """The low `width` bits of uint64 words as bit-planes: (width, ⌈rows / 64⌉) uint64; pad bits are zero."""
    words = (column.shape[0] + WORD_BITS - 1) // WORD_BITS
    if words * WORD_BITS < COMPILED_WORDS_MIN:
        return planes_twin(column, width)
    planes = np.empty((width, _whole_tiles(words)), np.uint64)
    compiled(transpose_loop)(_padded(column, planes.shape[1] * WORD_BITS), planes, False)
    return planes if planes.shape[1] == words else np.ascontiguousarray(planes[:, :words])


def words_from_planes(planes: Column, rows: int) -> Column:
    """The inverse: `rows` uint64 words whose bit j is plane j's, for at most 64 planes."""
    words = planes.shape[1]
    if words * WORD_BITS < COMPILED_WORDS_MIN:
        return words_twin(planes, rows)
    if words % TILE_WORDS:
        planes = np.pad(planes, ((0, 0), (0, -words % TILE_WORDS)))
    column = np.empty(planes.shape[1] * WORD_BITS, np.uint64)
    compiled(transpose_loop)(column, plain(planes), True)
    return column[:rows]


def _whole_tiles(words: int) -> int:
    return (words + TILE_WORDS - 1) // TILE_WORDS * TILE_WORDS


def _padded(column: Column, rows: int) -> Column:
    if column.shape[0] == rows:
        return plain(column)
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


def transpose_loop(column: Column, planes: Column, back: bool) -> None:
    """Words to planes, or back, over whole tiles of 512 rows: eight 64 × 64 transposes side by side [Warren12].

    Row r of a tile's eight blocks is `tile[8 r … 8 r + 7]`. Each level swaps the blocks off the diagonal of squares of `step`
    rows; planes from `width` up are neither made nor read, so levels and rows that only concern them are left out.
    """
    width, words = planes.shape
    square = 1
    while square < width:
        square *= 2
    tile = np.empty(512, np.uint64)
    for word in range(0, words, 8):
        if back:
            tile[8 * width :] = 0
            for at in range(8 * width):
                tile[at] = planes[at // 8, word + at % 8]
        else:
            for lane in range(8):
                for row in range(64):
                    tile[8 * row + lane] = column[(word + lane) * 64 + row]
        for level in range(6):
            step = 1 << level if back else 32 >> level
            shift, span = np.uint64(step), 8 * step
            mask = np.uint64(0xFFFFFFFFFFFFFFFF) // ((np.uint64(1) << shift) | np.uint64(1))
            for first in range(0, 8 * max(2 * step, square), 2 * span):
                low, high = tile[first : first + span], tile[first + span : first + 2 * span]
                for at in range(span):
                    swapped = ((low[at] >> shift) ^ high[at]) & mask
                    low[at] ^= swapped << shift
                    high[at] ^= swapped
        if back:
            for lane in range(8):
                for row in range(64):
                    column[(word + lane) * 64 + row] = tile[8 * row + lane]
        else:
            for at in range(8 * width):
                planes[at // 8, word + at % 8] = tile[at]


# ---- AND of replicated planes


def and_planes(a: Pair, left: Column, b: Pair, right: Column, masks: Pair, out: Column) -> None:
    """This server's summands of the products of planes `left[j]` of a and `right[j]` of b, into `out[j]`.

    a and b are the two components (own, next) of planes; `masks` the two streams whose ⊕ is a zero share, of out's shape.
    """
    if out.size < COMPILED_WORDS_MIN:
        and_twin(*a, left, *b, right, *masks, out)
    else:
        compiled(and_loop)(*map(plain, a), left, *map(plain, b), right, *masks, out)


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


def fold_planes(target: Column, rows: Column, source: Column, added: int) -> None:
    """Plane j of the source is ⊕ed into plane `rows[j]` of the target for j < `added`, and replaces it from there on; in place.

    Needs: distinct rows.
    """
    if source.size < COMPILED_WORDS_MIN:
        fold_twin(target, rows, source, added)
    else:
        compiled(fold_loop)(target, rows, plain(source), added)


def fold_twin(target: Column, rows: Column, source: Column, added: int) -> None:
    """As `fold_loop`, by whole arrays."""
    target[rows[:added]] ^= source[:added]
    target[rows[added:]] = source[added:]


def fold_loop(target: Column, rows: Column, source: Column, added: int) -> None:
    for j in range(source.shape[0]):
        into, by = target[rows[j]], source[j]
        kept = np.uint64(0xFFFFFFFFFFFFFFFF) if j < added else np.uint64(0)
        for word in range(by.shape[0]):
            into[word] = (into[word] & kept) ^ by[word]


# ---- bits and ring elements


def flipped_sums(planes: Column, parts: list[Column], with_bits: bool, out: Column) -> None:
    """Σ_i 2^i (−1)^b parts[i] of every row into `out`, where b is the row's bit of plane i; plus b where `with_bits` is set.

    Parts and `out` are columns of one dtype; sums wrap.
    """
    out[:] = 0
    loop = flip_twin if out.size < COMPILED_WORDS_MIN else compiled(flip_loop)
    for i, part in enumerate(parts):
        loop(plain(planes[i]), plain(part), np.uint64(i), np.uint64(with_bits), out)


def flip_twin(plane: Column, part: Column, shift: np.uint64, one: np.uint64, out: Column) -> None:
    """As `flip_loop`, by whole arrays."""
    dtype = out.dtype.type
    bit = np.unpackbits(plane.view(np.uint8), count=out.size, bitorder="little").astype(bool)
    out += np.where(bit, dtype(one) - part, part) << dtype(shift)


def flip_loop(plane: Column, part: Column, shift: np.uint64, one: np.uint64, out: Column) -> None:
    for word in range(plane.shape[0]):
        bits, first = plane[word], 64 * word
        for i in range(min(64, out.shape[0] - first)):
            bit = (bits >> np.uint64(i)) & np.uint64(1)
            # x ⊕ (0 − b) + b is x or −x.
            flipped = (np.uint64(part[first + i]) ^ (np.uint64(0) - bit)) + bit + (bit & one)
            out[first + i] += flipped << shift
