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
    """Merges of one round: position `high[j]` takes in position `low[j]`.

    `high_open`, `low_open`: those merges whose span does not reach position 0 yet, so that P is still needed.
    """

    high: Column
    low: Column
    high_open: Column
    low_open: Column

    @property
    def ands(self) -> int:
        return len(self.high) + len(self.high_open)


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
        still_open = [(high, low) for high, low in pairs if start[low] > 0]
        levels.append(Level(*_columns(pairs), *_columns(still_open)))
        merged = {high: start[low] for high, low in pairs}
        start = [merged.get(i, first) for i, first in enumerate(start)]
    return tuple(levels)


def _columns(pairs: list[tuple[int, int]]) -> tuple[Column, Column]:
    both = np.array(pairs, np.intp).reshape(-1, 2)
    return both[:, 0].copy(), both[:, 1].copy()


def carries_cost(rows: int, network: Network) -> Cost:
    return Cost(len(network), SERVERS * plane_bytes(sum(level.ands for level in network), rows))


@costs(carries_cost)
async def carries(me: Party, generate: Bits, propagate: Bits, network: Network) -> Bits:
    """Carry out of every position that the network completes, from the planes G and P of each position.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   1 round a level, 1 or 2 bits a merge, row and server. Facts: rows, network.
    """
    rows = generate.rows
    # Copies: the levels write into them, and the originals may lie in a send queue.
    g, p = ((one.own.copy(), one.next.copy()) for one in (generate, propagate))
    for number, level in enumerate(network):
        z = await _merge(me.step(f"level.{number}"), rows, g, p, level)
        for side in (0, 1):
            fold_planes(g[side], level.high, z[side][: len(level.high)])
            p[side][level.high_open] = z[side][len(level.high) :]
    return Bits(rows, *g)


async def _merge(me: Party, rows: int, g: tuple[Column, Column], p: tuple[Column, Column], level: Level) -> tuple[Column, Column]:
    """P·G' of every merge, then P·P' of the open ones: both components."""
    z, count = np.empty((level.ands, g[0].shape[1]), np.uint64), len(level.high)
    mask, after = (me.mask_planes(me.index + j, level.ands, rows) for j in (0, 1))
    and_planes(p, level.high, g, level.low, (mask[:count], after[:count]), z[:count])
    and_planes(p, level.high_open, p, level.low_open, (mask[count:], after[count:]), z[count:])
    return z, await me.swap_planes(z)
