"""A table whose layout is secret, dealt to three servers as lowering leaves it: values, texts, NULLs, which rows are there, faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from accord.mpc.party import Party
from accord.mpc.share import Bits
from accord.plan.evaluate import Plain
from accord.plan.interpret import Table, interpret
from accord.plan.nodes import Field, Input, Limit, Node, Project, Sort
from accord.plan.secure_table import SecretColumn, SecureTable, bits_shared
from accord.plan.types import BOOL, DECIMAL, INT, TEXT, Type
from accord.plan.typing import column
from accord.release.gate import ReleasePart, release
from accord.release.rules import Rule
from accord.release.seal import ReleasedTable, open_sealed
from accord.release.spec import ReleaseSpec
from accord.testing.world import World
from accord.wire.local import Outcome, run_local
from tests.release.offices import key, sealed

SLOTS = 70
FIELDS = (
    Field("name", Type(TEXT, 0, 0, nullable=True, bytes_max=11)),
    Field("n", Type(INT, 0, 100)),
    Field("total", Type(DECIMAL, -(10**9), 10**9, 2, (), True)),
    Field("open", Type(BOOL, nullable=True)),
)
NAMES = tuple(one.name for one in FIELDS)
PEOPLE = Input("people", "usa", "", (), SLOTS, FIELDS)
BY_N = Limit(Project(Sort(PEOPLE, (("n", True),)), tuple((name, column(PEOPLE.field(name))) for name in NAMES)), SLOTS)
"""Rows that stand in an order which the question asks for."""

Row = tuple[Any, ...]


def spec(*rules: Rule, node: Node = PEOPLE, judged: Sequence[str] = ()) -> ReleaseSpec:
    return ReleaseSpec("cells", node, ("usa",), rules, tuple(judged), "" if rules else "a test")


def plain(rows: Sequence[Row]) -> dict[str, Plain]:
    if not rows:
        return {one.name: Plain.empty(one.type, 0) for one in FIELDS}
    return dict(interpret(PEOPLE, inputs={"people": Table.of(NAMES, list(rows))}).columns)


def spread(rows: Sequence[Row], seed: int, is_packed: bool) -> tuple[dict[str, Plain], np.ndarray]:
    """The rows in slots that the seed chooses, in their order, or at the front; garbage in the others."""
    rng = np.random.default_rng(seed)
    places = np.arange(len(rows)) if is_packed else np.sort(rng.permutation(SLOTS)[: len(rows)])
    valid = np.zeros(SLOTS, np.bool_)
    valid[places] = True
    columns = {}
    for one, held in plain(rows).items():
        column = np.full(SLOTS, "garbage", object) if held.values.dtype == object else rng.integers(0, 2, SLOTS)
        nulls = np.zeros(SLOTS, np.bool_)
        column[places], nulls[places] = held.values, held.nulls
        columns[one] = Plain(column, nulls)
    return columns, valid


def dealt_bits(world: World, values: Sequence[int], width: int) -> list[Bits]:
    """Words of any width."""
    words = {low: np.array([(value >> low) & (2**64 - 1) for value in values], np.uint64) for low in range(0, width, 64)}
    parts = [world.deal_bits(word, min(64, width - low)) for low, word in words.items()]
    return [Bits.stack([part.at[server] for part in parts]) for server in range(3)]


def deal(world: World, rows: Sequence[Row], is_packed: bool = False, faults: Sequence[tuple[str, bool]] = ()) -> list[SecureTable]:
    columns, valid = spread(rows, world.seed, is_packed)
    held: list[dict[str, Any]] = [{}, {}, {}]
    for one in FIELDS:
        values, width = columns[one.name].values, bits_shared(one.type)
        numbers = [int.from_bytes(text.encode().ljust(width // 8, b"\0"), "big") for text in values] if one.type.kind == TEXT else values
        secret = dealt_bits(world, [int(value) for value in numbers], width) if width else world.deal(values).at
        nulls = world.deal_bits(columns[one.name].nulls, 1).at if one.type.nullable else (False,) * 3
        for server in range(3):
            held[server][one.name] = SecretColumn(one.type, secret[server], nulls[server])
    there = world.deal_bits(valid, 1).at
    broken = [(sentence, world.deal_bits([flag], 1).at) for sentence, flag in faults]
    return [
        SecureTable(SLOTS, held[server], there[server], tuple((sentence, bits[server]) for sentence, bits in broken), is_packed)
        for server in range(3)
    ]


def gated(one: ReleaseSpec, rows: Sequence[Row], seed: int = 0, keep: bool = False, **how: Any) -> Outcome[dict[str, ReleasePart]]:
    world = World(seed)
    held = deal(world, rows, **how)

    async def run(me: Party) -> dict[str, ReleasePart]:
        return await release(me.step("gate"), one, replace(held[me.index]))

    return run_local([run(me) for me in world.parties()], keep=keep)


def opened(one: ReleaseSpec, rows: Sequence[Row], **how: Any) -> ReleasedTable:
    """What the recipient holds in the end."""
    return open_sealed([part.blob for part in sealed(gated(one, rows, **how).results)], key("usa"))
