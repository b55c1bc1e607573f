"""The in-process driver: all parties of a protocol in one thread, each run until it must wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from accord.base.errors import OurFault, PeerFault
from accord.wire.exchange import Exchange, Payload, Protocol
from accord.wire.traffic import Traffic

T = TypeVar("T")


@dataclass
class Outcome(Generic[T]):
    """Results and traffic, by party."""

    results: list[T]
    traffic: list[Traffic]

    @property
    def rounds(self) -> int:
        return max(one.rounds for one in self.traffic)

    @property
    def bytes_sent(self) -> int:
        """Payload bytes of all parties together."""
        return sum(one.bytes_sent for one in self.traffic)


class _Runner(Generic[T]):
    """One party's protocol and what it waits for."""

    def __init__(self, protocol: Protocol[T], traffic: Traffic) -> None:
        self.protocol, self.traffic = protocol, traffic
        self.waiting: Exchange | None = None
        self.result: Any = None
        self.done = False

    def advance(self, heard: list[Payload] | None) -> None:
        try:
            self.waiting = self.protocol.send(heard)  # type: ignore[arg-type]
        except StopIteration as stop:
            self.result, self.done, self.waiting = stop.value, True, None


def run_local(protocols: Sequence[Protocol[T]], *, keep: bool = False) -> Outcome[T]:
    """Run the parties' protocols in this process until all return; party i is `protocols[i]`.

    Messages are delivered in order. `keep` keeps every payload in the traffic's lines.
    Raises PeerFault when what comes is not what is awaited, OurFault when all parties wait for each other.
    """
    links: dict[tuple[int, int], deque[tuple[str, Payload, int]]] = {}
    runners = [_Runner(protocol, Traffic(party, keep)) for party, protocol in enumerate(protocols)]
    for runner in runners:
        _start(runner, links, None)
    while not all(runner.done for runner in runners):
        moved = [_try(runner, links) for runner in runners]
        if not any(moved):
            waits = "; ".join(_waits(runner) for runner in runners if not runner.done)
            raise OurFault(f"all parties wait: {waits}", do="let every party await the same exchanges")
    return Outcome([runner.result for runner in runners], [runner.traffic for runner in runners])


def _start(runner: _Runner[Any], links: dict[Any, Any], heard: list[Payload] | None) -> None:
    runner.advance(heard)
    if runner.waiting is not None:
        for message in runner.waiting.sends:
            runner.traffic.sent(message)
            queue = links.setdefault((runner.traffic.party, message.peer), deque())
            queue.append((message.path, message.payload, runner.traffic.rounds + 1))


def _try(runner: _Runner[Any], links: dict[Any, Any]) -> bool:
    """Advance one party if all that it waits for is there."""
    if runner.done or runner.waiting is None:
        return False
    me = runner.traffic.party
    needed: dict[int, int] = {}
    for expected in runner.waiting.hears:
        needed[expected.peer] = needed.get(expected.peer, 0) + 1
    if any(len(links.get((peer, me), ())) < count for peer, count in needed.items()):
        return False
    heard = []
    for expected in runner.waiting.hears:
        path, payload, round = links[expected.peer, me].popleft()
        if (path, payload.size) != (expected.path, expected.nbytes):
            raise PeerFault(
                f"server {expected.peer} sent {payload.size} bytes at {path}",
                rule=f"{expected.nbytes} bytes at {expected.path} are due",
            )
        runner.traffic.heard(round)
        heard.append(payload)
    _start(runner, links, heard)
    return True


def _waits(runner: _Runner[Any]) -> str:
    assert runner.waiting is not None
    what = ", ".join(f"{one.path} of server {one.peer}" for one in runner.waiting.hears)
    return f"server {runner.traffic.party} for {what or 'nothing'}"
