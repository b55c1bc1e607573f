"""Each step of a placed plan as a sentence, its expressions as SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlglot import exp

from accord.plan.bands import QUANTILE, Grid
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression, Literal, WindowCall, columns_of
from accord.plan.nodes import Aggregate, Concatenate, Filter, Input, Join, Limit, Node, Project, Promise, Public, Sort, Window
from accord.plan.noised import Noised
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


def value_text(type: Type, value: int | str | None) -> str:
    """A value as a person writes it: 12, 0.50, 2024-12-31, 'text', true."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return exp.Literal.string(value).sql("duckdb")
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


def _quantile(call: Call) -> str:
    """A quantile that is read off counts: these are too many to be named."""
    share = "/".join(map(expression_text, call.arguments[:2]))
    counts = f"noised counts in {Grid.of(call.type).sentence}, from {expression_text(call.arguments[2])} on"
    return f"the last value of the first cell up to which there is {share} of all, by {counts}"


_WORDS: dict[str, Callable[[Call], str]] = {
    QUANTILE: _quantile,
    "case": _case,
    "cast": _cast,
    "not": lambda call: f"NOT {_inner(call.arguments[0])}",
    "negate": lambda call: f"-{_inner(call.arguments[0])}",
    "is_null": lambda call: f"{_inner(call.arguments[0])} IS NULL",
}


def aggregate_text(call: AggregateCall) -> str:
    argument = "*" if call.argument is None else expression_text(call.argument)
    if call.quantile:
        return f"QUANTILE_DISC({argument}, {call.quantile[0]}/{call.quantile[1]})"
    if call.rank:
        return f"LARGEST({argument}, {call.rank})"
    if call.function == "count_distinct":
        return f"COUNT(DISTINCT {argument})"
    return f"{call.function.upper()}({argument})"


def window_text(call: WindowCall) -> str:
    """A call and the rows that it looks at."""
    argument = "" if call.argument is None else expression_text(call.argument)
    if call.function in ("lag", "lead"):
        return f"{call.function.upper()}({argument}, {call.offset})"
    if call.function in ("row_number", "rank", "dense_rank"):
        return f"{call.function.upper()}()"
    unit, start, end = call.frame
    return f"{call.function.upper()}({argument or '*'}) over {unit} from {_edge(start, 'PRECEDING')} to {_edge(end, 'FOLLOWING')}"


def _edge(offset: int | None, side: str) -> str:
    if offset is None:
        return f"UNBOUNDED {side}"
    return "CURRENT ROW" if offset == 0 else f"{abs(offset)} {'PRECEDING' if offset < 0 else 'FOLLOWING'}"


def sentence(node: Node, inputs: Sequence[str]) -> str:
    """What a step does to its inputs, which go by these names."""
    return _SENTENCES[type(node)](node, inputs)


def _project(node: Project, inputs: Sequence[str]) -> str:
    made = [f"{name} = {expression_text(one)}" for name, one in node.columns if not (isinstance(one, ColumnRef) and one.name == name)]
    kept = [name for name, one in node.columns if isinstance(one, ColumnRef) and one.name == name]
    parts = [f"the columns {', '.join(kept)}"] if kept else []
    return f"of {inputs[0]} " + " and ".join([*parts, *(["computed " + "; ".join(made)] if made else [])])


_KINDS = {"left": ", all rows of {0} kept", "semi": ": the rows of {0} that meet one", "anti": ": the rows of {0} that meet none"}


def _join(node: Join, inputs: Sequence[str]) -> str:
    if node.kind == "cross":
        return f"every row of {inputs[0]} with every row of {inputs[1]}"
    on = node.agreement
    kept = _KINDS.get(node.kind, "").format(inputs[0])
    alike = ", NULL being equal to NULL" if node.nulls_agree else ""
    bound = f", at most {node.rows_max} rows" if node.rows_max and not node.unique and not node.is_choice else ""
    secret = "" if node.is_public else "; which rows meet, and how many, stays secret"
    order = "; those that do come first, in this order, which the next step need not sort again" if node.in_order else ""
    return f"{inputs[0]} joined with {inputs[1]} on the {'public' if node.is_public else 'secret'} {on}{kept}{alike}{bound}{secret}{order}"


def _aggregate(node: Aggregate, inputs: Sequence[str]) -> str:
    made = "; ".join(f"{name} = {aggregate_text(call)}" for name, call in node.aggregates) or "one row"
    if not node.keys:
        return f"over all rows of {inputs[0]}: {made}"
    hidden = "" if node.is_public else "; which groups there are, and how many, stays secret"
    return f"of {inputs[0]}, for each {', '.join(node.keys)}: {made}{hidden}"


def _order(keys: Sequence[tuple[str, bool]]) -> str:
    return ", ".join(name + (" descending" if down else "") for name, down in keys)


def _sort(node: Sort, inputs: Sequence[str]) -> str:
    return f"{inputs[0]} in the order of {_order(node.keys)}{'' if node.is_public else ', which stays secret'}"


def _window(node: Window, inputs: Sequence[str]) -> str:
    within = f", within the rows that agree on {', '.join(node.partition)}" if node.partition else ""
    order = f" in the order of {_order(node.order)}" if node.order else ""
    return f"{inputs[0]} and{within}{order}: {'; '.join(f'{name} = {window_text(call)}' for name, call in node.calls)}"


def _limit(node: Limit, inputs: Sequence[str]) -> str:
    after = f" after the first {node.offset}" if node.offset else ""
    return f"the first {node.count} rows of {inputs[0]}{after}; whether there are so many stays secret"


def _filter(node: Filter, inputs: Sequence[str]) -> str:
    public = {one.name for one in node.input.fields if one.public}
    hidden = "" if columns_of(node.predicate) <= public else "; which rows these are stays secret"
    return f"the rows of {inputs[0]} where {expression_text(node.predicate)}{hidden}"


def _promise(node: Promise, inputs: Sequence[str]) -> str:
    keys = zip(inputs[1:], node.tables, node.keys, strict=True)
    told = [f"no two rows of {given}, the keys of {table}, have the same {_columns(one)}" for given, table, one in keys]
    return f"{inputs[0]}, if {' and '.join(told)}; which rows would, and how many, stays secret"


def _columns(node: Node) -> str:
    return " and ".join(one.name for one in node.fields)


def _noised(node: Noised, inputs: Sequence[str]) -> str:
    names = ", ".join(name for name, _ in node.noise)
    hidden = f"; {node.threshold.sentence}" if node.threshold else "; every row is there, data or not"
    own = not any(law.bounds for _, law in node.noise)
    how = "each server adds noise that it alone knows" if own else "noise is added that is drawn on shares and that nobody knows"
    return f"{inputs[0]}, to whose {names} {how}{hidden}"


_SENTENCES: dict[type[Node], Callable[[Any, Sequence[str]], str]] = {
    Public: lambda node, inputs: f"the public table {node.name} with {', '.join(one.name for one in node.columns)}",
    Input: lambda node, inputs: f"the shares that {node.owner} sent as {node.name}",
    Filter: _filter,
    Project: _project,
    Join: _join,
    Aggregate: _aggregate,
    Sort: _sort,
    Window: _window,
    Limit: _limit,
    Promise: _promise,
    Concatenate: lambda node, inputs: f"the rows of {', '.join(inputs)} one after the other",
    Noised: _noised,
}
