"""Circuits on boolean secrets: bit-planes in and out of columns, NOT, AND, OR, selection, the AND of all planes."""

from __future__ import annotations

import numpy as np

from accord.base.errors import OurFault
from accord.base.limits import SERVERS
from accord.base.ring import Column
from accord.mpc.cost import Cost, costs, plane_bytes
from accord.mpc.kernels import and_planes, planes_from_words, words_from_planes
from accord.mpc.party import Party
from accord.mpc.share import Bits

# ---- plain values


def planes_from_column(column: Column, width: int) -> Column:
    """The low `width` bits (1 … 64) of a column of any ring as bit-planes: (width, ⌈rows / 64⌉) uint64; pad bits are zero."""
    return planes_from_words(column.astype(np.uint64, copy=False), width)


def column_from_planes(planes: Column, rows: int) -> Column:
    """The uint64 column whose bit j is plane j's, of at most 64 planes; pad bits are dropped."""
    return words_from_planes(planes, rows)


def planes_from_bools(values: Column) -> Column:
    """Booleans (or 0/1 integers) as one bit-plane: (1, ⌈rows / 64⌉) uint64; pad bits are zero."""
    rows = values.shape[0]
    plane = np.zeros((rows + 63) // 64 * 8, np.uint8)
    plane[: (rows + 7) // 8] = np.packbits(values.astype(bool), bitorder="little")
    return plane.view(np.uint64).reshape(1, -1)


def bools_from_planes(planes: Column, rows: int) -> Column:
    """The booleans of one bit-plane, without the pad bits."""
    return np.unpackbits(np.ascontiguousarray(planes).view(np.uint8).reshape(-1), count=rows, bitorder="little").view(np.bool_)


# ---- local


def public_bits(me: Party, planes: Column, rows: int) -> Bits:
    """A public column as a secret one: component 0 holds it, the others are zero."""
    return xor_public(me, Bits(rows, np.zeros_like(planes), np.zeros_like(planes)), planes)


def xor_public(me: Party, a: Bits, planes: Column) -> Bits:
    """⊕ of a secret and a public column of bit-planes (or planes that broadcast to it): into component 0."""
    return Bits(a.rows, a.own ^ planes if me.index == 0 else a.own, a.next ^ planes if me.right == 0 else a.next)


def not_bits(me: Party, a: Bits) -> Bits:
    """Every bit turned over."""
    return xor_public(me, a, np.uint64(0xFFFF_FFFF_FFFF_FFFF))  # type: ignore[arg-type]


# ---- protocols


def and_cost(rows: int, width: int) -> Cost:
    return Cost(1, SERVERS * plane_bytes(width, rows))


@costs(and_cost)
async def and_bits(me: Party, a: Bits, b: Bits) -> Bits:
    """AND of two secret columns, bit by bit [AFLNO16].

    Learns: nobody anything; each message is masked by a coin that its receiver lacks.
    Opens:  nothing.
    Cost:   1 round, 1 bit a bit and server. Facts: rows, width.
    """
    _same_shape(a, b)
    every = np.arange(a.width)
    return await _and_rows(me, a, every, b, every)


@costs(and_cost)
async def or_bits(me: Party, a: Bits, b: Bits) -> Bits:
    """OR of two secret columns, bit by bit: a ⊕ b ⊕ ab.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   1 round, 1 bit a bit and server. Facts: rows, width.
    """
    return a ^ b ^ await and_bits(me, a, b)


@costs(and_cost)
async def select_bits(me: Party, condition: Bits, a: Bits, b: Bits) -> Bits:
    """a where the condition (one plane) holds, else b: b ⊕ condition · (a ⊕ b).

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   1 round, 1 bit a bit and server. Facts: rows, width.
    """
    _same_shape(condition, a.plane(0))
    return b ^ await _and_rows(me, condition, np.zeros(a.width, np.intp), a ^ b, np.arange(a.width))


def all_cost(rows: int, width: int) -> Cost:
    return Cost((width - 1).bit_length(), SERVERS * plane_bytes(width - 1, rows))


@costs(all_cost)
async def all_bits(me: Party, a: Bits) -> Bits:
    """One plane: whether all bits of a row are set, by a tree of ANDs.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   ⌈log2 width⌉ rounds, width − 1 bits a row and server. Facts: rows, width.
    """
    while a.width > 1:
        half = a.width // 2
        here = me.step(f"width.{a.width}")
        both = await _and_rows(here, a, np.arange(half), a, np.arange(half, 2 * half))
        a = Bits.stack([both, a.planes(slice(2 * half, None))]) if a.width % 2 else both
    return a


async def _and_rows(me: Party, a: Bits, left: Column, b: Bits, right: Column) -> Bits:
    """AND of the planes `left[j]` of a and `right[j]` of b, for every j; costs as `and_bits` of that many planes."""
    z = np.empty((left.shape[0], a.own.shape[1]), np.uint64)
    masks = me.mask_planes(me.index, z.shape[0], a.rows), me.mask_planes(me.right, z.shape[0], a.rows)
    and_planes((a.own, a.next), left, (b.own, b.next), right, masks, z)
    return Bits(a.rows, z, await me.swap_planes(z))


def _same_shape(a: Bits, b: Bits) -> None:
    if (a.rows, a.width) != (b.rows, b.width):
        raise OurFault(f"{a!r} and {b!r} do not go together", do="align rows and widths")
