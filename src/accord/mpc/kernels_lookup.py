"""Hot loops of look-ups, each beside its NumPy twin; chosen and compiled as in `kernels`.

A table of 2^m entries is given twice over, one copy after the other, so that entries from r on, cyclically, stand side by side.
"""

from __future__ import annotations

import numpy as np

from accord.base.ring import Column
from accord.mpc.kernels import COMPILED_WORDS_MIN, compiled, plain


def turned_sums(parts: Column, turns: Column, twice: Column, out: Column) -> None:
    """Σ_j parts[i, j] · table[(j + turns[i]) mod 2^m] of every row i into `out`, all of one dtype; sums wrap.

    `parts` is (rows, 2^m); `turns` are intp below 2^m.
    """
    loop = sums_twin if parts.size < COMPILED_WORDS_MIN else compiled(sums_loop)
    loop(plain(parts), turns, twice, out)


def sums_twin(parts: Column, turns: Column, twice: Column, out: Column) -> None:
    """As `sums_loop`, by whole arrays."""
    entries = twice[turns[:, None] + np.arange(parts.shape[1])]
    out[:] = (parts * entries).sum(axis=1, dtype=out.dtype)


def sums_loop(parts: Column, turns: Column, twice: Column, out: Column) -> None:
    for i in range(out.size):
        row, entries = parts[i], twice[turns[i] : turns[i] + parts.shape[1]]
        total = out.dtype.type(0)
        for j in range(row.size):
            total += row[j] * entries[j]
        out[i] = total


def turned_words(words: Column, turns: Column, twice: Column, out: Column) -> None:
    """⊕ of table[(j + turns[i]) mod 2^m] over the set bits j of every row i into `out`, uint64.

    `words` is (⌈2^m / 64⌉, rows) uint64: bit j of row i is bit j mod 64 of words[j // 64, i].
    """
    loop = words_twin if out.size * words.shape[0] * 64 < COMPILED_WORDS_MIN else compiled(words_loop)
    loop(plain(words), turns, twice, out)


def words_twin(words: Column, turns: Column, twice: Column, out: Column) -> None:
    """As `words_loop`, by whole arrays."""
    out[:] = 0
    for j in range(twice.size // 2):
        bit = words[j // 64] >> np.uint64(j % 64) & np.uint64(1)
        out ^= twice[turns + j] * bit


def words_loop(words: Column, turns: Column, twice: Column, out: Column) -> None:
    bits = min(64, twice.size // 2)
    for i in range(out.size):
        chosen = np.uint64(0)
        for k in range(words.shape[0]):
            word, entries = words[k, i], twice[turns[i] + 64 * k : turns[i] + 64 * k + bits]
            for j in range(bits):
                chosen ^= entries[j] & (np.uint64(0) - ((word >> np.uint64(j)) & np.uint64(1)))
        out[i] = chosen


def turn_words(words: Column, turns: Column, size: int) -> Column:
    """The words with bit j of row i moved to bit (j + turns[i]) mod `size`, a power of two; shape as in `turned_words`."""
    out = np.empty_like(words)
    loop = turn_twin if words.size < COMPILED_WORDS_MIN else compiled(turn_loop)
    loop(plain(words), turns, min(size, 64), out)
    return out


def turn_twin(words: Column, turns: Column, size: int, out: Column) -> None:
    """As `turn_loop`, by whole arrays."""
    up = (turns % size).astype(np.uint64)
    mask = np.uint64((1 << size) - 1)
    count, rows = words.shape
    # NumPy shifts by 64 give 0, as they should where a word is not turned.
    for k in range(count):
        here, below = ((k - turns // size - less) % count for less in (0, 1))
        every = np.arange(rows)
        out[k] = (words[here, every] << up | words[below, every] >> (np.uint64(size) - up)) & mask


def turn_loop(words: Column, turns: Column, size: int, out: Column) -> None:
    count = words.shape[0]
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - size)
    for i in range(words.shape[1]):
        skip, up = turns[i] // size, np.uint64(turns[i] % size)
        for k in range(count):
            here, below = words[(k - skip) % count, i], words[(k - skip - 1) % count, i]
            # Shifted by size in two steps: a machine takes a shift by 64 for none.
            out[k, i] = ((here << up) | ((below >> (np.uint64(size - 1) - up)) >> np.uint64(1))) & mask


def one_hot_planes(index: Column, planes: Column) -> None:
    """Set bit i of plane `index[i]` for every row i; the planes are zero before."""
    (hot_twin if index.size < COMPILED_WORDS_MIN else compiled(hot_loop))(index, planes)


def hot_twin(index: Column, planes: Column) -> None:
    """As `hot_loop`, by whole arrays."""
    rows = np.arange(index.size)
    np.bitwise_or.at(planes, (index, rows // 64), np.uint64(1) << (rows % 64).astype(np.uint64))


def hot_loop(index: Column, planes: Column) -> None:
    for i in range(index.size):
        planes[index[i], i // 64] |= np.uint64(1) << np.uint64(i % 64)
