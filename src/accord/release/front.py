"""Rows of a table whose layout is secret, on shares still, brought to places that tell nothing.

Released rows come first, then suppressed ones, then what is not there: in the order that the question asks for, or behind a shuffle
where it asks for none. How many rows of each kind there are stays secret from the servers, and is all that places tell a recipient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accord.mpc import permute
from accord.mpc.bits import not_bits
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.mpc.sort import joined_key
from accord.plan.secure_flags import Flag, as_bits
from accord.plan.secure_key import as_secret
from accord.plan.secure_relations import kinds, partition, relation, sort_rows
from accord.plan.secure_table import Column, SecretColumn, SecureTable

scattered = relation(permute.scattered, lambda me, columns: (columns[0].rows, *kinds(columns)), lambda columns: list(columns))


async def in_front(me: Party, table: SecureTable, passed: Flag, released: Flag, *, is_ordered: bool) -> tuple[SecureTable, Flag]:
    """The table with its rows in new places, and which of them are released. `passed` is True where no rule judges rows.

    Learns: nobody anything; servers the uniform permutations of a shuffle, and of a pass or two of a sort.
    Opens:  the shuffled row numbers of `partition` or `sort`.
    """
    names = list(table.columns)
    secret = [as_secret(me, table.columns[name]) for name in names]
    flags = [] if table.valid is True and passed is True else [as_bits(me, one, table.rows) for one in (table.valid, released)]
    moving: list[Any] = [*flags, *(part for one in secret for part in _parts(me, one, table.rows))]
    if not is_ordered:
        moving = await scattered(me.step("scatter"), moving)
    if flags:
        moving = await _sorted(me, moving, is_judged=passed is not True, is_packed=is_ordered and table.is_packed)
    valid, freed = moving[:2] if flags else (True, True)
    rest = moving[len(flags) :]
    columns: Mapping[str, Column] = {name: _column(one, rest) for name, one in zip(names, secret, strict=True)}
    return SecureTable(table.rows, columns, valid, table.faults), freed


async def _sorted(me: Party, moving: list[Any], *, is_judged: bool, is_packed: bool) -> list[Any]:
    """Stable: rows that are there before others, and released before suppressed ones."""
    if is_packed and not is_judged:
        return moving
    valid, released = moving[:2]
    key = joined_key([not_bits(me, valid), not_bits(me, released)])
    run = sort_rows(me.step("front"), key, moving) if is_judged else partition(me.step("front"), valid, moving)
    moved: list[Any] = (await run)[1]
    return moved


def _parts(me: Party, column: SecretColumn, rows: int) -> list[Share | Bits]:
    """The value, and NULLs where there are any."""
    return [column.value, *([] if column.null is False else [as_bits(me, column.null, rows)])]


def _column(column: SecretColumn, parts: list[Any]) -> SecretColumn:
    """The column as `_parts` laid it out, from the front of the parts, which lose it."""
    value = parts.pop(0)
    return SecretColumn(column.type, value, False if column.null is False else parts.pop(0), column.clean)
