"""The SQL of an expression at an owner: sqlglot's tree for DuckDB, with the meaning that `evaluate` gives.

Categories are their text, decimals are exact, `/` is integer arithmetic rounded half away from zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlglot import exp

from accord.data.rules import EPOCH
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression, Literal, WindowCall
from accord.plan.moments import CORRELATION_DIGITS, CUT_BITS, NORMAL_BITS
from accord.plan.types import BOOL, CATEGORY, DATE, DECIMAL, INT, TEXT, Type

DIGITS_MAX = 19
"""Decimal digits of a value below 2^62."""
Names = Mapping[str, exp.Expr]


def storage_type(type: Type) -> str:
    """The DuckDB type of a column of this type."""
    if type.kind == DECIMAL:
        return f"DECIMAL({max(DIGITS_MAX, type.scale + 1)}, {type.scale})"
    return {INT: "BIGINT", DATE: "DATE", BOOL: "BOOLEAN", CATEGORY: "VARCHAR", TEXT: "VARCHAR"}[type.kind]


def cast_to(node: exp.Expr, type: str) -> exp.Expr:
    """CAST(node AS type). sqlglot's own `cast` takes decimals of any two scales for one type and leaves the second cast out."""
    to = exp.DataType.build(type, dialect="duckdb")
    return node if isinstance(node, exp.Cast) and node.to == to else exp.Cast(this=node.copy(), to=to)


def exact_quotient(left: exp.Expr, right: exp.Expr, scales: tuple[int, int, int]) -> exp.Expr:
    """left / right with scales (left, right, result), rounded half away from zero in integers; NULL for a zero divisor."""
    digits = scales[2] + scales[1] - scales[0]
    over = _times(_units(left, scales[0]), max(digits, 0))
    under = _times(_units(exp.Nullif(this=_paren(right), expression=exp.Literal.number(0)), scales[1]), max(-digits, 0))
    two = exp.Literal.number(2)
    size = exp.IntDiv(
        this=exp.paren(exp.Add(this=exp.Mul(this=two, expression=exp.Abs(this=over)), expression=exp.Abs(this=under.copy()))),
        expression=exp.paren(exp.Mul(this=two.copy(), expression=exp.Abs(this=under.copy()))),
    )
    below = exp.NEQ(this=_is_negative(over), expression=_is_negative(under))
    signed = exp.Case(ifs=[exp.If(this=below, true=exp.Neg(this=exp.paren(size.copy())))], default=size)
    return _from_units(signed, scales[2])


def _is_negative(node: exp.Expr) -> exp.Expr:
    return exp.paren(exp.LT(this=node.copy(), expression=exp.Literal.number(0)))


def _paren(node: exp.Expr) -> exp.Expr:
    return node if isinstance(node, exp.Column | exp.Literal | exp.Func | exp.Paren) else exp.paren(node)


def _times(node: exp.Expr, digits: int) -> exp.Expr:
    return exp.paren(exp.Mul(this=node, expression=exp.Literal.number(10**digits))) if digits else node


def _units(node: exp.Expr, scale: int) -> exp.Expr:
    """A number of some scale as a HUGEINT of its units."""
    whole = exp.Mul(this=_paren(node), expression=exp.Literal.number(10**scale)) if scale else node
    return cast_to(whole, "HUGEINT")


def _from_units(node: exp.Expr, scale: int) -> exp.Expr:
    whole = cast_to(node, f"DECIMAL({DIGITS_MAX}, 0)")
    if not scale:
        return whole
    unit = cast_to(exp.Literal.string(f"0.{'0' * (scale - 1)}1"), f"DECIMAL({scale + 1}, {scale})")
    return cast_to(exp.Mul(this=whole, expression=unit), storage_type(Type(DECIMAL, scale=scale)))


def written(expression: Expression, names: Names) -> exp.Expr:
    """An expression over columns that `names` says how to write."""
    if isinstance(expression, ColumnRef):
        return names[expression.name].copy()
    if isinstance(expression, Literal):
        return _constant(expression)
    assert isinstance(expression, Call)
    return _WRITTEN[expression.function](expression, [written(one, names) for one in expression.arguments])


def _constant(literal: Literal) -> exp.Expr:
    type, value = literal.type, literal.value
    if value is None:
        return cast_to(exp.null(), storage_type(type))
    if isinstance(value, str):
        return exp.Literal.string(value)
    if type.kind == CATEGORY:
        return exp.Literal.string(type.values[value])
    if type.kind == BOOL:
        return exp.true() if value else exp.false()
    if type.kind == DATE:
        return cast_to(exp.Literal.string((EPOCH + timedelta(days=value)).isoformat()), "DATE")
    if type.kind == DECIMAL:
        digits = str(abs(value)).rjust(type.scale + 1, "0")
        text = f"{digits[: len(digits) - type.scale]}.{digits[len(digits) - type.scale :]}" if type.scale else digits
        return cast_to(exp.Literal.string(f"{'-' if value < 0 else ''}{text}"), storage_type(type))
    number: exp.Expr = exp.Literal.number(abs(value))
    return exp.paren(exp.Neg(this=number)) if value < 0 else number


