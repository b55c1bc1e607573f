"""A plan run plainly on rows that all stand in one place: what every node means.

Computes public tables, and is the oracle of placement and lowering. A row that is not valid on shares is simply not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import OurFault
from accord.plan.evaluate import Plain, evaluate
from accord.plan.expression import AggregateCall
from accord.plan.nodes import Aggregate, Concatenate, Filter, Input, Join, Local, Node, Project, Public, Scan, Sort
from accord.plan.types import CATEGORY, Type


@dataclass(frozen=True)
class Table:
    """Plain columns of `rows` rows each."""

    columns: dict[str, Plain]
    rows: int

    def take(self, rows: NDArray[Any]) -> Table:
        return Table({name: one.take(rows) for name, one in self.columns.items()}, len(rows))

    def tuples(self, names: tuple[str, ...] | None = None) -> list[tuple[int | None, ...]]:
        """The rows, None for NULL."""
        chosen = [self.columns[name] for name in (self.columns if names is None else names)]
        if not chosen:
            return [()] * self.rows
        cells = ([None if null else value for value, null in zip(one.values.tolist(), one.nulls.tolist(), strict=True)] for one in chosen)
        return list(zip(*cells, strict=True))

    @staticmethod
    def of(names: tuple[str, ...], rows: list[tuple[int | None, ...]]) -> Table:
        cells = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return Table({name: plain(values) for name, values in zip(names, cells, strict=True)}, len(rows))


def plain(values: tuple[int | None, ...]) -> Plain:
    """A column of integer forms, None for NULL."""
    return Plain(np.array([value or 0 for value in values], np.int64), np.array([value is None for value in values], np.bool_))


Pooled = Mapping[str, Mapping[str, Table]]
"""Table name to owner to that owner's rows."""


def interpret(node: Node, pooled: Pooled | None = None, inputs: Mapping[str, Table] | None = None) -> Table:
    """The rows of a plan: placed over `inputs` by name, unplaced over `pooled`. Columns stand in the order of the node's fields."""
    return _Run(pooled or {}, inputs or {}, None, {}).table(node)


@dataclass(frozen=True)
class _Run:
    pooled: Pooled
    inputs: Mapping[str, Table]
    owner: str | None
    done: dict[int, tuple[Node, Table]]

    def table(self, node: Node) -> Table:
        if id(node) not in self.done:
            self.done[id(node)] = (node, self._computed(node))
        return self.done[id(node)][1]

    def _computed(self, node: Node) -> Table:
        if isinstance(node, Scan):
            return self._scanned(node)
        if isinstance(node, Local):
            runs = [_Run(self.pooled, self.inputs, owner, {}) for owner in self._owners(node)]
            return concatenated([run.table(node.input) for run in runs])
        if isinstance(node, Input):
            return self.inputs[node.name]
        if isinstance(node, Public):
            return Table.of(tuple(field.name for field in node.fields), list(node.rows))
        return _STEPS[type(node)](node, *(self.table(one) for one in node.inputs))

    def _owners(self, node: Local) -> list[str]:
        from accord.plan.facts import tables_of

        return list(dict.fromkeys(owner for name in tables_of(node) for owner in self.pooled[name]))

    def _scanned(self, node: Scan) -> Table:
        held = self.pooled[node.table]
        parts = [table for owner, table in held.items() if self.owner in (None, owner)]
        whole = concatenated(parts) if parts else next(iter(held.values())).take(np.zeros(0, np.intp))
        return Table({field.name: whole.columns[field.name] for field in node.fields}, whole.rows)


def concatenated(parts: list[Table]) -> Table:
    """The rows of tables with the same columns."""
    columns = {
        name: Plain(np.concatenate([one.columns[name].values for one in parts]), np.concatenate([one.columns[name].nulls for one in parts]))
        for name in parts[0].columns
    }
    return Table(columns, sum(one.rows for one in parts))


def _filter(node: Filter, table: Table) -> Table:
    holds = evaluate(node.predicate, table.columns, table.rows)
    return table.take(np.flatnonzero((holds.values != 0) & ~holds.nulls))


def _project(node: Project, table: Table) -> Table:
    return Table({name: evaluate(expression, table.columns, table.rows) for name, expression in node.columns}, table.rows)


def _join(node: Join, left: Table, right: Table) -> Table:
    if node.kind not in ("inner", "left", "cross"):
        raise OurFault(f"a {node.kind} join in a plan", rule="inner, left and cross")
    matches: dict[tuple[int | None, ...], list[int]] = {}
    for row, key in enumerate(right.tuples(tuple(name for _, name in node.on))):
        if None not in key:
            matches.setdefault(key, []).append(row)
    pairs: list[tuple[int, int]] = []
    for row, key in enumerate(left.tuples(tuple(name for name, _ in node.on))):
        pairs += [(row, other) for other in matches.get(key, [-1] if node.kind == "left" else [])]
    rows = np.array(pairs, np.intp).reshape(-1, 2)
    return Table(left.take(rows[:, 0]).columns | _padded(right, rows[:, 1]), len(pairs))


def _padded(table: Table, rows: NDArray[np.intp]) -> dict[str, Plain]:
    """The named rows of a table; row −1 is NULL."""
    missing = rows < 0
    if table.rows == 0:
        return {name: Plain(np.zeros(len(rows), np.int64), np.ones(len(rows), np.bool_)) for name in table.columns}
    taken = table.take(np.where(missing, 0, rows))
    return {name: Plain.of(one.values, one.nulls | missing) for name, one in taken.columns.items()}


def _aggregate(node: Aggregate, table: Table) -> Table:
    groups: dict[tuple[int | None, ...], list[int]] = {} if node.keys else {(): []}
    for row, key in enumerate(table.tuples(node.keys)):
        groups.setdefault(key, []).append(row)
    members = list(groups.values())
    keys = Table.of(node.keys, list(groups)).columns
    return Table(keys | {name: _aggregated(call, table, members) for name, call in node.aggregates}, len(members))


def _aggregated(call: AggregateCall, table: Table, members: list[list[int]]) -> Plain:
    if call.argument is None:
        return plain(tuple(len(rows) for rows in members))
    argument = evaluate(call.argument, table.columns, table.rows)
    values, nulls = argument.values.tolist(), argument.nulls.tolist()
    present = [[values[row] for row in rows if not nulls[row]] for rows in members]
    if call.function == "count":
        return plain(tuple(len(one) for one in present))
    combine: Any = {"sum": sum, "min": min, "max": max}[call.function]
    return plain(tuple(combine(one) if one else None for one in present))


def sort_rank(column: Plain, type: Type) -> NDArray[np.int64]:
    """What a Sort orders a column by: a category by its text, NULL last."""
    values = column.values
    if type.kind == CATEGORY:
        ranks = {code: rank for rank, code in enumerate(sorted(range(len(type.values)), key=lambda code: type.values[code].encode()))}
        values = np.array([ranks[code] for code in range(len(type.values))], np.int64)[np.where(column.nulls, 0, values)]
    return values


def _sort(node: Sort, table: Table) -> Table:
    order = np.arange(table.rows)
    for name, descending in reversed(node.keys):
        one = table.columns[name].take(order)
        rank = sort_rank(one, node.field(name).type)
        order = order[np.lexsort((-rank if descending else rank, one.nulls))]
    return table.take(order)


_STEPS: dict[type[Node], Callable[..., Table]] = {
    Filter: _filter,
    Project: _project,
    Join: _join,
    Aggregate: _aggregate,
    Sort: _sort,
    Concatenate: lambda node, *parts: concatenated(list(parts)),
}
