"""Ideal twins: what each protocol computes, on plain values, so plainly that it needs no test.

Numbers are int64 columns, words uint64 columns, conditions boolean columns; public arguments are those of the protocol. `TWINS`
maps each protocol to its twin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt
from typing import Any

import numpy as np

from accord.base.ring import Column, Ring
from accord.mpc import (
    bits,
    compare,
    convert,
    division,
    expand,
    exponential,
    fixed,
    hash_keys,
    inputs,
    integer_root,
    laplace,
    logarithm,
    logistic,
    lookup,
    matmul,
    open,
    permute,
    product,
    quickselect,
    reciprocal,
    root,
    scan,
    segments,
    shuffle,
    sort,
    truncate,
    wide,
    wide_open,
    wide_words,
)

Columns = list[Column]

# ---- circuits on bits


def and_bits(a: Column, b: Column) -> Column:
    return a & b


def or_bits(a: Column, b: Column) -> Column:
    return a | b


def select_bits(condition: Column, a: Column, b: Column) -> Column:
    return np.where(condition, a, b)


def all_bits(a: Column, *, width: int) -> Column:
    return np.equal(a, (1 << width) - 1)


# ---- conversions


def bit_to_ring(b: Column, *, ring: Ring) -> Column:
    return ring.encode(b)


def to_bits(x: Column, *, bits: int) -> Column:
    return Ring(bits).encode(x).astype(np.uint64)


def to_ring(b: Column, *, ring: Ring) -> Column:
    return ring.encode(b)


def cast_up(x: Column, *, ring: Ring) -> Column:
    return ring.encode(x)


def carry(c: Column, r: Column, *, bits: int) -> Column:
    """Of two summands in [0, 2^bits), bits ≤ 63."""
    return (c + r) >> np.uint64(bits)


# ---- comparisons


def sign(x: Column, *, bits: int) -> Column:
    return np.less(x, 0)


def less_than(x: Column, y: Column, *, bits: int) -> Column:
    return np.less(x, y)


def is_zero(x: Column, *, bits: int) -> Column:
    return np.equal(x, 0)


def equality(x: Column, y: Column, *, bits: int) -> Column:
    return np.equal(x, y)


def minimum(x: Column, y: Column, *, bits: int) -> Column:
    return np.minimum(x, y)


def maximum(x: Column, y: Column, *, bits: int) -> Column:
    return np.maximum(x, y)


def less_than_bits(a: Column, b: Column) -> Column:
    return np.less(a, b)


def equality_bits(a: Column, b: Column) -> Column:
    return np.equal(a, b)


# ---- products, shifts, division


def multiply(x: Column, y: Column) -> Column:
    return x * y


def square(x: Column) -> Column:
    return x * x


def dot(x: Column, y: Column, *, starts: Column | None = None) -> Column:
    return np.add.reduceat(x * y, [0] if starts is None else starts)


def select(condition: Column, a: Column, b: Column) -> Column:
    return np.where(condition, a, b)


def floor_shift(x: Column, *, shift: int) -> Column:
    return x >> shift


def fixed_multiply(x: Column, y: Column, *, fraction_bits: int) -> Column:
    """What the protocol gives, or one less."""
    return x * y >> fraction_bits


def leading_zeros(word: Column, *, width: int) -> Column:
    return np.array([width - int(one).bit_length() for one in word], np.uint64)


def scaled(x: Column, low: Column, high: Column) -> Column:
    return x * low * np.where(high, 1 << 32, 1)


def shifted(x: Column, *, right: int) -> Column:
    """What the protocol gives, or one less."""
    return x >> right if right > 0 else x << -right


def inverse(b: Column, *, width: int) -> Column:
    """The `inverse` of a Reciprocal, within 3 units of 2^−30 relative."""
    return np.array([(1 << 30 + int(one).bit_length()) // int(one) for one in b])


def quotient(a: Column, b: Column, *, a_bits: int, b_bits: int) -> Column:
    return a // b


def add_own(x: Column, *, own: Sequence[Column]) -> Column:
    """`own`: what the three servers draw."""
    total: Column = np.add.reduce([x, *own])
    return total


def coins(bounds: Column, *, words: Column) -> Column:
    """`words`: a uniform one a row."""
    flipped: Column = (words < bounds).astype(np.int64)
    return flipped


def add_laplace(x: Column, *, bounds: Sequence[int], words: Column) -> Column:
    """`words`: a uniform one for each coin, a row for each bit of either geometric number."""
    flips = words < np.array([*bounds, *bounds], np.uint64)[:, None]
    weights = np.array([1 << at for at in range(len(bounds))])
    moved: Column = x + weights @ flips[: len(bounds)] - weights @ flips[len(bounds) :]
    return moved


def divide(a: Column, b: Column, *, fraction_bits: int, a_bits: int, b_bits: int) -> Column:
    """What the protocol gives, within its stated error."""
    return (a << fraction_bits) // b


def floor_root(x: Column, *, bits: int) -> Column:
    return np.array([isqrt(int(one)) for one in x], np.int64)


def headroom(x: Column, *, bits: int) -> Column:
    """For 0 what the protocol gives: its count of leading zeros is all ones there."""
    zeros = [bits - int(one).bit_length() if one else (1 << (bits - 1).bit_length()) - 1 for one in x]
    return np.array([1 << (count // 2) for count in zeros], np.int64)


# ---- hashes of keys


def hash_words(keys: list[list[int]], *, coins: list[bool], bits: int) -> list[list[int]]:
    """Of integers, with the coins that were tossed: bit i is the parity of the key's bits j with coins[i + j]."""
    masks = [sum(coin << j for j, coin in enumerate(coins[i:])) for i in range(bits)]
    return [[sum(((key & mask).bit_count() & 1) << i for i, mask in enumerate(masks)) for key in column] for column in keys]


