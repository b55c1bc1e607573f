"""What a recipient holds in the end: a table of typed values, with a marker where a rule suppressed a row."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.plan.evaluate import Plain
from accord.plan.nodes import Field
from accord.plan.types import BOOL, CATEGORY, DATE, DECIMAL, TEXT, Type
from accord.release.noise import ColumnNoise

EPOCH = date(1970, 1, 1)
ABSENT, SUPPRESSED_STATUS, RELEASED = 0, 1, 2
ROWS_SHOWN_MAX = 60
EXACT = "exact"
ENDS = ("_low", "_high")


@dataclass(frozen=True)
class Suppressed:
    """In place of a value that a rule held back. It says nothing about the value."""

    def __str__(self) -> str:
        return "suppressed"


SUPPRESSED = Suppressed()


@dataclass(frozen=True)
class ReleasedTable:
    """A release as one recipient holds it.

    `status` is 0, 1 or 2 for each row: absent, suppressed, released. `columns` hold integer forms and NULLs; of rows that are not
    released, only public columns mean anything. `commitments` are those of the three parts, by server (see seal); none where the
    table was computed in the clear. `noise`: which columns have noise on them, and how much. `intervals`: of columns that were computed
    from noised ones, the ends within which the truth lies (NULL where the value is); `basis` is the table of those that they came from.
    """

    name: str
    title: str
    recipient: str
    fields: tuple[Field, ...]
    status: NDArray[np.uint8]
    columns: Mapping[str, Plain]
    sentences: tuple[str, ...]
    commitments: tuple[bytes, ...] = ()
    noise: Mapping[str, ColumnNoise] = field(default_factory=dict)
    intervals: Mapping[str, tuple[Plain, Plain]] = field(default_factory=dict)
    basis: ReleasedTable | None = None
    bounds: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """Rows that are there, by column name: int, Decimal, date, text or bool; None for NULL; SUPPRESSED."""
        return self._rows_of(self.fields)

    def rows_with_intervals(self) -> list[dict[str, Any]]:
        """The same, with the ends of its interval behind each computed column: `x_low` and `x_high` of x."""
        return self._rows_of(self._fields_with_intervals())

    def _rows_of(self, fields: Sequence[Field]) -> list[dict[str, Any]]:
        there = np.flatnonzero(self.status != ABSENT)
        shown = self.status[there] == RELEASED
        every = {
            **self.columns,
            **{f"{name}{end}": one for name, ends in self.intervals.items() for end, one in zip(ENDS, ends, strict=True)},
        }
        columns = [_values(one, every[one.name].take(there), shown) for one in fields]
        names = [one.name for one in fields]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def _fields_with_intervals(self) -> list[Field]:
        return [each for one in self.fields for each in (one, *(replace(one, name=f"{one.name}{end}") for end in self._ends(one)))]

    def _ends(self, one: Field) -> tuple[str, ...]:
        return ENDS if one.name in self.intervals else ()

    @property
    def error_bounds(self) -> dict[str, str]:
        """How far each column can be from the truth. Integers, decimals, dates, categories and texts are exact, unless noise is on them, or
        a rule shows them otherwise."""
        return {one.name: self._bound(one) for one in self.fields}

    def _bound(self, one: Field) -> str:
        if one.name in self.intervals:
            return "within the interval beside it in at least 95 of 100 cases (noise)"
        if one.name not in self.noise:
            return self.bounds.get(one.name, EXACT)
        return f"±{Decimal(self.noise[one.name].half_width()).scaleb(-one.type.scale):f} in 95 of 100 cases (noise)"

    @property
    def suppressed(self) -> int:
        """How many rows are suppressed."""
        return int((self.status == SUPPRESSED_STATUS).sum())

    def __str__(self) -> str:
        """The table as aligned text, at most 60 rows of it, and what was suppressed by which rule."""
        rows = self.rows_with_intervals()
        fields = self._fields_with_intervals()
        names = [one.name for one in fields]
        lines = [names, *([_printable(_text(row[name])) for name in names] for row in rows[:ROWS_SHOWN_MAX])]
        widths = [max(len(line[at]) for line in lines) for at in range(len(names))]
        right = [one.type.kind not in (CATEGORY, TEXT) for one in fields]
        table = [
            "  ".join(_aligned(cell, width, end) for cell, width, end in zip(line, widths, right, strict=True)).rstrip() for line in lines
        ]
        return "\n".join([*([self.title] if self.title else []), *table, *self._foot(len(rows))])

    def _foot(self, rows: int) -> list[str]:
        more = [f"… {rows - ROWS_SHOWN_MAX} more rows"] if rows > ROWS_SHOWN_MAX else []
        held = [f"{self.suppressed} of {rows} rows suppressed"] if self.suppressed else []
        noised = [f"{name}: {bound}" for name, bound in self.error_bounds.items() if bound != EXACT]
        exact = f"{rows} rows; all {'other ' if noised else ''}columns exact"
        return [*more, exact, *noised, *held, *(f"rule: {one}" for one in self.sentences)]

    def print(self, console: Any) -> None:
        """Write the text to a rich console, as it is."""
        console.print(str(self), markup=False, highlight=False)

    def to_csv(self, path: Path) -> None:
        """Write every row that is there: an empty field for NULL, the word `suppressed` for what was held back."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([one.name for one in self._fields_with_intervals()])
            writer.writerows(["" if value is None else _text(value) for value in row.values()] for row in self.rows_with_intervals())


def _values(field: Field, column: Plain, shown: NDArray[np.bool_]) -> list[Any]:
    values: Sequence[int] = column.values.tolist()
    return [
        SUPPRESSED if not (show or field.public) else None if null else value_of(field.type, value)
        for value, null, show in zip(values, column.nulls.tolist(), shown.tolist(), strict=True)
    ]


def value_of(type: Type, form: int) -> Any:
    """The value that an integer form stands for."""
    if type.kind == CATEGORY:
        return type.values[form]
    if type.kind == DECIMAL:
        return Decimal(form).scaleb(-type.scale)
    if type.kind == DATE:
        return EPOCH + timedelta(days=form)
    return bool(form) if type.kind == BOOL else form


def _text(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _printable(text: str) -> str:
    """Another party's text cannot move the cursor, colour the screen or begin a line: what is not printable is spelled out."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _aligned(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)