def _typed(argument: Expression, node: exp.Expr) -> exp.Expr:
    """A constant integer as BIGINT, so that arithmetic on it does not stay in 32 bits."""
    return cast_to(node, "BIGINT") if isinstance(argument, Literal) and argument.type.kind == INT else node


def _arithmetic(kind: type[exp.Binary]) -> Callable[[Call, list[exp.Expr]], exp.Expr]:
    def write(call: Call, arguments: list[exp.Expr]) -> exp.Expr:
        left, right = (_paren(_operand(call, at, node)) for at, node in enumerate(arguments))
        made = exp.paren(kind(this=left, expression=right))
        return cast_to(made.this, storage_type(call.type)) if call.type.kind == DECIMAL else made

    return write


def _operand(call: Call, at: int, node: exp.Expr) -> exp.Expr:
    argument = call.arguments[at]
    if call.type.kind == DATE and argument.type.kind == INT:
        return cast_to(node, "INTEGER")
    return node if isinstance(call.arguments[1 - at], ColumnRef) else _typed(argument, node)


def _compared(kind: type[exp.Binary]) -> Callable[[Call, list[exp.Expr]], exp.Expr]:
    return lambda _, arguments: exp.paren(kind(this=_paren(arguments[0]), expression=_paren(arguments[1])))


def _joined(kind: type[exp.Connector]) -> Callable[[Call, list[exp.Expr]], exp.Expr]:
    def write(_: Call, arguments: list[exp.Expr]) -> exp.Expr:
        parts = [one.unnest() if isinstance(one.unnest(), exp.Predicate) else _paren(one) for one in arguments]
        made = parts[0]
        for one in parts[1:]:
            made = kind(this=made, expression=one)
        return exp.paren(made)

    return write


def _case(call: Call, arguments: list[exp.Expr]) -> exp.Expr:
    typed = [_typed(argument, node) for argument, node in zip(call.arguments, arguments, strict=True)]
    ifs = [exp.If(this=condition.unnest(), true=value) for condition, value in zip(typed[:-1:2], typed[1:-1:2], strict=True)]
    return exp.Case(ifs=ifs, default=typed[-1])


def _called(kind: type[exp.Func]) -> Callable[[Call, list[exp.Expr]], exp.Expr]:
    def write(call: Call, arguments: list[exp.Expr]) -> exp.Expr:
        typed = [_typed(argument, node).unnest() for argument, node in zip(call.arguments, arguments, strict=True)]
        return _variadic(kind, typed)

    return write


def _variadic(kind: type[exp.Func], arguments: list[exp.Expr]) -> exp.Expr:
    if issubclass(kind, exp.Least | exp.Greatest):
        return kind(this=arguments[0], expressions=arguments[1:], ignore_nulls=True)
    return kind(this=arguments[0], expressions=arguments[1:]) if len(arguments) > 1 else kind(this=arguments[0])


def _divide(call: Call, arguments: list[exp.Expr]) -> exp.Expr:
    left, right = (one.type.scale for one in call.arguments)
    return exact_quotient(arguments[0], arguments[1], (left, right, call.type.scale))


def _floor_divide(_: Call, arguments: list[exp.Expr]) -> exp.Expr:
    under = exp.Nullif(this=arguments[1], expression=exp.Literal.number(0))
    return exp.paren(exp.IntDiv(this=_paren(arguments[0]), expression=under))


def _cast(call: Call, arguments: list[exp.Expr]) -> exp.Expr:
    if call.type.kind in (CATEGORY, TEXT):
        return arguments[0]
    return cast_to(arguments[0].unnest(), storage_type(call.type))


def _round(call: Call, arguments: list[exp.Expr]) -> exp.Expr:
    return exp.Round(this=arguments[0].unnest(), decimals=exp.Literal.number(call.type.scale))


def _of_text(kind: type[exp.Func], *names: str) -> Callable[[Call, list[exp.Expr]], exp.Expr]:
    """A function of texts, its arguments by sqlglot's names for them."""
    return lambda _, arguments: kind(**dict(zip(names, (one.unnest() for one in arguments), strict=False)))


def _like(_: Call, arguments: list[exp.Expr]) -> exp.Expr:
    made = exp.Like(this=_paren(arguments[0]), expression=_paren(arguments[1]))
    return exp.paren(exp.Escape(this=made, expression=arguments[2]) if len(arguments) > 2 else made)


