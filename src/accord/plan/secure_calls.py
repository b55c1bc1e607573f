"""The protocols of `mpc` that plans run on, each under its own name here, and parties that count them instead.

Lowering calls protocols only through this file. With `Counter`s in place of parties, the very text that runs a plan gives its cost:
a protocol's messages are replayed empty, in the pattern that a run of one row has, its declared bytes are counted, and a column of
zeros of the right shape comes back. Prediction cannot drift from execution, since both are one text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np

from accord.base.errors import OurFault
from accord.base.limits import KEY_BYTES, SERVERS
from accord.base.ring import Column, Ring
from accord.mpc import bits, compare, convert, division, product, truncate
from accord.mpc.coins import PairKeys
from accord.mpc.cost import Cost, cost_of
from accord.mpc.party import LAN, Party, Profile
from accord.mpc.share import Bits, Share
from accord.plan.clock import Done, Work
from accord.wire.exchange import Exchange, Protocol
from accord.wire.local import run_local

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Counter(Party):
    """A party that holds zeros and says nothing in particular, at the right moments."""


@dataclass
class _Tally:
    """What counters have in place of coins: what is done, which server 0 counts; and whether messages are replayed."""

    bytes: int = 0
    replays: bool = True
    work: dict[str, Done] = field(default_factory=dict)

    def add(self, protocol: str, sent: int, taken: int) -> None:
        """One call: bytes that all servers send, and bytes of a server's arguments."""
        before = self.work.get(protocol, Done(0, 0))
        self.work[protocol] = Done(before.calls + 1, before.nbytes + sent + taken)
        self.bytes += sent

    def column(self, component: int, ring: Ring, rows: int, path: str, lane: str, row: int) -> Column:
        raise OurFault(f"a counter was asked for coins at {path}", do="call the protocol through plan/secure_calls.py")

    def planes(self, component: int, width: int, rows: int, path: str, lane: str, row: int) -> Column:
        raise OurFault(f"a counter was asked for coins at {path}", do="call the protocol through plan/secure_calls.py")


def count(protocol: Callable[[Party], Protocol[Any]], profile: Profile = LAN) -> tuple[Any, Cost]:
    """What a protocol returns for a counter (a shape), and what it costs: rounds, and bytes of all three servers."""
    result, cost, _ = count_work(protocol, profile)
    return result, cost


def count_work(protocol: Callable[[Party], Protocol[Any]], profile: Profile = LAN) -> tuple[Any, Cost, Work]:
    """As `count`, and the work that it is, from which plan/clock.py foretells seconds."""
    tally = _Tally()
    running = [protocol(Counter(index, tally, profile=profile)) for index in range(SERVERS)]
    try:
        outcome = run_local(running)
    finally:
        for one in running:
            one.close()
    return outcome.results[0], Cost(outcome.rounds, tally.bytes), tally.work


def shape_of(protocol: Callable[[Party], Protocol[T]]) -> T:
    """What a protocol returns for one counter that says nothing: the public facts of its result, at once."""
    running = protocol(Counter(0, _Tally(replays=False)))
    try:
        return run_local([running]).results[0]
    finally:
        running.close()


