"""The Python face: a study's tables as unbound, typed Ibis tables, and what is said with them as a plan.

Ibis turns an expression into sqlglot's tree, which takes the road that SQL takes; nothing is executed, no backend is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from accord.base.errors import Refused
from accord.frame.sql import NOTHING, tree_to_plan
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.nodes import Field, Node
from accord.plan.types import BOOL, CATEGORY, DATE, DECIMAL, INT, TEXT, Type

_KINDS = {INT: "int64", DATE: "date", BOOL: "boolean", CATEGORY: "string", TEXT: "string"}
DECIMAL_DIGITS = 38


def table(catalog: Catalog, name: str, named: Mapping[str, Node] = NOTHING) -> Any:
    """The Ibis table of a declared table, or of an earlier step of the study. Raises Refused for a name that is neither."""
    import ibis

    found = named.get(name) or catalog.table(name)
    if isinstance(found, TableInfo):
        fields = tuple(Field(one.name, Type.of(one)) for one in found.schema.columns)
    else:
        fields = found.fields
    return ibis.table({one.name: _ibis_type(one.type) for one in fields}, name=name)


def _ibis_type(type: Type) -> str:
    required = "" if type.nullable else "!"
    return required + (f"decimal({DECIMAL_DIGITS}, {type.scale})" if type.kind == DECIMAL else _KINDS[type.kind])


def to_tree(expression: Any) -> exp.Expr:
    """sqlglot's tree of an Ibis expression. Raises Refused for what Ibis cannot say in DuckDB's SQL, or what is no table."""
    import ibis.expr.types
    from ibis.backends.sql.compilers import DuckDBCompiler
    from ibis.common.exceptions import IbisError

    if isinstance(expression, ibis.expr.types.Scalar):
        expression = expression.as_table()
    if not isinstance(expression, ibis.expr.types.Table):
        raise Refused(f"a {type(expression).__name__} is no table", do="release a table: table.select(column), table.aggregate(…)")
    try:
        tree: exp.Expr = DuckDBCompiler().to_sqlglot(expression)
    except IbisError as error:
        raise Refused(f"Ibis cannot write this as SQL: {error}", do="say it with SELECT") from None
    return tree.transform(_without_floats)


def to_plan(
    expression: Any, catalog: Catalog, named: Mapping[str, Node] = NOTHING, parameters: Mapping[str, str | int] | None = None
) -> Node:
    """The unplaced plan of an Ibis expression. Raises Refused as `frame.sql.to_plan` does, with the part of the SQL in question."""
    return tree_to_plan(to_tree(expression), catalog, named, parameters)[0]


def to_sql(expression: Any) -> str:
    """The SQL of an Ibis expression, as it may stand in a study."""
    text: str = to_tree(expression).sql("duckdb", pretty=True)
    return text


def _without_floats(node: exp.Expr) -> exp.Expr:
    """Ibis casts quotients and rounded values to DOUBLE; here they are exact decimals, and stay so."""
    kinds = exp.DataType.Type
    if isinstance(node, exp.Cast) and node.to.this in (kinds.DOUBLE, kinds.FLOAT):
        inner: exp.Expr = node.this
        return inner
    return node
