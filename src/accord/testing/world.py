"""A world of three servers in one process: deals plaintext columns, runs a protocol, puts the result together.

    world = World(seed=7)
    ran = world.run(multiply, [2, 3], [5, 7])
    ran.value, ran.signed, ran.cost

All coins come from the seed. Where a run fails, the error carries a note with the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from types import coroutine
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accord.base.canonical import digest
from accord.base.errors import OurFault
from accord.base.limits import KEY_BYTES, SERVERS
from accord.base.ring import Z64, Column, Ring
from accord.mpc.bits import column_from_planes, planes_from_column
from accord.mpc.coins import PairKeys
from accord.mpc.cost import Cost
from accord.mpc.party import LAN, Party, Profile
from accord.mpc.share import Bits, Secret, Share
from accord.wire.exchange import Exchange, Payload, Protocol
from accord.wire.local import Outcome, run_local

S = TypeVar("S", Share, Bits)


@dataclass(frozen=True)
class Dealt:
    """One secret column as the three servers hold it: `at[i]` is server i's `Share` or `Bits`."""

    at: tuple[Any, ...]


@dataclass(frozen=True)
class Word:
    """A plaintext column to be dealt as `Bits` of `width` planes; values are read modulo 2^width."""

    values: ArrayLike
    width: int


@dataclass(frozen=True)
class Ran:
    """What a run gave.

    `value`: a secret result put together, as ring elements (a Share) or as uint64 words (Bits); a tuple of results
    likewise; anything else as the list of the three servers' results. `held`: what the servers hold.
    `exchanges`: how many each server awaited, the same for all: the protocol's rounds in lockstep (outside `in_blocks`, which
    splits each). `outcome.rounds`, the longest chain of messages, can be shorter where a role's part depends on coins alone.
    """

    seed: int
    value: Any = field(repr=False)
    held: list[Any] = field(repr=False)
    outcome: Outcome[Any] = field(repr=False)
    exchanges: int

    @property
    def signed(self) -> NDArray[np.int64]:
        """The value of a Share, read as signed numbers."""
        ring: Ring = self.held[0].ring
        return ring.decode(self.value)

    @property
    def cost(self) -> Cost:
        """What was measured, in the form that protocols declare."""
        return Cost(self.exchanges, self.outcome.bytes_sent)


class Ending:
    """Closes what still runs when a run fails, and adds a note to the error, so that the run can be repeated."""

    def __init__(self, running: Sequence[Protocol[Any]], note: str) -> None:
        self.running, self.note = running, note

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            error.add_note(self.note)
            for one in self.running:
                one.close()


