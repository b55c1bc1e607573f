"""Comparisons of secret columns, and what is chosen by them."""

from __future__ import annotations

from accord.base.ring import Column, Ring
from accord.mpc.adder import carries, carries_cost, carry_tree
from accord.mpc.bits import all_bits, all_cost, and_bits, and_cost, not_bits, planes_from_column
from accord.mpc.convert import bit_to_ring, difference, half_sums, half_sums_cost, narrowed, pivot_input_bits, summand, with_last
from accord.mpc.cost import Cost, cost_of, costs, plane_bytes
from accord.mpc.party import Party
from accord.mpc.product import multiply
from accord.mpc.share import Bits, Share


def sign_cost(rows: int, bits: int) -> Cost:
    halves = half_sums_cost(rows, bits, bits - 1)
    return halves.then(carries_cost(rows, carry_tree(bits - 1))) if bits > 1 else halves


@costs(sign_cost)
async def sign(me: Party, x: Share, bits: int) -> Bits:
    """1 where x < 0: the top bit of x modulo 2^bits [MR18].

    Components are first taken modulo 2^bits, so that a narrow range costs little.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 + ⌈log2 (bits − 1)⌉ rounds, about 3 bits a bit, row and server: 8 rounds and 22.7 bytes at 64 bits, 7 and 10.8 at 32.
            Facts: rows, bits.
    Needs:  −2^(bits−1) ≤ x < 2^(bits−1).
    """
    return await _top_bit(me, narrowed(x.ring, summand(me, x), bits), bits)


async def _top_bit(me: Party, view: Column, bits: int) -> Bits:
    """Of c + r, `view` being c or r modulo 2^bits."""
    generate, propagate = await half_sums(me.step("halves"), view, bits, bits - 1)
    top = propagate.plane(bits - 1)
    if bits == 1:
        return top
    carried = await carries(me.step("carries"), generate, propagate.planes(slice(bits - 1)), carry_tree(bits - 1))
    return top ^ carried.plane(bits - 2)


@costs(sign_cost)
async def less_than(me: Party, x: Share, y: Share, bits: int) -> Bits:
    """1 where x < y, for signed numbers: the sign of x − y.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `sign`. Facts: rows, bits.
    Needs:  −2^(bits−1) ≤ x − y < 2^(bits−1).
    """
    return await _top_bit(me, narrowed(x.ring, difference(me, x, y), bits), bits)


def is_zero_cost(rows: int, bits: int) -> Cost:
    return Cost(1, plane_bytes(bits, rows)).then(all_cost(rows, bits))


@costs(is_zero_cost)
async def is_zero(me: Party, x: Share, bits: int) -> Bits:
    """1 where x = 0 modulo 2^bits: x = c + r is 0 where every bit of c is that of −r.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   1 + ⌈log2 bits⌉ rounds, about 4/3 bits a bit, row and server: 7 rounds and 10.5 bytes at 64 bits. Facts: rows, bits.
    Needs:  −2^bits < x < 2^bits.
    """
    return await _all_zero(me, narrowed(x.ring, summand(me, x), bits), bits)


async def _all_zero(me: Party, view: Column, bits: int) -> Bits:
    """Whether c + r is 0, `view` being c or r modulo 2^bits: c and −r have the same bits where ¬c ⊕ −r has them all."""
    planes = planes_from_column(~view if me.role == 0 else view.dtype.type(0) - view, bits)
    c = await pivot_input_bits(me.step("pivot"), planes if me.role == 0 else None, bits, view.shape[0])
    return await all_bits(me.step("all"), with_last(me, c, planes))


@costs(is_zero_cost)
async def equality(me: Party, x: Share, y: Share, bits: int) -> Bits:
    """1 where x = y.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `is_zero`. Facts: rows, bits.
    Needs:  −2^bits < x − y < 2^bits.
    """
    return await _all_zero(me, narrowed(x.ring, difference(me, x, y), bits), bits)


def less_than_bits_cost(rows: int, width: int) -> Cost:
    return and_cost(rows, width).then(carries_cost(rows, carry_tree(width)))


@costs(less_than_bits_cost)
async def less_than_bits(me: Party, a: Bits, b: Bits) -> Bits:
    """1 where a < b, for unsigned words: the borrow out of a − b. For signed words, turn both top planes over first.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   1 + ⌈log2 width⌉ rounds, about 3 bits a bit, row and server. Facts: rows, width.
    """
    not_a = not_bits(me, a)
    borrow = await and_bits(me.step("borrow"), not_a, b)
    return (await carries(me.step("carries"), borrow, not_a ^ b, carry_tree(a.width))).plane(a.width - 1)


@costs(all_cost)
async def equality_bits(me: Party, a: Bits, b: Bits) -> Bits:
    """1 where two words are the same.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   ⌈log2 width⌉ rounds, width − 1 bits a row and server. Facts: rows, width.
    """
    return await all_bits(me, not_bits(me, a ^ b))


def choice_cost(rows: int, bits: int, ring: Ring) -> Cost:
    return sign_cost(rows, bits).then(cost_of(bit_to_ring, rows, ring)).then(cost_of(multiply, rows, ring))


@costs(choice_cost)
async def minimum(me: Party, x: Share, y: Share, bits: int) -> Share:
    """The smaller of two signed numbers, row by row: y + [x < y] (x − y).

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   11 rounds and 38.7 bytes a row and server at 64 bits. Facts: rows, bits, ring.
    Needs:  −2^(bits−1) ≤ x − y < 2^(bits−1).
    """
    return y + await _part_below(me, x, y, bits)


@costs(choice_cost)
async def maximum(me: Party, x: Share, y: Share, bits: int) -> Share:
    """The larger of two signed numbers, row by row: x − [x < y] (x − y).

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   11 rounds and 38.7 bytes a row and server at 64 bits. Facts: rows, bits, ring.
    Needs:  −2^(bits−1) ≤ x − y < 2^(bits−1).
    """
    return x - await _part_below(me, x, y, bits)


async def _part_below(me: Party, x: Share, y: Share, bits: int) -> Share:
    """x − y where it is negative, else 0."""
    distance = x - y
    below = await sign(me.step("sign"), distance, bits)
    flag = await bit_to_ring(me.step("flag"), below, x.ring)
    return await multiply(me.step("part"), flag, distance)
