"""Conversions between boolean and arithmetic secrets, and between rings.

All take the pivot view: the server of role 0 knows c = x_p + x_(p+1), the two others know r = x_(p+2), and x = c + r; for bits
likewise with ⊕. Components below are counted from the pivot: role 0 holds 0 and 1, role 1 holds 1 and 2, role 2 holds 2 and 0.
"""

from __future__ import annotations

import numpy as np

from accord.base.errors import OurFault
from accord.base.limits import SERVERS
from accord.base.ring import Column, Ring
from accord.mpc.adder import ADDERS, Network, carries, carries_cost, carry_tree
from accord.mpc.bits import and_bits, bools_from_planes, column_from_planes, planes_from_column
from accord.mpc.compose import together
from accord.mpc.cost import FREE, Cost, costs, plane_bytes
from accord.mpc.kernels import flipped_sums
from accord.mpc.party import Party, as_payload
from accord.mpc.share import Bits, Share

CONSTANT_ROUND_BITS_MAX = 32
"""Words up to this width become ring elements in two rounds; wider ones by an adder, which sends fewer bytes."""

# ---- the pivot view


def summand(me: Party, x: Share) -> Column:
    """What this server knows of x in the pivot view: c at role 0, r at roles 1 and 2."""
    if me.role == 0:
        return x.ring.reduce(x.own + x.next)
    return x.next if me.role == 1 else x.own


def difference(me: Party, x: Share, y: Share) -> Column:
    """As `summand`, of x − y."""
    if x.ring != y.ring or x.rows != y.rows:
        raise OurFault(f"{x!r} and {y!r} do not go together", do="cast to one ring, align the rows")
    return x.ring.reduce(summand(me, x) - summand(me, y))


def narrowed(ring: Ring, view: Column, bits: int) -> Column:
    """A summand modulo 2^bits, which costs less to compare. Raises OurFault where the ring has fewer."""
    if bits > ring.bits:
        raise OurFault(f"cast down from {ring.bits} to {bits} bits", do="use mpc.cast_up")
    return ring.cast_down(view, Ring(bits))


def summand_bits(me: Party, b: Bits) -> Column:
    """As `summand`, for bits: planes u at role 0, v at roles 1 and 2, b = u ⊕ v."""
    if me.role == 0:
        return b.own ^ b.next
    return b.next if me.role == 1 else b.own


def add_into(me: Party, component: int, x: Share, column: Column) -> Share:
    """x plus a column that both holders of one component (counted from the pivot) know: local."""
    own = x.ring.reduce(x.own + column) if me.role == component else x.own
    after = x.ring.reduce(x.next + column) if (me.role + 1) % SERVERS == component else x.next
    return Share(x.ring, own, after)


def xor_into(me: Party, component: int, b: Bits, planes: Column) -> Bits:
    """As `add_into`, for bits."""
    own = b.own ^ planes if me.role == component else b.own
    return Bits(b.rows, own, b.next ^ planes if (me.role + 1) % SERVERS == component else b.next)


def with_last(me: Party, b: Bits, planes: Column) -> Bits:
    """Bits whose component 2 (counted from the pivot) is zero, with these planes in its place at the two that hold it: local."""
    if me.role == 0:
        return b
    return Bits(b.rows, b.own, planes) if me.role == 1 else Bits(b.rows, planes, b.next)


# ---- one or two servers share what they know


@costs(lambda rows, ring: Cost(1, ring.nbytes(rows)))
async def pivot_input(me: Party, value: Column | None, ring: Ring, rows: int) -> Share:
    """Shares of a column that role 0 alone knows (None elsewhere): components (value − mask, mask, 0).

    Learns: nobody anything; role 2 sees the value under a mask that it lacks.
    Opens:  nothing.
    Cost:   1 round, 1 element a row from role 0 to role 2. Facts: rows, ring.
    """
    if me.role == 0:
        assert value is not None
        mask = me.role_mask(1, ring, rows)
        rest = ring.reduce(value - mask)
        await me.exchange({me.server(2): ring.pack(rest)}, {})
        return Share(ring, rest, mask)
    if me.role == 1:
        await me.exchange({}, {})
        return Share(ring, me.role_mask(1, ring, rows), ring.zeros(rows))
    heard = await me.exchange({}, {me.server(0): ring.nbytes(rows)})
    return Share(ring, ring.zeros(rows), ring.unpack(heard[me.server(0)], rows))


