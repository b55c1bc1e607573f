"""Which table of which SELECT a column name is of, and the conditions that a WHERE joins with AND."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp


def conjuncts(node: exp.Expr) -> list[exp.Expr]:
    """The conditions that AND joins; what every branch of an OR demands is a condition of its own."""
    bare = node.unnest()
    if isinstance(bare, exp.And):
        return [one for part in bare.flatten() for one in conjuncts(part)]
    return [*common(bare), bare] if isinstance(bare, exp.Or) else [bare]


def common(node: exp.Or) -> list[exp.Expr]:
    """Conditions that stand in every branch of an OR, and so hold wherever it does."""
    branches = [conjuncts(one) for one in node.flatten()]
    return [one for one in branches[0] if all(one in other for other in branches[1:])]


def tables_named(select: exp.Select) -> frozenset[str]:
    """The names, in lower case, of what a SELECT selects from."""
    first = select.args.get("from_")
    items = [*([first.this] if first else []), *(one.this for one in select.args.get("joins") or ())]
    return frozenset(one.alias_or_name.lower() for one in items)


def is_of(column: exp.Column, select: exp.Select) -> bool:
    """Whether a column that stands in a SELECT, or in a subquery of it, is one of the SELECT's own tables."""
    table, here = column.table.lower(), column.parent_select
    while here is not None and here is not select:
        if isinstance(here, exp.Select) and table in tables_named(here):
            return False
        here = here.parent_select
    return here is select and table in tables_named(select)


def columns_of_select(node: exp.Expr, select: exp.Select) -> Iterator[exp.Column]:
    """The columns of the SELECT's own tables that an expression in it reads, also within subqueries."""
    return (one for one in node.find_all(exp.Column) if is_of(one, select))


def tables_read(node: exp.Expr, select: exp.Select) -> frozenset[str]:
    """The tables of a SELECT that an expression in it reads."""
    return frozenset(one.table.lower() for one in columns_of_select(node, select))


def outer_columns(node: exp.Expr, tree: exp.Expr) -> list[exp.Column]:
    """The columns in `node`, a part of the subquery `tree` or all of it, that are of the query around: of no table within `tree`."""
    return [one for one in node.find_all(exp.Column) if one.table and not _is_within(one, tree)]


def _is_within(column: exp.Column, tree: exp.Expr) -> bool:
    table: str = column.table.lower()
    above: exp.Expr | None = column
    while above is not None:
        if isinstance(above, exp.Select) and table in tables_named(above):
            return True
        if above is tree:
            return False
        above = above.parent
    return False


def subqueries_of(node: exp.Expr) -> list[exp.Expr]:
    """The subqueries of an expression, outermost alone: EXISTS, IN, and those that stand for a value."""
    if isinstance(node, exp.Exists) or (isinstance(node, exp.In) and node.args.get("query")):
        return [node]
    if isinstance(node, exp.Subquery):
        return [node]
    if isinstance(node, exp.EQ | exp.NEQ) and isinstance(node.expression, exp.Any | exp.All):
        return [node]
    if isinstance(node, exp.Any | exp.All):
        return []
    return [one for child in node.iter_expressions() for one in subqueries_of(child)]
