"""Placed plans run on shares by three servers in one process, and what they give put together again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from accord.mpc.bits import bools_from_planes
from accord.mpc.party import LAN, Profile
from accord.mpc.share import Bits, Share
from accord.plan.evaluate import Plain
from accord.plan.facts import walk
from accord.plan.interpret import Table
from accord.plan.lower import execute
from accord.plan.nodes import Input, Node
from accord.plan.secure_table import VALID, PublicColumn, SecureTable, from_input, grid, input_parts
from accord.plan.types import BOOL
from accord.testing.world import World
from accord.wire.local import Outcome, run_local


def laid_out(node: Input, rows: Table) -> dict[str, Any]:
    """What the owner shares: its rows on the public grid, 0 and not valid where there are none."""
    keys = [name for name, _ in node.keys]
    cells = list(zip(*(grid(node)[name].tolist() for name in keys), strict=True)) if keys else [()] * node.rows
    free: dict[tuple[int, ...], list[int]] = {}
    for place, cell in enumerate(cells):
        free.setdefault(cell, []).append(place)
    places = [free[cell].pop(0) for cell in rows.tuples(tuple(keys))]  # type: ignore[index]
    parts: dict[str, Any] = {part.name: np.zeros(part.rows, np.bool_ if part.kind == "bits" else np.int64) for part in input_parts(node)}
    parts[VALID][places] = True
    for one in node.columns:
        if one.name not in keys:
            column = rows.columns[one.name]
            parts[one.name][places] = np.where(column.nulls, 0, column.values)
            if one.type.nullable:
                parts[f"{one.name}?null"][places] = column.nulls
    return parts


def deal(world: World, node: Node, tables: Mapping[str, Table]) -> list[dict[str, SecureTable]]:
    """Each server's input tables."""
    held: list[dict[str, SecureTable]] = [{}, {}, {}]
    for leaf in {one.name: one for one in walk(node) if isinstance(one, Input)}.values():
        dealt = {
            name: world.deal_bits(values, 1) if values.dtype == np.bool_ else world.deal(values)
            for name, values in laid_out(leaf, tables[leaf.name]).items()
        }
        for server in range(3):
            held[server][leaf.name] = from_input(leaf, {name: one.at[server] for name, one in dealt.items()})
    return held


def run(
    node: Node, tables: Mapping[str, Table], seed: int = 0, profile: Profile = LAN, keep: bool = False
) -> tuple[Table, Outcome[SecureTable]]:
    """The placed plan on shares, put together, and the run."""
    world = World(seed, profile)
    held = deal(world, node, tables)
    outcome = run_local([execute(me, node, held[me.index]) for me in world.parties()], keep=keep)
    return opened(node, outcome.results), outcome


def opened(node: Node, tables: list[SecureTable]) -> Table:
    """Three servers' table as plain rows: those that are valid."""
    rows = tables[0].rows
    columns = {}
    for one in node.fields:
        at = [table.columns[one.name] for table in tables]
        if isinstance(at[0], PublicColumn):
            assert all(np.array_equal(at[0].values, other.values) and np.array_equal(at[0].nulls, other.nulls) for other in at)
            columns[one.name] = at[0].plain
        else:
            assert not one.public
            values = value([column.value for column in at], rows)
            nulls = value([column.null for column in at], rows).astype(np.bool_)
            assert one.type.kind != BOOL or isinstance(at[0].value, Bits)
            columns[one.name] = Plain(values, nulls)
    valid = value([table.valid for table in tables], rows).astype(np.bool_)
    for name, column in columns.items():
        there = valid & column.nulls
        assert not column.values[there].any(), f"{name} is not 0 where it is NULL"
        if isinstance(tables[0].columns[name], PublicColumn) or not tables[0].columns[name].clean:  # type: ignore[union-attr]
            continue
        assert not column.values[~valid].any(), f"{name} says that it is 0 where no row is"
    return Table(columns, rows).take(np.flatnonzero(valid))


def value(parts: list[Any], rows: int) -> Any:
    """The plain column of three servers' shares, bits or public flags."""
    first = parts[0]
    if isinstance(first, Share):
        return first.ring.decode(sum((one.own for one in parts), first.ring.zeros(rows)))
    if isinstance(first, Bits):
        planes = parts[0].own ^ parts[1].own ^ parts[2].own
        return bools_from_planes(planes, rows)
    return np.full(rows, first) if isinstance(first, bool) else first
