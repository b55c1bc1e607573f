"""Joins on public columns: which rows meet is computed publicly, from keys that every server knows; whether they are there, secretly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import OurFault
from accord.mpc.compose import in_blocks, together
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.plan.evaluate import Flags, Integers, recoding
from accord.plan.nodes import Join
from accord.plan.secure_aggregate import Groups, any_in_groups
from accord.plan.secure_calls import multiply
from accord.plan.secure_flags import Flag, any_of, as_bits, as_numbers, both, negation
from accord.plan.secure_table import Column, PublicColumn, SecretColumn, SecureTable, take_flag
from accord.plan.secure_text import where, word_of
from accord.plan.secure_values import product, shared
from accord.plan.types import BOOL, CATEGORY, TEXT, Type

Rows = NDArray[np.intp]


async def join(me: Party, node: Join, left: SecureTable, right: SecureTable) -> SecureTable:
    """Inner, left, cross, semi or anti join. Rows come in the order of the left table, then of the right.

    A left row that meets several right ones meets each, and one row more, without a right side, is valid where none of them is.
    Raises OurFault for another kind: frames write it as one of these.
    """
    if node.kind not in ("inner", "left", "cross", "semi", "anti"):
        raise OurFault(f"a {node.kind} join on shares", do="write it as a left join")
    ours, theirs = matches(node, left, right)
    if node.is_choice:
        return await _choice(me, node, left, right, ours, theirs)
    if node.kind == "left":
        return await _left_join(me, left, right, ours, theirs, {one.name: one.type for one in node.fields})
    first, second = left.take(ours), right.take(theirs)
    (valid,) = await both(me, (first.valid, second.valid))
    columns = {**first.columns, **second.columns}
    return SecureTable(len(ours), {name: _unclean(one, valid, first.valid, second.valid) for name, one in columns.items()}, valid)


def _unclean(column: Column, valid: Flag, *before: Flag) -> Column:
    """A column is no longer 0 in all rows that are not valid, where a row can now be lost to the other side."""
    kept = sum(one is not True for one in before) <= 1 and valid is True
    return column if isinstance(column, PublicColumn) or kept else replace(column, clean=False)


def matches(node: Join, left: SecureTable, right: SecureTable) -> tuple[Rows, Rows]:
    """Row numbers of both sides for each pair that agrees on its keys, by left row and then by right row. NULL agrees with nothing, or
    with NULL where the join says so."""
    if node.kind == "cross" or not node.on:
        return np.repeat(np.arange(left.rows), right.rows), np.tile(np.arange(right.rows), left.rows)
    ours, theirs = _codes([_aligned(left.public(a), right.public(b), node.nulls_agree) for a, b in node.on], left.rows)
    order = np.argsort(theirs, kind="stable")
    first, last = (np.searchsorted(theirs[order], ours, side=side) for side in ("left", "right"))
    counts = np.where(ours < 0, 0, last - first)
    rows = np.repeat(np.arange(left.rows), counts)
    inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, order[np.repeat(first, counts) + inside]


def _aligned(left: PublicColumn, right: PublicColumn, nulls_agree: bool) -> tuple[Integers, Integers]:
    """Both key columns in one numbering; −1 and −2 stand for NULL, and for what the other side does not have."""
    a, b = left.values, right.values
    if left.type.kind == CATEGORY and left.type.values != right.type.values:
        every = tuple(dict.fromkeys(left.type.values + right.type.values))
        whole = replace(left.type, low=0, high=len(every) - 1, values=every)
        a, b = (np.array(recoding(one.type, whole), np.int64)[one.values] for one in (left, right))
    elif left.type.scale != right.type.scale:
        scale = max(left.type.scale, right.type.scale)
        a, b = (one.values * 10 ** (scale - one.type.scale) for one in (left, right))
    _, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
    nulls = (len(codes), len(codes)) if nulls_agree else (-1, -2)
    return np.where(left.nulls, nulls[0], codes[: len(a)]), np.where(right.nulls, nulls[1], codes[len(a) :])


def _codes(pairs: list[tuple[Integers, Integers]], left_rows: int) -> tuple[Integers, Integers]:
    """One number for each combination of several keys; negative where one of them is NULL."""
    ours, theirs = pairs[0]
    for a, b in pairs[1:]:
        before, further = np.concatenate([ours, theirs]), np.concatenate([a, b])
        null = (before < 0) | (further < 0)
        _, codes = np.unique(before * (further.max(initial=0) + 1) + further, return_inverse=True)  # numberings: both below the rows
        codes = np.where(null, -1, codes)
        ours, theirs = codes[:left_rows], np.where(codes[left_rows:] < 0, -2, codes[left_rows:])
    return ours, theirs


# ---- semi and anti join


async def _choice(me: Party, node: Join, left: SecureTable, right: SecureTable, ours: Rows, theirs: Rows) -> SecureTable:
    """The left rows that could meet a right row, those there that do; or all left rows, those there that meet none."""
    met = np.unique(ours)
    some: Flag = True
    if right.valid is not True and len(met):
        groups = Groups(np.flatnonzero(np.diff(ours, prepend=-1)), len(ours))
        some = await any_in_groups(me.step("some"), take_flag(right.valid, theirs), groups)
    if node.kind == "semi":
        chosen = left.take(met)
        (valid,) = await both(me.step("valid"), (chosen.valid, some))
        return _chosen(chosen, valid, left.valid)
    place = np.zeros(left.rows, np.intp)
    place[met] = np.arange(len(met))
    (meets,) = await both(me.step("meets"), (take_flag(some, place) if len(met) else False, np.isin(np.arange(left.rows), met)))
    (valid,) = await both(me.step("valid"), (left.valid, negation(me, meets)))
    return _chosen(left, valid, left.valid)


def _chosen(table: SecureTable, valid: Flag, before: Flag) -> SecureTable:
    columns = {name: one if valid is before else _unclean(one, valid, True) for name, one in table.columns.items()}
    return SecureTable(table.rows, columns, valid, table.faults)


# ---- left join


@dataclass(frozen=True, eq=False)
class _Outer:
    """The rows of a left join: pairs, then left rows alone. `right` is −1 where there is no right side."""

    left: Rows
    right: Rows
    partners: Rows
    """How many right rows the left row of each output row meets."""


def _outer(ours: Rows, theirs: Rows, left_rows: int) -> _Outer:
    partners = np.bincount(ours, minlength=left_rows)
    alone = np.flatnonzero(partners != 1)
    left = np.concatenate([ours, alone])
    order = np.argsort(left, kind="stable")
    return _Outer(left[order], np.concatenate([theirs, np.full(len(alone), -1)])[order], partners[left][order])


async def _left_join(me: Party, left: SecureTable, right: SecureTable, ours: Rows, theirs: Rows, types: Mapping[str, Type]) -> SecureTable:
    """A left row with one partner keeps one row, NULL on the right where the partner is not valid; one with several has a row for each
    valid one and a last one for the case of none."""
    rows = _outer(ours, theirs, left.rows)
    if right.valid is True:
        keep = (rows.right >= 0) | (rows.partners == 0)
        rows = _Outer(rows.left[keep], rows.right[keep], rows.partners[keep])
    there = take_flag(right.valid, np.maximum(rows.right, 0)) if right.rows else False
    (there,) = await both(me.step("there"), (there, rows.right >= 0))
    valid = await _left_valid(me.step("valid"), rows, take_flag(left.valid, rows.left), there)
    first = left.take(rows.left).columns
    columns = {name: _unclean(one, valid, left.valid, right.valid) for name, one in first.items()}
    missing = negation(me, there)
    needed = not all(isinstance(one, SecretColumn) and (one.clean or isinstance(one.value, Bits)) for one in right.columns.values())
    (flags,) = await as_numbers(me.step("flags"), there if needed else True)
    sides = await together(
        *(
            _outer_column(me.step(f"column.{at}"), types[name], _padded(column, rows.right), missing, flags, rows.right >= 0)
            for at, (name, column) in enumerate(right.columns.items())
        )
    )
    return SecureTable(len(rows.left), {**columns, **dict(zip(right.columns, sides, strict=True))}, valid)


async def _left_valid(me: Party, rows: _Outer, left: Flag, there: Flag) -> Flag:
    """A row for one of several partners is there if the partner is; the row for none of them, if none is."""
    several = rows.partners > 1
    if isinstance(there, bool) or not several.any():
        return left
    starts = np.flatnonzero(np.diff(rows.left, prepend=-1))
    groups = Groups(starts, len(rows.left))
    some = await any_in_groups(me.step("some"), there, groups)
    none = negation(me, take_flag(some, np.repeat(np.arange(len(groups)), groups.sizes)))
    pair, last = await both(me.step("which"), (there, several & (rows.right >= 0)), (none, several & (rows.right < 0)))
    kept = await any_of(me.step("kept"), [pair, last, ~several])
    (valid,) = await both(me.step("left"), (left, kept))
    return valid


def _padded(column: Column, rows: Rows) -> Column:
    """The right side's column in the output's rows; any row's value stands where there is none, and is cleared after."""
    return column.take(np.maximum(rows, 0))


