"""Comparisons against their twins and declared costs: edges of every width, all pivots, tiny rings whole, blocks."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.errors import OurFault
from accord.base.ring import Z32, Z64, Ring
from accord.mpc import compare
from accord.mpc.compose import in_blocks
from accord.mpc.cost import Cost, cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import Party, Profile
from accord.mpc.share import Share
from accord.testing.world import Word, World
from tests.mpc.cases import PIVOTS, every_sharing, numbers, run_at_cost, some_rows, words

WIDTHS = (1, 2, 3, 4, 5, 8, 17, 32, 33, 62, 63, 64)


def pairs(rows: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Signed numbers whose differences fit `bits` bits; equal, adjacent and extreme ones among them."""
    ring = Ring(bits)
    difference, y = numbers(rows, ring), numbers(rows, ring, seed=1) >> 1
    if bits > 1:
        difference >>= 1
    edges = np.array([0, 1, -1, (1 << (bits - 1)) - 1, -(1 << (bits - 1))])[:rows]
    difference[: len(edges)], y[: len(edges)] = ring.decode(ring.encode(edges)), 0
    return (y + difference, y) if bits < 64 else (y // 2 + difference // 2, y // 2)


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("protocol", [compare.sign, compare.is_zero])
def test_one_number(protocol: Any, bits: int, pivot: int) -> None:
    for rows in some_rows(bits, pivot):
        x = numbers(rows, Ring(bits))
        for ring in {Ring(bits), Z64}:
            ran = run_at_cost(World(rows), cost_of(protocol, rows, bits), protocol, x, ring=ring, pivot=pivot, bits=bits)
            assert np.array_equal(ran.value, TWINS[protocol](x, bits=bits)), (rows, ring)


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("protocol", [compare.less_than, compare.equality, compare.minimum, compare.maximum])
def test_two_numbers(protocol: Any, bits: int, pivot: int) -> None:
    facts = (Z64,) if protocol in (compare.minimum, compare.maximum) else ()
    for rows in some_rows(bits, pivot):
        x, y = pairs(rows, bits)
        ran = run_at_cost(World(rows), cost_of(protocol, rows, bits, *facts), protocol, x, y, pivot=pivot, bits=bits)
        got = ran.signed if facts else ran.value
        assert np.array_equal(got, TWINS[protocol](x, y, bits=bits)), rows


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("protocol", [compare.less_than_bits, compare.equality_bits])
def test_two_words(protocol: Any, width: int, pivot: int) -> None:
    for rows in some_rows(width, pivot):
        a, b = words(rows, width), words(rows, width)[::-1].copy()
        b[::3] = a[::3]
        ran = run_at_cost(World(rows), cost_of(protocol, rows, width), protocol, Word(a, width), Word(b, width), pivot=pivot)
        assert np.array_equal(ran.value, TWINS[protocol](a, b))


@pytest.mark.parametrize("width", [1, 2, 3])
def test_every_pair_of_tiny_words(width: int) -> None:
    a, b = np.array(list(product(range(1 << width), repeat=2)), np.uint64).T.copy()
    assert np.array_equal(World().run(compare.less_than_bits, Word(a, width), Word(b, width)).value, a < b)
    assert np.array_equal(World().run(compare.equality_bits, Word(a, width), Word(b, width)).value, a == b)


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("bits", [1, 2, 3])
def test_every_sharing_of_every_tiny_number(bits: int, pivot: int) -> None:
    dealt, x = every_sharing(Ring(bits))
    assert np.array_equal(World().run(compare.sign, dealt, pivot=pivot, bits=bits).value, x >> (bits - 1))
    assert np.array_equal(World().run(compare.is_zero, dealt, pivot=pivot, bits=bits).value, x == 0)


@given(
    st.lists(st.tuples(st.integers(-(2**61), 2**61 - 1), st.integers(-(2**61), 2**61 - 1)), min_size=1, max_size=100),
    st.sampled_from(PIVOTS),
)
def test_any_two_columns(rows: list[tuple[int, int]], pivot: int) -> None:
    """Differences stay below 2^62 in size, as 63 bits need."""
    x, y = np.array(rows, np.int64).T.copy()
    world = World(len(rows))
    assert np.array_equal(world.run(compare.less_than, x, y, pivot=pivot, bits=64).value, x < y)
    assert np.array_equal(world.run(compare.equality, x, y, pivot=pivot, bits=63).value, x == y)
    assert np.array_equal(world.run(compare.maximum, x, y, pivot=pivot, bits=63).signed, np.maximum(x, y))


@given(st.lists(st.integers(-(2**16), 2**16 - 1), min_size=1, max_size=100), st.integers(17, 40))
def test_only_the_declared_width_counts(column: list[int], bits: int) -> None:
    """A narrow range is enough, whatever the ring; the cost is that of the range."""
    ran = run_at_cost(World(bits), cost_of(compare.sign, len(column), bits), compare.sign, column, bits=bits)
    assert ran.value.tolist() == [value < 0 for value in column]


@pytest.mark.parametrize("protocol", [compare.less_than, compare.equality, compare.minimum])
def test_comparisons_run_in_blocks_on_rotating_pivots(protocol: Any) -> None:
    rows, world = 1003, World(5, Profile(block_rows=128, blocks_in_flight=3))
    x, y = pairs(rows, 32)
    ran = world.run(lambda me, a, b: in_blocks(protocol, me, a, b, bits=32), x, y)
    got = ran.value if protocol is not compare.minimum else ran.signed
    assert np.array_equal(got, TWINS[protocol](x, y, bits=32))
    assert ran.cost.bytes == cost_of(protocol, rows, 32, *((Z64,) if protocol is compare.minimum else ())).bytes


def test_big_blocks_take_the_compiled_loops_and_agree() -> None:
    x, y = pairs(70_001, 64)
    ran = World(6).run(lambda me, a, b: in_blocks(compare.less_than, me, a, b, bits=64), x, y)
    assert np.array_equal(ran.value, x < y)


@pytest.mark.parametrize(
    ("cost", "rounds", "bytes_per_row"),
    [
        (cost_of(compare.sign, 6400, 16), 6, 4.9),
        (cost_of(compare.sign, 6400, 32), 7, 10.8),
        (cost_of(compare.sign, 6400, 48), 8, 16.7),
        (cost_of(compare.less_than, 6400, 64), 8, 22.7),
        (cost_of(compare.equality, 6400, 64), 7, 10.5),
        (cost_of(compare.minimum, 6400, 64, Z64), 11, 38.7),
        (cost_of(compare.less_than_bits, 6400, 32), 6, 11.1),
        (cost_of(compare.less_than_bits, 6400, 64), 7, 23.0),
        (cost_of(compare.equality_bits, 6400, 64), 6, 63 / 8),
    ],
)
def test_costs_are_those_of_the_design(cost: Cost, rounds: int, bytes_per_row: float) -> None:
    assert cost.rounds == rounds
    assert cost.bytes_per_server / 6400 == pytest.approx(bytes_per_row, abs=0.06)


def test_a_range_wider_than_the_ring_is_refused() -> None:
    async def refused(me: Party, x: Share) -> str:
        with pytest.raises(OurFault) as caught:
            await compare.sign(me, x, 33)
        return str(caught.value)

    assert all("cast down from 32 to 33 bits" in said for said in World().run(refused, [1, 2], ring=Z32).value)
