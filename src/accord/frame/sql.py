"""SQL (DuckDB's dialect) to a plan: sqlglot parses and qualifies, `query` translates its tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.qualify import qualify

from accord.base.errors import Refused
from accord.frame.as_of import DO
from accord.frame.places import at, place
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
        word = found.get("highlight") or ""
        near = f" near {word!r}" if word else ""
        where = f"line {found['line']}, column {max(found['col'] - len(word) + 1, 1)}"
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
    _require_joins(tree, sql)
    held: dict[str, TableInfo | Node] = {**catalog.tables, **catalog.publics, **named}
    schema = {name.lower(): _columns(one) for name, one in held.items()}
    known: dict[str, object] = dict(schema)
    if wrong := [one for one in _places(tree) if one.this == "0"]:
        raise _out_of_place(wrong[0], sql)
    try:
        return qualify(tree, schema=known, dialect="duckdb", quote_identifiers=False)
    except OptimizeError as error:
        if wrong := [one for one in _places(tree) if str(error) == f"Unknown output column: {one.this}"]:
            raise _out_of_place(wrong[0], sql) from None
        of_from = {table.name.lower() for table in tree.find_all(exp.Table)}
        raise _unresolved(str(error), {name: columns for name, columns in schema.items() if name in of_from}) from None


def _places(tree: exp.Expr) -> list[exp.Literal]:
    """The numbers in GROUP BY and ORDER BY that mean columns of SELECT."""
    clauses = [one for one in tree.find_all(exp.Group, exp.Order) if isinstance(one.parent, exp.Query)]
    keys = [one.this if isinstance(one, exp.Ordered) else one for clause in clauses for one in clause.expressions]
    return [one for one in keys if isinstance(one, exp.Literal) and not one.is_string]


def _out_of_place(literal: exp.Literal, sql: str) -> Refused:
    word = "GROUP" if isinstance(literal.parent, exp.Group) else "ORDER"
    rule = "a number is the place of a column of SELECT, from 1"
    return Refused(f"{word} BY {literal.this}", where=place(literal, sql), rule=rule, do="name the column")


def _unresolved(message: str, schema: Mapping[str, dict[str, str]]) -> Refused:
    """What sqlglot says of a column that it cannot find, as ours: none has it, or several have it."""
    found, name = _PLACE.search(message), (re.search(r"'([^']+)'", message) or [message, message])[1]
    where = f"line {found[1]}, column {max(int(found[2]) - len(name) + 1, 1)}" if found else ""
    having = [table for table, columns in schema.items() if name.lower() in columns]
    if len(having) > 1:
        do = f"write it with its table, as in {having[0]}.{name}"
        return Refused(f"it is not clear which table's column {name!r} is", where=where, rule=f"{', '.join(having)} have it", do=do)
    near = get_close_matches(name.lower(), sorted({one for columns in schema.values() for one in columns}), 1, 0.5)
    do = f"did you mean {near[0]}?" if near else "name a column that the tables of FROM have"
    return Refused(f"no column {name!r} here", where=where, do=do)


def _require_joins(tree: exp.Expr, sql: str) -> None:
    """Raises Refused for NATURAL JOIN and USING in ASOF JOIN, of which nothing is left after qualification."""
    for join in tree.find_all(exp.Join):
        if join.method == "NATURAL":
            with at(join, sql):
                raise Refused("NATURAL JOIN is not supported", rule="what a join compares stands in the SQL", do="JOIN … USING (columns)")
        if join.method == "ASOF" and join.args.get("using"):
            with at(join, sql):
                raise Refused("USING in ASOF JOIN is not supported", do=DO)


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
