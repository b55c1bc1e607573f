"""The owner's own step: the study's SQL over the owner's checked tables, laid out on a public grid as exact integers.

The SQL is the signed study's; it runs in a DuckDB that reaches no file and no network. Nothing is dropped, rounded or wrapped: a value
that the study does not foresee stops the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import Refused
from accord.data.check import load_checked
from accord.data.encode import OWN_STEP, LocalField, Relation, encode, text_bytes
from accord.data.problems import BadData, Problem, finding
from accord.data.publics import PublicTable, load_public
from accord.data.read import connect, first_line, seal
from accord.data.schema import TableSchema

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class OwnedTable:
    """One of the owner's files, what it must hold, the study's bound on its rows, and the categories that are constant in it."""

    path: Path
    schema: TableSchema
    rows_max: int | None = None
    constant: Mapping[str, str] | None = None


@dataclass(frozen=True)
class LocalStep:
    """What the study asks of one owner. `fields` are the result's columns, keys included; `keys` gives each key column's public values as
    integer forms. The grid is every combination of these, the last key fastest, each with `slots` rows."""

    name: str
    sql: str
    keys: tuple[tuple[str, tuple[int, ...]], ...]
    slots: int
    fields: tuple[LocalField, ...]

    @property
    def rows(self) -> int:
        return prod(len(values) for _, values in self.keys) * self.slots

    @property
    def shared(self) -> tuple[LocalField, ...]:
        """The columns that are secret: all but the keys."""
        keys = {name for name, _ in self.keys}
        return tuple(field for field in self.fields if field.name not in keys)


@dataclass(frozen=True, repr=False)
class LocalColumns:
    """An owner's plain result on the grid: every array has the grid's `rows`. A secret of its owner: never printed, never logged.

    values: int64, 0 where NULL or padded, or a text's bytes (see encode.text_bytes), then empty; nulls: only of nullable columns, True for
    NULL; valid: False for padding.
    """

    name: str
    fields: tuple[LocalField, ...]
    values: Mapping[str, NDArray[Any]]
    nulls: Mapping[str, Flags]
    valid: Flags

    @property
    def rows(self) -> int:
        return int(self.valid.shape[0])

    def __repr__(self) -> str:
        return f"<local columns of {self.name}: {', '.join(field.name for field in self.fields)}; {self.rows} rows>"


def run_local_step(step: LocalStep, tables: Mapping[str, OwnedTable], publics: Mapping[str, PublicTable]) -> LocalColumns:
    """As `run_local_steps`, of one step."""
    (columns,) = run_local_steps([step], tables, publics)
    return columns


def run_local_steps(
    steps: Iterable[LocalStep], tables: Mapping[str, OwnedTable], publics: Mapping[str, PublicTable]
) -> Iterator[LocalColumns]:
    """Checks the owner's files again, once, runs each step, and lays its rows on the public grid.

    Needs: every table's name is its schema's. Raises BadData for a cell or a result outside what is declared, and Refused for SQL that does
    not run, computes in floating point or overflows, more than `slots` rows in one cell, or a key outside its public values.
    """
    with connect() as connection:
        for table in tables.values():
            load_checked(connection, table.path, table.schema, table.rows_max, table.constant)
        for name, public in publics.items():
            load_public(connection, name, public)
        seal(connection)
        for step in steps:
            yield _lay_out(step, _run(connection, step))


def _run(connection: DuckDBPyConnection, step: LocalStep) -> Relation:
    """The result's columns as integers. DuckDB's own words are kept: they say which operation failed."""
    import duckdb

    _require_select(connection, step)
    try:
        return encode(connection, step.name, step.sql, step.fields)
    except (duckdb.OutOfRangeException, duckdb.ConversionException) as error:
        problem = Problem(OWN_STEP, _COMPUTED, first_line(error), "every intermediate value fits its type", _NARROW)
        raise BadData(step.name, [problem], {_COMPUTED: 1}) from None
    except duckdb.OutOfMemoryException:
        raise Refused(
            "the owner's own step needs more memory", where=step.name, do="run it on a larger machine, or pre-aggregate"
        ) from None
    except duckdb.Error as error:
        _refuse_sql(step, first_line(error))


def _require_select(connection: DuckDBPyConnection, step: LocalStep) -> None:
    import duckdb

    try:
        statements = connection.extract_statements(step.sql)
    except duckdb.Error as error:
        _refuse_sql(step, first_line(error))
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        _refuse_sql(step, "it is not one SELECT")


def _refuse_sql(step: LocalStep, why: str) -> NoReturn:
    raise Refused(f"the study's SQL does not run here: {why}", where=step.name, do="ask who wrote the study to correct it")


def _lay_out(step: LocalStep, relation: Relation) -> LocalColumns:
    """Rows in the order of their values inside each cell, so that the layout depends on the data alone."""
    cells = _cells(step, relation)
    values = {field.name: _shareable(field, relation) for field in step.shared}
    columns = [*values.values(), *(relation.nulls[field.name] for field in step.shared)]
    order = np.lexsort([*reversed(columns), cells]) if step.slots > 1 else np.argsort(cells, kind="stable")
    sorted_cells = cells[order]
    rank = np.arange(order.size) - np.searchsorted(sorted_cells, sorted_cells)
    _require_room(step, sorted_cells, rank)
    place = sorted_cells * step.slots + rank

    def spread(column: NDArray[Any]) -> NDArray[Any]:
        out = np.zeros(step.rows, column.dtype)
        out[place] = column[order]
        return out

    return LocalColumns(
        step.name,
        step.shared,
        {field.name: spread(values[field.name]) for field in step.shared},
        {field.name: spread(relation.nulls[field.name]) for field in step.shared if field.nullable},
        spread(np.ones(relation.rows, np.bool_)),
    )


def _shareable(field: LocalField, relation: Relation) -> NDArray[Any]:
    column = relation.values[field.name]
    return text_bytes(column.tolist(), field.bytes_max) if field.kind == "text" else column


def _cells(step: LocalStep, relation: Relation) -> NDArray[np.intp]:
    """Each row's cell of the grid. Raises Refused for a key that is NULL or outside its public values."""
    cells = np.zeros(relation.rows, np.intp)
    for name, domain in step.keys:
        column, public = relation.values[name], np.array(domain, np.int64)
        order = np.argsort(public)
        at = np.minimum(np.searchsorted(public, column, sorter=order), public.size - 1)
        position = order[at]
        strange = (public[position] != column) | relation.nulls[name]
        if strange.any():
            _refuse_key(step, relation, name, int(np.argmax(strange)), int(strange.sum()))
        cells = cells * public.size + position
    return cells


