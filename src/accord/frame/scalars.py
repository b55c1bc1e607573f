"""Subqueries that stand for a value: one row for all rows around, or one for each key that they are asked by."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.frame.asked import DO, RULE, Asked, asked, joined
from accord.frame.expressions import Expressions
from accord.frame.places import TYPE
from accord.frame.scopes import outer_columns, subqueries_of
from accord.plan.evaluate import Plain, evaluate
from accord.plan.expression import Expression, Literal
from accord.plan.facts import rows_max
from accord.plan.nodes import Aggregate, Filter, Limit, Node, Project
from accord.plan.types import BOOL, CATEGORY, DATE
from accord.plan.typing import NUMBERS, aggregate, call, column, integer

if TYPE_CHECKING:
    from accord.frame.query import Query


def one_value(query: Query, node: Node, into: Expressions, tree: exp.Expr) -> tuple[Node, Expression]:
    """The table with the value that a subquery has for each row: NULL where it has no row."""
    what = asked(query, into, tree)
    if len(what.values) != 1:
        raise Refused(f"a subquery of {len(what.values)} columns as a value", rule="one column", do="select one column")
    if what.compared or what.outside:
        raise Refused("this condition on the query around", rule="equalities alone in a subquery that is a value", do=DO)
    name = what.values[0]
    _require_one(query, what)
    if not what.equal:
        inner = what.node if what.is_one_group else _at_most_one(what.node, name)
        node, named = joined(node, Project(inner, ((name, column(inner.field(name))),)), [])
        return node, column(node.field(named[name]))
    default = _of_nothing(what, name)
    keys = tuple(dict.fromkeys(key for _, key in what.equal))
    there = fresh_name("found", (*keys, name))
    flagged = default is not None and what.node.field(name).type.nullable
    kept = (*keys, name) if name not in keys else keys
    inner = Project(what.node, (*((one, column(what.node.field(one))) for one in kept), *([(there, integer(1))] if flagged else [])))
    node, named = joined(node, inner, what.equal)
    found: Expression = column(node.field(named[name]))
    if default is None:
        return node, found
    if flagged:
        return node, call("case", call("is_null", column(node.field(named[there]))), default, found)
    return node, call("coalesce", found, default)


def _require_one(query: Query, what: Asked) -> None:
    """Raises Refused for a subquery that could have several rows for one row around."""
    keys = frozenset(name for _, name in what.equal)
    limited = isinstance(what.node, Limit) and what.node.count <= 1
    if not what.is_one_group and not limited and rows_max(what.node, keys, query.catalog) > 1:
        raise Refused(
            "a subquery that could have several rows, as a value",
            rule="one row: an aggregate without GROUP BY, or a declared unique key",
            do="take MIN, MAX or AVG of the column",
        )


def _at_most_one(node: Node, name: str) -> Node:
    """One row of a table of at most one: NULL where it has none."""
    field = node.field(name)
    if field.type.kind not in (*NUMBERS, DATE, CATEGORY, BOOL):
        do = "JOIN the subquery on its key"
        raise Refused(f"a {field.type.kind} of a subquery without an aggregate, as a value", do=do)
    function = "bool_or" if field.type.kind == BOOL else "max"
    return Aggregate(node, (), ((name, aggregate(function, column(field), 1, False)),))


def _of_nothing(what: Asked, name: str) -> Expression | None:
    """What an aggregate query gives for a key that has no rows, where that is not NULL: COUNT is 0 there."""
    if not what.is_one_group:
        return None
    values: dict[str, Plain] = {}
    order: list[Node] = []
    node = what.node
    while not isinstance(node, Aggregate):
        if not isinstance(node, Project | Filter):
            raise Refused("this subquery that refers to the query around", rule=RULE, do=DO)
        order.insert(0, node)
        node = node.input
    for one in node.fields:
        values[one.name] = Plain.empty(one.type, 1)
    for made, aggregated in node.aggregates:
        if aggregated.function in ("count", "count_distinct"):
            values[made] = Plain(np.zeros(1, np.int64), np.zeros(1, np.bool_))
    for step in order:
        if isinstance(step, Filter):
            holds = evaluate(step.predicate, values, 1)
            if holds.nulls[0] or not holds.values[0]:
                return None
        elif isinstance(step, Project):
            values = {made: evaluate(expression, values, 1) for made, expression in step.columns}
    value, type = values[name], what.node.field(name).type
    if value.nulls[0]:
        return None
    exact = int(value.values[0])
    low, high = (type.low, type.high) if type.values else (exact, exact)
    return Literal(replace(type, low=low, high=high, nullable=False), exact)


def first_row(query: Query, into: Expressions, tree: exp.Select) -> Node | None:
    """The one row of a SELECT without FROM: its first subquery that is a value of one row; None where there is none."""
    for one in tree.expressions:
        for found in subqueries_of(one):
            if isinstance(found, exp.Subquery) and not is_correlated(found):
                what = asked(query, into, found)
                _require_one(query, what)
                node = what.node if what.is_one_group else _at_most_one(what.node, what.values[0])
                into.replaced.append((found, column(node.field(what.values[0]))))
                found.meta[TYPE] = node.field(what.values[0]).type
                return node
    return None


def is_correlated(tree: exp.Expr) -> bool:
    """Whether a subquery reads the query around."""
    return bool(outer_columns(tree, tree))
