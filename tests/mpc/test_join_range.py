"""Points in ranges: against twins and DuckDB, up to the bound, at it and past it, at declared cost."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pytest

from accord.base.ring import Z64, Ring
from accord.mpc import join_range
from accord.mpc.cost import cost_of
from accord.mpc.ideal_tables import TWINS
from accord.mpc.party import LAN, Party, Profile
from accord.testing.world import Word, World
from tests.mpc.cases import run_at_cost

KEY_BITS, TIME_BITS = 2, 5
RANDOM = np.random.default_rng(6)


class Case:
    """Points and ranges of random times, some ranges ending before they start."""

    def __init__(self, points: int, ranges: int, rows_max: int, keys: int = 3, valid: float = 0.8, length: int = 9) -> None:
        self.points, self.ranges, self.rows_max = points, ranges, rows_max
        self.key, self.range_key = RANDOM.integers(0, keys, points), RANDOM.integers(0, keys, ranges)
        self.time, self.start = RANDOM.integers(0, 32, points), RANDOM.integers(0, 32, ranges)
        self.end = np.clip(self.start + RANDOM.integers(-2, length, ranges), 0, 31)
        self.valid, self.range_valid = RANDOM.random(points) < valid, RANDOM.random(ranges) < valid
        self.number, self.range_number = np.arange(1, points + 1), np.arange(1, ranges + 1) - 1000

    @property
    def secrets(self) -> tuple[Any, ...]:
        point = Word(self.key, KEY_BITS), Word(self.time, TIME_BITS), self.valid
        return *point, Word(self.range_key, KEY_BITS), Word(self.start, TIME_BITS), Word(self.end, TIME_BITS), self.range_valid

    @property
    def plain(self) -> tuple[Any, ...]:
        return self.key, self.time, self.valid, list(zip(self.range_key, self.start, self.end, self.range_valid, strict=True))


CASES = {
    "some": Case(60, 40, 300),
    "whole words": Case(64, 64, 512),
    "no points": Case(0, 5, 3),
    "no ranges": Case(5, 0, 3),
    "one and one": Case(1, 1, 1, keys=1, valid=1, length=32),
    "one key": Case(20, 10, 200, keys=1, valid=1),
    "none valid": Case(20, 10, 30, valid=0),
    "few ranges": Case(130, 2, 130),
    "turned around": Case(40, 20, 300, keys=1),
    "too many": Case(40, 40, 20, keys=1, valid=1),
    "as many as there is room": Case(7, 9, 63, keys=1, valid=1, length=1),
}
CASES["turned around"].start[::2], CASES["turned around"].end[::2] = 31, 0
CASES["as many as there is room"].start[:], CASES["as many as there is room"].end[:] = 0, 31


SIDES = [(True, True), (True, False), (False, True), (False, False)]


async def joined(me: Party, *columns: Any, rows_max: int, closed: tuple[bool, bool] = (True, True)) -> Any:
    key, time, valid, range_key, start, end, range_valid, number, range_number = columns
    found = await join_range.join_between(
        me, key, time, valid, [number, valid], range_key, start, end, range_valid, [range_number], rows_max, closed
    )
    return found.overflow, found.matched, found.counts, *found.points, *found.ranges


@pytest.mark.parametrize("name", CASES)
def test_every_point_in_every_range(name: str) -> None:
    case = CASES[name]
    declared = cost_of(join_range.join_between, case.points, case.ranges, KEY_BITS + TIME_BITS, LAN, case.rows_max, (Z64, 1), (Z64,))
    given = *case.secrets, case.number, case.range_number
    ran = run_at_cost(World(1), declared, joined, *given, rows_max=case.rows_max, pivot=case.ranges % 3)
    overflow, matched, counts, number, there, range_number = ran.value
    pairs = TWINS[join_range.join_between](*case.plain)
    assert counts.tolist() == TWINS[join_range.count_between](*case.plain)
    assert overflow.tolist() == [len(pairs) > case.rows_max]
    if len(pairs) > case.rows_max:
        assert not matched.any()
        return
    rest = [0] * (case.rows_max - len(pairs))
    assert matched.tolist() == there.tolist() == [1] * len(pairs) + rest
    assert sorted(zip(number.tolist(), Z64.decode(range_number).tolist(), strict=True)) == sorted(
        [*((int(case.number[i]), int(case.range_number[j])) for i, j in pairs), *((one, one) for one in rest)]
    )
    assert Z64.decode(range_number).tolist() == [case.range_number[j] for _, j in pairs] + rest, "range by range"
    times = [case.time[one - 1] for one in number[: len(pairs)]]
    assert times == [case.time[i] for i, _ in pairs], "in the order of the times"


@pytest.mark.parametrize("closed", SIDES, ids=lambda one: "[("[not one[0]] + "])"[not one[1]])
@pytest.mark.parametrize("name", ["some", "turned around", "one key", "no ranges"])
def test_sides_that_are_no_part_of_a_range(name: str, closed: tuple[bool, bool]) -> None:
    """Times of few values, so that many lie on a side."""
    case = CASES[name]
    ran = World(1).run(joined, *case.secrets, case.number, case.range_number, rows_max=case.rows_max, closed=closed)
    pairs = TWINS[join_range.join_between](*case.plain, closed)
    assert 0 < len(pairs) <= case.rows_max or name == "no ranges"
    assert ran.value[2].tolist() == TWINS[join_range.count_between](*case.plain, closed)
    got = zip(ran.value[3].tolist(), Z64.decode(ran.value[5]).tolist(), strict=True)
    assert sorted(list(got)[: len(pairs)]) == sorted((int(case.number[i]), int(case.range_number[j])) for i, j in pairs)


@pytest.mark.parametrize("closed", SIDES, ids=lambda one: "[("[not one[0]] + "])"[not one[1]])
@pytest.mark.parametrize("name", CASES)
def test_the_ranges_of_each_point(name: str, closed: tuple[bool, bool]) -> None:
    case = CASES[name]

    async def run(me: Party, *columns: Any) -> Any:
        return await join_range.count_ranges(me, *columns, closed)

    declared = cost_of(join_range.count_ranges, case.points, case.ranges, KEY_BITS + TIME_BITS, LAN)
    ran = run_at_cost(World(1), declared, run, *case.secrets, pivot=case.points % 3)
    assert ran.value.tolist() == TWINS[join_range.count_ranges](*case.plain, closed)


@pytest.mark.parametrize("name", ["some", "no points"])
def test_ranges_alone(name: str) -> None:
    """Without columns of points nothing is fetched."""
    case = CASES[name]

    async def run(me: Party, *columns: Any) -> Any:
        key, time, valid, range_key, start, end, range_valid = columns
        found = await join_range.join_between(me, key, time, valid, [], range_key, start, end, range_valid, [], case.rows_max)
        return found.matched

    declared = cost_of(join_range.join_between, case.points, case.ranges, KEY_BITS + TIME_BITS, LAN, case.rows_max, (), ())
    ran = run_at_cost(World(1), declared, run, *case.secrets)
    assert ran.value.sum() == len(TWINS[join_range.join_between](*case.plain))


def test_as_duckdb_joins() -> None:
    case = CASES["some"]
    value = World(2).run(joined, *case.secrets, case.number, case.range_number, rows_max=case.rows_max).value
    got = sorted(zip(*(Z64.decode(one)[value[1] == 1].tolist() for one in (value[3], value[5])), strict=True))
    points = ", ".join(f"({n}, {k}, {t}, {v})" for n, k, t, v in zip(case.number, case.key, case.time, case.valid, strict=True))
    rows = zip(case.range_number, *(case.range_key, case.start, case.end, case.range_valid), strict=True)
    ranges = ", ".join(f"({n}, {k}, {s}, {e}, {v})" for n, k, s, e, v in rows)
    asked = "SELECT p.n, r.n FROM p JOIN r ON p.k = r.k AND p.v AND r.v AND p.t BETWEEN r.s AND r.e ORDER BY p.n, r.n"
    assert got == duckdb.sql(f"WITH p(n, k, t, v) AS (VALUES {points}), r(n, k, s, e, v) AS (VALUES {ranges}) {asked}").fetchall()


@pytest.mark.parametrize("rows", [1, 2, 64, 100])
def test_rows_by_their_place(rows: int) -> None:
    place, x = RANDOM.integers(0, rows, 130), RANDOM.integers(-9, 9, rows)

    async def run(me: Party, place: Any, x: Any) -> Any:
        return tuple(await join_range.fetch(me, place.cast_down(Ring(20)), [x, x.cast_down(Ring(7))]))

    ran = run_at_cost(World(1), cost_of(join_range.fetch, rows, 130, LAN, Z64, Ring(7)), run, place, x)
    for got, expected, ring in zip(ran.value, TWINS[join_range.fetch](place, [x, x]), (Z64, Ring(7)), strict=True):
        assert np.array_equal(got, ring.encode(expected))


def test_in_blocks() -> None:
    case, profile = Case(700, 300, 3000), Profile(block_rows=64, blocks_in_flight=3)
    ran = World(3, profile).run(joined, *case.secrets, case.number, case.range_number, rows_max=case.rows_max)
    pairs = TWINS[join_range.join_between](*case.plain)
    if len(pairs) <= case.rows_max:
        assert Z64.decode(ran.value[5])[: len(pairs)].tolist() == [case.range_number[j] for _, j in pairs]
    assert ran.value[0].tolist() == [len(pairs) > case.rows_max]
    declared = cost_of(join_range.join_between, 700, 300, KEY_BITS + TIME_BITS, profile, case.rows_max, (Z64, 1), (Z64,))
    assert ran.cost.bytes == declared.bytes


def test_secrets_are_not_shown() -> None:
    async def run(me: Party, *columns: Any) -> Any:
        key, time, valid, range_key, start, end, range_valid = columns
        found = await join_range.join_between(me.step("join"), key, time, valid, [], range_key, start, end, range_valid, [], 5)
        return [repr(found), repr(await join_range.count_between(me.step("count"), *columns))]

    assert World(1).run(run, *CASES["one and one"].secrets).value[0] == ["<5 points in ranges>", "<1 points and 1 ranges>"]
