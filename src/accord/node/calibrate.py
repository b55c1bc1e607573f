"""Ten seconds that tell how quick a machine is: each protocol that plans run on, timed at two sizes; and one hop of a link.

Two settings. `here`: three server processes on this machine over TLS, as the runtime local: has them; they share its processors.
`apart`: one server with a machine of its own, without links; they are added (`Machine.over`). What is measured is kept in a file of the
person who asked, for this processor and version. Nothing that servers must agree on depends on it.
"""

from __future__ import annotations

import os
import platform
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import accord
from accord.base.errors import OurFault
from accord.base.limits import BLOCK_ROWS, CONNECT_TIMEOUT_SECONDS, KEY_BYTES, SERVERS
from accord.base.ring import Z64
from accord.mpc.coins import PairKeys
from accord.mpc.compose import in_blocks
from accord.mpc.party import LAN, Party
from accord.mpc.share import Bits, Share
from accord.node.processes import ALLOCATOR
from accord.plan import secure_calls as calls
from accord.plan.clock import Machine, fit
from accord.wire.attempts import Attempts
from accord.wire.exchange import Protocol
from accord.wire.handshake import Binding, Server
from accord.wire.local import run_local
from accord.wire.tcp import Links, address_of, adopt, connect, drive, listen
from accord.wire.tls import Identity, make_identity

SMALL_ROWS = 64
REPEATS = 5
HOPS = 100

Seconds = dict[str, tuple[float, float]]
"""By protocol: at few rows, and at many."""


@dataclass(frozen=True)
class Case:
    """A protocol with as many secret arguments as it takes; `planes`: they are bits, else elements of Z_2^64.

    `blocks`: the blocks of the longer timing. Quick protocols take many, so that their columns leave the caches as real ones do.
    """

    protocol: Callable[..., Protocol[Any]]
    arguments: int
    blocks: int
    public: tuple[tuple[str, Any], ...] = ()
    planes: bool = False


CASES = {
    "and_bits": Case(calls.and_bits, 2, 32, planes=True),
    "bit_to_ring": Case(calls.bit_to_ring, 1, 16, (("ring", Z64),), planes=True),
    "multiply": Case(calls.multiply, 2, 32),
    "dot": Case(calls.dot, 2, 32, (("starts", np.zeros(1, np.intp)),)),
    "sign": Case(calls.sign, 1, 8, (("bits", 64),)),
    "is_zero": Case(calls.is_zero, 1, 8, (("bits", 64),)),
    "minimum": Case(calls.minimum, 2, 4, (("bits", 64),)),
    "maximum": Case(calls.maximum, 2, 4, (("bits", 64),)),
    "floor_shift": Case(calls.floor_shift, 1, 8, (("shift", 16),)),
    "quotient": Case(calls.quotient, 2, 2, (("a_bits", 40), ("b_bits", 20))),
}


def run_case(me: Party, name: str, rows: int) -> Protocol[Any]:
    """One call of a protocol; over blocks where there are more rows. The values do not matter: no protocol's time depends on them."""
    case = CASES[name]
    secret = [_secret(case.planes, rows) for _ in range(case.arguments)]
    whole = name == "dot"
    return case.protocol(me, *secret, **dict(case.public)) if whole else in_blocks(case.protocol, me, *secret, **dict(case.public))


