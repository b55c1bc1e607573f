"""From bits to wide columns: flags, words, choices by flags, exact floors."""

from __future__ import annotations

from typing import Any

import numpy as np

from accord.base.errors import OurFault
from accord.base.ring import Z64, Column, Ring
from accord.mpc.bits import bools_from_planes
from accord.mpc.compose import together
from accord.mpc.convert import carry, summand_bits, to_ring, to_ring_cost
from accord.mpc.cost import FREE, Cost, cost_of, costs
from accord.mpc.kernels_wide import add, subtract
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.mpc.wide import (
    Wide,
    mask_wide,
    multiply_wide,
    pivot_input_wide,
    require_shift,
    shift_wide,
    summand_wide,
    truncate_wide_cost,
    wide_product_cost,
    widen,
)

SPARE_BITS = 2
"""Bits of a lane above a number that `widen` takes."""

# ---- one bit


def reshare_wide_cost(rows: int, lane: Ring = Z64) -> Cost:
    return Cost(1, 2 * lane.nbytes(2 * rows))


@costs(reshare_wide_cost)
async def reshare_wide(me: Party, part: Column | None, lane: Ring, rows: int) -> Wide:
    """As `convert.reshare`: shares of a + b, where role 1 knows a, role 2 knows b, and role 0 gives None; fresh components 0 and 1.

    Learns: nobody anything; each of the two sees the other's summand under a mask that it lacks.
    Opens:  nothing.
    Cost:   1 round, 1 wide element a row each way between roles 1 and 2. Facts: rows, lane.
    """
    if me.role == 0:
        await me.exchange({}, {})
        return Wide(lane, mask_wide(me, me.pivot, lane, rows), mask_wide(me, me.pivot + 1, lane, rows))
    assert part is not None
    mask, peer = mask_wide(me, me.pivot + 2 - me.role, lane, rows), me.server(3 - me.role)
    sent = subtract(part, mask, lane)
    heard = await me.exchange({peer: lane.pack(sent.reshape(-1))}, {peer: lane.nbytes(2 * rows)})
    last = add(sent, lane.unpack(heard[peer], 2 * rows).reshape(rows, 2), lane)
    return Wide(lane, mask, last) if me.role == 1 else Wide(lane, last, mask)


def bit_to_wide_cost(rows: int, lane: Ring = Z64) -> Cost:
    return cost_of(pivot_input_wide, rows, lane).then(reshare_wide_cost(rows, lane))


@costs(bit_to_wide_cost)
async def bit_to_wide(me: Party, b: Bits, lane: Ring = Z64) -> Wide:
    """The bit of one plane as the wide number 0 or 1, as `convert.bit_to_ring`: b = v + (1 − 2v) u.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds, 16 bytes a row and server in Z_2^128. Facts: rows, lane.
    """
    if b.width != 1:
        raise OurFault(f"a wide number of {b!r}", do="take one plane, or mpc.to_wide for a word")
    known = bools_from_planes(summand_bits(me, b), b.rows)
    ones = np.stack([lane.encode(known), lane.zeros(b.rows)], axis=1)
    u = await pivot_input_wide(me.step("pivot"), ones if me.role == 0 else None, lane, b.rows)
    part = None
    if me.role:
        mine = u.own if me.role == 1 else u.next
        part = np.where(known[:, None], subtract(np.zeros_like(mine), mine, lane), mine)
        part = add(part, ones, lane) if me.role == 1 else part
    return await reshare_wide(me.step("reshare"), part, lane, b.rows)


# ---- words


def to_wide_cost(rows: int, width: int, lane: Ring = Z64, adder: str = "brent-kung") -> Cost:
    low, middle, high = _cuts(width, lane)
    cost = to_ring_cost(rows, low, lane, adder).then(cost_of(widen, rows, lane))
    for _ in range(middle):
        cost = cost.beside(bit_to_wide_cost(rows, lane))
    return cost.beside(to_ring_cost(rows, high, lane, adder) if high else FREE)


