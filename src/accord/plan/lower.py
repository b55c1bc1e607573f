"""From a placed plan to protocols: runs each node of the plan on shares, and foretells what that costs.

Equal subtrees run once; nodes that do not need each other run side by side. Every choice here depends on public facts alone, so
that all servers make the same ones and traffic tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import OurFault
from accord.mpc.cost import Cost
from accord.mpc.party import LAN, Party, Profile
from accord.mpc.share import Bits
from accord.plan.clock import Work
from accord.plan.expression import Call, Expression
from accord.plan.facts import renamed
from accord.plan.interpret import sort_rank
from accord.plan.nodes import Aggregate, Concatenate, Filter, Input, Join, Limit, Node, Project, Promise, Public, Sort, Window
from accord.plan.noised import Noised, noised
from accord.plan.secure_aggregate import aggregate
from accord.plan.secure_calls import count, count_work, shape_of, zeros
from accord.plan.secure_expression import compute
from accord.plan.secure_flags import Flag, all_of
from accord.plan.secure_flow import Step, flow
from accord.plan.secure_group import aggregate_secretly
from accord.plan.secure_join import join
from accord.plan.secure_match import join_secretly
from accord.plan.secure_order import limit, sort_secretly
from accord.plan.secure_promise import keeps_promises
from accord.plan.secure_range import join_by_time
from accord.plan.secure_rows import concatenated
from accord.plan.secure_table import Column, PublicColumn, SecretColumn, SecureTable, from_input, input_parts
from accord.plan.secure_window import window_secretly
from accord.plan.trim import moves_rows
from accord.plan.types import CATEGORY
from accord.wire.exchange import Protocol


async def execute(me: Party, node: Node, inputs: Mapping[str, SecureTable]) -> SecureTable:
    """The table of a placed plan on shares; `inputs` by the names of its Input leaves.

    Learns: nobody anything. Every opening is left to the gate. Raises OurFault for a plan that is not placed.
    """
    return (await execute_all(me, (node,), inputs))[0]


async def execute_all(me: Party, nodes: tuple[Node, ...], inputs: Mapping[str, SecureTable]) -> list[SecureTable]:
    """The tables of several plans; what they have in common runs once."""
    order = distinct(nodes)
    places = {id(one): at for at, (_, alike) in enumerate(order) for one in alike}
    steps = [
        Step(tuple(places[id(child)] for child in node.inputs), partial(_run, me.step(f"{at}.{type(node).__name__.lower()}"), node, inputs))
        for at, (node, _) in enumerate(order)
    ]
    results = await flow(steps)
    return [results[places[id(node)]] for node in nodes]


def distinct(nodes: tuple[Node, ...]) -> list[tuple[Node, list[Node]]]:
    """Every distinct node below and with these, inputs first, each with all nodes that equal it."""
    found: dict[Any, tuple[Node, list[Node]]] = {}
    keys: dict[int, int] = {}

    def visit(node: Node) -> int:
        if id(node) not in keys:
            children = tuple(visit(child) for child in node.inputs)
            own = tuple(value for name, value in vars(node).items() if name in node.__dataclass_fields__ and not _holds_nodes(value))
            same = found.setdefault((type(node), children, own), (node, []))
            same[1].append(node)
            keys[id(node)] = id(same[0])
        return keys[id(node)]

    for node in nodes:
        visit(node)
    return list(found.values())


def _holds_nodes(value: Any) -> bool:
    return isinstance(value, Node) or (isinstance(value, tuple) and bool(value) and isinstance(value[0], Node))


async def _run(me: Party, node: Node, inputs: Mapping[str, SecureTable], *tables: SecureTable) -> SecureTable:
    if isinstance(node, Input):
        return inputs[node.name]
    if type(node) not in _LOWERED:
        raise OurFault(f"{type(node).__name__} in a plan to be run on shares", do="place the plan first")
    if tables and not isinstance(node, Concatenate) and any(table.rows == 0 for table in tables):
        if _is_empty(node, tables):
            return _empty(node)
        tables = tuple(table if table.rows else _absent(table) for table in tables)
    made = await _LOWERED[type(node)](me, node, *tables)
    faults = {id(bits): (sentence, bits) for one in (*tables, made) for sentence, bits in one.faults}
    return replace(made, faults=tuple(faults.values()))


def _is_empty(node: Node, tables: tuple[SecureTable, ...]) -> bool:
    """Whether an input without rows leaves none; a left join keeps its left rows, an aggregate without keys has one."""
    return bool(tables[0].rows == 0 or (isinstance(node, Join) and node.kind not in ("left", "anti"))) and not (
        isinstance(node, Aggregate) and not node.keys
    )


def _empty(node: Node) -> SecureTable:
    none = np.zeros(0, np.int64)
    return SecureTable(0, {one.name: PublicColumn(one.type, none, none.astype(np.bool_)) for one in node.fields})


def _absent(table: SecureTable) -> SecureTable:
    """One row that is not there, in place of none."""
    columns = {name: PublicColumn(one.type, np.zeros(1, np.int64), np.ones(1, np.bool_)) for name, one in table.columns.items()}
    return SecureTable(1, columns, np.zeros(1, np.bool_))


# ---- one node


async def _public(me: Party, node: Public) -> SecureTable:
    columns: dict[str, Column] = {}
    for at, one in enumerate(node.columns):
        given = [row[at] for row in node.rows]
        nulls = np.array([value is None for value in given], np.bool_)
        columns[one.name] = PublicColumn(one.type, np.array([value or 0 for value in given], np.int64), nulls)
    return SecureTable(len(node.rows), columns)


async def _filter(me: Party, node: Filter, table: SecureTable) -> SecureTable:
    """Conjuncts on public columns choose rows in the open; the others lower `valid`."""
    conjuncts = _conjuncts(node.predicate)
    flags: list[Flag] = []
    for column in await compute(me.step("predicate"), table, conjuncts):
        if isinstance(column, PublicColumn):
            flags.append((column.values != 0) & ~column.nulls)
        else:
            assert isinstance(column.value, Bits)
            flags.append(column.value)
    public = [one for one in flags if not isinstance(one, bool | Bits)]
    secret = [one for one in flags if isinstance(one, Bits)]
    valid = await all_of(me.step("valid"), [table.valid, *secret])
    lowered = SecureTable(table.rows, table.columns if not secret else _unclean(table.columns), valid, runs=table.runs)
    return lowered.take(np.logical_and.reduce(public)) if public else lowered


def _conjuncts(predicate: Expression) -> list[Expression]:
    if isinstance(predicate, Call) and predicate.function == "and":
        return [one for argument in predicate.arguments for one in _conjuncts(argument)]
    return [predicate]


def _unclean(columns: Mapping[str, Column]) -> dict[str, Column]:
    return {name: replace(one, clean=False) if isinstance(one, SecretColumn) else one for name, one in columns.items()}


async def _project(me: Party, node: Project, table: SecureTable) -> SecureTable:
    columns = await compute(me, table, [expression for _, expression in node.columns])
    runs = tuple(_renamed(node, one) for one in table.runs if all(renamed(node, frozenset({name})) for name in one))
    return replace(table, columns=dict(zip((name for name, _ in node.columns), columns, strict=True)), runs=runs)


def _renamed(node: Project, names: frozenset[str]) -> frozenset[str]:
    return frozenset(renamed(node, names).values())


async def _concatenate(me: Party, node: Concatenate, *tables: SecureTable) -> SecureTable:
    return concatenated(me, node.fields, tables)


async def _join(me: Party, node: Join, left: SecureTable, right: SecureTable) -> SecureTable:
    how = join_by_time if node.match else join if node.is_public else join_secretly
    return await how(me, node, left, right)


async def _aggregate(me: Party, node: Aggregate, table: SecureTable) -> SecureTable:
    return await (aggregate if node.is_public else aggregate_secretly)(me, node, table)


async def _sort(me: Party, node: Sort, table: SecureTable) -> SecureTable:
    """By the keys in order; texts by their letters, NULL last either way, equal rows as they stood."""
    if not node.is_public:
        return await sort_secretly(me, node, table)
    parts: list[NDArray[Any]] = []
    for name, descending in node.keys:
        column = table.public(name)
        rank = column.values
        if column.type.kind == CATEGORY:
            rank = sort_rank(column.plain, column.type)
        parts += [column.nulls, -rank if descending else rank]
    return table.take(np.lexsort(parts[::-1])) if parts else table


async def _limit(me: Party, node: Limit, table: SecureTable) -> SecureTable:
    return await limit(me, node, table)


async def _window(me: Party, node: Window, table: SecureTable) -> SecureTable:
    return await window_secretly(me, node, table)


_LOWERED: dict[type[Node], Callable[..., Protocol[SecureTable]]] = {
    Public: _public,
    Filter: _filter,
    Project: _project,
    Concatenate: _concatenate,
    Join: _join,
    Aggregate: _aggregate,
    Sort: _sort,
    Limit: _limit,
    Window: _window,
    Noised: noised,
    Promise: keeps_promises,
}


# ---- prediction


@dataclass(frozen=True)
class NodeCost:
    """What one node adds: rows of its table, rounds, bytes and work if it ran alone."""

    node: Node
    rows: int
    cost: Cost
    work: Work

    @property
    def moves_rows(self) -> bool:
        """Whether servers open the row numbers of a permutation in it."""
        return moves_rows(self.node) and self.cost.rounds > 0


def cost(node: Node, profile: Profile = LAN) -> Cost:
    """Rounds, and bytes of all three servers, that `execute` takes: the same text, run by a counter."""
    return count(lambda me: execute(me, node, stand_ins((node,))), profile)[1]


def node_costs(nodes: tuple[Node, ...], profile: Profile = LAN) -> list[NodeCost]:
    """Each distinct node's own cost, inputs first. Nodes side by side share rounds, so that these rounds add up to more than `cost`."""
    inputs, costs = stand_ins(nodes), []
    tables: dict[int, SecureTable] = {}
    for node, alike in distinct(nodes):
        below = [tables[id(one)] for one in node.inputs]
        table, price, work = count_work(partial(_alone, node, inputs, below), profile)
        tables.update({id(one): table for one in alike})
        costs.append(NodeCost(node, table.rows, price, work))
    return costs


