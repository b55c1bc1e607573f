"""Joins on secret keys: against twins and DuckDB, whoever matches whom, at declared cost."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z32, Z64
from accord.mpc import join, join_many
from accord.mpc.cost import cost_of
from accord.mpc.ideal_tables import TWINS
from accord.mpc.party import LAN, WAN, Party, Profile
from accord.mpc.permute import apply, gather
from accord.mpc.rows import public_column
from accord.mpc.share import Bits
from accord.mpc.sort import descending_key
from accord.testing.world import Word, World
from tests.mpc.cases import run_at_cost
from tests.mpc.wide import deal_wide, wide_value

BITS = 9
NOBODY = np.uint64(0)


class Side:
    """Rows with a key of 9 bits, validity, a signed number and a word."""

    def __init__(self, key: Any, valid: float = 0.8, seed: int = 1) -> None:
        self.key = np.asarray(key, np.int64)
        self.rows = len(self.key)
        random = np.random.default_rng([self.rows, seed])
        self.valid = random.random(self.rows) < valid
        self.number = random.integers(-(1 << 40), 1 << 40, self.rows)
        self.word = random.integers(0, 1 << 62, self.rows).astype(np.uint64)

    @property
    def keyed(self) -> tuple[Any, Any]:
        return Word(self.key, BITS), self.valid


RANDOM = np.random.default_rng(8)


def distinct(rows: int) -> np.ndarray:
    return RANDOM.permutation(1 << BITS)[:rows]


def some(rows: int, most: int = 1 << BITS) -> np.ndarray:
    return RANDOM.integers(0, most, rows)


UNIQUE = {
    "one and one": (Side([5]), Side([5], 1)),
    "one and none": (Side([5], 1), Side([6], 1)),
    "none and many": (Side([]), Side(some(70))),
    "many and none": (Side(distinct(70)), Side([])),
    "few and many": (Side(distinct(7)), Side(some(130, 20))),
    "whole words": (Side(distinct(64)), Side(some(128))),
    "many and few": (Side(distinct(200)), Side(some(65))),
    "one for all": (Side([7], 1), Side(np.full(65, 7))),
    "no matches": (Side(np.arange(100)), Side(np.arange(100, 200))),
    "all match": (Side(np.arange(100)[::-1], 1), Side(np.arange(100), 1)),
    "none valid": (Side(distinct(60), 0), Side(some(60))),
    "key zero": (Side(np.arange(1, 5), 1), Side(np.zeros(5), 1)),
    "invalid like the last": (Side(np.arange(9), 1), Side(np.full(65, 8))),
    "invalid alike": (Side(np.zeros(65), 0.01), Side(np.zeros(65))),
}
REPEATED = {
    "both": (Side(some(63, 20)), Side(some(65, 20))),
    "one key": (Side(np.zeros(12)), Side(np.zeros(13))),
    "left": (Side(some(100, 9)), Side(np.arange(9))),
}
EVERY = {**UNIQUE, **REPEATED}
KINDS = Z64, Z32, 62


async def joined(me: Party, *columns: Any) -> Any:
    key, valid, number, word, right_key, right_valid = columns
    found = await join.join_pk_fk(me, key, valid, [number, number.cast_down(Z32), word], right_key, right_valid)
    return found.duplicate, found.matched, *found.columns


def secrets(left: Side, right: Side) -> tuple[Any, ...]:
    return *left.keyed, left.number, Word(left.word, 62), *right.keyed


def check_columns(got: Any, left: Side, rows: list[int | None]) -> None:
    """The flag, and the columns of these left rows."""
    matched, number, narrow, word = got
    there = np.array([one is not None for one in rows], bool)
    at = np.array([one or 0 for one in rows], np.intp)
    assert np.array_equal(matched, there)
    for column, source in ((number, Z64.encode(left.number)), (narrow, Z32.encode(left.number)), (word, left.word)):
        assert np.array_equal(column, np.where(there, source[at] if left.rows else NOBODY, NOBODY))


@pytest.mark.parametrize("name", EVERY)
def test_the_left_row_of_each_right_row(name: str) -> None:
    """With repeated keys too: the last of them is taken, and the promise is known to be broken."""
    left, right = EVERY[name]
    declared = cost_of(join.join_pk_fk, left.rows, right.rows, BITS, LAN, *KINDS)
    for pivot in range(3):
        ran = run_at_cost(World(pivot), declared, joined, *secrets(left, right), pivot=pivot)
        duplicate, *rest = ran.value
        check_columns(rest, left, TWINS[join.join_pk_fk](left.key, left.valid, right.key, right.valid))
        assert duplicate.tolist() == [TWINS[join.has_duplicate](left.key, left.valid)]


@pytest.mark.parametrize("name", EVERY)
def test_two_tables_in_one_order(name: str) -> None:
    async def run(me: Party, left_key: Any, right_key: Any, number: Any) -> Any:
        merged = await join.merge(me.step("merge"), left_key, right_key)
        (arranged,) = await apply(me.step("left"), merged.left_by, [number])
        (before,) = await join.last_left(me.step("before"), merged, [arranged])
        rows = public_column(me, np.arange(merged.rows).astype(np.uint64), Z64)
        sums = await join.sums_upto(me.step("sums"), merged.by, [number], merged.right_rows)
        return arranged, before, *await gather(me.step("order"), merged.by, [rows]), *sums

    left, right = EVERY[name]
    declared = cost_of(join.merge, left.rows, right.rows, BITS, LAN).then(cost_of(apply, left.rows, Z64))
    declared = declared.then(cost_of(join.last_left, left.rows, right.rows, Z64)).then(cost_of(gather, left.rows + right.rows, Z64))
    declared = declared.then(cost_of(join.sums_upto, left.rows, right.rows, Z64))
    ran = run_at_cost(World(1), declared, run, Word(left.key, BITS), Word(right.key, BITS), np.arange(1, left.rows + 1))
    arranged, before, order, sums = ran.value
    assert sums.tolist() == TWINS[join.sums_upto](order, [np.arange(1, left.rows + 1)], right.rows)[0].tolist()
    assert order.tolist() == TWINS[join.merge](left.key, right.key)
    assert (arranged - np.uint64(1)).tolist() == [row for row in order.tolist() if row < left.rows]
    assert before.tolist() == [0 if one is None else one + 1 for one in TWINS[join.last_left](left.key, right.key)]


@pytest.mark.parametrize("name", UNIQUE)
def test_the_left_rows_that_match(name: str) -> None:
    async def run(me: Party, *columns: Any) -> Any:
        key, valid, right_key, right_valid = columns
        found = await join.join_pk_fk(me.step("join"), key, valid, [], right_key, right_valid)
        return await join.left_matched(me.step("left"), found)

    left, right = UNIQUE[name]
    declared = cost_of(join.join_pk_fk, left.rows, right.rows, BITS, LAN).then(cost_of(join.left_matched, left.rows, right.rows))
    ran = run_at_cost(World(1), declared, run, *left.keyed, *right.keyed)
    assert np.array_equal(ran.value, TWINS[join.left_matched](left.key, left.valid, right.key, right.valid))


@pytest.mark.parametrize("name", EVERY)
def test_sums_over_the_rows_that_match(name: str) -> None:
    async def run(me: Party, *columns: Any) -> Any:
        key, valid, right_key, right_valid, number = columns
        found = await join.join_pk_fk(me.step("join"), key, valid, [], right_key, right_valid)
        ones = public_column(me, np.ones(number.rows, Z32.dtype), Z32)
        return tuple(await join.sums_by_left(me.step("sums"), found, [ones, number]))

    left, right = EVERY[name]
    declared = cost_of(join.join_pk_fk, left.rows, right.rows, BITS, LAN).then(cost_of(join.sums_by_left, left.rows, right.rows, Z32, Z64))
    ran = run_at_cost(World(1), declared, run, *left.keyed, *right.keyed, right.number, pivot=left.rows % 3)
    partner = TWINS[join.join_pk_fk](left.key, left.valid, right.key, right.valid)
    for got, column in zip(ran.value, (np.ones(right.rows, int), right.number), strict=True):
        assert np.array_equal(got, Z64.encode(TWINS[join.sums_by_left](left.rows, partner, column)))


def test_keys_and_texts_of_several_words() -> None:
    """Keys differ in their highest bits alone; the key itself travels along."""
    left, right = [j << 120 for j in range(50)], [j % 60 << 120 for j in range(90)]

    async def run(me: Party, key: Any, valid: Any, right_key: Any, right_valid: Any) -> Any:
        found = await join.join_pk_fk(me, key, valid, [key], right_key, right_valid)
        return found.columns

    given = deal_wide(World(1), left, 130), np.ones(50, bool), deal_wide(World(2), right, 130), np.ones(90, bool)
    ran = run_at_cost(World(3), cost_of(join.join_pk_fk, 50, 90, 130, LAN, 130), run, *given)
    assert wide_value([columns[0] for columns in ran.held]) == [one if j % 60 < 50 else 0 for j, one in enumerate(right)]


# ---- as of


@pytest.mark.parametrize("forward", [False, True])
def test_the_last_row_before_and_the_first_after(forward: bool) -> None:
    """Against DuckDB's ASOF JOIN."""
    left, right, most = Side(some(90, 6)), Side(some(130, 6)), 63
    times = np.random.default_rng(1).permutation(most + 1)[RANDOM.integers(0, most + 1, 90)], RANDOM.integers(0, most + 1, 130)
    unique = np.unique(np.stack([left.key, times[0]]), axis=1, return_index=True)[1]
    left.valid[np.setdiff1d(np.arange(90), unique)] = False

    async def run(me: Party, *columns: Any) -> Any:
        key, time, valid, number, word, right_key, right_time, right_valid = columns
        if forward:
            time, right_time = descending_key(me, time), descending_key(me, right_time)
        found = await join.join_as_of(me, key, time, valid, [number, number.cast_down(Z32), word], right_key, right_time, right_valid)
        return found.matched, *found.columns

    given = Word(left.key, 3), Word(times[0], 6), left.valid, left.number, Word(left.word, 62)
    declared = cost_of(join.join_as_of, 90, 130, 3, 6, LAN, *KINDS)
    ran = run_at_cost(World(1), declared, run, *given, Word(right.key, 3), Word(times[1], 6), right.valid)
    turned = [most - one if forward else one for one in times]
    twin = TWINS[join.join_as_of](left.key, turned[0], left.valid, right.key, turned[1], right.valid)
    check_columns(ran.value, left, twin)
    tables = [
        ", ".join(f"({j}, {one.key[j]}, {time[j]}, {one.valid[j]})" for j in range(one.rows))
        for one, time in zip((left, right), times, strict=True)
    ]
    source = f"(VALUES {tables[1]}) AS r(j, k, t, v) ASOF LEFT JOIN (SELECT * FROM (VALUES {tables[0]}) AS l(j, k, t, v) WHERE v) l"
    how = "<=" if forward else ">="
    expected = duckdb.sql(f"SELECT l.j FROM {source} ON r.v AND r.k = l.k AND r.t {how} l.t ORDER BY r.j").fetchall()
    assert twin == [one for (one,) in expected]