@costs(lambda rows, width: Cost(1, plane_bytes(width, rows)))
async def pivot_input_bits(me: Party, planes: Column | None, width: int, rows: int) -> Bits:
    """As `pivot_input`, for bit-planes: components (planes ⊕ mask, mask, 0).

    Learns: nobody anything; role 2 sees the planes under a mask that it lacks.
    Opens:  nothing.
    Cost:   1 round, 1 bit a bit from role 0 to role 2. Facts: rows, width.
    """
    if me.role == 0:
        assert planes is not None
        mask = me.role_mask_planes(1, width, rows)
        rest = planes ^ mask
        await me.exchange({me.server(2): as_payload(rest)}, {})
        return Bits(rows, rest, mask)
    shape = width, (rows + 63) // 64
    if me.role == 1:
        await me.exchange({}, {})
        return Bits(rows, me.role_mask_planes(1, width, rows), np.zeros(shape, np.uint64))
    heard = await me.exchange({}, {me.server(0): plane_bytes(width, rows)})
    return Bits(rows, np.zeros(shape, np.uint64), heard[me.server(0)].view(np.uint64).reshape(shape))


@costs(lambda rows, ring: Cost(1, 2 * ring.nbytes(rows)))
async def reshare(me: Party, part: Column | None, ring: Ring, rows: int) -> Share:
    """Shares of a + b, where role 1 knows a, role 2 knows b, and role 0 gives None: fresh components 0 and 1.

    Learns: nobody anything; each of the two sees the other's summand under a mask that it lacks.
    Opens:  nothing.
    Cost:   1 round, 1 element a row each way between roles 1 and 2. Facts: rows, ring.
    """
    if me.role == 0:
        await me.exchange({}, {})
        return Share(ring, me.role_mask(0, ring, rows), me.role_mask(1, ring, rows))
    assert part is not None
    mask, peer = me.role_mask(2 - me.role, ring, rows), me.server(3 - me.role)
    sent = ring.reduce(part - mask)
    heard = await me.exchange({peer: ring.pack(sent)}, {peer: ring.nbytes(rows)})
    last = ring.reduce(sent + ring.unpack(heard[peer], rows))
    return Share(ring, mask, last) if me.role == 1 else Share(ring, last, mask)


@costs(lambda rows, width: Cost(1, 2 * plane_bytes(width, rows)))
async def reshare_bits(me: Party, part: Column | None, width: int, rows: int) -> Bits:
    """As `reshare`, for bit-planes a ⊕ b.

    Learns: nobody anything; each of the two sees the other's summand under a mask that it lacks.
    Opens:  nothing.
    Cost:   1 round, 1 bit a bit each way between roles 1 and 2. Facts: rows, width.
    """
    if me.role == 0:
        await me.exchange({}, {})
        return Bits(rows, me.role_mask_planes(0, width, rows), me.role_mask_planes(1, width, rows))
    assert part is not None
    mask, peer = me.role_mask_planes(2 - me.role, width, rows), me.server(3 - me.role)
    sent = part ^ mask
    heard = await me.exchange({peer: as_payload(sent)}, {peer: sent.nbytes})
    last = sent ^ heard[peer].view(np.uint64).reshape(sent.shape)
    return Bits(rows, mask, last) if me.role == 1 else Bits(rows, last, mask)


# ---- one bit into a ring


@costs(lambda rows, ring: Cost(2, 3 * ring.nbytes(rows)))
async def bit_to_ring(me: Party, b: Bits, ring: Ring) -> Share:
    """The bit of one plane as the ring element 0 or 1: b = v + (1 − 2v) u.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds, 1 element a row and server. Facts: rows, ring.
    """
    if b.width != 1:
        raise OurFault(f"a ring element of {b!r}", do="take one plane, or mpc.to_ring for a word")
    view = summand_bits(me, b)
    known = bools_from_planes(view, b.rows).astype(ring.dtype) if me.role == 0 else None
    u = await pivot_input(me.step("pivot"), known, ring, b.rows)
    part = None
    if me.role:
        part = np.empty(b.rows, ring.dtype)
        flipped_sums(view, [held(me, u)], me.role == 1, part)
        part = ring.reduce(part)
    return await reshare(me.step("reshare"), part, ring, b.rows)