def _concat(_: Call, arguments: list[exp.Expr]) -> exp.Expr:
    made = _paren(arguments[0])
    for one in arguments[1:]:
        made = exp.DPipe(this=made, expression=_paren(one), safe=False)
    return exp.paren(made)


def _part(of: str) -> Callable[[Call, list[exp.Expr]], exp.Expr]:
    return lambda _, arguments: exp.Extract(this=exp.var(of), expression=arguments[0].unnest())


def _add_months(_: Call, arguments: list[exp.Expr]) -> exp.Expr:
    months = exp.Anonymous(this="TO_MONTHS", expressions=[cast_to(arguments[1].unnest(), "INTEGER")])
    return cast_to(exp.Add(this=_paren(arguments[0]), expression=months), "DATE")


# ---- roots and correlations


def whole_units(node: exp.Expr, scale: int) -> exp.Expr:
    """The number of units of its last digit that a decimal has."""
    return cast_to(_units(node, scale), "BIGINT")


def exact_root(node: exp.Expr) -> exp.Expr:
    """⌊√x⌋ of a whole number below 2^62: floating point is one too high or too low at most."""
    x, one = exp.paren(cast_to(node, "HUGEINT")), exp.Literal.number(1)
    near = exp.paren(_near_root(node))
    after = exp.paren(exp.Add(this=near, expression=one))
    high = exp.GT(this=exp.Mul(this=near.copy(), expression=near.copy()), expression=x)
    low = exp.LTE(this=exp.Mul(this=after, expression=after.copy()), expression=x.copy())
    less, more = exp.Sub(this=near.copy(), expression=one.copy()), exp.Add(this=near.copy(), expression=one.copy())
    return cast_to(exp.Case(ifs=[exp.If(this=high, true=less), exp.If(this=low, true=more)], default=near.copy()), "BIGINT")


def _near_root(node: exp.Expr) -> exp.Expr:
    return cast_to(exp.Floor(this=exp.Sqrt(this=cast_to(node, "DOUBLE"))), "HUGEINT")


def exact_correlation(c: exp.Expr, x: exp.Expr, y: exp.Expr) -> exp.Expr:
    """The integers of plan/moments.py; NULL where x or y is 0. The root is of less than 2^52, so that floating point has it exactly."""
    c, x, y = (exp.paren(cast_to(one, "HUGEINT")) for one in (c, x, y))
    h, g = _headroom(x), _headroom(y)
    root = exp.Nullif(this=_near_root(_product(_cut(x, h, h), _cut(y, g, g))), expression=exp.Literal.number(0))
    scales = (0, 0, CORRELATION_DIGITS)
    size = exact_quotient(_cut(exp.Abs(this=c), h, g), root, scales)
    return exp.Case(ifs=[exp.If(this=_is_negative(c), true=exp.Neg(this=size))], default=size.copy())


def _product(*factors: exp.Expr) -> exp.Expr:
    made = factors[0].copy()
    for one in factors[1:]:
        made = exp.Mul(this=made, expression=one.copy())
    return exp.paren(made)


def _cut(*factors: exp.Expr) -> exp.Expr:
    return exp.paren(exp.IntDiv(this=_product(*factors), expression=exp.Literal.number(1 << CUT_BITS)))


def _headroom(x: exp.Expr) -> exp.Expr:
    """The largest power of two h with x · h² below 2^NORMAL_BITS."""
    bits = exp.Length(this=exp.Anonymous(this="BIN", expressions=[cast_to(x, "BIGINT")]))
    half = exp.IntDiv(this=exp.paren(exp.Sub(this=exp.Literal.number(NORMAL_BITS), expression=bits)), expression=exp.Literal.number(2))
    one = cast_to(exp.Literal.number(1), "BIGINT")
    return cast_to(exp.BitwiseLeftShift(this=one, expression=exp.paren(half)), "HUGEINT")


# ---- the table of functions


