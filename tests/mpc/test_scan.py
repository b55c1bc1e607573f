"""Running sums, differences, partition, compaction, fill-down, sums of groups: against their twins at declared cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z32, Z64, Ring
from accord.mpc import scan
from accord.mpc.cost import FREE, Cost, cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import Party, Profile
from accord.testing.world import Dealt, World
from tests.mpc.cases import PIVOTS, ROWS, flags, numbers, run_at_cost, words


def dealt(x: np.ndarray, ring: Ring = Z64) -> Dealt:
    return World(7).deal(x, ring)


def dealt_bits(x: np.ndarray, width: int) -> Dealt:
    return World(8).deal_bits(x, width)


def equal(got: Any, expected: Any, ring: Ring = Z64) -> bool:
    return all(
        np.array_equal(one, column if column.dtype == np.uint64 else ring.encode(column)) for one, column in zip(got, expected, strict=True)
    )


FLAGS = {
    "some": flags,
    "none": lambda rows: np.zeros(rows, bool),
    "all": lambda rows: np.ones(rows, bool),
    "the first": lambda rows: np.arange(rows) == 0,
    "the last": lambda rows: np.arange(rows) == rows - 1,
}

# ---- local


def local(function: Any) -> Any:
    async def run(me: Party, *columns: Any) -> Any:
        return tuple(function(column) for column in columns)

    return run


@pytest.mark.parametrize("rows", [*ROWS, 128, 129])
def test_sums_and_differences_along_the_rows(rows: int) -> None:
    for ring in (Z64, Ring(13)):
        x, word = numbers(rows, ring), words(rows, 3)
        secrets = dealt(x, ring), dealt_bits(word, 3)
        ran = run_at_cost(World(rows), FREE, local(scan.running_sums), *secrets)
        assert equal(ran.value, [np.cumsum(x), np.bitwise_xor.accumulate(word)], ring)
        ran = run_at_cost(World(rows), FREE, local(scan.differences), *secrets)
        assert equal(ran.value, [np.diff(x, prepend=0), word ^ np.r_[np.uint64(0), word[:-1]]], ring)
        ran = run_at_cost(World(rows), FREE, local(lambda column: scan.running_sums(scan.differences(column))), *secrets)
        assert equal(ran.value, [x, word], ring)
        ran = run_at_cost(World(rows), FREE, local(scan.sums_before), secrets[0])
        assert equal(ran.value, [np.cumsum(x) - x], ring)


# ---- partition


async def parted(me: Party, flag: Any, *columns: Any) -> Any:
    return tuple((await scan.partition(me, flag, columns))[1])


@pytest.mark.parametrize("kind", FLAGS)
@pytest.mark.parametrize("rows", ROWS)
def test_flagged_rows_come_first(rows: int, kind: str) -> None:
    flag, x, word = FLAGS[kind](rows), np.arange(rows), words(rows, 70 % 64)
    for pivot in PIVOTS if kind == "some" else (rows % 3,):
        secrets = dealt_bits(flag, 1), dealt(x), dealt_bits(word, 6)
        ran = run_at_cost(World(rows), cost_of(scan.partition, rows, Z64, 6), parted, *secrets, pivot=pivot)
        assert equal(ran.value, TWINS[scan.partition](flag, [x, word]))


def test_a_partition_can_be_undone_later() -> None:
    """The permutation that comes with it: a `gather` brings rows back."""

    async def and_back(me: Party, flag: Any, x: Any) -> Any:
        by, (front,) = await scan.partition(me.step("part"), flag, [x])
        return tuple(await scan.gather(me.step("back"), by, [front]))

    assert np.array_equal(World(1).run(and_back, flags(100), np.arange(100)).value[0], np.arange(100))


def test_a_flag_is_one_plane() -> None:
    with pytest.raises(OurFault, match="one plane"):
        World().run(parted, dealt_bits(np.arange(4), 2))


@pytest.mark.parametrize("rows_max", [1, 64, 70, 99, 100, 1000])
def test_compaction_keeps_the_first_rows(rows_max: int) -> None:
    async def compacted(me: Party, flag: Any, *columns: Any) -> Any:
        first, rest = await scan.compact(me, flag, columns, rows_max)
        return (first, *rest)

    flag, x, word = flags(100), np.arange(100), words(100, 9)
    ran = run_at_cost(World(1), cost_of(scan.compact, 100, Z64, 9), compacted, dealt_bits(flag, 1), dealt(x), dealt_bits(word, 9))
    assert equal(ran.value, TWINS[scan.compact](flag, [x, word], rows_max=rows_max))


# ---- fill down


async def kept(me: Party, flag: Any, *columns: Any) -> Any:
    return tuple(await scan.keep(me, flag, columns))


async def filled(me: Party, header: Any, *columns: Any) -> Any:
    return tuple(await scan.fill_down(me, header, columns))


@pytest.mark.parametrize("kind", FLAGS)
@pytest.mark.parametrize("rows", ROWS)
def test_headers_fill_the_rows_below(rows: int, kind: str) -> None:
    header, pivot = FLAGS[kind](rows), rows % 3
    kept_x, kept_word = TWINS[scan.keep](header, [numbers(rows, Z64), words(rows, 9)])
    secrets = dealt_bits(header, 1), dealt(kept_x), dealt_bits(kept_word, 9)
    ran = run_at_cost(World(rows), cost_of(scan.fill_down, rows, Z64, 9), filled, *secrets, pivot=pivot)
    assert equal(ran.value, TWINS[scan.fill_down](header, [kept_x, kept_word]))


@pytest.mark.parametrize("rows", ROWS)
def test_what_is_kept_is_kept(rows: int) -> None:
    flag, x, narrow, word = flags(rows), numbers(rows, Z64), numbers(rows, Z32), words(rows, 9)
    secrets = dealt_bits(flag, 1), dealt(x), dealt(narrow, Z32), dealt_bits(word, 9)
    ran = run_at_cost(World(rows), cost_of(scan.keep, rows, Z64, Z32, 9), kept, *secrets, pivot=rows % 3)
    expected = TWINS[scan.keep](flag, [Z64.encode(x), Z32.encode(narrow).astype(np.uint64), word])
    assert equal(ran.value, expected)


# ---- groups


@pytest.mark.parametrize("kind", FLAGS)
@pytest.mark.parametrize("rows", ROWS)
def test_sums_of_groups(rows: int, kind: str) -> None:
    async def grouped(me: Party, last: Any, *columns: Any) -> Any:
        flag, sums = await scan.group_sums(me, last, columns)
        return (flag, *sums)

    last, x, ring = FLAGS[kind](rows), numbers(rows, Z64), Ring(20)
    secrets = dealt_bits(last, 1), dealt(x), dealt(x, ring)
    ran = run_at_cost(World(rows), cost_of(scan.group_sums, rows, Z64, ring), grouped, *secrets, pivot=rows % 3)
    count = int(last.sum())
    assert ran.value[0].tolist() == [1] * count + [0] * (rows - count)
    sums = TWINS[scan.group_sums](last, [x, x])
    assert np.array_equal(ran.value[1][:count], Z64.encode(sums[0])) and np.array_equal(ran.value[2][:count], ring.encode(sums[1]))


def test_in_blocks() -> None:
    header, x = flags(1003), numbers(1003, Z64)
    (x,) = TWINS[scan.keep](header, [x])
    ran = World(3, Profile(block_rows=64, blocks_in_flight=3)).run(filled, dealt_bits(header, 1), dealt(x))
    assert equal(ran.value, TWINS[scan.fill_down](header, [x]))
    assert ran.cost.bytes == cost_of(scan.fill_down, 1003, Z64).bytes


def test_costs_are_those_of_the_design() -> None:
    """protocols.md has 16 bytes a row and server for a partition at Z_2^32, and 21.3 more for one 64-bit column there and back."""
    rows = 3 * 100_000
    assert cost_of(scan.partition, rows) == Cost(5, 10 * 19 * rows // 8), "row numbers of 19 bits"
    assert cost_of(scan.fill_down, rows, Z64).bytes - cost_of(scan.partition, rows).bytes == 64 * rows