class World:
    """Three servers whose keys and shares follow from `seed`. Every run has fresh keys.

    `keep` records every payload in the outcome's traffic.
    """

    def __init__(self, seed: int = 0, profile: Profile = LAN, keep: bool = False) -> None:
        self.seed, self.profile, self.keep = seed, profile, keep
        self._dealer = PairKeys({0: self._key("deal 0"), 1: self._key("deal 1")})
        self._uses = 0

    def deal(self, values: ArrayLike, ring: Ring = Z64) -> Dealt:
        """Uniform shares of integers of any sign, or of ring elements."""
        x = ring.encode(np.asarray(values))
        label = self._next("deal")
        a, b = (self._dealer.column(c, ring, x.shape[0], label, "", 0) for c in (0, 1))
        return deal_parts((a, b, ring.reduce(x - a - b)), lambda own, after: Share(ring, own, after))

    def deal_bits(self, values: ArrayLike, width: int) -> Dealt:
        """Uniform boolean shares of `width` bits a row of integers or booleans."""
        column = np.asarray(values).astype(np.uint64)
        planes, label = planes_from_column(column, width), self._next("deal")
        a, b = (self._dealer.planes(c, width, column.shape[0], label, "", 0) for c in (0, 1))
        return deal_parts((a, b, planes ^ a ^ b), lambda own, after: Bits(column.shape[0], own, after))

    def parties(self, pivot: int = 0) -> list[Party]:
        """Three servers with fresh pair keys, at the root path."""
        attempt = self._next("attempt")
        keys = [self._key(f"{attempt} key {component}") for component in range(SERVERS)]
        coins = [PairKeys({c: keys[c] for c in (i, (i + 1) % SERVERS)}) for i in range(SERVERS)]
        return [Party(i, coins[i], pivot=pivot, profile=self.profile) for i in range(SERVERS)]

    def run(self, protocol: Callable[..., Protocol[Any]], *columns: Any, ring: Ring = Z64, pivot: int = 0, **public: Any) -> Ran:
        """Run `protocol(me, *columns, **public)` at the three servers.

        A column is an array of booleans (dealt as Bits of one plane), of integers (a Share over `ring`), a `Word`
        (Bits), or a `Dealt`. A protocol's own argument `ring` needs a lambda around it. Raises OurFault when neighbours
        end with different copies of a component, or when servers await different numbers of exchanges.
        """
        dealt = [self._dealt(column, ring) for column in columns]
        running = [protocol(me, *(one.at[me.index] for one in dealt), **public) for me in self.parties(pivot)]
        counts = [0] * SERVERS
        with Ending(running, f"in World(seed={self.seed}), pivot {pivot}"):
            outcome = run_local([_counted(one, counts, i) for i, one in enumerate(running)], keep=self.keep)
            if len(set(counts)) > 1:
                raise OurFault(f"the servers awaited {counts} exchanges", do="let a role with nothing to say await an empty one")
            return Ran(self.seed, reconstruct(outcome.results), outcome.results, outcome, counts[0])

    def _dealt(self, column: Any, ring: Ring) -> Dealt:
        if isinstance(column, Dealt):
            return column
        if isinstance(column, Word):
            return self.deal_bits(column.values, column.width)
        values = np.asarray(column)
        return self.deal_bits(values, 1) if values.dtype == np.bool_ else self.deal(values, ring)

    def _next(self, what: str) -> str:
        self._uses += 1
        return f"{what} {self._uses}"

    def _key(self, label: str) -> bytes:
        return digest("testing/world", str(self.seed).encode(), label.encode())[:KEY_BYTES]


@coroutine
def _counted(protocol: Protocol[Any], counts: list[int], index: int) -> Generator[Exchange, list[Payload], Any]:
    """The protocol itself; counts what it awaits."""
    heard: Any = None
    while True:
        try:
            request = protocol.send(heard)
        except StopIteration as stop:
            return stop.value
        counts[index] += 1
        heard = yield request


def deal_parts(parts: Sequence[Column], hold: Callable[[Column, Column], S]) -> Dealt:
    """The three servers' holdings of three components."""
    return Dealt(tuple(hold(parts[i], parts[(i + 1) % SERVERS]) for i in range(SERVERS)))


def reconstruct(held: Sequence[Any]) -> Any:
    """The value of what the three servers hold (see `Ran.value`); raises OurFault where neighbours disagree."""
    first = held[0]
    if isinstance(first, tuple):
        return tuple(reconstruct(parts) for parts in zip(*held, strict=True))
    if isinstance(first, Dealt):
        raise OurFault("a dealt column has no servers' results", do="give its `at`")
    return _value(held) if isinstance(first, Secret) else list(held)


def _value(held: Sequence[Any]) -> Column:
    for i, one in enumerate(held):
        if not np.array_equal(_plain(one, one.next), _plain(one, held[(i + 1) % SERVERS].own)):
            raise OurFault(f"servers {i} and {(i + 1) % SERVERS} hold different copies of component {(i + 1) % SERVERS}")
    a, b, c = (one.own for one in held)
    first = held[0]
    return first.ring.reduce(a + b + c) if isinstance(first, Share) else _plain(first, a ^ b ^ c)


def _plain(like: Any, component: Column) -> Column:
    """A component without pad bits: ring elements, or uint64 words."""
    return component if isinstance(like, Share) else column_from_planes(component, like.rows)
