"""Wide columns from bits, choices, exact floors, running sums, openings: against Python's integers, at declared cost, on every pivot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z64, Ring
from accord.mpc import wide, wide_open, wide_words
from accord.mpc.cost import FREE, cost_of
from accord.mpc.kernels_wide import COMPILED_WORDS_MIN
from accord.mpc.open import GATE_TOKEN, Permit
from accord.mpc.party import Party, Profile
from accord.mpc.wide import Wide
from accord.testing.world import World
from tests.mpc.cases import PIVOTS, flags, run_at_cost
from tests.mpc.test_wide import LANES, ROWS, SHIFTS, bare, deal, expected, integers, joined, run, signed
from tests.mpc.wide import deal_wide
from tests.mpc.wide import wide_words as words

PERMIT = Permit("total", ("nl", "it"), GATE_TOKEN)

# ---- from bits


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("bits", [1, *LANES])
def test_a_bit_is_a_wide_number(bits: int, pivot: int) -> None:
    lane = Ring(bits)
    for rows in ROWS:
        flag = flags(rows)
        found = run(cost_of(wide_words.bit_to_wide, rows, lane), wide_words.bit_to_wide, flag, pivot=pivot, lane=lane)
        assert found == [signed(int(one), 2 * bits) for one in flag]


@pytest.mark.parametrize("adder", ["brent-kung", "sklansky"])
@pytest.mark.parametrize(
    ("bits", "width"), [(3, 1), (3, 2), (3, 3), (3, 6), (8, 7), (8, 12), (64, 1), (64, 62), (64, 64), (64, 100), (64, 128)]
)
def test_a_word_is_a_wide_number(bits: int, width: int, adder: str) -> None:
    lane, column = Ring(bits), words(65, width)
    for pivot in PIVOTS:
        world = World(1, Profile(adder=adder))
        declared = cost_of(wide_words.to_wide, 65, width, lane, adder)
        ran = run_at_cost(world, declared, bare(wide_words.to_wide), deal_wide(world, column, width), pivot=pivot, lane=lane)
        assert joined(ran.held) == [signed(one, 2 * bits) for one in column]


def test_words_there_and_back() -> None:
    async def back(me: Party, x: Wide) -> Wide:
        return await wide_words.to_wide(me.step("back"), await wide.wide_to_bits(me.step("there"), x, 128))

    x = integers(200, 128)
    assert joined(World(3).run(bare(back), deal(x, Z64)).held) == x


def test_what_is_too_wide_is_refused() -> None:
    world = World()
    for lane, width in ((Ring(8), 17), (Ring(2), 1)):
        with pytest.raises(OurFault, match="a number over"):
            world.run(bare(wide_words.to_wide), deal_wide(world, [1], width), lane=lane)
    with pytest.raises(OurFault, match="take one plane"):
        world.run(bare(wide_words.bit_to_wide), deal_wide(world, [1], 2))


# ---- choices, floors, sums along the rows


@pytest.mark.parametrize("bits", [1, *LANES])
def test_choices(bits: int) -> None:
    lane = Ring(bits)
    for rows in ROWS:
        flag = [int(one) for one in flags(rows)]
        a, b = integers(rows, 2 * bits), integers(rows, 2 * bits, seed=1)[::-1]
        dealt = deal(flag, lane, 2), deal(a, lane), deal(b, lane, 1)
        found = run(cost_of(wide_words.select_wide, rows, lane), wide_words.select_wide, *dealt)
        assert found == expected(wide_words.select_wide, 2 * bits, flag, a, b)


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("bits", LANES)
def test_floors_are_exact(bits: int, pivot: int) -> None:
    lane = Ring(bits)
    for number, shift in enumerate([0, *(shift for shift in SHIFTS if shift <= bits)]):
        rows = ROWS[2:][(number + pivot) % 3]
        x = [one >> 1 for one in integers(rows, 2 * bits)]
        x[-3:] = [one >> shift << shift for one in x[-3:]]
        found = run(
            cost_of(wide_words.floor_wide, rows, shift, lane), wide_words.floor_wide, deal(x, lane, pivot), pivot=pivot, shift=shift
        )
        assert found == expected(wide_words.floor_wide, 2 * bits, x, shift=shift)


@pytest.mark.parametrize("shift", [-1, 9])
def test_floors_beyond_a_lane_are_refused(shift: int) -> None:
    with pytest.raises(OurFault, match=f"a shift by {shift} in"):
        World().run(bare(wide_words.floor_wide), deal([1], Ring(8)), shift=shift)


@pytest.mark.parametrize("bits", [1, *LANES])
def test_running_sums(bits: int) -> None:
    async def summed(me: Party, x: Wide) -> Wide:
        return x.running_sums()

    for rows in (1, 2, 64, COMPILED_WORDS_MIN + 3 if bits == 64 else 203):
        x = integers(rows, 2 * bits)
        sums, total = [], 0
        for one in x:
            total += one
            sums.append(signed(total, 2 * bits))
        assert run(FREE, summed, deal(x, Ring(bits))) == sums


# ---- openings


@pytest.mark.parametrize("bits", [1, *LANES])
def test_openings(bits: int) -> None:
    lane = Ring(bits)
    for rows in ROWS:
        x = integers(rows, 2 * bits)
        declared = cost_of(wide_open.open_result_wide, rows, lane)
        for lanes in run_at_cost(World(rows), declared, wide_open.open_result_wide, deal(x, lane), permit=PERMIT).value:
            assert wide_open.signed_numbers(lanes, lane) == [signed(one, 2 * bits) for one in x]
        parts = run_at_cost(World(rows), FREE, wide_open.reveal_wide, deal(x, lane), permit=PERMIT).value
        assert wide_open.signed_numbers(wide_open.put_together(parts, lane), lane) == [signed(one, 2 * bits) for one in x]


def test_parts_are_fresh() -> None:
    """No part is a component, and a second reveal at another step gives other parts."""
    dealt = deal([0] * 100, Z64)
    first = World(4).run(wide_open.reveal_wide, dealt, permit=PERMIT).value
    second = World(4).run(lambda me, x: wide_open.reveal_wide(me.step("again"), x, PERMIT), dealt).value
    for i in range(3):
        for lane in (0, 1):
            assert not (first[i][:, lane] == dealt.at[i].own[:, lane]).any() and not (first[i][:, lane] == second[i][:, lane]).any()


def test_nothing_wide_opens_without_permit() -> None:
    for protocol in (wide_open.open_result_wide, wide_open.reveal_wide):
        with pytest.raises(OurFault, match="without a permit"):
            World().run(protocol, deal([1], Z64), permit=None)


@pytest.mark.parametrize(
    ("cost", "rounds", "bytes_per_row"),
    [
        (cost_of(wide_words.bit_to_wide, 6400), 2, 16),
        (cost_of(wide_words.to_wide, 6400, 128), 15, 115.8),
        (cost_of(wide_words.to_wide, 6400, 62), 15, 47.2),
        (cost_of(wide_words.floor_wide, 6400, 32), 9, 36.5),
    ],
)
def test_costs_are_those_of_the_cards(cost: Any, rounds: int, bytes_per_row: float) -> None:
    assert cost.rounds == rounds
    assert cost.bytes_per_server / 6400 == pytest.approx(bytes_per_row, abs=0.1)


def test_a_wide_number_is_built_as_numpy_does_it() -> None:
    """Lanes in clear, the top bit of the high one being the sign."""
    lanes = np.array([[5, 0], [2**64 - 1, 2**64 - 1], [0, 1 << 63]], np.uint64)
    assert wide_open.signed_numbers(lanes) == [5, -1, -(1 << 127)]