# ---- tables: up to 2^m entries, read modulo 2^m


def look_up(index: Column, *, table: Column) -> Column:
    size = 1 << lookup.index_bits(len(table))
    return np.pad(table, (0, size - len(table)))[index.astype(np.int64) % size]


def one_hot(index: Column, *, entries: int) -> Column:
    """Row j is the protocol's column or plane j."""
    return np.equal(index.astype(np.int64) % (1 << lookup.index_bits(entries)), np.arange(entries)[:, None])


# ---- matrices: two-dimensional int64 arrays


def matrix_product(x: Column, y: Column) -> Column:
    return np.asarray(x @ y)


def fixed_matmul(x: Column, y: Column, *, fraction_bits: int) -> Column:
    """What the protocol gives, or one less."""
    return np.asarray(x @ y >> fraction_bits)


# ---- rows to other places


def apply(dest: Column, columns: Columns) -> Columns:
    return [column[np.argsort(dest)] for column in columns]


def gather(dest: Column, columns: Columns) -> Columns:
    return [column[dest] for column in columns]


def inverse_rows(dest: Column) -> Column:
    return np.argsort(dest)


def compose(first: Column, then: Column) -> Column:
    return then[first]


def order(key: Column) -> Column:
    """Row j of the sorted table is row order[j]. Keys of more than 64 bits are columns of Python's integers."""
    return np.array(sorted(range(len(key)), key=lambda j: int(key[j])), np.int64)


def sorted_columns(key: Column, columns: Columns) -> Columns:
    return gather(order(key), columns)


def at_ranks(key: Column, columns: Columns, *, ranks: list[int]) -> Columns:
    """The key, then the columns."""
    return [column[order(key)[ranks]] for column in (key, *columns)]


def order_statistics(x: Column, *, ranks: list[int], bits: int) -> Column:
    return np.sort(x)[ranks]


def partition(flag: Column, columns: Columns) -> Columns:
    return [np.concatenate([column[flag], column[~flag]]) for column in columns]


def compact(flag: Column, columns: Columns, *, rows_max: int) -> Columns:
    return [column[:rows_max] for column in partition(flag, [flag, *columns])]


def keep(flag: Column, columns: Columns) -> Columns:
    return [np.where(flag, column, column.dtype.type(0)) for column in columns]


def fill_down(header: Column, columns: Columns) -> Columns:
    last = np.maximum.accumulate(np.where(header, np.arange(len(header)), -1))
    return [np.where(last >= 0, column[last], column.dtype.type(0)) for column in columns]


def group_sums(last: Column, columns: Columns) -> Columns:
    """As many rows as there are groups; rows past the last `last` are in none."""
    ends = np.flatnonzero(last)
    return [np.diff(np.cumsum(column)[ends], prepend=0) for column in columns]


# ---- groups of rows that lie side by side


def segmented_scan(first: Column, x: Column, *, combine: Callable[[Any, Any], Any]) -> Column:
    found = x.copy()
    for j in range(1, len(x)):
        if not first[j]:
            found[j] = combine(found[j - 1], x[j])
    return found


def segmented_minimum(first: Column, x: Column, *, bits: int) -> Column:
    return segmented_scan(first, x, combine=min)


def segmented_maximum(first: Column, x: Column, *, bits: int) -> Column:
    return segmented_scan(first, x, combine=max)


def segmented_any(first: Column, flag: Column) -> Column:
    return segmented_scan(first, flag, combine=lambda before, here: before or here)


def segmented_last(first: Column, valid: Column, columns: Columns) -> Columns:
    """The flag, then the columns."""
    found = fill_down(first | valid, keep(valid, [valid, *columns]))
    return [found[0].astype(bool), *found[1:]]


def repeated(counts: Column, columns: Columns, *, rows_max: int) -> tuple[bool, Columns]:
    """Whether there are too many rows; of those that are real, the number of the copy, then the columns."""
    source = np.repeat(np.arange(len(counts)), counts)[:rows_max]
    number = [k for count in counts for k in range(int(count))]
    return int(counts.sum()) > rows_max, [np.array(number[:rows_max], np.int64), *(column[source] for column in columns)]


# ---- wide columns: Python integers in columns of objects; what fits stands above


def wide_to_bits(x: Column, *, bits: int) -> Column:
    return x % (1 << bits)


# ---- fixed-point functions: float64, in stored units; the protocols give a whole number within their stated errors


