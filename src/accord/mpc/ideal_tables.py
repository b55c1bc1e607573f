"""Ideal twins of groups and joins, on plain values, as in `ideal`: what each computes, one row after the other.

Keys are integers of any width. A group is the list of its rows' numbers; results over groups have one row a group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from accord.base.ring import Column
from accord.mpc import group, join, join_many, join_range
from accord.mpc import group_largest as group_largest_of

Key = Sequence[int]
Pairs = list[tuple[int, int]]

# ---- groups


class Arranged(NamedTuple):
    """The numbers of the rows in their order, and of each group's rows."""

    order: list[int]
    groups: list[list[int]]

    @property
    def first(self) -> Column:
        return np.isin(self.order, [rows[0] for rows in self.groups])

    @property
    def last(self) -> Column:
        return np.isin(self.order, [rows[-1] for rows in self.groups])


def arrange(key: Key, *, valid: Column | None = None, within: Key | None = None) -> Arranged:
    order = sorted(range(len(key)), key=lambda j: (valid is not None and not valid[j], key[j], 0 if within is None else within[j]))
    groups = dict[int, list[int]]()
    for j in order:
        if valid is None or valid[j]:
            groups.setdefault(int(key[j]), []).append(j)
    return Arranged(order, list(groups.values()))


def run_ends(key: Key, valid: Column | None = None) -> tuple[Column, Column]:
    """Of rows that lie in the order of their keys."""
    arranged = arrange(key, valid=valid)
    return arranged.first, arranged.last


def group_counts(arranged: Arranged) -> Column:
    return np.array([len(rows) for rows in arranged.groups], np.int64)


def group_sums(arranged: Arranged, column: Column) -> Column:
    return np.array([column[rows].sum() for rows in arranged.groups], np.int64)


def to_rows(arranged: Arranged, column: Column) -> Column:
    """A value of each group in every row, in the order of the arrangement."""
    of = {j: number for number, rows in enumerate(arranged.groups) for j in rows}
    return np.array([column[of[j]] if j in of else 0 for j in arranged.order], column.dtype)


def ranked(arranged: Arranged, counted: Column | None) -> list[list[int]]:
    """The rows of each group that count."""
    return [[j for j in rows if counted is None or counted[j]] for rows in arranged.groups]


def group_extremes(arranged: Arranged, column: Column, *, counted: Column | None = None) -> list[tuple[Any, Any] | None]:
    """In the first and the last row that counts; None without one."""
    return [(column[rows[0]], column[rows[-1]]) if rows else None for rows in ranked(arranged, counted)]


def group_largest(arranged: Arranged, value: Column, ranks: int, *, counted: Column | None = None) -> list[list[int]]:
    """The values of the last rows that count, the last first; 0 where there are fewer."""
    found = [[int(value[j]) for j in rows[::-1][:ranks]] for rows in ranked(arranged, counted)]
    return [one + [0] * (ranks - len(one)) for one in found]


def group_quantile(arranged: Arranged, value: Column, q: Fraction, *, counted: Column | None = None) -> list[int | None]:
    """Times q's denominator."""
    found = list[int | None]()
    for rows in ranked(arranged, counted):
        low, rest = divmod(q * max(len(rows) - 1, 0), 1)
        pair = [int(value[j]) for j in rows[low : low + 2]]
        found.append(int(q.denominator * (pair[0] + rest * (pair[-1] - pair[0]))) if rows else None)
    return found


def group_median(arranged: Arranged, value: Column, *, counted: Column | None = None) -> list[int | None]:
    return group_quantile(arranged, value, Fraction(1, 2), counted=counted)


def group_quantile_discrete(arranged: Arranged, column: Column, q: Fraction, *, counted: Column | None = None) -> list[Any]:
    """In the first row that has a share of at least q up to it."""
    found = ranked(arranged, counted)
    return [next(column[j] for number, j in enumerate(rows, 1) if number >= q * len(rows)) if rows else None for rows in found]


# ---- joins: the number of the left row for each right row, or None


def has_duplicate(key: Key, valid: Column) -> bool:
    there = [int(one) for one, is_there in zip(key, valid, strict=True) if is_there]
    return len(there) > len(set(there))


def merge(left_key: Key, right_key: Key) -> list[int]:
    """The order of the rows of both tables, the left ones first."""
    return arrange([*left_key, *right_key]).order


def last_left(left_key: Key, right_key: Key) -> list[int | None]:
    """At or before each right row, in the order of the keys."""
    every = np.ones(len(left_key), bool)
    return join_as_of([0] * len(left_key), left_key, every, [0] * len(right_key), right_key, np.ones(len(right_key), bool))


def sums_upto(order: Key, columns: Sequence[Column], right_rows: int) -> list[Column]:
    """Given the order of the rows of both tables."""
    left, place = len(order) - right_rows, np.argsort(order)
    return [np.array([column[place[:left] < one].sum() for one in place[left:]], column.dtype) for column in columns]


