"""What it means that a point lies in a range, or that a row is the nearest in time: on plain rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from accord.plan.evaluate import Flags, Integers, Plain
from accord.plan.nodes import AsOf, Between
from accord.plan.plain_table import Rows

Columns = Mapping[str, Plain]
Keys = tuple[Integers, Integers]
"""Of each side, numbers that are equal where rows agree; −1 for rows that agree with none."""


def matched(match: Between | AsOf, keys: Keys, left: Columns, right: Columns) -> tuple[Rows, Rows]:
    """Row numbers of both sides for each pair that meets, by left row and then by right row."""
    pairs = _between(match, keys, left, right) if isinstance(match, Between) else _as_of(match, keys, left, right)
    order = np.lexsort(pairs[::-1])
    return pairs[0][order], pairs[1][order]


def _between(match: Between, keys: Keys, left: Columns, right: Columns) -> tuple[Rows, Rows]:
    points, ranges = (left, right) if match.is_left else (right, left)
    mine, others = keys if match.is_left else keys[::-1]
    times, starts, ends = _ranked([points[match.point], ranges[match.start], ranges[match.end]])
    codes, known = _codes(mine, times, len(times) + 2 * len(starts))
    begins, valid = _codes(others, starts, len(times) + 2 * len(starts))
    upto, ending = _codes(others, ends, len(times) + 2 * len(starts))
    rows = np.flatnonzero(known)
    order = rows[np.argsort(codes[rows], kind="stable")]
    first = np.searchsorted(codes[order], begins, "left" if match.closed[0] else "right")
    last = np.searchsorted(codes[order], upto, "right" if match.closed[1] else "left")
    counts = np.where(valid & ending, np.maximum(last - first, 0), 0)
    of_range = np.repeat(np.arange(len(starts)), counts)
    inside = np.arange(len(of_range)) - np.repeat(np.cumsum(counts) - counts, counts)
    of_point = order[np.repeat(first, counts) + inside]
    return (of_point, of_range) if match.is_left else (of_range, of_point)


def _as_of(match: AsOf, keys: Keys, left: Columns, right: Columns) -> tuple[Rows, Rows]:
    asked, held = _ranked([left[match.left], right[match.right]])
    mine, known = _codes(keys[0], asked, len(asked) + len(held))
    others, there = _codes(keys[1], held, len(asked) + len(held))
    order = np.flatnonzero(there)[np.argsort(others[there], kind="stable")]
    place = np.searchsorted(others[order], mine, "right" if match.function in ("ge", "lt") else "left") - int(match.is_backward)
    known &= (place >= 0) & (place < len(order))
    firsts = np.flatnonzero(known)
    seconds = order[place[firsts]]
    same = keys[0][firsts] == keys[1][seconds]
    return firsts[same], seconds[same]


def _ranked(columns: Sequence[Plain]) -> list[Integers]:
    """Places of values among those of all columns; −1 for NULL."""
    _, ranks = np.unique(np.concatenate([one.values for one in columns]), return_inverse=True)
    nulls = np.concatenate([one.nulls for one in columns])
    return np.split(np.where(nulls, -1, ranks), np.cumsum([len(one.values) for one in columns])[:-1])


def _codes(keys: Integers, ranks: Integers, ranks_max: int) -> tuple[Integers, Flags]:
    """One number for key and rank, in their order; and which rows have both. Below the square of the rows."""
    return keys * ranks_max + ranks, (keys >= 0) & (ranks >= 0)
