"""Builders that infer a type, or refuse with the reason and the nearest form that would do.

What a built expression promises to those who run it:
- arguments of add, subtract, comparisons, case, coalesce, least and greatest have one scale and one domain: a `cast` call
  changes an argument's scale (exactly, upwards) or its category's domain where needed;
- a call of literals is a literal; `round` of `divide` is a `divide` of that scale, so that it is rounded once;
- coalesce and case end at the first argument that decides;
- the type's range holds for every row that is not NULL; NULL has the value 0 whatever the range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from itertools import product

from accord.base.errors import Refused
from accord.base.limits import CATEGORY_VALUES_MAX, VALUE_BITS_MAX
from accord.plan.evaluate import evaluate, half_away, quotient_factors
from accord.plan.expression import Call, ColumnRef, Expression, Literal
from accord.plan.literals import (
    CONDITION,
    EPOCH,
    NUMBERS,
    article,
    boolean,
    can_be_null,
    day,
    decimal,
    in_text_order,
    integer,
    is_null,
    is_text,
    null,
    recoded,
    text,
    text_of,
    width,
)
from accord.plan.nodes import Field
from accord.plan.types import BOOL, CATEGORY, DATE, DECIMAL, INT, TEXT, Type
from accord.plan.typing_aggregates import aggregate, quantile, windowed
from accord.plan.typing_local import BUILDERS as LOCAL_BUILDERS
from accord.plan.typing_moments import MOMENT_BUILDERS

__all__ = [
    "CONDITION",
    "EPOCH",
    "NUMBERS",
    "aggregate",
    "article",
    "boolean",
    "day",
    "decimal",
    "integer",
    "null",
    "quantile",
    "text",
    "windowed",
]

DIVIDE_DIGITS = 4
"""`/` and AVG have this many decimals more than what is divided; `/` has fewer, down to `DIVIDE_DIGITS_MIN` in all, where so many are
not computed within the bounds."""
DIVIDE_DIGITS_MIN = 2
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_SIGNS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "add": "+", "subtract": "-", "multiply": "*"}
ORDERED = "numbers, dates and categories have an order"
_DATE_BOUNDS = (-719_162, 2_932_896)


def column(field: Field) -> ColumnRef:
    """A reference to a column of a table."""
    return ColumnRef(field.type, field.name)


def call(function: str, *arguments: Expression) -> Expression:
    """The call with its inferred type. Raises Refused, with the nearest form, where there is none."""
    built = _BUILDERS[function](function, *arguments)
    if isinstance(built, Call) and all(isinstance(one, Literal) for one in built.arguments):
        return _folded(built)
    return built


def cast(argument: Expression, target: Type) -> Expression:
    """The argument in another kind: numbers of any scale (rounded half away from zero), bool to and from int, a string to a date."""
    kind = argument.type.kind
    if is_null(argument):
        return null(target)
    if kind == target.kind and kind not in (DECIMAL, CATEGORY):
        return argument
    if kind == CATEGORY and target.kind == DATE and isinstance(argument, Literal):
        return _as_date(argument)
    if kind in NUMBERS and target.kind in NUMBERS:
        return _rescaled(argument, target.scale, target.kind)
    if kind == BOOL and target.kind == INT:
        return _finished(Call(replace(argument.type, kind=INT), "cast", (argument,)))
    if kind == INT and target.kind == BOOL:
        return _finished(Call(Type(BOOL, nullable=argument.type.nullable), "cast", (argument,)))
    if kind in (CATEGORY, TEXT) and target.kind == TEXT:
        return argument
    raise Refused(
        f"CAST of {article(kind)} to {article(target.kind)}",
        rule="int, decimal and bool among each other, a text constant to a date",
        do="use CASE to say which value becomes which",
    )


def domain(type: Type) -> range | None:
    """The public values that a column of this type ranges over, where they are few enough to be listed."""
    values = range(type.low, type.high + 1)
    return values if type.kind in (CATEGORY, BOOL, INT, DATE, DECIMAL) and len(values) <= CATEGORY_VALUES_MAX else None


def same_form(left: Expression, right: Expression) -> tuple[Expression, Expression]:
    """Both in one scale and domain, so that equal values have equal integer forms. Raises Refused for different kinds."""
    first, second = unified("=", (left, right), comparing=True)
    return first, second


# ---- one form for several arguments


def unified(what: str, arguments: Sequence[Expression], comparing: bool = False) -> list[Expression]:
    """The arguments in one kind, scale and domain; NULLs take the others' type."""
    real = [one for one in arguments if not is_null(one)]
    if not real:
        return list(arguments)
    kinds = {one.type.kind for one in real}
    if DATE in kinds and kinds == {DATE, CATEGORY}:
        arguments = [_as_date(one) if is_text(one) else one for one in arguments]
        kinds = {one.type.kind for one in arguments if not is_null(one)}
    if kinds <= set(NUMBERS):
        scale = max(one.type.scale for one in real)
        arguments = [one if is_null(one) else _rescaled(one, scale, one.type.kind if scale == 0 else DECIMAL) for one in arguments]
    elif kinds == {CATEGORY}:
        arguments = _one_domain(arguments, comparing)
    elif kinds == {CATEGORY, TEXT}:
        arguments = [one if is_null(one) else _as_text(one) for one in arguments]
    elif len(kinds) > 1:
        first, second = sorted(kinds, key=[one.type.kind for one in arguments].index)[:2]
        between = f"{what} between {article(first)} and {article(second)}"
        raise Refused(between, rule="both sides are of one kind", do=_nearest_kinds({first, second}))
    like = next(one.type for one in arguments if not is_null(one))
    return [null(like) if is_null(one) else one for one in arguments]