def _cuts(width: int, lane: Ring) -> tuple[int, int, int]:
    """Planes that `widen` takes, planes above them in the low lane, planes of the high lane."""
    low = min(width, lane.bits - SPARE_BITS)
    middle = min(width - low, SPARE_BITS)
    return low, middle, width - low - middle


@costs(to_wide_cost)
async def to_wide(me: Party, b: Bits, lane: Ring = Z64) -> Wide:
    """An unsigned word as a wide number, modulo the ring: the inverse of `wide_to_bits`, of a signed number where it has all 2h planes.

    What fits a lane with two bits to spare is widened, those two bits go one by one, and the high lane is a number of its own.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   15 rounds and 116 bytes a row and server for 128 planes with the adder of Brent and Kung [BK82]; 15 and 47 for up to 62.
            Facts: rows, width, lane, adder.
    Needs:  1 ≤ width ≤ 2h, h ≥ 3.
    """
    if not (lane.bits > SPARE_BITS and b.width <= 2 * lane.bits):
        raise OurFault(f"a number over Z_2^{2 * lane.bits} of {b!r}", rule=f"1 to {2 * lane.bits} planes, lanes of 3 bits or more")
    low, middle, _ = _cuts(b.width, lane)
    runs: list[Any] = [_widened(me.step("low"), b.planes(slice(low)), lane)]
    runs += [bit_to_wide(me.step(f"plane.{at}"), b.plane(at), lane) for at in range(low, low + middle)]
    runs += [to_ring(me.step("high"), b.planes(slice(low + middle, None)), lane)] if b.width > low + middle else []
    number, *rest = await together(*runs)
    for at, one in enumerate(rest):
        number = number + (_in_high_lane(one) if isinstance(one, Share) else one.times(1 << (low + at)))
    whole: Wide = number
    return whole


async def _widened(me: Party, b: Bits, lane: Ring) -> Wide:
    return await widen(me.step("widen"), await to_ring(me.step("ring"), b, lane))


def _in_high_lane(x: Share) -> Wide:
    """2^h x."""
    return Wide(x.ring, *(np.stack([np.zeros_like(part), part], axis=1) for part in (x.own, x.next)))


# ---- choices


@costs(wide_product_cost)
async def select_wide(me: Party, condition: Wide, a: Wide, b: Wide) -> Wide:
    """a where the condition (0 or 1 a row, `bit_to_wide`) is 1, else b: b + condition · (a − b).

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   1 round, 16 bytes a row and server in Z_2^128. Facts: rows, lane.
    """
    return b + await multiply_wide(me, condition, a - b)


# ---- exact floors


def floor_wide_cost(rows: int, shift: int, lane: Ring = Z64) -> Cost:
    if shift == 0:
        return FREE
    return truncate_wide_cost(rows, shift, lane).beside(cost_of(carry, rows, shift).then(bit_to_wide_cost(rows, lane)))


@costs(floor_wide_cost)
async def floor_wide(me: Party, x: Wide, shift: int) -> Wide:
    """⌊x / 2^shift⌋ as a wide column, exactly, whatever the coins.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   4 + ⌈log2 shift⌉ rounds; at shift 32 in Z_2^128 36.5 bytes a row and server. Facts: rows, shift, lane.
    Needs:  −2^(2h−2) ≤ x < 2^(2h−2); 0 ≤ shift ≤ h, h ≥ 2.
    """
    require_shift(x, shift)
    if shift == 0:
        return x
    high, low = await together(shift_wide(me.step("high"), x, shift), _low_carry(me.step("low"), x, shift))
    whole: Wide = high + low
    return whole


async def _low_carry(me: Party, x: Wide, shift: int) -> Wide:
    """The carry out of the discarded bits; what `shift_wide` adds to x first lies above them."""
    carried = await carry(me.step("carry"), summand_wide(me, x)[:, 0], shift)
    return await bit_to_wide(me.step("wide"), carried, x.lane)
