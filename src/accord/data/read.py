"""Opening an owner's CSV or Parquet file, and loading its columns into DuckDB exactly as they stand.

CSV cells arrive as text: nothing is guessed, trimmed, cast or skipped. The file's structure is checked first (`csv_layout`), and
DuckDB must then find exactly the rows that the check counted. An empty cell is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import OurFault, Refused
from accord.base.limits import ROWS_MAX
from accord.data.csv_layout import RECORD_BYTES_MAX, scan
from accord.data.problems import nearest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}


@dataclass(frozen=True)
class Source:
    """An owner's file. `header` in file order; `types` are DuckDB's, all VARCHAR for CSV; `lines` only for CSV: see CsvLayout."""

    path: Path
    header: tuple[str, ...]
    types: tuple[str, ...]
    rows: int
    delimiter: str = ""
    lines: NDArray[np.int64] | None = None

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def is_text(self) -> bool:
        """Whether cells are text (CSV), so that an empty one means NULL."""
        return self.lines is not None

    def place(self, row: int) -> str:
        """Where a person finds data row `row` (from 0): the line in an editor, or the row of a Parquet file, both from 1."""
        return f"row {row + 1}" if self.lines is None else f"line {int(self.lines[row])}"

    def type_of(self, column: str) -> str:
        return self.types[self.header.index(column)]


def connect() -> DuckDBPyConnection:
    """A DuckDB in memory that loads no extension, spills nothing to disk and cannot see Python's variables."""
    import duckdb

    connection = duckdb.connect(":memory:", config=dict(_SETTINGS))
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def seal(connection: DuckDBPyConnection) -> None:
    """From here on this DuckDB reaches no file and no network, and its settings cannot be changed back."""
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def open_source(path: str | Path, wanted: Sequence[str] = (), connection: DuckDBPyConnection | None = None) -> Source:
    """The file at `path`, with the `wanted` columns; through a connection that is there, or one of its own.

    CSV is UTF-8 (with or without byte-order mark) with comma, semicolon or tab, LF or CRLF, and a header line; a file that begins with
    the Parquet mark is Parquet. Raises Refused, naming file and line, for a file of another shape, a wanted column that is missing or
    there twice, or more rows than a table may have.
    """
    path = Path(path)
    _require_file(path)
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    source = _open_parquet(path, connection) if is_parquet else _open_csv(path, wanted)
    for name in wanted:
        _require_column(source, name)
    if source.rows > ROWS_MAX:
        raise Refused(f"{source.rows} rows", where=source.name, rule=f"at most {ROWS_MAX} rows", do="pre-aggregate the table, or split it")
    return source


def load(connection: DuckDBPyConnection, source: Source, columns: Sequence[str], table: str) -> None:
    """Makes `table` of the named columns, in file order of rows (`rowid` counts them from 0). Empty CSV cells become NULL.

    Raises Refused where DuckDB cannot read the file or sees other rows than the structure check did.
    """
    import duckdb

    chosen = ", ".join(f"{quoted(_column_reference(source, name))} AS {quoted(name)}" for name in columns) or "1 AS no_column"
    try:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(table)} AS SELECT {chosen} FROM {_reader(source)}")
    except duckdb.Error as error:
        raise Refused(f"DuckDB cannot read this file: {first_line(error)}", where=source.name, do="export the table again") from None
    found = one_row(connection, f"SELECT count(*) FROM {quoted(table)}")[0]
    if found != source.rows:
        raise Refused(
            f"{source.rows} rows were counted and {found} read",
            where=source.name,
            rule="no row is dropped",
            do="let nothing write to the file while it is read; if nothing does, export it again",
        )


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def one_row(connection: DuckDBPyConnection, sql: str) -> tuple[object, ...]:
    """The only row of a query that gives exactly one. Raises OurFault where it gives none."""
    rows = connection.execute(sql).fetchall()  # all of it: an unfinished result blocks the connection
    if len(rows) != 1:
        raise OurFault(f"a summary query gave {len(rows)} rows")
    return tuple(rows[0])


def first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _require_file(path: Path) -> None:
    if not path.is_file():
        near = nearest(path.name, sorted(one.name for one in path.parent.iterdir())) if path.parent.is_dir() else ""
        hint = f"; the nearest name there is {near!r}" if near else ""
        raise Refused(f"there is no file {path.name!r} in {path.parent}{hint}", do="check the path")
    if found := [one for one in "*?[" if one in str(path)]:
        raise Refused(f"the path of {path.name!r} holds {found[0]!r}", rule="no wildcards in a path", do="rename the file or its folder")


def _open_csv(path: Path, wanted: Sequence[str]) -> Source:
    layout = scan(path, wanted)
    return Source(path, layout.header, ("VARCHAR",) * len(layout.header), layout.lines.size, layout.delimiter, layout.lines)


def _open_parquet(path: Path, connection: DuckDBPyConnection | None) -> Source:
    import duckdb

    reader = _parquet_reader(path)
    try:
        with connect() if connection is None else nullcontext(connection) as used:
            described = used.execute(f"DESCRIBE SELECT * FROM {reader}").fetchall()
            rows = one_row(used, f"SELECT count(*) FROM {reader}")[0]
    except duckdb.Error as error:
        raise Refused(f"this is no readable Parquet file: {first_line(error)}", where=path.name, do="write it again") from None
    return Source(path, tuple(row[0] for row in described), tuple(row[1] for row in described), int(str(rows)))


def _require_column(source: Source, name: str) -> None:
    count = source.header.count(name)
    if count > 1:
        rule, do = "every column has a name of its own", "rename all but one"
        raise Refused(f"column {name!r} stands there {count} times", where=source.name, rule=rule, do=do)
    if count == 0:
        near = nearest(name, source.header)
        found = f"the nearest is {near!r}" if near else f"it has {', '.join(repr(one) for one in source.header[:12])}"
        raise Refused(
            f"no column {name!r}; {found}",
            where=source.name,
            rule="the header names every column of the schema, letter by letter",
            do="rename the column in the file or in the schema",
        )


def _column_reference(source: Source, name: str) -> str:
    return f"c{source.header.index(name)}" if source.is_text else name


def _reader(source: Source) -> str:
    if not source.is_text:
        return _parquet_reader(source.path)
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(source.header)))
    return (
        f"read_csv({literal(str(source.path))}, columns = {{{columns}}}, delim = {literal(source.delimiter)}, auto_detect = false, "
        "header = false, skip = 1, quote = '\"', escape = '\"', comment = '', nullstr = '', allow_quoted_nulls = true, strict_mode = true, "
        "null_padding = false, ignore_errors = false, parallel = false, encoding = 'utf-8', compression = 'none', "
        f"hive_partitioning = false, max_line_size = {2 * RECORD_BYTES_MAX})"
    )


def _parquet_reader(path: Path) -> str:
    return f"read_parquet({literal(str(path))}, hive_partitioning = false, binary_as_string = false)"
