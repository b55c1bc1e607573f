"""Checking an owner's file against its declared schema, before anything is shared. Every cell is judged; none is repaired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from accord.base.errors import Refused
from accord.data.problems import BadData, Problem, finding
from accord.data.read import Source, connect, load, one_row, open_source, quoted
from accord.data.rules import GOOD, ColumnSql, column_sql, declared, sentence
from accord.data.schema import ColumnSchema, TableSchema

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PROBLEMS_SHOWN_PER_COLUMN = 3
_RAW = "accord_raw"


@dataclass(frozen=True)
class ColumnSummary:
    """A checked column without any value: what it is declared to be, its filled and empty cells, and, of a category, how many of
    its values occur."""

    name: str
    declared: str
    filled: int
    empty: int
    values_used: int | None = None


@dataclass(frozen=True)
class Checked:
    """A file that keeps its schema. `unread`: columns of the file that the schema does not name; nothing reads them."""

    path: Path
    schema: TableSchema
    rows: int
    columns: tuple[ColumnSummary, ...]
    unread: tuple[str, ...]


def check(path: str | Path, schema: TableSchema, rows_max: int | None = None, constant: Mapping[str, str] | None = None) -> Checked:
    """Every cell of the file against the schema.

    `rows_max` is the study's bound on this owner's rows; `constant` gives, for a category column, the one value that all of this
    owner's rows hold. Raises BadData with the first cells that break a rule, and Refused for a file of another shape.
    """
    with connect() as connection:
        return load_checked(connection, path, schema, rows_max, constant)


def load_checked(
    connection: DuckDBPyConnection,
    path: str | Path,
    schema: TableSchema,
    rows_max: int | None = None,
    constant: Mapping[str, str] | None = None,
) -> Checked:
    """As `check`, and leaves the table, typed and named as in the schema, in the connection.

    int becomes BIGINT, decimal DECIMAL(p, s), date DATE, bool BOOLEAN, category, text and text key VARCHAR.
    """
    names = [column.name for column in schema.columns]
    source = open_source(path, names, connection)
    if rows_max is not None and source.rows > rows_max:
        raise Refused(f"{source.rows} rows", where=source.name, rule=f"the study allows {rows_max}", do="have it declare more rows_max")
    fixed = dict(constant or {})
    parts = {column.name: column_sql(source, column, fixed.get(column.name)) for column in schema.columns}
    load(connection, source, names, _RAW)
    summaries = _judge(connection, source, schema, parts, fixed)
    values = ", ".join(f"{part.value} AS {quoted(name)}" for name, part in parts.items())
    connection.execute(f"CREATE TABLE {quoted(schema.name)} AS SELECT {values} FROM {_RAW} ORDER BY rowid")
    connection.execute(f"DROP TABLE {_RAW}")
    _require_unique(connection, source, schema)
    return Checked(source.path, schema, source.rows, summaries, tuple(one for one in source.header if one not in parts))


def _judge(
    connection: DuckDBPyConnection, source: Source, schema: TableSchema, parts: Mapping[str, ColumnSql], constant: Mapping[str, str]
) -> tuple[ColumnSummary, ...]:
    """One pass that counts bad and empty cells of all columns, then one for each column that has bad ones."""
    counted = ", ".join(_counts(column, parts[column.name]) for column in schema.columns)
    row = [int(str(one)) for one in one_row(connection, f"SELECT {counted} FROM {_RAW}")]
    bad, empty, used = row[0::3], row[1::3], row[2::3]
    counts = {column.name: count for column, count in zip(schema.columns, bad, strict=True) if count}
    if counts:
        problems = [
            problem
            for column in schema.columns
            if column.name in counts
            for problem in _problems(connection, source, column, parts[column.name], constant)
        ]
        raise BadData(source.name, problems, counts)
    return tuple(
        ColumnSummary(column.name, declared(column), source.rows - none, none, distinct if column.kind == "category" else None)
        for column, none, distinct in zip(schema.columns, empty, used, strict=True)
    )


def _counts(column: ColumnSchema, part: ColumnSql) -> str:
    cell = quoted(column.name)
    used = f"count(DISTINCT {cell})" if column.kind == "category" else "0"
    return f"count(*) FILTER ({part.verdict} <> {GOOD}), count(*) FILTER ({cell} IS NULL), {used}"


def _problems(
    connection: DuckDBPyConnection, source: Source, column: ColumnSchema, part: ColumnSql, constant: Mapping[str, str]
) -> list[Problem]:
    only = constant.get(column.name)
    found = connection.execute(
        f"SELECT rowid, {part.verdict} AS verdict, CAST({quoted(column.name)} AS VARCHAR) FROM {_RAW} "
        f"WHERE verdict <> {GOOD} ORDER BY rowid LIMIT {PROBLEMS_SHOWN_PER_COLUMN}"
    ).fetchall()
    return [
        Problem(source.place(row), column.name, finding(value), *sentence(column, verdict, value, only)) for row, verdict, value in found
    ]


def _require_unique(connection: DuckDBPyConnection, source: Source, schema: TableSchema) -> None:
    if not schema.unique:
        return
    keys = ", ".join(quoted(name) for name in schema.unique)
    repeated = (
        f"SELECT min(rowid) AS first, max(rowid) AS last, count(*) - 1 AS extra FROM {quoted(schema.name)} GROUP BY {keys} HAVING extra > 0"
    )
    extra = int(str(one_row(connection, f"SELECT coalesce(sum(extra), 0) FROM ({repeated})")[0]))
    if not extra:
        return
    shown = connection.execute(f"SELECT first, last FROM ({repeated}) ORDER BY first LIMIT {PROBLEMS_SHOWN_PER_COLUMN}").fetchall()
    name = ", ".join(schema.unique)
    key = ", ".join(f"CAST({quoted(one)} AS VARCHAR)" for one in schema.unique)
    problems = []
    for first, last in shown:
        value = connection.execute(f"SELECT concat_ws(', ', {key}) FROM {quoted(schema.name)} WHERE rowid = {last}").fetchall()[0][0]
        rule = f"{name} differs in every row; {source.place(first)} holds the same"
        problems.append(Problem(source.place(last), name, finding(value), rule, "leave out the repeated row, or correct one of them"))
    raise BadData(source.name, problems, {name: extra})
