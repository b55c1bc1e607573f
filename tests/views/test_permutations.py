"""What a server sees of shuffles, openings behind them, and sorts: enumerated for two rows, counted where rows are many."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from accord.base.ring import Column, Ring
from accord.mpc import permute, scan, shuffle, sort
from accord.mpc.party import Party, Profile
from accord.mpc.share import Bits, Share
from accord.mpc.shuffle import Factor
from accord.testing.views import Form, Views, every_view
from accord.testing.world import Word, World
from tests.views.composed import Composite, check_coins, check_messages, check_shape

R1 = Ring(1)
WHOLE = Profile(block_rows=1 << 30)
"""All cases of an enumeration in one block."""
PAIRS = [((a, b),) for a in (0, 1) for b in (0, 1)]
ORDERS = [((0, 1),), ((1, 0),)]

# ---- every coin


def swap_or_not(me: Party, component: int, rows: int) -> Factor:
    """Cases of two rows each: one coin a case says whether they change places."""
    coins: Any = me.coins
    swapped = coins._draw((component % 3, me.path, "permutation", me.row), 1, rows // 2).astype(np.uint32)
    first = np.arange(0, rows, 2, dtype=np.uint32)
    return in_one_step(np.stack([first + swapped, first + 1 - swapped], axis=1).reshape(-1))


def in_one_step(permutation: Column) -> Factor:
    return Factor(None, np.zeros(1, np.int64), permutation.astype(np.uint32))


@pytest.fixture
def two_rows_a_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows change places within their case, and row numbers count from each case's first row."""
    monkeypatch.setattr(shuffle, "draw_factor", swap_or_not)
    monkeypatch.setattr(shuffle, "is_permutation", lambda column: True)


async def shuffled(me: Party, x: Any) -> Any:
    return tuple(await shuffle.shuffle(me.step("go"), [x], shuffle.draw_shuffle(me.step("draw"), x.rows)))


async def unshuffled(me: Party, x: Any) -> Any:
    return tuple(await shuffle.unshuffle(me.step("go"), [x], shuffle.draw_shuffle(me.step("draw"), x.rows)))


async def opened(me: Party, dest: Any) -> Column:
    return (await permute.apply_first(me, dest))[0].place


def views_of(protocol: Callable[..., Any], form: Form, inputs: list[tuple[Any, ...]], pivot: int = 0) -> Views:
    return every_view(protocol, (form,), inputs, rows=2, pivot=pivot, profile=WHOLE)


@pytest.mark.usefixtures("two_rows_a_case")
@pytest.mark.parametrize("pivot", range(3))
@pytest.mark.parametrize("form", [R1, 1])
@pytest.mark.parametrize("protocol", [shuffled, unshuffled])
def test_a_shuffle_shows_nothing(protocol: Callable[..., Any], form: Form, pivot: int) -> None:
    views = views_of(protocol, form, PAIRS, pivot)
    assert views.sequences == 1 << 15, "two components of input, three permutations, four masks"
    for server in range(3):
        assert not views.differ(server) and not views.depend(server), f"server {server} sees more than its shares"


@pytest.mark.usefixtures("two_rows_a_case")
@pytest.mark.parametrize("pivot", range(3))
@pytest.mark.parametrize("form", [R1, 1])
def test_an_opening_behind_a_shuffle_shows_nothing(form: Form, pivot: int) -> None:
    """Both orders of two rows, every coin: each server's view, the opened column with it, is the same."""
    views = views_of(opened, form, ORDERS, pivot)
    assert views.sequences == 1 << 13
    assert len(np.unique(views.results)) == 2, "either column is opened"
    assert not any(views.differ(server) or views.differ(server, with_results=True) for server in range(3))