# ---- many to many

MANY = {
    **{name: (*sides, 150) for name, sides in EVERY.items()},
    "as many as there is room": (Side(np.zeros(10), 1), Side(np.zeros(12), 1), 120),
    "one too many": (Side(np.zeros(11), 1), Side(np.zeros(11), 1), 120),
    "far too many": (Side(np.zeros(64), 1), Side(np.zeros(63), 1), 5),
    "one row": (Side([1, 2]), Side([2, 3]), 1),
    "more room than pairs": (Side(some(40, 30)), Side(some(50, 30)), 1003),
}


async def paired(me: Party, *columns: Any, rows_max: int) -> Any:
    key, valid, number, word, right_key, right_valid, right_number = columns
    found = await join_many.join_many(me, key, valid, [number, word], right_key, right_valid, [right_number], rows_max)
    return found.overflow, found.matched, *found.left, *found.right, found.partners.left, found.partners.right


@pytest.mark.parametrize("name", MANY)
def test_every_pair(name: str) -> None:
    left, right, rows_max = MANY[name]
    declared = cost_of(join_many.join_many, left.rows, right.rows, BITS, LAN, rows_max, (Z64, 62), (Z64,))
    ran = run_at_cost(World(1), declared, paired, *secrets(left, right), right.number, rows_max=rows_max, pivot=rows_max % 3)
    overflow, matched, number, word, right_number, *partners = ran.value
    pairs = TWINS[join_many.join_many](left.key, left.valid, right.key, right.valid)
    for got, counts in zip(partners, TWINS[join_many.count_partners](left.key, left.valid, right.key, right.valid), strict=True):
        assert got.tolist() == counts.tolist()
    assert overflow.tolist() == [len(pairs) > rows_max]
    if len(pairs) > rows_max:
        assert not matched.any()
        return
    rest = rows_max - len(pairs)
    assert matched.tolist() == [1] * len(pairs) + [0] * rest
    assert Z64.decode(number).tolist() == [left.number[i] for i, _ in pairs] + [0] * rest
    assert word.tolist() == [left.word[i] for i, _ in pairs] + [0] * rest
    assert Z64.decode(right_number).tolist() == [right.number[j] for _, j in pairs] + [0] * rest


