"""Rows repeated: against plain repetition, up to the bound, at it and past it, at declared cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z32, Z64, Ring
from accord.mpc import expand
from accord.mpc.cost import cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import LAN, WAN, Party, Profile
from accord.testing.world import Dealt, World
from tests.mpc.cases import PIVOTS, numbers, run_at_cost, words


def dealt(x: np.ndarray, ring: Ring = Z64) -> Dealt:
    return World(7).deal(x, ring)


def dealt_bits(x: np.ndarray, width: int) -> Dealt:
    return World(8).deal_bits(x, width)


async def expanded(me: Party, counts: Any, *columns: Any, rows_max: int, sum_max: int = expand.SUM_MAX) -> Any:
    found = await expand.expand(me, counts, columns, rows_max, sum_max)
    return found.overflow, found.real, found.position, *found.columns


def check(value: Any, counts: np.ndarray, columns: list[np.ndarray], rows_max: int) -> None:
    overflow, columns = TWINS[expand.expand](counts, columns, rows_max=rows_max)
    real = min(int(counts.sum()), rows_max)
    assert value[0].tolist() == [overflow]
    assert value[1].tolist() == [1] * real + [0] * (rows_max - real)
    for got, column in zip(value[2:], columns, strict=True):
        assert np.array_equal(got[:real].astype(np.uint64), column.astype(np.uint64))
    for got in value[3:]:
        assert not got[real:].any(), "past the real rows there are zeros"


COUNTS: dict[str, Callable[[int], np.ndarray]] = {
    "some": lambda rows: np.random.default_rng(rows).integers(0, 4, rows),
    "few": lambda rows: (np.random.default_rng(rows).random(rows) < 0.1) * 7,
    "none": lambda rows: np.zeros(rows, np.int64),
    "one each": lambda rows: np.ones(rows, np.int64),
    "the first all": lambda rows: (np.arange(rows) == 0) * 130,
    "the last all": lambda rows: (np.arange(rows) == rows - 1) * 130,
}


@pytest.mark.parametrize("kind", COUNTS)
@pytest.mark.parametrize("rows", [1, 2, 64, 130])
def test_every_row_as_often_as_it_counts(rows: int, kind: str) -> None:
    counts, x, word = COUNTS[kind](rows), numbers(rows, Z64), words(rows, 9)
    for pivot, rows_max in zip(PIVOTS, (1, 65, 200), strict=True):
        profile = WAN if pivot == 1 else LAN
        declared = cost_of(expand.expand, rows, rows_max, expand.SUM_MAX, profile.adder, Z64, 9)
        secrets = dealt(counts, Z32 if pivot else Z64), dealt(x), dealt_bits(word, 9)
        ran = run_at_cost(World(rows, profile), declared, expanded, *secrets, pivot=pivot, rows_max=rows_max)
        check(ran.value, counts, [x, word], rows_max)


@pytest.mark.parametrize("total", [0, 1, 99, 100, 101, 500])
def test_at_the_bound(total: int) -> None:
    """Sums around the bound; where they pass it, rows past it are dropped, and nothing else is wrong."""
    counts = np.bincount(np.random.default_rng(total).integers(0, 40, total), minlength=40)
    x = np.arange(40) + 1
    check(World(total).run(expanded, counts, x, rows_max=100).value, counts, [x], 100)


def test_every_small_table() -> None:
    """A third of all counts 0 … 3 of three rows, into 1 … 4 rows."""
    world, x = World(5), np.array([5, 6, 7])
    for number in range(0, 64, 3):
        counts = np.array([number % 4, number // 4 % 4, number // 16])
        rows_max = 1 + (number * 7 + number // 16) % 4
        check(world.run(expanded, counts, x, rows_max=rows_max, sum_max=9).value, counts, [x], rows_max)


def test_counts_as_large_as_the_ring_holds() -> None:
    """Sums up to 2^62 in 64 bits: the bound of 10 rows is passed at once, and the sum does not wrap."""
    counts = np.array([3, (1 << 62) - 4, 0, 1])
    value = World(2).run(expanded, counts, np.arange(4) + 1, rows_max=10, sum_max=1 << 62).value
    assert value[0].tolist() == [1] and value[3].tolist() == [1] * 3 + [2] * 7


@pytest.mark.parametrize(("ring", "rows_max", "sum_max"), [(Z32, 10, 1 << 31), (Ring(10), 10, 512), (Z64, 0, 5), (Z64, 5, -1)])
def test_sums_that_could_wrap_are_refused(ring: Ring, rows_max: int, sum_max: int) -> None:
    with pytest.raises(OurFault, match="cast the counts up"):
        World().run(expanded, dealt(np.arange(4), ring), rows_max=rows_max, sum_max=sum_max)


def test_a_narrow_ring_that_holds_the_sums() -> None:
    counts = np.array([100, 0, 411])
    check(World(4).run(expanded, dealt(counts, Ring(10)), np.arange(3), rows_max=300, sum_max=511).value, counts, [np.arange(3)], 300)


def test_in_blocks() -> None:
    counts, x = np.random.default_rng(1).integers(0, 4, 700), np.arange(700)
    world = World(3, Profile(block_rows=64, blocks_in_flight=3))
    ran = world.run(expanded, counts, x, rows_max=1003)
    check(ran.value, counts, [x], 1003)
    assert ran.cost.bytes == cost_of(expand.expand, 700, 1003, expand.SUM_MAX, "brent-kung", Z64).bytes


def test_the_cost_is_that_of_the_card() -> None:
    found = cost_of(expand.expand, 10**6, 10**6, expand.SUM_MAX, "brent-kung", Z64)
    assert (found.rounds, round(found.bytes_per_server / 10**6)) == (52, 119)
