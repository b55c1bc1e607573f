"""VAR, COVAR, STDDEV and CORR: of sums of numbers and of their products, exact but for one rounding.

A second moment is N / D for N = n Σx² − (Σx)², and D = n (n − 1) or n². Where n Σx² would pass 2^62, N is never made: with the mean's
whole part m and the rest r of Σx = n m + r, the squares about m are S = Σx² − m (Σx + r), and N = n S − r². So N / n = A + ρ / n for
A = S − ⌈r² / n⌉ and ρ = n ⌈r² / n⌉ − r², and ⌊u N / D⌋ follows from A, ρ and n by whole divisions, since ⌊⌊x⌋ / k⌋ = ⌊x / k⌋.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from sqlglot import exp

from accord.base.errors import Refused
from accord.base.limits import VALUE_BITS_MAX
from accord.frame.measure import Made, Measure, Part, countable, require_numbers
from accord.plan.expression import Expression
from accord.plan.literals import can_be_null
from accord.plan.types import DECIMAL, Type
from accord.plan.typing import DIVIDE_DIGITS, call, cast, decimal, integer, null, quotient
from accord.plan.typing_moments import bounded

DIVIDED_MAX = 1 << VALUE_BITS_MAX - 1
"""What is divided stays below."""
DO = "narrow the declared bounds, ROUND(x, fewer digits), or release SUM(x), SUM(x * x) and COUNT(x)"
DO_BOTH = "narrow the declared bounds, ROUND(x, fewer digits), or release SUM(x), SUM(y), SUM(x * y), SUM(x * x), SUM(y * y) and COUNT(*)"


@dataclass(frozen=True)
class Sums:
    """Of a group's numbers x, in units of their last digit, `low` … `high`, less a constant: Σx², Σx, and how many there are."""

    squares: Expression
    total: Expression
    count: Expression
    low: int
    high: int

    @property
    def rows_max(self) -> int:
        return max(self.count.type.high, 1)

    @property
    def spread(self) -> int:
        return self.high - self.low


# ---- sums


def _centred(argument: Expression) -> Expression:
    """The number less the middle of its range, in the same scale: which changes no second moment, but the sums' size."""
    type = argument.type
    middle = (type.low + type.high) // 2
    if not middle:
        return argument
    return call("subtract", argument, decimal(middle, type.scale) if type.scale else integer(middle))


def _pair(word: str, arguments: list[Expression]) -> tuple[Expression, Expression]:
    """Both numbers, each NULL where the other one is."""
    require_numbers(word, *arguments)
    first, second = _centred(arguments[0]), _centred(arguments[-1])
    if len(arguments) > 1 and can_be_null(first, second):
        known = call("not", call("or", call("is_null", first), call("is_null", second)))
        return call("case", known, first, null()), call("case", known, second, null())
    return first, second


def _sums(squares: Expression, total: Expression, count: Expression, of: Type) -> Sums:
    low, high = min(of.low, 0), max(of.high, 0)
    return Sums(call("units", squares), call("units", total), count, low, high)


def _less_one(count: Expression) -> Expression:
    return call("greatest", call("subtract", count, integer(1)), integer(0))


