"""Comparisons in ON that put a point of one table into a range of the other: found among the conditions of a join."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from accord.frame.as_of import FLIPPED, TIMES
from accord.frame.expressions import Expressions
from accord.plan.expression import Expression, columns_of
from accord.plan.literals import NUMBERS
from accord.plan.types import DATE
from accord.plan.typing import call, unified

Names = frozenset[str]
Conditions = list[tuple[exp.Expr, Expression]]
"""As they are written, and what they mean over both tables."""


@dataclass(frozen=True)
class Ranged:
    """A point and its range in one form; `is_left`: the point is the left table's. `rest`: the conditions that this leaves."""

    point: Expression
    start: Expression
    end: Expression
    is_left: bool
    closed: tuple[bool, bool]
    rest: Conditions


@dataclass(frozen=True)
class _Limit:
    """One side of a range: how a point compares with it. `at`: the number of the condition that says so."""

    at: int
    function: str
    point: Expression
    limit: Expression


def ranged(conditions: Conditions, both: Expressions, names: tuple[Names, Names]) -> Ranged | None:
    """The first range whose point is one table's and whose sides are the other's: numbers, or dates."""
    limits = [one for at, (node, _) in enumerate(conditions) for one in _limits(at, node, both)]
    for is_left in (True, False):
        mine, others = names if is_left else names[::-1]
        fit = [one for limit in limits if (one := _turned(limit, mine, others))]
        for low in fit:
            for high in fit:
                if low.function in ("ge", "gt") and high.function in ("le", "lt") and low.point == high.point:
                    forms = unified("BETWEEN", (low.point, low.limit, high.limit), comparing=True)
                    closed = low.function == "ge", high.function == "le"
                    return Ranged(forms[0], forms[1], forms[2], is_left, closed, _rest(conditions, limits, (low, high)))
    return None


def _limits(at: int, node: exp.Expr, both: Expressions) -> Iterator[_Limit]:
    """What a condition compares: a BETWEEN is two."""
    if type(node) in TIMES:
        yield _Limit(at, TIMES[type(node)], both.translate(node.this), both.translate(node.expression))
    elif isinstance(node, exp.Between) and not node.args.get("symmetric"):
        point = both.translate(node.this)
        yield _Limit(at, "ge", point, both.translate(node.args["low"]))
        yield _Limit(at, "le", point, both.translate(node.args["high"]))


def _turned(limit: _Limit, mine: Names, others: Names) -> _Limit | None:
    """The limit with its point on one side; None where it is not between the sides, or of what is no time."""
    for one in (limit, _Limit(limit.at, FLIPPED[limit.function], limit.limit, limit.point)):
        read = columns_of(one.point), columns_of(one.limit)
        kinds = {one.point.type.kind, one.limit.type.kind}
        if all(read) and read[0] <= mine and read[1] <= others and (kinds <= set(NUMBERS) or kinds == {DATE}):
            return one
    return None


def _rest(conditions: Conditions, limits: Sequence[_Limit], used: tuple[_Limit, _Limit]) -> Conditions:
    """The conditions that are not the range: of a BETWEEN perhaps one side."""
    rest: Conditions = []
    for at, (node, condition) in enumerate(conditions):
        mine = [one for one in limits if one.at == at]
        left = [one for one in mine if not any(_is_same(one, other) for other in used)]
        if len(left) == len(mine):
            rest.append((node, condition))
        else:
            rest += [(node, call(one.function, one.point, one.limit)) for one in left]
    return rest


def _is_same(one: _Limit, other: _Limit) -> bool:
    """Whether they are the same, perhaps turned round."""
    turned = _Limit(one.at, FLIPPED[one.function], one.limit, one.point)
    return other in (one, turned)
