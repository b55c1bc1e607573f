"""Noise that nobody knows: discrete Laplace numbers drawn on shares, bit by bit.

The bits of a geometric number are independent, bit i being 1 with the chance 1 / (1 + e^(2^i / scale)) [DKMMN06]; a discrete Laplace one
is the difference of two. Each bit is a comparison of a uniform word, of which every server holds two thirds, with a public bound.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from fractions import Fraction

import numpy as np

from accord.base.ring import Z64, Column, Ring
from accord.mpc.bits import planes_from_column, public_bits
from accord.mpc.compare import less_than_bits
from accord.mpc.convert import bit_to_ring
from accord.mpc.cost import Cost, cost_of, costs
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share

WORD_BITS = 64
"""Of a uniform word: a coin's chance is less than 2^-64 below the true one."""
REACH_SCALES = 70
"""A geometric number beyond so many scales is cut: its chance is below 2^-100."""
DIGITS = 60


def coin_bounds(scale: Fraction) -> tuple[int, ...]:
    """For each bit of a geometric number, how many of the 2^64 words make it 1."""
    with localcontext(Context(prec=DIGITS)):
        rate = Decimal(scale.denominator) / Decimal(scale.numerator)
        return tuple(int((1 << WORD_BITS) / (1 + (rate * (1 << at)).exp())) for at in range((REACH_SCALES * (int(scale) + 1)).bit_length()))


def _coin_cost(rows: int, ring: Ring, width: int = WORD_BITS) -> Cost:
    return cost_of(less_than_bits, rows, width).then(cost_of(bit_to_ring, rows, ring))


@costs(_coin_cost)
async def coins(me: Party, bounds: Column, *, ring: Ring, width: int = WORD_BITS) -> Share:
    """1 in each row with the chance bound / 2^width, else 0: a comparison of a uniform word with the row's public bound.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   that of `less_than_bits` and `bit_to_ring`. Facts: rows, ring, width.
    """
    rows = len(bounds)
    words = Bits(rows, *(me.mask_planes(me.index + at, width, rows, "words") for at in (0, 1)))
    least = public_bits(me, planes_from_column(bounds, width), rows)
    made: Share = await bit_to_ring(me.step("number"), await less_than_bits(me.step("coin"), words, least), ring)
    return made


def _cost(rows: int, bits: int, ring: Ring, width: int = WORD_BITS) -> Cost:
    return cost_of(coins, 2 * bits * rows, ring, width)


@costs(_cost)
async def add_laplace(me: Party, x: Share, *, bounds: tuple[int, ...], width: int = WORD_BITS) -> Share:
    """x plus a discrete Laplace number in each row, whose geometric parts have these coins [DKMMN06].

    Learns: nobody anything, nor what was added.
    Opens:  nothing.
    Cost:   that of `coins`, twice as many a row as there are bounds. Facts: rows, bits, ring, width.
    """
    flipped = await coins(me.step("coins"), np.tile(np.array([*bounds, *bounds], np.uint64), x.rows), ring=x.ring, width=width)
    weights = [1 << at for at in range(len(bounds))]
    signed = Z64.encode(np.array([*weights, *(-one for one in weights)], np.int64)).astype(x.ring.dtype)
    own, after = ((part.reshape(x.rows, -1) * signed).sum(axis=1, dtype=x.ring.dtype) for part in (flipped.own, flipped.next))
    return x + Share(x.ring, x.ring.reduce(own), x.ring.reduce(after))
