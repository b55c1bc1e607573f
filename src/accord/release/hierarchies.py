"""Generalisation hierarchies: how a column is told less and less exactly, level by level [Sweeney02].

A number or a date is told by bands, `[1, 5, 10, "all"]`: five-year ages, ten-year ages, none. A category is told by itself and by the
columns that its domain declares beside it, `["town", "province", "all"]`. Each level can be told from the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise, product

from accord.base.errors import Refused
from accord.plan.catalog import Catalog
from accord.plan.expression import Expression
from accord.plan.literals import recoded
from accord.plan.nodes import Field, Public
from accord.plan.types import CATEGORY, DATE, INT, Type
from accord.plan.typing import EPOCH, call, column, day, integer, null, text

ALL = "all"
Levels = tuple[int | str, ...]
Hierarchies = tuple[tuple[str, Levels], ...]
"""The levels of each column, the most exact first."""


@dataclass(frozen=True)
class Level:
    """A column at one level: `key` is equal in two rows that this level does not tell apart, None where it tells none apart.

    `shown` are the released columns, in a form that all levels of the column share.
    """

    key: Expression | None
    shown: tuple[tuple[str, Expression], ...]


def levels_of(field: Field, names: Levels, catalog: Catalog) -> list[Level]:
    """The levels of a column as a study lists them. Raises Refused for what is no level, or is not told by the one before."""
    if field.type.kind == CATEGORY:
        return _categories(field, names, catalog)
    if field.type.kind in (INT, DATE):
        return _bands(field, names)
    raise Refused(
        f"levels of {field.name}, which is of kind {field.type.kind}",
        rule="categories, integers and dates have levels",
        do="leave it out of the question, or turn it into one of these with CASE",
    )


def vectors(heights: Sequence[int]) -> list[tuple[int, ...]]:
    """Every choice of a level for each column, the one that loses least first: by the sum of relative heights [Samarati01]."""
    every = product(*(range(height) for height in heights))
    return sorted(every, key=lambda one: (sum(Fraction(at, max(height - 1, 1)) for at, height in zip(one, heights, strict=True)), one))


# ---- numbers and dates


def _bands(field: Field, names: Levels) -> list[Level]:
    widths = [one for one in names if one != ALL]
    if any(not isinstance(one, int) or isinstance(one, bool) or one < 1 for one in widths) or ALL in names[:-1]:
        raise _no_level(field, names, f'widths of bands, and "{ALL}" last')
    for finer, coarser in pairwise(widths):
        if int(coarser) <= int(finer) or int(coarser) % int(finer):
            raise _no_level(field, names, f"each width is a multiple of the one before: {coarser} is none of {finer}")
    return [_band(field, int(one)) for one in widths] + ([_every_number(field)] if ALL in names else [])


def _band(field: Field, width: int) -> Level:
    """From the multiple of the width at or below to the last value before the next one."""
    value = column(field)
    if width == 1:
        return Level(value, _ends(field, value, value))
    base = field.type.low // width * width
    bands = call("floor_divide", call("subtract", value, _constant(field, base)), integer(width))
    first = call("add", _constant(field, base), call("multiply", bands, integer(width)))
    return Level(first, _ends(field, first, call("add", first, integer(width - 1))))


def _every_number(field: Field) -> Level:
    return Level(None, _ends(field, _constant(field, field.type.low), _constant(field, field.type.high)))


def _ends(field: Field, first: Expression, last: Expression) -> tuple[tuple[str, Expression], ...]:
    return ((f"{field.name}_from", first), (f"{field.name}_to", last))


def _constant(field: Field, value: int) -> Expression:
    return integer(value) if field.type.kind == INT else replace(day(EPOCH), value=value, type=Type(DATE, value, value))


# ---- categories


def _categories(field: Field, names: Levels, catalog: Catalog) -> list[Level]:
    maps = [dict(_coarser(field, name, names, catalog)) for name in names]
    for at, (finer, coarser) in enumerate(pairwise(maps)):
        told: dict[str, str] = {}
        if any(told.setdefault(finer[value], coarser[value]) != coarser[value] for value in field.type.values):
            raise _no_level(field, names, f"each is told by the one before: {names[at + 1]} is not by {names[at]}")
    values = tuple(dict.fromkeys(one[value] for one in maps for value in field.type.values))
    return [_grouped(field, one, values) for one in maps]


def _coarser(field: Field, name: int | str, names: Levels, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """What each value of a category becomes at a level."""
    if name == ALL:
        return ((value, ALL) for value in field.type.values)
    if name == field.name:
        return ((value, value) for value in field.type.values)
    for public in catalog.publics.values():
        if public.fields[0].type.values == field.type.values and name in {one.name for one in public.fields[1:]}:
            return _beside(public, str(name))
    raise _no_level(field, names, f'"{field.name}" itself, a column that its domain declares beside it, or "{ALL}"; {name!r} is none')


def _beside(public: Public, name: str) -> Iterator[tuple[str, str]]:
    place = [one.name for one in public.fields].index(name)
    values, coarser = public.fields[0].type.values, public.fields[place].type.values
    return ((values[row[0] or 0], coarser[row[place] or 0]) for row in public.rows)


def _grouped(field: Field, coarser: Mapping[str, str], values: tuple[str, ...]) -> Level:
    groups: dict[str, list[str]] = {}
    for value in field.type.values:
        groups.setdefault(coarser[value], []).append(value)
    if len(groups) == 1:
        (only,) = groups
        whole = recoded(text(only), values)
        return Level(None, ((field.name, whole),))
    if all(value == name for value, name in coarser.items()):
        return Level(column(field), ((field.name, recoded(column(field), values)),))
    told = _case(field, groups)
    return Level(told, ((field.name, recoded(told, values)),))


def _case(field: Field, groups: Mapping[str, list[str]]) -> Expression:
    """The name of the group that a value is in; NULL for NULL."""
    parts: list[Expression] = []
    for name, members in groups.items():
        meets = [call("eq", column(field), text(one)) for one in members]
        parts += [call("or", *meets) if len(meets) > 1 else meets[0], text(name)]
    otherwise = null() if field.type.nullable else parts[-1]
    return call("case", *parts[: None if field.type.nullable else -2], otherwise)


def _no_level(field: Field, names: Levels, rule: str) -> Refused:
    return Refused(f"levels of {field.name}: {', '.join(map(str, names))}", rule=rule, do="correct the levels, the most exact first")
