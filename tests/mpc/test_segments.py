"""Scans within groups: against plain loops, on every row count, every pivot and both networks, at declared cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z32, Z64, Ring
from accord.mpc import segments
from accord.mpc.bits import and_bits, and_cost, or_bits, select_bits
from accord.mpc.convert import bit_to_ring
from accord.mpc.cost import FREE, Cost, cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import LAN, WAN, Party, Profile
from accord.mpc.product import multiply
from accord.testing.world import Dealt, World
from tests.mpc.cases import PIVOTS, ROWS, flags, numbers, run_at_cost, words

ADDERS = ("brent-kung", "sklansky")
PROFILES = {"brent-kung": LAN, "sklansky": WAN}
FEW = {"brent-kung": 1, "sklansky": 8}
"""Small enough that every kind of level runs on a thousand rows."""

GROUPS: dict[str, Callable[[int], np.ndarray]] = {
    "some": flags,
    "long": lambda rows: np.random.default_rng(rows).random(rows) < 0.02,
    "one, unsaid": lambda rows: np.zeros(rows, bool),
    "one": lambda rows: np.arange(rows) == 0,
    "each row its own": lambda rows: np.ones(rows, bool),
    "the last apart": lambda rows: np.arange(rows) == rows - 1,
}


def dealt(x: np.ndarray, ring: Ring = Z64) -> Dealt:
    return World(7).deal(x, ring)


def dealt_bits(x: np.ndarray, width: int = 1) -> Dealt:
    return World(8).deal_bits(x, width)


@pytest.fixture(params=["as it is", "few at once"])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "few at once":
        monkeypatch.setattr(segments, "ROWS_AT_ONCE_MAX", FEW)


# ---- networks


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("adder", ADDERS)
@pytest.mark.parametrize("rows", [*range(1, 40), 1003, 1 << 15, 40_000])
def test_a_network_gives_every_row_all_rows_before_it_once(rows: int, adder: str) -> None:
    start, open_still = np.arange(rows), np.ones(rows, bool)
    for level in segments.levels(rows, adder):
        before, after = level.rows()
        assert len(after) == level.merges > 0
        assert open_still[after].all(), "a row that asks was told before that it need not"
        assert (start[after] == before + 1).all(), "spans lie side by side"
        start[after] = start[before]
        open_still[after] = level.asks
    assert not start.any()


@pytest.mark.parametrize(("adder", "depth", "work"), [("brent-kung", 30, 2.1), ("sklansky", 25, 2.5)])
def test_the_work_and_the_depth_that_the_cards_state(adder: str, depth: int, work: float) -> None:
    found = list(segments.levels(1_000_000, adder))
    assert len(found) == depth
    assert sum(level.merges for level in found) < work * 1_000_000


@pytest.mark.parametrize(
    ("cost", "rounds", "bytes_per_row"),
    [
        (cost_of(segments.segmented_minimum, 10**6, 64, Z64), 360, 78),
        (cost_of(segments.segmented_maximum, 10**6, 64, Z64, "sklansky"), 300, 84),
        (cost_of(segments.segmented_any, 10**6), 31, 0.5),
        (cost_of(segments.segmented_last, 10**6, Z64), 10, 46),
    ],
)
def test_costs_are_those_of_the_cards(cost: Cost, rounds: int, bytes_per_row: float) -> None:
    assert cost.rounds == rounds
    assert cost.bytes_per_server / 10**6 == pytest.approx(bytes_per_row, rel=0.01)


# ---- least, greatest


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", ["segmented_minimum", "segmented_maximum"])
@pytest.mark.parametrize("adder", ADDERS)
@pytest.mark.parametrize("rows", ROWS)
def test_least_and_greatest(rows: int, adder: str, name: str) -> None:
    protocol = getattr(segments, name)
    first, x = flags(rows), numbers(rows, Ring(63))
    for pivot in PIVOTS if rows == 65 else (rows % 3,):
        world = World(rows, PROFILES[adder])
        declared = cost_of(protocol, rows, 64, Z64, adder)
        ran = run_at_cost(world, declared, protocol, dealt_bits(first), dealt(x), pivot=pivot, bits=64)
        assert np.array_equal(Z64.decode(ran.value), TWINS[protocol](first, x, bits=64))


@pytest.mark.parametrize("kind", GROUPS)
@pytest.mark.parametrize("rows", [1, 2, 65, 300])
def test_groups_of_every_length(rows: int, kind: str) -> None:
    first, x = GROUPS[kind](rows), numbers(rows, Ring(19))
    for protocol in (segments.segmented_minimum, segments.segmented_maximum):
        ran = World(rows).run(protocol, first, dealt(x, Z32), pivot=rows % 3, bits=20)
        assert np.array_equal(Z32.decode(ran.value), TWINS[protocol](first, x, bits=20))


@pytest.mark.parametrize("bits", [1, 2, 3, 20, 64])
def test_narrow_and_wide_differences(bits: int) -> None:
    """All values whose differences fit: at 1 bit none but equal ones."""
    half = 1 << max(bits - 2, 0)
    x = np.random.default_rng(bits).integers(0, half, 100) - half // 2 if bits > 1 else np.full(100, 5)
    x[:2] = (-(half // 2), (half - 1) // 2) if bits > 1 else (5, 5)
    first = flags(100)
    for protocol in (segments.segmented_minimum, segments.segmented_maximum):
        ran = run_at_cost(World(bits), cost_of(protocol, 100, bits, Z64), protocol, dealt_bits(first), dealt(x), bits=bits)
        assert np.array_equal(ran.signed, TWINS[protocol](first, x, bits=bits))


def test_in_blocks() -> None:
    first, x = GROUPS["long"](3000), numbers(3000, Ring(40))
    world = World(3, Profile(block_rows=64, blocks_in_flight=3))
    ran = world.run(segments.segmented_maximum, first, x, bits=41)
    assert np.array_equal(ran.signed, TWINS[segments.segmented_maximum](first, x, bits=41))
    assert ran.cost.bytes == cost_of(segments.segmented_maximum, 3000, 41, Z64).bytes


# ---- any, last


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("kind", GROUPS)
@pytest.mark.parametrize("rows", ROWS)
def test_whether_any_row_has_a_flag(rows: int, kind: str) -> None:
    first, flag = GROUPS[kind](rows), np.random.default_rng([rows, 1]).random(rows) < 0.2
    for pivot in PIVOTS if kind == "some" else (rows % 3,):
        adder = ADDERS[pivot % 2]
        world, declared = World(rows, PROFILES[adder]), cost_of(segments.segmented_any, rows, adder)
        ran = run_at_cost(world, declared, segments.segmented_any, dealt_bits(first), dealt_bits(flag), pivot=pivot)
        assert np.array_equal(ran.value, TWINS[segments.segmented_any](first, flag))


async def last(me: Party, first: Any, valid: Any, *columns: Any) -> Any:
    found, values = await segments.segmented_last(me, first, valid, columns)
    return found, *values


@pytest.mark.parametrize("kind", GROUPS)
@pytest.mark.parametrize("rows", ROWS)
def test_the_last_valid_value(rows: int, kind: str) -> None:
    first, valid = GROUPS[kind](rows), np.random.default_rng([rows, 2]).random(rows) < 0.4
    x, word = numbers(rows, Z64), words(rows, 9)
    secrets = dealt_bits(first), dealt_bits(valid), dealt(x), dealt_bits(word, 9)
    ran = run_at_cost(World(rows), cost_of(segments.segmented_last, rows, Z64, 9), last, *secrets, pivot=rows % 3)
    held: list[Any] = []
    for j in range(rows):
        if j == 0 or first[j]:
            held.append((False, 0, 0))
        else:
            held.append(held[-1])
        if valid[j]:
            held[-1] = True, int(x[j]), int(word[j])
    assert [(bool(flag), one, two) for flag, one, two in zip(ran.value[0], Z64.decode(ran.value[1]), ran.value[2], strict=True)] == held
    assert all(
        np.array_equal(a, b)
        for a, b in zip(ran.value, (Z64.encode(c) for c in TWINS[segments.segmented_last](first, valid, [x, word])), strict=True)
    )


# ---- any operation


async def composed(me: Party, joins: Any, before: list[Any], here: list[Any]) -> list[Any]:
    """Affine maps v → a v + b, the earlier one first: associative, and not commutative."""
    (a, b), (c, d) = before, here
    one, two = await multiply(me.step("a"), a, c), await multiply(me.step("b"), b, c)
    flag = await bit_to_ring(me.step("flag"), joins, a.ring)
    return [c + await multiply(me.step("one"), flag, one - c), d + await multiply(me.step("two"), flag, two)]


async def scanned(me: Party, first: Any, *columns: Any, combine: Any) -> Any:
    return tuple(await segments.segmented_scan(me, first, columns, combine))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("rows", [1, 2, 3, 65, 130])
@pytest.mark.parametrize("adder", ADDERS)
def test_an_operation_that_does_not_commute(rows: int, adder: str) -> None:
    first, a, b = GROUPS["long"](rows), *np.random.default_rng(rows).integers(-5, 6, (2, rows))
    ran = World(rows, PROFILES[adder]).run(scanned, first, a, b, combine=composed)
    maps: list[Any] = []
    for j in range(rows):
        c, d = int(a[j]), int(b[j])
        maps.append((c, d) if j == 0 or first[j] else (maps[-1][0] * c, maps[-1][1] * c + d))
    expected = [[value % (1 << 64) for value in column] for column in zip(*maps, strict=True)]
    assert [column.tolist() for column in ran.value] == expected


async def last_valid(me: Party, joins: Any, before: list[Any], here: list[Any]) -> list[Any]:
    """The last valid word by a scan: a flag, and a word of 70 planes that rides on two machine words."""
    (had, old), (has, new) = before, here
    taken = await and_bits(me.step("taken"), joins, had)
    both = await or_bits(me.step("both"), has, taken)
    empty = await select_bits(me.step("old"), taken, old, type(old)(old.rows, old.own * 0, old.next * 0))
    return [both, await select_bits(me.step("word"), has, new, empty)]


def test_columns_of_bits_wider_than_a_machine_word() -> None:
    rows = 200
    first, valid, low, high = GROUPS["long"](rows), flags(rows), words(rows, 64, 1), words(rows, 6, 2)

    async def wide(me: Party, first: Any, valid: Any, low: Any, high: Any) -> Any:
        word = type(low).stack([low, high])
        flag, found = await segments.segmented_scan(me, first, [valid, word], last_valid)
        return flag, found.planes(slice(0, 64)), found.planes(slice(64, 70))

    ran = World(5).run(wide, first, valid, dealt_bits(low, 64), dealt_bits(high, 6))
    flag, *expected = TWINS[segments.segmented_last](first, valid, [low, high])
    assert np.array_equal(ran.value[0], flag)
    for got, column in zip(ran.value[1:], expected, strict=True):
        assert np.array_equal(got[flag], column[flag])


def test_the_cost_of_a_scan_is_that_of_its_merges() -> None:
    declared = segments.segmented_scan_cost(300, "brent-kung", lambda merges: FREE)
    asking = [level.merges for level in segments.levels(300, "brent-kung") if level.asks]
    assert declared.bytes == sum(and_cost(merges, 1).bytes for merges in asking) and declared.rounds == len(asking) == 8


def test_what_does_not_go_together_is_refused() -> None:
    async def carried(me: Party, joins: Any, before: Any, here: Any) -> Any:
        return here

    with pytest.raises(OurFault, match="one plane"):
        World().run(scanned, dealt_bits(np.arange(4), 2), np.arange(4), combine=carried)
    with pytest.raises(OurFault, match="align the rows"):
        World().run(scanned, np.ones(4, bool), np.arange(5), combine=carried)
