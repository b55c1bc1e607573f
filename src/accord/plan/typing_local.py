"""Builders of LOCAL_FUNCTIONS: functions of texts, and the parts of a date. What they can be is known before any owner computes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from math import prod

from accord.base.errors import Refused
from accord.plan.evaluate_text import SPACES, lower, substring, upper
from accord.plan.expression import Call, Expression, Literal
from accord.plan.literals import EPOCH, article, can_be_null, is_null, is_text, null, text_of, width
from accord.plan.types import BOOL, CATEGORY, DATE, INT, TEXT, Type

CHARACTERS_MAX = (1 << 31) - 1
"""LENGTH of a text of which no bound is known."""
BYTES_A_CHARACTER_MAX = 4
"""In UTF-8."""
DERIVED_VALUES_MAX = 1_000
"""A text made of categories is a category itself up to so many combinations of values, else a text."""
TEXTS = (CATEGORY, TEXT)


def _require_texts(function: str, *arguments: Expression) -> None:
    for one in arguments:
        if one.type.kind not in TEXTS and not is_null(one):
            what = f"{function.upper()} of {article(one.type.kind)}"
            raise Refused(what, rule=f"{function.upper()} takes texts", do="compare the number or date itself")


def _constant(function: str, argument: Expression, example: str) -> str:
    if not is_text(argument):
        raise Refused(f"{function.upper()} with something else than a constant", do=f"write it in quotes, as in {example}")
    return text_of(argument)


def _number(function: str, argument: Expression) -> int:
    if not isinstance(argument, Literal) or argument.type.kind != INT or argument.value is None:
        raise Refused(f"{function.upper()} with a number that is no constant", do="write the number, as in SUBSTRING(x, 1, 2)")
    return int(argument.value)


def _derived(function: str, arguments: Sequence[Expression], made: Callable[..., str], bytes_max: int) -> Expression:
    """A text made of others: of categories and constants a category, else a text of at most `bytes_max` bytes."""
    if any(is_null(one) for one in arguments):
        return null(Type(TEXT, 0, 0))
    nullable = can_be_null(*arguments)
    texts = [one.type.values for one in arguments if one.type.kind == CATEGORY]
    if all(one.type.kind != TEXT for one in arguments) and prod(map(len, texts)) <= DERIVED_VALUES_MAX:
        rows = product(*(one.type.values if one.type.kind == CATEGORY else (_plain(one),) for one in arguments))
        values = tuple(dict.fromkeys(made(*row) for row in rows))
        return Call(Type(CATEGORY, 0, len(values) - 1, 0, values, nullable), function, tuple(arguments))
    return Call(Type(TEXT, 0, 0, nullable=nullable, bytes_max=bytes_max), function, tuple(arguments))


def _plain(argument: Expression) -> int:
    assert isinstance(argument, Literal)
    return int(argument.value or 0)


def _bytes(argument: Expression) -> int:
    """At most so many bytes; 0 where no bound is known."""
    return max(map(width, argument.type.values)) if argument.type.kind == CATEGORY else argument.type.bytes_max


def _cased(function: str, argument: Expression) -> Expression:
    """One letter becomes one letter, of at most half as many bytes again."""
    _require_texts(function, argument)
    return _derived(function, (argument,), {"upper": upper, "lower": lower}[function], (3 * _bytes(argument) + 1) // 2)


def _trim(function: str, argument: Expression, *letters: Expression) -> Expression:
    _require_texts(function, argument, *letters)
    for one in letters:
        _constant(function, one, "TRIM(x)")
    return _derived(function, (argument, *letters), lambda text, of=SPACES: text.strip(of) if of else text, _bytes(argument))


def _substring(function: str, argument: Expression, *places: Expression) -> Expression:
    _require_texts(function, argument)
    numbers = [_number(function, one) for one in places]
    most = _bytes(argument)
    if len(numbers) > 1:
        asked = max(BYTES_A_CHARACTER_MAX * abs(numbers[1]), 1)
        most = min(most or asked, asked)
    return _derived(function, (argument, *places), lambda text, *_: substring(text, *numbers), most)


def _concat(function: str, *arguments: Expression) -> Expression:
    _require_texts(function, *arguments)
    sizes = [_bytes(one) for one in arguments]
    known = all(one.type.kind == CATEGORY or one.type.bytes_max for one in arguments)
    return _derived(function, arguments, lambda *parts: "".join(parts), max(sum(sizes), 1) if known else 0)


def _length(function: str, argument: Expression) -> Expression:
    _require_texts(function, argument)
    lengths = list(map(len, argument.type.values)) or [0, argument.type.bytes_max or CHARACTERS_MAX]
    return Call(Type(INT, min(lengths), max(lengths), nullable=argument.type.nullable), function, (argument,))


def _like(function: str, argument: Expression, pattern: Expression, *escape: Expression) -> Expression:
    """LIKE, STARTS_WITH and CONTAINS: a text and a constant."""
    _require_texts(function, argument, pattern)
    if is_null(argument) or is_null(pattern):
        return null(Type(BOOL))
    _constant(function, pattern, "x LIKE 'a%'" if function == "like" else f"{function.upper()}(x, 'a')")
    if escape and len(_constant(function, escape[0], r"x LIKE '\%%' ESCAPE '\'")) > 1:
        raise Refused("ESCAPE with more than one character", do=r"write one, as in x LIKE '\%%' ESCAPE '\'")
    return Call(Type(BOOL, nullable=argument.type.nullable), function, (argument, pattern, *escape))


_PARTS: dict[str, Callable[[date], int]] = {
    "year": lambda one: one.year,
    "quarter": lambda one: (one.month + 2) // 3,
    "month": lambda one: one.month,
    "day": lambda one: one.day,
}


def _part(function: str, argument: Expression) -> Expression:
    """A part of a date; of dates within one year, its months alone."""
    of = argument.type
    if is_null(argument):
        return null()
    if of.kind != DATE:
        what = f"{function.upper()} of {article(of.kind)}"
        raise Refused(what, rule=f"{function.upper()} takes a date", do="declare the column as a date, or write DATE '2024-12-31'")
    first, last = EPOCH + timedelta(days=of.low), EPOCH + timedelta(days=of.high)
    whole = {"year": (first.year, last.year), "quarter": (1, 4), "month": (1, 12), "day": (1, 31)}[function]
    above = {"quarter": "year", "month": "year", "day": "month"}.get(function)
    together = above and first.year == last.year and (above == "year" or first.month == last.month)
    low, high = (_PARTS[function](first), _PARTS[function](last)) if together else whole
    return Call(Type(INT, low, high, nullable=of.nullable), function, (argument,))


def _add_months(function: str, argument: Expression, months: Expression) -> Expression:
    number = _number("an INTERVAL", months)
    if argument.type.kind != DATE:
        what = f"an INTERVAL of months on {article(argument.type.kind)}"
        raise Refused(what, rule="months are added to dates", do="declare the column as a date")
    low, high = (_shifted(EPOCH + timedelta(days=end), number) for end in (argument.type.low, argument.type.high))
    return Call(replace(argument.type, low=low, high=high), function, (argument, months))


def _shifted(start: date, months: int) -> int:
    """Days since 1970 of the same day of a later month, or of its last day."""
    place = start.year * 12 + start.month - 1 + months
    if not 12 <= place < 10_000 * 12:
        raise Refused("a date could leave the years 1 to 9999", do="narrow the declared bounds")
    for last in (start.day, 30, 29, 28):
        try:
            return (date(place // 12, place % 12 + 1, min(start.day, last)) - EPOCH).days
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")


BUILDERS: dict[str, Callable[..., Expression]] = {
    "like": _like,
    "starts_with": _like,
    "contains": _like,
    "substring": _substring,
    "upper": _cased,
    "lower": _cased,
    "trim": _trim,
    "length": _length,
    "concat": _concat,
    "year": _part,
    "quarter": _part,
    "month": _part,
    "day": _part,
    "add_months": _add_months,
}
