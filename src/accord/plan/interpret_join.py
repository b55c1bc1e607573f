"""What a join means: on plain rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import Refused
from accord.plan.evaluate import Plain
from accord.plan.faults import too_many_rows
from accord.plan.interpret_range import matched
from accord.plan.nodes import Join, Node
from accord.plan.plain_table import Rows, Table, numbered, padded
from accord.plan.types import Type


def join(node: Join, left: Table, right: Table) -> Table:
    """Rows in the order of the left rows, their partners in the order of the right ones; right rows without a partner last.

    Raises Refused where more pairs meet than a declared bound, unless a join has room for all: on public columns, or with a unique side.
    """
    keys = _keys(node, left, right)
    if node.is_choice:
        meets = np.isin(keys[0], keys[1]) & (keys[0] >= 0)
        if node.match:
            meets = np.isin(np.arange(left.rows), matched(node.match, keys, left.columns, right.columns)[0])
        return left.take(np.flatnonzero(meets == (node.kind == "semi")))
    firsts, seconds = matched(node.match, keys, left.columns, right.columns) if node.match else _pairs(*keys)
    if 0 < node.rows_max < len(firsts) and not (node.is_public or node.unique):
        raise Refused(too_many_rows(node))
    if node.kind in ("left", "full"):
        firsts, seconds = _with_unmatched(firsts, seconds, left.rows)
    if node.kind in ("right", "full"):
        seconds, firsts = _with_unmatched(seconds, firsts, right.rows, last=True)
    return Table(padded(left, firsts, _types(node.left)) | padded(right, seconds, _types(node.right)), len(firsts))


def _types(node: Node) -> dict[str, Type]:
    return {one.name: one.type for one in node.fields}


def _keys(node: Join, left: Table, right: Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each side's keys as numbers, equal where they agree; −1 where a key is NULL and so agrees with nothing."""
    both = [_stacked(left.columns[a], right.columns[b]) for a, b in node.on]
    numbers = numbered(both, left.rows + right.rows)
    if both and not node.nulls_agree:
        numbers = np.where(np.logical_or.reduce([one.nulls for one in both]), -1, numbers)
    return numbers[: left.rows], numbers[left.rows :]


def _stacked(first: Plain, second: Plain) -> Plain:
    return Plain(np.concatenate([first.values, second.values]), np.concatenate([first.nulls, second.nulls]))


def _pairs(lefts: NDArray[np.int64], rights: NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Row numbers of the rows that agree."""
    order = np.argsort(rights, kind="stable")
    found = rights[order]
    starts, ends = np.searchsorted(found, lefts, "left"), np.searchsorted(found, lefts, "right")
    counts = np.where(lefts < 0, 0, ends - starts)
    firsts = np.repeat(np.arange(len(lefts)), counts)
    within = np.arange(len(firsts)) - np.repeat(np.cumsum(counts) - counts, counts)
    return firsts, order[np.repeat(starts, counts) + within]


def _with_unmatched(firsts: Rows, seconds: Rows, rows: int, last: bool = False) -> tuple[Rows, Rows]:
    """The pairs and, for each row that is in none, one with −1: in the place of the row, or at the end."""
    alone = np.setdiff1d(np.arange(rows), firsts)
    firsts, seconds = np.concatenate([firsts, alone]), np.concatenate([seconds, np.full(len(alone), -1, np.intp)])
    order = np.arange(len(firsts)) if last else np.argsort(firsts, kind="stable")
    return firsts[order], seconds[order]
