"""Conversions between boolean and arithmetic secrets and between rings: twins, costs, all pivots, tiny rings whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.errors import OurFault
from accord.base.ring import Z32, Z64, Ring
from accord.mpc import adder, convert
from accord.mpc.compose import in_blocks
from accord.mpc.cost import Cost, cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import LAN, Party, Profile
from accord.mpc.share import Bits, Share
from accord.testing.world import Dealt, Word, World
from tests.mpc.cases import PIVOTS, ROWS, every_sharing, flags, numbers, run_at_cost, some_rows, words

RINGS = tuple(Ring(bits) for bits in (1, 2, 3, 8, 13, 32, 33, 63, 64))
SKLANSKY = Profile(adder="sklansky")


def into(protocol: Callable[..., Any], ring: Ring) -> Callable[..., Any]:
    """The protocol with its target ring filled in (World.run keeps the name `ring` for itself)."""
    return lambda me, secret: protocol(me, secret, ring)


def as_servers(*given: Any) -> Callable[..., Any]:
    """A protocol whose summand is given by role: `given[role]`."""
    return lambda protocol, *facts: lambda me: protocol(me, given[me.role], *facts)


# ---- known to one or two servers


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("ring", RINGS)
def test_what_the_pivot_knows_becomes_shared(ring: Ring, pivot: int) -> None:
    for rows in some_rows(ring.bits, pivot):
        x = ring.encode(numbers(rows, ring))
        protocol = as_servers(x, None, None)(convert.pivot_input, ring, rows)
        assert np.array_equal(run_at_cost(World(rows), cost_of(convert.pivot_input, rows, ring), protocol, pivot=pivot).value, x)


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("ring", RINGS)
def test_what_two_servers_know_becomes_the_sum(ring: Ring, pivot: int) -> None:
    for rows in some_rows(ring.bits, pivot):
        a, b = ring.encode(numbers(rows, ring)), ring.encode(numbers(rows, ring, seed=1))
        protocol = as_servers(None, a, b)(convert.reshare, ring, rows)
        ran = run_at_cost(World(rows), cost_of(convert.reshare, rows, ring), protocol, pivot=pivot)
        assert np.array_equal(ran.value, ring.reduce(a + b))


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("rows", ROWS)
def test_the_same_of_bits(rows: int, pivot: int) -> None:
    a, b = (convert.planes_from_column(numbers(rows, Ring(5), seed).view(np.uint64), 5) for seed in (0, 1))
    for protocol, given_, sum_ in ((convert.pivot_input_bits, (a, None, None), a), (convert.reshare_bits, (None, a, b), a ^ b)):
        ran = run_at_cost(World(rows), cost_of(protocol, rows, 5), as_servers(*given_)(protocol, 5, rows), pivot=pivot)
        assert np.array_equal(ran.value, convert.column_from_planes(sum_, rows))


@pytest.mark.parametrize("pivot", PIVOTS)
def test_the_summands_of_the_pivot_view_add_up(pivot: int) -> None:
    world, x = World(2), numbers(65, Z64)

    async def view(me: Party, a: Share) -> Any:
        return convert.summand(me, a)

    async def view_bits(me: Party, b: Bits) -> Any:
        return convert.summand_bits(me, b)

    by_server = world.run(view, x, pivot=pivot).value
    c, r, again = (by_server[(pivot + role) % 3] for role in (0, 1, 2))
    assert np.array_equal(r, again) and np.array_equal((c + r).view(np.int64), x)
    by_server = world.run(view_bits, Word(x, 64), pivot=pivot).value
    u, v, again = (by_server[(pivot + role) % 3] for role in (0, 1, 2))
    assert np.array_equal(v, again) and np.array_equal(convert.column_from_planes(u ^ v, 65).view(np.int64), x)


# ---- bits to ring elements


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("ring", RINGS)
def test_a_bit_becomes_a_ring_element(ring: Ring, pivot: int) -> None:
    for rows in some_rows(ring.bits, pivot):
        declared = cost_of(convert.bit_to_ring, rows, ring)
        ran = run_at_cost(World(rows), declared, into(convert.bit_to_ring, ring), flags(rows), pivot=pivot)
        assert np.array_equal(ran.value, TWINS[convert.bit_to_ring](flags(rows), ring=ring)) and ran.value.dtype == ring.dtype


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("protocol", [convert.to_ring, convert.to_ring_direct, convert.to_ring_adder])
@pytest.mark.parametrize("ring", RINGS)
def test_a_word_becomes_a_ring_element(ring: Ring, protocol: Any, pivot: int) -> None:
    for rows, width in ((1, 1), (65, 3), (65, 32), (64, ring.bits), (100, 40), (1003, 13)):
        column = words(rows, width)
        declared = cost_of(protocol, rows, width, ring)
        ran = run_at_cost(World(rows), declared, into(protocol, ring), Word(column, width), pivot=pivot)
        assert np.array_equal(ran.value, TWINS[protocol](column, ring=ring)), (rows, width)


@given(st.lists(st.integers(0, 2**20 - 1), min_size=1, max_size=100), st.integers(1, 64), st.sampled_from(PIVOTS))
def test_any_word_into_any_ring(column: list[int], bits: int, pivot: int) -> None:
    ran = World(bits).run(into(convert.to_ring, Ring(bits)), Word(column, 20), pivot=pivot)
    assert ran.value.tolist() == [value % 2**bits for value in column]


# ---- ring elements to bits


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("profile", [LAN, SKLANSKY])
@pytest.mark.parametrize("ring", RINGS)
def test_a_ring_element_becomes_a_word(ring: Ring, profile: Profile, pivot: int) -> None:
    for rows in some_rows(ring.bits, pivot):
        x = numbers(rows, ring)
        declared = cost_of(convert.to_bits, rows, ring.bits, profile.adder)
        ran = run_at_cost(World(rows, profile), declared, convert.to_bits, x, ring=ring, pivot=pivot)
        assert np.array_equal(ran.value, TWINS[convert.to_bits](x, bits=ring.bits))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=100), st.integers(1, 64), st.sampled_from([LAN, SKLANSKY]))
def test_any_number_to_any_width(column: list[int], bits: int, profile: Profile) -> None:
    ran = World(bits, profile).run(convert.to_bits, column, bits=bits)
    assert ran.value.tolist() == [value % 2**bits for value in column]


def test_there_and_back_again() -> None:
    async def round_trip(me: Party, x: Share) -> Share:
        return await convert.to_ring(me.step("back"), await convert.to_bits(me.step("there"), x), Z64)

    x = numbers(1003, Z64)
    assert np.array_equal(World(1).run(round_trip, x).signed, x)


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("bits", [1, 2, 3, 20, 63])
def test_the_carry_of_the_summands(bits: int, pivot: int) -> None:
    for rows in some_rows(bits, pivot):
        c, r = words(rows, bits), np.random.default_rng(rows).integers(0, 2**bits, rows, dtype=np.uint64)
        protocol = as_servers(c, r, r)(convert.carry, bits)
        ran = run_at_cost(World(rows), cost_of(convert.carry, rows, bits), protocol, pivot=pivot)
        assert np.array_equal(ran.value, TWINS[convert.carry](c, r, bits=bits))


# ---- every value of tiny rings, under every sharing of them


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("bits", [1, 2, 3])
def test_every_sharing_of_every_tiny_number(bits: int, pivot: int) -> None:
    ring = Ring(bits)
    dealt, x = every_sharing(ring)
    assert np.array_equal(World().run(convert.to_bits, dealt, pivot=pivot).value, x)
    small = np.flatnonzero(x < max(1, 1 << (bits - 1)))
    below = Dealt(tuple(one[small] for one in dealt.at))
    for wide in (Ring(bits), Ring(bits + 1), Ring(7), Z64):
        assert np.array_equal(World().run(into(convert.cast_up, wide), below, pivot=pivot).value, x[small])


# ---- between rings

PAIRS = ((2, 3), (3, 8), (8, 64), (13, 14), (32, 33), (32, 64), (33, 64), (63, 64), (64, 64))


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize(("bits", "wide"), PAIRS)
def test_numbers_survive_a_wider_ring(bits: int, wide: int, pivot: int) -> None:
    narrow, ring = Ring(bits), Ring(wide)
    for rows in some_rows(bits, pivot):
        signed = numbers(rows, Ring(bits - 1))
        unsigned = signed & ((1 << (bits - 1)) - 1)
        for protocol, x in ((convert.cast_up, unsigned), (convert.cast_up_signed, signed)):
            declared = cost_of(protocol, rows, narrow, ring)
            ran = run_at_cost(World(rows), declared, into(protocol, ring), x, ring=narrow, pivot=pivot)
            assert np.array_equal(ran.value, TWINS[protocol](x, ring=ring)), protocol.__name__


async def refused(me: Party, secret: Share | Bits, protocol: Any, ring: Ring) -> str:
    """What the protocol says before it sends anything."""
    with pytest.raises(OurFault) as caught:
        await protocol(me, secret, ring)
    return str(caught.value)


def test_what_makes_no_sense_is_refused() -> None:
    down = World().run(lambda me, x: refused(me, x, convert.cast_up, Z32), [1, 2, 3])
    wide = World().run(lambda me, x: refused(me, x, convert.bit_to_ring, Z64), Word([1, 2, 3], 2))
    assert all("use cast_down" in said for said in down.value)
    assert all("take one plane" in said for said in wide.value)


# ---- costs by the design's table, blocks


@pytest.mark.parametrize(
    ("cost", "rounds", "bytes_per_row"),
    [
        (cost_of(convert.bit_to_ring, 6400, Z64), 2, 8),
        (cost_of(convert.bit_to_ring, 6400, Z32), 2, 4),
        (cost_of(convert.cast_up, 6400, Z32, Z64), 2, 6.67),
        (cost_of(convert.to_ring, 6400, 16, Ring(16)), 2, 7.0),
        (cost_of(convert.to_ring, 6400, 32, Z32), 2, 24.67),
        (cost_of(convert.to_ring, 6400, 64, Z64), 13, 36.62),
        (cost_of(convert.to_bits, 6400, 64, "sklansky"), 8, 46.67),
        (cost_of(convert.to_bits, 6400, 64, "brent-kung"), 12, 28.67),
        (cost_of(convert.to_bits, 6400, 32, "sklansky"), 7, 18.92),
        (cost_of(convert.to_bits, 6400, 32, "brent-kung"), 10, 13.17),
    ],
)
def test_costs_are_those_of_the_design_or_better(cost: Cost, rounds: int, bytes_per_row: float) -> None:
    assert cost.rounds == rounds
    assert cost.bytes_per_server / 6400 == pytest.approx(bytes_per_row, abs=0.02)


@pytest.mark.parametrize("network", [adder.sklansky, adder.brent_kung, adder.carry_tree])
@pytest.mark.parametrize("width", range(1, 20))
def test_networks_merge_adjacent_spans(network: Callable[[int], adder.Network], width: int) -> None:
    first = list(range(width))
    for level in network(width):
        before, merges = list(first), level.merges
        for high, low in zip(level.into[:merges], level.right[:merges], strict=True):
            assert low == before[high] - 1, "a span takes in the one right below it"
            first[high] = before[low]
        assert set(level.into[merges:] - width) == {high for high in level.into[:merges] if first[high] > 0}
    assert first[-1] == 0
    assert network is adder.carry_tree or first == [0] * width


def test_conversions_run_in_blocks_on_rotating_pivots() -> None:
    rows, world = 1003, World(5, Profile(block_rows=128, blocks_in_flight=3))
    condition, x = flags(rows), numbers(rows, Z32)

    def blocks(protocol: Any, **public: Any) -> Any:
        return lambda me, secret: in_blocks(protocol, me, secret, **public)

    bit = world.run(blocks(convert.bit_to_ring, ring=Z64), condition)
    word = world.run(blocks(convert.to_bits), x, ring=Z32)
    back = world.run(blocks(convert.to_ring, ring=Z32), Word(word.value, 32))
    cast = world.run(blocks(convert.cast_up, ring=Z64), np.abs(x) % 2**31, ring=Z32)
    assert np.array_equal(bit.value, condition) and np.array_equal(word.value, Z32.encode(x))
    assert np.array_equal(back.signed, x) and np.array_equal(cast.value, (np.abs(x) % 2**31).astype(np.uint64))
    assert bit.cost.bytes == cost_of(convert.bit_to_ring, rows, Z64).bytes
    sent = [one.bytes_sent for one in bit.outcome.traffic]
    assert max(sent) < 1.2 * min(sent), "a rotating pivot keeps links even"
