"""Dates: constants, parts, and a date moved by an interval or subtracted from another."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from accord.base.errors import Refused
from accord.plan.expression import Expression
from accord.plan.types import DATE, Type
from accord.plan.typing import call, cast, day, integer

if TYPE_CHECKING:
    from accord.frame.expressions import Expressions, Translation

DAYS = {"DAY": 1, "DAYS": 1, "WEEK": 7, "WEEKS": 7}
MONTHS = {"MONTH": 1, "MONTHS": 1, "QUARTER": 3, "QUARTERS": 3, "YEAR": 12, "YEARS": 12}
PARTS = ("year", "quarter", "month", "day")


def is_interval(node: exp.Expr) -> bool:
    """Whether an operand is a constant INTERVAL."""
    return isinstance(node.unnest(), exp.Interval)


def moved(into: Expressions, start: exp.Expr, interval: exp.Expr, sign: int) -> Expression:
    """A date some days, weeks, months or years later (sign 1) or earlier (−1)."""
    node = interval.unnest()
    number = node.this.unnest() if isinstance(node, exp.Interval) and node.this else None
    unit = str(node.args.get("unit") or "").upper()
    negative = isinstance(number, exp.Neg)
    digits = number.this.name if isinstance(number, exp.Neg) else number.name if isinstance(number, exp.Literal) else ""
    if not digits.lstrip("-").isdigit() or unit not in DAYS | MONTHS:
        rule = "a whole number of days, weeks, months, quarters or years"
        raise Refused("this INTERVAL is not supported", rule=rule, do="write it as INTERVAL 3 MONTH")
    count = sign * int(digits) * (-1 if negative else 1)
    before = into.translate(start)
    if unit in DAYS:
        return call("add", before, integer(count * DAYS[unit]))
    return call("add_months", before, integer(count * MONTHS[unit]))


def _extract(into: Expressions, node: exp.Extract) -> Expression:
    return _part(node.name.lower(), into.translate(node.expression))


def _part(part: str, of: Expression) -> Expression:
    if part not in PARTS:
        raise Refused(
            f"{part.upper()} of a date is not supported", rule=", ".join(one.upper() for one in PARTS), do="subtract two dates for days"
        )
    return call(part, of)


def _single(part: str) -> Translation:
    return lambda into, node: call(part, into.translate(node.this))


def _date(into: Expressions, node: exp.Expr) -> Expression:
    if not (isinstance(node.this, exp.Literal) and node.this.is_string):
        raise Refused("DATE of something else than a constant", do="write it as DATE '2024-12-31'")
    return cast(into.translate(node.this), Type(DATE))


def _of_parts(_: Expressions, node: exp.DateFromParts) -> Expression:
    """MAKE_DATE(2024, 12, 31)."""
    parts = [node.args[name] for name in ("year", "month", "day")]
    try:
        return day(date(*(int(one.this) for one in parts)))
    except (TypeError, ValueError):
        raise Refused("MAKE_DATE of something else than a date's constants", do="write it as DATE '2024-12-31'") from None


def _difference(into: Expressions, node: exp.DateDiff) -> Expression:
    """DATE_DIFF('day', first, last)."""
    if (node.args.get("unit") or exp.Var(this="DAY")).name.upper() != "DAY":
        raise Refused("DATE_DIFF in something else than days", rule="DATE_DIFF('day', first, last)", do="subtract YEAR(…) and MONTH(…)")
    return call("subtract", into.translate(node.this), into.translate(node.expression))


def _first_day(into: Expressions, node: exp.TimestampTrunc | exp.DateTrunc) -> Expression:
    """DATE_TRUNC('month', day)."""
    if node.args["unit"].name.upper() != "MONTH":
        do = "group by YEAR(day) and QUARTER(day), or DATE_TRUNC('month', day)"
        raise Refused("DATE_TRUNC to something else than a month is not supported", do=do)
    of = into.translate(node.this)
    return call("subtract", of, call("subtract", call("day", of), integer(1)))


DATES: dict[type[Any], Translation] = {
    exp.Date: _date,
    exp.TsOrDsToDate: _date,
    exp.DateFromParts: _of_parts,
    exp.Extract: _extract,
    exp.Year: _single("year"),
    exp.Quarter: _single("quarter"),
    exp.Month: _single("month"),
    exp.Day: _single("day"),
    exp.DayOfMonth: _single("day"),
    exp.DateAdd: lambda into, node: moved(into, node.this, node.expression, 1),
    exp.DateSub: lambda into, node: moved(into, node.this, node.expression, -1),
    exp.DateDiff: _difference,
    exp.TimestampTrunc: _first_day,
    exp.DateTrunc: _first_day,
}
