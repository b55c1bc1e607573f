"""Aggregates of SQL made of those that a plan has: averages, variances and covariances of exact sums, the median of two quantiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlglot import exp

from accord.base.errors import Refused
from accord.frame.expressions import average
from accord.plan.expression import Expression
from accord.plan.literals import can_be_null
from accord.plan.types import BOOL, DATE, INT, Type
from accord.plan.typing import CONDITION, DIVIDE_DIGITS, NUMBERS, article, call, cast, decimal, integer, null, quotient


@dataclass(frozen=True)
class Part:
    """One aggregate of the plan: its function, its argument (None for all rows), and the share of a quantile."""

    function: str
    argument: Expression | None
    share: tuple[int, int] | None = None


@dataclass(frozen=True)
class Measure:
    """An aggregate of the SQL: its parts by the suffix of their names, and what is made of their columns.

    Where `ranked` is given, the parts are those that `placed` makes of it, of its number among the values of its group from 0, and of how
    many values there are that are not NULL.
    """

    parts: list[tuple[str, Part]]
    result: Callable[..., Expression]
    where: Expression | None = None
    ranked: Expression | None = None
    placed: Callable[[Expression, Expression, Expression], list[tuple[str, Part]]] | None = None


Made = Callable[[Any, list[Expression]], Measure]


def _itself(only: Expression) -> Expression:
    return only


def _plain(function: str) -> Made:
    return lambda _, arguments: Measure([("", Part(function, arguments[0]))], _itself)


def _count(_: exp.Count, arguments: list[Expression]) -> Measure:
    return Measure([("", Part("count", _nullable(arguments[0]) if arguments else None))], _itself)


def _nullable(argument: Expression) -> Expression | None:
    """What COUNT counts: nothing but rows where the argument is never NULL."""
    return argument if argument.type.nullable else None


def _count_if(_: exp.CountIf, arguments: list[Expression]) -> Measure:
    """The sum of ones and zeros: of no truth values at all it is NULL, as in DuckDB."""
    return Measure([("", Part("sum", one_if(arguments[0])))], _itself)


def one_if(condition: Expression) -> Expression:
    """1 where a condition is true, 0 where it is false, NULL where it is neither."""
    if condition.type.kind != BOOL:
        raise Refused(f"COUNT_IF of {article(condition.type.kind)}", rule=CONDITION, do="compare it with a value")
    return cast(condition, Type(INT))


def _require_numbers(word: str, *arguments: Expression) -> None:
    for one in arguments:
        if one.type.kind not in NUMBERS:
            do = "average a CASE that gives each value a number"
            raise Refused(f"{word} of {article(one.type.kind)}", rule=f"{word} takes numbers", do=do)


def _average(_: exp.Avg, arguments: list[Expression]) -> Measure:
    argument = arguments[0]
    _require_numbers("AVG", argument)
    parts = [("", Part("sum", argument)), ("_rows", Part("count", _nullable(argument)))]
    return Measure(parts, lambda total, count: average(total, count, argument.type))


# ---- second moments: (n · Σxy − Σx · Σy) / (n · (n − 1)), or / (n · n) of a population


def _moment(word: str, population: bool) -> Made:
    """VAR and COVAR, exact but for one rounding; of numbers moved to the middle of their range, which changes only the sums' size."""

    def measure(node: exp.Expr, arguments: list[Expression]) -> Measure:
        _require_numbers(word, *arguments)
        first, second = _centred(arguments[0]), _centred(arguments[-1])
        if len(arguments) > 1 and can_be_null(first, second):
            known = call("not", call("or", call("is_null", first), call("is_null", second)))
            first, second = call("case", known, first, null()), call("case", known, second, null())
        scale = first.type.scale + second.type.scale + DIVIDE_DIGITS
        bound = _largest(first.type, second.type, population) * 10**DIVIDE_DIGITS
        parts = [
            ("", Part("sum", call("multiply", first, second))),
            ("_sum", Part("sum", first)),
            ("_rows", Part("count", _nullable(first))),
        ]
        parts += [("_other", Part("sum", second))] if len(arguments) > 1 else []

        def result(products: Expression, total: Expression, count: Expression, other: Expression | None = None) -> Expression:
            try:
                over = call("subtract", call("multiply", count, products), call("multiply", total, other or total))
                under = call("multiply", count, count if population else call("greatest", call("subtract", count, integer(1)), integer(0)))
                return quotient(over, under, scale, (0 if len(arguments) == 1 else -bound, bound))
            except Refused as error:
                do = "narrow the declared bounds, ROUND(x, fewer digits), or release SUM(x), SUM(x * x) and COUNT(x)"
                raise Refused(f"{word}: {error.what}", rule=error.rule, do=do) from None

        return Measure(parts, result)

    return measure


def _centred(argument: Expression) -> Expression:
    """The number less the middle of its range, in the same scale."""
    type = argument.type
    middle = (type.low + type.high) // 2
    if not middle:
        return argument
    return call("subtract", argument, decimal(middle, type.scale) if type.scale else integer(middle))


