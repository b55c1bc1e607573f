"""What a group-by means: on plain rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.plan.evaluate import Plain, evaluate
from accord.plan.expression import AggregateCall
from accord.plan.largest import LARGEST, largest_of_groups, values_of
from accord.plan.nodes import Aggregate
from accord.plan.plain_table import Groups, Table, numbered, sort_rank
from accord.plan.types import Type


def aggregate(node: Aggregate, table: Table) -> Table:
    """Groups in the order of their first rows."""
    groups = Groups.by([table.columns[name] for name in node.keys], table.rows) if node.keys else Groups(*_everything(table.rows))
    keys = {name: table.columns[name].take(groups.first) for name in node.keys}
    return Table(keys | {name: _aggregated(call, table, groups) for name, call in node.aggregates}, groups.count)


def _everything(rows: int) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    return np.zeros(rows, np.int64), np.zeros(1, np.intp)


def _aggregated(call: AggregateCall, table: Table, groups: Groups) -> Plain:
    if call.argument is None:
        return _counted(groups.of, groups.count)
    if call.function == LARGEST:
        values = [evaluate(one, table.columns, table.rows) for one in values_of(call.argument)]
        return largest_of_groups(call, values, groups.of, groups.count)
    argument = evaluate(call.argument, table.columns, table.rows)
    there = np.flatnonzero(~argument.nulls)
    return _AGGREGATED[call.function](call, argument.take(there), groups.of[there], groups.count)


def _counted(of: NDArray[np.int64], count: int) -> Plain:
    return Plain(np.bincount(of, minlength=count).astype(np.int64), np.zeros(count, np.bool_))


def _count(_: AggregateCall, argument: Plain, of: NDArray[np.int64], count: int) -> Plain:
    return _counted(of, count)


def _count_distinct(_: AggregateCall, argument: Plain, of: NDArray[np.int64], count: int) -> Plain:
    pairs = numbered([Plain(of, argument.nulls), argument], len(of))
    return _counted(of[np.unique(pairs, return_index=True)[1]], count)


def _sum(_: AggregateCall, argument: Plain, of: NDArray[np.int64], count: int) -> Plain:
    totals = np.zeros(count, np.int64)
    np.add.at(totals, of, argument.values)
    return Plain(totals, np.bincount(of, minlength=count) == 0)


def _picked(place: Callable[[AggregateCall, NDArray[np.int64]], NDArray[Any]]) -> Callable[..., Plain]:
    """The value at a place among a group's values in order; NULL of none."""

    def pick(call: AggregateCall, argument: Plain, of: NDArray[np.int64], count: int) -> Plain:
        assert call.argument is not None
        counts = np.bincount(of, minlength=count)
        order = np.lexsort((sort_rank(argument, call.argument.type), of))
        starts = np.cumsum(counts) - counts
        rows = order[np.where(counts == 0, 0, starts + place(call, counts))] if len(order) else np.zeros(0, np.intp)
        return _or_null(call.argument.type, argument, rows, counts == 0)

    return pick


def _or_null(type: Type, argument: Plain, rows: NDArray[np.intp], nulls: NDArray[np.bool_]) -> Plain:
    return Plain.of(argument.values[rows], nulls) if len(rows) else Plain.empty(type, len(nulls))


def _quantile_place(call: AggregateCall, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The least value with at least the wanted share of the values at or below it."""
    assert call.quantile is not None
    share, of = call.quantile
    return np.maximum(-(-counts * share // of), 1) - 1


_least = _picked(lambda _, counts: np.zeros_like(counts))
_greatest = _picked(lambda _, counts: counts - 1)

_AGGREGATED: dict[str, Callable[..., Plain]] = {
    "sum": _sum,
    "count": _count,
    "count_distinct": _count_distinct,
    "min": _least,
    "max": _greatest,
    "bool_and": _least,
    "bool_or": _greatest,
    "quantile_disc": _picked(_quantile_place),
}
"""Function to its meaning: the call, the values that are not NULL, their groups, the number of groups."""
