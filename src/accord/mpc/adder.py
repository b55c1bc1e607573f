"""Carries: parallel-prefix networks over (generate, propagate) planes, and the protocol that walks one.

Position i of a sum generates a carry, or propagates the one below: (G, P) ∘ (G', P') = (G ⊕ P·G', P·P'). A network merges spans
of positions level by level; the levels are public, computed once a width.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from accord.base.limits import SERVERS
from accord.base.ring import Column
from accord.mpc.cost import Cost, costs, plane_bytes
from accord.mpc.kernels import and_planes, fold_planes
from accord.mpc.party import Party
from accord.mpc.share import Bits


@dataclass(frozen=True, eq=False)
class Level:
    """The ANDs of one round, of plane `left[j]` and plane `right[j]`; G of position i is plane i, its P plane width + i.

    The first `merges` of them, P·G', are ⊕ed into G, plane `into[j]`. The others, P·P', replace P: of merges whose span does not
    reach position 0 yet, so that it is still needed.
    """

    left: Column
    right: Column
    into: Column
    merges: int


Network = tuple[Level, ...]


@cache
def carry_tree(width: int) -> Network:
    """The carry out of all `width` positions alone, at position width − 1: 2 (width − 1) − ⌈log2 width⌉ ANDs."""
    steps, alive = [], list(range(width))
    while len(alive) > 1:
        steps.append(list(zip(alive[1::2], alive[0::2], strict=False)))
        alive = alive[1::2] + (alive[-1:] if len(alive) % 2 else [])
    return _network(width, steps)


@cache
def sklansky(width: int) -> Network:
    """Every carry, in ⌈log2 width⌉ rounds [Sklansky60]."""
    strides = [1 << level for level in range((width - 1).bit_length())]
    return _network(width, ([(i, i // k * k - 1) for i in range(width) if i // k % 2] for k in strides))


@cache
def brent_kung(width: int) -> Network:
    """Every carry, with the fewest ANDs, in about 2 log2 width rounds [BK82]."""
    strides = [1 << level for level in range((width - 1).bit_length())]
    up = [[(i, i - k) for i in range(2 * k - 1, width, 2 * k)] for k in strides]
    down = [[(i, i - k) for i in range(3 * k - 1, width, 2 * k)] for k in reversed(strides)]
    return _network(width, up + down)


ADDERS = {"brent-kung": brent_kung, "sklansky": sklansky}
"""By the profile's name: the one for bandwidth, the one for rounds."""


def _network(width: int, steps: Iterable[list[tuple[int, int]]]) -> Network:
    start = list(range(width))
    levels = []
    for pairs in filter(None, steps):
        levels.append(_level(width, pairs, [pair for pair in pairs if start[pair[1]] > 0]))
        merged = {high: start[low] for high, low in pairs}
        start = [merged.get(i, first) for i, first in enumerate(start)]
    return tuple(levels)


def _level(width: int, pairs: list[tuple[int, int]], still_open: list[tuple[int, int]]) -> Level:
    left = [width + high for high, _ in pairs + still_open]
    right = [low for _, low in pairs] + [width + low for _, low in still_open]
    into = [high for high, _ in pairs] + [width + high for high, _ in still_open]
    return Level(np.array(left, np.intp), np.array(right, np.intp), np.array(into, np.intp), len(pairs))


def carries_cost(rows: int, network: Network) -> Cost:
    return Cost(len(network), SERVERS * plane_bytes(sum(len(level.into) for level in network), rows))


@costs(carries_cost)
async def carries(me: Party, generate: Bits, propagate: Bits, network: Network) -> Bits:
    """Carry out of every position that the network completes, from the planes G and P of each position.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   1 round a level, 1 or 2 bits a merge, row and server. Facts: rows, network.
    """
    rows, width = generate.rows, generate.width
    # New arrays: the levels write into them, and the originals may lie in a send queue.
    own, after = np.concatenate([generate.own, propagate.own]), np.concatenate([generate.next, propagate.next])
    for number, level in enumerate(network):
        here = me.step(f"level.{number}")
        z = np.empty((len(level.into), own.shape[1]), np.uint64)
        masks = here.mask_planes(here.index, len(z), rows), here.mask_planes(here.right, len(z), rows)
        and_planes((own, after), level.left, (own, after), level.right, masks, z)
        heard = await here.swap_planes(z)
        fold_planes(own, level.into, z, level.merges)
        fold_planes(after, level.into, heard, level.merges)
    return Bits(rows, own[:width], after[:width])