def test_as_duckdb_joins() -> None:
    """Inner, semi, anti and left joins, with keys that are NULL."""
    left, right = Side(some(80, 40)), Side(some(90, 40))
    ran = World(3).run(paired, *secrets(left, right), right.number, rows_max=400)
    _, matched, number, _, right_number, partners, _ = ran.value
    got = sorted((int(a), int(b)) for a, b in zip(*(Z64.decode(one)[matched == 1] for one in (number, right_number)), strict=True))
    tables = [
        ", ".join(f"({k if v else 'NULL'}, {n})" for k, v, n in zip(one.key, one.valid, one.number, strict=True)) for one in (left, right)
    ]
    source = f"FROM (VALUES {tables[0]}) AS l(k, n) {{}} JOIN (VALUES {tables[1]}) AS r(k, n) ON l.k = r.k"
    assert got == sorted(duckdb.sql(f"SELECT l.n, r.n {source.format('')}").fetchall())
    for how, flag in (("SEMI", partners > 0), ("ANTI", partners == 0)):
        assert sorted(left.number[flag].tolist()) == sorted(one for (one,) in duckdb.sql(f"SELECT l.n {source.format(how)}").fetchall())
    grouped = f"SELECT l.n, count(r.n), coalesce(sum(r.n), 0)::BIGINT {source.format('LEFT')} GROUP BY l.n, l.k ORDER BY l.n"
    sums = [(n, sum(a == n for a, _ in got), sum(b for a, b in got if a == n)) for n in sorted(left.number.tolist())]
    assert sums == duckdb.sql(grouped).fetchall()
    alone = [(n, None) for n in left.number[partners == 0].tolist()]
    expected = duckdb.sql(f"SELECT l.n, r.n {source.format('LEFT')}").fetchall()
    assert sorted(got + alone, key=str) == sorted(expected, key=str)