def held(me: Party, x: Share) -> Column:
    """At roles 1 and 2: this server's part, 1 and 0, of what role 0 has shared by `pivot_input`."""
    return x.own if me.role == 1 else x.next


def held_bits(me: Party, b: Bits) -> Column:
    return b.own if me.role == 1 else b.next


# ---- ring elements to words


def half_sums_cost(rows: int, bits: int, generates: int) -> Cost:
    return Cost(1 + (generates > 0), plane_bytes(bits + 2 * generates, rows))


@costs(half_sums_cost)
async def half_sums(me: Party, view: Column, bits: int, generates: int) -> tuple[Bits, Bits]:
    """Half adders of c + r: planes c · r of the lowest `generates` bits, and c ⊕ r of the lowest `bits`.

    `view` is c at role 0 and r at roles 1 and 2; `generates` ≤ `bits`.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds, 1 bit a bit of c, 2 a generated bit, all servers together. Facts: rows, bits, generates.
    """
    rows, planes = view.shape[0], planes_from_column(view, bits)
    c = await pivot_input_bits(me.step("pivot"), planes if me.role == 0 else None, bits, rows)
    propagate = with_last(me, c, planes)
    if generates == 0:
        return c.planes(slice(0)), propagate
    part = planes[:generates] & held_bits(me, c)[:generates] if me.role else None
    return await reshare_bits(me.step("generate"), part, generates, rows), propagate


def carry_cost(rows: int, bits: int) -> Cost:
    return half_sums_cost(rows, bits, bits).then(carries_cost(rows, carry_tree(bits)))


@costs(carry_cost)
async def carry(me: Party, view: Column, bits: int) -> Bits:
    """Whether c + r reaches 2^bits, of the lowest `bits` bits of c and r; `view` as in `half_sums`.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 + ⌈log2 bits⌉ rounds, about 3 bits a bit and server. Facts: rows, bits.
    """
    generate, propagate = await half_sums(me.step("halves"), view, bits, bits)
    return (await carries(me.step("carries"), generate, propagate, carry_tree(bits))).plane(bits - 1)


def to_bits_cost(rows: int, bits: int, adder: str = "brent-kung") -> Cost:
    return half_sums_cost(rows, bits, bits - 1).then(carries_cost(rows, ADDERS[adder](bits - 1)))


@costs(to_bits_cost)
async def to_bits(me: Party, x: Share, bits: int | None = None) -> Bits:
    """x modulo 2^bits (the ring's own width unless told) as a word: two's complement for signed x.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   12 rounds and 28.7 bytes a row and server at 64 bits with the adder of Brent and Kung [BK82], 8 rounds and 46.7 bytes
            with Sklansky's [Sklansky60]; the profile names the one. Facts: rows, bits, adder.
    """
    x = x.cast_down(Ring(bits)) if bits else x
    width = x.ring.bits
    generate, propagate = await half_sums(me.step("halves"), summand(me, x), width, width - 1)
    return await full_sum(me, generate, propagate, ADDERS[me.profile.adder](width - 1))


@costs(carries_cost)
async def full_sum(me: Party, generate: Bits, propagate: Bits, network: Network) -> Bits:
    """The sum whose half adders are these planes: P ⊕ the carry of the position below. The top position generates nothing.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `carries`. Facts: rows, network.
    """
    if propagate.width == 1:
        return propagate
    carried = await carries(me.step("carries"), generate, propagate.planes(slice(-1)), network)
    own, after = propagate.own.copy(), propagate.next.copy()
    own[1:] ^= carried.own
    after[1:] ^= carried.next
    return Bits(propagate.rows, own, after)


# ---- words to ring elements


def to_ring_cost(rows: int, width: int, ring: Ring, adder: str = "brent-kung") -> Cost:
    form = to_ring_direct_cost(rows, width, ring)
    return form if width <= CONSTANT_ROUND_BITS_MAX else to_ring_adder_cost(rows, width, ring, adder)


@costs(to_ring_cost)
async def to_ring(me: Party, b: Bits, ring: Ring) -> Share:
    """An unsigned word as a ring element, modulo the ring: `to_ring_direct` up to 32 planes, `to_ring_adder` beyond.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds and 24.7 bytes a row and server for 32 bits into Z_2^32, 13 and 36.6 for 64 into Z_2^64. Facts: rows, width,
            ring, adder.
    """
    if b.width <= CONSTANT_ROUND_BITS_MAX:
        return await to_ring_direct(me, b, ring)
    return await to_ring_adder(me, b, ring)


