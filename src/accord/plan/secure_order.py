"""Rows in a secret order, and the first so many of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from accord.mpc.bits import not_bits
from accord.mpc.party import Party
from accord.mpc.share import Bits
from accord.mpc.sort import KEY_BITS_MAX, joined_key
from accord.plan.nodes import Limit, Sort
from accord.plan.secure_flags import as_bits
from accord.plan.secure_key import order_key
from accord.plan.secure_relations import partition, sort_rows
from accord.plan.secure_rows import between, flattened, rebuilt
from accord.plan.secure_table import SecureTable


async def sort_secretly(me: Party, node: Sort, table: SecureTable) -> SecureTable:
    """The rows in the order of the keys, those that are not there behind all others; equal rows as they stood."""
    key = await order_key(me.step("key"), [(table.columns[name], down) for name, down in node.keys], table.rows)
    if table.valid is not True:
        key = joined_key([not_bits(me, as_bits(me, table.valid, table.rows)), key])
    names = [name for name, _ in node.keys]
    runs = tuple(frozenset(names[: at + 1]) for at, _ in enumerate(names))
    return replace(await sorted_by(me.step("sort"), table, key), runs=runs)


async def sorted_by(me: Party, table: SecureTable, key: Bits) -> SecureTable:
    """The rows in the order of a word of any width."""
    return replace(rebuilt(table, await sort_wide(me, key, flattened(me, table))), is_packed=True)


async def sort_wide(me: Party, key: Bits, columns: Sequence[Any]) -> list[Any]:
    """Columns in the order of a word of any width: by its lowest bits first, as many at a time as a sort takes."""
    moved = list(columns)
    while key.width:
        low, key = key.planes(slice(0, KEY_BITS_MAX)), key.planes(slice(KEY_BITS_MAX, None))
        _, moved = await sort_rows(me.step(f"bits.{key.width}"), low, [*moved, *([key] if key.width else [])])
        if key.width:
            key = moved.pop()
    return moved


async def limit(me: Party, node: Limit, table: SecureTable) -> SecureTable:
    """The rows that are there, as they stand, from the `offset`-th to the last of `count`."""
    if not table.is_packed and table.valid is not True:
        parts = flattened(me, table)
        _, moved = await partition(me.step("front"), as_bits(me, table.valid, table.rows), parts)
        table = replace(rebuilt(table, moved), is_packed=True)
    return between(table, min(node.offset, table.rows), min(node.offset + node.count, table.rows))
