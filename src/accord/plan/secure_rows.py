"""Tables on shares as columns that move together, cut and put one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from accord.mpc.party import Party
from accord.mpc.rows import one_after_other, rows_between
from accord.mpc.share import Bits
from accord.plan.nodes import Field
from accord.plan.secure_flags import Flag, as_bits
from accord.plan.secure_key import as_secret, padded
from accord.plan.secure_table import Column, PublicColumn, SecretColumn, SecureTable, bits_shared, join_flags


def flattened(me: Party, table: SecureTable) -> list[Any]:
    """Every value, NULL and which rows are there, as far as they are not the same everywhere; public ones made secret."""
    columns = [as_secret(me, one) for one in table.columns.values()]
    parts: list[Any] = [] if table.valid is True else [as_bits(me, table.valid, table.rows)]
    for one in columns:
        parts += [one.value, *([] if isinstance(one.null, bool) else [as_bits(me, one.null, table.rows)])]
    return parts


def rebuilt(table: SecureTable, parts: Sequence[Any]) -> SecureTable:
    """The table of such parts in another order, or of other rows."""
    left = list(parts)
    valid: Flag = True if table.valid is True else left.pop(0)
    rows = valid.rows if isinstance(valid, Bits) else left[0].rows if left else table.rows
    columns: dict[str, Column] = {}
    for name, one in table.columns.items():
        null = (one.nulls if one.nulls.any() else False) if not isinstance(one, SecretColumn) else one.null
        clean = isinstance(one, SecretColumn) and one.clean
        columns[name] = SecretColumn(one.type, left.pop(0), null if isinstance(null, bool) else left.pop(0), clean)
    return SecureTable(rows, columns, valid, table.faults)


def between(table: SecureTable, start: int, stop: int) -> SecureTable:
    """Rows start … stop − 1 of a table."""
    if (start, stop) == (0, table.rows):
        return table
    if start >= stop:
        return table.take(np.arange(0))
    columns: dict[str, Column] = {}
    for name, one in table.columns.items():
        if isinstance(one, SecretColumn):
            null = rows_between(one.null, start, stop) if isinstance(one.null, Bits) else one.null
            value: Any = one.value
            columns[name] = replace(
                one, value=rows_between(value, start, stop), null=null if isinstance(null, bool | Bits) else null[start:stop]
            )
        else:
            columns[name] = one.take(np.arange(start, stop))
    valid = table.valid
    if not isinstance(valid, bool):
        valid = rows_between(valid, start, stop) if isinstance(valid, Bits) else valid[start:stop]
    return SecureTable(stop - start, columns, valid, table.faults, table.is_packed)


def concatenated(me: Party, fields: Sequence[Field], tables: Sequence[SecureTable]) -> SecureTable:
    """The rows of tables with these columns, one after the other. A text gets as many bytes as the longest has."""
    columns: dict[str, Column] = {}
    rows = [table.rows for table in tables]
    for one in fields:
        parts = [table.columns[one.name] for table in tables]
        if all(isinstance(part, PublicColumn) for part in parts):
            values, nulls = (np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "nulls"))
            columns[one.name] = PublicColumn(one.type, values, nulls)
            continue
        width = bits_shared(one.type)
        secret = [_clean(as_secret(me, part), part, table) for part, table in zip(parts, tables, strict=True)]
        secret = [padded(part, width, one.type.nullable) for part in secret] if width > 1 else secret
        null = join_flags(me, [part.null for part in secret], rows)
        stacked: list[Any] = [part.value for part in secret]
        columns[one.name] = SecretColumn(one.type, one_after_other(stacked), null, all(part.clean for part in secret))
    return SecureTable(sum(rows), columns, join_flags(me, [table.valid for table in tables], rows))


def _clean(secret: SecretColumn, before: Column, table: SecureTable) -> SecretColumn:
    return replace(secret, clean=True) if isinstance(before, PublicColumn) and table.valid is True else secret