async def _alone(node: Node, inputs: Mapping[str, SecureTable], below: list[SecureTable], me: Party) -> SecureTable:
    return await _run(me, node, inputs, *below)


def stand_ins(nodes: tuple[Node, ...]) -> dict[str, SecureTable]:
    """Tables of zeros in place of the inputs, for a counter."""
    leaves = [node for node, _ in distinct(nodes) if isinstance(node, Input)]
    return {one.name: from_input(one, {part.name: zeros(part.kind, part.width, part.rows) for part in input_parts(one)}) for one in leaves}


def public_layouts(nodes: tuple[Node, ...]) -> list[dict[str, PublicColumn]]:
    """The public columns of each plan's rows, known before anything is shared."""
    tables = shape_of(lambda me: execute_all(me, nodes, stand_ins(nodes)))
    return [{name: one for name, one in table.columns.items() if isinstance(one, PublicColumn)} for table in tables]


def has_one_row(node: Node) -> bool:
    """Whether a placed plan's table has one row, or room for one alone."""
    return shape_of(lambda me: execute(me, node, stand_ins((node,)))).rows <= 1


def faults_of(node: Node) -> tuple[str, ...]:
    """What a placed plan may find broken while it runs, as sentences."""
    return tuple(sentence for sentence, _ in _shape(node).faults)


def rows_of(node: Node) -> int:
    """How many rows a placed plan's table has, there or not."""
    return _shape(node).rows


def all_there(node: Node) -> bool:
    """Whether servers know that every row of a placed plan's table is there."""
    return _shape(node).valid is True


def _shape(node: Node) -> SecureTable:
    return shape_of(lambda me: execute(me, node, stand_ins((node,))))
