"""Columns to test on, with the edges of their ring among them, and runs in which declared cost is measured cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from accord.base.ring import Ring
from accord.mpc.cost import Cost
from accord.mpc.share import Share
from accord.testing.world import Dealt, Ran, World

ROWS = (1, 2, 63, 64, 65, 1003)
PIVOTS = (0, 1, 2)
ONES = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


def some_rows(bits: int, pivot: int) -> tuple[int, ...]:
    """Row counts to test: at every width each count and each pivot, at widths 3 and 64 every pair of them."""
    return ROWS if bits in (3, 64) else ROWS[(pivot + bits) % 3 :: 3]


def numbers(rows: int, ring: Ring, seed: int = 0) -> np.ndarray:
    """Signed numbers of the ring: 0, ±1, ±2^(k−2), the extremes, and random ones."""
    half, quarter = 1 << (ring.bits - 1), 1 << max(ring.bits - 2, 0)
    edges = np.array([0, 1, -1, quarter, -quarter, half - 1, -half, quarter - 1, -quarter - 1])
    column = ring.decode(np.random.default_rng([rows, ring.bits, seed]).integers(0, 2**64, rows, dtype=np.uint64))
    column[: len(edges)] = edges[:rows]
    return ring.decode(ring.encode(column))


def words(rows: int, width: int, seed: int = 0) -> np.ndarray:
    """Unsigned words of `width` bits: zero and all-ones among random ones."""
    column = np.random.default_rng([rows, width, seed]).integers(0, 2**64, rows, dtype=np.uint64)
    column[::5], column[1::5] = ONES, 0
    return column & np.uint64((1 << width) - 1)


def flags(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).random(rows) < 0.5


def every_sharing(ring: Ring) -> tuple[Dealt, np.ndarray]:
    """All triples of components of a tiny ring, and their sums."""
    parts = [part.astype(ring.dtype).ravel() for part in np.meshgrid(*[np.arange(1 << ring.bits)] * 3)]
    at = tuple(Share(ring, parts[i], parts[(i + 1) % 3]) for i in range(3))
    return Dealt(at), ring.reduce(parts[0] + parts[1] + parts[2])


class Counting:
    """A running protocol that counts what it awaits."""

    def __init__(self, running: Any, tally: list[int], party: int) -> None:
        self.running, self.tally, self.party = running, tally, party

    def send(self, heard: Any) -> Any:
        exchange = self.running.send(heard)
        self.tally[self.party] += 1
        return exchange

    def close(self) -> None:
        self.running.close()


def run_at_cost(world: World, declared: Cost, protocol: Callable[..., Any], *columns: Any, **options: Any) -> Ran:
    """Run, and check that bytes are the declared ones and that every server awaits as many exchanges as rounds are declared.

    The longest chain of messages, each sent after hearing the one before, may be up to two shorter: a chain goes around the
    ring of servers, and ends where it stands when the last step begins at another server.
    """
    tally = [0, 0, 0]
    ran = world.run(lambda me, *secrets, **public: Counting(protocol(me, *secrets, **public), tally, me.index), *columns, **options)
    assert ran.cost.bytes == declared.bytes
    assert tally == [declared.rounds] * 3
    assert declared.rounds - 2 <= ran.cost.rounds <= declared.rounds
    return ran
