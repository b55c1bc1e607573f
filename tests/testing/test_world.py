"""The world notices what a protocol's own result would hide: copies that differ, servers out of step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z8
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.testing.world import Word, World


async def as_it_is(me: Party, x: Any) -> Any:
    return x


def test_what_is_dealt_comes_back() -> None:
    world = World(3)
    assert world.run(as_it_is, [-1, 0, 300]).signed.tolist() == [-1, 0, 300]
    assert world.run(as_it_is, [-1, 300], ring=Z8).signed.tolist() == [-1, 44]
    assert world.run(as_it_is, Word([5, 9], 3)).value.tolist() == [5, 1]
    assert world.run(as_it_is, np.array([True, False])).value.tolist() == [1, 0]


@pytest.mark.parametrize("server", range(3))
def test_copies_that_differ_are_an_error(server: int) -> None:
    async def damaged(me: Party, x: Any) -> Any:
        if me.index != server:
            return x
        if isinstance(x, Share):
            return Share(x.ring, x.own, x.next + x.ring.dtype.type(1))
        return Bits(x.rows, x.own, x.next ^ np.uint64(1))

    for column in ([1, 2], np.array([True, False])):
        with pytest.raises(OurFault, match=f"servers {server} and {(server + 1) % 3} hold different copies"):
            World().run(damaged, column)


def test_servers_out_of_step_are_an_error_that_names_the_seed() -> None:
    async def uneven(me: Party, x: Share) -> Share:
        if me.index == 1:
            await me.exchange({}, {})
        return x

    with pytest.raises(OurFault, match=r"the servers awaited \[0, 1, 0\] exchanges"):
        World().run(uneven, [1])

    async def broken(me: Party, x: Share) -> Share:
        raise OurFault("no")

    with pytest.raises(OurFault) as caught:
        World(41).run(broken, [1])
    assert "seed=41" in caught.value.__notes__[0]