# ---- blocks, costs, refusals


def test_in_blocks() -> None:
    left, right = Side(some(700, 500)), Side(some(1003, 500))
    profile = Profile(block_rows=64, blocks_in_flight=3)
    ran = World(3, profile).run(joined, *secrets(left, right))
    check_columns(ran.value[1:], left, TWINS[join.join_pk_fk](left.key, left.valid, right.key, right.valid))
    assert ran.cost.bytes == cost_of(join.join_pk_fk, 700, 1003, BITS, profile, *KINDS).bytes
    ran = World(4, profile).run(paired, *secrets(left, right), right.number, rows_max=2003)
    pairs = TWINS[join_many.join_many](left.key, left.valid, right.key, right.valid)
    assert ran.value[0].tolist() == [0]
    assert Z64.decode(ran.value[4])[: len(pairs)].tolist() == [right.number[j] for _, j in pairs]


def test_over_long_links() -> None:
    """In a profile of wider digits and fewer rounds."""
    left, right, rows_max = MANY["both"]
    declared = cost_of(join.join_pk_fk, left.rows, right.rows, BITS, WAN, *KINDS)
    ran = run_at_cost(World(3, WAN), declared, joined, *secrets(left, right))
    check_columns(ran.value[1:], left, TWINS[join.join_pk_fk](left.key, left.valid, right.key, right.valid))
    declared = cost_of(join_many.join_many, left.rows, right.rows, BITS, WAN, rows_max, (Z64, 62), (Z64,))
    ran = run_at_cost(World(4, WAN), declared, paired, *secrets(left, right), right.number, rows_max=rows_max)
    assert ran.value[1].sum() == len(TWINS[join_many.join_many](left.key, left.valid, right.key, right.valid))


