"""Division by a public power of two: the stochastic rounding of fixed-point products, and the exact floor.

Both take the pivot view x = c + r. With x offset by a quarter of the ring its top bit is 0, so that c + r wraps exactly where the
top bit of c or of r is 1: the wrap is corrected, never guessed, and no input fails however large.
"""

from __future__ import annotations

import numpy as np

from accord.base.errors import OurFault
from accord.base.ring import Column, Ring
from accord.mpc.compose import together
from accord.mpc.convert import bit_to_ring, carry, held, pivot_input, reshare, summand
from accord.mpc.cost import FREE, Cost, cost_of, costs
from accord.mpc.kernels_ring import lifted_sum, shifted_down
from accord.mpc.party import Party
from accord.mpc.share import Share


def truncate_cost(rows: int, shift: int, ring: Ring) -> Cost:
    return Cost(2, ring.nbytes(rows) + 3 * wrap_ring(ring, shift).nbytes(rows)) if shift else FREE


@costs(truncate_cost)
async def truncate(me: Party, x: Share, shift: int) -> Share:
    """x / 2^shift, rounded down or up: ⌊·⌋, or ⌊·⌋ + 1 with the chance (x mod 2^shift + 1) / 2^shift [DEK20].

    The mean is right but for 2^−shift of a unit, and the error is above −1 and at most 1.

    Learns: nobody anything. Which way it rounds follows from r, which two servers know [LDH+23]: if the result is released, one
            comparison on the discarded fraction can be known to them, the leak `rounding` of docs/openings.md [SMU+24]. For results
            that must not depend on coins use `floor_shift`.
    Opens:  nothing.
    Cost:   2 rounds; at shift ≤ 32 in Z_2^64 6.67 bytes a row and server. Facts: rows, shift, ring.
    Needs:  −2^(k−2) ≤ x < 2^(k−2) in Z_2^k; 0 ≤ shift ≤ k − 2.
    """
    _require_shift(x.ring, shift)
    return await _wrap_fixed(me, x, shift, added=1) if shift else x


def floor_shift_cost(rows: int, shift: int, ring: Ring) -> Cost:
    if shift == 0:
        return FREE
    carried = cost_of(carry, rows, shift).then(cost_of(bit_to_ring, rows, ring))
    return truncate_cost(rows, shift, ring).beside(carried)


@costs(floor_shift_cost)
async def floor_shift(me: Party, x: Share, shift: int) -> Share:
    """⌊x / 2^shift⌋, exactly: the shifted summands, and the carry out of the discarded low bits [CH10].

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   4 + ⌈log2 shift⌉ rounds; at shift 20 in Z_2^64 about 20 bytes a row and server. Facts: rows, shift, ring.
    Needs:  −2^(k−2) ≤ x < 2^(k−2) in Z_2^k; 0 ≤ shift ≤ k − 2.
    """
    _require_shift(x.ring, shift)
    if shift == 0:
        return x
    high, low = await together(_wrap_fixed(me.step("high"), x, shift), _low_carry(me.step("low"), x, shift))
    whole: Share = high + low
    return whole


async def _low_carry(me: Party, x: Share, shift: int) -> Share:
    """The carry of (c mod 2^shift) + (r mod 2^shift), as 0 or 1 in the ring. The offset has no such low bits."""
    carried = await carry(me.step("carry"), summand(me, x), shift)
    return await bit_to_ring(me.step("ring"), carried, x.ring)


async def _wrap_fixed(me: Party, x: Share, shift: int, added: int = 0) -> Share:
    """(c >> shift) + (r >> shift) − wrap · 2^(k − shift): ⌊x / 2^shift⌋, less the carry of the discarded bits, plus what is `added`."""
    ring, rows, offset, narrow = x.ring, x.rows, 1 << (x.ring.bits - 2), wrap_ring(x.ring, shift)
    view = summand(me, x)
    part, flag = np.empty(rows, ring.dtype), np.empty(rows, narrow.dtype)
    shifted_down(view, 0 if me.role else offset, shift, ring.bits, part, flag)
    word, wrap = await together(
        pivot_input(me.step("word"), part if me.role == 0 else None, ring, rows),
        pivot_input(me.step("wrap"), flag if me.role == 0 else None, narrow, rows),
    )
    both = await reshare(me.step("both"), held(me, wrap) * flag if me.role else None, narrow, rows)
    # Component 2 of what role 0 has shared is zero: r's part takes its place.
    own, after = part if me.role == 2 else word.own, part if me.role == 1 else word.next
    constant = added - (offset >> shift)
    summands = (own, both.own, me.index), (after, both.next, me.right)
    return Share(ring, *(_lifted(ring, high, wraps, shift, constant * (number == 0)) for high, wraps, number in summands))


def _lifted(ring: Ring, high: Column, wraps: Column, shift: int, constant: int) -> Column:
    """high + wraps · 2^(k − shift) + constant."""
    out = np.empty_like(high)
    lifted_sum(high, wraps, ring.bits - shift, constant & int(ring.mask), out)
    return ring.reduce(out)


def wrap_ring(ring: Ring, shift: int) -> Ring:
    """A ring for a bit that will be multiplied by 2^(k − shift): `shift` bits matter.

    In a full ring the next full one, whose elements need no packing.
    """
    exact = Ring(shift)
    return Ring(8 * exact.dtype.itemsize) if ring.is_full else exact


def _require_shift(ring: Ring, shift: int) -> None:
    if not 0 <= shift <= ring.bits - 2:
        raise OurFault(f"a shift by {shift} in Z_2^{ring.bits}", rule=f"0 to {ring.bits - 2}")
