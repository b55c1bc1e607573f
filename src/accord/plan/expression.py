"""Expressions over a row: columns, literals, calls. Typed when made; named as in SQL."""

from __future__ import annotations

from dataclasses import dataclass

from accord.plan.types import Type

FUNCTIONS = (
    "add", "subtract", "multiply", "negate", "abs",
    "divide", "floor_divide", "round",
    "eq", "ne", "lt", "le", "gt", "ge",
    "and", "or", "not", "is_null",
    "case", "coalesce", "least", "greatest", "cast",
)  # fmt: skip
"""`divide` is SQL's `/` with a decimal result of stated scale, rounded half away from zero; `floor_divide` is DuckDB's `//` of
non-negative integers; `round(x, digits)`; `case` takes condition, value, …, otherwise. AND, OR and NOT are three-valued."""


@dataclass(frozen=True)
class Expression:
    """One node; `type` says what it can be."""

    type: Type


@dataclass(frozen=True)
class ColumnRef(Expression):
    """A column of the input table."""

    name: str


@dataclass(frozen=True)
class Literal(Expression):
    """A public constant: its integer form on shares (see Type), or None for NULL."""

    value: int | None


@dataclass(frozen=True)
class Call(Expression):
    """A function of FUNCTIONS."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class AggregateCall:
    """sum, count, min or max over a group's rows; COUNT(*) has no argument. `type` is the result's. AVG is a quotient of two."""

    function: str
    argument: Expression | None
    type: Type


def columns_of(expression: Expression) -> frozenset[str]:
    """The names of the columns that an expression reads."""
    if isinstance(expression, ColumnRef):
        return frozenset({expression.name})
    if isinstance(expression, Call):
        return frozenset().union(*(columns_of(argument) for argument in expression.arguments))
    return frozenset()
