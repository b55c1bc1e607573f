"""Public tables read at secret places, and secret one-hot vectors.

With the index as x = c + r modulo 2^m, role 0 shares the one-hot vector of c; roles 1 and 2 turn their parts by r, which both know, and
have parts of that of x. A read is then a sum against a public table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accord.base.errors import OurFault
from accord.base.ring import Column, Ring
from accord.mpc.bits import column_from_planes, planes_from_column
from accord.mpc.compose import together
from accord.mpc.convert import held, held_bits, pivot_input, pivot_input_bits, reshare, reshare_bits, summand
from accord.mpc.cost import Cost, costs, plane_bytes
from accord.mpc.kernels_lookup import one_hot_planes, turn_words, turned_sums, turned_words
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share

INDEX_BITS_MAX = 10
"""Role 0 sends 2^m elements, or bits, a row."""


def index_bits(entries: int) -> int:
    """Bits of an index into so many entries. Raises OurFault beyond 2^10 entries."""
    bits = max(1, (entries - 1).bit_length())
    if not entries or bits > INDEX_BITS_MAX:
        raise OurFault(f"a table of {entries} entries", rule=f"1 to {1 << INDEX_BITS_MAX}", do="sort, or split the index")
    return bits


def look_up_each_cost(rows: int, tables: int, entries: int, ring: Ring) -> Cost:
    return Cost(2, ring.nbytes(rows << index_bits(entries)) + 2 * tables * ring.nbytes(rows))


@costs(lambda rows, entries, ring: look_up_each_cost(rows, 1, entries, ring))
async def look_up(me: Party, index: Share, table: Column, ring: Ring) -> Share:
    """table[x] as a ring element, x being the index modulo 2^m, the least power of two with room for the table; 0 past its end.

    `table` is public: up to 2^10 integers of any sign. `look_up_bits` then `to_ring` sends less for tables of more than about 16.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds; 2^m + 2 elements a row, all servers together. Facts: rows, entries, ring.
    """
    (read,) = await look_up_each(me, index, [table], ring)
    return read


@costs(look_up_each_cost)
async def look_up_each(me: Party, index: Share, tables: Sequence[Column], ring: Ring) -> tuple[Share, ...]:
    """As `look_up`, in several tables of one length at the same place: the one-hot vector is sent once.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds; 2^m elements a row, and 2 a table, all servers together. Facts: rows, tables, entries, ring.
    """
    rows, bits, turns = index.rows, index_bits(len(tables[0])), _turns(me, index, len(tables[0]))
    hot = await _one_hot_of_c(me, turns, bits, ring)
    parts: list[Column | None] = [None] * len(tables)
    if me.role:
        for number, table in enumerate(tables):
            part = np.empty(rows, ring.dtype)
            turned_sums(held(me, hot).reshape(rows, -1), turns, _twice(ring.encode(table), bits), part)
            parts[number] = ring.reduce(part)
    return tuple(await together(*(reshare(me.step(f"reshare.{i}"), part, ring, rows) for i, part in enumerate(parts))))


def look_up_bits_cost(rows: int, entries: int, width: int) -> Cost:
    return Cost(2, plane_bytes(1 << index_bits(entries), rows) + 2 * plane_bytes(width, rows))


@costs(look_up_bits_cost)
async def look_up_bits(me: Party, index: Share, table: Column, width: int) -> Bits:
    """As `look_up`, for a table of words of `width` bits (1 … 64): the one-hot vector is one of bits.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds; 2^m + 2 width bits a row, all servers together. Facts: rows, entries, width.
    """
    rows, bits, turns = index.rows, index_bits(len(table)), _turns(me, index, len(table))
    hot = await _one_hot_bits_of_c(me, turns, bits)
    part = None
    if me.role:
        words = np.empty(rows, np.uint64)
        turned_words(_words(held_bits(me, hot), rows), turns, _twice(Ring(64).encode(table), bits), words)
        part = planes_from_column(words, width)
    return await reshare_bits(me.step("reshare"), part, width, rows)


@costs(lambda rows, entries, ring: Cost(2, 3 * ring.nbytes(rows << index_bits(entries))))
async def one_hot(me: Party, index: Share, entries: int, ring: Ring) -> tuple[Share, ...]:
    """Column j is 1 where the index modulo 2^m is j, else 0, for j < entries; 2^m ≥ entries is the least such power of two.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds, 2^m elements a row and server. Facts: rows, entries, ring.
    """
    rows, bits, turns = index.rows, index_bits(entries), _turns(me, index, entries)
    hot = await _one_hot_of_c(me, turns, bits, ring)
    part, size = None, 1 << bits
    if me.role:
        places = (np.arange(size) - turns[:, None]) % size
        part = np.take_along_axis(held(me, hot).reshape(rows, size), places, axis=1).reshape(-1)
    whole = await reshare(me.step("reshare"), part, ring, rows * size)
    own, after = (np.ascontiguousarray(one.reshape(rows, size).T) for one in (whole.own, whole.next))
    return tuple(Share(ring, own[j], after[j]) for j in range(entries))


@costs(lambda rows, entries: Cost(2, 3 * plane_bytes(1 << index_bits(entries), rows)))
async def one_hot_bits(me: Party, index: Share, entries: int) -> Bits:
    """As `one_hot`, with bit-plane j in place of column j.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds, 2^m bits a row and server. Facts: rows, entries.
    """
    rows, bits, turns = index.rows, index_bits(entries), _turns(me, index, entries)
    hot = await _one_hot_bits_of_c(me, turns, bits)
    part = None
    if me.role:
        words = turn_words(_words(held_bits(me, hot), rows), turns, 1 << bits)
        part = np.concatenate([planes_from_column(one, min(64, 1 << bits)) for one in words])
    return (await reshare_bits(me.step("reshare"), part, 1 << bits, rows)).planes(slice(entries))


def _turns(me: Party, index: Share, entries: int) -> Column:
    """This server's summand of the index modulo 2^m, as row numbers of a table."""
    return summand(me, index.cast_down(Ring(index_bits(entries)))).astype(np.intp)


async def _one_hot_of_c(me: Party, turns: Column, bits: int, ring: Ring) -> Share:
    """Role 0's one-hot vectors as 2^bits consecutive elements a row."""
    entries, hot = turns.size << bits, None
    if me.role == 0:
        hot = ring.zeros(entries)
        hot[(np.arange(turns.size) << bits) + turns] = 1
    return await pivot_input(me.step("pivot"), hot, ring, entries)


async def _one_hot_bits_of_c(me: Party, turns: Column, bits: int) -> Bits:
    """Role 0's one-hot vectors as 2^bits planes."""
    rows, hot = turns.size, None
    if me.role == 0:
        hot = np.zeros((1 << bits, (rows + 63) // 64), np.uint64)
        one_hot_planes(turns, hot)
    return await pivot_input_bits(me.step("pivot"), hot, 1 << bits, rows)


def _words(planes: Column, rows: int) -> Column:
    """Planes as words: (⌈planes / 64⌉, rows)."""
    return np.stack([column_from_planes(planes[at : at + 64], rows) for at in range(0, planes.shape[0], 64)])


def _twice(table: Column, bits: int) -> Column:
    """The table with zeros up to 2^bits entries, two times."""
    return np.tile(np.concatenate([table, np.zeros((1 << bits) - len(table), table.dtype)]), 2)
