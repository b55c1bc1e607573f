"""Protocols side by side and over row blocks: the same results, merged rounds, bounded flight."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.limits import BLOCK_ROWS
from accord.base.ring import Z64
from accord.mpc.bits import and_bits
from accord.mpc.coins import PairKeys
from accord.mpc.compare import sign
from accord.mpc.compose import in_blocks, together
from accord.mpc.convert import bit_to_ring
from accord.mpc.cost import cost_of
from accord.mpc.party import LAN, Party, Profile
from accord.mpc.product import multiply
from accord.mpc.share import Bits, Share
from accord.testing.traces import NotingWorld, label_faults
from accord.testing.world import Word, World
from accord.wire.local import run_local
from tests.mpc.cases import numbers, words

X, Y = numbers(1003, Z64), numbers(1003, Z64, seed=1)
SMALL = Profile(block_rows=64, blocks_in_flight=3)


async def power(me: Party, x: Share, times: int) -> Share:
    """x^(times + 1): so many rounds."""
    product = x
    for number in range(times):
        product = await multiply(me.step(f"times.{number}"), product, x)
    return product


async def three_powers(me: Party, x: Share) -> Any:
    return tuple(await together(*(power(me.step(f"power.{times}"), x, times) for times in (3, 0, 1))))


def test_rounds_side_by_side_are_merged() -> None:
    ran = World(1).run(three_powers, X)
    assert [np.array_equal(got, X.astype(np.uint64) ** np.uint64(n)) for got, n in zip(ran.value, (4, 1, 2), strict=True)] == [True] * 3
    assert ran.cost == cost_of(multiply, 1003, Z64).then(cost_of(multiply, 1003, Z64)).then(cost_of(multiply, 1003, Z64)).beside(
        cost_of(multiply, 1003, Z64)
    )


def test_nothing_side_by_side_is_nothing() -> None:
    async def none(me: Party) -> int:
        return len(await together())

    ran = World(1).run(none)
    assert ran.value == [0, 0, 0] and ran.exchanges == 0


def test_paths_side_by_side_must_differ() -> None:
    async def same(me: Party, x: Share) -> Any:
        return await together(multiply(me, x, x), multiply(me, x, x))

    with pytest.raises(OurFault, match="spent"):
        World(1).run(same, X)


def test_nested_compositions_keep_in_step() -> None:
    async def nested(me: Party, x: Share, y: Share) -> Any:
        deep = together(power(me.step("a"), x, 2), in_blocks(multiply, me.step("b"), x, y))
        return tuple(await together(power(me.step("c"), y, 1), deep))

    async def flat(me: Party, x: Share, y: Share) -> Any:
        first, (second, third) = await nested(me, x, y)
        return first, second, third

    ran = World(1, SMALL).run(flat, X, Y)
    for got, expected in zip(ran.value, (Y * Y, X * X * X, X * Y), strict=True):
        assert np.array_equal(got, Z64.encode(expected))


@pytest.mark.parametrize("rounds", [1, 2, 7])
@pytest.mark.parametrize("in_flight", [1, 2, 4, 100])
@pytest.mark.parametrize("block_rows", [64, 192, 960, 1024])
def test_blocks_give_the_whole_result(rounds: int, in_flight: int, block_rows: int) -> None:
    async def blocks(me: Party, x: Share) -> Any:
        return await in_blocks(power, me, x, times=rounds)

    ran = World(2, Profile(block_rows=block_rows, blocks_in_flight=in_flight)).run(blocks, X)
    assert np.array_equal(ran.value, X.astype(np.uint64) ** np.uint64(rounds + 1))
    assert ran.cost.bytes == rounds * cost_of(multiply, 1003, Z64).bytes


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 128, 1003])
def test_blocks_of_bits_and_of_several_columns(rows: int) -> None:
    async def both(me: Party, x: Share, a: Bits, b: Bits) -> Any:
        negative, anded = await together(sign(me.step("sign"), x, 64), and_bits(me.step("and"), a, b))
        return x, negative, anded

    async def blocks(me: Party, x: Share, a: Bits, b: Bits) -> Any:
        return await in_blocks(both, me, x, a, b)

    a, b = words(rows, 3), words(rows, 3, seed=1)
    x, negative, anded = World(rows, SMALL).run(blocks, X[:rows], Word(a, 3), Word(b, 3)).value
    assert np.array_equal(Z64.decode(x), X[:rows])
    assert np.array_equal(negative, X[:rows] < 0) and np.array_equal(anded, a & b)


def test_blocks_have_coins_of_their_own_and_rotate_the_pivot() -> None:
    seen = set()

    async def noted(me: Party, x: Share) -> Bits:
        seen.add((me.row, me.pivot))
        return await sign(me, x, 64)

    async def blocks(me: Party, x: Share) -> Any:
        return await in_blocks(noted, me, x)

    world = NotingWorld(3, SMALL)
    ran = world.run(blocks, X, pivot=1)
    assert np.array_equal(ran.value, X < 0)
    assert seen == {(row, (1 + row // 64) % 3) for row in range(0, 1003, 64)}
    assert label_faults(world.drawn) == []
    sent = [one.bytes_sent for one in ran.outcome.traffic]
    assert max(sent) < 1.2 * min(sent), "one pivot for all would load one link"


def test_the_flight_is_bounded_in_every_round() -> None:
    """A block with more rounds comes back into the flight: never more blocks are unheard than the profile says."""
    started, landed, worst = set(), set(), []

    async def watched(me: Party, x: Share) -> Share:
        if me.index == 0:
            started.add(me.row)
            worst.append(len(started - landed))
        product = await power(me, x, 5)
        landed.add(me.row) if me.index == 0 else None
        return product

    async def blocks(me: Party, x: Share) -> Any:
        return await in_blocks(watched, me, x)

    World(3, SMALL).run(blocks, X)
    assert max(worst) <= SMALL.blocks_in_flight and len(started) == 16


def test_what_is_sent_goes_out_before_anything_is_awaited() -> None:
    """The first blocks' messages leave before the first one is heard: masks, arithmetic and wire overlap."""
    world = World(4, SMALL)
    me = world.parties()[0]
    running = in_blocks(multiply, me, world.deal(X).at[0], world.deal(Y).at[0])
    sends = 0
    while (request := running.send(None)).sends:
        assert not request.hears
        sends += 1
    assert sends == SMALL.blocks_in_flight and len(request.hears) == 1
    running.close()


