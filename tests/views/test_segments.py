"""What a server sees of scans within groups: enumerated for two rows, compared for equal and random data where rows are many; and of rows
that are repeated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accord.base.ring import Column, Ring
from accord.mpc import expand, segments
from accord.mpc.party import Party, Profile
from accord.testing.views import Views, every_view
from accord.testing.world import Word
from tests.views.composed import Composite, check_coins, check_messages, check_shape

R1 = Ring(1)
WHOLE = Profile(block_rows=1 << 30)
"""All cases of an enumeration in one block."""
MERGES = [(joins, x, y) for joins in (0, 1) for x in (0, 1) for y in (0, 1)]
TWO_ROWS = [((1, joined), (a, b)) for joined in (0, 1) for a, b in ((0, 0), (1, 0))]


async def least_of_two(me: Party, joins: Any, x: Any, y: Any) -> Any:
    return (await segments._least(me, joins, [x], [y], bits=1))[0]


@pytest.mark.parametrize("pivot", range(3))
def test_a_merge_shows_nothing(pivot: int) -> None:
    views = every_view(least_of_two, (1, R1, R1), MERGES, pivot=pivot)
    assert views.sequences == 1 << 16
    assert not any(views.differ(server) or views.depend(server) for server in range(3))


def views_of_two_rows(monkeypatch: pytest.MonkeyPatch) -> Views:
    """One level, in which every other row takes in the one before it: rows stay within their case."""
    monkeypatch.setattr(segments, "levels", lambda rows, adder: iter([segments.Level(rows, 0, 1, 1, asks=False)]))
    return every_view(segments.segmented_any, (1, 1), TWO_ROWS, rows=2, profile=WHOLE)


def test_a_scan_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    views = views_of_two_rows(monkeypatch)
    assert views.sequences == 1 << 17
    assert not any(views.differ(server) for server in range(3))


def test_a_merge_without_its_masks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Party.mask_planes

    def mask(me: Party, component: int, width: int, rows: int, lane: str = "") -> Column:
        return drawn(me, component, width, rows, lane) * np.uint64(not me.path.endswith("values"))

    monkeypatch.setattr(Party, "mask_planes", mask)
    views = views_of_two_rows(monkeypatch)
    assert any(views.differ(server) for server in range(3))


# ---- many rows

ROWS = 512
SEED = 29
RANDOM = np.random.default_rng(SEED)
SMALL = Profile(block_rows=128, blocks_in_flight=3)


async def greatest(me: Party, first: Any, x: Any) -> Any:
    return await segments.segmented_maximum(me, first, x, bits=42)


async def last(me: Party, first: Any, valid: Any, x: Any) -> Any:
    found, values = await segments.segmented_last(me, first, valid, [x])
    return found, *values


async def expanded(me: Party, counts: Any, x: Any) -> Any:
    found = await expand.expand(me, counts, [x], rows_max=ROWS)
    return found.overflow, found.real, found.position, *found.columns


X, CONSTANT = RANDOM.integers(0, 1 << 40, ROWS), np.full(ROWS, 77)
FIRST, EVERY, FLAG = Word(RANDOM.integers(0, 2, ROWS), 1), Word(np.ones(ROWS, np.int64), 1), Word(RANDOM.integers(0, 2, ROWS), 1)

COMPOSITES = {
    "greatest": Composite(greatest, (FIRST, X), (EVERY, CONSTANT)),
    "any": Composite(segments.segmented_any, (FIRST, FLAG), (EVERY, EVERY)),
    "last": Composite(last, (FIRST, FLAG, X), (EVERY, EVERY, CONSTANT)),
    "expand": Composite(expanded, (RANDOM.integers(0, 3, ROWS), X), (np.ones(ROWS, np.int64), CONSTANT)),
    "expand past the bound": Composite(expanded, (RANDOM.integers(0, 1 << 20, ROWS), X), (np.zeros(ROWS, np.int64), CONSTANT)),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_coins_are_spent_once_and_by_both_holders(name: str) -> None:
    check_coins(COMPOSITES[name], SEED, SMALL)


@pytest.mark.parametrize("name", COMPOSITES)
def test_traffic_has_one_shape(name: str) -> None:
    check_shape(COMPOSITES[name], SMALL)


@pytest.mark.parametrize("name", COMPOSITES)
def test_messages_look_alike_for_equal_and_random_data(name: str) -> None:
    check_messages(COMPOSITES[name], SEED)
