"""One question answered three ways: by DuckDB on everybody's rows, by the placed plan run plainly, by three servers on shares.

The three share the parser and the types; DuckDB's answer knows nothing of plans, placement or shares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from accord.base.errors import OurFault, Refused
from accord.data.encode import encode, text_bytes
from accord.data.publics import PublicTable, load_public
from accord.data.read import connect, first_line
from accord.frame.exact import exact_sql
from accord.frame.oracle import local_field
from accord.frame.sql import parse, tree_to_plan
from accord.mpc.bits import bools_from_planes
from accord.mpc.share import Bits, Share
from accord.plan.evaluate import Plain
from accord.plan.facts import walk
from accord.plan.interpret import Table, concatenated, interpret
from accord.plan.lower import execute
from accord.plan.nodes import Field, Input, Limit, Node, Sort
from accord.plan.place import place
from accord.plan.secure_table import VALID, PublicColumn, SecureTable, bits_shared, from_input, grid, input_parts
from accord.plan.types import TEXT, Type
from accord.testing.tables import RandomWorld
from accord.testing.world import World
from accord.wire.local import Outcome, run_local

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WORD_BITS = 64


class Differs(AssertionError):
    """Two answers are not the same rows."""


@dataclass
class Asker:
    """Asks questions of one world; the databases are opened once."""

    world: RandomWorld
    connections: dict[str, DuckDBPyConnection] = field(default_factory=dict)

    def clear(self, tree: Any, plan: Node) -> Table:
        """DuckDB's answer over all owners' rows."""
        return answer(self._connection(""), exact_sql(tree, {}), plan)

    def inputs(self, placed: Node) -> dict[str, Table]:
        """What each owner's database gives for its steps."""
        leaves = {one.name: one for one in walk(placed) if isinstance(one, Input)}
        return {name: answer(self._connection(leaf.owner), leaf.sql, leaf) for name, leaf in leaves.items()}

    def _connection(self, owner: str) -> DuckDBPyConnection:
        """The database of an owner, or with "" of all of them together."""
        if owner not in self.connections:
            connection = connect()
            for name, info in self.world.catalog.tables.items():
                parts = [rows for holder, rows in self.world.held[name].items() if owner in ("", holder)]
                columns = tuple(local_field(Field(one.name, Type.of(one))) for one in info.schema.columns)
                if parts:
                    load_public(connection, name, PublicTable(columns, tuple(concatenated(parts).tuples())))
            for name, public in self.world.catalog.publics.items():
                load_public(connection, name, PublicTable(tuple(map(local_field, public.fields)), public.rows))
            self.connections[owner] = connection
        return self.connections[owner]

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()


def answer(connection: DuckDBPyConnection, sql: str, node: Node) -> Table:
    """What DuckDB gives for SQL that has a plan's columns."""
    import duckdb

    try:
        relation = encode(connection, "an answer", sql, tuple(map(local_field, node.fields)))
    except duckdb.Error as error:
        raise OurFault(f"DuckDB takes no {sql!r}: {first_line(error)}") from error
    return Table({one.name: Plain(relation.values[one.name], relation.nulls[one.name]) for one in node.fields}, relation.rows)


@dataclass(frozen=True)
class Question:
    """A question of a world, planned and placed. Raises Refused where it has no place."""

    sql: str
    asker: Asker

    @cached_property
    def _planned(self) -> tuple[Node, Any]:
        return tree_to_plan(parse(self.sql), self.asker.world.catalog, {}, None, self.sql)

    @property
    def plan(self) -> Node:
        return self._planned[0]

    @cached_property
    def placed(self) -> Node:
        return place(self.plan, self.asker.world.catalog)

    @cached_property
    def inputs(self) -> dict[str, Table]:
        return self.asker.inputs(self.placed)

    def clear(self) -> Table:
        """By DuckDB."""
        return self.asker.clear(self._planned[1], self.plan)

    def planned(self) -> Table:
        """By the plan as it was asked, on pooled rows."""
        return interpret(self.plan, self.asker.world.held)

    def plainly(self) -> Table:
        """By the placed plan, each owner's step run by its DuckDB, the rest plainly."""
        return interpret(self.placed, inputs=self.inputs)

    def after_rules(self) -> dict[str, Table]:
        """By the plan as each rule of placement left it, on rows as their owners hold them: up to the rule that shares."""
        found: dict[str, Node] = {}
        place(self.plan, self.asker.world.catalog, found.__setitem__)
        held = self.asker.world.held
        return {rule: interpret(node, held) for rule, node in found.items() if not any(isinstance(one, Input) for one in walk(node))}

    def on_shares(self, seed: int) -> Table:
        """By three servers. Raises Refused where a bound is exceeded, as recipients would be told."""
        return run_on_shares(self.placed, self.inputs, seed)


def assert_same(question: Question, first: Table, second: Table, which: str) -> None:
    """Raises Differs unless both hold the same rows, in the same order of what the question orders by."""
    names = tuple(one.name for one in question.plan.fields)
    rows = [Counter(one.tuples(names)) for one in (first, second)]
    if rows[0] != rows[1]:
        raise Differs(f"{which}\n{question.sql}\nonly the first has {dict(rows[0] - rows[1])}\nonly the second {dict(rows[1] - rows[0])}")
    if (sort := order_of(question.plan)) is not None:
        keys = [one.tuples(tuple(name for name, _ in sort.keys)) for one in (first, second)]
        if keys[0] != keys[1]:
            raise Differs(f"{which}\n{question.sql}\nin another order: {keys[0]} and {keys[1]}")


