"""Seconds that a plan takes, foretold from what it does and what one machine was measured to need. Nothing here looks at a clock.

Counting a plan writes down each server's course: what it works, says and hears, in order. Foretelling plays the courses side by side
on times of its own. Work: every exchange of a protocol takes a fixed time, and every byte that the protocol handles, which are the
bytes of its arguments and those that it sends. Carrying: a server's line takes one message after the other, as long as their bytes
last. Waiting: every message is then under way for one passage of a link. So what overlaps in a run overlaps here, and what waits waits.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from accord.base.errors import OurFault


class Labour(NamedTuple):
    """Part of a protocol: before one of its exchanges; and its share of the bytes that the protocol handles."""

    protocol: str
    nbytes: float


class Says(NamedTuple):
    """A message of so many bytes to a peer."""

    peer: int
    nbytes: int


class Hears(NamedTuple):
    """The next message of a peer."""

    peer: int


Course = Sequence[Labour | Says | Hears]
"""What one server does, in order."""


@dataclass(frozen=True)
class Done:
    """What one protocol does in a plan: its exchanges in all its calls (a block is a call), and the bytes that it handles."""

    steps: int
    nbytes: float


@dataclass(frozen=True)
class Work:
    """The courses of the three servers."""

    courses: tuple[Course, ...] = ()

    @property
    def done(self) -> dict[str, Done]:
        """By the protocol's name, what a server does in it; the same for all three."""
        found: dict[str, Done] = {}
        for one in self.courses[0] if self.courses else ():
            if isinstance(one, Labour):
                before = found.get(one.protocol, Done(0, 0))
                found[one.protocol] = Done(before.steps + 1, before.nbytes + one.nbytes)
        return found


@dataclass(frozen=True)
class Rate:
    """What an exchange of a protocol takes beside waiting, and what a byte takes that it handles."""

    seconds_per_step: float
    seconds_per_byte: float

    def seconds(self, done: Done) -> float:
        return done.steps * self.seconds_per_step + done.nbytes * self.seconds_per_byte


@dataclass(frozen=True)
class Machine:
    """What was measured of servers and their links.

    `hop_seconds`: from the sending of a short message to its being read. `bytes_per_second`: of a server's line to both its peers, None
    where the rates hold what sending takes.
    """

    rates: Mapping[str, Rate] = field(default_factory=dict)
    hop_seconds: float = 0.0
    bytes_per_second: float | None = None

    def rate(self, protocol: str) -> Rate:
        """The rate of a protocol, or of the one that is most like it; else the medians of all that were measured."""
        if not self.rates:
            raise OurFault("a machine of which nothing was measured", do="calibrate it first")
        known = self.rates.values()
        middle = Rate(statistics.median(one.seconds_per_step for one in known), statistics.median(one.seconds_per_byte for one in known))
        return self.rates.get(protocol, self.rates.get(ALIKE.get(protocol, ""), middle))

    def over(self, hop_seconds: float, bytes_per_second: float | None) -> Machine:
        """The same servers over other links: what a hop takes there is added to what it takes here."""
        return replace(self, hop_seconds=self.hop_seconds + hop_seconds, bytes_per_second=bytes_per_second)


ALIKE = {
    "maximum": "minimum",
    "less_than": "sign",
    "equality": "is_zero",
    "divide": "quotient",
    "to_bits": "sign",
    "all_bits": "and_bits",
    "keep": "multiply",
    "truncate": "fixed_multiply",
    "shuffle": "gather",
    "apply": "gather",
    "apply_first": "gather",
    "partition": "gather",
    "aggregate": "gather",
    "to_rows": "gather",
    "group_extremes": "gather",
    "group_largest": "gather",
    "group_quantile_discrete": "gather",
    "left_matched": "gather",
    "segmented_minimum": "gather",
    "segmented_maximum": "gather",
    "order": "sort",
    "arrange": "sort",
    "expand": "sort",
    "join_pk_fk": "sort",
    "join_many": "sort",
    "sqrt": "exp",
    "inverse_sqrt": "exp",
    "reciprocal": "exp",
    "log": "exp",
    "logistic": "exp",
}
"""Protocols that a calibration does not time, and which of those that it times (node/calibrate.py) does the same kind of work."""


@dataclass(frozen=True)
class Foretold:
    """Seconds; and what a server works in them, the rest being spent on links."""

    seconds: float
    working: float


def foretell(work: Work, machine: Machine, own: float = 0.0) -> Foretold:
    """The seconds of this work; `own`: what a server takes for itself between the protocols."""
    rates = {name: machine.rate(name) for name in work.done}
    working = own + sum(rates[name].seconds(done) for name, done in work.done.items())
    return Foretold(own + _Play(work.courses, machine, rates).seconds(), working)


def links_seconds(work: Work, machine: Machine) -> float:
    """What the links alone take: work takes no time."""
    return _Play(work.courses, machine, dict.fromkeys(work.done, Rate(0.0, 0.0))).seconds()


def fit(few: Mapping[str, tuple[Work, float]], many: Mapping[str, tuple[Work, float]], hop_seconds: float) -> dict[str, Rate]:
    """Rates from two timings of each protocol: of many exchanges with few bytes, and with many bytes. None is below zero."""
    links, rates = Machine(hop_seconds=hop_seconds), {}
    for name, (work, seconds) in few.items():
        (less,), (more,) = work.done.values(), many[name][0].done.values()
        longer = max(many[name][1] - links_seconds(many[name][0], links), 0.0)
        step = min(max(seconds - links_seconds(work, links), 0.0) / less.steps, longer / more.steps)
        rates[name] = Rate(step, (longer - more.steps * step) / max(more.nbytes, 1))
    return rates


class _Play:
    """Courses under way: where each server is, its time, when its line is free, and when what it was sent arrives."""

    def __init__(self, courses: Sequence[Course], machine: Machine, rates: Mapping[str, Rate]) -> None:
        self.courses, self.machine, self.rates = courses, machine, rates
        self.at = [0] * len(courses)
        self.now = [0.0] * len(courses)
        self.line_free = [0.0] * len(courses)
        self.arrivals: dict[tuple[int, int], deque[float]] = {}

    def seconds(self) -> float:
        """When the last server is done."""
        pending = list(range(len(self.courses)))
        while pending:
            before = sum(self.at)
            pending = [server for server in pending if not self._run(server)]
            if pending and sum(self.at) == before:
                raise OurFault("all servers wait in a course", do="count the protocol of all three")
        return max(self.now, default=0.0)

    def _run(self, server: int) -> bool:
        """Go on until something is awaited that was not yet sent; whether the course is at its end."""
        course = self.courses[server]
        while self.at[server] < len(course):
            one = course[self.at[server]]
            if isinstance(one, Labour):
                self.now[server] += self.rates[one.protocol].seconds(Done(1, one.nbytes))
            elif isinstance(one, Says):
                self.arrivals.setdefault((server, one.peer), deque()).append(self._arrival(server, one.nbytes))
            else:
                waiting = self.arrivals.get((one.peer, server))
                if not waiting:
                    return False
                self.now[server] = max(self.now[server], waiting.popleft())
            self.at[server] += 1
        return True

    def _arrival(self, server: int, nbytes: int) -> float:
        if self.machine.bytes_per_second:
            self.line_free[server] = max(self.now[server], self.line_free[server]) + nbytes / self.machine.bytes_per_second
            return self.line_free[server] + self.machine.hop_seconds
        return self.now[server] + self.machine.hop_seconds
