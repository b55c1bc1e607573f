"""Keys for sorting, grouping and joining, out of secret columns: unsigned words whose order is that of the rows, or whose equality is.

A column takes as many bits as its type's range needs, and one more on top where it can be NULL. What is public in it stays public bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accord.base.limits import RING_BITS_MAX
from accord.mpc.bits import not_bits, planes_from_bools, planes_from_column, public_bits
from accord.mpc.compose import in_blocks, together
from accord.mpc.hash_keys import hash_bits
from accord.mpc.inputs import add_public
from accord.mpc.party import Party
from accord.mpc.rows import zeros_like
from accord.mpc.share import Bits, Share
from accord.mpc.sort import joined_key
from accord.plan.interpret import sort_rank
from accord.plan.secure_flags import Flag, as_bits
from accord.plan.secure_relations import hash_words, look_up_bits, to_bits
from accord.plan.secure_table import Column, PublicColumn, SecretColumn, bits_shared
from accord.plan.secure_text import word_of
from accord.plan.secure_values import shared
from accord.plan.types import BOOL, CATEGORY, TEXT, Type

Keys = Sequence[tuple[Column, bool]]
"""Columns in the order of their weight; True means descending."""


def as_secret(me: Party, column: Column) -> SecretColumn:
    """The column as a secret one; a public one is not 0 in rows that are not there."""
    if isinstance(column, SecretColumn):
        return column
    null: Flag = column.nulls if column.nulls.any() else False
    width, rows = bits_shared(column.type), len(column.values)
    if column.type.kind == BOOL:
        return SecretColumn(column.type, as_bits(me, column.values != 0, rows), null)
    if width:
        return SecretColumn(column.type, word_of(me, column.values, column.type, column.type.bytes_max, rows), null)
    return SecretColumn(column.type, shared(me, column.values), null)


def width_of(type: Type) -> int:
    """Bits that tell the type's values apart, NULL aside."""
    return bits_shared(type) or (type.high - type.low).bit_length()


async def order_key(me: Party, keys: Keys, rows: int) -> Bits:
    """One word a row, in the order of the columns: NULL last either way, a category by its text. Of no bits where nothing differs.

    Needs: columns that are 0 where NULL, texts that are not digests.
    """
    parts = await together(*(_ordered(me.step(f"key.{at}"), column, down) for at, (column, down) in enumerate(keys)))
    return _whole(parts, rows)


async def equal_key(me: Party, columns: Sequence[Column], rows: int, nulls_agree: bool = True) -> Bits:
    """One word a row that is equal where the columns are, NULLs being equal to each other; without `nulls_agree` NULLs have no bit."""
    parts = await together(*(_word(me.step(f"key.{at}"), one) for at, one in enumerate(columns)))
    pairs = zip(columns, parts, strict=True)
    return _whole([_with_null(me, column, word) if nulls_agree else word for column, word in pairs], rows)


async def matching_keys(
    me: Party, left: Sequence[Column], right: Sequence[Column], rows: tuple[int, int], nulls_agree: bool
) -> tuple[Bits, Bits]:
    """Words of one width for the rows of two tables that are equal where the columns agree, pair by pair. Where hashes do, they are
    hashes: two of all rows that differ are taken for equal with a chance of 2^-40."""
    pairs = [_alike(me, a, b) for a, b in zip(left, right, strict=True)]
    first, second = await together(
        equal_key(me.step("left"), [a for a, _ in pairs], rows[0], nulls_agree),
        equal_key(me.step("right"), [b for _, b in pairs], rows[1], nulls_agree),
    )
    made = await shortened(me.step("hash"), [first, second])
    return made[0], made[1]


async def words_alike(me: Party, columns: Sequence[Column]) -> list[Bits]:
    """Words of one width for several columns of numbers or dates, in the order of the values; NULLs have any."""
    low, high = min(one.type.low for one in columns), max(one.type.high for one in columns)
    return list(await together(*(_word(me.step(f"word.{at}"), _typed(one, low, high, True)) for at, one in enumerate(columns))))


async def shortened(me: Party, keys: list[Bits]) -> list[Bits]:
    """Keys of one width, or hashes of them where those are shorter: only equality is kept."""
    bits = hash_bits(sum(one.rows for one in keys))
    if keys[0].width <= bits:
        return keys
    hashes: list[Bits] = await hash_words(me, keys, bits=bits)
    return hashes


