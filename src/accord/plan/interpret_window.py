"""What a window function means: on plain rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accord.plan.evaluate import Plain, evaluate
from accord.plan.expression import WindowCall
from accord.plan.nodes import Window
from accord.plan.plain_table import Groups, Rows, Table, in_order, padded, sort_rank
from accord.plan.types import INT, Type


def window(node: Window, table: Table) -> Table:
    """The rows as they stand, with the new columns. Rows that the order leaves equal count in the order in which they stand."""
    layout = _Layout.of(node, table)
    back = np.empty(table.rows, np.intp)
    back[layout.order] = np.arange(table.rows)
    made = {name: _computed(call, table, layout).take(back) for name, call in node.calls}
    return Table(table.columns | made, table.rows)


@dataclass(frozen=True)
class _Layout:
    """Rows in order, partition by partition. For each of them, as places in that order: where its partition and its peers start and end."""

    order: Rows
    start: Rows
    end: Rows
    peers_start: Rows
    peers_end: Rows

    @staticmethod
    def of(node: Window, table: Table) -> _Layout:
        partition = Groups.by([table.columns[name] for name in node.partition], table.rows).of
        keys = [(table.columns[name], node.input.field(name).type, descending) for name, descending in node.order]
        sooner = [(Plain(partition, np.zeros(table.rows, np.bool_)), Type(INT), False)]
        order = in_order([*sooner, *keys], table.rows)
        peers = Groups.by([Plain(partition, sooner[0][0].nulls), *(column for column, _, _ in keys)], table.rows).of
        return _Layout(order, *_runs(partition[order]), *_runs(peers[order]))


def _runs(numbers: NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Where the run of equal numbers that each place is in starts, and ends (exclusively)."""
    breaks = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1)) if len(numbers) else np.zeros(0, np.intp)
    run = np.searchsorted(breaks, np.arange(len(numbers)), "right") - 1
    ends = np.append(breaks[1:], len(numbers))
    return breaks[run], ends[run]


def _computed(call: WindowCall, table: Table, layout: _Layout) -> Plain:
    """The call in each place."""
    if call.function in _RANKS:
        values = _RANKS[call.function](layout)
        return Plain(values.astype(np.int64), np.zeros(len(values), np.bool_))
    if call.argument is None:
        starts, ends = _frame(call, layout)
        return Plain((ends - starts).astype(np.int64), np.zeros(len(starts), np.bool_))
    argument = evaluate(call.argument, table.columns, table.rows).take(layout.order)
    return _OF_VALUES[call.function](call, argument, layout)


def _dense_rank(layout: _Layout) -> NDArray[np.int64]:
    is_new = layout.peers_start == np.arange(len(layout.order))
    before = np.cumsum(is_new)
    return before - before[layout.start] + 1 if len(before) else before


_RANKS: dict[str, Callable[[_Layout], NDArray[np.int64]]] = {
    "row_number": lambda layout: np.arange(len(layout.order)) - layout.start + 1,
    "rank": lambda layout: layout.peers_start - layout.start + 1,
    "dense_rank": _dense_rank,
}


def _frame(call: WindowCall, layout: _Layout) -> tuple[Rows, Rows]:
    """The places that a call looks at, from start to end (exclusively)."""
    unit, first, last = call.frame
    here = np.arange(len(layout.order))
    if unit == "range":
        starts = layout.start if first is None else layout.peers_start
        ends = layout.end if last is None else layout.peers_end
    else:
        starts = layout.start if first is None else np.clip(here + first, layout.start, layout.end)
        ends = layout.end if last is None else np.clip(here + last + 1, layout.start, layout.end)
    return starts, np.maximum(starts, ends)


def _at(call: WindowCall, argument: Plain, places: Rows) -> Plain:
    """The values at some places; NULL at −1."""
    assert call.argument is not None
    return padded(Table({"": argument}, len(places)), places, {"": call.argument.type})[""]


def _shifted(sign: int) -> Callable[[WindowCall, Plain, _Layout], Plain]:
    def shift(call: WindowCall, argument: Plain, layout: _Layout) -> Plain:
        places = np.arange(len(layout.order)) + sign * call.offset
        return _at(call, argument, np.where((places >= layout.start) & (places < layout.end), places, -1))

    return shift


def _first_value(call: WindowCall, argument: Plain, layout: _Layout) -> Plain:
    starts, ends = _frame(call, layout)
    return _at(call, argument, np.where(starts < ends, starts, -1))


def _last_value(call: WindowCall, argument: Plain, layout: _Layout) -> Plain:
    starts, ends = _frame(call, layout)
    return _at(call, argument, np.where(starts < ends, ends - 1, -1))


def _over(values: NDArray[np.int64], starts: Rows, ends: Rows) -> NDArray[np.int64]:
    """Sums over places from start to end."""
    sums = np.zeros(len(values) + 1, np.int64)
    sums[1:] = np.cumsum(values)
    return np.asarray(sums[ends] - sums[starts])


def _count(call: WindowCall, argument: Plain, layout: _Layout) -> Plain:
    counts = _over((~argument.nulls).astype(np.int64), *_frame(call, layout))
    return Plain(counts, np.zeros(len(counts), np.bool_))


def _sum(call: WindowCall, argument: Plain, layout: _Layout) -> Plain:
    return Plain.of(_over(argument.values, *_frame(call, layout)), _count(call, argument, layout).values == 0)


def _extreme(sign: int) -> Callable[[WindowCall, Plain, _Layout], Plain]:
    """The place of the least rank in each frame, by a table of the least over 2^k places."""

    def extreme(call: WindowCall, argument: Plain, layout: _Layout) -> Plain:
        assert call.argument is not None
        starts, ends = _frame(call, layout)
        rank = sign * sort_rank(argument, call.argument.type)
        order = np.lexsort((rank, argument.nulls))
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        best = _least(places, starts, ends)
        return _at(call, argument, np.where(starts < ends, np.append(order, -1)[best], -1))

    return extreme


def _least(numbers: NDArray[np.int64], starts: Rows, ends: Rows) -> NDArray[np.int64]:
    """The least number over places from start to end; −1 where there are none."""
    levels = [numbers]
    while 2 << (len(levels) - 1) <= len(numbers):
        step, last = 1 << (len(levels) - 1), levels[-1]
        levels.append(np.minimum(last, np.append(last[step:], last[len(last) - step :])))
    found = np.full(len(starts), -1, np.int64)
    lengths = ends - starts
    for level, table in enumerate(levels):
        here = np.flatnonzero((lengths >= 1 << level) & (lengths < 2 << level))
        found[here] = np.minimum(table[starts[here]], table[ends[here] - (1 << level)])
    return found


_OF_VALUES: dict[str, Callable[[WindowCall, Plain, _Layout], Plain]] = {
    "lag": _shifted(-1),
    "lead": _shifted(1),
    "first_value": _first_value,
    "last_value": _last_value,
    "count": _count,
    "sum": _sum,
    "min": _extreme(1),
    "max": _extreme(-1),
}