async def _outer_column(me: Party, type: Type, column: Column, missing: Flag, there: Any, matched: Flags) -> Column:
    """The column with NULL (and 0) where the right side is missing; `matched` is what of that is public, `there` the rest as numbers."""
    if isinstance(column, PublicColumn):
        if not isinstance(missing, Bits):
            nulls = column.nulls | missing
            return PublicColumn(type, np.where(nulls, 0, column.values), nulls)
        null = await any_of(me.step("null"), [missing, column.nulls if column.nulls.any() else False])
        value: Any = column.values != 0 if column.type.kind == BOOL else column.values
    else:
        null, value = await any_of(me.step("null"), [missing, column.null]), column.value
    if column.type.kind == TEXT:
        word = word_of(me, value, column.type, column.type.bytes_max, len(matched))
        return SecretColumn(type, await where(me.step("value"), negation(me, missing), word), null)
    if column.type.kind == BOOL:
        (true,) = await both(me.step("value"), (value, negation(me, missing)))
        return SecretColumn(type, as_bits(me, true, len(matched)), null)
    if isinstance(column, SecretColumn) and column.clean:
        return SecretColumn(type, value.times(matched.astype(np.uint64)), null)
    if isinstance(there, Share) and isinstance(value, Share):
        cleared: Share = await in_blocks(multiply, me.step("value"), value, there)
        return SecretColumn(type, cleared, null)
    return SecretColumn(type, shared(me, await product(me, there, value)), null)
