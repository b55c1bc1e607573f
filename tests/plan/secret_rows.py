"""Small tables of secret columns with NULLs, ties and extremes; plans over them, run on shares and plainly."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from accord.mpc.cost import Cost
from accord.plan.facts import walk
from accord.plan.interpret import Table, interpret
from accord.plan.lower import cost
from accord.plan.nodes import Field, Filter, Input, Node
from accord.plan.place import require_placed
from accord.plan.secure_table import SecureTable
from accord.plan.types import BOOL, CATEGORY, DATE, DECIMAL, INT, Type
from accord.plan.typing import call, column, integer
from tests.plan.lowering import run

FIELDS = (
    Field("key", Type(INT, -3, 4, nullable=True)),
    Field("id", Type(INT, 0, 40)),
    Field("group", Type(CATEGORY, 0, 2, values=("b", "c", "a"), nullable=True)),
    Field("day", Type(DATE, 19_000, 19_002)),
    Field("x", Type(INT, -(1 << 40), 1 << 40, nullable=True)),
    Field("price", Type(DECIMAL, 0, 5_000, 2)),
    Field("ok", Type(BOOL, nullable=True)),
    Field("sure", Type(BOOL)),
)


def held(name: str, prefix: str = "", rows: int = 24) -> Input:
    """The input of an owner that shares every column secretly."""
    return Input(name, name, "", (), rows, tuple(Field(prefix + one.name, one.type) for one in FIELDS))


def chosen(node: Node) -> Filter:
    """Some of the rows: the others are not there and have values all the same."""
    name = next(one.name for one in node.fields if one.name.endswith("id"))
    return Filter(node, call("lt", column(node.field(name)), integer(30)))


def random_table(node: Input, seed: int, unique: str = "") -> Table:
    """Rows for an input; no two of them agree on the column `unique`."""
    chance = random.Random(seed)
    rows: list[tuple[int | None, ...]] = []
    count = chance.choice((0, 1, node.slots // 2, node.slots, node.slots))
    for _ in range(count):
        rows.append(tuple(_value(chance, one.type) for one in node.columns))
    table = Table.of(tuple(one.name for one in node.columns), rows)
    if unique:
        keys = table.tuples((unique,))
        table = Table.of(tuple(one.name for one in node.columns), [row for at, row in enumerate(rows) if keys[at] not in keys[:at]])
    return table


def _value(chance: random.Random, type: Type) -> int | None:
    if type.nullable and chance.random() < 0.25:
        return None
    return chance.choice((type.low, type.high, min(max(0, type.low), type.high), chance.randint(type.low, type.high)))


def both_ways(node: Node, tables: dict[str, Table], seed: int) -> tuple[Table, Table]:
    """The plan run plainly, and on shares; fails where the cost foretold is not the one measured."""
    require_placed(node)
    foretold = cost(node)
    secure, outcome = run(node, tables, seed)
    measured = Cost(outcome.rounds, outcome.bytes_sent)
    assert foretold == measured, f"foretold {foretold}, measured {measured}"
    return interpret(node, inputs=tables), secure


def assert_same_rows(node: Node, seed: int, unique: dict[str, str] | None = None, ordered: bool = False) -> list[tuple[Any, ...]]:
    """Fails unless both ways give the same rows (in the same order); returns them."""
    inputs = {one.name: one for one in walk(node) if isinstance(one, Input)}
    tables = {name: random_table(one, seed + at, (unique or {}).get(name, "")) for at, (name, one) in enumerate(sorted(inputs.items()))}
    plain, secure = both_ways(node, tables, seed)
    names = tuple(one.name for one in node.fields)
    wanted, got = plain.tuples(names), secure.tuples(names)
    if ordered:
        assert wanted == got, f"seed {seed}"
    else:
        assert Counter(wanted) == Counter(got), (
            f"seed {seed}: plain {Counter(wanted) - Counter(got)}, shares {Counter(got) - Counter(wanted)}"
        )
    return got


__all__ = ["SecureTable", "assert_same_rows", "both_ways", "chosen", "held", "random_table"]
