"""The test world itself: it sees copies that disagree and servers out of step, and says how to repeat a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z8, Z64, Ring
from accord.mpc.party import Party
from accord.mpc.product import multiply
from accord.mpc.share import Bits, Share
from accord.testing.views import every_view
from accord.testing.world import Word, World, reconstruct


async def same(me: Party, *secrets: Any) -> Any:
    return secrets if len(secrets) > 1 else secrets[0]


def test_what_is_dealt_is_what_comes_back() -> None:
    numbers, flags, words = np.array([0, -1, 5]), np.array([True, False, True]), np.array([7, 0, 3])
    ran = World(1).run(same, numbers, flags, Word(words, 3))
    assert [one.tolist() for one in ran.value] == [Z64.encode(numbers).tolist(), [1, 0, 1], [7, 0, 3]]
    assert World(1).run(same, numbers, ring=Z8).signed.tolist() == [0, -1, 5]
    assert World(1).run(same, World(2).deal(numbers)).signed.tolist() == [0, -1, 5]


def test_a_world_repeats_itself() -> None:
    one, again, other = (World(seed).run(multiply, [1, 2], [3, 4]) for seed in (5, 5, 6))
    assert all(np.array_equal(a.own, b.own) for a, b in zip(one.held, again.held, strict=True))
    assert not np.array_equal(one.held[0].own, other.held[0].own)


async def broken_copy(me: Party, x: Share) -> Share:
    return replace(x, own=x.own + np.uint64(me.index == 1))


async def broken_bits(me: Party, x: Bits) -> Bits:
    return replace(x, next=x.next ^ np.uint64(me.index == 2))


@pytest.mark.parametrize(("protocol", "column"), [(broken_copy, [1]), (broken_bits, [True])])
def test_copies_that_disagree_are_found(protocol: Any, column: Any) -> None:
    with pytest.raises(OurFault, match="different copies of component") as caught:
        World(41).run(protocol, column, pivot=2)
    assert caught.value.__notes__ == ["in World(seed=41), pivot 2"]


def test_pad_bits_may_differ() -> None:
    async def padded(me: Party, x: Bits) -> Bits:
        return replace(x, next=x.next ^ np.uint64((me.index == 2) << 5))

    assert World().run(padded, np.ones(5, bool)).value.tolist() == [1] * 5


async def out_of_step(me: Party, x: Share) -> Share:
    for _ in range(1 + (me.index == 0)):
        await me.exchange({}, {})
    return x


def test_servers_out_of_step_are_found() -> None:
    with pytest.raises(OurFault, match=r"awaited \[2, 1, 1\] exchanges"):
        World().run(out_of_step, [1])


def test_plain_results_are_given_as_they_are() -> None:
    assert reconstruct([1, None, "x"]) == [1, None, "x"]


# ---- the enumeration itself


async def two_coins(me: Party, x: Share) -> Share:
    """Each server tells its neighbour one coin it lacks, through another one."""
    column = x.ring.reduce(me.mask(me.index, x.ring, x.rows) + x.own * x.ring.dtype.type(0))
    await me.swap(column, x.ring)
    return x


def test_every_sequence_is_there_once() -> None:
    """Three coins and two components of dealing, of 2 bits: 2^10 sequences, every own view as often."""
    views = every_view(two_coins, (Ring(2),), [(0,), (3,)])
    assert views.sequences == 1 << 10
    for number in (0, 1):
        counts = np.bincount(views.views[0][views.inputs == number])
        # Server 0 sees two components, its own coin, and its right neighbour's: 2^8 views.
        assert set(counts[counts > 0]) == {counts.max()} and (counts > 0).sum() == 1 << 8


def test_too_many_sequences_are_refused() -> None:
    """Two inputs of two components, three masks, of 8 bits."""
    with pytest.raises(OurFault, match=r"2\^56 coin sequences"):
        every_view(multiply, (Z8, Z8), [(0, 0)])


def test_a_coin_drawn_twice_is_refused() -> None:
    async def twice(me: Party, x: Share) -> Share:
        me.mask(me.index, x.ring, x.rows)
        me.mask(me.index, x.ring, x.rows)
        return x

    with pytest.raises(OurFault, match="twice"):
        every_view(twice, (Z8,), [(0,)])