def _refuse_key(step: LocalStep, relation: Relation, name: str, row: int, count: int) -> NoReturn:
    field = next(one for one in step.fields if one.name == name)
    cell = finding(None if relation.nulls[name][row] else field.as_text(int(relation.values[name][row])))
    rule, do = "a key is one of its public values, never NULL", "have the study leave such rows out by a WHERE, or declare the value"
    raise BadData(step.name, [Problem(OWN_STEP, name, cell, rule, do)], {name: count})


def _require_room(step: LocalStep, cells: NDArray[np.intp], rank: NDArray[np.intp]) -> None:
    if not rank.size or rank.max() < step.slots:
        return
    at = int(np.argmax(rank))
    cell = f"{_cell_text(step, int(cells[at]))} has {int(rank[at]) + 1} rows"
    problem = Problem(OWN_STEP, _ROWS, cell, f"the study allows {step.slots} in a cell", _MORE_SLOTS)
    raise BadData(step.name, [problem], {_ROWS: int((rank >= step.slots).sum())})


def _cell_text(step: LocalStep, cell: int) -> str:
    if not step.keys:
        return "the table"
    positions = np.unravel_index(cell, [len(values) for _, values in step.keys])
    fields = {field.name: field for field in step.fields}
    return ", ".join(f"{name} = {fields[name].as_text(values[int(at)])}" for (name, values), at in zip(step.keys, positions, strict=True))


_COMPUTED, _ROWS = "(computed)", "(rows)"
_NARROW = "correct the data, or have the study declare narrower bounds or a narrower computation"
_MORE_SLOTS = "leave repeated rows out, or have the study declare more rows"
