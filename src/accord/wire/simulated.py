"""A simulated network: every server in one thread, a clock that only events move, and faults drawn from one seed.

Frames are the real ones, each closed by an authentication tag as a TLS record is. A frame may be late and overtake others;
the channel puts frames back into their order, as TCP does, and refuses a changed or replayed one by name. A lost frame is
lost: nothing is sent twice, the wait ends at the round timeout. Servers end as over real links: a result counts only after
both goodbyes are heard, and whoever fails tells the others.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from accord.base.errors import AccordError, OurFault, PeerFault
from accord.base.limits import ROUND_TIMEOUT_SECONDS
from accord.wire.exchange import Exchange, Expected, Payload, Protocol
from accord.wire.frame import Header, Kind, Outward, decode, require, stopped
from accord.wire.traffic import Traffic

T = TypeVar("T")

_TAG_BYTES = 16
_STEPS_MAX = 1_000_000
"""Events of one simulation: more means that it does not end."""


class Partition(NamedTuple):
    """Two servers cannot reach each other from `start` to `stop` (simulated seconds); what they send waits until then."""

    one: int
    other: int
    start: float
    stop: float


class Crash(NamedTuple):
    """A server ends before its exchange number `exchange` (from 0). `silent`: its connections do not even close."""

    server: int
    exchange: int
    silent: bool = False


@dataclass(frozen=True)
class Faults:
    """What may happen to a frame, each with its probability, and to servers. A delay is uniform between its bounds.

    `bytes_per_second` is what a server's line to both its peers together carries; without it any amount goes at once.
    """

    delay_seconds_max: float = 0.05
    delay_seconds_min: float = 0.0
    bytes_per_second: float | None = None
    reorder: bool = False
    duplicate: float = 0.0
    drop: float = 0.0
    corrupt: float = 0.0
    partitions: tuple[Partition, ...] = ()
    crashes: tuple[Crash, ...] = ()


@dataclass
class Simulated(Generic[T]):
    """What became of each server: a result, or an error, or neither where it crashed. `log` has a line an event.

    `computed` says whose protocol returned: a result stands only where all three did.
    """

    results: list[T | None]
    errors: list[AccordError | None]
    computed: list[bool]
    traffic: list[Traffic]
    log: list[str]
    seconds: float

    @property
    def succeeded(self) -> bool:
        return not any(self.errors) and all(self.computed)


def run_simulated(
    protocols: Sequence[Protocol[T]],
    seed: int,
    faults: Faults | None = None,
    *,
    keep: bool = False,
    clock: Callable[[], float] | None = None,
) -> Simulated[T]:
    """Run the servers' protocols on a simulated network until every one has a result, an error or a crash.

    All that happens follows from the seed. Computing takes no simulated time; with a `clock` (seconds) it takes the time that passes
    there while a server computes, as if each server had a machine of its own. Raises OurFault only where a protocol itself is wrong.
    """
    return _Network(protocols, seed, faults or Faults(), keep, clock or (lambda: 0.0)).run()


class _Dice:
    """Reproducible draws for the network's weather; no protocol ever sees them."""

    def __init__(self, seed: int) -> None:
        self._key, self._count = seed.to_bytes(16, "big", signed=True), 0

    def fraction(self) -> float:
        """Uniform in [0, 1)."""
        self._count += 1
        drawn = blake2b(self._count.to_bytes(8, "big"), key=self._key, digest_size=7).digest()
        return int.from_bytes(drawn, "big") / 2**56

    def below(self, stop: int) -> int:
        return int(self.fraction() * stop)


@dataclass
class _Channel:
    """What one server has of one peer: frames that came early, and those whose turn it is."""

    due: int = 0
    early: dict[int, tuple[Header, Payload]] = field(default_factory=dict)
    ready: deque[tuple[Header, Payload]] = field(default_factory=deque)


class _Host:
    """One server: its protocol, what it waits for, and its channels."""

    def __init__(self, index: int, protocol: Protocol[Any], peers: list[int], keep: bool) -> None:
        self.index, self.protocol = index, protocol
        self.traffic = Traffic(index, keep)
        self.outward = {peer: Outward() for peer in peers}
        self.channels = {peer: _Channel() for peer in peers}
        self.waits: list[tuple[Kind, Expected]] = []
        self.heard: list[tuple[Header, Payload]] = []
        self.exchanges = self.wait_number = 0
        self.result: Any = None
        self.computed = self.over = False
        self.error: AccordError | None = None

    @property
    def step(self) -> str:
        """What it waits for, in words."""
        if not self.waits:
            return "nothing"
        kind, expected = self.waits[0]
        return f"{expected.path or kind.name.lower()} of server {expected.peer}"


