"""Joins on secret columns: one sort of both tables' keys; which rows meet, and how many, stays secret.

Where the right side is the one with unique keys, the left rows stay where they are and each takes the columns of its partner; and the
other way round. NULL keys, and rows that are not there, are given as rows that match nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from accord.base.errors import OurFault
from accord.mpc.bits import not_bits
from accord.mpc.join import Joined
from accord.mpc.party import Party
from accord.mpc.rows import zeros_like
from accord.mpc.share import Bits
from accord.plan.nodes import Join
from accord.plan.secure_flags import Flag, all_of, as_bits, both, difference
from accord.plan.secure_key import as_secret, constant_plane, known, matching_keys
from accord.plan.secure_relations import join_pk_fk, left_matched
from accord.plan.secure_rows import concatenated
from accord.plan.secure_table import Column, SecretColumn, SecureTable


@dataclass(frozen=True, eq=False)
class _Side:
    """A table, its key, and which of its rows can match."""

    table: SecureTable
    key: Bits
    can: Bits


async def join_secretly(me: Party, node: Join, left: SecureTable, right: SecureTable) -> SecureTable:
    """Semi, anti, inner and left joins. Rows come in no order that means anything. Needs: rows on both sides."""
    sides = await _sides(me.step("keys"), node, left, right)
    if node.is_choice:
        return await _choice(me, node, *sides)
    first, second = sides
    if node.unique in ("right", "both"):
        joined, partner = await _partners(me.step("match"), second, first)
        if node.kind == "left":
            return _left_rows(me, node, first.table, partner, joined)
        return SecureTable(first.table.rows, {**_unclean(first.table.columns), **partner}, joined.matched)
    if node.unique == "left":
        joined, partner = await _partners(me.step("match"), first, second)
        met = SecureTable(second.table.rows, {**partner, **_unclean(second.table.columns)}, joined.matched)
        return await _with_alone(me.step("alone"), node, first.table, met, joined) if node.kind == "left" else met
    raise OurFault(f"a join on secret columns in which neither side is unique: {node.on}")


async def _sides(me: Party, node: Join, left: SecureTable, right: SecureTable) -> tuple[_Side, _Side]:
    pairs = [[table.columns[pair[place]] for pair in node.on] for place, table in enumerate((left, right))]
    keys = await matching_keys(me, pairs[0], pairs[1], (left.rows, right.rows), node.nulls_agree)
    sides = []
    for place, (table, key) in enumerate(zip((left, right), keys, strict=True)):
        flags: list[Flag] = [table.valid]
        if not node.nulls_agree:
            flags += [plane for one in pairs[place] if (plane := known(me, one, table.rows)) is not None]
        can = as_bits(me, await all_of(me.step(f"can.{place}"), flags), table.rows)
        sides.append(_Side(table, key if key.width else constant_plane(me, False, table.rows), can))
    return sides[0], sides[1]


async def _choice(me: Party, node: Join, left: _Side, right: _Side) -> SecureTable:
    """The left rows as they stand, those there that meet a right row, or meet none."""
    joined: Joined = await join_pk_fk(me.step("match"), right.key, right.can, [], left.key, left.can)
    meets = joined.matched if node.kind == "semi" else not_bits(me, joined.matched)
    (valid,) = await both(me.step("valid"), (left.table.valid, meets))
    return SecureTable(left.table.rows, _unclean(left.table.columns), valid)


def _unclean(columns: Mapping[str, Column]) -> dict[str, Column]:
    """Rows were lost that had values."""
    return {name: replace(one, clean=False) if isinstance(one, SecretColumn) else one for name, one in columns.items()}


async def _partners(me: Party, unique: _Side, many: _Side) -> tuple[Joined, dict[str, Column]]:
    """The unique side's columns at the rows of the other side that match; 0 and not NULL where none does."""
    columns = {name: as_secret(me, one) for name, one in unique.table.columns.items()}
    parts: list[Any] = []
    for one in columns.values():
        parts += [one.value, *([] if one.null is False else [as_bits(me, one.null, unique.table.rows)])]
    joined: Joined = await join_pk_fk(me, unique.key, unique.can, parts, many.key, many.can)
    left, found = list(joined.columns), dict[str, Column]()
    for name, one in columns.items():
        found[name] = SecretColumn(one.type, left.pop(0), False if one.null is False else left.pop(0), clean=True)
    return joined, found


def _left_rows(me: Party, node: Join, table: SecureTable, partner: Mapping[str, Column], joined: Joined) -> SecureTable:
    """All left rows as they stand, NULL on the right where they have no partner."""
    missing, columns = not_bits(me, joined.matched), dict(table.columns)
    for name, one in partner.items():
        assert isinstance(one, SecretColumn)
        columns[name] = replace(one, type=node.field(name).type, null=difference(me, one.null, missing))
    return SecureTable(table.rows, columns, table.valid, is_packed=table.is_packed)


async def _with_alone(me: Party, node: Join, left: SecureTable, met: SecureTable, joined: Joined) -> SecureTable:
    """The rows that met, then the left rows that met none, NULL on the right."""
    meets = await left_matched(me.step("meets"), joined)
    (valid,) = await both(me.step("valid"), (left.valid, not_bits(me, meets)))
    columns = dict(_unclean(left.columns))
    for name, one in met.columns.items():
        if name not in columns:
            assert isinstance(one, SecretColumn)
            none: Any = zeros_like(one.value, left.rows)  # type: ignore[type-var]
            columns[name] = SecretColumn(node.field(name).type, none, np.ones(left.rows, np.bool_), clean=True)
    return concatenated(me, node.fields, [met, SecureTable(left.rows, columns, valid)])