def _nearest_kinds(kinds: set[str]) -> str:
    if BOOL in kinds and INT in kinds:
        return "write the condition itself, or CAST(… AS BIGINT)"
    if CATEGORY in kinds:
        return "compare a category with one of its values in quotes"
    return "CAST one side to the kind of the other"


def _one_domain(arguments: Sequence[Expression], comparing: bool) -> list[Expression]:
    """Categories recoded to one domain: all values in order of appearance. A constant is compared only with a side that has its value."""
    real = [one for one in arguments if not is_null(one)]
    givers = [one for one in real if not (comparing and is_text(one))] or real
    values = tuple(dict.fromkeys(value for one in givers for value in one.type.values))
    if comparing:
        for one in arguments:
            if is_text(one):
                _require_value(text_of(one), values)
        if len(givers) > 1 and not set.intersection(*(set(one.type.values) for one in givers)):
            raise Refused("a comparison of two categories without a common value", do="compare columns that declare the same values")
    return [one if is_null(one) else recoded(one, values) for one in arguments]


def _require_value(value: str, values: tuple[str, ...]) -> None:
    if value not in values:
        near = get_close_matches(value, values, 1, 0.0)
        few = ", ".join(repr(one) for one in values[:8]) + (", …" if len(values) > 8 else "")
        raise Refused(f"{value!r} is no value of this category", rule=f"it declares {few}", do=f"did you mean {(near or values)[0]!r}?")


def _as_text(argument: Expression) -> Expression:
    """The argument as a text: a constant as its characters, a category's codes as their values."""
    if argument.type.kind == TEXT:
        return argument
    if is_text(argument):
        return Literal(Type(TEXT, 0, 0, bytes_max=max(width(text_of(argument)), 1)), text_of(argument))
    most = max(map(width, argument.type.values))
    return Call(Type(TEXT, 0, 0, nullable=argument.type.nullable, bytes_max=most), "cast", (argument,))


def _as_date(argument: Expression) -> Expression:
    try:
        return day(date.fromisoformat(text_of(argument)))
    except ValueError:
        raise Refused(f"{text_of(argument)!r} is no date", rule="YYYY-MM-DD", do="write it as DATE '2024-12-31'") from None


def _rescaled(argument: Expression, scale: int, kind: str) -> Expression:
    """The number in units of 10^-scale. Rounds half away from zero where digits are lost."""
    of = argument.type
    if of.scale == scale and of.kind == kind:
        return argument
    up, down = 10 ** max(scale - of.scale, 0), 10 ** max(of.scale - scale, 0)
    after = Type(kind, half_away(of.low * up, down), half_away(of.high * up, down), scale, (), of.nullable)
    return _finished(Call(after, "cast", (argument,)))


def _finished(built: Call) -> Expression:
    return _folded(built) if all(isinstance(one, Literal) for one in built.arguments) else built


