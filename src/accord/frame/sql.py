"""SQL (DuckDB's dialect) to a plan: sqlglot parses and qualifies, `query` translates its tree."""

from __future__ import annotations

import re
from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.qualify import qualify

from accord.base.errors import Refused
from accord.frame.places import at
from accord.frame.query import Query
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.nodes import Node

NOTHING: Mapping[str, Node] = {}
_PLACE = re.compile(r"[.,;]?\s*Line:? (\d+), Col:? (\d+)\.?")


def to_plan(sql: str, catalog: Catalog, named: Mapping[str, Node] = NOTHING, parameters: Mapping[str, str | int] | None = None) -> Node:
    """The unplaced plan of one SELECT.

    `named` are earlier steps of the study that FROM may name; `parameters` stand for `:name` in the SQL. Raises Refused, with line and
    column, for what is no SQL, names no table or column, or is not supported; the sentence says what is nearest.
    """
    return tree_to_plan(parse(sql), catalog, named, parameters, sql)[0]


def parse(sql: str) -> exp.Expr:
    """sqlglot's tree of one statement. Raises Refused where it is none."""
    try:
        statements = [one for one in sqlglot.parse(sql, dialect="duckdb") if one is not None]
    except ParseError as error:
        found = error.errors[0]
        near = f" near {found['highlight']!r}" if found.get("highlight") else ""
        where = f"line {found['line']}, column {found['col']}"
        raise Refused(f"this is no SQL{near}", where=where, do="check the spelling there") from None
    except TokenError as error:
        raise Refused(f"this is no SQL: {str(error).splitlines()[0]}", do="check quotes and comments") from None
    if len(statements) != 1:
        raise Refused(f"{len(statements)} statements", rule="one SELECT", do="release each as a table of its own")
    return statements[0]


def tree_to_plan(
    tree: exp.Expr,
    catalog: Catalog,
    named: Mapping[str, Node] = NOTHING,
    parameters: Mapping[str, str | int] | None = None,
    sql: str = "",
) -> tuple[Node, exp.Expr]:
    """The plan of sqlglot's tree, and the tree itself, qualified and with types: what the oracle runs."""
    lowered = {name.lower(): node for name, node in named.items()}
    qualified = _qualified(tree, catalog, lowered, sql)
    return Query(catalog, lowered, parameters or {}, sql).whole(qualified), qualified


def _qualified(tree: exp.Expr, catalog: Catalog, named: Mapping[str, Node], sql: str) -> exp.Expr:
    _require_tables(tree, catalog, named, sql)
    held: dict[str, TableInfo | Node] = {**catalog.tables, **catalog.publics, **named}
    schema: dict[str, object] = {name.lower(): _columns(one) for name, one in held.items()}
    try:
        return qualify(tree, schema=schema, dialect="duckdb", quote_identifiers=False)
    except OptimizeError as error:
        message = str(error)
        found = _PLACE.search(message)
        where = f"line {found[1]}, column {found[2]}" if found else ""
        do = "name a column that the tables of FROM have, with its table"
        raise Refused(_PLACE.sub("", message).rstrip(". "), where=where, do=do) from None


def _columns(one: TableInfo | Node) -> dict[str, str]:
    names = [field.name for field in one.fields] if isinstance(one, Node) else [column.name for column in one.schema.columns]
    return {name.lower(): "BIGINT" for name in names}


def _require_tables(tree: exp.Expr, catalog: Catalog, named: Mapping[str, Node], sql: str) -> None:
    """Raises Refused for a table that nobody declares, before its columns are looked for."""
    known = {name.lower() for name in (*catalog.tables, *catalog.publics, *named, *(cte.alias for cte in tree.find_all(exp.CTE)))}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and table.name.lower() not in known:
            with at(table, sql):
                catalog.table(table.name)
