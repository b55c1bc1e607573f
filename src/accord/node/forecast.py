"""How long a study will take, foretold for one machine: beside what is signed, and no part of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from accord.base.limits import SERVERS
from accord.mpc.cost import Cost
from accord.node.calibrate import Kept
from accord.node.compiled import Compiled
from accord.node.program import around_cost
from accord.plan.clock import Foretold, Machine, foretell
from accord.plan.explain import SECURE
from accord.plan.lower import node_costs
from accord.plan.nodes import Input
from accord.release.gate import cost_and_work

T = TypeVar("T")

FAR_HOP_SECONDS = 0.02
FAR_BYTES_PER_SECOND = 100e6 / 8
"""Servers in different places: 20 ms from one to another, 100 Mbit/s to both others together."""


@dataclass(frozen=True)
class StepTime:
    """One secure step of the explanation, alone: what it does, and how long with all servers here and with servers far apart."""

    what: str
    rounds: int
    bytes_per_server: int
    here: float
    far: float


@dataclass(frozen=True)
class Forecast:
    """The secure steps one by one, and all of them with the rules and the release, steps that do not need each other side by side.

    Owners' local queries, the start of processes and the meeting of servers come on top.
    """

    steps: tuple[StepTime, ...]
    cost: Cost
    here: Foretold
    far: Foretold


def forecast(compiled: Compiled, kept: Kept) -> Forecast:
    """What a study will take on the machine of a calibration, and with servers like it far apart."""
    far = far_apart(kept.apart)
    nodes = tuple(spec.node for spec in compiled.specs)
    priced = [one for one in node_costs(nodes, compiled.profile) if not isinstance(one.node, Input)]
    told = [step for step in compiled.explanation.steps if step.world == SECURE]
    steps = tuple(
        StepTime(
            step.what,
            step.rounds,
            step.bytes_per_server,
            foretell(price.work, kept.here).seconds,
            foretell(price.work, far).seconds,
        )
        for step, price in zip(told, priced, strict=True)
    )
    (cost, work), own = with_seconds(lambda: cost_and_work(compiled.specs, compiled.profile))
    return Forecast(steps, cost, foretell(work, kept.here, own * _crowd()), foretell(work, far, own))


@dataclass(frozen=True)
class Foreseen:
    """What a whole run takes from the servers' meeting to their sealed results; `seconds` are None where this machine was not measured."""

    rounds: int
    bytes_per_server: int
    seconds: float | None = None


def foresee(compiled: Compiled, kept: Kept | None, is_local: bool) -> Foreseen:
    """For three server processes on this machine where `is_local`, else for one process that does the work of all three."""
    counted = partial(cost_and_work, compiled.specs, compiled.profile)
    (cost, work), own = (counted(), 0.0) if kept is None else with_seconds(counted)
    around = around_cost(compiled)
    whole, seconds = around.then(cost), None
    if kept is not None and is_local:
        seconds = foretell(work, kept.here, own * _crowd()).seconds + around.rounds * kept.here.hop_seconds
    elif kept is not None:
        seconds = SERVERS * foretell(work, kept.apart, own).working
    return Foreseen(whole.rounds, whole.bytes // SERVERS, seconds)


def _crowd() -> float:
    """How many servers share a core of this machine."""
    return max(1.0, SERVERS / (os.cpu_count() or 1))


def with_seconds(counted: Callable[[], T]) -> tuple[T, float]:
    """What counting a plan gives, and the seconds that one server takes for itself between the protocols.

    A counter does all of that and no protocol, for three servers; the first count also finds the pattern of each protocol, so it is the
    second one that is timed.
    """
    counted()
    start = time.perf_counter()
    result = counted()
    return result, (time.perf_counter() - start) / SERVERS


def far_apart(machine: Machine) -> Machine:
    """The same servers in different places."""
    return machine.over(FAR_HOP_SECONDS, FAR_BYTES_PER_SECOND)
