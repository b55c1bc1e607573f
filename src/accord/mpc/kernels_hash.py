"""The hot loop of hashing keys, beside its NumPy twin; chosen and compiled as in `kernels`."""

from __future__ import annotations

import numpy as np

from accord.base.ring import Column
from accord.mpc.kernels import COMPILED_WORDS_MIN, compiled, plain

TILE_WORDS = 64
"""Words of every plane that are worked on at once: 256 planes of them stay in a core's cache."""


def toeplitz(planes: Column, coins: Column, bits: int) -> Column:
    """Plane i of `bits` new ones is ⊕_j coins[i + j] · planes[j]; `coins` are bits + planes − 1 booleans."""
    out = np.empty((bits, planes.shape[1]), np.uint64)
    (toeplitz_twin if out.size < COMPILED_WORDS_MIN else compiled(toeplitz_loop))(plain(planes), coins, TILE_WORDS, out)
    return out


def toeplitz_twin(planes: Column, coins: Column, tile: int, out: Column) -> None:
    """As `toeplitz_loop`, by whole arrays."""
    for i in range(out.shape[0]):
        out[i] = np.bitwise_xor.reduce(planes[coins[i : i + planes.shape[0]]], axis=0)


def toeplitz_loop(planes: Column, coins: Column, tile: int, out: Column) -> None:
    for start in range(0, out.shape[1], tile):
        stop = min(start + tile, out.shape[1])
        for i in range(out.shape[0]):
            into = out[i, start:stop]
            into[:] = 0
            for j in range(planes.shape[0]):
                if coins[i + j]:
                    by = planes[j, start:stop]
                    for word in range(into.size):
                        into[word] ^= by[word]