_WRITTEN: dict[str, Callable[[Call, list[exp.Expr]], exp.Expr]] = {
    "add": _arithmetic(exp.Add),
    "subtract": _arithmetic(exp.Sub),
    "multiply": _arithmetic(exp.Mul),
    "negate": lambda _, arguments: exp.paren(exp.Neg(this=_paren(arguments[0]))),
    "abs": _called(exp.Abs),
    "divide": _divide,
    "floor_divide": _floor_divide,
    "round": _round,
    "eq": _compared(exp.EQ),
    "ne": _compared(exp.NEQ),
    "lt": _compared(exp.LT),
    "le": _compared(exp.LTE),
    "gt": _compared(exp.GT),
    "ge": _compared(exp.GTE),
    "and": _joined(exp.And),
    "or": _joined(exp.Or),
    "not": lambda _, arguments: exp.paren(exp.Not(this=_paren(arguments[0]))),
    "is_null": lambda _, arguments: exp.paren(exp.Is(this=_paren(arguments[0]), expression=exp.null())),
    "case": _case,
    "coalesce": _called(exp.Coalesce),
    "least": _called(exp.Least),
    "greatest": _called(exp.Greatest),
    "cast": _cast,
    "units": lambda call, arguments: whole_units(arguments[0], call.arguments[0].type.scale),
    "root": lambda _, arguments: exact_root(arguments[0]),
    "correlation": lambda _, arguments: exact_correlation(*arguments),
    "list": lambda _, arguments: _function("LIST_VALUE", *arguments),
    "like": _like,
    "substring": _of_text(exp.Substring, "this", "start", "length"),
    "upper": _of_text(exp.Upper, "this"),
    "lower": _of_text(exp.Lower, "this"),
    "trim": _of_text(exp.Trim, "this", "expression"),
    "length": _of_text(exp.Length, "this"),
    "concat": _concat,
    "starts_with": _of_text(exp.StartsWith, "this", "expression"),
    "contains": _of_text(exp.Contains, "this", "expression"),
    "year": _part("YEAR"),
    "quarter": _part("QUARTER"),
    "month": _part("MONTH"),
    "day": _part("DAY"),
    "add_months": _add_months,
}


# ---- aggregates and window functions


def aggregated(call: AggregateCall, names: Names) -> exp.Expr:
    """An aggregate of a group."""
    argument = exp.Star() if call.argument is None else _typed(call.argument, written(call.argument, names)).unnest()
    if call.quantile is not None:
        share = exp.Literal.number(repr(call.quantile[0] / call.quantile[1]))
        return exp.Anonymous(this="QUANTILE_DISC", expressions=[argument, share])
    if call.rank:
        return _largest(call, argument)
    if call.function == "count_distinct":
        return exp.Count(this=exp.Distinct(expressions=[argument]))
    made = _AGGREGATES[call.function](this=argument)
    return cast_to(made, storage_type(call.type)) if call.function == "sum" else made


def _largest(call: AggregateCall, argument: exp.Expr) -> exp.Expr:
    """The rank's value of all values of a group's rows in falling order, without NULLs; 0 past their end."""
    rank = exp.Literal.number(call.rank)
    if isinstance(call.argument, Call) and call.argument.function == "list":
        every = _function("LIST_REVERSE_SORT", _function("FLATTEN", _function("LIST", argument)))
    else:
        every = _function("MAX", argument, rank)
    found = exp.Coalesce(this=_function("LIST_EXTRACT", every, rank.copy()), expressions=[exp.Literal.number(0)])
    return cast_to(found, storage_type(call.type))


def _function(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


_AGGREGATES: dict[str, type[exp.AggFunc]] = {
    "sum": exp.Sum,
    "count": exp.Count,
    "min": exp.Min,
    "max": exp.Max,
    "bool_and": exp.LogicalAnd,
    "bool_or": exp.LogicalOr,
}


def windowed(call: WindowCall, names: Names, partition: list[exp.Expr], order: exp.Order | None) -> exp.Expr:
    """A window function over a partition in an order."""
    of = [] if call.argument is None else [_typed(call.argument, written(call.argument, names)).unnest()]
    if call.function in ("lag", "lead"):
        of.append(exp.Literal.number(call.offset))
    if call.function == "count" and not of:
        of = [exp.Star()]
    made = exp.Anonymous(this=call.function.upper(), expressions=of)
    framed = call.function not in ("row_number", "rank", "dense_rank", "lag", "lead")
    window = exp.Window(this=made, partition_by=partition, order=order, spec=_spec(call) if framed else None)
    return cast_to(window, storage_type(call.type)) if call.function == "sum" else window


def _spec(call: WindowCall) -> exp.WindowSpec:
    unit, start, end = call.frame
    first, first_side = _bound(start, "PRECEDING")
    last, last_side = _bound(end, "FOLLOWING")
    return exp.WindowSpec(kind=unit.upper(), start=first, start_side=first_side, end=last, end_side=last_side)


def _bound(offset: int | None, unbounded: str) -> tuple[str, str | None]:
    if offset is None:
        return "UNBOUNDED", unbounded
    return (str(abs(offset)), "PRECEDING" if offset < 0 else "FOLLOWING") if offset else ("CURRENT ROW", None)


def in_order(keys: list[tuple[exp.Expr, bool]]) -> exp.Order:
    """ORDER BY; NULL last, as DuckDB has it either way."""
    return exp.Order(expressions=[exp.Ordered(this=node.copy(), desc=down, nulls_first=False) for node, down in keys])
