"""Uniform numbers that no server knows: what is rounded at random is rounded by them."""

from __future__ import annotations

from accord.base.errors import OurFault
from accord.base.ring import Z64
from accord.mpc.convert import to_ring
from accord.mpc.cost import FREE, Cost, cost_of, costs
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.mpc.truncate import floor_shift

FINE_BITS = 32
"""Of the uniform number that is scaled down: the chance of each result is 1 / below to within 2^−32."""
BELOW_MAX = 1 << 20


def uniform_below_cost(rows: int) -> Cost:
    if not rows:
        return FREE
    return cost_of(to_ring, rows, FINE_BITS, Z64).then(cost_of(floor_shift, rows, FINE_BITS, Z64))


@costs(uniform_below_cost)
async def uniform_below(me: Party, like: Share, below: int) -> Share:
    """A fresh number 0 … below − 1 for each row of a column, as good as uniform: ⌊R · below / 2^32⌋ for R uniform below 2^32.

    Each component of R is a coin that two servers hold, so that the third, whichever it is, does not know R.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `to_ring` of 32 bits and `floor_shift` by 32. Facts: rows.
    Needs:  1 ≤ below ≤ 2^20.
    """
    if not 1 <= below <= BELOW_MAX:
        raise OurFault(f"uniform numbers below {below}", rule=f"1 to {BELOW_MAX}")
    if not like.rows:
        return like
    coins = Bits(like.rows, *(me.mask_planes(me.index + j, FINE_BITS, like.rows, "uniform") for j in (0, 1)))
    wide = await to_ring(me.step("ring"), coins, Z64)
    return await floor_shift(me.step("scale"), wide.times(below), FINE_BITS)