def order_of(node: Node) -> Sort | None:
    """The Sort whose order a plan's rows have, where its columns are among the plan's."""
    below = node.input if isinstance(node, Limit) else node
    return below if isinstance(below, Sort) else None


# ---- on shares


def run_on_shares(node: Node, inputs: Mapping[str, Table], seed: int) -> Table:
    """A placed plan on shares by three servers in one process, and its rows put together again."""
    return opened(node, outcome_on_shares(node, inputs, seed).results)


def outcome_on_shares(node: Node, inputs: Mapping[str, Table], seed: int, keep: bool = False) -> Outcome[SecureTable]:
    """The run itself; `keep` records every payload."""
    world = World(seed)
    held = dealt(world, node, inputs)
    return run_local([execute(me, node, held[me.index]) for me in world.parties()], keep=keep)


def dealt(world: World, node: Node, inputs: Mapping[str, Table]) -> list[dict[str, SecureTable]]:
    """Each server's tables of the inputs."""
    held: list[dict[str, SecureTable]] = [{}, {}, {}]
    for leaf in {one.name: one for one in walk(node) if isinstance(one, Input)}.values():
        columns = laid_out(leaf, inputs[leaf.name])
        widths = {part.name: part.width for part in input_parts(leaf) if part.kind == "bits"}
        shares = {name: world.deal_bits(one, widths[name]) if name in widths else world.deal(one) for name, one in columns.items()}
        for server, mine in enumerate(held):
            mine[leaf.name] = from_input(leaf, {name: one.at[server] for name, one in shares.items()})
    return held


def laid_out(node: Input, rows: Table) -> dict[str, Any]:
    """What an owner shares: its rows on the public grid, 0 and not valid where there are none; wide columns in words."""
    places = _places(node, rows)
    parts: dict[str, Any] = {part.name: np.zeros(part.rows, np.uint64 if part.kind == "bits" else np.int64) for part in input_parts(node)}
    parts[VALID][places] = 1
    keys = {name for name, _ in node.keys}
    for one in node.columns:
        if one.name in keys:
            continue
        column = rows.columns[one.name]
        if one.type.kind == TEXT:
            words = _words(column.values.tolist(), one.type)
            for at, word in enumerate(words):
                parts[one.name if len(words) == 1 else f"{one.name}?{at}"][places] = word
        else:
            parts[one.name][places] = np.where(column.nulls, 0, column.values)
        if one.type.nullable:
            parts[f"{one.name}?null"][places] = column.nulls
    return parts


def _places(node: Input, rows: Table) -> list[int]:
    """The grid's row for each row. Raises Differs where the owner's rows leave the grid that the plan promises."""
    keys = [name for name, _ in node.keys]
    cells = list(zip(*(grid(node)[name].tolist() for name in keys), strict=True)) if keys else [()] * node.rows
    free: dict[tuple[Any, ...], list[int]] = {}
    for at, cell in enumerate(cells):
        free.setdefault(cell, []).append(at)
    found = []
    for cell in rows.tuples(tuple(keys)):
        if not free.get(cell):
            raise Differs(f"{node.name} promises {node.slots} rows a key, and has more at {cell}")
        found.append(free[cell].pop(0))
    return found


def _words(texts: list[str], type: Type) -> list[Any]:
    """Texts as numbers, the last byte lowest, in words of 64 bits, the lowest first."""
    width = bits_shared(type)
    numbers = [int.from_bytes(bytes(one).ljust(width // 8, b"\0"), "big") for one in text_bytes(texts, type.bytes_max).tolist()]
    mask = (1 << WORD_BITS) - 1
    return [np.array([number >> low & mask for number in numbers], np.uint64) for low in range(0, width, WORD_BITS)]


def opened(node: Node, tables: list[SecureTable]) -> Table:
    """Three servers' table as plain rows: those that are there, in order. Raises Refused for a fault that was found on the way."""
    rows = tables[0].rows
    for number, (sentence, _) in enumerate(tables[0].faults):
        if _value([table.faults[number][1] for table in tables], 1)[0]:
            raise Refused(sentence)
    columns = {}
    for one in node.fields:
        at = [table.columns[one.name] for table in tables]
        first = at[0]
        if isinstance(first, PublicColumn):
            columns[one.name] = first.plain
        else:
            values = _value([column.value for column in at], rows, one.type)  # type: ignore[union-attr]
            columns[one.name] = Plain.of(values, _value([column.null for column in at], rows).astype(np.bool_))  # type: ignore[union-attr]
    valid = _value([table.valid for table in tables], rows).astype(np.bool_)
    return Table(columns, rows).take(np.flatnonzero(valid))


def _value(parts: list[Any], rows: int, type: Type | None = None) -> Any:
    """The plain column of three servers' shares, bits or public flags."""
    first = parts[0]
    if isinstance(first, Share):
        return first.ring.decode(sum((one.own for one in parts), first.ring.zeros(rows)))
    if isinstance(first, Bits):
        planes = [bools_from_planes(plane, rows) for plane in parts[0].own ^ parts[1].own ^ parts[2].own]
        if type is None or type.kind != TEXT:
            return planes[0].astype(np.int64)
        numbers = [sum(int(plane[row]) << at for at, plane in enumerate(planes)) for row in range(rows)]
        texts = [number.to_bytes(len(planes) // 8, "big").rstrip(b"\0").decode("utf-8", "replace") for number in numbers]
        return np.array([*texts, ""], object)[:-1]
    return np.full(rows, first) if isinstance(first, bool) else first