def _folded(built: Call) -> Literal:
    """The constant that a call of constants is."""
    result = evaluate(built, {}, 1)
    if result.nulls[0]:
        return null(built.type)
    if built.type.kind == TEXT:
        return text(str(result.values[0]))
    value = int(result.values[0])
    exact = built.type if built.type.kind == CATEGORY else replace(built.type, low=value, high=value, nullable=False)
    return Literal(replace(exact, nullable=False), value)


# ---- one builder a function


def _numbers(function: str, *arguments: Expression) -> None:
    for one in arguments:
        if one.type.kind not in NUMBERS:
            what = _SIGNS.get(function, function.upper())
            raise Refused(f"{what} of {article(one.type.kind)}", rule=f"{what} takes numbers", do="use CASE to give each value a number")


def _spread(arguments: Sequence[Expression], combine: Callable[..., int]) -> tuple[int, int]:
    """The least and greatest of `combine` over the ends of the arguments' ranges."""
    ends = [combine(*point) for point in product(*((one.type.low, one.type.high) for one in arguments))]
    return min(ends), max(ends)


def _add(function: str, left: Expression, right: Expression) -> Expression:
    kinds = (left.type.kind, right.type.kind)
    sign = 1 if function == "add" else -1
    if kinds == (INT, DATE) and function == "add":
        left, right, kinds = right, left, (DATE, INT)
    if kinds == (DATE, INT) or (kinds == (DATE, DATE) and function == "subtract"):
        kind = DATE if kinds[1] == INT else INT
    else:
        _numbers(function, left, right)
        left, right = unified(_SIGNS[function], (left, right))
        kind = DECIMAL if DECIMAL in (left.type.kind, right.type.kind) else INT
    low, high = _spread((left, right), lambda x, y: x + sign * y)
    if kind == DATE and not (_DATE_BOUNDS[0] <= low and high <= _DATE_BOUNDS[1]):
        raise Refused("a date could leave the years 1 to 9999", do="narrow the declared bounds")
    return Call(Type(kind, low, high, left.type.scale, (), can_be_null(left, right)), function, (left, right))


def _multiply(function: str, left: Expression, right: Expression) -> Expression:
    _numbers(function, left, right)
    try:
        return _product(left, right)
    except Refused:
        shorter = _without_zeros(left), _without_zeros(right)
        if shorter == (left, right):
            raise
        return _product(*shorter)


def _product(left: Expression, right: Expression) -> Expression:
    low, high = _spread((left, right), lambda x, y: x * y)
    kind = DECIMAL if DECIMAL in (left.type.kind, right.type.kind) else INT
    return Call(Type(kind, low, high, left.type.scale + right.type.scale, (), can_be_null(left, right)), "multiply", (left, right))


def _without_zeros(argument: Expression) -> Expression:
    """A constant without the zeros behind its last decimal, which take room in a product."""
    if not isinstance(argument, Literal) or argument.type.kind != DECIMAL or argument.value is None:
        return argument
    digits, scale = int(argument.value), argument.type.scale
    while scale and digits % 10 == 0:
        digits, scale = digits // 10, scale - 1
    return decimal(digits, scale) if scale else integer(digits)


def _negate(function: str, argument: Expression) -> Expression:
    _numbers("-", argument)
    return Call(replace(argument.type, low=-argument.type.high, high=-argument.type.low), function, (argument,))


def _abs(function: str, argument: Expression) -> Expression:
    _numbers(function, argument)
    low, high = argument.type.low, argument.type.high
    nearest = 0 if low <= 0 <= high else min(abs(low), abs(high))
    return Call(replace(argument.type, low=nearest, high=max(abs(low), abs(high))), function, (argument,))


def _divide(function: str, left: Expression, right: Expression) -> Expression:
    return divided(left, right)


def divided(left: Expression, right: Expression, bounds: tuple[int, int] | None = None) -> Expression:
    """left / right with DIVIDE_DIGITS more decimals than the dividend, or as many as can be computed within the bounds.

    `bounds` are limits of the result in whole numbers that the caller can vouch for.
    """
    _numbers("/", left, right)
    most = left.type.scale + DIVIDE_DIGITS
    for scale in range(most, min(DIVIDE_DIGITS_MIN, most) - 1, -1):
        try:
            return quotient(left, right, scale, bounds and (bounds[0] * 10**scale, bounds[1] * 10**scale))
        except Refused:
            continue
    return quotient(left, right, most)