def sqrt(x: Column, *, bits: int, fraction_bits: int = 16) -> Column:
    return np.sqrt(np.ldexp(x, -fraction_bits)) * 2.0**fraction_bits


def inverse_sqrt(x: Column, *, bits: int, fraction_bits: int = 16) -> Column:
    return 2.0**fraction_bits / np.sqrt(np.ldexp(x, -fraction_bits))


def inverse_of(x: Column, *, bits: int, fraction_bits: int = 16) -> Column:
    return 2.0**fraction_bits / np.ldexp(x, -fraction_bits)


def exp(x: Column, *, low: int, high: int, fraction_bits: int = 16) -> Column:
    return np.exp(np.ldexp(x, -fraction_bits)) * 2.0**fraction_bits


def log(x: Column, *, bits: int, fraction_bits: int = 16) -> Column:
    return np.log(np.ldexp(x, -fraction_bits)) * 2.0**fraction_bits


def logistic_of(x: Column, *, low: int, high: int, fraction_bits: int = 16) -> Column:
    """By e^−|x|, so that nothing overflows."""
    small = np.exp(-np.abs(np.ldexp(x, -fraction_bits)))
    share: Column = np.where(x < 0, small, 1.0) / (1 + small) * 2.0**fraction_bits
    return share


# ---- in and out


def as_given(x: Column) -> Column:
    return x


TWINS: dict[Callable[..., Any], Callable[..., Any]] = {
    bits.all_bits: all_bits,
    bits.and_bits: and_bits,
    bits.or_bits: or_bits,
    bits.select_bits: select_bits,
    compare.equality: equality,
    compare.equality_bits: equality_bits,
    compare.is_zero: is_zero,
    compare.less_than: less_than,
    compare.less_than_bits: less_than_bits,
    compare.maximum: maximum,
    compare.minimum: minimum,
    compare.sign: sign,
    convert.bit_to_ring: bit_to_ring,
    convert.carry: carry,
    convert.cast_up: cast_up,
    convert.cast_up_signed: cast_up,
    convert.to_bits: to_bits,
    convert.to_ring: to_ring,
    convert.to_ring_adder: to_ring,
    convert.to_ring_direct: to_ring,
    division.divide: divide,
    division.quotient: quotient,
    expand.expand: repeated,
    exponential.exp: exp,
    fixed.fixed_multiply: fixed_multiply,
    hash_keys.hash_keys: hash_words,
    inputs.input_from: as_given,
    inputs.add_own: add_own,
    laplace.coins: coins,
    laplace.add_laplace: add_laplace,
    integer_root.floor_root: floor_root,
    logarithm.log: log,
    logistic.logistic: logistic_of,
    lookup.look_up: look_up,
    lookup.look_up_bits: look_up,
    lookup.look_up_each: look_up,
    lookup.one_hot: one_hot,
    lookup.one_hot_bits: one_hot,
    matmul.fixed_matmul: fixed_matmul,
    matmul.matmul: matrix_product,
    open.open_result: as_given,
    open.open_uniform: as_given,
    open.reveal: as_given,
    permute.apply: apply,
    permute.apply_first: apply,
    permute.compose: compose,
    permute.gather: gather,
    permute.inverse: inverse_rows,
    product.dot: dot,
    product.multiply: multiply,
    product.select: select,
    product.square: square,
    quickselect.order_statistics: order_statistics,
    quickselect.quickselect: at_ranks,
    reciprocal.headroom: headroom,
    reciprocal.leading_zeros: leading_zeros,
    reciprocal.reciprocal: inverse,
    reciprocal.scaled: scaled,
    reciprocal.shifted: shifted,
    root.inverse: inverse_of,
    root.inverse_sqrt: inverse_sqrt,
    root.sqrt: sqrt,
    scan.compact: compact,
    scan.fill_down: fill_down,
    scan.group_sums: group_sums,
    scan.keep: keep,
    scan.partition: partition,
    segments.segmented_any: segmented_any,
    segments.segmented_last: segmented_last,
    segments.segmented_maximum: segmented_maximum,
    segments.segmented_minimum: segmented_minimum,
    segments.segmented_scan: segmented_scan,
    shuffle.shuffle: as_given,
    shuffle.unshuffle: as_given,
    sort.order: order,
    sort.sort: sorted_columns,
    truncate.floor_shift: floor_shift,
    truncate.truncate: floor_shift,
    wide.dot_wide: dot,
    wide.equality_wide: equality,
    wide.floor_to_ring: floor_shift,
    wide.is_zero_wide: is_zero,
    wide.less_than_wide: less_than,
    wide.multiply_wide: multiply,
    wide.sign_wide: sign,
    wide.truncate_to_ring: floor_shift,
    wide.truncate_wide: floor_shift,
    wide.wide_to_bits: wide_to_bits,
    wide.widen: as_given,
    wide_open.open_result_wide: as_given,
    wide_open.reveal_wide: as_given,
    wide_words.bit_to_wide: as_given,
    wide_words.floor_wide: floor_shift,
    wide_words.select_wide: select,
    wide_words.to_wide: as_given,
}
