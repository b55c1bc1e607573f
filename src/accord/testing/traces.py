"""For protocols too large to enumerate: labels spent once, traffic of one shape, and messages that fixed and random data make alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import erfc, sqrt
from typing import Any

import numpy as np

from accord.base.limits import SERVERS
from accord.base.ring import Z64, Column, Ring
from accord.mpc.bits import planes_from_column
from accord.mpc.coins import Coins
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.testing.world import Dealt, Word, World, deal_parts
from accord.wire.exchange import Protocol
from accord.wire.local import Outcome, run_local

Label = tuple[int, str, str, int, int, int]
"""One draw: component, path, lane, first row, bits, rows."""

# ---- labels


class Noted:
    """Coins that write down every draw."""

    def __init__(self, coins: Coins) -> None:
        self.coins, self.labels = coins, list[Label]()

    def column(self, component: int, ring: Ring, rows: int, path: str, lane: str, row: int) -> Column:
        self.labels.append((component, path, lane, row, ring.bits, rows))
        return self.coins.column(component, ring, rows, path, lane, row)

    def planes(self, component: int, width: int, rows: int, path: str, lane: str, row: int) -> Column:
        self.labels.append((component, path, lane, row, width, rows))
        return self.coins.planes(component, width, rows, path, lane, row)


class NotingWorld(World):
    """A world that keeps what each server drew in its last run: `drawn[i]`."""

    drawn: list[list[Label]]

    def parties(self, pivot: int = 0) -> list[Party]:
        noted = [(me, Noted(me.coins)) for me in super().parties(pivot)]
        self.drawn = [coins.labels for _, coins in noted]
        return [replace(me, coins=coins) for me, coins in noted]


def label_faults(drawn: Sequence[Sequence[Label]]) -> list[str]:
    """Addresses that a server drew twice, and draws of a component that one of its holders made and the other did not."""
    faults = []
    for server, labels in enumerate(drawn):
        addresses = sorted(label[:4] for label in labels)
        faults += [f"server {server} drew {one} twice" for one, after in pairwise(addresses) if one == after]
    for component in range(SERVERS):
        left, right = ({one for one in drawn[i] if one[0] == component} for i in (component - 1, component))
        faults += [f"one holder alone drew {one}" for one in sorted(left ^ right)]
    return faults


# ---- shape


def traffic_shape(outcome: Outcome[Any]) -> list[tuple[int, int, int, str, int]]:
    """Every message as (round, sender, receiver, path, bytes), in a fixed order. Needs a world that keeps payloads."""
    lines = (line for one in outcome.traffic for line in one.lines)
    return sorted((line.round, line.sender, line.receiver, line.path, line.nbytes) for line in lines)


# ---- fixed versus random


@dataclass(frozen=True)
class Comparison:
    """Chi-squared tests of one family: how many, the smallest p-value, and the message that has it."""

    tests: int
    smallest: float
    message: str

    @property
    def family_wise(self) -> float:
        """The chance that some test of the family looks at least as bad where nothing leaks (Bonferroni's bound)."""
        return min(1.0, self.tests * self.smallest)


class _Constant:
    """Coins of which a receiver's own are one constant an address, so that rows differ only by what the receiver does not know."""

    def __init__(self, known: Coins, unknown: Coins, receiver: int) -> None:
        self.coins = [known if component in (receiver, (receiver + 1) % SERVERS) else unknown for component in range(SERVERS)]
        self.constant = [coins is known for coins in self.coins]

    def column(self, component: int, ring: Ring, rows: int, path: str, lane: str, row: int) -> Column:
        drawn = self.coins[component].column(component, ring, rows, path, lane, row)
        return np.full_like(drawn, drawn[0]) if self.constant[component] else drawn

    def planes(self, component: int, width: int, rows: int, path: str, lane: str, row: int) -> Column:
        drawn = self.coins[component].planes(component, width, rows, path, lane, row)
        return constant_planes(drawn) if self.constant[component] else drawn


def constant_planes(planes: Column) -> Column:
    """Every row as row 0."""
    return np.where(planes[:, :1] & np.uint64(1), ~np.uint64(0), np.uint64(0)) | np.zeros_like(planes)


def fixed_versus_random(
    protocol: Callable[..., Protocol[Any]],
    fixed: Sequence[Any],
    other: Sequence[Any],
    *,
    seed: int,
    ring: Ring = Z64,
    pivot: int = 0,
    **public: Any,
) -> Comparison:
    """Whether what a server receives looks alike for two data sets of one shape: a column is of integers, or a `Word`.

    Each server in turn is the receiver; its own shares and coins are the same in all rows, so that its messages are alike only if
    coins that it lacks hide the rest. Nibbles of each byte of eight are counted and compared by chi-squared. Seeded: a test
    that passes passes always.
    """
    tests, worst = 0, (1.0, "no message")
    for receiver in range(SERVERS):
        one, two = (
            _received(lambda me, *shares: protocol(me, *shares, **public), columns, receiver, (seed, seed + at), ring, pivot)
            for at, columns in ((1, fixed), (2, other))
        )
        assert [(name, len(payload)) for name, payload in one] == [(name, len(payload)) for name, payload in two], "shapes differ"
        for (name, payload), (_, against) in zip(one, two, strict=True):
            values = [chi_squared(a, b) for a, b in zip(_counts(payload), _counts(against), strict=True)]
            tests += len(values)
            worst = min([worst, *((value, f"{name} to server {receiver}") for value in values)])
    return Comparison(tests, *worst)


def _received(
    protocol: Callable[..., Protocol[Any]], columns: Sequence[Any], receiver: int, seeds: tuple[int, int], ring: Ring, pivot: int
) -> list[tuple[str, bytes]]:
    """What the receiver hears: what it knows follows from the first seed, what it lacks from the second."""
    world, unknown = World(seeds[0]), World(seeds[1]).parties(pivot)
    dealt = [_deal_known(world, column, ring, receiver) for column in columns]
    pairs = zip(world.parties(pivot), unknown, strict=True)
    parties = [replace(me, coins=_Constant(me.coins, other.coins, receiver)) for me, other in pairs]
    outcome = run_local([protocol(me, *(one.at[me.index] for one in dealt)) for me in parties], keep=True)
    lines = [line for one in outcome.traffic for line in one.lines if line.receiver == receiver]
    return [(f"{line.path} of server {line.sender}", line.payload or b"") for line in lines]


def _deal_known(world: World, column: Any, ring: Ring, receiver: int) -> Dealt:
    """Shares whose two components at the receiver are constants."""
    if isinstance(column, Word):
        x = planes_from_column(np.asarray(column.values).astype(np.uint64), column.width)
        random = world.deal_bits(np.zeros(np.asarray(column.values).shape[0]), column.width).at[0]
        a, b = constant_planes(random.own), constant_planes(random.next)
        parts = [a, b, x ^ a ^ b]
        rows = random.rows
        return deal_parts([parts[(i - receiver) % SERVERS] for i in range(SERVERS)], lambda own, after: Bits(rows, own, after))
    values = ring.encode(np.asarray(column))
    share = world.deal(np.zeros(values.shape[0], np.int64), ring).at[0]
    a, b = np.full_like(values, share.own[0]), np.full_like(values, share.next[0])
    parts = [a, b, ring.reduce(values - a - b)]
    return deal_parts([parts[(i - receiver) % SERVERS] for i in range(SERVERS)], lambda own, after: Share(ring, own, after))


def _counts(payload: bytes) -> list[Column]:
    """How often each value of each nibble of each byte of eight occurs: 16 histograms of 16 bins."""
    whole = np.frombuffer(payload, np.uint8)[: len(payload) // 8 * 8].reshape(-1, 8)
    nibbles = [half[:, at] for at in range(8) for half in (whole & 15, whole >> 4)]
    return [np.bincount(one, minlength=16) for one in nibbles]


def chi_squared(a: Column, b: Column) -> float:
    """The p-value of two histograms of as many draws being of one law, by Wilson and Hilferty's approximation."""
    both = a + b
    bins = both > 0
    freedom = int(bins.sum()) - 1
    if freedom < 1:
        return 1.0
    statistic = float((((a - b) ** 2)[bins] / both[bins]).sum())
    spread = 2 / (9 * freedom)
    return erfc(((statistic / freedom) ** (1 / 3) - 1 + spread) / sqrt(2 * spread)) / 2
