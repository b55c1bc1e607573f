"""Rule: what reads no column, or is decided by the declared ranges alone, becomes a constant; conditions that always hold are dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from accord.plan.catalog import Catalog
from accord.plan.evaluate import evaluate
from accord.plan.expression import Call, Expression, Literal, columns_of
from accord.plan.nodes import Filter, Node
from accord.plan.rewrite import bottom_up, conjuncts, expressions_of, filtered, with_expressions
from accord.plan.types import DATE, DECIMAL, INT, Type

ORDERED = (INT, DECIMAL, DATE)


def fold_constants(node: Node, _: Catalog) -> Node:
    """Types stay as they are. A condition that never holds stays, so that the rows' columns do."""
    return bottom_up(node, _folded_step)


def _folded_step(node: Node) -> Node:
    changed = {one: folded(one) for one in expressions_of(node)}
    made = with_expressions(node, changed, node.inputs)
    if isinstance(made, Filter):
        conditions = [one for one in conjuncts(made.predicate) if not _is(one, 1)]
        return made if len(conditions) == len(conjuncts(made.predicate)) else filtered(made.input, conditions)
    return made


def folded(expression: Expression) -> Expression:
    """The expression with constants in place of what is one; of the same type, and the same object where nothing is."""
    if not isinstance(expression, Call):
        return expression
    if not columns_of(expression):
        return _constant(expression)
    arguments = tuple(folded(one) for one in expression.arguments)
    same = all(new is old for new, old in zip(arguments, expression.arguments, strict=True))
    whole = _without_neutral(expression if same else replace(expression, arguments=arguments))
    if not isinstance(whole, Call):
        return whole
    decided = _decided(whole)
    return whole if decided is None else Literal(whole.type, decided)


def _without_neutral(call: Call) -> Expression:
    """AND without what is always true, OR without what never is."""
    neutral = {"and": 1, "or": 0}.get(call.function)
    if neutral is None:
        return call
    left = tuple(one for one in call.arguments if not _is(one, neutral))
    if len(left) == len(call.arguments):
        return call
    if len(left) == 1 and left[0].type == call.type:
        return left[0]
    return replace(call, arguments=left) if len(left) > 1 else call


def _constant(expression: Call) -> Literal:
    result = evaluate(expression, {}, 1)
    value = None if result.nulls[0] else result.values.tolist()[0]
    return Literal(expression.type, value)


def _is(expression: Expression, value: int) -> bool:
    return isinstance(expression, Literal) and expression.value == value


def _decided(call: Call) -> int | None:
    """What a condition is in every row, as far as one argument or the ranges of two tell."""
    if call.function == "and" and any(_is(one, 0) for one in call.arguments):
        return 0
    if call.function == "or" and any(_is(one, 1) for one in call.arguments):
        return 1
    if call.function not in _BY_RANGE:
        return None
    left, right = (one.type for one in call.arguments)
    if left.nullable or right.nullable or left.kind not in ORDERED or right.kind not in ORDERED:
        return None
    return _BY_RANGE[call.function](left, right)


def _less(left: Type, right: Type) -> int | None:
    return 1 if left.high < right.low else 0 if left.low >= right.high else None


def _at_most(left: Type, right: Type) -> int | None:
    return 1 if left.high <= right.low else 0 if left.low > right.high else None


def _apart(left: Type, right: Type) -> bool:
    return left.high < right.low or right.high < left.low


_BY_RANGE: dict[str, Callable[[Type, Type], int | None]] = {
    "lt": _less,
    "le": _at_most,
    "gt": lambda left, right: _less(right, left),
    "ge": lambda left, right: _at_most(right, left),
    "eq": lambda left, right: 0 if _apart(left, right) else None,
    "ne": lambda left, right: 1 if _apart(left, right) else None,
}
"""Comparisons of two ranges of one form."""
