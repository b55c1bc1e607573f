"""A table of plain columns, and what groups and orders its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.plan.evaluate import Plain, ordered
from accord.plan.types import Type

Cell = int | str | None
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Table:
    """Plain columns of `rows` rows each."""

    columns: dict[str, Plain]
    rows: int

    def take(self, rows: NDArray[Any]) -> Table:
        return Table({name: one.take(rows) for name, one in self.columns.items()}, len(rows))

    def tuples(self, names: tuple[str, ...] | None = None) -> list[tuple[Any, ...]]:
        """The rows: integer forms and texts, None for NULL."""
        chosen = [self.columns[name] for name in (self.columns if names is None else names)]
        if not chosen:
            return [()] * self.rows
        cells = ([None if null else value for value, null in zip(one.values.tolist(), one.nulls.tolist(), strict=True)] for one in chosen)
        return list(zip(*cells, strict=True))

    @staticmethod
    def of(names: tuple[str, ...], rows: Sequence[tuple[Cell, ...]]) -> Table:
        cells: Sequence[tuple[Cell, ...]] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return Table({name: plain(values) for name, values in zip(names, cells, strict=True)}, len(rows))


def plain(values: tuple[Cell, ...]) -> Plain:
    """A column of integer forms, or of texts, None for NULL."""
    nulls = np.array([value is None for value in values], np.bool_)
    if any(isinstance(value, str) for value in values):
        return Plain(np.array([value or "" for value in values], object), nulls)
    return Plain(np.array([value or 0 for value in values], np.int64), nulls)


def concatenated(parts: Sequence[Table]) -> Table:
    """The rows of tables with the same columns."""
    columns = {
        name: Plain(np.concatenate([one.columns[name].values for one in parts]), np.concatenate([one.columns[name].nulls for one in parts]))
        for name in parts[0].columns
    }
    return Table(columns, sum(one.rows for one in parts))


def padded(table: Table, rows: Rows, types: dict[str, Type]) -> dict[str, Plain]:
    """The named rows of a table; row −1 is NULL."""
    missing = rows < 0
    if table.rows == 0:
        return {name: Plain.empty(types[name], len(rows)) for name in table.columns}
    taken = table.take(np.where(missing, 0, rows))
    return {name: Plain.of(one.values, one.nulls | missing) for name, one in taken.columns.items()}


# ---- equal rows, ordered rows


def numbered(columns: Sequence[Plain], rows: int) -> NDArray[np.int64]:
    """A number for each row, equal where rows agree in all columns; NULL agrees with NULL. Numbers are below the number of rows."""
    numbers = np.zeros(rows, np.int64)
    for one in columns:
        distinct, codes = np.unique(one.values, return_inverse=True)
        codes = np.where(one.nulls, len(distinct), codes.reshape(-1))
        numbers = np.unique(numbers * (len(distinct) + 1) + codes, return_inverse=True)[1].reshape(-1)
    return numbers


@dataclass(frozen=True)
class Groups:
    """Rows that agree, group by group: `of` gives each row's group, `first` each group's first row; groups stand in the order of these."""

    of: NDArray[np.int64]
    first: Rows

    @property
    def count(self) -> int:
        return len(self.first)

    @staticmethod
    def by(columns: Sequence[Plain], rows: int) -> Groups:
        numbers = numbered(columns, rows)
        _, first, of = np.unique(numbers, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        return Groups(places[of.reshape(-1)], first[order])


def sort_rank(column: Plain, type: Type) -> NDArray[np.int64]:
    """What a Sort orders a column by, as integers: a category by its text, a text by its bytes; 0 where it is NULL."""
    values = ordered(column, type)
    if values.dtype == object:
        values = np.unique(values, return_inverse=True)[1].reshape(-1)
    return np.where(column.nulls, 0, values)


def in_order(keys: Sequence[tuple[Plain, Type, bool]], rows: int) -> Rows:
    """Row numbers in the order of some columns (True means descending), NULL last either way; equal rows as they stood."""
    parts: list[NDArray[Any]] = []
    for column, type, descending in keys:
        rank = sort_rank(column, type)
        parts += [column.nulls, -rank if descending else rank]
    return np.lexsort(parts[::-1]) if parts else np.arange(rows)
