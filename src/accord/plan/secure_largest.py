"""The largest contributions of each group, on shares.

Of public groups by a tournament of sorted lists: two lists meet, the larger of a's first and b's last, of a's second and b's last but
one, … are the largest of both, and a few exchanges put them in order [Batcher68]. Places past a list's end are not compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from accord.mpc.compose import in_blocks
from accord.mpc.party import Party
from accord.mpc.rows import zeros_like
from accord.mpc.share import Share
from accord.plan.secure_calls import maximum

Rows = NDArray[np.intp]
Ranked = list[Share]
"""For each rank, from the largest down, the values of all groups' lists; ranks beyond its length are known to be 0."""


async def largest_in_groups(me: Party, columns: Sequence[Share], starts: Rows, rows: int, ranks: int, bits: int) -> list[Share]:
    """For each rank a value a group: the largest among several columns' values in its rows, …; 0 where there are fewer.

    Values of rows that do not count are 0. `starts` are the groups' first rows; who meets whom depends on the groups' sizes alone.
    """
    lists: Ranked = [columns[0]]
    for at, one in enumerate(columns[1:]):
        lists = await _merged(me.step(f"column.{at}"), lists, [one], ranks, bits)
    sizes = np.diff(np.append(starts, rows))
    while sizes.max(initial=1) > 1:
        count = int(sizes.sum())
        inside = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        is_kept, has_partner = inside % 2 == 0, inside + 1 < np.repeat(sizes, sizes)
        leads, alone = np.flatnonzero(is_kept & has_partner), np.flatnonzero(is_kept & ~has_partner)
        met = await _merged(me.step(f"rows.{count}"), _taken(lists, leads), _taken(lists, leads + 1), ranks, bits)
        places = np.empty(count, np.intp)
        places[np.concatenate([leads, alone])] = np.arange(len(leads) + len(alone))
        lists = _taken([_after(one, lists[at : at + 1], alone) for at, one in enumerate(met)], places[is_kept])
        sizes = (sizes + 1) // 2
    return [*lists, *(zeros_like(lists[0], lists[0].rows) for _ in range(ranks - len(lists)))]


def _taken(lists: Ranked, rows: Rows) -> Ranked:
    return [one[rows] for one in lists]


def _after(met: Share, rest: Ranked, alone: Rows) -> Share:
    """The lists that met, then those of the rows that had no partner; 0 where those are shorter."""
    return Share.concatenate([met, rest[0][alone] if rest else zeros_like(met, len(alone))])


async def _merged(me: Party, a: Ranked, b: Ranked, ranks: int, bits: int) -> Ranked:
    """The `ranks` largest of two lists in falling order, in falling order."""
    size = 1 << (min(ranks, len(a) + len(b)) - 1).bit_length()
    upper, lower = ([*one, *[None] * size][:size] for one in (a, b))
    kept = await _larger(me.step("meet"), list(zip(upper, lower[::-1], strict=True)), bits)
    stride = size // 2
    while stride:
        pairs = [(at, at + stride) for at in range(size) if not at & stride]
        found = await _larger(me.step(f"order.{stride}"), [(kept[low], kept[high]) for low, high in pairs], bits)
        for (low, high), one in zip(pairs, found, strict=True):
            first, second = kept[low], kept[high]
            rest = first + second - one if first is not None and second is not None and one is not None else None
            kept[low], kept[high] = one, rest
        stride //= 2
    return [one for one in kept[:ranks] if one is not None]


async def _larger(me: Party, pairs: Sequence[tuple[Share | None, Share | None]], bits: int) -> list[Share | None]:
    """Of each pair the larger, all in one comparison; of a value and none, which is 0, the value."""
    real = [(a, b) for a, b in pairs if a is not None and b is not None]
    made = None
    if real:
        firsts, seconds = (Share.concatenate([pair[side] for pair in real]) for side in (0, 1))
        made = await in_blocks(maximum, me, firsts, seconds, bits=bits)
    found: list[Share | None] = []
    place = 0
    for a, b in pairs:
        if made is None or a is None or b is None:
            found.append(b if a is None else a)
        else:
            found.append(made[place : place + a.rows])
            place += a.rows
    return found
