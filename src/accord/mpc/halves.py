"""What roles 1 and 2 hold in halves, a value of each whose sum is secret; and masks that are drawn before there is what they hide.

In the pivot view x = c + r roles 1 and 2 know r. What role 0 gives them in halves they may multiply by any function of r, add up and
tell each other under fresh masks: so bilinear functions of (c, r) take two rounds. Where x is itself such a sum told under masks,
c is their sum, and role 0 knows it ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accord.base.ring import Column, Ring
from accord.mpc.bits import bools_from_planes, planes_from_bools
from accord.mpc.convert import reshare
from accord.mpc.cost import Cost, costs, plane_bytes
from accord.mpc.party import Party, as_payload
from accord.mpc.residues import Residues
from accord.mpc.share import Share

Space = Ring | Residues
"""Where sums are taken: modulo 2^k, or 2^k − 1."""
Half = Column | None
"""A summand at roles 1 and 2; None at role 0."""


def ring_of(space: Space) -> Ring:
    """Whose elements the space's are packed as."""
    return space if isinstance(space, Ring) else space.ring


def plus(space: Space, a: Column, b: Column) -> Column:
    return space.reduce(a + b) if isinstance(space, Ring) else space.plus(a, b)


def minus(space: Space, a: Column, b: Column) -> Column:
    return space.reduce(a - b) if isinstance(space, Ring) else space.minus(a, b)


def _mask(me: Party, space: Space, component: int, rows: int) -> Column:
    return me.role_mask(component, space, rows) if isinstance(space, Ring) else space.role_mask(me, component, rows)


# ---- masks first


@dataclass(frozen=True, repr=False)
class Masks:
    """Fresh components 0 and 1, counted from the pivot, of what will be told: `zero` is None at role 1, `one` at role 2."""

    space: Space
    zero: Column | None
    one: Column | None

    @property
    def known(self) -> Column:
        """At role 0: c, their sum."""
        assert self.zero is not None and self.one is not None
        return plus(self.space, self.zero, self.one)


def fresh(me: Party, space: Space, rows: int) -> Masks:
    """Masks of this step. Local."""
    zero = _mask(me, space, 0, rows) if me.role != 1 else None
    return Masks(space, zero, _mask(me, space, 1, rows) if me.role != 2 else None)


def tell_cost(rows: int, space: Space) -> Cost:
    return Cost(1, 2 * ring_of(space).nbytes(rows))


@costs(tell_cost)
async def tell(me: Party, half: Half, masks: Masks) -> Half:
    """The sum of two halves less its masks: r of the pivot view, at roles 1 and 2; None at role 0.

    Learns: nobody anything; each of the two sees the other's half under a mask that it lacks.
    Opens:  nothing.
    Cost:   1 round, 1 element a row each way between roles 1 and 2. Facts: rows, space.
    """
    space, ring = masks.space, ring_of(masks.space)
    if half is None:
        await me.exchange({}, {})
        return None
    mask = masks.one if me.role == 1 else masks.zero
    assert mask is not None
    sent, peer, rows = minus(space, half, mask), me.server(3 - me.role), half.shape[0]
    heard = await me.exchange({peer: ring.pack(sent)}, {peer: ring.nbytes(rows)})
    return plus(space, sent, ring.unpack(heard[peer], rows))


def as_share(me: Party, told: Half, masks: Masks) -> Share:
    """What was told under masks of a ring, as a share. Local."""
    assert isinstance(masks.space, Ring)
    if me.role == 0:
        assert masks.zero is not None and masks.one is not None
        return Share(masks.space, masks.zero, masks.one)
    first, second = (masks.one, told) if me.role == 1 else (told, masks.zero)
    assert first is not None and second is not None
    return Share(masks.space, first, second)


# ---- halves of what role 0 knows


def given_cost(rows: int, space: Space, count: int) -> Cost:
    return Cost(1, ring_of(space).nbytes(count * rows))


@costs(given_cost)
async def given(me: Party, values: Half, space: Space, count: int, rows: int) -> Half:
    """Halves of `count` columns, one above the other, that role 0 knows (None elsewhere): shape (count, rows), None at role 0.

    Learns: nobody anything; role 2 sees the values under a mask that it lacks.
    Opens:  nothing.
    Cost:   1 round, `count` elements a row from role 0 to role 2. Facts: rows, space, count.
    """
    ring = ring_of(space)
    if me.role == 2:
        heard = await me.exchange({}, {me.server(0): ring.nbytes(count * rows)})
        return ring.unpack(heard[me.server(0)], count * rows).reshape(count, rows)
    mask = _mask(me, space, 1, count * rows)
    if me.role == 1:
        await me.exchange({}, {})
        return mask.reshape(count, rows)
    assert values is not None
    await me.exchange({me.server(2): ring.pack(minus(space, values.reshape(-1), mask))}, {})
    return None