def join_pk_fk(left_key: Key, left_valid: Column, right_key: Key, right_valid: Column) -> list[int | None]:
    none = [0] * len(left_key)
    return join_as_of(left_key, none, left_valid, right_key, [0] * len(right_key), right_valid)


def join_as_of(left_key: Key, left_time: Key, left_valid: Column, right_key: Key, right_time: Key, right_valid: Column) -> list[int | None]:
    found = list[int | None]()
    for key, time, is_valid in zip(right_key, right_time, right_valid, strict=True):
        fit = [i for i, one in enumerate(left_key) if is_valid and left_valid[i] and one == key and left_time[i] <= time]
        found.append(max(fit, key=lambda i: (left_time[i], i)) if fit else None)
    return found


def pairs(left_key: Key, left_valid: Column, right_key: Key, right_valid: Column) -> Pairs:
    """Numbers of left and right rows, in the order of the keys."""
    left, right = (np.flatnonzero(valid).tolist() for valid in (left_valid, right_valid))
    return sorted(((i, j) for i in left for j in right if left_key[i] == right_key[j]), key=lambda pair: left_key[pair[0]])


def count_partners(left_key: Key, left_valid: Column, right_key: Key, right_valid: Column) -> tuple[Column, Column]:
    found = pairs(left_key, left_valid, right_key, right_valid)
    left, right = ([pair[side] for pair in found] for side in (0, 1))
    return np.bincount(left, minlength=len(left_key)), np.bincount(right, minlength=len(right_key))


def left_matched(left_key: Key, left_valid: Column, right_key: Key, right_valid: Column) -> Column:
    return count_partners(left_key, left_valid, right_key, right_valid)[0] > 0


def in_key_order(right_key: Key, flag: Column) -> list[int]:
    """The numbers of the right rows in their new order."""
    return sorted(range(len(right_key)), key=lambda j: (not flag[j], right_key[j]))


def sums_by_left(left_rows: int, partner: list[int | None], column: Column) -> Column:
    """Given the number of the left row of each right row."""
    return np.array([sum(int(x) for x, one in zip(column, partner, strict=True) if one == i) for i in range(left_rows)], np.int64)


# ---- points and ranges


Ranges = Sequence[tuple[int, int, int, bool]]
"""Key, start, end and validity of each."""


def between(key: Key, time: Key, valid: Column, ranges: Ranges, closed: tuple[bool, bool] = (True, True)) -> list[list[int]]:
    """The numbers of the points in each range, in the order of their times. An end that is not `closed` is no part of its range."""
    found = list[list[int]]()
    for range_key, start, end, is_valid in ranges:
        alike = [i for i, one in enumerate(key) if is_valid and valid[i] and one == range_key]
        inside = [i for i in alike if (start <= time[i] if closed[0] else start < time[i])]
        inside = [i for i in inside if (time[i] <= end if closed[1] else time[i] < end)]
        found.append(sorted(inside, key=lambda i: time[i]))
    return found


def count_between(key: Key, time: Key, valid: Column, ranges: Ranges, closed: tuple[bool, bool] = (True, True)) -> list[int]:
    return [len(one) for one in between(key, time, valid, ranges, closed)]


def count_ranges(key: Key, time: Key, valid: Column, ranges: Ranges, closed: tuple[bool, bool] = (True, True)) -> list[int]:
    inside = [i for one in between(key, time, valid, ranges, closed) for i in one]
    return [inside.count(i) for i in range(len(key))]


def join_between(key: Key, time: Key, valid: Column, ranges: Ranges, closed: tuple[bool, bool] = (True, True)) -> Pairs:
    """Numbers of points and ranges."""
    return [(i, j) for j, one in enumerate(between(key, time, valid, ranges, closed)) for i in one]


def fetch(place: Column, columns: Sequence[Column]) -> list[Column]:
    return [column[place] for column in columns]


TWINS: dict[Callable[..., Any], Callable[..., Any]] = {
    group.aggregate: group_sums,
    group.arrange: arrange,
    group.group_counts: group_counts,
    group.group_extremes: group_extremes,
    group.group_median: group_median,
    group_largest_of.group_largest: group_largest,
    group.group_quantile: group_quantile,
    group.group_quantile_discrete: group_quantile_discrete,
    group.over_rows: to_rows,
    group.run_ends: run_ends,
    group.to_rows: to_rows,
    join.has_duplicate: has_duplicate,
    join.in_key_order: in_key_order,
    join.join_as_of: join_as_of,
    join.join_pk_fk: join_pk_fk,
    join.last_left: last_left,
    join.left_matched: left_matched,
    join.merge: merge,
    join.sums_by_left: sums_by_left,
    join.sums_upto: sums_upto,
    join_many.count_partners: count_partners,
    join_many.join_many: pairs,
    join_range.count_between: count_between,
    join_range.count_ranges: count_ranges,
    join_range.fetch: fetch,
    join_range.join_between: join_between,
}
