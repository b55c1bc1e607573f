"""The runtime `clear:` of a question: its own SQL run by DuckDB over all owners' rows in one place, knowing nothing of placement or shares.

DuckDB computes `/` and AVG in floating point and whole-number constants in 32 bits; the tree is rewritten so that both are exact, as
the types that the plan inferred say. Everything else is DuckDB's own meaning of the SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from accord.base.errors import OurFault
from accord.data.check import load_checked
from accord.data.encode import LocalField, encode
from accord.data.publics import PublicTable, load_public
from accord.data.read import connect, quoted
from accord.frame.places import TYPE
from accord.frame.sql import parse, tree_to_plan
from accord.plan.catalog import Catalog
from accord.plan.evaluate import Plain
from accord.plan.interpret import Table
from accord.plan.local_expression import cast_to, exact_quotient, storage_type
from accord.plan.nodes import Field, Node
from accord.plan.types import DATE, DECIMAL, INT, Type
from accord.plan.typing import DIVIDE_DIGITS

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
        for name in catalog.tables:
            _load(connection, name, catalog, pooled.get(name, {}))
        for name, public in catalog.publics.items():
            load_public(connection, name, PublicTable(tuple(map(local_field, public.fields)), public.rows))
        plans: dict[str, Node] = {}
        for name, text in (named or {}).items():
            plan, tree = tree_to_plan(parse(text), catalog, plans, parameters, text)
            connection.execute(f"CREATE TABLE {quoted(name)} AS {exact_sql(tree, parameters or {})}")
            plans[name] = plan
        text = sql if isinstance(sql, str) else ""
        plan, tree = tree_to_plan(parse(text) if isinstance(sql, str) else sql, catalog, plans, parameters, text)
        relation = encode(connection, "clear", exact_sql(tree, parameters or {}), tuple(map(local_field, plan.fields)))
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


# ---- exact arithmetic


def exact_sql(tree: exp.Expr, parameters: Mapping[str, str | int]) -> str:
    """The qualified, translated tree as DuckDB SQL that computes exactly, its columns named as the plan's are.

    Needs: `tree_to_plan` has left its types on it.
    """
    copy = tree.copy()
    holder = exp.Paren(this=copy)
    for node in reversed(list(holder.this.walk())):
        changed = _exact(node, parameters)
        if changed is not node:
            changed.meta.update(node.meta)
            node.replace(changed)
    whole = holder.this
    whole.set("expressions", [exp.alias_(one.unalias(), one.alias_or_name, quoted=True) for one in whole.expressions])
    written: str = whole.sql("duckdb")
    return written


def _exact(node: exp.Expr, parameters: Mapping[str, str | int]) -> exp.Expr:
    type = node.meta.get(TYPE)
    if not isinstance(type, Type):
        return node
    if isinstance(node, exp.Placeholder | exp.Parameter):
        value = parameters[node.name]
        return exp.cast(exp.Literal.number(value), "BIGINT") if isinstance(value, int) else exp.Literal.string(value)
    if isinstance(node, exp.Filter) or isinstance(node.parent, exp.Filter):
        return _filtered(node, type)
    handler = next((handler for kind, handler in _EXACT.items() if isinstance(node, kind)), None)
    return handler(node, type) if handler else node


def _filtered(node: exp.Expr, type: Type) -> exp.Expr:
    """An aggregate with FILTER: the cast stands around both."""
    if not isinstance(node, exp.Filter):
        return node
    if isinstance(node.this, exp.Avg):
        return _average(node.this.this, type, lambda aggregate: exp.Filter(this=aggregate, expression=node.expression.copy()))
    return _cast(node.copy(), type) if isinstance(node.this, exp.Sum) else node


def _average(of: exp.Expr, type: Type, wrap: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    scale = type.scale - DIVIDE_DIGITS
    return exact_quotient(wrap(exp.Sum(this=of.copy())), wrap(exp.Count(this=of.copy())), (scale, 0, type.scale))


def _cast(node: exp.Expr, type: Type) -> exp.Expr:
    return cast_to(node, storage_type(type)) if type.kind in (INT, DECIMAL) else node


def _scale(node: exp.Expr) -> int:
    type = node.meta[TYPE]
    assert isinstance(type, Type)
    return type.scale


def _div(node: exp.Expr, type: Type) -> exp.Expr:
    if isinstance(node.find_ancestor(exp.Round, exp.Floor, exp.Select), exp.Round | exp.Floor) and _is_rounded(node):
        return node
    return exact_quotient(node.this, node.expression, (_scale(node.this), _scale(node.expression), type.scale))


def _is_rounded(node: exp.Expr) -> bool:
    """Whether a quotient is, but for parentheses, what ROUND or FLOOR rounds."""
    above = node.parent
    while isinstance(above, exp.Paren):
        above = above.parent
    return isinstance(above, exp.Round | exp.Floor)


def _round(node: exp.Expr, type: Type) -> exp.Expr:
    inner = node.this.unnest()
    if not isinstance(inner, exp.Div):
        return node
    return exact_quotient(inner.this, inner.expression, (_scale(inner.this), _scale(inner.expression), type.scale))


def _int_div(node: exp.Expr, type: Type) -> exp.Expr:
    inner = node.this.unnest() if isinstance(node, exp.Floor) else node
    under = exp.Nullif(this=inner.expression.copy(), expression=exp.Literal.number(0))
    return _cast(exp.IntDiv(this=inner.this.copy(), expression=under), type)


def _arithmetic(node: exp.Expr, type: Type) -> exp.Expr:
    if type.kind != DATE:
        return _cast(node, type)
    changed = node.copy()
    for side in ("this", "expression"):
        original = node.args[side]
        if original.meta[TYPE].kind == INT:
            changed.set(side, exp.cast(original.copy(), "INTEGER"))
    return changed


def _literal(node: exp.Expr, type: Type) -> exp.Expr:
    return node if node.is_string or (isinstance(node.parent, exp.Round) and node.arg_key == "decimals") else _cast(node, type)


_EXACT: dict[Any, Callable[[exp.Expr, Type], exp.Expr]] = {
    exp.Literal: _literal,
    exp.Div: _div,
    exp.Round: _round,
    (exp.IntDiv, exp.Floor): _int_div,
    (exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Abs): _arithmetic,
    exp.Sum: _cast,
    exp.Avg: lambda node, type: _average(node.this, type, lambda aggregate: aggregate),
    exp.Cast: lambda node, type: _cast(node.this, type) if type.kind in (INT, DECIMAL) else node,
}
"""How each kind of node becomes exact."""
