"""Hot loops of permutations, sorting and packing, each beside its NumPy twin; chosen and compiled as in `kernels`.

A permutation is a uint32 column of row numbers in gather form: row k of the result is row `permutation[k]` of the source. Sums wrap
at the dtype's width and are cut by `keep`, the ring's mask.
"""

from __future__ import annotations

import numpy as np

from accord.base.ring import Column, Ring
from accord.mpc.kernels import COMPILED_WORDS_MIN, Pair, compiled, plain

ADD, SUBTRACT, XOR = 1, -1, 0
"""How a mask goes into a column."""
SPREAD_ROWS_MIN = 1 << 17
"""From here on a permutation goes in two steps: a column no longer fits the caches nearest to a core."""
TILE_ROWS = 256
"""Rows of a few columns that stay in a core's nearest cache."""

# ---- permutations


def swap_rows(permutation: Column, starts: Column, last: int, words: Column) -> int:
    """Fisher and Yates's shuffle of each run of rows that begins at `starts` (the first at 0), from row `last` down, as far as these uint32
    words reach; the row that is next, below 1 at the end.

    Row i changes places with a uniform row of its run up to i, of `size` rows: the high half of word · size. A word whose low half is below
    2^32 mod size is rejected, so that every row is as likely as any other [Lemire19].
    """
    after = np.empty(1, np.int64)
    if permutation.size < COMPILED_WORDS_MIN:
        swap_twin(permutation, starts, last, words, after)
    else:
        compiled(swap_loop)(permutation, starts, last, words, after)
    return int(after[0])


def swap_twin(permutation: Column, starts: Column, last: int, words: Column, after: Column) -> None:
    """As `swap_loop`, on Python's lists: one row waits for the other, so that whole arrays do not help."""
    listed = permutation.tolist()
    swap_loop(listed, starts.tolist(), last, words.tolist(), after)
    permutation[:] = listed


def swap_loop(permutation: Column | list[int], starts: Column | list[int], last: int, words: Column | list[int], after: Column) -> None:
    i, run = last, len(starts) - 1
    while starts[run] > i:
        run -= 1
    for at in range(len(words)):
        # The first row of a run stays; a run may be empty.
        while run >= 0 and i <= starts[run]:
            i = min(i, starts[run] - 1)
            run -= 1
        if run < 0:
            break
        size = i - starts[run] + 1
        scaled = words[at] * size
        low = scaled & 0xFFFFFFFF
        if low < size and low < (1 << 32) % size:
            continue
        j = starts[run] + (scaled >> 32)
        kept = permutation[i]
        permutation[i] = permutation[j]
        permutation[j] = kept
        i -= 1
    after[0] = i


def run_starts(runs: Column, count: int) -> Column:
    """Where each of `count` runs begins, if row j belongs to run `runs[j]`."""
    sizes = np.bincount(runs, minlength=count)
    return np.cumsum(np.r_[0, sizes[:-1]])


def spread(column: Column, runs: Column, starts: Column) -> Column:
    """The rows run by run, in the order they have."""
    out = np.empty_like(column)
    if column.size < COMPILED_WORDS_MIN:
        spread_twin(column, runs, starts, out)
    else:
        compiled(spread_loop)(plain(column), runs, starts.copy(), out)
    return out


def spread_twin(column: Column, runs: Column, starts: Column, out: Column) -> None:
    """As `spread_loop`, by whole arrays."""
    out[:] = column[np.argsort(runs, kind="stable")]


def spread_loop(column: Column, runs: Column, heads: Column, out: Column) -> None:
    for j in range(column.size):
        out[heads[runs[j]]] = column[j]
        heads[runs[j]] += 1


def inverted(permutation: Column) -> Column:
    """The permutation that undoes this one."""
    inverse = np.empty_like(permutation)
    scatter(permutation, np.arange(permutation.size, dtype=permutation.dtype), inverse)
    return inverse


def is_permutation(column: Column) -> bool:
    """Whether every row number stands in the column once."""
    if column.size < COMPILED_WORDS_MIN:
        return np.array_equal(np.sort(column), np.arange(column.size))
    marks = np.zeros(column.size, np.uint8)
    compiled(marks_loop)(plain(column), marks)
    return bool(marks.all())


def marks_loop(column: Column, marks: Column) -> None:
    for k in range(column.size):
        if column[k] < marks.size:
            marks[column[k]] = 1


# ---- rows to other places