def known(me: Party, column: Column, rows: int) -> Bits | None:
    """Where a column is not NULL; None where it never is."""
    null = column.null if isinstance(column, SecretColumn) else column.nulls if column.nulls.any() else False
    return None if null is False else not_bits(me, as_bits(me, null, rows))


# ---- one column


def _alike(me: Party, left: Column, right: Column) -> tuple[Column, Column]:
    """Two columns whose words have one width, and NULL bits on both sides or neither."""
    a, b = left.type, right.type
    nullable = a.nullable or b.nullable
    if a.kind == TEXT:
        width = max(bits_shared(a), bits_shared(b))
        return padded(as_secret(me, left), width, nullable), padded(as_secret(me, right), width, nullable)
    low, high = min(a.low, b.low), max(a.high, b.high)
    return _typed(left, low, high, nullable), _typed(right, low, high, nullable)


def _typed(column: Column, low: int, high: int, nullable: bool) -> Column:
    type = Type(column.type.kind, low, high, column.type.scale, column.type.values, nullable)
    if isinstance(column, PublicColumn):
        return PublicColumn(type, column.values, column.nulls)
    return SecretColumn(type, column.value, column.null, column.clean)


def padded(column: SecretColumn, width: int, nullable: bool) -> SecretColumn:
    """A text with zero bytes behind, as many as the longer texts have."""
    assert isinstance(column.value, Bits)
    missing = width - column.value.width
    none = zeros_like(column.value, column.value.rows).planes(slice(0, 1))
    value = Bits.stack([*([none] * missing), column.value]) if missing else column.value
    return SecretColumn(Type(TEXT, 0, 0, nullable=nullable, bytes_max=width // 8), value, column.null, column.clean)


async def _word(me: Party, column: Column) -> Bits:
    """The value above the least that the type has, in as many bits as the range needs."""
    type, width = column.type, width_of(column.type)
    if isinstance(column, PublicColumn):
        values = (column.values - type.low).astype(np.uint64)
        return public_bits(me, planes_from_column(values, width) if width else _none(len(values)), len(values))
    if isinstance(column.value, Bits):
        return column.value
    if width == 0:
        return Bits(column.value.rows, _none(column.value.rows), _none(column.value.rows))
    assert width <= RING_BITS_MAX
    above = add_public(me, column.value, column.value.ring.encode(np.full(column.value.rows, -type.low)))
    word: Bits = await in_blocks(to_bits, me, above, bits=width)
    return word


async def _ordered(me: Party, column: Column, descending: bool) -> Bits:
    word = await _ranked(me, column) if column.type.kind == CATEGORY else await _word(me, column)
    return _with_null(me, column, not_bits(me, word) if descending and word.width else word)


async def _ranked(me: Party, column: Column) -> Bits:
    """A category's place among its values in the order of their texts."""
    type = column.type
    if isinstance(column, PublicColumn):
        return await _word(me, PublicColumn(type, sort_rank(column.plain, type), column.nulls))
    order = sorted(range(len(type.values)), key=lambda code: type.values[code].encode())
    if order == list(range(len(order))):
        return await _word(me, column)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    assert isinstance(column.value, Share)
    word: Bits = await in_blocks(_look_up, me, column.value, table=tuple(ranks.tolist()), width=width_of(type))
    return word


async def _look_up(me: Party, index: Share, table: tuple[int, ...], width: int) -> Bits:
    word: Bits = await look_up_bits(me, index, np.array(table, np.int64), width)
    return word


def _with_null(me: Party, column: Column, word: Bits) -> Bits:
    """The word below a bit that is set where the column is NULL."""
    if not column.type.nullable:
        return word
    null: Any = column.null if isinstance(column, SecretColumn) else column.nulls
    return joined_key([as_bits(me, null, word.rows), word])


def _whole(parts: Sequence[Bits], rows: int) -> Bits:
    none = Bits(rows, _none(rows), _none(rows))
    return joined_key([*parts, none])


def _none(rows: int) -> Any:
    return np.zeros((0, (rows + 63) // 64), np.uint64)


def constant_plane(me: Party, value: bool, rows: int) -> Bits:
    return public_bits(me, planes_from_bools(np.full(rows, value)), rows)
