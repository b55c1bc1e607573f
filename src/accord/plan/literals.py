"""Constants, and what builders ask of an argument."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from accord.plan.evaluate import recoding
from accord.plan.expression import Call, Expression, Literal
from accord.plan.types import BOOL, CATEGORY, DATE, DECIMAL, INT, Type

EPOCH = date(1970, 1, 1)
NUMBERS = (INT, DECIMAL)
CONDITION = "a condition is true, false or NULL"


def integer(value: int) -> Literal:
    return Literal(Type(INT, value, value), value)


def decimal(digits: int, scale: int) -> Literal:
    """The constant digits · 10^-scale."""
    return Literal(Type(DECIMAL, digits, digits, scale), digits)


def boolean(value: bool) -> Literal:
    return Literal(Type(BOOL, int(value), int(value)), int(value))


def text(value: str) -> Literal:
    """A string constant: a category of its own until it meets another."""
    return Literal(Type(CATEGORY, 0, 0, 0, (value,)), 0)


def day(value: date) -> Literal:
    days = (value - EPOCH).days
    return Literal(Type(DATE, days, days), days)


def null(like: Type | None = None) -> Literal:
    """NULL, of a type that it may take from its neighbours."""
    return Literal(replace(like, nullable=True) if like else Type(INT, 0, 0, nullable=True), None)


def article(kind: str) -> str:
    """A kind in a sentence: `an int`, `a category`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def is_null(argument: Expression) -> bool:
    """Whether it is the constant NULL."""
    return isinstance(argument, Literal) and argument.value is None


def is_text(argument: Expression) -> bool:
    """Whether it is a string constant that has met no other."""
    return isinstance(argument, Literal) and argument.type.kind == CATEGORY and argument.value is not None


def text_of(literal: Expression) -> str:
    """The characters of a text constant."""
    assert isinstance(literal, Literal) and literal.value is not None
    return literal.value if isinstance(literal.value, str) else literal.type.values[literal.value]


def width(characters: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(characters.encode())


def can_be_null(*arguments: Expression) -> bool:
    return any(one.type.nullable for one in arguments)


def recoded(argument: Expression, values: tuple[str, ...]) -> Expression:
    """The category argument with the domain `values`, which has all of its own."""
    before = argument.type
    if before.values == values:
        return argument
    after = replace(before, low=0, high=len(values) - 1, values=values)
    if isinstance(argument, Literal):
        return Literal(after, recoding(before, after)[int(argument.value or 0)])
    return Call(after, "cast", (argument,))


def in_text_order(argument: Expression) -> Expression:
    """A category recoded so that its codes stand in the order of their texts; anything else as it is."""
    if argument.type.kind != CATEGORY:
        return argument
    return recoded(argument, tuple(sorted(argument.type.values, key=str.encode)))
