"""Boolean columns of any width: Python's integers dealt as planes, and put together again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from accord.mpc.bits import column_from_planes
from accord.mpc.share import Bits
from accord.testing.world import Dealt, World


def wide_words(rows: int, width: int, seed: int = 0) -> list[int]:
    """Unsigned integers of `width` bits: zero, all-ones and repeated ones among random ones."""
    random = np.random.default_rng([rows, width, seed])
    column = [int.from_bytes(random.bytes((width + 7) // 8), "little") % (1 << width) for _ in range(rows)]
    column[::5] = [(1 << width) - 1] * len(column[::5])
    column[1::5] = [0] * len(column[1::5])
    column[2::7] = [column[-1]] * len(column[2::7])
    return column


def deal_wide(world: World, column: Sequence[int], width: int) -> Dealt:
    parts = [
        world.deal_bits(np.array([one >> low & (1 << 64) - 1 for one in column], np.uint64), min(64, width - low))
        for low in range(0, width, 64)
    ]
    return Dealt(tuple(Bits.stack([part.at[i] for part in parts]) for i in range(3)))


def wide_value(held: Sequence[Any]) -> list[int]:
    """The integers that three servers hold as planes; neighbours must agree."""
    rows, width = held[0].rows, held[0].width
    column = [0] * rows
    for low in range(0, width, 64):
        own, after = ([column_from_planes(part[low : low + 64], rows) for part in parts] for parts in _parts(held))
        assert all(np.array_equal(after[i], own[(i + 1) % 3]) for i in range(3)), "neighbours disagree"
        column = [whole | int(part) << low for whole, part in zip(column, own[0] ^ own[1] ^ own[2], strict=True)]
    return column


def _parts(held: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    return [one.own for one in held], [one.next for one in held]
