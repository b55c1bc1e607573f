"""Steps that depend on each other, each begun as soon as what it needs is there; rounds of independent steps merge.

`together` with dependencies. Every server begins and ends the same steps after the same exchange, because all servers of a
protocol await the same number of exchanges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from accord.mpc.compose import Lockstep
from accord.wire.exchange import Exchange, Payload, Protocol


@dataclass(frozen=True)
class Step:
    """`start(*results of needs)` gives the protocol to run; `needs` are places of earlier steps."""

    needs: tuple[int, ...]
    start: Callable[..., Protocol[Any]]


class _Flow:
    """The state of a flow: what is done, and what waits at which exchange."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self.results: dict[int, Any] = {}
        self.unstarted = list(range(len(steps)))
        self.live: dict[int, tuple[Lockstep[Any], Exchange]] = {}

    def begin(self) -> None:
        """Start every step whose needs are met. One pass is enough: what a step needs stands before it."""
        later = []
        for place in self.unstarted:
            needs = self.steps[place].needs
            if all(need in self.results for need in needs):
                self.advance(place, Lockstep(self.steps[place].start(*(self.results[need] for need in needs))), None)
            else:
                later.append(place)
        self.unstarted = later

    def advance(self, place: int, running: Lockstep[Any], heard: list[Payload] | None) -> None:
        try:
            request = running.send(heard)
        except StopIteration as stop:
            self.results[place] = stop.value
            self.live.pop(place, None)
            return
        self.live[place] = (running, request)


async def flow(steps: Sequence[Step]) -> list[Any]:
    """Run steps, each after those that it needs; returns all results in order."""
    state = _Flow(steps)
    state.begin()
    while state.live:
        waiting = sorted(state.live.items())
        heard = await Exchange(
            tuple(message for _, (_, request) in waiting for message in request.sends),
            tuple(expected for _, (_, request) in waiting for expected in request.hears),
        )
        at = 0
        for place, (running, request) in waiting:
            part, at = heard[at : at + len(request.hears)], at + len(request.hears)
            state.advance(place, running, part)
        state.begin()
    return [state.results[place] for place in range(len(steps))]
