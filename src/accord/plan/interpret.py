"""A plan run plainly on rows that all stand in one place: what every node means.

Computes public tables, and is the oracle of placement and lowering. A row that is not valid on shares is simply not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from accord.base.errors import Refused
from accord.plan.evaluate import Plain, evaluate
from accord.plan.faults import repeated_keys
from accord.plan.interpret_aggregate import aggregate
from accord.plan.interpret_join import join
from accord.plan.interpret_window import window
from accord.plan.nodes import (
    Aggregate,
    Concatenate,
    Field,
    Filter,
    Input,
    Join,
    Limit,
    Local,
    Node,
    Project,
    Promise,
    Public,
    Scan,
    Sort,
    Window,
)
from accord.plan.plain_table import Table, concatenated, in_order, plain, sort_rank
from accord.plan.types import TEXT

__all__ = ["Pooled", "Table", "concatenated", "interpret", "plain", "sort_rank"]

Pooled = Mapping[str, Mapping[str, Table]]
"""Table name to owner to that owner's rows."""


def interpret(node: Node, pooled: Pooled | None = None, inputs: Mapping[str, Table] | None = None) -> Table:
    """The rows of a plan: placed over `inputs` by name, unplaced over `pooled`. Columns stand in the order of the node's fields.

    Raises Refused where a join has more rows than its declared bound, or keys repeat that the study promises not to, as recipients would
    be told.
    """
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
            return _typed(self.inputs[node.name], node.fields)
        if isinstance(node, Public):
            return _typed(Table.of(tuple(field.name for field in node.fields), node.rows), node.fields)
        return _STEPS[type(node)](node, *(self.table(one) for one in node.inputs))

    def _owners(self, node: Local) -> list[str]:
        from accord.plan.facts import tables_of

        return list(dict.fromkeys(owner for name in tables_of(node) for owner in self.pooled[name]))

    def _scanned(self, node: Scan) -> Table:
        held = self.pooled[node.table]
        parts = [_typed(table, node.fields) for owner, table in held.items() if self.owner in (None, owner)]
        return concatenated(parts) if parts else _typed(next(iter(held.values())), node.fields).take(np.zeros(0, np.intp))


def _typed(table: Table, fields: tuple[Field, ...]) -> Table:
    """The fields' columns; a text column that holds no text is one all the same."""
    columns = {}
    for one in fields:
        column = table.columns[one.name]
        bare = one.type.kind == TEXT and column.values.dtype != object
        columns[one.name] = Plain.empty(one.type, table.rows) if bare else column
    return Table(columns, table.rows)


def _filter(node: Filter, table: Table) -> Table:
    holds = evaluate(node.predicate, table.columns, table.rows)
    return table.take(np.flatnonzero((holds.values != 0) & ~holds.nulls))


def _project(node: Project, table: Table) -> Table:
    return Table({name: evaluate(expression, table.columns, table.rows) for name, expression in node.columns}, table.rows)


def _sort(node: Sort, table: Table) -> Table:
    keys = [(table.columns[name], node.field(name).type, descending) for name, descending in node.keys]
    return table.take(in_order(keys, table.rows))


def _limit(node: Limit, table: Table) -> Table:
    return table.take(np.arange(table.rows)[node.offset : node.offset + node.count])


def _promise(node: Promise, table: Table, *keys: Table) -> Table:
    for name, one in zip(node.tables, keys, strict=True):
        rows = one.tuples()
        if len(set(rows)) < len(rows):
            raise Refused(repeated_keys(name, tuple(one.columns)))
    return table


_STEPS: dict[type[Node], Callable[..., Table]] = {
    Filter: _filter,
    Project: _project,
    Join: join,
    Aggregate: aggregate,
    Window: window,
    Sort: _sort,
    Limit: _limit,
    Promise: _promise,
    Concatenate: lambda node, *parts: concatenated(list(parts)),
}
