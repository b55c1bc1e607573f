"""Products of fixed-point columns."""

from __future__ import annotations

from accord.base.ring import Ring
from accord.mpc.cost import Cost, cost_of, costs
from accord.mpc.party import Party
from accord.mpc.product import multiply
from accord.mpc.share import Share
from accord.mpc.truncate import truncate


def fixed_multiply_cost(rows: int, fraction_bits: int, ring: Ring) -> Cost:
    return cost_of(multiply, rows, ring).then(cost_of(truncate, rows, fraction_bits, ring))


@costs(fixed_multiply_cost)
async def fixed_multiply(me: Party, x: Share, y: Share, fraction_bits: int) -> Share:
    """x · y / 2^fraction_bits, rounded down or up: the fixed-point product where y has `fraction_bits` of them [CS10].

    `base.fixed.FixedPoint.times` says beforehand, from the bounds of both, whether it fits and what bounds it has.

    Learns: nobody anything; the rounding as `truncate`.
    Opens:  nothing.
    Cost:   3 rounds; up to 32 fraction bits in Z_2^64 14.7 bytes a row and server. Facts: rows, fraction_bits, ring.
    Needs:  −2^(k−2) ≤ x · y < 2^(k−2) in Z_2^k; 0 ≤ fraction_bits ≤ k − 2.
    """
    return await truncate(me.step("truncate"), await multiply(me.step("product"), x, y), fraction_bits)
