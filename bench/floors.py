"""The roofline of this machine: what no implementation of these protocols could undercut here.

A protocol draws so many bytes of coins (AES), moves so many bytes through memory, and sends so many. Three servers share the cores.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from accord.base.limits import SERVERS
from accord.mpc.coins import stream
from bench import golden
from bench.mpc import Case, secrets_of

TILE_BYTES = 1 << 18
LARGE_BYTES = 1 << 27


@dataclass(frozen=True)
class Speeds:
    """Bytes a second: AES-128-CTR of one core in its cache; copying of one core, reading and writing counted; one server's link while
    the two others send as much, encryption included.
    """

    aes: float
    memory: float
    link: float


@dataclass(frozen=True)
class Floor:
    """Seconds that a case cannot go below here, by cause."""

    aes: float
    memory: float
    link: float

    @property
    def seconds(self) -> float:
        return self.aes + self.memory + self.link


def speeds(swap_seconds: float, swap_bytes: int) -> Speeds:
    """Measured now; the link from the time of `swap`, which sends and does nothing else."""
    tile, large = np.empty(TILE_BYTES, np.uint8), np.ones(LARGE_BYTES, np.uint8)
    into = np.empty_like(large)
    aes = TILE_BYTES / _best(lambda: stream(bytes(16), b"floor", tile))
    memory = 2 * LARGE_BYTES / _best(lambda: np.copyto(into, large))
    return Speeds(aes, memory, swap_bytes / swap_seconds)


def floor(case: Case, rows: int, sent: int, found: Speeds) -> Floor:
    """Coins as counted at few rows; through memory go the arguments, read once, and what is sent, written here and there."""
    few = golden.small_rows(case)
    entries = (rows / few) ** (2 if case.square else 1)
    drawn = golden.counts(case, few)[1] * entries
    taken = sum(one.own.nbytes + one.next.nbytes for one in secrets_of(case, few, 0)) * entries
    crowd = max(1.0, SERVERS / (os.cpu_count() or 1))
    return Floor(crowd * drawn / found.aes, crowd * (taken + 2 * sent) / found.memory, sent / found.link)


def _best(action: Callable[[], object]) -> float:
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