def _weight_rings(width: int, ring: Ring) -> list[Ring]:
    """Bit i times 2^i matters modulo 2^(ring − i) only."""
    return [Ring(ring.bits - i) for i in range(min(width, ring.bits))]


def to_ring_direct_cost(rows: int, width: int, ring: Ring) -> Cost:
    shared = sum(one.bits for one in _weight_rings(width, ring))
    return Cost(2, plane_bytes(shared, rows) + 2 * ring.nbytes(rows))


@costs(to_ring_direct_cost)
async def to_ring_direct(me: Party, b: Bits, ring: Ring) -> Share:
    """An unsigned word as a ring element: Σ 2^i (v_i + (1 − 2 v_i) u_i), where role 0 shares each bit u_i, as `bit_to_ring`.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds; ring − i bits a row for bit i, and 2 elements, all servers together. Facts: rows, width, ring.
    """
    rings = _weight_rings(b.width, ring)
    planes = summand_bits(me, b)[: len(rings)]
    parts = await _share_each_bit(me.step("pivot"), planes, rings, b.rows)
    total = None
    if me.role:
        total = np.empty(b.rows, np.uint64)
        flipped_sums(planes, parts, me.role == 1, total)
        total = ring.encode(total)
    return await reshare(me.step("reshare"), total, ring, b.rows)


