"""What the cost model says of each case; and long links: three servers on a simulated network, foretold and measured, for both profiles.

The network's clock gives what links take, and a real clock what each server computes, as if it had a machine of its own
(`run_simulated` with a clock).
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from math import isqrt
from typing import Any

from accord.base.limits import SERVERS
from accord.mpc.coins import PairKeys
from accord.mpc.compose import in_blocks
from accord.mpc.cost import Cost
from accord.mpc.party import LAN, PROFILES, Party, Profile
from accord.node.calibrate import matrix_bytes
from accord.node.forecast import FAR_BYTES_PER_SECOND, FAR_HOP_SECONDS, far_apart
from accord.node.processes import environment
from accord.plan.clock import Foretold, Machine, Work, foretell
from accord.plan.secure_calls import count_work, counted, zeros
from accord.plan.secure_relations import relation
from accord.wire.exchange import Protocol
from accord.wire.local import run_local
from accord.wire.simulated import Faults, run_simulated
from bench.mpc import CASES, Case, named, protocol_of, secrets_of

FAR = Faults(delay_seconds_min=FAR_HOP_SECONDS, delay_seconds_max=FAR_HOP_SECONDS, bytes_per_second=FAR_BYTES_PER_SECOND)
LARGE = {"less_than": 1_000_000, "division": 200_000, "sort32": 200_000}
ORDERS = tuple((name, rows) for name, large in LARGE.items() for rows in (10_000, large))
"""Few rows, where rounds count, and many, where bytes do."""
SMALL_ROWS = 10_000

ALIKE = {"shuffled": "gather", "sorted_payload": "sort", "expanded": "sort", "square_matmul": "fixed_matmul"}
"""Protocols of the bench, and those of a calibration (node/calibrate.py) that do the same."""

Facts = Callable[..., tuple[Any, ...]]
RINGS: dict[str, Facts] = {
    "multiply": lambda me, x, y: (x.rows, x.ring),
    "dot": lambda me, x, y: (1, x.ring),
    "bit_to_ring": lambda me, b, ring: (b.rows, ring),
    "truncate": lambda me, x, shift: (x.rows, shift, x.ring),
    "shuffle": lambda me, x: (x.rows, x.ring),
    "matmul": lambda me, x, y: (x.rows, 16, x.ring),
    "segmented_maximum": lambda me, first, x, bits: (x.rows, bits, x.ring, me.profile.adder),
    "expand": lambda me, counts, x: (x.rows, x.ring, me.profile.adder),
    "division": lambda me, a, b, **public: (a.rows, *public.values(), me.profile.adder),
    "fixed_product": lambda me, x, y, fraction_bits: (x.rows, fraction_bits, x.ring),
    **dict.fromkeys(("sqrt", "log", "exp", "logistic"), lambda me, x, **public: (x.rows, *public.values())),
    **dict.fromkeys(("sort32", "sort64", "sort32x4"), lambda me, key, *x: (key.rows, key.width, me.profile, *(one.ring for one in x))),
}
"""The facts of each case's cost, from its arguments: of those that give elements of a ring, and of those that give a bit."""
FLAGS: dict[str, Facts] = dict.fromkeys(("less_than", "less_than32", "equality"), lambda me, x, y, bits: (x.rows, bits))


def _counted(case: Case) -> Callable[..., Protocol[Any]]:
    """The case for counters."""
    if case.name in FLAGS:
        return counted(case.protocol, FLAGS[case.name], lambda x, y, bits: ("bits", 1, x.rows))
    if case.grows:
        return relation(case.protocol, RINGS[case.name], lambda *secrets, **_: secrets[-1])
    taken = {"taken": lambda x, y: matrix_bytes(isqrt(x.rows))} if case.square else {}
    return counted(case.protocol, RINGS[case.name], lambda *secrets, **_: ("ring", 64, secrets[-1].rows), **taken)


COUNTED = {case.name: _counted(case) for case in CASES if case.name in RINGS or case.name in FLAGS}


@dataclass(frozen=True)
class Long:
    """One protocol over long links in one profile: seconds foretold and measured; `computing` is what a server's own part is foretold."""

    name: str
    rows: int
    profile: str
    foretold: float
    computing: float
    seconds: float
    bytes_per_server: int
    rounds: int


def measure(machine: Machine, orders: Sequence[tuple[str, int]] = ORDERS) -> Iterator[dict[str, Any]]:
    """Every order in both profiles, on servers that each have such a machine (`calibrate.apart`); in a process set up as theirs are."""
    os.environ.update(environment(1))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for name, rows in orders:
            for profile in PROFILES.values():
                yield vars(pool.submit(over_long_links, named(name), rows, profile, far_apart(machine)).result())


def over_long_links(case: Case, rows: int, profile: Profile, machine: Machine) -> Long:
    """A case in a profile: foretold, and run."""
    cost, told = foretold(case, rows, profile, machine)
    run_local(_running(case, min(rows, SMALL_ROWS), profile))  # compiled before the clock runs
    done = run_simulated(_running(case, rows, profile), 1, FAR, clock=time.perf_counter)
    if not done.succeeded:
        raise next(error for error in done.errors if error)
    seconds = done.seconds - FAR_HOP_SECONDS  # without the goodbyes
    return Long(case.name, rows, profile.name, told.seconds, told.working, seconds, round(cost.bytes_per_server), cost.rounds)


def link_seconds(case: Case, rows: int, profile: Profile) -> float:
    """What the links alone take: computing takes no time. The same on every machine."""
    return run_simulated(_running(case, rows, profile), 1, FAR).seconds - FAR_HOP_SECONDS


def foretold(case: Case, rows: int, profile: Profile, machine: Machine) -> tuple[Cost, Foretold]:
    """Bytes, rounds and seconds of a case by the cost model."""
    cost, work = foreseen(case, rows, profile)
    known = {name: machine.rate(alike) for name, alike in ALIKE.items()}
    return cost, foretell(work, replace(machine, rates={**machine.rates, **known}))


def foreseen(case: Case, rows: int, profile: Profile = LAN) -> tuple[Cost, Work]:
    """Bytes, rounds and work of a case, counted."""
    return count_work(partial(_count, case, rows), profile)[1:]


def _count(case: Case, rows: int, me: Party) -> Protocol[Any]:
    entries = rows * rows if case.square else rows
    secrets = [zeros("bits", case.key_bits, rows)] if case.key_bits else []
    secrets += [zeros("bits", 1, rows) if case.bits_in else zeros("ring", 64, entries) for _ in range(case.columns)]
    if case.whole:
        return COUNTED[case.name](me, *secrets, **dict(case.public))
    return in_blocks(COUNTED[case.name], me, *secrets, **dict(case.public))


def _running(case: Case, rows: int, profile: Profile) -> list[Protocol[Any]]:
    keys = [PairKeys({component: bytes([component]) * 16 for component in (i, (i + 1) % SERVERS)}) for i in range(SERVERS)]
    return [protocol_of(Party(i, keys[i], profile=profile), case, secrets_of(case, rows, i)) for i in range(SERVERS)]