def _largest(first: Type, second: Type, population: bool) -> int:
    """The largest second moment: of two rows at the ends of their ranges."""
    spread = (first.high - first.low) * (second.high - second.low)
    return -(-spread // 4) if population else -(-spread // 2)


# ---- ⌊unit · N / D⌋


def _floor_moment(sums: Sums, unit: int, population: bool, largest: int) -> Expression:
    """The whole part of `unit` second moments, of which one is at most `largest`. Raises Refused where no way fits."""
    try:
        return _at_once(sums, unit, population, largest)
    except Refused:
        return _about_the_mean(sums, unit, population, largest)


def _divided(over: Expression, under: Expression, high: int) -> Expression:
    """⌊over / under⌋, which the caller knows to be at most `high`."""
    if max(over.type.high, under.type.high) >= DIVIDED_MAX:
        raise Refused(f"a division of up to {over.type.high}", rule=f"it stays below 2^{VALUE_BITS_MAX - 1}", do="fewer decimals")
    return bounded(call("floor_divide", over, under), 0, high)


def _moment_of(sums: Sums) -> Expression:
    """N, of one group."""
    whole = call("subtract", call("multiply", sums.count, sums.squares), call("multiply", sums.total, sums.total))
    return bounded(whole, 0, min(sums.rows_max**2 * sums.spread**2 // 4, whole.type.high))


def _at_once(sums: Sums, unit: int, population: bool, largest: int) -> Expression:
    over = _moment_of(sums)
    under = call("multiply", sums.count, sums.count if population else _less_one(sums.count))
    if over.type.high * unit < DIVIDED_MAX:
        return _divided(call("multiply", over, integer(unit)), under, unit * largest)
    whole = _divided(over, under, largest)
    rest = bounded(call("subtract", over, call("multiply", whole, under)), 0, max(under.type.high - 1, 0))
    part = _divided(call("multiply", rest, integer(unit)), under, unit - 1)
    return bounded(call("add", call("multiply", whole, integer(unit)), part), 0, unit * largest)


def _about_the_mean(sums: Sums, unit: int, population: bool, largest: int) -> Expression:
    """As the module's docstring says; no product of n and Σx² is made."""
    n, rows, most = sums.count, sums.rows_max, sums.rows_max * (-(-(sums.spread**2) // 4) + 1)
    shifted = bounded(call("add", sums.total, call("multiply", n, integer(-sums.low))), 0, rows * sums.spread)
    mean = call("add", _divided(shifted, n, sums.spread), integer(sums.low))
    rest = bounded(call("subtract", sums.total, call("multiply", mean, n)), 0, rows - 1)
    about = bounded(call("subtract", sums.squares, call("multiply", mean, call("add", sums.total, rest))), 0, most)
    square = call("multiply", rest, rest)
    taken = _divided(bounded(call("add", square, call("subtract", n, integer(1))), 0, rows**2), n, rows)
    each = bounded(call("subtract", about, taken), 0, most)
    beside = bounded(call("subtract", call("multiply", taken, n), square), 0, rows - 1)
    under = n if population else _less_one(n)
    whole = _divided(each, under, largest)
    left = bounded(call("subtract", each, call("multiply", whole, under)), 0, rows - 1)
    small = _divided(call("multiply", beside, integer(unit)), n, unit - 1)
    part = _divided(bounded(call("add", call("multiply", left, integer(unit)), small), 0, rows * unit), under, unit - 1)
    return bounded(call("add", call("multiply", whole, integer(unit)), part), 0, unit * largest)


def _rounded(twice: Expression) -> Expression:
    """Half of a whole number, rounded up: of ⌊2 y⌋ it is y rounded half away from zero."""
    return call("floor_divide", call("add", twice, integer(1)), integer(2))


def _scaled(whole: Expression, scale: int) -> Expression:
    """So many units of 10^-scale."""
    return call("multiply", whole, decimal(1, scale)) if scale else cast(whole, Type(DECIMAL))


# ---- VAR, COVAR


def moment(word: str, population: bool) -> Made:
    """VAR and COVAR."""

    def measure(_: exp.Expr, arguments: list[Expression]) -> Measure:
        first, second = _pair(word, arguments)
        scale = first.type.scale + second.type.scale + DIVIDE_DIGITS
        largest, unit = _largest(first.type, second.type, population), 10**DIVIDE_DIGITS
        parts = [
            ("", Part("sum", call("multiply", first, second))),
            ("_sum", Part("sum", first)),
            ("_rows", Part("count", countable(first))),
        ]
        parts += [("_other", Part("sum", second))] if len(arguments) > 1 else []

        def result(products: Expression, total: Expression, count: Expression, other: Expression | None = None) -> Expression:
            try:
                over = call("subtract", call("multiply", count, products), call("multiply", total, other or total))
                under = call("multiply", count, count if population else _less_one(count))
                return quotient(over, under, scale, (0 if other is None else -largest * unit, largest * unit))
            except Refused as error:
                refusal = Refused(f"{word}: {error.what}", rule=error.rule, do=DO)
            if other is not None:
                raise refusal
            try:
                return _scaled(_rounded(_floor_moment(_sums(products, total, count, first.type), 2 * unit, population, largest)), scale)
            except Refused:
                raise refusal from None

        return Measure(parts, result)

    return measure


# ---- STDDEV


def deviation(word: str, population: bool) -> Made:
    """STDDEV with four digits more than its numbers have, or as many as fit: √V to d digits is half of √⌊4 V 10^2d⌋, rounded."""

    def measure(_: exp.Expr, arguments: list[Expression]) -> Measure:
        first = _pair(word, arguments)[0]
        largest = _largest(first.type, first.type, population)
        parts = [
            ("", Part("sum", call("multiply", first, first))),
            ("_sum", Part("sum", first)),
            ("_rows", Part("count", countable(first))),
        ]

        def result(squares: Expression, total: Expression, count: Expression) -> Expression:
            sums = _sums(squares, total, count, first.type)
            for digits in range(DIVIDE_DIGITS, -1, -1):
                try:
                    four = _floor_moment(sums, 4 * 100**digits, population, largest)
                except Refused:
                    continue
                return _scaled(_rounded(call("root", four)), first.type.scale + digits)
            bound = f"of up to {sums.rows_max} numbers of a range of {sums.spread} units"
            raise Refused(f"{word} {bound}", rule=f"a sum of squares stays below 2^{VALUE_BITS_MAX - 1}", do=DO)

        return Measure(parts, result)

    return measure


# ---- CORR


def correlation(_: exp.Corr, arguments: list[Expression]) -> Measure:
    """CORR to six digits, within one unit of the last; NULL where one of the variances is 0."""
    first, second = _pair("CORR", arguments)
    parts = [
        ("", Part("sum", call("multiply", first, second))),
        ("_sum", Part("sum", first)),
        ("_other", Part("sum", second)),
        ("_squares", Part("sum", call("multiply", first, first))),
        ("_other_squares", Part("sum", call("multiply", second, second))),
        ("_rows", Part("count", countable(first))),
    ]

    def result(*sums: Expression) -> Expression:
        products, total, other, squares, other_squares, count = sums
        try:
            variances = [
                _moment_of(_sums(one, summed, count, of.type))
                for one, summed, of in ((squares, total, first), (other_squares, other, second))
            ]
            moved = call(
                "subtract", call("multiply", count, call("units", products)), call("multiply", call("units", total), call("units", other))
            )
        except Refused as error:
            raise Refused(f"CORR: {error.what}", rule=error.rule, do=DO_BOTH) from None
        most = isqrt(variances[0].type.high * variances[1].type.high)
        return call("correlation", bounded(moved, -most, most), *variances)

    return Measure(parts, result)