def _largest(first: Type, second: Type, population: bool) -> int:
    """The largest second moment: of two rows at the ends of their ranges."""
    spread = (first.high - first.low) * (second.high - second.low)
    return -(-spread // 4) if population else -(-spread // 2)


# ---- quantiles


def _require_between(word: str, argument: Expression) -> None:
    """Raises Refused for values between which nothing lies."""
    if argument.type.kind == DATE:
        raise Refused(f"{word} of a date, which can lie between two days", do="QUANTILE_DISC(day, 0.5)")
    _require_numbers(word, argument)


def _median(_: exp.Expr, arguments: list[Expression]) -> Measure:
    """The middle value, or half-way between the two: the lower of them, and the lower of the negatives."""
    argument = arguments[0]
    _require_between("MEDIAN", argument)
    half = (1, 2)
    parts = [("", Part("quantile_disc", argument, half)), ("_upper", Part("quantile_disc", call("negate", argument), half))]
    scale = argument.type.scale + 1
    bounds = (argument.type.low * 10, argument.type.high * 10)
    return Measure(parts, lambda lower, upper: quotient(call("subtract", lower, upper), integer(2), scale, bounds))


def share_of(node: exp.Expr) -> tuple[int, int]:
    """The share of a quantile as a fraction."""
    bare = node.unnest()
    if not isinstance(bare, exp.Literal) or bare.is_string:
        raise Refused("a quantile that is not a constant", do="write it as a decimal, as in QUANTILE_DISC(x, 0.9)")
    return Decimal(bare.this).as_integer_ratio()


def _share(node: exp.Expr) -> tuple[int, int]:
    if isinstance(node, exp.WithinGroup):
        if node.expression.expressions[0].args.get("desc"):
            raise Refused("a quantile in descending order", do="write the share from below: 0.1 for 0.9")
        return share_of(node.this.this)
    share = node.args.get("quantile") or node.expression
    if share is None:
        raise Refused("a quantile without its share", do="write it as in QUANTILE_DISC(x, 0.9)")
    return share_of(share)


def _discrete(node: exp.Expr, arguments: list[Expression]) -> Measure:
    return Measure([("", Part("quantile_disc", arguments[0], _share(node)))], _itself)


def _continuous(node: exp.Expr, arguments: list[Expression]) -> Measure:
    """The value at place (n − 1) · share, from 0, or between the two values beside it: exact with the digits of the share."""
    share, digits = _share(node), _digits(node)
    if share == (1, 2):
        return _median(node, arguments)
    _require_between("QUANTILE_CONT", arguments[0])
    unit = 10**digits
    weight = share[0] * (unit // share[1])

    def placed(value: Expression, number: Expression, count: Expression) -> list[tuple[str, Part]]:
        place, wanted = (call("multiply", one, integer(by)) for one, by in ((number, unit), (call("subtract", count, integer(1)), weight)))
        known = call("not", call("is_null", value))
        below = call("and", known, call("le", place, wanted))
        rest = call("subtract", wanted, place)
        return [
            ("", Part("max", call("case", below, value, null()))),
            ("_upper", Part("min", call("case", call("and", known, call("ge", place, wanted)), value, null()))),
            ("_rest", Part("min", call("case", below, rest, null()))),
        ]

    def result(lower: Expression, upper: Expression, rest: Expression) -> Expression:
        between = call("least", call("greatest", rest, integer(0)), integer(unit))
        part = call("multiply", call("subtract", upper, lower), call("multiply", between, decimal(1, digits)))
        return call("add", lower, part)

    return Measure([], result, ranked=arguments[0], placed=placed)


def _digits(node: exp.Expr) -> int:
    """Decimals of a share: enough to write it as a fraction of a power of ten."""
    share = node.this.this if isinstance(node, exp.WithinGroup) else node.expression
    exponent = Decimal(share.unnest().this).normalize().as_tuple().exponent
    return max(-int(exponent), 0)


def _within(node: exp.WithinGroup, arguments: list[Expression]) -> Measure:
    made = {exp.PercentileCont: _continuous, exp.PercentileDisc: _discrete}.get(type(node.this))
    if made is None:
        raise Refused(f"{node.this.key.upper()} WITHIN GROUP is not supported", do="PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY x)")
    return made(node, arguments)


def _root(word: str, square: str) -> Made:
    def measure(_: exp.Expr, arguments: list[Expression]) -> Measure:
        raise Refused(
            f"{word} is not supported", rule="there is no exact square root", do=f"release {square}; the recipient takes the root"
        )

    return measure


def _correlation(_: exp.Corr, arguments: list[Expression]) -> Measure:
    do = "release COVAR_POP(x, y), VAR_POP(x) and VAR_POP(y); the recipient takes the root and divides"
    raise Refused("CORR is not supported", rule="there is no exact square root", do=do)


MEASURES: dict[type[Any], tuple[str, Made]] = {
    exp.Sum: ("sum", _plain("sum")),
    exp.Count: ("count", _count),
    exp.CountIf: ("count_if", _count_if),
    exp.Min: ("min", _plain("min")),
    exp.Max: ("max", _plain("max")),
    exp.Avg: ("avg", _average),
    exp.Variance: ("var_samp", _moment("VAR_SAMP", False)),
    exp.VariancePop: ("var_pop", _moment("VAR_POP", True)),
    exp.CovarSamp: ("covar_samp", _moment("COVAR_SAMP", False)),
    exp.CovarPop: ("covar_pop", _moment("COVAR_POP", True)),
    exp.Stddev: ("stddev", _root("STDDEV", "VAR_SAMP(x)")),
    exp.StddevSamp: ("stddev_samp", _root("STDDEV_SAMP", "VAR_SAMP(x)")),
    exp.StddevPop: ("stddev_pop", _root("STDDEV_POP", "VAR_POP(x)")),
    exp.Corr: ("corr", _correlation),
    exp.Median: ("median", _median),
    exp.Quantile: ("quantile", _discrete),
    exp.PercentileDisc: ("quantile_disc", _discrete),
    exp.PercentileCont: ("quantile_cont", _continuous),
    exp.WithinGroup: ("quantile", _within),
    exp.LogicalAnd: ("bool_and", _plain("bool_and")),
    exp.LogicalOr: ("bool_or", _plain("bool_or")),
}
"""The aggregates that are accepted: their names, and how they are made."""
