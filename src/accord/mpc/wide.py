"""Secret columns over Z_2^128, for what 64 bits do not hold: sums of squares of money, exact variances, wide fixed point.

An element has two lanes of Z_2^64, low and high. Nothing here knows how wide a lane is: Z_2^(2h) with lanes of h bits works alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accord.base.errors import OurFault
from accord.base.limits import SERVERS
from accord.base.ring import Z64, Column, Ring
from accord.mpc import compare
from accord.mpc.adder import ADDERS, carries, carries_cost, carry_tree
from accord.mpc.bits import all_bits, all_cost, not_bits, planes_from_column
from accord.mpc.compose import together
from accord.mpc.convert import (
    add_into,
    bit_to_ring,
    carry,
    full_sum,
    half_sums,
    half_sums_cost,
    held,
    pivot_input,
    pivot_input_bits,
    reshare,
    summand,
    xor_into,
)
from accord.mpc.cost import FREE, Cost, cost_of, costs, plane_bytes
from accord.mpc.inputs import add_public
from accord.mpc.kernels_wide import add, dots, group_sums, running_sums, shift_down, subtract, times
from accord.mpc.party import Party
from accord.mpc.share import Bits, Secret, Share
from accord.mpc.truncate import wrap_ring


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Wide(Secret):
    """An arithmetic secret column over Z_2^(2h): `own` and `next` are (rows, 2) arrays of the ring `lane` of h bits, low and high."""

    lane: Ring
    own: Column
    next: Column

    def __repr__(self) -> str:
        return f"<secret column, {self.rows} rows over Z_2^{self.bits}>"

    @property
    def rows(self) -> int:
        return int(self.own.shape[0])

    @property
    def bits(self) -> int:
        return 2 * self.lane.bits

    def __len__(self) -> int:
        return self.rows

    def __add__(self, other: Wide) -> Wide:
        _require_aligned(self, other)
        return Wide(self.lane, add(self.own, other.own, self.lane), add(self.next, other.next, self.lane))

    def __sub__(self, other: Wide) -> Wide:
        _require_aligned(self, other)
        return Wide(self.lane, subtract(self.own, other.own, self.lane), subtract(self.next, other.next, self.lane))

    def __neg__(self) -> Wide:
        return Wide(self.lane, *(subtract(np.zeros_like(part), part, self.lane) for part in (self.own, self.next)))

    def times(self, factor: int | Column) -> Wide:
        """The product with a public integer of any sign, or with a public column of lanes."""
        by = lanes_of(factor, self.lane) if isinstance(factor, int) else factor
        return Wide(self.lane, times(self.own, by, self.lane), times(self.next, by, self.lane))

    def __getitem__(self, rows: slice | Column) -> Wide:
        """Public rows of the column: a slice, or an array of row numbers or booleans."""
        return Wide(self.lane, self.own[rows], self.next[rows])

    def sum(self) -> Wide:
        """The sum of all rows, modulo the ring: one row."""
        return self.group_sums(np.zeros(1, np.intp))

    def group_sums(self, starts: Column) -> Wide:
        """Sums of consecutive public groups that begin at the rows `starts` (increasing, the first is 0)."""
        return Wide(self.lane, group_sums(self.own, starts, self.lane), group_sums(self.next, starts, self.lane))

    def running_sums(self) -> Wide:
        """Row j of the result: the sum of rows 0 … j, modulo the ring."""
        return Wide(self.lane, running_sums(self.own, self.lane), running_sums(self.next, self.lane))

    def cast_down(self, ring: Ring) -> Share:
        """The value modulo a ring that is no wider than a lane: local and free."""
        return Share(self.lane, self.own[:, 0].copy(), self.next[:, 0].copy()).cast_down(ring)

    @staticmethod
    def concatenate(parts: list[Wide]) -> Wide:
        lane = parts[0].lane
        return Wide(lane, np.concatenate([one.own for one in parts]), np.concatenate([one.next for one in parts]))


def lanes_of(value: int, lane: Ring = Z64) -> Column:
    """A public integer of any sign, modulo 2^(2h), as one row of lanes."""
    mask = int(lane.mask)
    return np.array([[value & mask, value >> lane.bits & mask]], lane.dtype)


def add_public_wide(me: Party, x: Wide, value: Column | int) -> Wide:
    """x plus a public column of lanes, or a public integer of any sign: into component 0."""
    column = lanes_of(value, x.lane) if isinstance(value, int) else value
    own = add(x.own, column, x.lane) if me.index == 0 else x.own
    return Wide(x.lane, own, add(x.next, column, x.lane) if me.right == 0 else x.next)


def public_wide(me: Party, column: Column, lane: Ring = Z64) -> Wide:
    """A public column of lanes as a secret one: component 0 holds it, the others are zero."""
    zeros = np.zeros_like(column)
    return add_public_wide(me, Wide(lane, zeros, zeros), column)


# ---- products


def wide_product_cost(rows: int, lane: Ring = Z64) -> Cost:
    return Cost(1, SERVERS * lane.nbytes(2 * rows))


@costs(wide_product_cost)
async def multiply_wide(me: Party, x: Wide, y: Wide) -> Wide:
    """Product of two wide columns, modulo the ring [AFLNO16].

    Learns: nobody anything; each message is masked by a coin that its receiver lacks.
    Opens:  nothing.
    Cost:   1 round, 16 bytes a row and server in Z_2^128. Facts: rows, lane.
    """
    return await _dots(me, x, y, np.arange(x.rows))


@costs(wide_product_cost)
async def dot_wide(me: Party, x: Wide, y: Wide, starts: Column | None = None) -> Wide:
    """Sums of products over consecutive public groups of rows, as `product.dot`.

    Learns: nobody anything; the products are summed before they are masked and sent.
    Opens:  nothing.
    Cost:   1 round, 16 bytes a group and server in Z_2^128. Facts: groups, lane.
    """
    first = np.zeros(1, np.intp) if starts is None else np.asarray(starts, np.intp)
    if not (first.size and first[0] == 0 and first[-1] < x.rows and (np.diff(first) > 0).all()):
        raise OurFault(f"groups of {x.rows} rows that do not start at 0 and grow", do="give every group at least one row")
    return await _dots(me, x, y, first)


async def _dots(me: Party, x: Wide, y: Wide, starts: Column) -> Wide:
    _require_aligned(x, y)
    masks = mask_wide(me, me.index, x.lane, starts.size), mask_wide(me, me.right, x.lane, starts.size)
    z = dots((x.own, x.next), (y.own, y.next), starts, masks, x.lane)
    heard = await me.swap(z.reshape(-1), x.lane)
    return Wide(x.lane, z, heard.reshape(z.shape))


def mask_wide(me: Party, component: int, lane: Ring, rows: int) -> Column:
    return me.mask(component, lane, 2 * rows).reshape(rows, 2)


def _require_aligned(x: Wide, y: Wide) -> None:
    if x.lane != y.lane or x.own.shape != y.own.shape:
        raise OurFault(f"{x!r} and {y!r} do not go together", do="align the rows")


# ---- to wide columns and back


def widen_cost(rows: int, ring: Ring = Z64) -> Cost:
    return Cost(2, 4 * ring.nbytes(rows))


@costs(widen_cost)
async def widen(me: Party, x: Share) -> Wide:
    """The same signed number over Z_2^(2k), for x over Z_2^k.

    Low lanes are the components as they are. High lanes share − w, where the components as integers, x being offset to be positive, sum
    up to x + 2^k w: w is the carry of the two that role 0 knows, plus the wrap of c + r, of whose top bits one is 1 [DEK20].

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds, 4 elements a row, all servers together. Facts: rows, ring.
    Needs:  −2^(k−2) ≤ x < 2^(k−2), k ≥ 2.
    """
    ring, rows, offset = x.ring, x.rows, 1 << (x.ring.bits - 2)
    raised = add_into(me, 0, x, ring.dtype.type(offset))
    view = summand(me, raised)
    top = view >> ring.dtype.type(ring.bits - 1)
    carried = ring.encode(view < raised.own)
    inner, wrapped = await together(
        pivot_input(me.step("carry"), carried if me.role == 0 else None, ring, rows),
        pivot_input(me.step("wrap"), top if me.role == 0 else None, ring, rows),
    )
    part = None
    if me.role:
        one = ring.dtype.type(me.role == 1)
        part = ring.reduce(held(me, inner) + np.where(top, one, held(me, wrapped)))
    wraps = await reshare(me.step("reshare"), part, ring, rows)
    high = -wraps
    lanes = (np.stack(pair, axis=1) for pair in ((raised.own, high.own), (raised.next, high.next)))
    return add_into_wide(me, 0, Wide(ring, *lanes), lanes_of(-offset, ring))


def truncate_to_ring_cost(rows: int, shift: int, lane: Ring = Z64) -> Cost:
    return Cost(1, lane.nbytes(rows)) if shift else FREE


@costs(truncate_to_ring_cost)
async def truncate_to_ring(me: Party, x: Wide, shift: int) -> Share:
    """x / 2^shift over the ring of one lane, Z_2^h: rounded as `truncate`, for any x whose quotient fits there.

    Whether c + r wraps does not matter: it would change the quotient by 2^(2h − shift), which is 0 modulo 2^h.

    Learns: nobody anything; the rounding as `truncate`.
    Opens:  nothing.
    Cost:   1 round, 1 element of one lane a row, all servers together. Facts: rows, shift, lane.
    Needs:  0 ≤ shift ≤ h.
    """
    return add_public(me, await _shifted(me, x, shift), 1) if shift else x.cast_down(x.lane)


def floor_to_ring_cost(rows: int, shift: int, lane: Ring = Z64) -> Cost:
    if shift == 0:
        return FREE
    return truncate_to_ring_cost(rows, shift, lane).beside(cost_of(carry, rows, shift).then(cost_of(bit_to_ring, rows, lane)))


@costs(floor_to_ring_cost)
async def floor_to_ring(me: Party, x: Wide, shift: int) -> Share:
    """⌊x / 2^shift⌋ over the ring of one lane, exactly, for any x whose quotient fits there.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   4 + ⌈log2 shift⌉ rounds; at shift 32 in Z_2^128 21.8 bytes a row and server. Facts: rows, shift, lane.
    Needs:  0 ≤ shift ≤ h.
    """
    require_shift(x, shift)
    if shift == 0:
        return x.cast_down(x.lane)
    high, low = await together(_shifted(me.step("high"), x, shift), _low_carry(me.step("low"), x, shift))
    whole: Share = high + low
    return whole


async def _shifted(me: Party, x: Wide, shift: int) -> Share:
    """(c >> shift) + (r >> shift), modulo one lane."""
    require_shift(x, shift)
    part = shift_down(summand_wide(me, x), shift, x.lane)[:, 0]
    word = await pivot_input(me.step("word"), part if me.role == 0 else None, x.lane, x.rows)
    return add_into(me, 2, word, part) if me.role else word


async def _low_carry(me: Party, x: Wide, shift: int) -> Share:
    """The carry out of the discarded bits."""
    carried = await carry(me.step("carry"), summand_wide(me, x)[:, 0], shift)
    return await bit_to_ring(me.step("ring"), carried, x.lane)


def truncate_wide_cost(rows: int, shift: int, lane: Ring = Z64) -> Cost:
    return Cost(2, lane.nbytes(2 * rows) + 3 * wrap_ring(lane, shift).nbytes(rows)) if shift else FREE


@costs(truncate_wide_cost)
async def truncate_wide(me: Party, x: Wide, shift: int) -> Wide:
    """x / 2^shift as a wide column, rounded down or up, as `truncate` [DEK20].

    Learns: nobody anything; the rounding as `truncate`.
    Opens:  nothing.
    Cost:   2 rounds; at shift ≤ 32 in Z_2^128 9.3 bytes a row and server. Facts: rows, shift, lane.
    Needs:  −2^(2h−2) ≤ x < 2^(2h−2); 0 ≤ shift ≤ h.
    """
    return add_public_wide(me, await shift_wide(me, x, shift), 1) if shift else x


@costs(truncate_wide_cost)
async def shift_wide(me: Party, x: Wide, shift: int) -> Wide:
    """⌊x / 2^shift⌋, or one less: the floor without the carry out of the bits that are shifted out.

    Learns: nobody anything; the rounding as `truncate`.
    Opens:  nothing.
    Cost:   as `truncate_wide`. Facts: rows, shift, lane.
    Needs:  as `truncate_wide`, 1 ≤ shift.
    """
    require_shift(x, shift)
    lane, rows, offset = x.lane, x.rows, 1 << (x.bits - 2)
    view = summand_wide(me, add_into_wide(me, 0, x, lanes_of(offset, lane)))
    top = view[:, 1] >> lane.dtype.type(lane.bits - 1)
    lift = lane.dtype.type(lane.bits - shift)
    part = shift_down(view, shift, lane)
    part[:, 1] = lane.reduce(part[:, 1] - (top << lift))
    narrow = wrap_ring(lane, shift)
    flag = top.astype(narrow.dtype)
    word, wrap = await together(
        pivot_input_wide(me.step("word"), part if me.role == 0 else None, lane, rows),
        pivot_input(me.step("wrap"), flag if me.role == 0 else None, narrow, rows),
    )
    both = await reshare(me.step("both"), held(me, wrap) * flag if me.role else None, narrow, rows)
    lifted = (lane.reduce(one.astype(lane.dtype) << lift) for one in (both.own, both.next))
    whole: Wide = word + Wide(lane, *(np.stack([np.zeros_like(high), high], axis=1) for high in lifted))
    return add_public_wide(me, add_into_wide(me, 2, whole, part) if me.role else whole, -(offset >> shift))


def require_shift(x: Wide, shift: int) -> None:
    if not 0 <= shift <= x.lane.bits:
        raise OurFault(f"a shift by {shift} in Z_2^{x.bits}", rule=f"0 to {x.lane.bits}")


# ---- the pivot view


def summand_wide(me: Party, x: Wide) -> Column:
    """As `convert.summand`: c at role 0, r at roles 1 and 2."""
    if me.role == 0:
        return add(x.own, x.next, x.lane)
    return x.next if me.role == 1 else x.own


def add_into_wide(me: Party, component: int, x: Wide, lanes: Column) -> Wide:
    """As `convert.add_into`."""
    own = add(x.own, lanes, x.lane) if me.role == component else x.own
    return Wide(x.lane, own, add(x.next, lanes, x.lane) if (me.role + 1) % SERVERS == component else x.next)


@costs(lambda rows, lane: Cost(1, lane.nbytes(2 * rows)))
async def pivot_input_wide(me: Party, value: Column | None, lane: Ring, rows: int) -> Wide:
    """As `convert.pivot_input`: components (value − mask, mask, 0).

    Learns: nobody anything; role 2 sees the value under a mask that it lacks.
    Opens:  nothing.
    Cost:   1 round, 1 wide element a row from role 0 to role 2. Facts: rows, lane.
    """
    zeros = np.zeros((rows, 2), lane.dtype)
    if me.role == 2:
        heard = await me.exchange({}, {me.server(0): lane.nbytes(2 * rows)})
        return Wide(lane, zeros, lane.unpack(heard[me.server(0)], 2 * rows).reshape(rows, 2))
    mask = mask_wide(me, me.pivot + 1, lane, rows)
    if me.role == 1:
        await me.exchange({}, {})
        return Wide(lane, mask, zeros)
    assert value is not None
    rest = subtract(value, mask, lane)
    await me.exchange({me.server(2): lane.pack(rest.reshape(-1))}, {})
    return Wide(lane, rest, mask)


# ---- words and comparisons


def _half_sums_cost(rows: int, bits: int, generates: int, lane: Ring) -> Cost:
    if bits <= lane.bits:
        return half_sums_cost(rows, bits, generates)
    return half_sums_cost(rows, lane.bits, lane.bits).beside(half_sums_cost(rows, bits - lane.bits, generates - lane.bits))


async def _half_sums(me: Party, x: Wide, bits: int) -> tuple[Bits, Bits]:
    """Half adders of c + r on the lowest `bits` bits, as `convert.half_sums` with bits − 1 generated: each lane's beside the other's."""
    view, width = summand_wide(me, x), x.lane.bits
    if bits <= width:
        return await half_sums(me.step("low"), view[:, 0], bits, bits - 1)
    low, high = await together(
        half_sums(me.step("low"), view[:, 0], width, width),
        half_sums(me.step("high"), view[:, 1], bits - width, bits - width - 1),
    )
    generate, propagate = (Bits.stack(list(pair)) for pair in zip(low, high, strict=True))
    return generate, propagate


def wide_to_bits_cost(rows: int, bits: int, lane: Ring = Z64, adder: str = "brent-kung") -> Cost:
    return _half_sums_cost(rows, bits, bits - 1, lane).then(carries_cost(rows, ADDERS[adder](bits - 1)))


@costs(wide_to_bits_cost)
async def wide_to_bits(me: Party, x: Wide, bits: int) -> Bits:
    """x modulo 2^bits as a word of `bits` planes: two's complement for signed x.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   14 rounds and 60.2 bytes a row and server at 128 bits with the adder of Brent and Kung [BK82]. Facts: rows, bits, lane, adder.
    Needs:  1 ≤ bits ≤ 2h.
    """
    _require_bits(x, bits)
    generate, propagate = await _half_sums(me.step("halves"), x, bits)
    return await full_sum(me, generate, propagate, ADDERS[me.profile.adder](bits - 1))


def sign_wide_cost(rows: int, bits: int, lane: Ring = Z64) -> Cost:
    halves = _half_sums_cost(rows, bits, bits - 1, lane)
    return halves.then(carries_cost(rows, carry_tree(bits - 1))) if bits > 1 else halves


@costs(sign_wide_cost)
async def sign_wide(me: Party, x: Wide, bits: int) -> Bits:
    """1 where x < 0, as `compare.sign`.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 + ⌈log2 (bits − 1)⌉ rounds, about 3 bits a bit, row and server: 9 rounds and 46.5 bytes at 128 bits. Facts: rows, bits, lane.
    Needs:  −2^(bits−1) ≤ x < 2^(bits−1), bits ≤ 2h.
    """
    _require_bits(x, bits)
    if bits <= x.lane.bits:
        return await compare.sign(me, x.cast_down(x.lane), bits)
    generate, propagate = await _half_sums(me.step("halves"), x, bits)
    carried = await carries(me.step("carries"), generate, propagate.planes(slice(bits - 1)), carry_tree(bits - 1))
    return propagate.plane(bits - 1) ^ carried.plane(bits - 2)


@costs(sign_wide_cost)
async def less_than_wide(me: Party, x: Wide, y: Wide, bits: int) -> Bits:
    """1 where x < y, for signed numbers: the sign of x − y.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `sign_wide`. Facts: rows, bits, lane.
    Needs:  −2^(bits−1) ≤ x − y < 2^(bits−1), bits ≤ 2h.
    """
    return await sign_wide(me, x - y, bits)


def is_zero_wide_cost(rows: int, bits: int) -> Cost:
    return Cost(1, plane_bytes(bits, rows)).then(all_cost(rows, bits))


@costs(is_zero_wide_cost)
async def is_zero_wide(me: Party, x: Wide, bits: int) -> Bits:
    """1 where x = 0 modulo 2^bits, as `compare.is_zero`.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   1 + ⌈log2 bits⌉ rounds: 8 and 21.2 bytes a row and server at 128 bits. Facts: rows, bits.
    Needs:  −2^bits < x < 2^bits, bits ≤ 2h.
    """
    _require_bits(x, bits)
    view = summand_wide(me, x)
    planes = _planes(view if me.role == 0 else subtract(np.zeros_like(view), view, x.lane), bits, x.lane)
    c = await pivot_input_bits(me.step("pivot"), planes if me.role == 0 else None, bits, x.rows)
    differ = c if me.role == 0 else xor_into(me, 2, c, planes)
    return await all_bits(me.step("all"), not_bits(me, differ))


@costs(is_zero_wide_cost)
async def equality_wide(me: Party, x: Wide, y: Wide, bits: int) -> Bits:
    """1 where x = y.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `is_zero_wide`. Facts: rows, bits.
    Needs:  −2^bits < x − y < 2^bits, bits ≤ 2h.
    """
    return await is_zero_wide(me, x - y, bits)


def _planes(view: Column, bits: int, lane: Ring) -> Column:
    """The lowest `bits` bits of lanes as planes."""
    low = planes_from_column(view[:, 0], min(bits, lane.bits))
    return low if bits <= lane.bits else np.concatenate([low, planes_from_column(view[:, 1], bits - lane.bits)])


def _require_bits(x: Wide, bits: int) -> None:
    if not 1 <= bits <= x.bits:
        raise OurFault(f"{bits} bits of {x!r}", rule=f"1 to {x.bits}")
