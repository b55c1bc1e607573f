"""Builders of what STDDEV and CORR are made of after their sums: whole units, roots, correlations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isqrt

from accord.base.errors import Refused
from accord.plan.expression import Call, Expression
from accord.plan.literals import NUMBERS, article, can_be_null
from accord.plan.moments import CORRELATION_DIGITS
from accord.plan.types import DECIMAL, INT, Type


def bounded(expression: Expression, low: int, high: int) -> Expression:
    """The expression with limits that the caller can vouch for. Raises Refused where they are beyond those of all values."""
    return replace(expression, type=replace(expression.type, low=low, high=high))


def _typed_units(function: str, argument: Expression) -> Expression:
    """The number of units of its last digit that a decimal has."""
    of = argument.type
    if of.kind not in NUMBERS:
        raise Refused(f"UNITS of {article(of.kind)}", rule="it takes numbers", do="use CASE to give each value a number")
    return argument if of.kind == INT else Call(Type(INT, of.low, of.high, nullable=of.nullable), function, (argument,))


def _typed_root(function: str, argument: Expression) -> Expression:
    """⌊√x⌋ of a whole number."""
    of = argument.type
    if of.kind != INT or of.low < 0:
        raise Refused(f"the root of {article(of.kind)}", rule="whole numbers that are not negative", do="bound it with GREATEST(…, 0)")
    return Call(Type(INT, isqrt(of.low), isqrt(of.high), nullable=of.nullable), function, (argument,))


def _typed_correlation(function: str, *arguments: Expression) -> Expression:
    """The correlation of a covariance and two variances, in whole numbers of one unit; NULL where a variance is 0."""
    nullable = can_be_null(*arguments) or any(one.type.low <= 0 for one in arguments[1:])
    one = 10**CORRELATION_DIGITS
    return Call(Type(DECIMAL, -one, one, CORRELATION_DIGITS, nullable=nullable), function, arguments)


MOMENT_BUILDERS: dict[str, Callable[..., Expression]] = {
    "units": _typed_units,
    "root": _typed_root,
    "correlation": _typed_correlation,
}