# ---- products of what roles 1 and 2 know


def half_product_cost(rows: int, ring: Ring) -> Cost:
    return Cost(1, 2 * ring.nbytes(rows) + plane_bytes(1, rows))


@costs(half_product_cost)
async def half_product(me: Party, factor: Half, ring: Ring, rows: int) -> Half:
    """Halves of the products of role 1's ring elements X and role 2's booleans m, each known to that role alone; None at role 0.

    Role 0 deals: with a of roles 0 and 1, b of roles 0 and 2, a · b falls into halves s [Beaver91]. Told ξ = X − a and β = m ⊕ b, role 1
    has X β + (1 − 2β) s_1 and role 2 (1 − 2β) (ξ b + s_2).

    Learns: nobody anything; role 2 sees X under a mask that it lacks, role 1 m, and role 2 s_2.
    Opens:  nothing.
    Cost:   1 round; 1 element a row from role 0 to 2 and from 1 to 2, 1 bit back. Facts: rows, ring.
    """
    two = me.server(2)
    if me.role == 0:
        bit = bools_from_planes(me.role_mask_planes(0, 1, rows), rows)
        element, half = me.role_mask(1, ring, rows), me.role_mask(1, ring, rows, lane="half")
        await me.exchange({two: ring.pack(ring.reduce(element * bit - half))}, {})
        return None
    assert factor is not None
    if me.role == 1:
        element, half = me.role_mask(1, ring, rows), me.role_mask(1, ring, rows, lane="half")
        heard = await me.exchange({two: ring.pack(ring.reduce(factor - element))}, {two: plane_bytes(1, rows)})
        turned = bools_from_planes(heard[two].view(np.uint64).reshape(1, -1), rows)
        return np.where(turned, ring.reduce(factor - half), half)
    plane = me.role_mask_planes(0, 1, rows)
    bit, sent = bools_from_planes(plane, rows), planes_from_bools(factor) ^ plane
    sends, nbytes = {me.server(1): as_payload(sent)}, ring.nbytes(rows)
    dealt, told = (await me.exchange(sends, {me.server(0): nbytes, me.server(1): nbytes})).values()
    half = ring.reduce(ring.unpack(told, rows) * bit + ring.unpack(dealt, rows))
    return np.where(bit ^ factor, ring.reduce(ring.dtype.type(0) - half), half)


def united_cost(rows: int, ring: Ring) -> Cost:
    return half_product_cost(rows, ring).then(Cost(1, 2 * ring.nbytes(rows)))


@costs(united_cost)
async def united(me: Party, half: Half, wrap: Half, ring: Ring, rows: int) -> Share:
    """Two halves as a share, plus the product of role 1's elements and role 2's booleans `wrap`.

    So halves are brought from one modulus to another: where their sum stays below half of it, it has wrapped exactly if the top bit of
    either half is set. Each takes off its own; `wrap` puts back what both took.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds; 4 elements a row and 1 bit, all servers together. Facts: rows, ring.
    """
    product = await half_product(me.step("both"), wrap, ring, rows)
    total = None if half is None or product is None else ring.reduce(half + product)
    return await reshare(me.step("whole"), total, ring, rows)


def cut_cost(rows: int) -> Cost:
    return united_cost(rows, Ring(64))


OFFSET = 1 << 62


@costs(cut_cost)
async def cut(me: Party, half: Half, shift: int, rows: int) -> Share:
    """Two halves in Z_2^64 as a share of their sum / 2^shift, rounded down or up as `truncate` does.

    Learns: nobody anything; the rounding as `truncate`.
    Opens:  nothing.
    Cost:   2 rounds, 10.7 bytes a row and server. Facts: rows.
    Needs:  −2^62 ≤ sum < 2^62; 0 < shift ≤ 62.
    """
    ring, wrap = Ring(64), None
    if half is not None:
        lift = np.uint64(1 << (64 - shift))
        half = half + np.uint64(OFFSET) if me.role == 1 else half
        top = half >> np.uint64(63)
        half = (half >> np.uint64(shift)) - top * lift
        wrap = top * lift if me.role == 1 else top.astype(bool)
        half = half + np.uint64(1) - np.uint64(OFFSET >> shift) if me.role == 1 else half
    return await united(me, half, wrap, ring, rows)