def _secret(planes: bool, rows: int) -> Share | Bits:
    """Ones, and not zeros: pages of zeros that were never written to are all one page, quicker to read than data."""
    if planes:
        ones = np.ones((1, (rows + 63) // 64), np.uint64)
        return Bits(rows, ones, ones.copy())
    return Share(Z64, np.ones(rows, np.uint64), np.ones(rows, np.uint64))


def fitted(seconds: Seconds, hop_seconds: float) -> Machine:
    """The machine on which the cases took so long."""
    small, large, rounds = {}, {}, {}
    for name in seconds:
        counted = [calls.count_work(lambda me, name=name, rows=rows: run_case(me, name, rows)) for rows in (SMALL_ROWS, _many(name))]  # type: ignore[misc]
        (_, cost, less), (_, cost_large, more) = counted
        small[name], large[name] = next(iter(less.values())), next(iter(more.values()))
        rounds[name] = cost.rounds, cost_large.rounds
    return Machine(fit(large, seconds, small, rounds, hop_seconds), hop_seconds)


# ---- a server with a machine of its own


def apart() -> Machine:
    """Three servers one after the other in this process, each a third of the time; no links at all."""
    pair_keys = [secrets.token_bytes(KEY_BYTES) for _ in range(SERVERS)]
    parties = [Party(i, PairKeys({c: pair_keys[c] for c in (i, (i + 1) % SERVERS)}), profile=LAN) for i in range(SERVERS)]

    def timed(name: str, rows: int, attempt: int) -> float:
        protocols = [run_case(me.step(f"{name}.{rows}.{attempt}"), name, rows) for me in parties]
        start = time.perf_counter()
        run_local(protocols)
        return (time.perf_counter() - start) / SERVERS

    return fitted({name: _two(lambda rows, attempt, name=name: timed(name, rows, attempt), _many(name)) for name in CASES}, 0.0)  # type: ignore[misc]


def _many(name: str) -> int:
    return CASES[name].blocks * BLOCK_ROWS


def _two(timed: Callable[[int, int], float], rows: int) -> tuple[float, float]:
    """The times at few rows and at many, after a first call of each that does not count."""
    few = [timed(SMALL_ROWS, attempt) for attempt in range(4 * REPEATS)][1:]
    many = [timed(rows, attempt) for attempt in range(REPEATS)][1:]
    return _quiet(few), _quiet(many)


def _quiet(seconds: list[float]) -> float:
    """The lower quartile: what other work on the machine does to a median, it does not do to this so soon."""
    return sorted(seconds)[len(seconds) // 4]


# ---- three servers on this machine


@dataclass(frozen=True)
class _Job:
    """What a measuring process is told."""

    index: int
    folder: str
    addresses: tuple[str, ...]
    listener: int


@dataclass(frozen=True)
class _Times:
    """What it says."""

    seconds: Seconds
    hop_seconds: float


def here() -> Machine:
    """Three processes on this machine over TLS. Raises OurFault where one of them fails."""
    with tempfile.TemporaryDirectory() as folder:
        for index in range(SERVERS):
            make_identity(f"server-{index}", Path(folder) / str(index))
        listeners = [listen("127.0.0.1:0") for _ in range(SERVERS)]
        addresses = tuple(address_of(one) for one in listeners)
        running = [_start(_Job(index, folder, addresses, one.fileno())) for index, one in enumerate(listeners)]
        for one in listeners:
            one.close()
        said = [_finish(one) for one in running]
    slowest = {name: (max(one.seconds[name][0] for one in said), max(one.seconds[name][1] for one in said)) for name in CASES}
    return fitted(slowest, statistics.median(one.hop_seconds for one in said))


def _start(job: _Job) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "accord.node.calibrate"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**ALLOCATOR, **os.environ},
        pass_fds=[job.listener],
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(job) + b"\n")
    process.stdin.flush()
    return process


def _finish(process: subprocess.Popen[bytes]) -> _Times:
    out, wrong = process.communicate(timeout=4 * CONNECT_TIMEOUT_SECONDS)
    if process.returncode:
        raise OurFault("a process that measures this machine ended early", rule=wrong.decode(errors="replace").strip().rpartition("\n")[2])
    return msgspec.json.decode(out, type=_Times)


def _measure(job: _Job) -> _Times:
    """One of the three processes."""
    identities = [Identity(Path(job.folder) / str(i) / "tls.pem", Path(job.folder) / str(i) / "tls.private.pem") for i in range(SERVERS)]
    first, second, third = (Server(f"server-{number}", one.fingerprint) for number, one in enumerate(identities))
    binding = Binding("calibrate", bytes(32), (first, second, third))
    attempts = Attempts(Path(job.folder) / f"attempts.{job.index}")
    with connect(job.index, job.addresses, identities[job.index], binding, attempts, listener=adopt(job.listener)) as links:
        me = Party(job.index, PairKeys(links.keys), profile=LAN)

        def timed(name: str, rows: int, attempt: int) -> float:
            here = me.step(f"{name}.{rows}.{attempt}")
            drive(_hops(here.step("ready"), 1), links)
            return _seconds(run_case(here, name, rows), links)

        hop = _quiet([_seconds(_hops(me.step(f"hops.{attempt}"), HOPS), links) / HOPS for attempt in range(2 * REPEATS)])
        return _Times({name: _two(lambda rows, attempt, name=name: timed(name, rows, attempt), _many(name)) for name in CASES}, hop)  # type: ignore[misc]


def _seconds(protocol: Protocol[Any], links: Links) -> float:
    start = time.perf_counter()
    drive(protocol, links)
    return time.perf_counter() - start


async def _hops(me: Party, count: int) -> None:
    """So many rounds in which each server sends one element to its left neighbour."""
    for hop in range(count):
        await me.step(str(hop)).swap(np.zeros(1, np.uint64), Z64)


# ---- what is kept


@dataclass(frozen=True)
class Kept:
    """A calibration file: which machine and version it is of, and what was measured."""

    of: Mapping[str, str]
    here: Machine
    apart: Machine


def calibration(anew: bool = False) -> Kept:
    """What this machine was measured to need: read from its file, or measured now (about ten seconds) and written there."""
    path = file()
    if not anew and path.is_file():
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=Kept)
        except msgspec.MsgspecError:
            kept = None
        if kept is not None and dict(kept.of) == _identity():
            return kept
    kept = Kept(_identity(), here(), apart())
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(kept)))
    os.replace(partial, path)
    return kept


def file() -> Path:
    """Where the calibration lies: in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "accord" / "calibration.json"


def _identity() -> dict[str, str]:
    return {"machine": platform.node(), "processor": platform.machine(), "cores": str(os.cpu_count()), "accord": accord.__version__}


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_measure(msgspec.json.decode(sys.stdin.buffer.readline(), type=_Job))))