def gather_masked(source: Column, index: Column, mask: Column, sign: int, ring: Ring) -> Column:
    """source[index] with the mask added, subtracted or ⊕ed, in the ring."""
    out = np.empty(index.shape[0], source.dtype)
    loop = gather_twin if out.size < COMPILED_WORDS_MIN else compiled(gather_loop)
    loop(plain(source), plain(index), plain(mask), sign, ring.mask, out)
    return out


def gather_twin(source: Column, index: Column, mask: Column, sign: int, keep: np.unsignedinteger, out: Column) -> None:
    """As `gather_loop`, by whole arrays."""
    rows = source[index]
    out[:] = (rows ^ mask if sign == XOR else rows + mask if sign == ADD else rows - mask) & keep


def gather_loop(source: Column, index: Column, mask: Column, sign: int, keep: np.unsignedinteger, out: Column) -> None:
    if sign == 0:
        for k in range(out.size):
            out[k] = source[index[k]] ^ mask[k]
    elif sign == 1:
        for k in range(out.size):
            out[k] = (source[index[k]] + mask[k]) & keep
    else:
        for k in range(out.size):
            out[k] = (source[index[k]] - mask[k]) & keep


def scatter(index: Column, rows: Column, out: Column) -> None:
    """Row k of `rows` into row `index[k]` of `out`. Needs: distinct row numbers of `out`."""
    if rows.size < COMPILED_WORDS_MIN:
        scatter_twin(index, rows, out)
    else:
        compiled(scatter_loop)(plain(index), plain(rows), out)


def scatter_twin(index: Column, rows: Column, out: Column) -> None:
    """As `scatter_loop`, by whole arrays."""
    out[index] = rows


def scatter_loop(index: Column, rows: Column, out: Column) -> None:
    for k in range(rows.size):
        out[index[k]] = rows[k]


# ---- packing to the bit


