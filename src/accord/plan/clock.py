"""Seconds that a plan takes, foretold from what it does and what one machine was measured to need. Nothing here looks at a clock.

The model has three terms. Work: each call of a protocol takes a fixed time and a time for each byte that it handles, which are the
bytes of its arguments and those that it sends. Waiting: each round takes one passage of a link. Carrying: a link that is slower than
the processors lasts as long as its bytes. Work and carrying overlap, since blocks are sent while others are computed.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from accord.base.errors import OurFault
from accord.mpc.cost import Cost


@dataclass(frozen=True)
class Done:
    """What one protocol does in a plan: how often it is called (a block is a call), and the bytes that it handles in all."""

    calls: int
    nbytes: int


Work = Mapping[str, Done]
"""By the protocol's name."""


@dataclass(frozen=True)
class Rate:
    """What a call of a protocol takes beside waiting: seconds, and seconds for each byte handled."""

    seconds: float
    seconds_per_byte: float


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
        """The rate of a protocol; of one that was not measured, the median of those that were."""
        if not self.rates:
            raise OurFault("a machine of which nothing was measured", do="calibrate it first")
        known = self.rates.values()
        middle = Rate(statistics.median(one.seconds for one in known), statistics.median(one.seconds_per_byte for one in known))
        return self.rates.get(protocol, middle)

    def over(self, hop_seconds: float, bytes_per_second: float | None) -> Machine:
        """The same servers over other links: what a hop takes there is added to what it takes here."""
        return replace(self, hop_seconds=self.hop_seconds + hop_seconds, bytes_per_second=bytes_per_second)


@dataclass(frozen=True)
class Foretold:
    """Seconds, and what they are made of."""

    working: float
    waiting: float
    carrying: float

    @property
    def seconds(self) -> float:
        return max(self.working, self.carrying) + self.waiting


def foretell(cost: Cost, work: Work, machine: Machine, own: float = 0.0) -> Foretold:
    """The seconds of what has this cost and does this work; `own`: what a server takes for itself between the protocols."""
    working = own
    for protocol, done in work.items():
        rate = machine.rate(protocol)
        working += done.calls * rate.seconds + done.nbytes * rate.seconds_per_byte
    carrying = cost.bytes_per_server / machine.bytes_per_second if machine.bytes_per_second else 0.0
    return Foretold(working, cost.rounds * machine.hop_seconds, carrying)


def fit(
    work: Work, seconds: Mapping[str, tuple[float, float]], small: Work, rounds: Mapping[str, tuple[int, int]], hop: float
) -> dict[str, Rate]:
    """Rates from two timings of each protocol: of the `small` work and of `work`, with the rounds of each; none is below zero."""
    rates = {}
    for name, (short, long) in seconds.items():
        less, more = small[name], work[name]
        alone = max(short - rounds[name][0] * hop, 0.0) / less.calls
        rest = long - rounds[name][1] * hop - alone * more.calls
        rates[name] = Rate(alone, max(rest, 0.0) / max(more.nbytes - less.nbytes, 1))
    return rates
