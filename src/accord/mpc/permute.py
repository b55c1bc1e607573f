"""Secret permutations as data: a secret column `dest`, row j goes to row dest[j]; applied, undone, composed.

To apply one, it is opened behind a fresh shuffle: what the servers see is a uniform permutation. The shuffle and the opened column
together, a `Permutation`, then move any number of columns, later ones too, at the price of a shuffle each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from accord.base.limits import ROWS_MAX
from accord.base.ring import Column, Ring
from accord.mpc.cost import Cost, costs
from accord.mpc.party import Party
from accord.mpc.share import Secret, Share
from accord.mpc.shuffle import (
    AnyColumn,
    Load,
    Shuffle,
    Way,
    Words,
    draw_shuffle,
    load_of,
    moved,
    packed,
    shuffle_cost,
    travel,
    travel_cost,
    unpacked,
    way_back,
    way_through,
)

assert (ROWS_MAX - 1).bit_length() <= 32, "row numbers in clear are uint32"


def index_ring(rows: int) -> Ring:
    """The narrowest ring that holds every row number."""
    return Ring(max(1, (rows - 1).bit_length()))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Permutation(Secret):
    """A secret permutation dest, opened behind a shuffle: row k of the shuffled table goes to row `place[k]` (uint32)."""

    shuffle: Shuffle
    place: Column

    def __repr__(self) -> str:
        return f"<secret permutation of {self.rows} rows>"

    @property
    def rows(self) -> int:
        return self.shuffle.rows


def turned_from(me: Party, by: Permutation, turns: int = 1) -> Party:
    """The same step with the pivot so many servers after that of a permutation, so that another one loads other servers most."""
    return me.turned(by.shuffle.pivot + turns - me.pivot)


def identity(me: Party, rows: int) -> Share:
    """The row numbers as a secret column: local."""
    ring = index_ring(rows)
    numbers = np.arange(rows, dtype=ring.dtype)
    return Share(ring, numbers if me.index == 0 else ring.zeros(rows), numbers if me.right == 0 else ring.zeros(rows))


def apply_first_cost(rows: int, dest: Ring | int, *kinds: Ring | int) -> Cost:
    return travel_cost(rows, *kinds, opens=dest)


@costs(apply_first_cost)
async def apply_first(me: Party, dest: AnyColumn, columns: Sequence[AnyColumn] = ()) -> tuple[Permutation, list[AnyColumn]]:
    """Open `dest` behind a shuffle of its own, and put row j of each column into row dest[j], all in the same rounds.

    Learns: every server a uniform permutation of the rows.
    Opens:  the shuffled dest, once a shuffle.
    Cost:   2 rounds, 6 elements a row of dest and 4 of each column, all servers together. Facts: rows, the ring or width of dest,
            those of the columns.
    Needs:  dest a permutation of the row numbers. Raises OurFault if it is none.
    """
    way = way_through(draw_shuffle(me.step("draw"), dest.rows))
    (whole,) = packed(way.rows, [dest])
    loads = [load_of(me, way, one) for one in packed(way.rows, columns)]
    permutation, rest = await carried(me, way, load_of(me, way, whole, opens=True), loads)
    return permutation, unpacked(columns, rest)


@costs(shuffle_cost)
async def apply(me: Party, permutation: Permutation, columns: Sequence[AnyColumn]) -> list[AnyColumn]:
    """Row j of each column goes to row dest[j].

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `shuffle`. Facts: rows, and the ring or width of each column.
    """
    return await moved(me, way_through(permutation.shuffle, permutation.place), columns)


@costs(shuffle_cost)
async def scattered(me: Party, columns: Sequence[AnyColumn]) -> list[AnyColumn]:
    """The rows of one or more columns in an order that no server knows, drawn for them alone.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `shuffle`. Facts: rows, and the ring or width of each column.
    """
    return await moved(me, way_through(draw_shuffle(me.step("draw"), columns[0].rows)), columns)


@costs(shuffle_cost)
async def gather(me: Party, permutation: Permutation, columns: Sequence[AnyColumn]) -> list[AnyColumn]:
    """Row j of each result is row dest[j] of its column: what `apply` does, undone.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `shuffle`. Facts: rows, and the ring or width of each column.
    """
    return await moved(me, way_back(permutation.shuffle, permutation.place), columns)


def inverse_cost(rows: int) -> Cost:
    return shuffle_cost(rows, index_ring(rows))


@costs(inverse_cost)
async def inverse(me: Party, permutation: Permutation) -> Share:
    """The dest of the permutation that undoes this one.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds, 4 elements a row, all servers together. Facts: rows.
    """
    (undoing,) = await apply(me, permutation, [identity(me, permutation.rows)])
    assert isinstance(undoing, Share)
    return undoing


@costs(shuffle_cost)
async def compose(me: Party, first: Permutation, then: AnyColumn) -> AnyColumn:
    """The dest of one permutation after the other: then[first[j]].

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds, 4 elements a row, all servers together. Facts: rows, the ring or width of `then`.
    """
    (dest,) = await gather(me, first, [then])
    return dest


@costs(apply_first_cost)
async def carried(me: Party, way: Way, load: Load, loads: Sequence[Load]) -> tuple[Permutation, list[Share | Words]]:
    """A load of row numbers, opened behind the way's shuffle, and the other loads put where it says.

    Learns: as `apply_first`.
    Opens:  as `apply_first`.
    Cost:   as `apply_first`. Facts: rows, the ring or width of the row numbers, those of the other loads.
    """
    place, *rest = await travel(me, way, [load, *loads])
    return Permutation(way.shuffle, place), rest
