"""Each step of a placed plan as a sentence, its expressions as SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlglot import exp

from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression, Literal, columns_of
from accord.plan.nodes import Aggregate, Concatenate, Filter, Input, Join, Node, Project, Public, Sort
from accord.plan.types import BOOL, CATEGORY, DATE, DECIMAL, Type
from accord.plan.typing import EPOCH

_SIGNS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "floor_divide": "//",
    "eq": "=",
    "ne": "<>",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "and": "AND",
    "or": "OR",
}


def value_text(type: Type, value: int | None) -> str:
    """A value as a person writes it: 12, 0.50, 2024-12-31, 'text', true."""
    if value is None:
        return "NULL"
    if type.kind == CATEGORY:
        return exp.Literal.string(type.values[value]).sql("duckdb")
    if type.kind == BOOL:
        return "true" if value else "false"
    if type.kind == DATE:
        return (EPOCH + timedelta(days=value)).isoformat()
    return f"{Decimal(value).scaleb(-type.scale):f}" if type.kind == DECIMAL else str(value)


def expression_text(expression: Expression) -> str:
    """An expression as SQL; a quotient shows its digits, since they are part of its meaning."""
    if isinstance(expression, ColumnRef):
        return expression.name
    if isinstance(expression, Literal):
        text = value_text(expression.type, expression.value)
        return f"DATE '{text}'" if expression.type.kind == DATE and expression.value is not None else text
    assert isinstance(expression, Call)
    parts = [_inner(one) for one in expression.arguments]
    if expression.function == "divide":
        return f"ROUND({parts[0]} / {parts[1]}, {expression.type.scale})"
    if expression.function in _SIGNS:
        return f" {_SIGNS[expression.function]} ".join(parts)
    if expression.function in _WORDS:
        return _WORDS[expression.function](expression)
    return f"{expression.function.upper()}({', '.join(map(expression_text, expression.arguments))})"


def _inner(expression: Expression) -> str:
    """An argument of an operator, in parentheses where it is one itself."""
    bare = not isinstance(expression, Call) or (
        expression.function not in (*_SIGNS, "not", "is_null", "negate") or expression.function == "divide"
    )
    text = expression_text(expression)
    return text if bare else f"({text})"


def _case(call: Call) -> str:
    pairs = zip(call.arguments[:-1:2], call.arguments[1:-1:2], strict=True)
    whens = " ".join(f"WHEN {expression_text(condition)} THEN {expression_text(value)}" for condition, value in pairs)
    return f"CASE {whens} ELSE {expression_text(call.arguments[-1])} END"


def _cast(call: Call) -> str:
    argument, after = expression_text(call.arguments[0]), call.type
    if after.kind == CATEGORY:
        return argument
    return (
        f"CAST({argument} AS {f'DECIMAL(19, {after.scale})' if after.kind == DECIMAL else 'BOOLEAN' if after.kind == BOOL else 'BIGINT'})"
    )


_WORDS: dict[str, Callable[[Call], str]] = {
    "case": _case,
    "cast": _cast,
    "not": lambda call: f"NOT {_inner(call.arguments[0])}",
    "negate": lambda call: f"-{_inner(call.arguments[0])}",
    "is_null": lambda call: f"{_inner(call.arguments[0])} IS NULL",
}


def aggregate_text(call: AggregateCall) -> str:
    return f"{call.function.upper()}({'*' if call.argument is None else expression_text(call.argument)})"


def sentence(node: Node, inputs: Sequence[str]) -> str:
    """What a step does to its inputs, which go by these names."""
    return _SENTENCES[type(node)](node, inputs)


def _project(node: Project, inputs: Sequence[str]) -> str:
    made = [f"{name} = {expression_text(one)}" for name, one in node.columns if not (isinstance(one, ColumnRef) and one.name == name)]
    kept = [name for name, one in node.columns if isinstance(one, ColumnRef) and one.name == name]
    parts = [f"the columns {', '.join(kept)}"] if kept else []
    return f"of {inputs[0]} " + " and ".join([*parts, *(["computed " + "; ".join(made)] if made else [])])


def _join(node: Join, inputs: Sequence[str]) -> str:
    if node.kind == "cross":
        return f"every row of {inputs[0]} with every row of {inputs[1]}"
    on = " and ".join(f"{left} = {right}" for left, right in node.on)
    kept = f", all rows of {inputs[0]} kept" if node.kind == "left" else ""
    return f"{inputs[0]} joined with {inputs[1]} on the public {on}{kept}"


def _aggregate(node: Aggregate, inputs: Sequence[str]) -> str:
    made = "; ".join(f"{name} = {aggregate_text(call)}" for name, call in node.aggregates) or "one row"
    return f"of {inputs[0]}, for each {', '.join(node.keys)}: {made}" if node.keys else f"over all rows of {inputs[0]}: {made}"


def _filter(node: Filter, inputs: Sequence[str]) -> str:
    public = {one.name for one in node.input.fields if one.public}
    hidden = "" if columns_of(node.predicate) <= public else "; which rows these are stays secret"
    return f"the rows of {inputs[0]} where {expression_text(node.predicate)}{hidden}"


_SENTENCES: dict[type[Node], Callable[[Any, Sequence[str]], str]] = {
    Public: lambda node, inputs: f"the public table {node.name} with {', '.join(one.name for one in node.columns)}",
    Input: lambda node, inputs: f"the shares that {node.owner} sent as {node.name}",
    Filter: _filter,
    Project: _project,
    Join: _join,
    Aggregate: _aggregate,
    Sort: lambda node, inputs: (
        f"{inputs[0]} in the order of {', '.join(name + (' descending' if down else '') for name, down in node.keys)}"
    ),
    Concatenate: lambda node, inputs: f"the rows of {', '.join(inputs)} one after the other",
}
