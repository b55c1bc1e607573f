"""No exact least or greatest value of the rows: it is somebody's own figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from accord.base.errors import Refused
from accord.plan.catalog import Catalog
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression, WindowCall, columns_of
from accord.plan.nodes import Aggregate, Concatenate, Join, Node, Project, Public, Window
from accord.plan.usage import COMPARISONS
from accord.release.rule import Rule

PICKING = ("min", "max", "first_value", "last_value")
"""Aggregates and windows whose value is one row's own."""


@dataclass(frozen=True)
class NoExactExtremes(Rule):
    """A question is refused, before anything is computed, that would show a MIN or MAX of rows as it is."""

    name: ClassVar[str] = "no_exact_extremes"
    stops: ClassVar[str] = "reading one person's figure off a least or greatest value, however many stand beside it"
    does_not_stop: ClassVar[str] = "a quantile near the end, or a median of very few, which is one person's figure too (minimum_count)"

    @property
    def sentence(self) -> str:
        return "no least or greatest value of the rows is shown as it is"

    def require_asked(self, plan: Node, catalog: Catalog, exact: frozenset[str]) -> None:
        for name in (one.name for one in plan.fields if one.name in exact):
            if found := _extreme(plan, name):
                raise Refused(
                    f"the released column {name} is {found} of rows",
                    rule="no_exact_extremes: a least or greatest value is one row's own",
                    do='show it under a rule "rounding" or "top_coding", as x // 100, or ask for QUANTILE_DISC(x, 0.05) or 0.95',
                )


def _extreme(node: Node, name: str) -> str:
    """What makes a column's value that of one row at an end, in words; nothing where that is not so."""
    if isinstance(node, Project):
        return next((found for one in _passed(dict(node.columns)[name]) if (found := _extreme(node.input, one))), "")
    if isinstance(node, Concatenate):
        place = [one.name for one in node.fields].index(name)
        return next((found for part in node.parts if (found := _extreme(part, part.fields[place].name))), "")
    if isinstance(node, Aggregate) and name not in node.keys:
        return _called(dict(node.aggregates)[name], node.input)
    if isinstance(node, Window) and name in dict(node.calls):
        return _called(dict(node.calls)[name], node.input)
    if isinstance(node, Join):
        side = node.left if any(one.name == name for one in node.left.fields) else node.right
        return _extreme(side, name)
    return _extreme(node.inputs[0], name) if node.inputs else ""


def _called(call: AggregateCall | WindowCall, below: Node) -> str:
    """An aggregate at an end of rows' own values, or of values that are such already."""
    if call.argument is None:
        return ""
    share = call.quantile if isinstance(call, AggregateCall) else None
    if call.function in PICKING or (share is not None and share[0] in (0, share[1])):
        passed = _passed(call.argument)
        if any(_is_own(below, one) for one in passed):
            return f"QUANTILE_DISC(…, {share[0] // share[1]})" if share else call.function.upper()
        return next((found for one in passed if (found := _extreme(below, one))), "")
    return ""


def _is_own(node: Node, name: str) -> bool:
    """Whether a column holds values as rows have them: a group's key does too."""
    if isinstance(node, Public):
        return False
    if isinstance(node, Project):
        return any(_is_own(node.input, one) for one in _passed(dict(node.columns)[name]))
    if isinstance(node, Aggregate):
        return name in node.keys and _is_own(node.input, name)
    if isinstance(node, Window) and name in dict(node.calls):
        return False
    if isinstance(node, Join):
        return _is_own(node.left if any(one.name == name for one in node.left.fields) else node.right, name)
    if isinstance(node, Concatenate):
        place = [one.name for one in node.fields].index(name)
        return any(_is_own(part, part.fields[place].name) for part in node.parts)
    return _is_own(node.inputs[0], name) if node.inputs else True


def _passed(expression: Expression) -> frozenset[str]:
    """The columns whose value an expression tells closely: not what it compares, nor what it rounds or cuts off."""
    if isinstance(expression, ColumnRef):
        return frozenset({expression.name})
    if not isinstance(expression, Call) or expression.function in (*COMPARISONS, "is_null", "floor_divide"):
        return frozenset()
    if expression.function == "round" and expression.type.scale < expression.arguments[0].type.scale:
        return frozenset()
    if expression.function == "case":
        return frozenset().union(*(_passed(one) for one in (*expression.arguments[1::2], expression.arguments[-1])))
    return frozenset().union(*map(_passed, expression.arguments)) if columns_of(expression) else frozenset()