def zeros(kind: str, width: int, rows: int) -> Share | Bits:
    """What a counter holds for a column: kind "ring" or "bits"."""
    if kind == "ring":
        ring = Ring(width)
        return Share(ring, ring.zeros(rows), ring.zeros(rows))
    planes = np.zeros((width, (rows + 63) // 64), np.uint64)
    return Bits(rows, planes, planes)


Shape = tuple[str, int, int]
"""Kind, width and rows of a result, as `zeros` takes them."""


def counted(
    protocol: Callable[..., Protocol[Any]], facts: Callable[..., tuple[Any, ...]], shape: Callable[..., Shape]
) -> Callable[..., Protocol[Any]]:
    """The protocol, or for a counter its messages, its cost for the facts of these arguments, and zeros of the result's shape."""

    @wraps(protocol)
    async def call(me: Party, *secrets: Any, **public: Any) -> Any:
        if not isinstance(me, Counter):
            return await protocol(me, *secrets, **public)
        assert isinstance(me.coins, _Tally)
        if not me.coins.replays:
            return zeros(*shape(*secrets, **public))
        if me.index == 0:
            taken = sum(one.own.nbytes + one.next.nbytes for one in secrets)
            me.coins.add(protocol.__name__, cost_of(protocol, *facts(me, *secrets, **public)).bytes, taken)
        tiny = tuple((name, None if isinstance(value, np.ndarray) else value) for name, value in public.items())
        kinds = tuple(one.ring.bits if isinstance(one, Share) else -one.width for one in secrets)
        await _replay(me, _pattern(protocol, kinds, tiny, me.profile))
        return zeros(*shape(*secrets, **public))

    return call


Pattern = tuple[tuple[tuple[tuple[int, ...], tuple[int, ...]], ...], ...]
"""For each role, for each exchange: the roles that it sends to, and those that it hears."""


async def _replay(me: Party, pattern: Pattern) -> None:
    nothing = np.zeros(0, np.uint8)
    for sends, hears in pattern[me.role]:
        await me.exchange({me.server(role): nothing for role in sends}, {me.server(role): 0 for role in hears})


@lru_cache(maxsize=4096)
def _pattern(
    protocol: Callable[..., Protocol[Any]], kinds: tuple[int, ...], public: tuple[tuple[str, Any], ...], profile: Profile
) -> Pattern:
    """Who speaks to whom in a run of one row: it depends on public arguments alone. Kinds: bits of a ring, or minus a width."""
    secrets = [zeros("ring", kind, 1) if kind > 0 else zeros("bits", -kind, 1) for kind in kinds]
    found: list[list[tuple[tuple[int, ...], tuple[int, ...]]]] = [[] for _ in range(SERVERS)]

    async def listened(me: Party) -> None:
        running = protocol(me, *secrets, **dict(public))
        answer: Any = None
        while True:
            try:
                request: Exchange = running.send(answer)
            except StopIteration:
                return
            found[me.index].append((tuple(one.peer for one in request.sends), tuple(one.peer for one in request.hears)))
            answer = await request

    keys = [PairKeys({i: bytes(KEY_BYTES), (i + 1) % SERVERS: bytes(KEY_BYTES)}) for i in range(SERVERS)]
    run_local([listened(Party(index, keys[index], profile=profile)) for index in range(SERVERS)])
    return tuple(map(tuple, found))


def _ring(rows: int, ring: Ring) -> Shape:
    return "ring", ring.bits, rows


def _plane(rows: int) -> Shape:
    return "bits", 1, rows


and_bits = counted(bits.and_bits, lambda me, a, b: (a.rows, a.width), lambda a, b: ("bits", a.width, a.rows))
bit_to_ring = counted(convert.bit_to_ring, lambda me, b, ring: (b.rows, ring), lambda b, ring: _ring(b.rows, ring))
multiply = counted(product.multiply, lambda me, x, y: (x.rows, x.ring), lambda x, y: _ring(x.rows, x.ring))
dot = counted(product.dot, lambda me, x, y, starts: (len(starts), x.ring), lambda x, y, starts: _ring(len(starts), x.ring))
sign = counted(compare.sign, lambda me, x, bits: (x.rows, bits), lambda x, bits: _plane(x.rows))
is_zero = counted(compare.is_zero, lambda me, x, bits: (x.rows, bits), lambda x, bits: _plane(x.rows))
minimum = counted(compare.minimum, lambda me, x, y, bits: (x.rows, bits, x.ring), lambda x, y, bits: _ring(x.rows, x.ring))
maximum = counted(compare.maximum, lambda me, x, y, bits: (x.rows, bits, x.ring), lambda x, y, bits: _ring(x.rows, x.ring))
floor_shift = counted(truncate.floor_shift, lambda me, x, shift: (x.rows, shift, x.ring), lambda x, shift: _ring(x.rows, x.ring))
quotient = counted(
    division.quotient,
    lambda me, a, b, a_bits, b_bits: (a.rows, a_bits, b_bits, me.profile.adder),
    lambda a, b, a_bits, b_bits: _ring(a.rows, a.ring),
)
