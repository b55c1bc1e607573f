"""Inferred types of text and date functions: every value that the plain meaning gives lies in them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.plan.evaluate import Plain, evaluate
from accord.plan.expression import ColumnRef, Expression
from accord.plan.types import CATEGORY, DATE, TEXT, Type
from accord.plan.typing import EPOCH, boolean, call, day, integer, null, same_form, text

LETTERS = st.text("aZ ßıﬁé%_😀", max_size=6)


def values_of(expression: Expression, column: Plain) -> list:
    result = evaluate(expression, {"x": column}, len(column.values))
    return [value for value, missing in zip(result.values.tolist(), result.nulls.tolist(), strict=True) if not missing]


def texts(rows: list[str]) -> tuple[ColumnRef, Plain]:
    most = max([len(one.encode()) for one in rows] + [1])
    return ColumnRef(Type(TEXT, 0, 0, bytes_max=most), "x"), Plain(np.array([*rows, ""], object)[:-1], np.zeros(len(rows), np.bool_))


@given(st.lists(LETTERS, min_size=1, max_size=4), st.integers(-3, 4), st.integers(-2, 3))
def test_made_texts_keep_to_their_bytes(rows: list[str], start: int, length: int) -> None:
    x, column = texts(rows)
    made = [call(name, x) for name in ("upper", "lower", "trim")]
    made += [call("substring", x, integer(start)), call("substring", x, integer(start), integer(length)), call("concat", x, text("é"), x)]
    for one in made:
        assert max(len(value.encode()) for value in values_of(one, column)) <= one.type.bytes_max, one
    lengths = call("length", x)
    assert all(lengths.type.low <= value <= lengths.type.high for value in values_of(lengths, column))


@given(st.lists(LETTERS, min_size=1, max_size=4, unique=True), st.integers(-3, 4))
def test_a_text_made_of_a_category_is_one_of_known_values(values: list[str], start: int) -> None:
    x = ColumnRef(Type(CATEGORY, 0, len(values) - 1, 0, tuple(values)), "x")
    column = Plain(np.arange(len(values)), np.zeros(len(values), np.bool_))
    of_text = texts(values)
    for name, more in (("upper", ()), ("lower", ()), ("trim", ()), ("substring", (integer(start),)), ("concat", (text("!"),))):
        made = call(name, x, *more)
        assert [made.type.values[code] for code in values_of(made, column)] == values_of(call(name, of_text[0], *more), of_text[1])


@given(st.dates(date(1, 2, 1), date(9990, 1, 1)), st.integers(0, 800), st.integers(-3, 15), st.data())
def test_parts_of_dates_keep_to_their_range(first: date, days: int, months: int, data: st.DataObject) -> None:
    low = (first - EPOCH).days
    x = ColumnRef(Type(DATE, low, low + days), "x")
    rows = [low, low + days, *data.draw(st.lists(st.integers(low, low + days), max_size=5))]
    column = Plain(np.array(rows, np.int64), np.zeros(len(rows), np.bool_))
    try:
        later = [call("add_months", x, integer(months))]
    except Refused:
        later = []
    for one in (*(call(part, x) for part in ("year", "quarter", "month", "day")), *later):
        found = values_of(one, column)
        assert one.type.low <= min(found) and max(found) <= one.type.high


def test_constants_are_computed_at_once() -> None:
    assert call("add_months", day(date(1996, 1, 31)), integer(1)) == day(date(1996, 2, 29))
    assert call("year", day(date(1996, 1, 31))) == integer(1996)
    assert call("upper", text("ab")) == text("AB")
    assert call("like", text("ab"), text("a%")) == boolean(True)
    assert call("substring", null(), integer(1)).value is None


def test_a_constant_meets_a_text_as_its_characters() -> None:
    x, _ = texts(["ab"])
    left, right = same_form(x, text("ß"))
    assert left is x and right.value == "ß" and right.type.kind == TEXT and right.type.bytes_max == 2


@pytest.mark.parametrize(
    ("function", "arguments", "sentence"),
    [
        ("year", (integer(3),), "YEAR of an int"),
        ("like", (text("a"), ColumnRef(Type(TEXT, 0, 0), "x")), "LIKE with something else than a constant"),
        ("upper", (integer(3),), "UPPER of an int"),
        ("add_months", (day(date(9999, 12, 1)), integer(1)), "a date could leave the years 1 to 9999"),
    ],
)
def test_refusals(function: str, arguments: tuple[Expression, ...], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        call(function, *arguments)
