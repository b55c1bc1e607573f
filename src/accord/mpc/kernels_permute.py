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

# ---- permutations


def swap_rows(permutation: Column, last: int, words: Column) -> int:
    """Fisher and Yates's shuffle from row `last` down, as far as these uint32 words reach; the row that is next.

    Row i changes places with a uniform row of 0 … i: the high half of word · (i + 1). A word whose low half is below 2^32 mod (i + 1)
    is rejected, so that every row is as likely as any other [Lemire19].
    """
    after = np.empty(1, np.int64)
    if permutation.size < COMPILED_WORDS_MIN:
        swap_twin(permutation, last, words, after)
    else:
        compiled(swap_loop)(permutation, last, words, after)
    return int(after[0])


def swap_twin(permutation: Column, last: int, words: Column, after: Column) -> None:
    """As `swap_loop`, on Python's lists: one row waits for the other, so that whole arrays do not help."""
    listed = permutation.tolist()
    swap_loop(listed, last, words.tolist(), after)
    permutation[:] = listed


def swap_loop(permutation: Column | list[int], last: int, words: Column | list[int], after: Column) -> None:
    i = last
    for at in range(len(words)):
        if i == 0:
            break
        scaled = words[at] * (i + 1)
        low = scaled & 0xFFFFFFFF
        if low <= i and low < (1 << 32) % (i + 1):
            continue
        j = scaled >> 32
        kept = permutation[i]
        permutation[i] = permutation[j]
        permutation[j] = kept
        i -= 1
    after[0] = i


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
    if ring.is_full or rows < COMPILED_WORDS_MIN:
        return ring.unpack(wire, rows)
    words = np.zeros((wire.size + 7) // 8 + 1, np.uint64)
    words.view(np.uint8)[: wire.size] = wire
    column = np.empty(rows, ring.dtype)
    compiled(unpack_loop)(words, ring.bits, column)
    return column


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


def unpack_loop(words: Column, bits: int, column: Column) -> None:
    """`words` has one word more than its bits fill."""
    keep = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    for k in range(column.size):
        first = k * bits
        word, shift = first >> 6, np.uint64(first & 63)
        # In two steps, since a shift by 64 has no meaning.
        above = (words[word + 1] << (np.uint64(63) - shift)) << np.uint64(1)
        column[k] = ((words[word] >> shift) | above) & keep


# ---- digits


def one_hot_rest(digits: Column, mask: Column, ring: Ring) -> Column:
    """Column v − 1 of the result: 1 where the digit is v, minus the mask of shape (rows, 2^D − 1), in the ring."""
    out = np.empty_like(mask)
    loop = rest_twin if out.size < COMPILED_WORDS_MIN else compiled(rest_loop)
    loop(plain(digits), plain(mask), ring.mask, out)
    return out


def rest_twin(digits: Column, mask: Column, keep: np.unsignedinteger, out: Column) -> None:
    """As `rest_loop`, by whole arrays."""
    hot = digits[:, None] == np.arange(1, mask.shape[1] + 1)
    out[:] = (hot.astype(mask.dtype) - mask) & keep


def rest_loop(digits: Column, mask: Column, keep: np.unsignedinteger, out: Column) -> None:
    wide = mask.reshape(-1)
    flat = out.reshape(-1)
    for at in range(flat.size):
        flat[at] = -wide[at] & keep
    for j in range(digits.size):
        if digits[j]:
            out[j, digits[j] - 1] = (out[j, digits[j] - 1] + 1) & keep


def one_hot_turned(parts: Column, digits: Column, one: int, mask: Column, ring: Ring) -> Column:
    """Summands of the one-hot of u ⊕ v from those of the one-hot of u, where `digits` are v; minus the mask, in the ring.

    Column w − 1 of `parts` belongs to w; what belongs to 0 is `one` minus the others.
    """
    out = np.empty_like(mask)
    loop = turn_twin if out.size < COMPILED_WORDS_MIN else compiled(turn_loop)
    loop(plain(parts), plain(digits), mask.dtype.type(one), plain(mask), ring.mask, out)
    return out


def turn_twin(parts: Column, digits: Column, one: np.unsignedinteger, mask: Column, keep: np.unsignedinteger, out: Column) -> None:
    """As `turn_loop`, by whole arrays."""
    every = np.column_stack([one - parts.sum(axis=1, dtype=parts.dtype), parts])
    turned = np.arange(1, every.shape[1]) ^ digits[:, None]
    out[:] = (np.take_along_axis(every, turned.astype(np.intp), axis=1) - mask) & keep


def turn_loop(parts: Column, digits: Column, one: np.unsignedinteger, mask: Column, keep: np.unsignedinteger, out: Column) -> None:
    values = parts.shape[1] + 1
    every = np.empty(values, parts.dtype)
    for j in range(digits.size):
        total = one
        for v in range(1, values):
            every[v] = parts[j, v - 1]
            total -= parts[j, v - 1]
        every[0] = total
        for v in range(1, values):
            out[j, v - 1] = (every[v ^ digits[j]] - mask[j, v - 1]) & keep


def column_sums(hot: Column) -> Column:
    """The sum of each column of (rows, 2^D − 1) elements, wrapping at their dtype."""
    totals = np.zeros(hot.shape[1], hot.dtype)
    if hot.size < COMPILED_WORDS_MIN:
        sums_twin(hot, totals)
    else:
        compiled(sums_loop)(plain(hot), totals)
    return totals


def sums_twin(hot: Column, totals: Column) -> None:
    """As `sums_loop`, by whole arrays."""
    totals += hot.sum(axis=0, dtype=hot.dtype)


def sums_loop(hot: Column, totals: Column) -> None:
    for j in range(hot.shape[0]):
        for v in range(totals.size):
            totals[v] += hot[j, v]


def destinations(hot: Pair, ones: tuple[int, int], before: Pair, out: Column) -> None:
    """This server's summands of Σ_v f_v(j) S_v(j) over the values v of a digit.

    `hot` holds the two components of f_1 … f_(2^D − 1), shape (rows, 2^D − 1); f_0 is `ones` minus their sum. S_v(j) is `before[v]` plus
    the sum of f_v over rows 0 … j; `before` (2^D elements each) is moved on to the last row.
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
        every = np.column_stack([one - hot.sum(axis=1, dtype=hot.dtype), hot])
        sums = before + np.cumsum(every, axis=0, dtype=hot.dtype)
        before[:] = sums[-1] if len(sums) else before
        sides.append((every, sums))
    (f0, s0), (f1, s1) = sides
    out[:] = (f0 * (s0 + s1) + f1 * s0).sum(axis=1, dtype=out.dtype)


def destination_loop(
    hot0: Column, hot1: Column, one0: np.unsignedinteger, one1: np.unsignedinteger, before0: Column, before1: Column, out: Column
) -> None:
    for j in range(hot0.shape[0]):
        total, zero0, zero1 = out.dtype.type(0), one0, one1
        for v in range(1, before0.size):
            f0, f1 = hot0[j, v - 1], hot1[j, v - 1]
            zero0 -= f0
            zero1 -= f1
            before0[v] += f0
            before1[v] += f1
            total += f0 * (before0[v] + before1[v]) + f1 * before0[v]
        before0[0] += zero0
        before1[0] += zero1
        out[j] = total + zero0 * (before0[0] + before1[0]) + zero1 * before0[0]
