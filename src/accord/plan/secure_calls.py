"""The protocols of `mpc` that plans run on, each under its own name here, and parties that count them instead.

Lowering calls protocols only through this file. With `Counter`s in place of parties, the very text that runs a plan gives its cost:
a protocol's messages are replayed in the pattern of a run of few rows, with its declared bytes spread over them and no memory behind
them, and a column of zeros of the right shape comes back. Prediction cannot drift from execution, since both are one text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, wraps
from typing import Any, NamedTuple, TypeVar

import numpy as np

from accord.base.errors import OurFault
from accord.base.limits import KEY_BYTES, SERVERS
from accord.base.ring import Z64, Column, Ring
from accord.mpc import bits, compare, convert, division, inputs, integer_root, laplace, product, reciprocal, truncate, uniform
from accord.mpc.coins import PairKeys
from accord.mpc.cost import Cost, cost_of
from accord.mpc.party import LAN, Party, Profile
from accord.mpc.share import Bits, Share
from accord.plan.clock import Hears, Labour, Says, Work
from accord.wire.exchange import Exchange, Expected, Message, Payload, Protocol
from accord.wire.local import run_local

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Counter(Party):
    """A party that holds zeros and says nothing in particular, at the right moments."""


@dataclass
class _Tally:
    """What counters have in place of coins: the bytes that all servers send, which server 0 counts; each server's course, in which
    they write down their work; and whether messages are replayed.
    """

    bytes: int = 0
    replays: bool = True
    courses: tuple[list[Labour | Says | Hears], ...] = field(default_factory=lambda: tuple([] for _ in range(SERVERS)))

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
    noted = [_noted(one, course) for one, course in zip(running, tally.courses, strict=True)]
    try:
        outcome = run_local(noted)
    finally:
        for one in (*noted, *running):
            one.close()
    return outcome.results[0], Cost(outcome.rounds, tally.bytes), Work(tally.courses)


async def _noted(running: Protocol[T], course: list[Labour | Says | Hears]) -> T:
    """A protocol whose messages are written down."""
    answer: Any = None
    while True:
        try:
            request: Exchange = running.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        course += [Says(one.peer, one.payload.size) for one in request.sends]
        course += [Hears(one.peer) for one in request.hears]
        answer = await request


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


def _taken(*secrets: Share | Bits, **public: Any) -> int:
    return sum(one.own.nbytes + one.next.nbytes for one in secrets)


def counted(
    protocol: Callable[..., Protocol[Any]],
    facts: Callable[..., tuple[Any, ...]],
    shape: Callable[..., Shape],
    taken: Callable[..., int] = _taken,
) -> Callable[..., Protocol[Any]]:
    """The protocol, or for a counter its messages, its cost for the facts of these arguments, and zeros of the result's shape.

    `taken`: how many bytes a server reads of its arguments; more than they have where it reads them again and again.
    """

    @wraps(protocol)
    async def call(me: Party, *secrets: Any, **public: Any) -> Any:
        if not isinstance(me, Counter):
            return await protocol(me, *secrets, **public)
        assert isinstance(me.coins, _Tally)
        if not me.coins.replays:
            return zeros(*shape(*secrets, **public))
        sent = cost_of(protocol, *facts(me, *secrets, **public)).bytes
        if me.index == 0:
            me.coins.bytes += sent
        tiny = tuple((name, None if isinstance(value, np.ndarray) else value) for name, value in public.items())
        kinds = tuple(one.ring.bits if isinstance(one, Share) else -one.width for one in secrets)
        rows = secrets[0].rows
        blocks = min(-(-rows // max(1, me.profile.block_size(rows))), BLOCKS_REPLAYED_MAX)
        handled = sent + taken(*secrets, **public)
        await _replay(me, protocol.__name__, sent, handled, _pattern(protocol, kinds, tiny, me.profile, max(1, blocks)))
        return zeros(*shape(*secrets, **public))

    return call


BLOCKS_REPLAYED_MAX = 64
"""A protocol that cuts its rows into blocks itself is replayed with as many blocks, of few rows, up to this number."""
TINY_BLOCK_ROWS = 64


class _Step(NamedTuple):
    """One exchange: the roles that are sent to and the bytes, the roles that are heard and the bytes; and whether it is sent ahead."""

    sends: tuple[tuple[int, int], ...]
    hears: tuple[tuple[int, int], ...]
    ahead: bool


Pattern = tuple[tuple[_Step, ...], ...]
"""The exchanges of each role."""


async def _replay(me: Party, protocol: str, sent: int, handled: int, pattern: Pattern) -> None:
    """The pattern's messages, which share the bytes `sent` in its proportions; the bytes handled are shared evenly."""
    assert isinstance(me.coins, _Tally)
    whole = max(1, sum(nbytes for steps in pattern for step in steps for _, nbytes in step.sends))
    steps, course = pattern[me.role], me.coins.courses[me.index]
    for step in steps:
        course.append(Labour(protocol, handled / len(steps)))
        sends = tuple(Message(me.server(role), me.path, _weight(nbytes * sent // whole)) for role, nbytes in step.sends)
        hears = tuple(Expected(me.server(role), me.path, nbytes * sent // whole) for role, nbytes in step.hears)
        await Exchange(sends, hears, step.ahead)


def _weight(nbytes: int) -> Payload:
    """So many bytes that take no memory."""
    return np.broadcast_to(np.uint8(0), nbytes)


@lru_cache(maxsize=4096)
def _pattern(
    protocol: Callable[..., Protocol[Any]], kinds: tuple[int, ...], public: tuple[tuple[str, Any], ...], profile: Profile, blocks: int
) -> Pattern:
    """Who says how much to whom in a run of so many small blocks: it depends on public arguments alone. Kinds: bits of a ring, or minus
    a width.
    """
    rows = blocks * TINY_BLOCK_ROWS
    secrets = [zeros("ring", kind, rows) if kind > 0 else zeros("bits", -kind, rows) for kind in kinds]
    found: list[list[_Step]] = [[] for _ in range(SERVERS)]

    async def listened(me: Party) -> None:
        running = protocol(me, *secrets, **dict(public))
        answer: Any = None
        while True:
            try:
                request: Exchange = running.send(answer)
            except StopIteration:
                return
            sends = tuple((one.peer, one.payload.size) for one in request.sends)
            hears = tuple((one.peer, one.nbytes) for one in request.hears)
            found[me.index].append(_Step(sends, hears, request.ahead))
            answer = await request

    tiny = replace(profile, block_rows=TINY_BLOCK_ROWS)
    keys = [PairKeys({i: bytes(KEY_BYTES), (i + 1) % SERVERS: bytes(KEY_BYTES)}) for i in range(SERVERS)]
    run_local([listened(Party(index, keys[index], profile=tiny)) for index in range(SERVERS)])
    return tuple(map(tuple, found))


def _ring(rows: int, ring: Ring) -> Shape:
    return "ring", ring.bits, rows


def _plane(rows: int) -> Shape:
    return "bits", 1, rows


and_bits = counted(bits.and_bits, lambda me, a, b: (a.rows, a.width), lambda a, b: ("bits", a.width, a.rows))
bit_to_ring = counted(convert.bit_to_ring, lambda me, b, ring: (b.rows, ring), lambda b, ring: _ring(b.rows, ring))
multiply = counted(product.multiply, lambda me, x, y: (x.rows, x.ring), lambda x, y: _ring(x.rows, x.ring))
add_own = counted(inputs.add_own, lambda me, x, own: (x.rows, x.ring), lambda x, own: _ring(x.rows, x.ring))
add_laplace = counted(laplace.add_laplace, lambda me, x, bounds: (x.rows, len(bounds), x.ring), lambda x, bounds: _ring(x.rows, x.ring))
dot = counted(product.dot, lambda me, x, y, starts: (len(starts), x.ring), lambda x, y, starts: _ring(len(starts), x.ring))
sign = counted(compare.sign, lambda me, x, bits: (x.rows, bits), lambda x, bits: _plane(x.rows))
is_zero = counted(compare.is_zero, lambda me, x, bits: (x.rows, bits), lambda x, bits: _plane(x.rows))
minimum = counted(compare.minimum, lambda me, x, y, bits: (x.rows, bits, x.ring), lambda x, y, bits: _ring(x.rows, x.ring))
maximum = counted(compare.maximum, lambda me, x, y, bits: (x.rows, bits, x.ring), lambda x, y, bits: _ring(x.rows, x.ring))
uniform_below = counted(uniform.uniform_below, lambda me, like, below: (like.rows,), lambda like, below: _ring(like.rows, Z64))
floor_shift = counted(truncate.floor_shift, lambda me, x, shift: (x.rows, shift, x.ring), lambda x, shift: _ring(x.rows, x.ring))
quotient = counted(
    division.quotient,
    lambda me, a, b, a_bits, b_bits: (a.rows, a_bits, b_bits, me.profile.adder),
    lambda a, b, a_bits, b_bits: _ring(a.rows, a.ring),
)
floor_root = counted(integer_root.floor_root, lambda me, x, bits: (x.rows, bits), lambda x, bits: _ring(x.rows, x.ring))
headroom = counted(reciprocal.headroom, lambda me, x, bits: (x.rows, bits, me.profile.adder), lambda x, bits: _ring(x.rows, x.ring))