class _Network(Generic[T]):
    """The event queue and everybody on it."""

    def __init__(self, protocols: Sequence[Protocol[T]], seed: int, faults: Faults, keep: bool, clock: Callable[[], float]) -> None:
        count = len(protocols)
        self.clock = clock
        self.faults, self.dice = faults, _Dice(seed)
        self.hosts = [_Host(i, one, [peer for peer in range(count) if peer != i], keep) for i, one in enumerate(protocols)]
        self.now = 0.0
        self.log: list[str] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._arrived: dict[tuple[int, int], float] = {}
        self._line_free: dict[int, float] = {}
        self._key = seed.to_bytes(16, "big", signed=True)

    def run(self) -> Simulated[T]:
        for host in self.hosts:
            self._advance(host, None)
        while not all(host.over for host in self.hosts):
            self.now, _, happen = heapq.heappop(self._events)
            happen()
            if self._count > _STEPS_MAX:
                raise OurFault("the simulation does not end", where=", ".join(host.step for host in self.hosts))
        hosts = self.hosts
        for host in hosts:
            host.protocol.close()
        return Simulated(
            [host.result if host.over and host.error is None and host.computed else None for host in hosts],
            [host.error for host in hosts],
            [host.computed for host in hosts],
            [host.traffic for host in hosts],
            self.log,
            self.now,
        )

    def _at(self, time: float, happen: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (time, self._count, happen))

    def _note(self, words: str) -> None:
        self.log.append(f"{self.now:.6f} {words}")

    # ---- servers

    def _advance(self, host: _Host, heard: list[Payload] | None) -> None:
        """Run a server's protocol to its next exchange."""
        crash = next((one for one in self.faults.crashes if (one.server, one.exchange) == (host.index, host.exchanges)), None)
        if crash is not None:
            self._crash(host, crash)
            return
        start = self.clock()
        try:
            request = host.protocol.send(heard)  # type: ignore[arg-type]
        except StopIteration as stop:
            self._after(self.clock() - start, host, lambda result=stop.value: self._finish(host, result))  # type: ignore[misc]
            return
        host.exchanges += 1
        self._after(self.clock() - start, host, lambda: self._exchange(host, request))

    def _after(self, seconds: float, host: _Host, happen: Callable[[], None]) -> None:
        """What a server does when it has computed; at once where that took no time. Until then it waits for nothing."""
        if seconds <= 0:
            happen()
            return
        host.waits, host.wait_number = [], host.wait_number + 1
        self._at(self.now + seconds, lambda: None if host.over else happen())

    def _exchange(self, host: _Host, request: Exchange) -> None:
        for message in request.sends:
            host.traffic.sent(message)
            self._send(host, message.peer, Kind.DATA, message.path, message.payload.tobytes(), host.traffic.rounds + 1)
        self._wait(host, [(Kind.DATA, expected) for expected in request.hears])

    def _finish(self, host: _Host, result: Any) -> None:
        host.result, host.computed = result, True
        self._note(f"server {host.index} has its result")
        for peer in host.channels:
            self._send(host, peer, Kind.GOODBYE, "", b"", host.traffic.rounds)
        self._wait(host, [(Kind.GOODBYE, Expected(peer, "", 0)) for peer in host.channels])

    def _wait(self, host: _Host, waits: list[tuple[Kind, Expected]]) -> None:
        host.waits, host.heard = waits, []
        self._patience(host)
        self._look(host)

    def _patience(self, host: _Host) -> None:
        """From now on a server waits a round timeout, not longer."""
        host.wait_number += 1
        number = host.wait_number
        self._at(self.now + ROUND_TIMEOUT_SECONDS, lambda: self._run_out(host, number))

    def _run_out(self, host: _Host, number: int) -> None:
        if not host.over and host.wait_number == number:
            where = f"server {host.waits[0][1].peer}"
            self._fail(host, PeerFault(f"it was silent for {ROUND_TIMEOUT_SECONDS} seconds", where=where, rule=f"{host.step} is due"))

    def _look(self, host: _Host) -> None:
        """Take what is waited for, in order; go on once all is there."""
        while host.waits and not host.over:
            kind, expected = host.waits[0]
            channel = host.channels[expected.peer]
            if not channel.ready:
                return
            header, payload = channel.ready.popleft()
            try:
                require(header, kind, expected.path, expected.nbytes, f"server {expected.peer}")
            except PeerFault as fault:
                self._fail(host, fault)
                return
            host.waits.pop(0)
            host.heard.append((header, payload))
        if not host.over:
            self._go_on(host)

    def _go_on(self, host: _Host) -> None:
        if host.computed:
            host.over = True
            self._note(f"server {host.index} ends well")
            return
        host.traffic.heard(max((header.round for header, _ in host.heard), default=0))
        self._at(self.now, lambda heard=[payload for _, payload in host.heard]: self._resume(host, heard))  # type: ignore[misc]

    def _resume(self, host: _Host, heard: list[Payload]) -> None:
        if not host.over:
            self._advance(host, heard)

    def _fail(self, host: _Host, error: AccordError) -> None:
        """End a server with an error; it tells the others."""
        if host.over:
            return
        host.over, host.error = True, error
        self._note(f"server {host.index} fails: {error}")
        for peer in host.channels:
            self._send(host, peer, Kind.ABORT, "", str(error).encode(), 0)

    def _crash(self, host: _Host, crash: Crash) -> None:
        host.over = True
        self._note(f"server {host.index} crashes")
        if crash.silent:
            return
        for peer in host.channels:
            other = self.hosts[peer]
            time = max(self._arrival(host.index, peer, 0), self._arrived[host.index, peer])
            self._at(time, lambda other=other: self._closed(other, host.index))  # type: ignore[misc]

    def _closed(self, host: _Host, peer: int) -> None:
        """A connection that closes without a goodbye, after all that was sent before."""
        self._fail(host, PeerFault("it closed the connection without a goodbye", where=f"server {peer}", rule=f"{host.step} is due"))

    # ---- frames

    def _send(self, host: _Host, peer: int, kind: Kind, path: str, payload: bytes, round: int) -> None:
        body = host.outward[peer].header(kind, path, len(payload), round) + payload
        sealed = body + self._tag(host.index, peer, body)
        name = f"{kind.name.lower()} {path} {host.index}→{peer}"
        if self.dice.fraction() < self.faults.drop:
            self._note(f"lost: {name}")
            return
        if self.dice.fraction() < self.faults.corrupt:
            self._note(f"changed: {name}")
            sealed = self._changed(sealed)
        self._carry(host.index, peer, name, sealed)
        if self.dice.fraction() < self.faults.duplicate:
            self._carry(host.index, peer, f"again: {name}", sealed)

    def _carry(self, sender: int, receiver: int, name: str, sealed: bytes) -> None:
        def arrive() -> None:
            self._note(f"arrives: {name}")
            self._deliver(self.hosts[receiver], sender, sealed)

        self._at(self._arrival(sender, receiver, len(sealed)), arrive)

    def _arrival(self, sender: int, receiver: int, nbytes: int) -> float:
        """When something sent now arrives: after what the line still carries, its delay, the partition that it meets; in order unless told
        otherwise.
        """
        least, most = self.faults.delay_seconds_min, self.faults.delay_seconds_max
        time = self._carried(sender, nbytes) + least + self.dice.fraction() * (most - least)
        for partition in self.faults.partitions:
            if {sender, receiver} == {partition.one, partition.other} and partition.start <= time < partition.stop:
                time = partition.stop
        if not self.faults.reorder:
            time = max(time, self._arrived.get((sender, receiver), 0.0))
        self._arrived[sender, receiver] = max(time, self._arrived.get((sender, receiver), 0.0))
        return time

    def _carried(self, sender: int, nbytes: int) -> float:
        """When the last of these bytes has left its sender."""
        if self.faults.bytes_per_second is None:
            return self.now
        left = max(self.now, self._line_free.get(sender, 0.0)) + nbytes / self.faults.bytes_per_second
        self._line_free[sender] = left
        return left

    def _deliver(self, host: _Host, peer: int, sealed: bytes) -> None:
        """The channel of one receiver: authenticate, put into order, refuse what was there before."""
        body, tag = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
        if host.over:
            return
        if tag != self._tag(peer, host.index, body):
            self._fail(host, PeerFault("a frame was changed on its way", where=f"server {peer}", rule=f"{host.step} is due"))
            return
        found = decode(memoryview(body), f"server {peer}")
        assert found is not None, "an authentic frame is whole"
        header, length = found
        channel = host.channels[peer]
        if header.sequence < channel.due or header.sequence in channel.early:
            self._note(f"refused: frame {header.sequence} {header.path} {peer}→{host.index} was here before")
            return
        channel.early[header.sequence] = header, np.frombuffer(body[length:], np.uint8)
        self._release(host, channel, peer)

    def _release(self, host: _Host, channel: _Channel, peer: int) -> None:
        while channel.due in channel.early:
            header, payload = channel.early.pop(channel.due)
            channel.due += 1
            if header.kind is Kind.ABORT:
                self._fail(host, stopped(payload.tobytes(), f"server {peer}"))
                return
            channel.ready.append((header, payload))
            if host.waits and host.waits[0][1].peer == peer:
                self._patience(host)
        if host.waits:
            self._look(host)

    def _changed(self, sealed: bytes) -> bytes:
        """One bit flipped, anywhere."""
        at = self.dice.below(8 * len(sealed))
        changed = bytearray(sealed)
        changed[at // 8] ^= 1 << at % 8
        return bytes(changed)

    def _tag(self, sender: int, receiver: int, body: bytes) -> bytes:
        return blake2b(body, key=self._key + bytes([sender, receiver]), digest_size=_TAG_BYTES).digest()
