"""What servers see of groups and joins: coins spent once, one shape of traffic, messages alike whoever matches whom; and what is opened."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from accord.base.ring import Column
from accord.mpc import group, join, join_many, join_range, permute, shuffle, sort
from accord.mpc.bits import not_bits
from accord.mpc.group_largest import group_largest
from accord.mpc.party import Party, Profile
from accord.mpc.rows import zeros_like
from accord.testing.world import Word, World
from tests.views.composed import Composite, check_coins, check_messages, check_shape

ROWS = 300
SEED = 31
RANDOM = np.random.default_rng(SEED)
SMALL = Profile(block_rows=128, blocks_in_flight=3)


async def grouped(me: Party, key: Any, valid: Any, known: Any, value: Any) -> Any:
    found = await group.arrange(me.step("arrange"), key, [value, known], valid=valid)
    value, known = found.columns
    groups = await group.aggregate(me.step("sums"), found, [value])
    rows = await group.to_rows(me.step("rows"), groups, groups.sums)
    least, most = await group.group_extremes(me.step("extremes"), found, [value], counted=known)
    median = await group.group_median(me.step("median"), found, value, counted=known)
    row = await group.group_quantile_discrete(me.step("row"), found, [value], Fraction(1, 3), counted=known)
    largest = await group_largest(me.step("largest"), found, value, 3, counted=known)
    return *rows, *least.columns, *most.columns, *median.columns, *row.columns, *largest.columns


async def joined(me: Party, key: Any, valid: Any, column: Any, right_key: Any, right_valid: Any) -> Any:
    found = await join.join_pk_fk(me.step("join"), key, valid, [column], right_key, right_valid)
    meets = await join.left_matched(me.step("left"), found)
    await join.in_key_order(me.step("order"), found.merged, found.matched, [right_key])
    return found.matched, *found.columns, found.duplicate, meets, *await join.sums_by_left(me.step("sums"), found, found.columns)


async def paired(me: Party, key: Any, valid: Any, column: Any, right_key: Any, right_valid: Any) -> Any:
    found = await join_many.join_many(me, key, valid, [column], right_key, right_valid, [right_key], 400)
    return found.matched, *found.left, *found.right, found.overflow


async def ranged(me: Party, key: Any, valid: Any, column: Any, range_key: Any, range_valid: Any) -> Any:
    """Times and starts are keys of their own; every range ends at the last time."""
    end = not_bits(me, zeros_like(key, key.rows))
    args = key, key, valid, [column], range_key, range_key, end, range_valid, []
    found = await join_range.join_between(me.step("join"), *args, 400)
    many = await join_range.count_ranges(me.step("many"), key, key, valid, range_key, range_key, end, range_valid, (True, False))
    return found.matched, *found.points, found.overflow, many


VALUES, CONSTANT = RANDOM.integers(0, 1 << 40, ROWS), np.full(ROWS, 77)
FLAGS, ALL, NONE = (Word(one, 1) for one in (RANDOM.integers(0, 2, ROWS), np.ones(ROWS, int), np.zeros(ROWS, int)))
KEYS, ALIKE, ORDERED = (Word(one, 10) for one in (RANDOM.permutation(1 << 10)[:ROWS], CONSTANT, np.arange(ROWS)))
FEW = Word(RANDOM.integers(0, 40, ROWS), 10)

COMPOSITES = {
    "groups": Composite(grouped, (FEW, FLAGS, FLAGS, VALUES), (ALIKE, ALL, ALL, CONSTANT)),
    "no groups": Composite(grouped, (KEYS, FLAGS, FLAGS, VALUES), (ALIKE, NONE, NONE, CONSTANT)),
    "matches": Composite(joined, (KEYS, FLAGS, VALUES, KEYS, FLAGS), (ORDERED, ALL, CONSTANT, ORDERED, ALL)),
    "no matches": Composite(joined, (KEYS, ALL, VALUES, FEW, FLAGS), (ALIKE, NONE, CONSTANT, ALIKE, NONE)),
    "pairs": Composite(paired, (FEW, FLAGS, VALUES, KEYS, FLAGS), (ORDERED, ALL, CONSTANT, ORDERED, ALL)),
    "points in ranges": Composite(ranged, (FEW, FLAGS, VALUES, KEYS, FLAGS), (ORDERED, ALL, CONSTANT, ORDERED, ALL)),
    "too many pairs": Composite(paired, (FEW, FLAGS, VALUES, KEYS, FLAGS), (ALIKE, ALL, CONSTANT, ALIKE, ALL)),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_coins_are_spent_once_and_by_both_holders(name: str) -> None:
    check_coins(COMPOSITES[name], SEED, SMALL)


@pytest.mark.parametrize("name", COMPOSITES)
def test_traffic_has_one_shape(name: str) -> None:
    check_shape(COMPOSITES[name], SMALL)


@pytest.mark.parametrize("name", COMPOSITES)
def test_messages_look_alike_for_ordered_and_random_data(name: str) -> None:
    check_messages(COMPOSITES[name], SEED)


# ---- what is opened: rows of one table after the other, whose order the data decide


def opened(protocol: Callable[..., Any], columns: tuple[Any, ...], runs: int, monkeypatch: pytest.MonkeyPatch) -> list[Column]:
    """Every opening by itself: one row a run."""
    found = list[list[Column]]()
    carried = permute.carried

    async def noted(me: Party, *rest: Any) -> Any:
        result = await carried(me, *rest)
        if me.index == 0:
            found[-1].append(result[0].place)
        return result

    with monkeypatch.context() as patched:
        patched.setattr(sort, "carried", noted)
        patched.setattr(permute, "carried", noted)
        world = World(SEED)
        for _ in range(runs):
            found.append([])
            world.run(protocol, *columns)
    return [np.stack(one) for one in zip(*found, strict=True)]


def unevenness(openings: list[Column]) -> list[float]:
    """Of each opening: how far the counts of row numbers in rows are from even ones, squared, over what is expected: as χ² over its degrees
    of freedom, (rows − 1)², since each run fills a row and a column once.
    """
    levels = []
    for one in openings:
        runs, rows = one.shape
        counts = np.stack([np.bincount(one[:, row], minlength=rows) for row in range(rows)])
        levels.append(float(((counts - runs / rows) ** 2).sum() / (runs / rows) / (rows * (rows - 1))))
    return levels


FIVE = tuple(Word(np.array(key), 3) for key in ([1, 2, 3, 4, 5], [1, 1, 1, 1, 1], [5, 4, 3, 2, 1]))
VALID = Word(np.ones(5, int), 1)
FEW_ROWS = {
    "alike": (FIVE[1], VALID, VALUES[:5], FIVE[1], VALID),
    "all match": (FIVE[0], VALID, VALUES[:5], FIVE[2], VALID),
}
RUNS = 30
UNEVEN_MAX = 3.2


async def few_pairs(me: Party, key: Any, valid: Any, column: Any, right_key: Any, right_valid: Any) -> Any:
    found = await join_many.join_many(me, key, valid, [column], right_key, right_valid, [right_key], 6)
    return found.matched


@pytest.mark.parametrize("data", FEW_ROWS)
@pytest.mark.parametrize("protocol", [joined, few_pairs])
def test_what_a_join_opens_is_uniform(protocol: Callable[..., Any], data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """About 1 for each opening, with 16 to 81 degrees of freedom; 3.2 once in 60 000 at 16."""
    levels = unevenness(opened(protocol, FEW_ROWS[data], RUNS, monkeypatch))
    assert len(levels) >= 4 and max(levels) < UNEVEN_MAX and 0.7 < np.mean(levels) < 1.3, levels


def test_an_opening_of_ordered_rows_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = shuffle.Factor(None, np.zeros(1, np.int64), np.arange(10, dtype=np.uint32))
    monkeypatch.setattr(shuffle, "draw_factor", lambda me, component, rows: shuffle.Factor(None, plain.starts, plain.index[:rows]))
    assert min(unevenness(opened(joined, FEW_ROWS["all match"], 20, monkeypatch))) > 5


def test_what_groups_open_is_uniform(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = FIVE[1], VALID, VALID, VALUES[:5]
    levels = unevenness(opened(grouped, columns, RUNS, monkeypatch))
    assert max(levels) < UNEVEN_MAX and 0.7 < np.mean(levels) < 1.3, levels
