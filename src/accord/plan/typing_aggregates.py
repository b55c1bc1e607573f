"""Builders of aggregates and window functions: what a group's or a frame's rows can amount to."""

from __future__ import annotations

from dataclasses import replace

from accord.base.errors import OurFault, Refused
from accord.plan.expression import AggregateCall, Expression, WindowCall
from accord.plan.literals import CONDITION, NUMBERS, article, in_text_order
from accord.plan.types import BOOL, CATEGORY, DATE, INT, Type


def aggregate(function: str, argument: Expression | None, rows_max: int, keyed: bool = True) -> AggregateCall:
    """The aggregate of at most `rows_max` rows a group, with its inferred type.

    `keyed` says that a group has at least one row, so that only NULL arguments make a NULL result.
    """
    if function == "count":
        return AggregateCall("count", argument, Type(INT, 0, rows_max))
    if argument is None:
        raise OurFault(f"{function} without an argument")
    if function == "count_distinct":
        return AggregateCall(function, argument, Type(INT, 0, rows_max))
    argument = in_text_order(argument) if function in ("min", "max") else argument
    of = argument.type
    _require_kind(function, of)
    nullable = of.nullable or not keyed
    if function == "sum":
        return AggregateCall("sum", argument, _total(of, rows_max, nullable))
    return AggregateCall(function, argument, replace(of, nullable=nullable))


def quantile(argument: Expression, share: tuple[int, int], keyed: bool = True) -> AggregateCall:
    """The least value with at least the share (numerator, denominator) of the values that are not NULL at or below it."""
    numerator, denominator = share
    if not 0 <= numerator <= denominator:
        what = f"a quantile of {numerator}/{denominator}"
        raise Refused(what, rule="the share lies between 0 and 1", do="write it as a decimal, as in QUANTILE_DISC(x, 0.9)")
    argument = in_text_order(argument)
    _require_kind("quantile_disc", argument.type)
    return AggregateCall("quantile_disc", argument, replace(argument.type, nullable=argument.type.nullable or not keyed), share)


def windowed(
    function: str,
    argument: Expression | None,
    rows_max: int,
    frame: tuple[str, int | None, int | None] = ("range", None, 0),
    offset: int = 1,
) -> WindowCall:
    """A window function over partitions of at most `rows_max` rows, with its inferred type."""
    if function in ("row_number", "rank", "dense_rank"):
        return WindowCall(function, None, Type(INT, 1, max(rows_max, 1)))
    if function == "count":
        return WindowCall(function, argument, Type(INT, 0, rows_max), frame)
    if argument is None:
        raise OurFault(f"{function} without an argument")
    of = argument.type
    if function in ("lag", "lead"):
        return WindowCall(function, argument, of.as_nullable(), offset=offset)
    may_be_empty = (frame[1] is not None and frame[1] > 0) or (frame[2] is not None and frame[2] < 0)
    if function in ("first_value", "last_value"):
        return WindowCall(function, argument, of.as_nullable(of.nullable or may_be_empty), frame)
    argument = in_text_order(argument) if function in ("min", "max") else argument
    of = argument.type
    _require_kind(function, of)
    nullable = of.nullable or may_be_empty
    return WindowCall(function, argument, _total(of, rows_max, nullable) if function == "sum" else of.as_nullable(nullable), frame)


def _total(of: Type, rows_max: int, nullable: bool) -> Type:
    return replace(of, low=min(of.low, 0) * rows_max, high=max(of.high, 0) * rows_max, nullable=nullable)


def _require_kind(function: str, of: Type) -> None:
    """Raises Refused for what an aggregate does not take."""
    takes = {"sum": NUMBERS, "bool_and": (BOOL,), "bool_or": (BOOL,)}.get(function, (*NUMBERS, DATE, CATEGORY))
    if of.kind in takes:
        return
    if takes == (BOOL,):
        raise Refused(f"{function.upper()} of {article(of.kind)}", rule=CONDITION, do="compare it with a value")
    by_truth = "COUNT(*) FILTER (WHERE …) counts the rows where it is true" if function == "sum" else "use BOOL_AND or BOOL_OR"
    rule = f"{function.upper()} takes numbers" + ("" if function == "sum" else ", dates and categories")
    nearest = by_truth if of.kind == BOOL else "count its values with COUNT(*) and GROUP BY"
    raise Refused(f"{function.upper()} of {article(of.kind)}", rule=rule, do=nearest)