@pytest.mark.usefixtures("two_rows_a_case")
@pytest.mark.parametrize("pivot", range(3))
@pytest.mark.parametrize("component", range(3))
def test_a_permutation_left_out_is_seen(component: int, pivot: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who lacks the one that is left out knows all of them, and sees what goes where."""

    def without(me: Party, drawn: int, rows: int) -> Factor:
        return in_one_step(np.arange(rows)) if drawn % 3 == component else swap_or_not(me, drawn, rows)

    monkeypatch.setattr(shuffle, "draw_factor", without)
    views = views_of(opened, R1, ORDERS, pivot)
    assert [views.differ(server) for server in range(3)] == [component not in (server, (server + 1) % 3) for server in range(3)]


@pytest.mark.usefixtures("two_rows_a_case")
@pytest.mark.parametrize(
    ("protocol", "lane", "inputs"),
    [
        (shuffled, "second", PAIRS),
        (shuffled, "fresh", PAIRS),
        (opened, "first", ORDERS),
        (opened, "second", ORDERS),
        (opened, "third", ORDERS),
    ],
)
def test_a_mask_left_out_is_seen(protocol: Any, lane: str, inputs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Party.mask

    def mask(me: Party, component: int, ring: Ring, rows: int, given: str = "") -> Column:
        return drawn(me, component, ring, rows, given) * ring.dtype.type(given != lane)

    monkeypatch.setattr(Party, "mask", mask)
    views = views_of(protocol, R1, inputs)
    assert any(views.differ(server) for server in range(3))


async def two_openings(me: Party, dest: Any) -> Column:
    """Against the rule, two permutations behind one shuffle: the second is known to all."""
    numbers = np.arange(dest.rows, dtype=np.uint8) % 2
    then = Share(R1, *(numbers * np.uint8(server == 0) for server in (me.index, me.right)))
    by = shuffle.draw_shuffle(me.step("draw"), dest.rows)
    places = []
    for number, column in enumerate((dest, then)):
        by.is_spent = False
        way = shuffle.way_through(by)
        places.append((await permute.carried(me.step(str(number)), way, shuffle.load_of(me, way, column, opens=True), []))[0].place)
    return np.concatenate(places).reshape(2, -1).T.reshape(-1)


@pytest.mark.usefixtures("two_rows_a_case")
def test_two_openings_behind_one_shuffle_are_seen() -> None:
    """What the rule of one opening is for: the quotient of the two shows."""
    views = views_of(two_openings, R1, ORDERS)
    assert all(views.differ(server) for server in range(3))


# ---- many rows

ROWS = 512
SEED = 23
RANDOM = np.random.default_rng(SEED)
SMALL = Profile(block_rows=128, blocks_in_flight=3)


async def sorted_columns(me: Party, key: Bits, x: Any) -> Any:
    return tuple((await sort.sort(me, key, [x]))[1])


async def applied(me: Party, dest: Any, x: Any) -> Any:
    return tuple((await permute.apply_first(me, dest, [x]))[1])


async def parted(me: Party, flag: Bits, x: Any) -> Any:
    return tuple((await scan.partition(me, flag, [x]))[1])


async def filled(me: Party, flag: Bits, x: Any) -> Any:
    return tuple(await scan.fill_down(me.step("fill"), flag, await scan.keep(me.step("keep"), flag, [x])))


async def grouped(me: Party, flag: Bits, x: Any) -> Any:
    flags, sums = await scan.group_sums(me, flag, [x])
    return flags, *sums


X, CONSTANT = RANDOM.integers(0, 1 << 40, ROWS), np.full(ROWS, 77)
KEYS, ORDERED = Word(RANDOM.integers(0, 1 << 43, ROWS), 43), Word(np.arange(ROWS), 43)
FLAG, EVERY = Word(RANDOM.integers(0, 2, ROWS), 1), Word(np.ones(ROWS, np.int64), 1)
DEST = Word(RANDOM.permutation(ROWS), 9)

COMPOSITES = {
    "shuffle": Composite(shuffled, (X,), (CONSTANT,)),
    "apply": Composite(applied, (DEST, X), (Word(np.arange(ROWS), 9), CONSTANT)),
    "sort": Composite(sorted_columns, (KEYS, X), (ORDERED, CONSTANT)),
    "partition": Composite(parted, (FLAG, X), (EVERY, CONSTANT)),
    "fill down": Composite(filled, (FLAG, X), (EVERY, CONSTANT)),
    "group sums": Composite(grouped, (FLAG, X), (EVERY, CONSTANT)),
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


def places(key: Column, runs: int, monkeypatch: pytest.MonkeyPatch) -> Column:
    """Every column that some sorts by this key have opened: (openings, rows)."""
    found = list[Column]()
    carried = permute.carried

    async def noted(me: Party, *rest: Any) -> Any:
        result = await carried(me, *rest)
        if me.index == 0:
            found.append(result[0].place)
        return result

    with monkeypatch.context() as patched:
        patched.setattr(sort, "carried", noted)
        patched.setattr(permute, "carried", noted)
        world = World(SEED)
        for _ in range(runs):
            world.run(sorted_columns, Word(key, 9), key)
    return np.stack(found)


@pytest.mark.parametrize("key", [[7] * 5, [0, 100, 200, 300, 400], [400, 300, 200, 100, 0]])
def test_what_a_sort_opens_is_uniform_and_fresh(key: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Constant, sorted and reversed keys: every row number as often at every row; 20 degrees of freedom, below 60 but once in 10^5 seeds;
    and what one pass opens says nothing of the next.
    """
    found = places(np.array(key), 150, monkeypatch)
    openings = 150 * 4
    assert found.shape == (openings, 5)
    counts = np.stack([np.bincount(found[:, row], minlength=5) for row in range(5)])
    assert float(((counts - openings / 5) ** 2 / (openings / 5)).sum()) < 60
    again = sum(np.array_equal(one, two) for one, two in pairwise(found))
    assert again < 20, "one in 120 by chance"


def test_an_opening_of_ordered_rows_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffle, "draw_factor", lambda me, component, rows: in_one_step(np.arange(rows)))
    found = places(np.array([0, 100, 200, 300, 400]), 20, monkeypatch)
    counts = np.stack([np.bincount(found[:, row], minlength=5) for row in range(5)])
    assert float(((counts - 16) ** 2 / 16).sum()) > 300


def test_masks_of_a_column_are_not_those_of_the_next() -> None:
    """Two equal columns travel under one shuffle with coins of their own: no message of one is a message of the other."""

    async def twice(me: Party, x: Any) -> Any:
        return tuple(await shuffle.shuffle(me.step("go"), [x, x], shuffle.draw_shuffle(me.step("draw"), x.rows)))

    outcome = World(SEED, keep=True).run(twice, X).outcome
    lines = [line.payload for one in outcome.traffic for line in one.lines]
    assert len(lines) == 8 and len(set(lines)) == 8
