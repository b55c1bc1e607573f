"""LOCAL_FUNCTIONS on plain columns: functions of texts and the parts of a date, with DuckDB's meaning to the letter.

A text is a Python `str` in an array of objects. Python's own case mapping, trimming and slicing differ from DuckDB's in corners; what is
written here is DuckDB's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

SPACES = " \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
"""What TRIM takes away: the separators that Unicode calls spaces, and no tab or line end."""


def _rowwise(compute: Callable[..., Any], dtype: Any = object) -> Callable[..., NDArray[Any]]:
    """A function of one row's values, for whole columns."""

    def rows(*columns: NDArray[Any]) -> NDArray[Any]:
        made = np.empty(len(columns[0]), dtype)
        for row, cells in enumerate(zip(*(one.tolist() for one in columns), strict=True)):
            made[row] = compute(*cells)
        return made

    return rows


@lru_cache(maxsize=256)
def _pattern(like: str, escape: str) -> re.Pattern[str]:
    parts, letters = [], iter(like)
    for letter in letters:
        if escape and letter == escape:
            parts.append(re.escape(next(letters, "")))
        else:
            parts.append({"%": ".*", "_": "."}.get(letter) or re.escape(letter))
    return re.compile("".join(parts), re.DOTALL)


def is_like(text: str, like: str, escape: str = "") -> bool:
    """Whether a text has the form of a LIKE pattern; no character escapes unless one is named."""
    return _pattern(like, escape).fullmatch(text) is not None


def substring(text: str, start: int, length: int | None = None) -> str:
    """Characters from the `start`-th (1 is the first; −1 the last), `length` of them, or those before where it is negative."""
    first = len(text) + start if start < 0 else start - 1
    last = len(text) if length is None else first + length
    if last < first:
        first, last = last, first
    return text[max(first, 0) : max(last, 0)]


def upper(text: str) -> str:
    """Letter by letter: one letter stays one."""
    return "".join("ẞ" if one == "ß" else one.upper() if len(one.upper()) == 1 else one for one in text)


def lower(text: str) -> str:
    return "".join(one.lower()[0] for one in text)


def _months(days: Integers) -> Integers:
    """Months since January 1970."""
    months: Integers = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months


def _first_day(months: Integers) -> Integers:
    days: Integers = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return days


def _add_months(days: Integers, months: Integers) -> Integers:
    """The same day of a later month, or its last day where it has no such day."""
    before = _months(days)
    after = before + months
    place = days - _first_day(before)
    return np.minimum(_first_day(after) + place, _first_day(after + 1) - 1)


TEXT_MEANINGS: dict[str, Callable[..., NDArray[Any]]] = {
    "like": _rowwise(is_like, np.bool_),
    "substring": _rowwise(substring),
    "upper": _rowwise(upper),
    "lower": _rowwise(lower),
    "trim": _rowwise(lambda text, letters=SPACES: text.strip(letters) if letters else text),
    "length": _rowwise(len, np.int64),
    "concat": _rowwise(lambda *parts: "".join(parts)),
    "starts_with": _rowwise(str.startswith, np.bool_),
    "contains": _rowwise(lambda text, part: part in text, np.bool_),
    "year": lambda days: _months(days) // 12 + 1970,
    "quarter": lambda days: _months(days) % 12 // 3 + 1,
    "month": lambda days: _months(days) % 12 + 1,
    "day": lambda days: days - _first_day(_months(days)) + 1,
    "add_months": _add_months,
}
"""Function name to what it makes of its arguments' columns (texts as objects, others as integers); all are NULL where an argument is."""
