"""Steps above noise, on shares: rows chosen, ordered and cut by columns with noise. They see noised values and public ones alone, and so
tell no more than these do [DR14]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.plan.bands import QUANTILE
from accord.plan.demands import require_secure
from accord.plan.expression import Call, ColumnRef, Expression, columns_of
from accord.plan.nodes import Field, Filter, Limit, Node, Project, Sort
from accord.plan.noised import Noised
from accord.plan.typing import call, cast, column, integer, quotient


@dataclass(frozen=True)
class Chosen:
    """Rows for which the predicate is true."""

    predicate: Expression


@dataclass(frozen=True)
class Ordered:
    """Rows in an order; True means descending."""

    keys: tuple[tuple[Expression, bool], ...]


@dataclass(frozen=True)
class First:
    """The first rows, after some others."""

    count: int
    offset: int


Step = Chosen | Ordered | First


def above(node: Noised, steps: Sequence[Step], formulas: Sequence[tuple[str, Expression]]) -> Node:
    """The steps over the noised table, and of its columns those that formulas read. Raises Refused for what does not fit with noise."""
    fields = {one.name: one for one in node.fields}
    made: Node = node
    for step in steps:
        if isinstance(step, Chosen):
            made = Filter(made, retyped(step.predicate, fields))
        elif isinstance(step, Ordered):
            made = _ordered(made, step, fields)
        else:
            made = Limit(made, step.count, step.offset)
        require_secure(made)
    read = frozenset().union(*(columns_of(one) for _, one in formulas))
    return Project(made, tuple((one.name, column(made.field(one.name))) for one in node.fields if one.name in read))


def _ordered(node: Node, step: Ordered, fields: Mapping[str, Field]) -> Node:
    """Sorted; keys that are computed become columns first."""
    keys, computed = [], list[tuple[str, Expression]]()
    taken = {one.name for one in node.fields}
    for expression, down in step.keys:
        name = expression.name if isinstance(expression, ColumnRef) else fresh_name("key", taken)
        if name not in taken:
            computed.append((name, retyped(expression, fields)))
            taken.add(name)
        keys.append((name, down))
    below = Project(node, (*((one.name, column(one)) for one in node.fields), *computed)) if computed else node
    return Sort(below, tuple(keys))


def retyped(expression: Expression, fields: Mapping[str, Field]) -> Expression:
    """The expression over columns that noise made wider. What divides counts as 0 where noise made it less than it can be: NULL."""
    if isinstance(expression, ColumnRef):
        return column(fields[expression.name])
    if not isinstance(expression, Call):
        return expression
    if expression.function == QUANTILE:
        do = "release the quantiles, and choose or order rows after opening"
        raise Refused("rows chosen or ordered by a quantile with noise", rule="a quantile is read off its counts after opening", do=do)
    inside = [retyped(one, fields) for one in expression.arguments]
    try:
        if expression.function == "divide":
            divisor = inside[1] if expression.arguments[1].type.low < 0 else call("greatest", inside[1], integer(0))
            return quotient(inside[0], divisor, expression.type.scale)
        if expression.function == "cast":
            return cast(inside[0], expression.type)
        return call(expression.function, *inside)
    except Refused as error:
        do = "choose and order rows by sums and counts themselves, or ask for a larger epsilon"
        raise Refused(f"with noise, {error.what}", rule=error.rule, do=do) from error
