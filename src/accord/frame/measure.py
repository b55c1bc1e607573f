"""What an aggregate of SQL is made of: aggregates of the plan, and an expression over their columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accord.base.errors import Refused
from accord.plan.expression import Expression
from accord.plan.typing import NUMBERS, article


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


def countable(argument: Expression) -> Expression | None:
    """What COUNT counts: nothing but rows where the argument is never NULL."""
    return argument if argument.type.nullable else None


def require_numbers(word: str, *arguments: Expression) -> None:
    """Raises Refused for arguments that are no numbers."""
    for one in arguments:
        if one.type.kind not in NUMBERS:
            do = "average a CASE that gives each value a number"
            raise Refused(f"{word} of {article(one.type.kind)}", rule=f"{word} takes numbers", do=do)
