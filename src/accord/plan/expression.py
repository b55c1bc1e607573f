"""Expressions over a row: columns, literals, calls. Typed when made; named as in SQL."""

from __future__ import annotations

from dataclasses import dataclass

from accord.base.errors import OurFault
from accord.plan.types import Type

FUNCTIONS = (
    "add", "subtract", "multiply", "negate", "abs",
    "divide", "floor_divide", "round",
    "eq", "ne", "lt", "le", "gt", "ge",
    "and", "or", "not", "is_null",
    "case", "coalesce", "least", "greatest", "cast", "list",
    "units", "root", "correlation",
    "like", "substring", "upper", "lower", "trim", "length", "concat", "starts_with", "contains",
    "year", "quarter", "month", "day", "add_months",
)  # fmt: skip
"""`divide` is SQL's `/` with a decimal result of stated scale, rounded half away from zero; `floor_divide` is DuckDB's `//` of
non-negative integers; `round(x, digits)`; `case` takes condition, value, …, otherwise; `list` holds the values of a row
that `largest` looks at; `units`, `root` and `correlation` are what STDDEV and CORR are made of. AND, OR and NOT are three-valued.
Functions of TEXT and the parts of a date are LOCAL_FUNCTIONS: only the owner's engine evaluates them."""
LOCAL_FUNCTIONS = frozenset(FUNCTIONS[FUNCTIONS.index("like") :])


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
    """A public constant: its integer form on shares (see Type), the characters of a TEXT, or None for NULL."""

    value: int | str | None


@dataclass(frozen=True)
class Call(Expression):
    """A function of FUNCTIONS, or `quantile` of plan/bands.py, which only a recipient's machine computes."""

    function: str
    arguments: tuple[Expression, ...]


AGGREGATES = ("sum", "count", "min", "max", "count_distinct", "quantile_disc", "bool_and", "bool_or", "largest")
"""`largest` is asked for by rules alone (plan/largest.py).
AVG, VAR, COVAR, STDDEV, CORR and interpolated quantiles are computed from these, row by row, after the group-by."""
WINDOWS = ("row_number", "rank", "dense_rank", "lag", "lead", "first_value", "last_value", "sum", "count", "min", "max")


@dataclass(frozen=True)
class AggregateCall:
    """One of AGGREGATES over a group's rows; COUNT(*) has no argument. `type` is the result's. AVG is a quotient of two.

    `quantile`: of quantile_disc, as a fraction (numerator, denominator): the least value with at least that share of all at or below it.
    `rank`: of largest, 1 for the largest value itself.
    """

    function: str
    argument: Expression | None
    type: Type
    quantile: tuple[int, int] | None = None
    rank: int = 0

    def __post_init__(self) -> None:
        if self.function not in AGGREGATES:
            raise OurFault(f"an aggregate {self.function}", rule=f"one of {', '.join(AGGREGATES)}")


@dataclass(frozen=True)
class WindowCall:
    """One of WINDOWS over a row's partition. `type` is the result's.

    `frame` is (unit, start, end) of sum, count, min, max, first_value and last_value: unit "rows" or "range"; start and end are offsets
    from the row (−1: one before), None for unbounded; of "range" only 0 and None (peers count as the row). `offset` is that of lag and
    lead, rows; what lies outside the partition is NULL (a default is a COALESCE above where the argument is never NULL).
    """

    function: str
    argument: Expression | None
    type: Type
    frame: tuple[str, int | None, int | None] = ("range", None, 0)
    offset: int = 1

    def __post_init__(self) -> None:
        if self.function not in WINDOWS:
            raise OurFault(f"a window function {self.function}", rule=f"one of {', '.join(WINDOWS)}")


def columns_of(expression: Expression) -> frozenset[str]:
    """The names of the columns that an expression reads."""
    if isinstance(expression, ColumnRef):
        return frozenset({expression.name})
    if isinstance(expression, Call):
        return frozenset().union(*(columns_of(argument) for argument in expression.arguments))
    return frozenset()
