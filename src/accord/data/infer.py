"""A first schema for a CSV file that a person then reviews: kinds, wide bounds, categories.

Nothing that is proposed is exact where exactness would tell: bounds are rounded out, so that no row's own value stands in a study.
Categories are the exception, since a study lists them; their note says so.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from accord.base.errors import Refused
from accord.base.names import column_name
from accord.data.read import Source, connect, load, one_row, open_source, quoted
from accord.data.rules import EPOCH
from accord.data.schema import DECIMAL_DIGITS_MAX, TEXT_BYTES_MAX, ColumnSchema, TableSchema

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CATEGORY_VALUES_PROPOSED_MAX = 50
RARE_ROWS = 3
_FRACTION_DIGITS_MAX = 9
_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"
_TABLE = "accord_inferred"


@dataclass(frozen=True)
class Proposal:
    """`notes`: for each column of the file, what a person should look at; a column that is in `left_out` has no place in the schema."""

    schema: TableSchema
    notes: Mapping[str, str]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Seen:
    """What one pass over a column of texts found; counts are of filled cells."""

    filled: int
    empty: int
    distinct: int
    booleans: int
    numbers: int
    dates: int
    low: Decimal | None
    high: Decimal | None
    first_day: datetime.date | None
    last_day: datetime.date | None
    fraction_digits: int
    characters: int
    size_bytes: int


def infer(path: str | Path, table: str) -> Proposal:
    """A proposal for the table's schema, from its first owner's CSV file.

    Raises Refused where the file is no well-formed CSV, or no column of it can be named in SQL without quotes.
    """
    source = open_source(path)
    if not source.is_text:
        raise Refused("a schema is proposed from CSV", where=source.name, do="export the table as CSV, or write the schema by hand")
    notes = {name: why for name in source.header if (why := _unusable(source, name))}
    left_out, names = tuple(notes), [name for name in source.header if name not in notes]
    if not names:
        raise Refused("no column has a usable name", where=source.name, rule="letters, digits and _", do="rename the columns in the file")
    columns = []
    with connect() as connection:
        load(connection, source, names, _TABLE)
        for name in names:
            column, notes[name] = _propose(connection, name)
            columns.append(column)
    return Proposal(TableSchema(table, tuple(columns)), notes, left_out)


def _unusable(source: Source, name: str) -> str:
    if sum(one.lower() == name.lower() for one in source.header) > 1:
        return "left out: another column has the same name; rename one in the file to use it"
    try:
        column_name(name)
    except Refused as error:
        return f"left out: {error}"
    return ""


def _propose(connection: DuckDBPyConnection, name: str) -> tuple[ColumnSchema, str]:
    seen = _look(connection, name)
    column, note = _kind(connection, name, seen)
    null = (
        f"{seen.empty} {'cell is' if seen.empty == 1 else 'cells are'} empty"
        if seen.empty
        else "no cell is empty here; declare it nullable if another owner's may be"
    )
    return column, f"{note}; {null}"


def _look(connection: DuckDBPyConnection, name: str) -> _Seen:
    x = quoted(name)
    number = f"CASE WHEN regexp_full_match({x}, '{_NUMBER}') THEN TRY_CAST({x} AS DECIMAL(38, {_FRACTION_DIGITS_MAX})) END"
    day = f"CASE WHEN regexp_full_match({x}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') THEN TRY_CAST({x} AS DATE) END"
    counts = [f"count({x})", f"count(*) - count({x})", f"count(DISTINCT {x})"]
    counts += [f"count(*) FILTER (lower({x}) IN ('true', 'false'))", f"count({number})", f"count({day})"]
    extremes = [f"min({number})", f"max({number})", f"min({day})", f"max({day})"]
    lengths = [rf"coalesce(max(length(regexp_extract({x}, '\.([0-9]+)$', 1))), 0)"]
    lengths += [f"coalesce(max({measure}({x})), 0)" for measure in ("length", "strlen")]
    sql = f"SELECT {', '.join([*counts, *extremes, *lengths])} FROM {_TABLE}"
    return _Seen(*one_row(connection, sql))  # type: ignore[arg-type]


def _kind(connection: DuckDBPyConnection, name: str, seen: _Seen) -> tuple[ColumnSchema, str]:
    """The narrowest kind that every filled cell has."""
    nullable = seen.empty > 0
    if seen.filled == 0:
        return ColumnSchema(name, "text key", characters_max=255, nullable=True), "REVIEW: every cell is empty, so the kind is a guess"
    if seen.booleans == seen.filled:
        return ColumnSchema(name, "bool", nullable=nullable), "every cell is true or false"
    if seen.dates == seen.filled and seen.first_day and seen.last_day:
        low, high = _decades(seen.first_day, seen.last_day)
        bounds = f"bounds {low} to {high} are rounded out to whole decades; narrow them by what you know, not by the data"
        return ColumnSchema(name, "date", (low - EPOCH).days, (high - EPOCH).days, nullable=nullable), f"dates; {bounds}"
    if seen.numbers == seen.filled and _fits(seen):
        return _number(name, seen)
    if seen.distinct <= CATEGORY_VALUES_PROPOSED_MAX and seen.filled >= 2 * seen.distinct:
        return _category(connection, name, seen)
    return _text_key(name, seen)


def _decades(first: datetime.date, last: datetime.date) -> tuple[datetime.date, datetime.date]:
    """Whole decades around two days, neither of them at the edge."""
    low = datetime.date(max(first.year // 10 * 10, 1), 1, 1)
    high = datetime.date(min(last.year // 10 * 10 + 9, datetime.MAXYEAR), 12, 31)
    low = low.replace(year=max(low.year - 10, 1)) if low == first else low
    return low, high.replace(year=min(high.year + 10, datetime.MAXYEAR)) if high == last else high


def _bounds(seen: _Seen) -> tuple[int, int]:
    """Whole numbers around all values: zero, or powers of ten beyond the extremes."""
    low, high = seen.low or Decimal(0), seen.high or Decimal(0)
    return -_power_of_ten(-low) if low < 0 else 0, _power_of_ten(high) if high > 0 else (1 if low == 0 else 0)


def _power_of_ten(value: Decimal) -> int:
    """The least power of ten above a positive value."""
    return int(10 ** len(str(int(value)))) if value >= 1 else 1


def _fits(seen: _Seen) -> bool:
    """Whether the rounded bounds, with all digits after the point, are a decimal's."""
    low, high = _bounds(seen)
    return max(-low, high) * 10**seen.fraction_digits <= 10**DECIMAL_DIGITS_MAX and seen.fraction_digits <= _FRACTION_DIGITS_MAX