async def chosen(me: Party, x: Share, y: Share, bits: int) -> Any:
    """Several rounds, pivots, bits and elements."""
    below = await sign(me.step("below"), x, bits)
    return below, await multiply(me.step("product"), await bit_to_ring(me.step("flag"), below, Z64), y)


@pytest.mark.parametrize("rows", [64, 100, 1003])
@pytest.mark.parametrize("in_flight", [1, 3, 4])
def test_threads_change_neither_results_nor_what_is_said(rows: int, in_flight: int) -> None:
    """Whether servers have threads, and how many each: the same results, and on every link the same bytes in the same order."""
    world, said = World(6, Profile(block_rows=64, blocks_in_flight=in_flight)), []
    x, y = world.deal(X[:rows]), world.deal(Y[:rows])
    for threads in ((0, 0, 0), (0, 2, 5)):
        pools = [ThreadPoolExecutor(many) if many else None for many in threads]
        parties = [Party(i, PairKeys({c: bytes([c]) * 16 for c in (i, (i + 1) % 3)}), "", 0, 0, world.profile, pools[i]) for i in range(3)]
        ran = run_local([in_blocks(chosen, me, x.at[me.index], y.at[me.index], bits=64) for me in parties], keep=True)
        products = [product.own for _, product in ran.results]
        assert np.array_equal(Z64.decode(sum(products[1:], products[0])), np.where(X[:rows] < 0, Y[:rows], 0))
        parts = [part.tobytes() for one in ran.results for secret in one for part in (secret.own, secret.next)]
        lines = [[(one.path, one.payload) for one in of.lines if one.receiver == peer] for of in ran.traffic for peer in range(3)]
        said.append((parts, lines))
        for pool in filter(None, pools):
            pool.shutdown()
    assert said[0] == said[1]


def test_only_blocks_that_share_nothing_run_side_by_side() -> None:
    async def noting(me: Party, x: Share, into: list[Any]) -> Share:
        into.append((me.row, threading.current_thread()))
        return x

    world, seen = World(1, SMALL), []
    with ThreadPoolExecutor(2) as pool, pytest.raises(StopIteration):
        in_blocks(noting, replace(world.parties()[0], pool=pool), world.deal(X).at[0], into=seen).send(None)
    assert seen == [(row, threading.current_thread()) for row in range(0, 1003, 64)]


def test_a_protocol_that_changes_rows_is_no_row_wise_one() -> None:
    async def halved(me: Party, x: Share) -> Share:
        return x[: x.rows // 2]

    async def blocks(me: Party, x: Share) -> Any:
        return await in_blocks(halved, me, x)

    with pytest.raises(OurFault):
        World(1, SMALL).run(blocks, X)


def test_small_tables_are_one_block() -> None:
    async def blocks(me: Party, x: Share, y: Share) -> Any:
        return await in_blocks(multiply, me, x, y)

    assert World(1).run(blocks, X, Y).exchanges == 1
    assert LAN.block_rows == BLOCK_ROWS
