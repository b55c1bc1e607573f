"""What a search shows: enumerated for two rows; of more rows, that the order opened is uniform, and so what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from accord.base.ring import Column
from accord.mpc import quickselect, shuffle
from accord.mpc.party import Party, Profile
from accord.mpc.share import Bits
from accord.mpc.shuffle import Factor
from accord.testing.traces import NotingWorld, chi_squared, label_faults
from accord.testing.views import Views, every_view
from accord.testing.world import Word, World
from tests.views.test_permutations import in_one_step, swap_or_not

WHOLE = Profile(block_rows=1 << 30)
"""All cases of an enumeration in one block."""
SEED = 31

# ---- every coin


@pytest.fixture
def two_rows_a_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows change places within their case, are compared within it, and the lesser one is taken; keys have no numbers behind them."""

    def search(rows: int, ranks: Any) -> Any:
        even = np.arange(0, rows, 2)
        less = yield even, even + 1
        return dict(enumerate(np.where(less, even, even + 1)))

    monkeypatch.setattr(shuffle, "draw_factor", swap_or_not)
    monkeypatch.setattr(quickselect, "search", search)
    monkeypatch.setattr(quickselect, "_numbered", lambda me, key: key)


def views_of(inputs: list[tuple[Any, ...]], pivot: int = 0) -> Views:
    async def lesser(me: Party, key: Bits) -> Bits:
        return (await quickselect.quickselect(me, key, range(key.rows // 2)))[0]

    return every_view(lesser, (1,), inputs, rows=2, pivot=pivot, profile=WHOLE)


@pytest.mark.usefixtures("two_rows_a_case")
@pytest.mark.parametrize("pivot", range(3))
def test_a_comparison_behind_a_shuffle_shows_nothing(pivot: int) -> None:
    """Both orders of two unlike rows, every coin."""
    views = views_of([((0, 1),), ((1, 0),)], pivot)
    assert views.sequences == 1 << 18
    assert not views.values.any(), "of 0 and 1, 0 is taken"
    assert not any(views.differ(server) for server in range(3))


@pytest.mark.usefixtures("two_rows_a_case")
@pytest.mark.parametrize("component", range(3))
def test_a_permutation_left_out_is_seen(component: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(me: Party, drawn: int, rows: int) -> Factor:
        return in_one_step(np.arange(rows)) if drawn % 3 == component else swap_or_not(me, drawn, rows)

    monkeypatch.setattr(shuffle, "draw_factor", without)
    views = views_of([((0, 1),), ((1, 0),)])
    assert [views.differ(server) for server in range(3)] == [component not in (server, (server + 1) % 3) for server in range(3)]


@pytest.mark.usefixtures("two_rows_a_case")
def test_rows_that_are_alike_would_be_seen() -> None:
    """What the numbers behind the keys are for."""
    views = views_of([((0, 0),), ((1, 0),)])
    assert all(views.differ(server) for server in range(3))


# ---- more rows

KEYS = {"constant": [7] * 5, "ordered": [0, 1, 2, 3, 4], "reversed": [4, 3, 2, 1, 0]}


def ranks_opened(key: list[int], runs: int, monkeypatch: pytest.MonkeyPatch) -> Column:
    """The order of five shuffled rows, as some runs have opened it: (runs, rows)."""
    found, compared = list[Column](), quickselect._compared

    async def noted(me: Party, words: Any, left: Column, right: Column) -> Column:
        less = await compared(me, words, left, right)
        if me.index == 0:
            found.append(np.bincount(np.where(less, right, left), minlength=5))
        return less

    with monkeypatch.context() as patched:
        patched.setattr(quickselect, "_compared", noted)
        world = World(SEED)
        for run in range(runs):
            world.run(quickselect.quickselect, Word(key, 3), pivot=run % 3, ranks=[2])
    return np.stack(found)


def unevenness(ranks: Column) -> float:
    """Chi-squared of every rank being as often in every row: 16 degrees of freedom, below 50 but once in 10^4 seeds."""
    expected = len(ranks) / 5
    counts = np.stack([np.bincount(ranks[:, row], minlength=5) for row in range(5)])
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("key", KEYS)
def test_the_order_that_is_opened_is_uniform(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = ranks_opened(KEYS[key], 150, monkeypatch)
    assert ranks.shape == (150, 5) and (np.sort(ranks) == np.arange(5)).all()
    assert unevenness(ranks) < 50
    assert len(np.unique(ranks, axis=0)) > 60, "of 120 orders, 150 draws give 86"


def test_ties_without_numbers_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quickselect, "_numbered", lambda me, key: key)
    assert unevenness(ranks_opened(KEYS["constant"], 30, monkeypatch)) > 300


def test_an_order_without_a_shuffle_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffle, "draw_factor", lambda me, component, rows: in_one_step(np.arange(rows)))
    assert unevenness(ranks_opened(KEYS["ordered"], 30, monkeypatch)) > 300


# ---- searches of many batches


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """How many pairs each batch of each run compares."""
    noted, compared = list[list[int]](), quickselect._compared

    async def note(me: Party, words: Any, left: Any, right: Any) -> Any:
        if me.index == 0:
            noted[-1].append(len(left))
        return await compared(me, words, left, right)

    monkeypatch.setattr(quickselect, "_compared", note)
    monkeypatch.setattr(quickselect, "PAIRS_MIN", 6)
    return noted


def test_what_is_sent_varies_alike_for_any_data(batches: list[list[int]]) -> None:
    """Of constant and of random keys: comparisons of a run, in four classes, come from one law."""
    keys: dict[str, Column] = {"constant": np.full(40, 7), "random": np.random.default_rng(SEED).integers(0, 1 << 20, 40)}
    totals: dict[str, Column] = {}
    for number, (name, key) in enumerate(keys.items()):
        batches.clear()
        world = World(SEED + number)
        for _ in range(60):
            batches.append([])
            world.run(quickselect.quickselect, Word(key, 20), ranks=[20])
        totals[name] = np.array([sum(one) for one in batches])
    assert len(np.unique(totals["constant"])) > 20, "how much is compared is a matter of coins"
    edges = np.quantile(np.concatenate(list(totals.values())), [0.25, 0.5, 0.75])
    one, two = (np.bincount(np.searchsorted(edges, each), minlength=4) for each in totals.values())
    assert chi_squared(one, two) > 1e-3


def test_coins_are_spent_once_and_by_both_holders(batches: list[list[int]]) -> None:
    batches.append([])
    world = NotingWorld(SEED, Profile(block_rows=64, blocks_in_flight=3))
    select: Callable[..., Any] = quickselect.order_statistics
    world.run(select, np.random.default_rng(SEED).integers(0, 1 << 40, 300), ranks=[30, 150], bits=42)
    assert label_faults(world.drawn) == [] and all(world.drawn) and len(batches[0]) > 10
