"""Public values as secrets, and one server's own column."""

from __future__ import annotations

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z32, Z64, Ring
from accord.mpc import ideal
from accord.mpc.cost import Cost, cost_of
from accord.mpc.inputs import add_own, add_public, input_from, public_share
from accord.mpc.party import Party
from accord.mpc.share import Share
from accord.testing.world import World
from tests.mpc.cases import ROWS, numbers, run_at_cost

RINGS = [Ring(bits) for bits in (1, 5, 8, 32, 64)]


async def public(me: Party, column: np.ndarray, ring: Ring) -> Share:
    return public_share(me, column, ring)


@pytest.mark.parametrize("ring", RINGS)
def test_a_public_column_is_its_own_value(ring: Ring) -> None:
    for rows in ROWS:
        x = numbers(rows, ring)
        ran = run_at_cost(World(rows), Cost(0, 0), lambda me, x=x: public(me, x, ring))
        assert np.array_equal(ran.signed, x)


@pytest.mark.parametrize("ring", RINGS)
def test_adding_what_is_public(ring: Ring) -> None:
    async def added(me: Party, x: Share, value: object) -> Share:
        return add_public(me, x, value)

    x, y = numbers(65, ring), numbers(65, ring, seed=1)
    assert np.array_equal(World().run(added, x, ring=ring, value=y).signed, ring.decode(ring.encode(x + y)))
    for value in (0, 1, -1, 3, -(2**63), 2**63):
        expected = ring.decode(np.array([(int(one) + value) % (1 << ring.bits) for one in x], np.uint64).astype(ring.dtype))
        assert np.array_equal(World().run(added, x, ring=ring, value=value).signed, expected), value


@pytest.mark.parametrize("server", range(3))
def test_one_server_shares_its_column(server: int) -> None:
    for rows in ROWS:
        for ring in (Z64, Z32, Ring(5)):
            x = numbers(rows, ring)

            async def entered(me: Party, x: np.ndarray = x, ring: Ring = ring, rows: int = rows) -> Share:
                return await input_from(me, server, x if me.index == server else None, ring, rows)

            ran = run_at_cost(World(rows), cost_of(input_from, rows, ring), entered, pivot=1)
            assert np.array_equal(ran.signed, x)
    assert cost_of(input_from, 1000, Z64) == Cost(1, 8_000)


def test_each_server_adds_its_own() -> None:
    for rows in ROWS:
        x, draws = numbers(rows, Z64), [numbers(rows, Z64, seed=seed) for seed in (1, 2, 3)]

        async def added(me: Party, x: Share, draws: list[np.ndarray] = draws) -> Share:
            return await add_own(me, x, own=Z64.encode(draws[me.index]))

        ran = run_at_cost(World(rows), cost_of(add_own, rows, Z64), added, x)
        assert np.array_equal(ran.signed, ideal.TWINS[add_own](x, own=draws))
    assert np.array_equal(World().run(lambda me, x: add_own(me, x, own=None), np.arange(5)).signed, np.arange(5))


def test_that_server_and_no_other_gives_the_column() -> None:
    for gives in ((), (0, 1), (2,)):
        with pytest.raises(OurFault, match="input of server 1"):
            World().run(lambda me, gives=gives: input_from(me, 1, np.arange(3) if me.index in gives else None, Z64, 3))
