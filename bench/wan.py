"""Long links: three servers on a simulated network, foretold and measured, for both profiles.

The network's clock gives what links take, and a real clock what each server computes, as if it had a machine of its own
(`run_simulated` with a clock).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from accord.base.limits import BLOCK_ROWS, SERVERS
from accord.mpc.coins import PairKeys
from accord.mpc.compare import equality, less_than
from accord.mpc.compose import in_blocks
from accord.mpc.cost import Cost
from accord.mpc.division import divide
from accord.mpc.party import LAN, PROFILES, Party, Profile
from accord.node.forecast import FAR_BYTES_PER_SECOND, FAR_HOP_SECONDS
from accord.plan import secure_calls as calls
from accord.plan.clock import Machine, Work, fit, foretell
from accord.plan.secure_calls import count_work, counted
from accord.wire.exchange import Protocol
from accord.wire.local import run_local
from accord.wire.simulated import Faults, run_simulated
from bench.mpc import Case, named, protocol_of, secrets_of, sorted_payload

FAR = Faults(delay_seconds_min=FAR_HOP_SECONDS, delay_seconds_max=FAR_HOP_SECONDS, bytes_per_second=FAR_BYTES_PER_SECOND)
ORDERS = (("less_than", 1_000_000), ("division", 200_000), ("sort32", 200_000))
SMALL_ROWS = 64


def _aligned(me: Party, x: Any, y: Any, **public: Any) -> tuple[int, ...]:
    return (x.rows, *public.values())


COUNTED: dict[str, Callable[..., Protocol[Any]]] = {
    "multiply": calls.multiply,
    "bit_to_ring": calls.bit_to_ring,
    "equality": counted(equality, _aligned, lambda x, y, bits: ("bits", 1, x.rows)),
    "less_than": counted(less_than, _aligned, lambda x, y, bits: ("bits", 1, x.rows)),
    "division": counted(
        divide, lambda me, a, b, **public: (a.rows, *public.values(), me.profile.adder), lambda a, b, **_: ("ring", 64, a.rows)
    ),
    "sort32": counted(
        sorted_payload,
        lambda me, key, payload: (key.rows, key.width, me.profile, payload.ring),
        lambda key, payload: ("ring", 64, key.rows),
    ),
}
"""Cases for counters: those of `ORDERS`, and those of `CALIBRATED`."""

CALIBRATED = {"multiply": "multiply", "bit_to_ring": "bit_to_ring", "less_than": "sign", "equality": "is_zero", "division": "quotient"}
"""Cases, and the protocol of a calibration (node/calibrate.py) whose rate is theirs: it does the same."""


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


def measure(orders: Sequence[tuple[str, int]] = ORDERS) -> list[dict[str, Any]]:
    """Every order in both profiles."""
    return [vars(over_long_links(named(name), rows, profile)) for name, rows in orders for profile in PROFILES.values()]


def link_seconds(case: Case, rows: int, profile: Profile) -> float:
    """What the links alone take: computing takes no time. The same on every machine."""
    return run_simulated(_running(case, rows, profile), 1, FAR).seconds - FAR_HOP_SECONDS


def over_long_links(case: Case, rows: int, profile: Profile) -> Long:
    """A case in a profile: foretold from two short runs without links and from its counted bytes and rounds; then run."""
    cost, work = foreseen(case, rows, profile)
    told = foretell(cost, work, _machine(case).over(FAR_HOP_SECONDS, FAR_BYTES_PER_SECOND))
    done = run_simulated(_running(case, rows, profile), 1, FAR, clock=time.perf_counter)
    if not done.succeeded:
        raise next(error for error in done.errors if error)
    seconds = done.seconds - FAR_HOP_SECONDS  # without the goodbyes
    return Long(case.name, rows, profile.name, told.seconds, told.working, seconds, round(cost.bytes_per_server), cost.rounds)


def foreseen(case: Case, rows: int, profile: Profile) -> tuple[Cost, Work]:
    """Bytes, rounds and work of a case, counted."""
    return count_work(partial(_count, case, rows), profile)[1:]


def _count(case: Case, rows: int, me: Party) -> Protocol[Any]:
    if case.key_bits:
        return COUNTED[case.name](me, *secrets_of(case, rows, 0))
    return in_blocks(COUNTED[case.name], me, *secrets_of(case, rows, 0), **dict(case.public))


def _machine(case: Case) -> Machine:
    """What the case's protocol takes of one server, from a run of few rows and one of four blocks."""
    sizes = SMALL_ROWS, 4 * BLOCK_ROWS
    costs, works = zip(*(foreseen(case, rows, LAN) for rows in sizes), strict=True)
    seconds = [min(_alone(case, rows) for _ in range(3)) for rows in sizes]
    name = next(iter(works[0]))
    rounds = {name: (costs[0].rounds, costs[1].rounds)}
    return Machine(fit(works[1], {name: (seconds[0], seconds[1])}, works[0], rounds, 0.0))


def _alone(case: Case, rows: int) -> float:
    """One server's seconds without links."""
    running = _running(case, rows, LAN)
    start = time.perf_counter()
    run_local(running)
    return (time.perf_counter() - start) / SERVERS


def _running(case: Case, rows: int, profile: Profile) -> list[Protocol[Any]]:
    keys = [PairKeys({component: bytes([component]) * 16 for component in (i, (i + 1) % SERVERS)}) for i in range(SERVERS)]
    return [protocol_of(Party(i, keys[i], profile=profile), case, secrets_of(case, rows, i)) for i in range(SERVERS)]