def _number(name: str, seen: _Seen) -> tuple[ColumnSchema, str]:
    low, high = _bounds(seen)
    nullable, scale = seen.empty > 0, seen.fraction_digits
    bounds = f"bounds {low} to {high} are rounded out to powers of ten; narrow them by what you know, not by the data"
    if scale == 0:
        flags = "; only 0 and 1 occur: is it a bool?" if seen.low in (0, 1) and seen.high == 1 else ""
        return ColumnSchema(name, "int", low, high, nullable=nullable), f"integers; {bounds}{flags}"
    digits = min(len(str(max(-low, high) * 10**scale)), DECIMAL_DIGITS_MAX)
    column = ColumnSchema(name, "decimal", low * 10**scale, high * 10**scale, digits, scale, nullable=nullable)
    return column, f"decimals with {scale} digits after the point; {bounds}"


def _category(connection: DuckDBPyConnection, name: str, seen: _Seen) -> tuple[ColumnSchema, str]:
    x = quoted(name)
    found = connection.execute(f"SELECT {x}, count(*) FROM {_TABLE} WHERE {x} IS NOT NULL GROUP BY {x} ORDER BY {x}").fetchall()
    rare = sum(count < RARE_ROWS for _, count in found)
    warning = f"; REVIEW: {rare} of them occur in fewer than {RARE_ROWS} rows and may point to someone" if rare else ""
    these = "this value" if len(found) == 1 else f"these {len(found)} values"
    note = f"{these} of your data will stand in the study for every party to read; add what other owners may have{warning}"
    return ColumnSchema(name, "category", values=tuple(value for value, _ in found), nullable=seen.empty > 0), note


def _text_key(name: str, seen: _Seen) -> tuple[ColumnSchema, str]:
    characters, size = _doubled(seen.characters), _doubled(seen.size_bytes)
    note = f"text that may be joined and grouped by and is never shown; length rounded out to {characters}"
    if size <= TEXT_BYTES_MAX:
        note += f'; to release it, declare kind = "text", bytes_max = {size}'
    for count, what in ((seen.numbers, "a plain number"), (seen.dates, "a date as YYYY-MM-DD")):
        if seen.filled > count >= seen.filled / 2:
            note += f"; REVIEW: {seen.filled - count} of {seen.filled} cells are not {what}: correct them if all should be"
    if seen.numbers == seen.filled:
        note += f"; REVIEW: these are numbers with more digits than fit ({DECIMAL_DIGITS_MAX} in all): round them to compute with them"
    return ColumnSchema(name, "text key", characters_max=characters, nullable=seen.empty > 0), note


def _doubled(longest: int) -> int:
    """The least power of two above a length, and at least 16."""
    return max(16, 1 << longest.bit_length())
