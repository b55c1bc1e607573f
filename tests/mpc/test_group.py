"""Groups by a secret key: against twins and DuckDB, whatever keys repeat and rows are valid, at declared cost."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import duckdb
import numpy as np
import pytest

from accord.base.ring import Z32, Z64, Ring
from accord.mpc import group
from accord.mpc.cost import Cost, cost_of
from accord.mpc.group_largest import group_largest
from accord.mpc.ideal_tables import TWINS, Arranged
from accord.mpc.party import LAN, WAN, Party, Profile
from accord.mpc.permute import apply, gather
from accord.mpc.sort import null_key, signed_key
from accord.testing.world import Dealt, Word, World
from tests.mpc.cases import run_at_cost
from tests.mpc.wide import deal_wide, wide_words

ROWS = (0, 1, 2, 63, 64, 65, 200)
BITS = 7
HALF, THIRD = Fraction(1, 2), Fraction(1, 3)


def keys(kind: str, rows: int) -> np.ndarray:
    random = np.random.default_rng(rows)
    if kind == "distinct":
        return random.permutation(max(rows, 128))[:rows] % 128
    return {"repeated": random.integers(0, 9, rows), "alike": np.full(rows, 77), "zero": np.zeros(rows, int)}[kind]


class Table:
    """Rows with a key of 7 bits, validity, a signed value that may be NULL and is 0 then."""

    def __init__(self, rows: int, kind: str = "repeated", valid: float = 0.8, known: float = 0.7) -> None:
        random = np.random.default_rng([rows, 5])
        self.rows, self.key = rows, keys(kind, rows).astype(np.uint64)
        self.valid = random.random(rows) < valid
        self.known = self.valid & (random.random(rows) < known)
        self.value = np.where(self.known, random.integers(-9, 9, rows), 0)
        self.columns = (Word(self.key, BITS), self.valid, Word(self.value + 64, BITS), self.known, self.value)

    def arranged(self) -> Arranged:
        """Rows of a group by their values, NULLs last."""
        return TWINS[group.arrange](
            self.key, valid=self.valid, within=[(not known, v) for known, v in zip(self.known, self.value, strict=True)]
        )


TABLES = [Table(rows) for rows in ROWS]
TABLES += [Table(100, kind) for kind in ("distinct", "alike", "zero")]
TABLES += [Table(65, valid=0), Table(65, known=0), Table(65, valid=1, known=1)]
EVERY = pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.rows}-{TABLES.index(table)}")
ARRANGED = BITS, BITS + 1, True, LAN, Z64, 1


async def arranged(me: Party, key: Any, valid: Any, word: Any, known: Any, value: Any) -> Any:
    """In the order of keys and values: value and flag of what is known travel along."""
    return await group.arrange(me.step("arrange"), key, [value, known], valid=valid, within=null_key(me, known, word))


def first_rows(columns: Any, twin: Arranged) -> list[np.ndarray]:
    """What stands in the rows of groups; the first column is their flag."""
    present, *rest = columns
    count = len(twin.groups)
    assert present.tolist() == [1] * count + [0] * (len(present) - count)
    return [one[:count] for one in rest]


def as_listed(known: np.ndarray, *values: np.ndarray) -> list[Any]:
    rows = [tuple(int(one) for one in row) for row in zip(*(Z64.decode(one) for one in values), strict=True)]
    return [(row[0] if len(row) == 1 else row) if is_known else None for is_known, row in zip(known, rows, strict=True)]


# ---- the order


@EVERY
def test_rows_in_order_and_the_ends_of_groups(table: Table) -> None:
    async def run(me: Party, *columns: Any) -> Any:
        found = await arranged(me, *columns)
        return found.first, found.last, *found.columns

    for pivot in range(3):
        ran = run_at_cost(World(table.rows), cost_of(group.arrange, table.rows, *ARRANGED), run, *table.columns, pivot=pivot)
        twin = table.arranged()
        assert ran.value[0].tolist() == twin.first.tolist() and ran.value[1].tolist() == twin.last.tolist()
        assert Z64.decode(ran.value[2]).tolist() == table.value[twin.order].tolist()


@pytest.mark.parametrize("rows", ROWS)
def test_without_invalid_rows(rows: int) -> None:
    async def run(me: Party, key: Any, number: Any) -> Any:
        found = await group.arrange(me, key, [number])
        more = await gather(me.step("more"), found.by, [number])
        back = await apply(me.step("back"), found.by, found.columns)
        return found.first, found.last, *found.columns, *more, *back

    key, number = keys("repeated", rows), np.arange(rows)
    ran = World(1).run(run, Word(key, BITS), number)
    twin = TWINS[group.arrange](key)
    assert ran.value[0].tolist() == twin.first.tolist() and ran.value[1].tolist() == twin.last.tolist()
    assert ran.value[2].tolist() == twin.order == ran.value[3].tolist()
    assert ran.value[4].tolist() == list(range(rows)), "a row of a group goes back where it was"


@pytest.mark.parametrize("rows", ROWS)
def test_counts_alone(rows: int) -> None:
    async def run(me: Party, key: Any) -> Any:
        return await group.group_counts(me.step("counts"), await group.arrange(me.step("arrange"), key))

    key = keys("repeated", rows)
    declared = cost_of(group.arrange, rows, BITS, 0, False, LAN).then(cost_of(group.group_counts, rows))
    ran, twin = run_at_cost(World(1), declared, run, Word(key, BITS)), TWINS[group.arrange](key)
    (counts,) = first_rows(ran.value, twin)
    assert counts.tolist() == TWINS[group.group_counts](twin).tolist()


def test_keys_wider_than_a_word() -> None:
    async def run(me: Party, key: Any) -> Any:
        found = await group.arrange(me, key)
        return found.first, found.last

    key = wide_words(130, 200)
    ran = run_at_cost(World(4), cost_of(group.arrange, 130, 200, 0, False, LAN), run, deal_wide(World(5), key, 200))
    twin = TWINS[group.arrange](key)
    assert ran.value[0].tolist() == twin.first.tolist() and ran.value[1].tolist() == twin.last.tolist()


# ---- over groups


@EVERY
def test_counts_sums_and_keys(table: Table) -> None:
    async def run(me: Party, *columns: Any) -> Any:
        found = await arranged(me, *columns)
        key, number = await gather(me.step("more"), found.by, [columns[0], columns[4].cast_down(Z32)])
        groups = await group.aggregate(me.step("aggregate"), found, [found.columns[0], number], [key])
        return groups.present, groups.counts, *groups.sums, *groups.lasts

    declared = cost_of(group.arrange, table.rows, *ARRANGED).then(cost_of(gather, table.rows, BITS, Z32))
    declared = declared.then(cost_of(group.aggregate, table.rows, Z64, Z32, BITS))
    ran, twin = run_at_cost(World(2), declared, run, *table.columns, pivot=table.rows % 3), table.arranged()
    counts, sums, narrow, key = first_rows(ran.value, twin)
    assert counts.tolist() == TWINS[group.group_counts](twin).tolist()
    expected = TWINS[group.aggregate](twin, table.value)
    assert np.array_equal(sums, Z64.encode(expected)) and np.array_equal(narrow, Z32.encode(expected))
    assert key.tolist() == [table.key[rows[0]] for rows in twin.groups]


@EVERY
def test_values_of_groups_in_their_rows(table: Table) -> None:
    async def run(me: Party, *columns: Any) -> Any:
        found = await arranged(me, *columns)
        groups = await group.aggregate(me.step("aggregate"), found, [found.columns[0]], [found.columns[1]])
        return tuple(await group.to_rows(me.step("rows"), groups, [groups.counts, *groups.sums, groups.lasts[0]]))

    ring = group.count_ring(table.rows)
    declared = cost_of(group.arrange, table.rows, *ARRANGED).then(cost_of(group.aggregate, table.rows, Z64, 1))
    ran = run_at_cost(World(2), declared.then(cost_of(group.to_rows, table.rows, ring, Z64, 1)), run, *table.columns)
    twin = table.arranged()
    last = np.array([table.known[rows[-1]] for rows in twin.groups], bool)
    for got, values in zip(ran.value, (TWINS[group.group_counts](twin), TWINS[group.aggregate](twin, table.value), last), strict=True):
        expected = TWINS[group.to_rows](twin, values)
        assert got.tolist() == (Z64.encode(expected) if got is ran.value[1] else expected).tolist()


@EVERY
def test_the_least_and_the_greatest(table: Table) -> None:
    async def run(me: Party, *columns: Any) -> Any:
        found = await arranged(me, *columns)
        least, most = await group.group_extremes(me.step("extremes"), found, [found.columns[0]], counted=found.columns[1])
        return (least.present, least.known, *least.columns), (most.present, most.known, *most.columns)

    declared = cost_of(group.arrange, table.rows, *ARRANGED).then(cost_of(group.group_extremes, table.rows, True, Z64))
    ran, twin = run_at_cost(World(2), declared, run, *table.columns, pivot=1), table.arranged()
    (known, least), (also, most) = (first_rows(one, twin) for one in ran.value)
    assert np.array_equal(known, also)
    assert as_listed(known, least, most) == TWINS[group.group_extremes](twin, table.value, counted=table.known)


@EVERY
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_the_largest(table: Table, ranks: int) -> None:
    async def run(me: Party, *columns: Any) -> Any:
        found = await arranged(me, *columns)
        value, known = found.columns
        chosen = await group_largest(me.step("largest"), found, value, ranks, counted=known)
        return chosen.present, *chosen.columns

    declared = cost_of(group.arrange, table.rows, *ARRANGED).then(cost_of(group_largest, table.rows, ranks, True, Z64))
    ran, twin = run_at_cost(World(2), declared, run, *table.columns, pivot=1), table.arranged()
    rows = [[int(Z64.decode(one[at : at + 1])[0]) for one in first_rows(ran.value, twin)] for at in range(len(twin.groups))]
    assert rows == TWINS[group_largest](twin, table.value, ranks, counted=table.known)


@pytest.mark.parametrize("rows", ROWS)
def test_the_largest_where_all_count(rows: int) -> None:
    key, value = np.arange(rows) // 3, np.random.default_rng(7).integers(0, 100, rows)

    async def run(me: Party, key: Any, word: Any, value: Any) -> Any:
        found = await group.arrange(me.step("arrange"), key, [value], within=word)
        chosen = await group_largest(me.step("largest"), found, found.columns[0], 5)
        return chosen.present, *chosen.columns

    declared = cost_of(group.arrange, rows, 7, 7, False, LAN, Z64).then(cost_of(group_largest, rows, 5, False, Z64))
    ran = run_at_cost(World(2), declared, run, Word(key, 7), Word(value, 7), value)
    twin = TWINS[group.arrange](key, within=value)
    found = first_rows(ran.value, twin)
    assert [[int(one[at]) for one in found] for at in range(len(twin.groups))] == TWINS[group_largest](twin, value, 5)


@EVERY
def test_medians_and_quantiles(table: Table) -> None:
    async def run(me: Party, *columns: Any) -> Any:
        found = await arranged(me, *columns)
        value, known = found.columns
        median = await group.group_median(me.step("median"), found, value, counted=known)
        line = await group.group_quantile(me.step("line"), found, value, THIRD, counted=known)
        row = await group.group_quantile_discrete(me.step("row"), found, [value], THIRD, counted=known)
        return tuple((one.present, one.known, *one.columns) for one in (median, line, row))

    rows, declared = table.rows, cost_of(group.arrange, table.rows, *ARRANGED)
    declared = declared.then(cost_of(group.group_median, rows, True, Z64)).then(cost_of(group.group_quantile, rows, THIRD, True, Z64))
    declared = declared.then(cost_of(group.group_quantile_discrete, rows, THIRD, True, Z64))
    ran, twin = run_at_cost(World(2), declared, run, *table.columns, pivot=2), table.arranged()
    median, line, row = (as_listed(*first_rows(one, twin)) for one in ran.value)
    assert median == TWINS[group.group_median](twin, table.value, counted=table.known)
    assert line == TWINS[group.group_quantile](twin, table.value, THIRD, counted=table.known)
    assert row == TWINS[group.group_quantile_discrete](twin, table.value, THIRD, counted=table.known)


@pytest.mark.parametrize("q", [Fraction(0), Fraction(1), Fraction(1, 4), Fraction(99, 100), Fraction(9, 10)])
def test_any_quantile_of_rows_that_all_count(q: Fraction) -> None:
    rows, ring = 150, Ring(20)
    key, value = np.arange(rows) // 40, np.random.default_rng(3).integers(0, 100, rows)

    async def run(me: Party, key: Any, word: Any, value: Any) -> Any:
        found = await group.arrange(me.step("arrange"), key, [value.cast_down(ring)], within=word)
        line = await group.group_quantile(me.step("line"), found, found.columns[0], q)
        row = await group.group_quantile_discrete(me.step("row"), found, found.columns, q)
        return (line.present, *line.columns), (row.present, *row.columns)

    declared = cost_of(group.arrange, rows, 2, 7, False, LAN, ring).then(cost_of(group.group_quantile, rows, q, False, ring))
    declared = declared.then(cost_of(group.group_quantile_discrete, rows, q, False, ring))
    ran = run_at_cost(World(2), declared, run, Word(key, 2), Word(value, 7), value)
    twin = TWINS[group.arrange](key, within=value)
    (line,), (row,) = (first_rows(one, twin) for one in ran.value)
    assert line.tolist() == TWINS[group.group_quantile](twin, value, q)
    assert row.tolist() == TWINS[group.group_quantile_discrete](twin, value, q)
    for number, rows_of in enumerate(twin.groups):
        assert line[number] / q.denominator == pytest.approx(np.quantile(value[rows_of], float(q)))
        assert row[number] == np.quantile(value[rows_of], float(q), method="inverted_cdf")


# ---- another engine


def test_as_duckdb_groups() -> None:
    """NULL keys group together, NULL values are not counted; medians and quantiles both ways."""
    rows = 400
    random = np.random.default_rng(12)
    named, known = random.random(rows) < 0.9, random.random(rows) < 0.6
    key, value = np.where(named, random.integers(0, 30, rows), 0), np.where(known, random.integers(-50, 50, rows), 0)

    async def run(me: Party, named: Any, key: Any, known: Any, word: Any, value: Any) -> Any:
        by = null_key(me, named, key)
        found = await group.arrange(me.step("arrange"), by, [value, known, named, key], within=null_key(me, known, signed_key(me, word)))
        value, known, named, key = found.columns
        groups = await group.aggregate(me.step("sums"), found, [value], [named, key])
        least, most = await group.group_extremes(me.step("extremes"), found, [value], counted=known)
        median = await group.group_median(me.step("median"), found, value, counted=known)
        row = await group.group_quantile_discrete(me.step("row"), found, [value], Fraction(1, 4), counted=known)
        chosen = (*least.columns, *most.columns, *median.columns, *row.columns)
        return groups.present, *groups.lasts, groups.counts, *groups.sums, least.known, *chosen

    secrets = named, Word(key, 5), known, Word(value & 127, 7), value
    present, name, number, count, total, *rest = World(3).run(run, *secrets).value
    table = [
        (
            int(number[g]) if name[g] else None,
            int(count[g]),
            *as_listed(rest[0][g : g + 1], *(one[g : g + 1] for one in (total, *rest[1:]))),
        )
        for g in np.flatnonzero(present)
    ]
    rows_of = ", ".join(f"({key[j] if named[j] else 'NULL'}, {value[j] if known[j] else 'NULL'})" for j in range(rows))
    asked = "key, count(*), sum(v)::BIGINT, min(v), max(v), (2 * median(v))::BIGINT, quantile_disc(v, 0.25)"
    expected = duckdb.sql(f"SELECT {asked} FROM (VALUES {rows_of}) AS t(key, v) GROUP BY key ORDER BY key NULLS LAST").fetchall()
    assert table == [(key, count, None if total is None else (total, *others)) for key, count, total, *others in expected]


# ---- blocks and costs


def test_in_blocks() -> None:
    table, profile = Table(1003), Profile(block_rows=64, blocks_in_flight=3)

    async def run(me: Party, *columns: Any) -> Any:
        found = await arranged(me, *columns)
        median = await group.group_median(me.step("median"), found, found.columns[0], counted=found.columns[1])
        return median.present, median.known, *median.columns

    ran, twin = World(3, profile).run(run, *table.columns), table.arranged()
    assert as_listed(*first_rows(ran.value, twin)) == TWINS[group.group_median](twin, table.value, counted=table.known)
    declared = cost_of(group.arrange, 1003, BITS, BITS + 1, True, profile, Z64, 1).then(cost_of(group.group_median, 1003, True, Z64))
    assert ran.cost.bytes == declared.bytes


def test_over_long_links() -> None:
    table = Table(130)

    async def run(me: Party, *columns: Any) -> Any:
        found = await arranged(me, *columns)
        median = await group.group_median(me.step("median"), found, found.columns[0], counted=found.columns[1])
        return median.present, median.known, *median.columns

    declared = cost_of(group.arrange, 130, BITS, BITS + 1, True, WAN, Z64, 1).then(cost_of(group.group_median, 130, True, Z64))
    ran, twin = run_at_cost(World(3, WAN), declared, run, *table.columns), table.arranged()
    assert as_listed(*first_rows(ran.value, twin)) == TWINS[group.group_median](twin, table.value, counted=table.known)


def test_a_group_by_costs_little_more_than_its_sort() -> None:
    """protocols.md: equality 7.9 bytes at 64 bits, 24 and a shuffle a column for the rest, beside the sort with key and value."""
    rows = 1_000_000
    price = cost_of(group.arrange, rows, 32, 0, False, LAN, Z64).then(cost_of(group.aggregate, rows, Z64, 32))
    assert price.bytes_per_server / rows <= (514 + 10.67 + 5.33) + (3.9 + 24 + 10.67 + 5.33)
    assert price.rounds <= 76 + 12


def test_rounds_depend_on_rows_by_their_logarithm_alone() -> None:
    for rows in (100, 10_000, 1_000_000):
        assert cost_of(group.aggregate, rows, Z64) == Cost(5, cost_of(group.aggregate, rows, Z64).bytes)


def test_secrets_are_not_shown() -> None:
    async def run(me: Party, key: Any) -> Any:
        found = await group.arrange(me, key)
        groups = await group.aggregate(me.step("groups"), found)
        return [repr(found), repr(groups)]

    shown = World(1).run(run, Dealt(World(2).deal_bits(np.arange(4), 2).at)).value[0]
    assert shown == ["<4 arranged rows>", "<groups of 4 rows>"]
