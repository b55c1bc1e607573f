"""A table on shares: its public layout, its secret columns, which rows are there.

The row layout and the public columns are known to all three servers and equal at all of them. Invariants: a secret value is 0
where it is NULL; a row that is not valid contributes nothing to any result. The second is kept lazily: a column is multiplied
by `valid` only where an aggregate or a release needs it, and `clean` says that this holds already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import OurFault
from accord.base.limits import RING_BITS_MAX
from accord.base.ring import Z64
from accord.data.encode import DIGEST_BYTES
from accord.mpc.bits import bools_from_planes, planes_from_bools
from accord.mpc.package import Part, bit_parts
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.plan.evaluate import Flags, Integers, Plain
from accord.plan.nodes import Field, Input
from accord.plan.secure_flags import Flag, as_bits
from accord.plan.types import BOOL, TEXT, Type

VALID = "?valid"
"""The part of an input that says which rows are real; no column can have this name."""


@dataclass(frozen=True, eq=False)
class PublicColumn:
    """Integer forms (see Type; 0 where NULL) and NULLs that every server knows."""

    type: Type
    values: Integers
    nulls: Flags

    @property
    def plain(self) -> Plain:
        return Plain(self.values, self.nulls)

    def take(self, rows: NDArray[Any]) -> PublicColumn:
        return PublicColumn(self.type, self.values[rows], self.nulls[rows])

    @staticmethod
    def of(type: Type, plain: Plain) -> PublicColumn:
        return PublicColumn(type, plain.values, plain.nulls)


@dataclass(frozen=True, eq=False)
class SecretColumn:
    """A secret column: a Share over Z64, or Bits for a bool (one plane) and a text (see Type; plane 0 is its last byte's lowest bit); 0
    where NULL.

    `null` is False where the column has no NULLs. `clean`: the value is 0 in rows that are not valid.
    """

    type: Type
    value: Share | Bits
    null: Flag = False
    clean: bool = False

    def take(self, rows: NDArray[Any]) -> SecretColumn:
        return replace(self, value=take_secret(self.value, rows), null=take_flag(self.null, rows))


Column = PublicColumn | SecretColumn


@dataclass(frozen=True, eq=False)
class SecureTable:
    """`rows` rows; `valid` is True where all of them are there.

    `faults`: what of a promise was found broken while computing, each a sentence and one row of one plane, set where it is broken. No
    server learns them; the gate releases nothing where one is set, and tells the recipients which. `is_packed`: rows that are there
    stand before all that are not. `runs`: sets of columns; of the rows that are there those that agree on all columns of one (NULLs agree)
    stand side by side, but for rows that are not there.
    """

    rows: int
    columns: Mapping[str, Column]
    valid: Flag = field(default=True)
    faults: tuple[tuple[str, Bits], ...] = ()
    is_packed: bool = False
    runs: tuple[frozenset[str], ...] = ()

    def take(self, rows: NDArray[Any]) -> SecureTable:
        """The public rows of these numbers (or where a boolean array is set), in that order."""
        numbers = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        columns = {name: column.take(numbers) for name, column in self.columns.items()}
        return SecureTable(len(numbers), columns, take_flag(self.valid, numbers), self.faults)

    def public(self, name: str) -> PublicColumn:
        """Raises OurFault for a column that is secret."""
        column = self.columns[name]
        if not isinstance(column, PublicColumn):
            raise OurFault(f"column {name} is secret here", do="place the plan so that keys are public")
        return column


# ---- input


def input_parts(node: Input) -> tuple[Part, ...]:
    """What an owner shares for an input, in order: each secret column, its NULLs where it has any, and which rows are valid."""
    keys = {name for name, _ in node.keys}
    parts: list[Part] = []
    for one in node.columns:
        if one.name in keys:
            continue
        width = bits_shared(one.type)
        parts += bit_parts(one.name, width, node.rows) if width else [Part(one.name, "ring", Z64.bits, node.rows)]
        if one.type.nullable:
            parts.append(Part(f"{one.name}?null", "bits", 1, node.rows))
    return (*parts, Part(VALID, "bits", 1, node.rows))


def from_input(node: Input, parts: Mapping[str, Share | Bits]) -> SecureTable:
    """The table of an input from its shared parts. The owner has put 0 wherever a value is NULL or a row is not valid."""
    keys = grid(node)
    columns: dict[str, Column] = {}
    for one in node.columns:
        if one.name in keys:
            columns[one.name] = PublicColumn(one.type, keys[one.name], np.zeros(node.rows, np.bool_))
        else:
            null = parts[f"{one.name}?null"] if one.type.nullable else False
            assert isinstance(null, bool | Bits)
            columns[one.name] = SecretColumn(one.type, _whole(node, one, parts), null, clean=True)
    valid = parts[VALID]
    assert isinstance(valid, Bits)
    return SecureTable(node.rows, columns, valid)


def bits_shared(type: Type) -> int:
    """The planes of a secret column's Bits: 1 for a bool, a text's bits (see Type); 0 where it is a Share."""
    return 8 * (type.bytes_max or DIGEST_BYTES) if type.kind == TEXT else int(type.kind == BOOL)


def _whole(node: Input, one: Field, parts: Mapping[str, Share | Bits]) -> Share | Bits:
    """A column of its parts."""
    width = bits_shared(one.type)
    if width <= RING_BITS_MAX:
        return parts[one.name]
    words = [parts[part.name] for part in bit_parts(one.name, width, node.rows)]
    return Bits.stack([word for word in words if isinstance(word, Bits)])


def grid(node: Input) -> dict[str, Integers]:
    """The key columns of an input's public grid: every combination, the last key fastest, each `slots` times."""
    columns = {}
    sizes = [len(values) for _, values in node.keys]
    for at, (name, values) in enumerate(node.keys):
        inner = prod(sizes[at + 1 :]) * node.slots
        columns[name] = np.tile(np.repeat(np.array(values, np.int64), inner), prod(sizes[:at]))
    return columns


# ---- public rows of secret columns


def take_secret(secret: Share | Bits, rows: NDArray[Any]) -> Share | Bits:
    return take_bits(secret, rows) if isinstance(secret, Bits) else secret[rows]


def take_bits(bits: Bits, rows: NDArray[Any]) -> Bits:
    """The bits of the public rows with these numbers, in that order."""
    own, after = (
        np.concatenate([planes_from_bools(bools_from_planes(plane, bits.rows)[rows]) for plane in planes])
        for planes in (bits.own, bits.next)
    )
    return Bits(len(rows), own, after)


def take_flag(flag: Flag, rows: NDArray[Any]) -> Flag:
    if isinstance(flag, bool):
        return flag
    return take_bits(flag, rows) if isinstance(flag, Bits) else flag[rows]


def join_bits(parts: Sequence[Bits]) -> Bits:
    """Columns of one width, one after the other, of any numbers of rows."""
    rows = [one.rows for one in parts]
    own, after = (
        np.concatenate([_joined_plane([side[plane] for side in sides], rows) for plane in range(parts[0].width)])
        for sides in ([one.own for one in parts], [one.next for one in parts])
    )
    return Bits(sum(rows), own, after)


def _joined_plane(planes: Sequence[NDArray[np.uint64]], rows: Sequence[int]) -> NDArray[np.uint64]:
    return planes_from_bools(np.concatenate([bools_from_planes(plane, count) for plane, count in zip(planes, rows, strict=True)]))


def join_flags(me: Party, flags: Sequence[Flag], rows: Sequence[int]) -> Flag:
    """Flags of tables that follow each other."""
    if all(isinstance(one, bool) for one in flags) and len(set(map(bool, flags))) == 1:
        return flags[0]
    if not any(isinstance(one, Bits) for one in flags):
        return np.concatenate([np.full(count, one) if isinstance(one, bool) else one for one, count in zip(flags, rows, strict=True)])
    return join_bits([as_bits(me, one, count) for one, count in zip(flags, rows, strict=True)])
