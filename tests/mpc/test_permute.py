"""Secret permutations: applied, undone, composed, used again later; what is none is refused; at declared cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z8, Z16, Z32, Z64, Ring
from accord.mpc import permute
from accord.mpc.cost import Cost, cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import Party, Profile
from accord.mpc.permute import Permutation, apply, apply_first, compose, gather, identity, index_ring, inverse
from accord.mpc.shuffle import Shuffle, draw_shuffle, load_of, packed, way_through
from accord.testing.world import Dealt, World
from tests.mpc.cases import PIVOTS, ROWS, flags, numbers, run_at_cost, words


def permutation(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([rows, seed]).permutation(rows)


def dealt(x: np.ndarray, ring: Ring = Z64) -> Dealt:
    return World(7).deal(x, ring)


async def first(me: Party, dest: Any, *columns: Any) -> Any:
    _, moved = await apply_first(me, dest, columns)
    return tuple(moved)


async def opened(me: Party, dest: Any) -> Permutation:
    return (await apply_first(me.step("open"), dest))[0]


async def told(me: Party, dest: Any) -> Any:
    return (await opened(me, dest)).place


async def taken(me: Party, dest: Any, *columns: Any) -> Any:
    return tuple(await gather(me.step("gather"), await opened(me, dest), columns))


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("rows", ROWS)
def test_rows_go_where_they_are_sent(rows: int, pivot: int) -> None:
    dest, x, word = permutation(rows), numbers(rows, Z64), words(rows, 37)
    secrets = dealt(dest, index_ring(rows)), dealt(x), World(8).deal_bits(word, 37)
    ring = index_ring(rows)
    ran = run_at_cost(World(rows), cost_of(apply_first, rows, ring, Z64, 37), first, *secrets, pivot=pivot)
    expected = TWINS[apply_first](dest, [Z64.encode(x), word])
    assert all(np.array_equal(got, column) for got, column in zip(ran.value, expected, strict=True))
    price = cost_of(apply_first, rows, ring).then(cost_of(gather, rows, Z64, 37))
    ran = run_at_cost(World(rows), price, taken, *secrets, pivot=pivot)
    expected = TWINS[gather](dest, [Z64.encode(x), word])
    assert all(np.array_equal(got, column) for got, column in zip(ran.value, expected, strict=True))


@pytest.mark.parametrize("ring", [Z8, Ring(9), Z16, Z32, Z64])
def test_dest_of_any_ring(ring: Ring) -> None:
    dest = permutation(200)
    ran = run_at_cost(World(2), cost_of(apply_first, 200, ring, Z64), first, dealt(dest, ring), dealt(np.arange(200)))
    assert np.array_equal(ran.value[0][dest], np.arange(200))


def test_dest_as_words() -> None:
    dest = permutation(200)
    ran = run_at_cost(World(2), cost_of(apply_first, 200, 8, 1), first, World(3).deal_bits(dest, 8), World(4).deal_bits(flags(200), 1))
    assert np.array_equal(ran.value[0][dest], flags(200))


def test_one_opening_moves_columns_of_later_steps() -> None:
    """There and back by one permutation, every time under fresh coins: else the coins would be spent."""

    async def later(me: Party, dest: Any, x: Any, y: Any) -> Any:
        by = await opened(me, dest)
        (once,) = await apply(me.step("once"), by, [x])
        (again, more) = await apply(me.step("again"), by, [x, y])
        (back,) = await gather(me.step("back"), by, [once])
        return once, again, more, back

    dest, x, y = permutation(100), numbers(100, Z64), np.arange(100)
    price = cost_of(apply_first, 100, Z8)
    for kinds in ((Z64,), (Z64, Z64), (Z64,)):
        price = price.then(cost_of(apply, 100, *kinds))
    ran = run_at_cost(World(1), price, later, dealt(dest, Z8), dealt(x), dealt(y))
    once, again, more, back = ran.value
    assert np.array_equal(once, Z64.encode(TWINS[apply](dest, [x])[0])) and np.array_equal(again, once)
    assert np.array_equal(more[dest], y) and np.array_equal(back, Z64.encode(x))


@pytest.mark.parametrize("rows", ROWS)
def test_inverse_and_compose(rows: int) -> None:
    async def both(me: Party, dest: Any, then: Any) -> Any:
        by = await opened(me, dest)
        return await inverse(me.step("inverse"), by), await compose(me.step("compose"), by, then)

    dest, then, ring = permutation(rows), permutation(rows, 1), index_ring(rows)
    price = cost_of(apply_first, rows, ring).then(cost_of(inverse, rows)).then(cost_of(compose, rows, ring))
    ran = run_at_cost(World(rows), price, both, dealt(dest, ring), dealt(then, ring))
    assert np.array_equal(ran.value[0], TWINS[inverse](dest)) and np.array_equal(ran.value[0][dest], np.arange(rows))
    assert np.array_equal(ran.value[1], TWINS[compose](dest, then))


def test_in_blocks() -> None:
    dest, x = permutation(1003), np.arange(1003)
    for block_rows in (64, 960):
        world = World(3, Profile(block_rows=block_rows, blocks_in_flight=3))
        ran = world.run(first, dealt(dest, Z16), dealt(x), World(5).deal_bits(x, 10))
        assert np.array_equal(ran.value[0][dest], x) and np.array_equal(ran.value[1][dest], x)
        assert ran.cost.bytes == cost_of(apply_first, 1003, Z16, Z64, 10).bytes


@pytest.mark.parametrize("damage", [lambda dest: dest * 0, lambda dest: dest + 1, lambda dest: np.where(dest == 3, 4, dest)])
def test_what_is_no_permutation_is_refused(damage: Any) -> None:
    """Out of range, or twice the same: nothing is written outside of a column, nothing comes back."""
    for rows in (64, 5000):
        with pytest.raises(OurFault, match="not a permutation"):
            World(1).run(first, dealt(damage(permutation(rows)), Z16), dealt(np.arange(rows)))


def test_a_second_opening_under_one_shuffle_is_refused() -> None:
    async def twice(me: Party, dest: Any, then: Any) -> Any:
        way = way_through(draw_shuffle(me.step("draw"), dest.rows))
        for number, column in enumerate((dest, then)):
            (whole,) = packed(way.rows, [column])
            await permute.carried(me.step(str(number)), way, load_of(me, way, whole, opens=True), [])

    with pytest.raises(OurFault, match="second permutation opened under one shuffle"):
        World(1).run(twice, dealt(permutation(9), Z8), dealt(permutation(9, 1), Z8))


def test_what_is_opened_is_uniform_whatever_the_permutation_is() -> None:
    """Of three rows: all six places as often, for a fixed dest. Chi-squared of 5 degrees below 26 but once in 10,000 seeds."""
    for dest in ([0, 1, 2], [2, 0, 1]):
        world, counts = World(4), dict[bytes, int]()
        secret = dealt(np.array(dest), Z8)
        for _ in range(600):
            place = world.run(told, secret).value[0]
            counts[place.tobytes()] = counts.get(place.tobytes(), 0) + 1
        assert len(counts) == 6 and sum((count - 100) ** 2 for count in counts.values()) / 100 < 26


def test_every_server_is_told_the_same() -> None:
    ran = World(4).run(told, dealt(permutation(50), Z8))
    assert len({one.tobytes() for one in ran.value}) == 1
    assert repr(Permutation(Shuffle(50, 0, {}), ran.value[0])) == "<secret permutation of 50 rows>"


def test_identity_is_the_row_numbers() -> None:
    async def numbered(me: Party, x: Any) -> Any:
        return identity(me, x.rows)

    for rows in (1, 256, 257, 65_536, 65_537):
        assert np.array_equal(World().run(numbered, np.zeros(rows, np.int64)).value, np.arange(rows))
    assert [index_ring(rows).bits for rows in (1, 2, 3, 256, 257, 65_537)] == [1, 1, 2, 8, 9, 17]


def test_costs_are_those_of_the_design() -> None:
    assert cost_of(apply_first, 3000, Z32) == Cost(2, 3 * 8 * 3000), "8 bytes a row and server"
    assert cost_of(apply, 3000, Z64) == Cost(2, 32 * 3000), "10.67 bytes a row and server"


@pytest.mark.parametrize("rows", ROWS)
def test_rows_are_scattered_together(rows: int) -> None:
    x, word = np.arange(rows), np.arange(rows, dtype=np.uint64)

    async def scattered(me: Party, *columns: Any) -> Any:
        return tuple(await permute.scattered(me, columns))

    seen = []
    for seed in range(3):
        ran = run_at_cost(
            World(seed), cost_of(permute.scattered, rows, Z64, 40), scattered, World(seed).deal(x), World(9).deal_bits(word, 40)
        )
        assert np.array_equal(ran.value[0], ran.value[1]) and sorted(ran.value[0].tolist()) == x.tolist()
        seen.append(tuple(ran.value[0].tolist()))
    assert rows < 4 or len(set(seen)) > 1