async def _share_each_bit(me: Party, planes: Column, rings: list[Ring], rows: int) -> list[Column]:
    """Role 0 shares each of its bits in a ring of its own; the parts that roles 1 and 2 hold, as uint64 columns.

    On the wire the elements are bit-planes, so that each ring costs its exact bits.
    """
    nbytes = plane_bytes(sum(one.bits for one in rings), rows)
    masks = [me.role_mask(1, one, rows, lane=f"bit.{i}") for i, one in enumerate(rings)] if me.role != 2 else []
    if me.role == 0:
        bits = (bools_from_planes(plane, rows) for plane in planes)
        rests = (bit.astype(one.dtype) - mask for bit, one, mask in zip(bits, rings, masks, strict=True))
        wire = [planes_from_column(rest, one.bits) for rest, one in zip(rests, rings, strict=True)]
        await me.exchange({me.server(2): as_payload(np.concatenate(wire))}, {})
        return []
    if me.role == 1:
        await me.exchange({}, {})
        return [mask.astype(np.uint64, copy=False) for mask in masks]
    heard = await me.exchange({}, {me.server(0): nbytes})
    every = heard[me.server(0)].view(np.uint64).reshape(-1, (rows + 63) // 64)
    ends = np.cumsum([one.bits for one in rings])
    return [column_from_planes(every[end - one.bits : end], rows) for end, one in zip(ends, rings, strict=True)]


def to_ring_adder_cost(rows: int, width: int, ring: Ring, adder: str = "brent-kung") -> Cost:
    generates = min(width, ring.bits - 1)
    share = Cost(1, plane_bytes(ring.bits, rows))
    ands = Cost(1, SERVERS * plane_bytes(generates, rows)) if generates else FREE
    return share.then(ands).then(carries_cost(rows, ADDERS[adder](ring.bits - 1))).then(Cost(1, 2 * plane_bytes(ring.bits, rows)))


@costs(to_ring_adder_cost)
async def to_ring_adder(me: Party, b: Bits, ring: Ring) -> Share:
    """An unsigned word as a ring element: role 0 knows two fresh components s = s_0 + s_1, and b − s, added as bits, is told to
    the two holders of the third.

    Learns: nobody anything; b − s is uniform to roles 1 and 2, each of which lacks one of s_0, s_1.
    Opens:  nothing.
    Cost:   13 rounds and 36.6 bytes a row and server for 64 bits with the adder of Brent and Kung [BK82]. Facts: rows, width, ring,
            adder.
    """
    rows, bits = b.rows, ring.bits
    fresh = {j: me.step("fresh").role_mask(j, ring, rows) for j in (0, 1) if (j - me.role) % SERVERS < 2}
    minus = planes_from_column(ring.reduce(ring.dtype.type(0) - fresh[0] - fresh[1]), bits) if me.role == 0 else None
    s = await pivot_input_bits(me.step("pivot"), minus, bits, rows)
    low = b.planes(slice(min(b.width, bits)))
    propagate = Bits.stack([low ^ s.planes(slice(low.width)), s.planes(slice(low.width, None))])
    generate = await _generates(me.step("generate"), low, s)
    last = await _tell_the_pair(me.step("tell"), await full_sum(me, generate, propagate, ADDERS[me.profile.adder](bits - 1)))
    if me.role == 0:
        return Share(ring, fresh[0], fresh[1])
    column = column_from_planes(last, rows).astype(ring.dtype)
    return Share(ring, fresh[1], column) if me.role == 1 else Share(ring, column, fresh[0])


async def _generates(me: Party, low: Bits, s: Bits) -> Bits:
    """Generate planes of every position but the top one: zero where only s has bits."""
    both = min(low.width, s.width - 1)
    if both == 0:
        return s.planes(slice(0))
    made = await and_bits(me, low.planes(slice(both)), s.planes(slice(both)))
    missing = s.width - 1 - both
    zeros = np.zeros((missing, made.own.shape[1]), np.uint64)
    return Bits.stack([made, Bits(low.rows, zeros, zeros)]) if missing else made


async def _tell_the_pair(me: Party, b: Bits) -> Column:
    """Roles 1 and 2 learn b: each gives the other the component that it lacks. Role 0 gets nothing of use."""
    if me.role == 0:
        await me.exchange({}, {})
        return b.own
    peer = me.server(3 - me.role)
    heard = await me.exchange({peer: as_payload(held_bits(me, b))}, {peer: b.own.nbytes})
    return b.own ^ b.next ^ heard[peer].view(np.uint64).reshape(b.own.shape)


# ---- between rings


def cast_up_cost(rows: int, narrow: Ring, ring: Ring) -> Cost:
    if ring.bits == narrow.bits:
        return FREE
    slack = Ring(ring.bits - narrow.bits)
    return Cost(2, ring.nbytes(rows) + 3 * slack.nbytes(rows))


@costs(cast_up_cost)
async def cast_up(me: Party, x: Share, ring: Ring) -> Share:
    """The same number in a wider ring. Needs: 0 ≤ x < 2^(k−1), k being the bits of x's ring.

    Since the top bit of x is 0, c + r wraps exactly where the top bit of c or of r is 1, so that x = c + r − 2^k (c' ∨ r') [DEK20].

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds; one wide element and three of the bits gained, all servers together. Facts: rows, narrow ring, ring.
    """
    return await _cast_up(me, x, ring, offset=0)


@costs(cast_up_cost)
async def cast_up_signed(me: Party, x: Share, ring: Ring) -> Share:
    """The same signed number in a wider ring. Needs: −2^(k−2) ≤ x < 2^(k−2), k ≥ 2 being the bits of x's ring.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `cast_up`. Facts: rows, narrow ring, ring.
    """
    return await _cast_up(me, x, ring, offset=1 << (x.ring.bits - 2))


async def _cast_up(me: Party, x: Share, ring: Ring, offset: int) -> Share:
    narrow, rows, width = x.ring, x.rows, x.ring.bits
    if ring.bits < width:
        raise OurFault(f"cast up from {width} to {ring.bits} bits", do="use cast_down")
    if ring.bits == width:
        return x
    slack = Ring(ring.bits - width)
    view = summand(me, add_into(me, 0, x, narrow.dtype.type(offset)))
    top = view >> narrow.dtype.type(width - 1)
    wide = ring.reduce(view.astype(ring.dtype) - (top.astype(ring.dtype) << ring.dtype.type(width)))
    word, wrap = await together(
        pivot_input(me.step("word"), wide if me.role == 0 else None, ring, rows),
        pivot_input(me.step("wrap"), top.astype(slack.dtype) if me.role == 0 else None, slack, rows),
    )
    both = await reshare(me.step("both"), held(me, wrap) * top.astype(slack.dtype) if me.role else None, slack, rows)
    lifted = Share(ring, *(part.astype(ring.dtype) << ring.dtype.type(width) for part in (both.own, both.next)))
    whole = add_into(me, 2, word + lifted, wide) if me.role else word + lifted
    return add_into(me, 0, whole, ring.encode(-offset))
