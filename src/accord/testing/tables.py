"""Random small worlds to ask questions of: what several owners declare, and rows with NULLs, ties, extremes, skew and none at all.

Chance comes from the caller (a `random.Random` of a printed seed), so that a world can be made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from accord.data.schema import ColumnSchema, TableSchema
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.interpret import Table
from accord.plan.nodes import Field, Public
from accord.plan.types import TEXT, Type

T = TypeVar("T")

OWNERS = ("anna", "bert", "cleo")
REGIONS, KINDS = ("west", "north", "east"), ("y", "x")
WORDS = ("", "a", "ab", "b%", "Ba", "ä", "zz")
EMPTY, ONE, SOME = 0, 1, 2


class Chance(Protocol):
    """What of a `random.Random` is used."""

    def random(self) -> float: ...

    def randint(self, low: int, high: int, /) -> int: ...

    def choice(self, of: Sequence[T], /) -> T: ...

    def sample(self, of: Sequence[T], /, k: int) -> list[T]: ...


@dataclass(frozen=True)
class RandomWorld:
    """A catalog and the rows of each table's owners."""

    catalog: Catalog
    held: Mapping[str, Mapping[str, Table]]

    @property
    def owners(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(owner for info in self.catalog.tables.values() for owner in info.owners))

    def other_rows(self, chance: Chance) -> RandomWorld:
        """The same declarations with other data."""
        return replace(self, held={name: random_rows(info, chance) for name, info in self.catalog.tables.items()})

    def with_rows(self, table: str, owner: str, rows: Table) -> RandomWorld:
        """The same world with other rows of one owner."""
        return replace(self, held={**self.held, table: {**self.held[table], owner: rows}})


def random_world(chance: Chance, rows_max: int = 5) -> RandomWorld:
    """Three owners' tables of about `rows_max` rows each: people of two owners, jobs and visits of one each, shops of all three."""
    keys = chance.choice(((0, 5), (0, 5), (-40_000, 40_000)))
    people = _people(chance, keys)
    tables = {
        "people": TableInfo(people, OWNERS[:2], (rows_max, rows_max), unique_across_owners=bool(people.unique) and chance.random() < 0.5),
        "jobs": TableInfo(_jobs(chance, keys), OWNERS[1:2], (chance.choice((3, 8, 12)),)),
        "visits": TableInfo(_visits(chance, keys), OWNERS[2:], (chance.choice((4, 8, 13)),)),
        "shops": TableInfo(_shops(), OWNERS, (3, 3, 3), "shop", OWNERS),
    }
    catalog = Catalog(tables, {"areas": _areas(chance)})
    return RandomWorld(catalog, {name: random_rows(info, chance) for name, info in tables.items()})


def _nullable(chance: Chance) -> bool:
    return chance.random() < 0.5


def _people(chance: Chance, keys: tuple[int, int]) -> TableSchema:
    columns = (
        ColumnSchema("person", "int", *keys),
        ColumnSchema("region", "category", values=REGIONS, nullable=_nullable(chance)),
        ColumnSchema("born", "date", 10_950, 10_950 + chance.choice((2, 400))),
        ColumnSchema("income", "int", -20, 90, nullable=_nullable(chance)),
        ColumnSchema("name", "text", bytes_max=4, nullable=_nullable(chance)),
        ColumnSchema("badge", "text key", nullable=_nullable(chance)),
    )
    return TableSchema("people", columns, chance.choice((("person",), ("person",), ())))


def _jobs(chance: Chance, keys: tuple[int, int]) -> TableSchema:
    columns = (
        ColumnSchema("person", "int", *keys, nullable=_nullable(chance)),
        ColumnSchema("kind", "category", values=KINDS, nullable=_nullable(chance)),
        ColumnSchema("pay", "decimal", -250, 99_999, precision=9, scale=2, nullable=_nullable(chance)),
        ColumnSchema("full", "bool", nullable=_nullable(chance)),
        ColumnSchema("since", "date", 10_955, 10_960, nullable=_nullable(chance)),
    )
    return TableSchema("jobs", columns)


def _visits(chance: Chance, keys: tuple[int, int]) -> TableSchema:
    columns = (
        ColumnSchema("visit", "int", 1, 60),
        ColumnSchema("person", "int", *keys),
        ColumnSchema("day", "date", 10_955, 10_960),
        ColumnSchema("cost", "int", *chance.choice(((0, 9), (-(1 << 31), 1 << 31))), nullable=_nullable(chance)),
        ColumnSchema("code", "text", bytes_max=4, nullable=_nullable(chance)),
        ColumnSchema("badge", "text key", nullable=_nullable(chance)),
    )
    return TableSchema("visits", columns, ("visit",))


def _shops() -> TableSchema:
    columns = (
        ColumnSchema("shop", "category", values=OWNERS),
        ColumnSchema("region", "category", values=REGIONS),
        ColumnSchema("size", "int", 0, 3),
    )
    return TableSchema("shops", columns)


def _areas(chance: Chance) -> Public:
    columns = (ColumnSchema("region", "category", values=REGIONS), ColumnSchema("rank", "int", 1, 3, nullable=True))
    rows = tuple((code, chance.choice((None, 1, 2, 3))) for code, _ in enumerate(REGIONS))
    return Public("areas", tuple(Field(one.name, Type.of(one), True) for one in columns), rows)


# ---- rows


def random_rows(info: TableInfo, chance: Chance) -> dict[str, Table]:
    """Each owner's rows; unique keys differ over all owners."""
    names = tuple(one.name for one in info.schema.columns)
    taken: set[Any] = set()
    held = {}
    for place, owner in enumerate(info.owners):
        count = (0, 1, info.rows_max[place])[chance.choice((EMPTY, ONE, *[SOME] * 8))]
        rows = [_row(info, place, chance) for _ in range(count)]
        kept = [row for row in rows if _is_new(tuple(row[names.index(one)] for one in info.schema.unique), taken)]
        held[owner] = Table.of(names, kept)
    return held


def _is_new(key: tuple[Any, ...], taken: set[Any]) -> bool:
    if key and key in taken:
        return False
    taken.add(key)
    return True


def _row(info: TableInfo, place: int, chance: Chance) -> tuple[Any, ...]:
    return tuple(place if one.name == info.owner_column else _value(one, chance) for one in info.schema.columns)


def _value(column: ColumnSchema, chance: Chance) -> int | str | None:
    """NULL often, an end of the range or one value over and over, else anything."""
    if column.nullable and chance.random() < 0.3:
        return None
    type = Type.of(column)
    if type.kind == TEXT:
        return chance.choice([word for word in WORDS if len(word.encode()) <= (type.bytes_max or 16)])
    common = min(max(type.low, 1), type.high)
    drawn = chance.randint(type.low, type.high) if column.name != "person" else chance.randint(0, min(5, type.high))
    return chance.choice((type.low if column.name != "person" else 0, type.high, common, common, drawn, drawn))
