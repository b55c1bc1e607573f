"""The runtime `clear:` of a question: its own SQL run by DuckDB over all owners' rows in one place, knowing nothing of placement or shares.

`exact` rewrites what DuckDB would compute in floating point; everything else is DuckDB's own meaning of the SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from accord.base.errors import OurFault
from accord.data.check import load_checked
from accord.data.encode import LocalField, encode
from accord.data.publics import PublicTable, load_public
from accord.data.read import connect, quoted
from accord.frame.exact import exact_sql
from accord.frame.sql import parse, tree_to_plan
from accord.plan.catalog import Catalog
from accord.plan.evaluate import Plain
from accord.plan.interpret import Table
from accord.plan.local_sql import local_sql
from accord.plan.nodes import Field, Node
from accord.plan.types import Type

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Pooled = Mapping[str, Mapping[str, str | Path | Table]]
"""Table name to owner to that owner's file (CSV or Parquet), or its rows as integer forms."""


def run_clear(
    sql: str | exp.Expr,
    catalog: Catalog,
    pooled: Pooled,
    named: Mapping[str, str] | None = None,
    parameters: Mapping[str, str | int] | None = None,
) -> Table:
    """The rows of the query over everybody's data, in its order, as integer forms (see Type).

    `named` gives earlier steps of the study by name, as SQL, in order. Raises Refused where the plan would; BadData for a file that
    breaks its schema, or a result outside the range that was inferred.
    """
    with connect() as connection:
        load_pooled(connection, catalog, pooled)
        plans: dict[str, Node] = {}
        for name, text in (named or {}).items():
            plan, tree = tree_to_plan(parse(text), catalog, plans, parameters, text)
            connection.execute(f"CREATE TABLE {quoted(name)} AS {exact_sql(tree, parameters or {})}")
            plans[name] = plan
        return answered(connection, sql, catalog, plans, parameters)


def run_planned(plan: Node, catalog: Catalog, pooled: Pooled) -> Table:
    """As `run_clear`, of a plan that is not placed: a question with what rules added to it, which no SQL of a study says."""
    with connect() as connection:
        load_pooled(connection, catalog, pooled)
        return _encoded(connection, local_sql(plan), plan)


def load_pooled(connection: DuckDBPyConnection, catalog: Catalog, pooled: Pooled) -> None:
    """Makes every declared table, with the rows of all owners."""
    for name in catalog.tables:
        _load(connection, name, catalog, pooled.get(name, {}))
    for name, public in catalog.publics.items():
        load_public(connection, name, PublicTable(tuple(map(local_field, public.fields)), public.rows))


def answered(
    connection: DuckDBPyConnection,
    sql: str | exp.Expr,
    catalog: Catalog,
    named: Mapping[str, Node],
    parameters: Mapping[str, str | int] | None = None,
) -> Table:
    """The rows of the query over tables that stand in the connection; `named` are the plans of earlier steps, which stand there too."""
    text = sql if isinstance(sql, str) else ""
    plan, tree = tree_to_plan(parse(sql) if isinstance(sql, str) else sql, catalog, named, parameters, text)
    return _encoded(connection, exact_sql(tree, parameters or {}), plan)


def _encoded(connection: DuckDBPyConnection, sql: str, plan: Node) -> Table:
    """What the SQL gives, in the types of the plan."""
    relation = encode(connection, "clear", sql, tuple(map(local_field, plan.fields)))
    return Table({one.name: Plain(relation.values[one.name], relation.nulls[one.name]) for one in plan.fields}, relation.rows)


def local_field(field: Field) -> LocalField:
    """A plan's column as the data room names it."""
    type = field.type
    return LocalField(field.name, type.kind, type.low, type.high, type.scale, type.values, type.nullable, type.bytes_max)


def _load(connection: DuckDBPyConnection, name: str, catalog: Catalog, held: Mapping[str, str | Path | Table]) -> None:
    """Makes the pooled table of all owners."""
    info = catalog.tables[name]
    parts = []
    for place, owner in enumerate(info.owners):
        rows = held.get(owner)
        if rows is None:
            raise OurFault(f"no data of {owner} for the table {name}", do="give a file for each owner")
        if isinstance(rows, Table):
            columns = tuple(local_field(Field(one.name, Type.of(one))) for one in info.schema.columns)
            load_public(connection, name, PublicTable(columns, tuple(rows.tuples(tuple(one.name for one in columns)))))
        else:
            constant = {info.owner_column: info.owner_values[place]} if info.owner_column else None
            load_checked(connection, rows, info.schema, info.rows_max[place], constant)
        parts.append(f"accord_part_{place}")
        connection.execute(f"ALTER TABLE {quoted(name)} RENAME TO {quoted(parts[-1])}")
    connection.execute(f"CREATE TABLE {quoted(name)} AS " + " UNION ALL ".join(f"SELECT * FROM {part}" for part in parts))
    for part in parts:
        connection.execute(f"DROP TABLE {part}")