def test_a_join_costs_little_more_than_its_sort() -> None:
    """protocols.md has about 1200 bytes a row of both tables and server at 64 bits, with one payload column."""
    rows = 100_000
    price = cost_of(join.join_pk_fk, rows, rows, 64, LAN, Z64, Z64)
    assert price.bytes_per_server / (2 * rows) <= 1200 and price.rounds <= 175 + 15


def test_keys_of_two_widths_are_refused() -> None:
    with pytest.raises(OurFault, match="one width"):
        World().run(joined, Word([1], 3), [True], [1], Word([1], 1), Word([1], 4), [True])


def test_secrets_are_not_shown() -> None:
    async def run(me: Party, key: Bits, valid: Bits) -> Any:
        found = await join.join_pk_fk(me.step("one"), key, valid, [], key, valid)
        many = await join_many.join_many(me.step("many"), key, valid, [], key, valid, [], 9)
        return [repr(one) for one in (found, found.merged, many, many.partners)]

    shown = World(1).run(run, Word(np.arange(4), 3), np.ones(4, bool)).value[0]
    assert shown == ["<4 joined rows>", "<4 and 4 rows in one order>", "<9 pairs>", "<partners of 4 and 4 rows>"]


# ---- the order of a join


@pytest.mark.parametrize("name", EVERY)
def test_rows_in_the_order_of_their_keys(name: str) -> None:
    """Flagged rows first, both kinds as a stable sort by the key leaves them; rows that are not valid have the last keys."""
    left, right = EVERY[name]

    async def run(me: Party, *columns: Any) -> Any:
        key, valid, right_key, right_valid, number = columns
        found = await join.join_pk_fk(me.step("join"), key, valid, [], right_key, right_valid)
        return found.matched, *await join.in_key_order(me.step("order"), found.merged, found.matched, [number, found.matched])

    joined = cost_of(join.join_pk_fk, left.rows, right.rows, BITS, LAN)
    declared = joined.then(cost_of(join.in_key_order, left.rows, right.rows, Z64, 1))
    ran = run_at_cost(World(1), declared, run, *left.keyed, *right.keyed, right.number, pivot=left.rows % 3)
    matched, number, moved = ran.value
    keys = [(not there, int(key)) for key, there in zip(right.key, right.valid, strict=True)]
    places = TWINS[join.in_key_order](keys, matched)
    assert number.tolist() == Z64.encode(right.number[places]).tolist()
    assert moved.tolist() == sorted(matched.tolist(), reverse=True)