def pack(column: Column, ring: Ring) -> Column:
    """As `Ring.pack`: a full ring is viewed, others are packed to the bit, least significant first."""
    if ring.is_full or column.size < COMPILED_WORDS_MIN:
        return ring.pack(column)
    words = np.empty((column.size * ring.bits + 63) // 64, np.uint64)
    compiled(pack_loop)(plain(column), ring.bits, words)
    return words.view(np.uint8)[: ring.nbytes(column.size)]


def unpack(wire: Column, ring: Ring, rows: int) -> Column:
    """As `Ring.unpack`, the inverse."""
    if ring.is_full or rows < COMPILED_WORDS_MIN or ring.bits > SLIDING_BITS_MAX:
        return ring.unpack(wire, rows)
    column = np.empty(rows, ring.dtype)
    compiled(unpack_loop)(_sliding(wire), ring.bits, ring.mask, column)
    return column


SLIDING_BITS_MAX = 57
"""The 64 bits that begin at the byte of an element's first bit hold all of its bits up to this width."""


def _sliding(wire: Column) -> Column:
    """The words that begin at every byte, with zeros past the end."""
    padded = np.zeros(wire.size + 8, np.uint8)
    padded[: wire.size] = wire
    return np.ndarray((wire.size + 1,), np.uint64, padded, strides=(1,))


def pack_loop(column: Column, bits: int, words: Column) -> None:
    """Elements are below 2^bits."""
    held, fill, at = np.uint64(0), 0, 0
    for k in range(column.size):
        element = np.uint64(column[k])
        held |= element << np.uint64(fill)
        fill += bits
        if fill >= 64:
            words[at] = held
            at += 1
            fill -= 64
            # A shift by 64 has no meaning: nothing is left over then.
            held = element >> np.uint64(bits - fill) if fill else np.uint64(0)
    if fill:
        words[at] = held


def unpack_loop(sliding: Column, bits: int, keep: np.unsignedinteger, column: Column) -> None:
    for k in range(column.size):
        first = k * bits
        column[k] = (sliding[first >> 3] >> np.uint64(first & 7)) & np.uint64(keep)


# ---- digits
#
# A one-hot is held value by value: row v − 1 of (2^D − 1, rows) elements tells where the digit is v.


def one_hot_rest(digits: Column, mask: Column, ring: Ring) -> Column:
    """The one-hot of the digits minus a mask, in the ring."""
    out = np.empty_like(mask)
    loop = rest_twin if out.size < COMPILED_WORDS_MIN else compiled(rest_loop)
    loop(plain(digits), plain(mask), ring.mask, out)
    return out


def rest_twin(digits: Column, mask: Column, keep: np.unsignedinteger, out: Column) -> None:
    """As `rest_loop`, by whole arrays."""
    hot = digits == np.arange(1, mask.shape[0] + 1)[:, None]
    out[:] = (hot.astype(mask.dtype) - mask) & keep


def rest_loop(digits: Column, mask: Column, keep: np.unsignedinteger, out: Column) -> None:
    for v in range(out.shape[0]):
        known, rest = mask[v], out[v]
        for j in range(digits.size):
            rest[j] = (np.uint64(digits[j] == v + 1) - known[j]) & keep


def one_hot_turned(parts: Column, digits: Column, one: int, mask: Column, ring: Ring) -> Column:
    """Summands of the one-hot of u ⊕ v from those of the one-hot of u, where `digits` are v; minus a mask, in the ring.

    What belongs to the value 0 is `one` minus the others. For each bit of v, pairs of values change places where it is set: whole rows
    of a few thousand elements, which NumPy does as fast as a loop.
    """
    every = np.empty((parts.shape[0] + 1, digits.size), parts.dtype)
    every[1:] = parts
    np.subtract(parts.dtype.type(one), parts.sum(axis=0, dtype=parts.dtype), out=every[0])
    for level in range(parts.shape[0].bit_length()):
        chosen = np.uint8(0) - (digits >> np.uint8(level) & np.uint8(1))
        pairs = every.reshape(every.shape[0] >> (level + 1), 2, 1 << level, digits.size)
        swapped = (pairs[:, 0] ^ pairs[:, 1]) & chosen.astype(np.int8).astype(parts.dtype)
        pairs ^= swapped[:, None]
    turned = every[1:]
    turned -= mask
    turned &= ring.mask
    return turned


def one_hot_sums(hot: Column) -> Column:
    """How many rows have each value but 0, wrapping at the dtype."""
    sums: Column = hot.sum(axis=1, dtype=hot.dtype)
    return sums


def destinations(hot: Pair, ones: tuple[int, int], before: Pair, out: Column) -> None:
    """This server's summands of Σ_v f_v(j) S_v(j) over the values v of a digit.

    `hot` holds the two components of f_1 … f_(2^D − 1); f_0 is `ones` minus their sum. S_v(j) is `before[v]` plus the sum of f_v over
    rows 0 … j; `before` (2^D elements each) is moved on to the last row.
    """
    loop = destination_twin if hot[0].size < COMPILED_WORDS_MIN else compiled(destination_loop)
    one0, one1 = map(out.dtype.type, ones)
    loop(plain(hot[0]), plain(hot[1]), one0, one1, before[0], before[1], out)


def destination_twin(
    hot0: Column, hot1: Column, one0: np.unsignedinteger, one1: np.unsignedinteger, before0: Column, before1: Column, out: Column
) -> None:
    """As `destination_loop`, by whole arrays."""
    sides = []
    for hot, one, before in ((hot0, one0, before0), (hot1, one1, before1)):
        every = np.vstack([one - hot.sum(axis=0, dtype=hot.dtype), hot])
        sums = before[:, None] + np.cumsum(every, axis=1, dtype=hot.dtype)
        before += every.sum(axis=1, dtype=hot.dtype)
        sides.append((every, sums))
    (f0, s0), (f1, s1) = sides
    out[:] = (f0 * (s0 + s1) + f1 * s0).sum(axis=0, dtype=out.dtype)


def destination_loop(
    hot0: Column, hot1: Column, one0: np.unsignedinteger, one1: np.unsignedinteger, before0: Column, before1: Column, out: Column
) -> None:
    """Tile by tile: a running sum waits for the row before, products do not, so that the two go apart."""
    work = np.empty((4, TILE_ROWS), out.dtype)
    zero0, zero1, sums0, sums1 = work[0], work[1], work[2], work[3]
    for start in range(0, out.size, TILE_ROWS):
        count = min(TILE_ROWS, out.size - start)
        zero0[:], zero1[:] = one0, one1
        total = out[start : start + count]
        total[:] = 0
        # From the last value down: what is left for the value 0 is known at the end.
        for v in range(before0.size - 1, -1, -1):
            f0 = hot0[v - 1, start : start + count] if v else zero0[:count]
            f1 = hot1[v - 1, start : start + count] if v else zero1[:count]
            last0, last1 = before0[v], before1[v]
            for j in range(count):
                last0, last1 = out.dtype.type(last0 + f0[j]), out.dtype.type(last1 + f1[j])
                sums0[j], sums1[j] = last0, last1
            before0[v], before1[v] = last0, last1
            for j in range(count):
                total[j] += f0[j] * (sums0[j] + sums1[j]) + f1[j] * sums0[j]
            if v:
                for j in range(count):
                    zero0[j] -= f0[j]
                    zero1[j] -= f1[j]