def quotient(left: Expression, right: Expression, scale: int, bounds: tuple[int, int] | None = None) -> Expression:
    """left / right with `scale` decimals, rounded half away from zero, NULL for a zero divisor.

    `bounds` are tighter limits of the result that the caller can vouch for (an average lies between the least and the greatest value).
    """
    _numbers("/", left, right)
    form = Type(DECIMAL, 0, 0, scale)
    up, down = quotient_factors(form, left.type, right.type)
    divisor = max(abs(right.type.low), abs(right.type.high)) * down
    if divisor * (2 * up + 1) >= 1 << VALUE_BITS_MAX:
        raise Refused(
            f"a division by up to {divisor} with {scale} decimals",
            rule=f"the remainder stays within ±2^{VALUE_BITS_MAX}",
            do="ask for fewer decimals with ROUND(x / y, digits)",
        )
    low, high = bounds or _quotient_range(left.type, right.type, up, down)
    nullable = can_be_null(left, right) or right.type.low <= 0 <= right.type.high
    return _finished(Call(Type(DECIMAL, low, high, scale, (), nullable), "divide", (left, right)))


def _quotient_range(left: Type, right: Type, up: int, down: int) -> tuple[int, int]:
    divisors = [one for one in {right.low, right.high, -1, 1} if one and right.low <= one <= right.high]
    ends = [half_away(one * up, by * down) for one in (left.low, left.high) for by in divisors]
    return min(ends, default=0), max(ends, default=0)


def _floor_divide(function: str, left: Expression, right: Expression) -> Expression:
    for one in (left, right):
        if one.type.kind != INT or one.type.low < 0:
            what = f"// of {article(one.type.kind)}" + (" that can be negative" if one.type.kind == INT else "")
            do = "use ROUND(x / y, digits), or bound it with GREATEST(…, 0)"
            raise Refused(what, rule="// takes integers that are not negative", do=do)
    low, high = left.type.low // max(right.type.high, 1), left.type.high // max(right.type.low, 1)
    return Call(Type(INT, low, high, 0, (), can_be_null(left, right) or right.type.low == 0), function, (left, right))


def _round(function: str, argument: Expression, digits: Expression) -> Expression:
    _numbers(function, argument)
    if not isinstance(digits, Literal) or digits.type.kind != INT or not 0 <= int(digits.value or 0) <= 15:
        what = "ROUND to a number of digits that is not a constant from 0 to 15"
        raise Refused(what, do="write the digits as a constant, as in ROUND(x, 2)")
    scale = int(digits.value or 0)
    if isinstance(argument, Call) and argument.function == "divide":
        return quotient(argument.arguments[0], argument.arguments[1], scale)
    if argument.type.kind == INT or argument.type.scale <= scale:
        return argument
    unit = 10 ** (argument.type.scale - scale)
    low, high = half_away(argument.type.low, unit), half_away(argument.type.high, unit)
    return Call(replace(argument.type, scale=scale, low=low, high=high), function, (argument, digits))


def _compare(function: str, left: Expression, right: Expression) -> Expression:
    is_ordered = function not in ("eq", "ne")
    left, right = unified(_SIGNS[function], (left, right), comparing=not is_ordered)
    if is_ordered and left.type.kind in (BOOL, TEXT):
        raise Refused(f"{_SIGNS[function]} of {article(left.type.kind)}", rule=ORDERED, do="compare with = or <>")
    if is_ordered:
        left, right = in_text_order(left), in_text_order(right)
    return Call(Type(BOOL, nullable=can_be_null(left, right)), function, (left, right))


def _logic(function: str, *arguments: Expression) -> Expression:
    arguments = tuple(null(Type(BOOL)) if is_null(one) else one for one in arguments)
    for one in arguments:
        if one.type.kind != BOOL:
            raise Refused(f"{function.upper()} of {article(one.type.kind)}", rule=CONDITION, do="compare it with a value")
    return Call(Type(BOOL, nullable=can_be_null(*arguments)), function, arguments)


