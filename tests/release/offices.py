"""A small table to release: cells of pairs of offices, with counts that rules judge; dealt to three servers, gated, sealed, opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from accord.mpc.party import Party
from accord.plan.interpret import Table
from accord.plan.lower import execute
from accord.plan.nodes import Field, Input, Join, Project, Public
from accord.plan.secure_table import SecureTable
from accord.plan.types import BOOL, CATEGORY, DATE, DECIMAL, INT, Type
from accord.plan.typing import call, column, integer
from accord.release.gate import ReleasePart, release
from accord.release.rules import Rule
from accord.release.seal import Binding, ReleasedTable, Sealed, open_sealed, seal
from accord.release.spec import ByColumns, ReleaseSpec
from accord.testing.world import World
from accord.wire.local import Outcome, run_local
from tests.plan.lowering import deal

OFFICES = ("usa", "nld", "ita")
OFFICE = Type(CATEGORY, 0, 2, 0, OFFICES)
COLUMNS = (
    Field("seller", OFFICE, True),
    Field("buyer", OFFICE, True),
    Field("n", Type(INT, 0, 100)),
    Field("part", Type(INT, 0, 100, nullable=True)),
    Field("total", Type(DECIMAL, -(10**9), 10**9, 2, (), True)),
    Field("word", Type(CATEGORY, 0, 3, 0, ("none", "few", "some", "many"))),
    Field("open", Type(BOOL, nullable=True)),
    Field("since", Type(DATE, 0, 30000)),
)
NAMES = tuple(one.name for one in COLUMNS)
CELLS = Input("cells", "usa", "", (("seller", (0, 1, 2)), ("buyer", (0, 1, 2))), 1, COLUMNS)
_PAIRS = Public("pairs", (Field("a", OFFICE, True), Field("b", OFFICE, True)), tuple(product(range(3), range(3))))
_JOINED = Join(_PAIRS, CELLS, "left", (("a", "seller"), ("b", "buyer")))
GRID = Project(
    _JOINED,
    (
        ("seller", column(_JOINED.field("a"))),
        ("buyer", column(_JOINED.field("b"))),
        ("n", call("coalesce", column(_JOINED.field("n")), integer(0))),
        ("part", column(_JOINED.field("part"))),
    ),
)
"""Every pair of offices, 0 where it has no cell: all rows are there."""
BY_OFFICE = ByColumns(("seller", "buyer"), tuple((one, one) for one in OFFICES))
REASON = "each cell goes to its two offices only"

Row = tuple[int | None, ...]


def cell(
    seller: int, buyer: int, n: int, part: int | None = 1, total: int | None = 0, word: int = 0, flag: int | None = 0, since: int = 0
) -> Row:
    return (seller, buyer, n, part, total, word, flag, since)


def spec(*rules: Rule, recipients: Any = ("usa", "nld"), judged: Sequence[str] = (), reason: str = "", node: Any = CELLS) -> ReleaseSpec:
    return ReleaseSpec("cells", node, recipients, rules, tuple(judged), reason if rules or reason else REASON, "Cells of trade")


def gated(
    one: ReleaseSpec, rows: Sequence[Row], seed: int = 0, keep: bool = False, all_there: bool = False
) -> Outcome[dict[str, ReleasePart]]:
    """The three servers' parts by recipient. `all_there`: the servers know that no row is missing."""
    world = World(seed)
    held = deal(world, CELLS, {"cells": Table.of(NAMES, list(rows))})
    return run_local([_released(me, one, held[me.index]) for me in world.parties()], keep=keep)


async def _released(me: Party, one: ReleaseSpec, inputs: dict[str, SecureTable]) -> dict[str, ReleasePart]:
    return await release(me.step("gate"), one, await execute(me.step("plan"), one.node, inputs))


def key(name: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"."))


def binding(server: int, recipient: str = "usa", **changes: Any) -> Binding:
    return replace(Binding("5d" * 32, "run-1", "cells", recipient, server), **changes)


def sealed(parts: Sequence[dict[str, ReleasePart]], recipient: str = "usa", **changes: Any) -> list[Sealed]:
    public = key(recipient).public_key().public_bytes_raw()
    return [seal(part[recipient], binding(server, recipient, **changes), public) for server, part in enumerate(parts)]


def opened(one: ReleaseSpec, rows: Sequence[Row], recipient: str = "usa", **how: Any) -> ReleasedTable:
    """What the recipient holds in the end."""
    parts = gated(one, rows, **how).results
    return open_sealed([part.blob for part in sealed(parts, recipient)], key(recipient))


def combined(parts: Sequence[ReleasePart]) -> np.ndarray:
    """The sum (modulo 2^64) and the XOR of three payloads, word by word: all that can be made of them."""
    words = [np.frombuffer(part.payload, "<u8") for part in parts]
    return np.stack([words[0] + words[1] + words[2], words[0] ^ words[1] ^ words[2]])
