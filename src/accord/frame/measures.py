"""The aggregates of SQL, made of those that a plan has: averages of exact sums, the median of two quantiles; moments.py has the spreads."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlglot import exp

from accord.base.errors import Refused
from accord.frame.expressions import average
from accord.frame.measure import Made, Measure, Part, countable, require_numbers
from accord.frame.moments import correlation, deviation, moment
from accord.plan.expression import Expression
from accord.plan.types import BOOL, DATE, INT, Type
from accord.plan.typing import CONDITION, article, call, cast, decimal, integer, null, quotient


def _itself(only: Expression) -> Expression:
    return only


def _plain(function: str) -> Made:
    return lambda _, arguments: Measure([("", Part(function, arguments[0]))], _itself)


def _count(_: exp.Count, arguments: list[Expression]) -> Measure:
    return Measure([("", Part("count", countable(arguments[0]) if arguments else None))], _itself)


def _count_if(_: exp.CountIf, arguments: list[Expression]) -> Measure:
    """The sum of ones and zeros: of no truth values at all it is NULL, as in DuckDB."""
    return Measure([("", Part("sum", one_if(arguments[0])))], _itself)


def one_if(condition: Expression) -> Expression:
    """1 where a condition is true, 0 where it is false, NULL where it is neither."""
    if condition.type.kind != BOOL:
        raise Refused(f"COUNT_IF of {article(condition.type.kind)}", rule=CONDITION, do="compare it with a value")
    return cast(condition, Type(INT))


def _average(_: exp.Avg, arguments: list[Expression]) -> Measure:
    argument = arguments[0]
    require_numbers("AVG", argument)
    parts = [("", Part("sum", argument)), ("_rows", Part("count", countable(argument)))]
    return Measure(parts, lambda total, count: average(total, count, argument.type))


# ---- quantiles


def _require_between(word: str, argument: Expression) -> None:
    """Raises Refused for values between which nothing lies."""
    if argument.type.kind == DATE:
        raise Refused(f"{word} of a date, which can lie between two days", do="QUANTILE_DISC(day, 0.5)")
    require_numbers(word, argument)


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


MEASURES: dict[type[Any], tuple[str, Made]] = {
    exp.Sum: ("sum", _plain("sum")),
    exp.Count: ("count", _count),
    exp.CountIf: ("count_if", _count_if),
    exp.Min: ("min", _plain("min")),
    exp.Max: ("max", _plain("max")),
    exp.Avg: ("avg", _average),
    exp.Variance: ("var_samp", moment("VAR_SAMP", False)),
    exp.VariancePop: ("var_pop", moment("VAR_POP", True)),
    exp.CovarSamp: ("covar_samp", moment("COVAR_SAMP", False)),
    exp.CovarPop: ("covar_pop", moment("COVAR_POP", True)),
    exp.Stddev: ("stddev", deviation("STDDEV", False)),
    exp.StddevSamp: ("stddev_samp", deviation("STDDEV_SAMP", False)),
    exp.StddevPop: ("stddev_pop", deviation("STDDEV_POP", True)),
    exp.Corr: ("corr", correlation),
    exp.Median: ("median", _median),
    exp.Quantile: ("quantile", _discrete),
    exp.PercentileDisc: ("quantile_disc", _discrete),
    exp.PercentileCont: ("quantile_cont", _continuous),
    exp.WithinGroup: ("quantile", _within),
    exp.LogicalAnd: ("bool_and", _plain("bool_and")),
    exp.LogicalOr: ("bool_or", _plain("bool_or")),
}
"""The aggregates that are accepted: their names, and how they are made."""