def _is_null_call(function: str, argument: Expression) -> Expression:
    if not argument.type.nullable:
        return boolean(False)
    return Call(Type(BOOL), function, (argument,))


def _case(function: str, *arguments: Expression) -> Expression:
    conditions, values = [], []
    for condition, value in zip(arguments[:-1:2], arguments[1:-1:2], strict=True):
        if condition.type.kind != BOOL and not is_null(condition):
            raise Refused(f"WHEN with {article(condition.type.kind)}", rule=CONDITION, do="compare it with a value")
        conditions.append(condition)
        values.append(value)
    values = unified("CASE", [*values, arguments[-1]])
    pairs = [(condition, value) for condition, value in zip(conditions, values[:-1], strict=True) if not _never(condition)]
    sure = next((place for place, (condition, _) in enumerate(pairs) if _always(condition)), len(pairs))
    otherwise = pairs[sure][1] if sure < len(pairs) else values[-1]
    if not pairs[:sure]:
        return otherwise
    outcomes = [*(value for _, value in pairs[:sure]), otherwise]
    return Call(_hull(outcomes), function, (*(part for pair in pairs[:sure] for part in pair), otherwise))


def _always(condition: Expression) -> bool:
    return isinstance(condition, Literal) and condition.value == 1


def _never(condition: Expression) -> bool:
    return isinstance(condition, Literal) and condition.value != 1


def _hull(outcomes: Sequence[Expression]) -> Type:
    """The type of one of several values of one form."""
    real = [one.type for one in outcomes if not is_null(one)] or [outcomes[0].type]
    kind = DECIMAL if any(one.kind == DECIMAL for one in real) else real[0].kind
    low, high = min(one.low for one in real), max(one.high for one in real)
    return replace(real[0], kind=kind, low=low, high=high, nullable=can_be_null(*outcomes), bytes_max=_widest(outcomes))


def _widest(outcomes: Sequence[Expression]) -> int:
    """Bytes of one of several texts; 0 where a column is there as a digest."""
    columns = [one.type.bytes_max for one in outcomes if not isinstance(one, Literal)]
    return 0 if 0 in columns else max((one.type.bytes_max for one in outcomes), default=0)


def _coalesce(function: str, *arguments: Expression) -> Expression:
    alike = [one for one in unified("COALESCE", arguments) if not is_null(one)]
    sure = next((place for place, one in enumerate(alike) if not one.type.nullable), len(alike) - 1)
    chosen = alike[: sure + 1]
    if len(chosen) <= 1:
        return chosen[0] if chosen else arguments[0]
    return Call(replace(_hull(chosen), nullable=chosen[-1].type.nullable), function, tuple(chosen))


def _extreme(function: str, *arguments: Expression) -> Expression:
    chosen = [one for one in unified(function.upper(), arguments) if not is_null(one)]
    if not chosen:
        return arguments[0]
    if chosen[0].type.kind not in (*NUMBERS, DATE, CATEGORY):
        what = f"{function.upper()} of {article(chosen[0].type.kind)}"
        raise Refused(what, rule=ORDERED, do="use CASE to say which is taken")
    if len(chosen) == 1:
        return chosen[0]
    chosen = [in_text_order(one) for one in chosen]
    pick = min if function == "least" else max
    sure = [one.type for one in chosen if not one.type.nullable]
    lows, highs = [one.type.low for one in chosen], [one.type.high for one in chosen]
    low = max([one.low for one in sure], default=min(lows)) if pick is max else min(lows)
    high = min([one.high for one in sure], default=max(highs)) if pick is min else max(highs)
    return Call(replace(_hull(chosen), low=low, high=high, nullable=not sure), function, tuple(chosen))


_BUILDERS: dict[str, Callable[..., Expression]] = {
    "add": _add,
    "subtract": _add,
    "multiply": _multiply,
    "negate": _negate,
    "abs": _abs,
    "divide": _divide,
    "floor_divide": _floor_divide,
    "round": _round,
    **dict.fromkeys(COMPARISONS, _compare),
    **dict.fromkeys(("and", "or", "not"), _logic),
    "is_null": _is_null_call,
    "case": _case,
    "coalesce": _coalesce,
    "least": _extreme,
    "greatest": _extreme,
    **MOMENT_BUILDERS,
    **LOCAL_BUILDERS,
}
