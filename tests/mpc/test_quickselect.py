"""Rows of given ranks: against a stable sort, ties and all, at the cost of the batches that were compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z32, Z64, Ring
from accord.mpc import quickselect
from accord.mpc.cost import cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import LAN, WAN, Party, Profile
from accord.testing.world import Dealt, Ran, World
from tests.mpc.cases import PIVOTS, ROWS, numbers, words

KEYS: dict[str, Callable[[int], np.ndarray]] = {
    "random": lambda rows: words(rows, 20),
    "ties": lambda rows: words(rows, 2),
    "constant": lambda rows: np.full(rows, 9, np.uint64),
    "ordered": lambda rows: np.arange(rows, dtype=np.uint64),
    "reversed": lambda rows: np.arange(rows, dtype=np.uint64)[::-1].copy(),
}
SMALL = 6
"""Pairs of a batch that needs no sample, where a test wants searches of many steps."""


def dealt(x: np.ndarray, ring: Ring = Z64) -> Dealt:
    return World(7).deal(x, ring)


def dealt_bits(x: np.ndarray, width: int) -> Dealt:
    return World(8).deal_bits(x, width)


async def selected(me: Party, key: Any, *columns: Any, ranks: Any) -> Any:
    found, rest = await quickselect.quickselect(me, key, ranks, columns)
    return found, *rest


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pairs each batch of a run compares, as server 0 sees it."""
    noted, compared = list[int](), quickselect._compared

    async def note(me: Party, words: Any, left: Any, right: Any) -> Any:
        if me.index == 0:
            noted.append(len(left))
        return await compared(me, words, left, right)

    monkeypatch.setattr(quickselect, "_compared", note)
    return noted


# ---- searches, in the plain


def searched(order: np.ndarray, ranks: list[int]) -> tuple[dict[int, int], list[int]]:
    """What a search finds where row j has the rank order[j], and its batches."""
    running, outcome, sizes = quickselect.search(len(order), ranks), None, list[int]()
    while True:
        try:
            left, right = next(running) if outcome is None else running.send(outcome)
        except StopIteration as stop:
            return stop.value, sizes
        sizes.append(len(left))
        outcome = order[left] < order[right]


@pytest.mark.parametrize("pairs_min", [SMALL, quickselect.PAIRS_MIN])
@pytest.mark.parametrize("rows", [1, 2, 3, 17, 91, 92, 400, 5000])
def test_a_search_finds_every_rank(rows: int, pairs_min: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quickselect, "PAIRS_MIN", pairs_min)
    random = np.random.default_rng(rows)
    for order in (random.permutation(rows), np.arange(rows), np.arange(rows)[::-1]):
        for ranks in ([0], [rows - 1], [rows // 2, 0], list(range(0, rows, max(1, rows // 30)))):
            found, _ = searched(order, ranks)
            assert [order[found[rank]] for rank in ranks] == ranks


def test_a_search_costs_what_the_card_says() -> None:
    """A million rows, their median: 2.2 comparisons a row in 13 batches, and as foreseen."""
    rows = 1_000_000
    foreseen = quickselect.foreseen_batches(rows, [rows // 2])
    _, sizes = searched(np.random.default_rng(1).permutation(rows), [rows // 2])
    for one in (foreseen, sizes):
        assert 2.0 < sum(one) / rows < 2.4 and len(one) == 13
    cost = cost_of(quickselect.order_statistics, rows, 64, foreseen, 1, Z64)
    assert 109 < cost.bytes_per_server / rows < 111


# ---- protocols


def check_cost(ran: Ran, batches: list[int], rows: int, width: int, *kinds: Any) -> None:
    declared = cost_of(quickselect.quickselect, rows, width, batches, *kinds)
    assert ran.cost.bytes == declared.bytes and ran.exchanges == declared.rounds
    batches.clear()


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("rows", ROWS)
def test_rows_of_these_ranks(rows: int, kind: str, batches: list[int]) -> None:
    key, x, word = KEYS[kind](rows), np.arange(rows), words(rows, 9)
    ranks = [rows // 2, 0, rows - 1, rows // 2]
    for pivot in PIVOTS if rows < 100 else (rows % 3,):
        secrets = dealt_bits(key, 20), dealt(x), dealt_bits(word, 9)
        ran = World(rows + pivot, WAN if pivot == 1 else LAN).run(selected, *secrets, pivot=pivot, ranks=ranks)
        for got, column in zip(ran.value, TWINS[quickselect.quickselect](key, [x, word], ranks=ranks), strict=True):
            assert np.array_equal(got, column.astype(np.uint64))
        check_cost(ran, batches, rows, 20, Z64, 9)


def test_keys_of_more_than_a_machine_word(batches: list[int]) -> None:
    low, high = words(200, 40, 1), words(200, 60, 2)

    async def wide(me: Party, low: Any, high: Any) -> Any:
        found, _ = await quickselect.quickselect(me, type(low).stack([low, high]), [17, 100])
        return found.planes(slice(0, 40)), found.planes(slice(40, 100))

    ran = World(5).run(wide, dealt_bits(low, 40), dealt_bits(high, 60))
    expected = sorted((int(b) << 40) + int(a) for a, b in zip(low, high, strict=True))
    got = [(int(b) << 40) + int(a) for a, b in zip(*ran.value, strict=True)]
    assert got == [expected[17], expected[100]]
    check_cost(ran, batches, 200, 100)


@pytest.mark.parametrize(("ring", "bits"), [(Z64, 64), (Z64, 41), (Z32, 20), (Ring(3), 3), (Ring(1), 1)])
def test_order_statistics_of_signed_numbers(ring: Ring, bits: int, batches: list[int]) -> None:
    for rows in (1, 2, 64, 300):
        x = numbers(rows, Ring(bits))
        ranks = [rows - 1, 0, rows // 3]
        ran = World(bits).run(quickselect.order_statistics, dealt(x, ring), pivot=rows % 3, ranks=ranks, bits=bits)
        assert np.array_equal(ran.signed, TWINS[quickselect.order_statistics](x, ranks=ranks, bits=bits))
        assert ran.cost.bytes == cost_of(quickselect.order_statistics, rows, bits, batches, 3, ring).bytes
        batches.clear()


def test_in_blocks() -> None:
    x = numbers(3000, Z32)
    world = World(3, Profile(block_rows=64, blocks_in_flight=3))
    ran = world.run(quickselect.order_statistics, x, ranks=[1500, 30], bits=33)
    assert ran.signed.tolist() == np.sort(x)[[1500, 30]].tolist()


@pytest.mark.parametrize("ranks", [[], [-1], [4], [0, 4]])
def test_a_rank_that_no_row_has_is_refused(ranks: list[int]) -> None:
    with pytest.raises(OurFault, match="ranks"):
        World().run(selected, dealt_bits(np.arange(4), 3), ranks=ranks)
