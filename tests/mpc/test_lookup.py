"""Public tables at secret places and secret one-hot vectors: against their twins at declared cost; kernels against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.errors import OurFault
from accord.base.ring import Z8, Z32, Z64, Ring
from accord.mpc import kernels_lookup, lookup
from accord.mpc.compose import in_blocks
from accord.mpc.cost import cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import Party, Profile
from accord.mpc.share import Bits, Share
from accord.testing.world import World
from tests.mpc.cases import PIVOTS, ROWS, every_sharing, numbers, run_at_cost

ENTRIES = (1, 2, 3, 4, 7, 8, 32, 64, 65, 128, 200, 1024)
RINGS = (Ring(1), Ring(3), Z8, Ring(13), Z32, Ring(33), Z64)


def table_of(entries: int, seed: int = 0) -> np.ndarray:
    """Signed entries, the extremes among them."""
    table = np.random.default_rng([entries, seed]).integers(-(2**63), 2**63, entries, dtype=np.int64)
    table[:2] = [-(2**63), 2**63 - 1][:entries]
    return table


def some_rows(entries: int) -> tuple[int, ...]:
    """Fewer rows where the tables are large."""
    return ROWS if entries <= 32 else ROWS[:5]


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("entries", ENTRIES)
def test_look_up(entries: int, pivot: int) -> None:
    table = table_of(entries)
    for number, rows in enumerate(some_rows(entries)):
        ring, x = RINGS[(number + entries) % len(RINGS)], numbers(rows, Z64)
        declared = cost_of(lookup.look_up, rows, entries, ring)
        ran = run_at_cost(World(rows), declared, lambda me, i, ring=ring: lookup.look_up(me, i, table, ring), x, pivot=pivot)
        assert np.array_equal(ran.value, ring.encode(TWINS[lookup.look_up](x, table=table))), (rows, ring)


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("entries", ENTRIES)
def test_look_up_bits(entries: int, pivot: int) -> None:
    table = table_of(entries)
    for number, rows in enumerate(some_rows(entries)):
        width, x = (1, 7, 33, 64)[(number + entries) % 4], numbers(rows, Z64)
        declared = cost_of(lookup.look_up_bits, rows, entries, width)
        ran = run_at_cost(World(rows), declared, lookup.look_up_bits, x, pivot=pivot, table=table, width=width)
        assert np.array_equal(ran.value, Ring(width).encode(TWINS[lookup.look_up_bits](x, table=table))), (rows, width)


@pytest.mark.parametrize("entries", [3, 64])
def test_several_tables_at_one_place(entries: int) -> None:
    tables, x = [table_of(entries, seed) for seed in range(3)], numbers(300, Z32)
    declared = cost_of(lookup.look_up_each, 300, 3, entries, Z64)
    ran = run_at_cost(World(1), declared, lambda me, i: lookup.look_up_each(me, i, tables, Z64), x, ring=Z32)
    for read, table in zip(ran.value, tables, strict=True):
        assert np.array_equal(read, Z64.encode(TWINS[lookup.look_up_each](x, table=table)))


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("entries", ENTRIES)
def test_one_hot(entries: int, pivot: int) -> None:
    for number, rows in enumerate(some_rows(entries)):
        ring, x = RINGS[(number + entries) % len(RINGS)], numbers(rows, Z64)
        expected = TWINS[lookup.one_hot](x, entries=entries)
        declared = cost_of(lookup.one_hot, rows, entries, ring)
        ran = run_at_cost(World(rows), declared, lambda me, i, ring=ring: lookup.one_hot(me, i, entries, ring), x, pivot=pivot)
        assert np.array_equal(np.array(ran.value), expected)

        async def planes(me: Party, index: Share) -> tuple[Bits, ...]:
            hot = await lookup.one_hot_bits(me, index, entries)
            return tuple(hot.plane(j) for j in range(hot.width))

        ran = run_at_cost(World(rows), cost_of(lookup.one_hot_bits, rows, entries), planes, x, pivot=pivot)
        assert np.array_equal(np.array(ran.value), expected)


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("bits", [1, 2, 3])
def test_every_sharing_of_every_place(bits: int, pivot: int) -> None:
    dealt, x = every_sharing(Ring(bits))
    table = np.arange(1 << bits) * 5 + 1
    for found in (
        World().run(lambda me, i: lookup.look_up(me, i, table, Z8), dealt, pivot=pivot).value,
        World().run(lookup.look_up_bits, dealt, pivot=pivot, table=table, width=6).value,
    ):
        assert np.array_equal(found, x * 5 + 1)


@given(st.integers(1, 1024), st.integers(1, 100), st.integers(0, 2**32))
def test_any_table(entries: int, rows: int, seed: int) -> None:
    table, x = table_of(entries, seed), np.random.default_rng(seed).integers(-(2**63), 2**63, rows)
    world, expected = World(rows), TWINS[lookup.look_up](x, table=table)
    assert np.array_equal(world.run(lambda me, i: lookup.look_up(me, i, table, Z64), x, pivot=seed % 3).signed, expected)
    assert np.array_equal(world.run(lookup.look_up_bits, x, pivot=seed % 3, table=table, width=64).value, Z64.encode(expected))


def test_look_ups_run_in_blocks_on_rotating_pivots() -> None:
    table, x, world = table_of(100), numbers(1003, Z64), World(5, Profile(block_rows=128, blocks_in_flight=3))

    async def blocks(me: Party, index: Share) -> Any:
        read = await in_blocks(lookup.look_up_bits, me.step("read"), index, table=table, width=64)
        hot = await in_blocks(lookup.one_hot, me.step("hot"), index, entries=5, ring=Z8)
        return read, *hot

    ran = world.run(blocks, x)
    assert np.array_equal(ran.value[0], Z64.encode(TWINS[lookup.look_up_bits](x, table=table)))
    assert np.array_equal(np.array(ran.value[1:]), TWINS[lookup.one_hot](x, entries=5))
    assert ran.cost.bytes == cost_of(lookup.look_up_bits, 1003, 100, 64).then(cost_of(lookup.one_hot, 1003, 5, Z8)).bytes


@pytest.mark.parametrize("entries", [0, 1025])
def test_tables_have_limits(entries: int) -> None:
    with pytest.raises(OurFault, match=f"a table of {entries} entries"):
        World().run(lambda me, i: lookup.look_up(me, i, np.zeros(entries, np.int64), Z64), [0])


def test_an_index_must_reach_the_table() -> None:
    with pytest.raises(OurFault, match="from 2 to 3 bits"):
        World().run(lookup.look_up_bits, [0], ring=Ring(2), table=np.arange(8), width=3)


def test_costs_are_those_of_the_design() -> None:
    """Protocols.md §2: an index of 8 bits, entries of 16 and of 64: 172 and 688 bytes a row and server."""
    for bits, stated in ((16, 172), (64, 688)):
        cost = cost_of(lookup.look_up, 6400, 256, Ring(bits))
        assert cost.rounds == 2
        assert cost.bytes_per_server / 6400 == pytest.approx(stated, abs=0.5)
    assert cost_of(lookup.look_up_bits, 6400, 256, 64).bytes_per_server / 6400 == 16


# ---- kernels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64])
def test_sums_agree_with_numpy(dtype: Any) -> None:
    rng = np.random.default_rng(3)
    parts = rng.integers(0, np.iinfo(dtype).max, (700, 16), dtype, endpoint=True)
    twice, turns = np.tile(rng.integers(0, np.iinfo(dtype).max, 16, dtype, endpoint=True), 2), rng.integers(0, 16, 700)
    compiled, twin = np.empty((2, 700), dtype)
    kernels_lookup.turned_sums(parts, turns, twice, compiled)
    kernels_lookup.sums_twin(parts, turns, twice, twin)
    assert np.array_equal(compiled, twin)


@pytest.mark.parametrize("bits", [1, 3, 6, 7, 10])
def test_words_agree_with_numpy_and_with_their_bits(bits: int) -> None:
    rng, rows, size = np.random.default_rng(bits), kernels_lookup.COMPILED_WORDS_MIN + 3, 1 << bits
    words = rng.integers(0, 2**64, (max(1, size // 64), rows), np.uint64) & np.uint64((1 << min(size, 64)) - 1)
    twice, turns = np.tile(rng.integers(0, 2**64, size, np.uint64), 2), rng.integers(0, size, rows)
    compiled, twin = np.empty((2, rows), np.uint64)
    kernels_lookup.turned_words(words, turns, twice, compiled)
    kernels_lookup.words_twin(words, turns, twice, twin)
    assert np.array_equal(compiled, twin)
    turned, twin = kernels_lookup.turn_words(words, turns, size), np.empty_like(words)
    kernels_lookup.turn_twin(words, turns, min(size, 64), twin)
    assert np.array_equal(turned, twin)
    for row in range(50):
        before, after = (sum(int(one[k, row]) << (64 * k) for k in range(len(words))) for one in (words, turned))
        turn = int(turns[row])
        assert after == (before << turn | before >> (size - turn)) % (1 << size)


def test_one_hot_planes_agree_with_numpy() -> None:
    rows = kernels_lookup.COMPILED_WORDS_MIN + 3
    index = np.random.default_rng(1).integers(0, 8, rows)
    compiled, twin = np.zeros((2, 8, (rows + 63) // 64), np.uint64)
    kernels_lookup.one_hot_planes(index, compiled)
    kernels_lookup.hot_twin(index, twin)
    assert np.array_equal(compiled, twin)
