"""Joins on secret columns: one sort of both tables' keys; which rows meet, and how many, stays secret.

Where the right side is the one with unique keys, the left rows stay where they are and each takes the columns of its partner; and the
other way round. NULL keys, and rows that are not there, are given as rows that match nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from accord.mpc.bits import not_bits
from accord.mpc.join import Joined
from accord.mpc.party import Party
from accord.mpc.rows import zeros_like
from accord.mpc.share import Bits
from accord.plan.faults import too_many_rows
from accord.plan.nodes import Join
from accord.plan.secure_calls import is_zero
from accord.plan.secure_flags import Flag, all_of, as_bits, both, difference
from accord.plan.secure_key import as_secret, constant_plane, known, matching_keys
from accord.plan.secure_relations import in_key_order, join_as_of, join_many, join_pk_fk, keep, left_matched
from accord.plan.secure_rows import concatenated, flattened, rebuilt
from accord.plan.secure_table import Column, SecretColumn, SecureTable, bits_shared


@dataclass(frozen=True, eq=False)
class Side:
    """A table, its key, and which of its rows can match."""

    table: SecureTable
    key: Bits
    can: Bits


async def join_secretly(me: Party, node: Join, left: SecureTable, right: SecureTable) -> SecureTable:
    """Semi, anti, inner and left joins. Rows come in no order that means anything. Needs: rows on both sides.

    Where neither side is unique, the pairs fill up to `rows_max` rows; that there are more is a fault.
    """
    sides = await sides_of(me.step("keys"), node, left, right)
    if node.is_choice:
        return await _choice(me, node, *sides)
    first, second = sides
    if node.unique in ("right", "both"):
        equal = {} if node.nulls_agree else {right: left for left, right in node.on}
        joined, partner = await partners(me.step("match"), second, first, equal, keeps_all=node.kind == "left")
        if node.kind == "left":
            return left_rows(me, node, first.table, partner, joined)
        met = SecureTable(first.table.rows, {**unclean(first.table.columns), **partner}, joined.matched, runs=first.table.runs)
        return await _in_order(me.step("order"), node, met, joined) if node.in_order else met
    if node.unique == "left":
        joined, partner = await partners(me.step("match"), first, second, {} if node.nulls_agree else dict(node.on), keeps_all=False)
        met = SecureTable(second.table.rows, {**partner, **unclean(second.table.columns)}, joined.matched, runs=second.table.runs)
        if node.kind != "left":
            return await _in_order(me.step("order"), node, met, joined) if node.in_order else met
        meets = await left_matched(me.step("meets"), joined)
        return await with_alone(me.step("alone"), node, first.table, met, not_bits(me, meets))
    return await _pairs(me.step("pairs"), node, first, second)


async def sides_of(me: Party, node: Join, left: SecureTable, right: SecureTable) -> tuple[Side, Side]:
    """Both sides with their keys; what is NULL in a column that decides can match nothing."""
    pairs = [[table.columns[pair[place]] for pair in node.on] for place, table in enumerate((left, right))]
    keys = await matching_keys(me, pairs[0], pairs[1], (left.rows, right.rows), node.nulls_agree)
    sides = []
    for place, (table, key) in enumerate(zip((left, right), keys, strict=True)):
        flags: list[Flag] = [table.valid]
        if not node.nulls_agree:
            further = sorted(node.match.names[place]) if node.match else []
            columns = [*pairs[place], *(table.columns[name] for name in further)]
            flags += [plane for one in columns if (plane := known(me, one, table.rows)) is not None]
        can = as_bits(me, await all_of(me.step(f"can.{place}"), flags), table.rows)
        sides.append(Side(table, key if key.width else constant_plane(me, False, table.rows), can))
    return sides[0], sides[1]


async def _choice(me: Party, node: Join, left: Side, right: Side) -> SecureTable:
    joined: Joined = await join_pk_fk(me.step("match"), right.key, right.can, [], left.key, left.can)
    return await chosen(me, node, left.table, joined.matched)


async def chosen(me: Party, node: Join, left: SecureTable, meets: Bits) -> SecureTable:
    """The left rows as they stand, those there that meet a right row, or meet none."""
    (valid,) = await both(me.step("valid"), (left.valid, meets if node.kind == "semi" else not_bits(me, meets)))
    return SecureTable(left.rows, unclean(left.columns), valid, runs=left.runs)


async def _in_order(me: Party, node: Join, met: SecureTable, joined: Joined) -> SecureTable:
    """The rows that met in front, in the order of the key that they met by."""
    moved = await in_key_order(me, joined.merged, joined.matched, flattened(me, met))
    return replace(rebuilt(met, moved), is_packed=True, runs=_key_runs(node))


def _key_runs(node: Join) -> tuple[frozenset[str], ...]:
    return frozenset(left for left, _ in node.on), frozenset(right for _, right in node.on)


def unclean(columns: Mapping[str, Column]) -> dict[str, Column]:
    """Rows were lost that had values."""
    return {name: replace(one, clean=False) if isinstance(one, SecretColumn) else one for name, one in columns.items()}


async def partners(
    me: Party, unique: Side, many: Side, equal: Mapping[str, str], *, keeps_all: bool, times: tuple[Bits, Bits] | None = None
) -> tuple[Joined, dict[str, Column]]:
    """The unique side's columns at the rows of the other side that match; 0 and not NULL where none does. With `times`, those of the last
    row that is not later.

    A key of the unique side is that of its partner: it does not move. Where rows are lost that match nothing (not `keeps_all`), it is
    not even cleared in them.
    """
    keys: dict[str, SecretColumn] = {}
    for name, other in equal.items():
        here, there = unique.table.columns[name].type, as_secret(me, many.table.columns[other])
        if bits_shared(here) == bits_shared(there.type):
            keys[name] = SecretColumn(here, there.value, there.null if here.nullable else False)
    moving = replace(unique.table, columns={name: one for name, one in unique.table.columns.items() if name not in keys})
    parts, rows = parts_of(me, moving), me.step("rows")
    joined: Joined = (
        await join_as_of(rows, unique.key, times[0], unique.can, parts, many.key, times[1], many.can)
        if times
        else await join_pk_fk(rows, unique.key, unique.can, parts, many.key, many.can)
    )
    found = columns_of_parts(moving, joined.columns)
    if keeps_all and keys:
        kept: list[Any] = await keep(me.step("keys"), joined.matched, [one.value for one in keys.values()])
        keys = {name: SecretColumn(one.type, value, clean=True) for (name, one), value in zip(keys.items(), kept, strict=True)}
    whole = {**found, **keys}
    return joined, {name: whole[name] for name in unique.table.columns}


def parts_of(me: Party, table: SecureTable) -> list[Any]:
    """Every value, and NULLs where a column has any."""
    parts: list[Any] = []
    for column in table.columns.values():
        one = as_secret(me, column)
        parts += [one.value, *([] if one.null is False else [as_bits(me, one.null, table.rows)])]
    return parts


def columns_of_parts(table: SecureTable, parts: Sequence[Any]) -> dict[str, Column]:
    """Columns of such parts in other rows, 0 and not NULL where there is none."""
    left, found = list(parts), dict[str, Column]()
    for name, one in table.columns.items():
        nullable = one.null is not False if isinstance(one, SecretColumn) else bool(one.nulls.any())
        found[name] = SecretColumn(one.type, left.pop(0), left.pop(0) if nullable else False, clean=True)
    return found


async def _pairs(me: Party, node: Join, left: Side, right: Side) -> SecureTable:
    """Every pair of rows that meet, at the front of `rows_max` rows; then for a left join the left rows that meet none."""
    parts = parts_of(me, left.table), parts_of(me, right.table)
    bound = min(node.rows_max, left.table.rows * right.table.rows)
    paired = await join_many(me.step("match"), left.key, left.can, parts[0], right.key, right.can, parts[1], rows_max=bound)
    columns = unclean({**columns_of_parts(left.table, paired.left), **columns_of_parts(right.table, paired.right)})
    faults = () if bound < node.rows_max else ((too_many_rows(node), paired.overflow),)
    met = SecureTable(bound, columns, paired.matched, faults, is_packed=True, runs=_key_runs(node))
    if node.kind != "left":
        return met
    partners = paired.partners.left
    none = await is_zero(me.step("none"), partners, bits=partners.ring.bits)
    return await with_alone(me.step("alone"), node, left.table, met, none)


def left_rows(me: Party, node: Join, table: SecureTable, partner: Mapping[str, Column], joined: Joined) -> SecureTable:
    """All left rows as they stand, NULL on the right where they have no partner."""
    missing, columns = not_bits(me, joined.matched), dict(table.columns)
    for name, one in partner.items():
        assert isinstance(one, SecretColumn)
        columns[name] = replace(one, type=node.field(name).type, null=difference(me, one.null, missing))
    return SecureTable(table.rows, columns, table.valid, is_packed=table.is_packed, runs=table.runs)


async def with_alone(me: Party, node: Join, left: SecureTable, met: SecureTable, alone: Bits) -> SecureTable:
    """The rows that met, then the left rows that met none, NULL on the right."""
    (valid,) = await both(me.step("valid"), (left.valid, alone))
    columns = dict(unclean(left.columns))
    for name, one in met.columns.items():
        if name not in columns:
            none: Any = zeros_like(as_secret(me, one).value, left.rows)  # type: ignore[type-var]
            columns[name] = SecretColumn(node.field(name).type, none, np.ones(left.rows, np.bool_), clean=True)
    return replace(concatenated(me, node.fields, [met, SecureTable(left.rows, columns, valid)]), faults=met.faults)
