"""Ten seconds that tell how quick a machine is: protocols that plans run on, or one of a kind, each timed twice; and one hop of a link.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isqrt
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import accord
from accord.base.errors import OurFault
from accord.base.limits import KEY_BYTES, SERVERS
from accord.base.ring import Z64
from accord.mpc.coins import PairKeys
from accord.mpc.compose import in_blocks
from accord.mpc.cost import costs
from accord.mpc.exponential import exp
from accord.mpc.fixed import fixed_multiply
from accord.mpc.matmul import Matrix, fixed_matmul_cost
from accord.mpc.matmul import fixed_matmul as multiply_matrices
from accord.mpc.party import LAN, Party, Profile
from accord.mpc.share import Bits, Share
from accord.mpc.shuffle import draw_shuffle, shuffle, shuffle_cost
from accord.mpc.sort import sort as sort_by
from accord.mpc.sort import sort_cost
from accord.node.processes import environment
from accord.plan import secure_calls as calls
from accord.plan.clock import Machine, Work, fit
from accord.wire.attempts import Attempts
from accord.wire.exchange import Protocol
from accord.wire.handshake import Binding, Server
from accord.wire.local import run_local
from accord.wire.tcp import Links, address_of, adopt, connect, drive, listen
from accord.wire.tls import Identity, make_identity

PART_ROWS = 1 << 15
"""Timings are multiples of so many rows."""
FEW = replace(LAN, block_rows=64)
"""Blocks of so few rows that what a step costs by itself is all that they cost."""
FEW_BLOCKS = 16
REPEATS = 3
HOPS = 100
MEASURE_TIMEOUT_SECONDS = 300
"""Ten seconds are usual; the first time on a machine kernels are compiled too."""

Seconds = dict[str, tuple[float, float]]
"""By protocol: of many blocks of few rows, and of many rows."""


@costs(sort_cost)
async def sort(me: Party, key: Bits, payload: Share) -> Share:
    (moved,) = (await sort_by(me, key, [payload]))[1]
    assert isinstance(moved, Share)
    return moved


@costs(shuffle_cost)
async def gather(me: Party, x: Share) -> Share:
    """What every way through a shuffle does, and drawing it."""
    (moved,) = await shuffle(me.step("go"), [x], draw_shuffle(me.step("draw"), x.rows))
    assert isinstance(moved, Share)
    return moved


@costs(fixed_matmul_cost)
async def fixed_matmul(me: Party, x: Share, y: Share) -> Share:
    """Square matrices; entries that do not fill one are left out."""
    size = isqrt(x.rows)
    left, right = (Matrix(one[: size * size], size, size) for one in (x, y))
    return (await multiply_matrices(me, left, right, fraction_bits=16)).share


def matrix_bytes(size: int) -> int:
    """What a product of square matrices reads: an entry for each product, and as much as for 128 more to take an entry apart."""
    return 8 * size * size * (size + 128)


@dataclass(frozen=True)
class Case:
    """A protocol with as many secret arguments as it takes: bits of the widths `planes`, then elements of Z_2^64.

    `rows` of the longer timing. Quick protocols take many, so that their columns leave the caches as real ones do. `whole`: it cuts its
    rows into blocks itself.
    """

    protocol: Callable[..., Protocol[Any]]
    elements: int
    rows: int
    public: tuple[tuple[str, Any], ...] = ()
    planes: tuple[int, ...] = ()
    whole: bool = False


CASES = {
    "and_bits": Case(calls.and_bits, 0, 16 * PART_ROWS, planes=(4, 4)),
    "bit_to_ring": Case(calls.bit_to_ring, 0, 12 * PART_ROWS, (("ring", Z64),), planes=(1,)),
    "multiply": Case(calls.multiply, 2, 16 * PART_ROWS),
    "dot": Case(calls.dot, 2, 16 * PART_ROWS, (("starts", np.zeros(1, np.intp)),), whole=True),
    "sign": Case(calls.sign, 1, 6 * PART_ROWS, (("bits", 64),)),
    "is_zero": Case(calls.is_zero, 1, 6 * PART_ROWS, (("bits", 64),)),
    "minimum": Case(calls.minimum, 2, 4 * PART_ROWS, (("bits", 64),)),
    "floor_shift": Case(calls.floor_shift, 1, 6 * PART_ROWS, (("shift", 16),)),
    "quotient": Case(calls.quotient, 2, 2 * PART_ROWS, (("a_bits", 40), ("b_bits", 20))),
    "fixed_multiply": Case(
        calls.counted(
            fixed_multiply,
            lambda me, x, y, fraction_bits: (x.rows, fraction_bits, x.ring),
            lambda x, y, fraction_bits: ("ring", 64, x.rows),
        ),
        2,
        8 * PART_ROWS,
        (("fraction_bits", 16),),
    ),
    "exp": Case(
        calls.counted(exp, lambda me, x, low, high: (x.rows, low, high), lambda x, low, high: ("ring", 64, x.rows)),
        1,
        4 * PART_ROWS,
        (("low", -(1 << 21)), ("high", 10 << 16)),
    ),
    "gather": Case(calls.counted(gather, lambda me, x: (x.rows, x.ring), lambda x: ("ring", 64, x.rows)), 1, 16 * PART_ROWS, whole=True),
    "sort": Case(
        calls.counted(sort, lambda me, key, x: (key.rows, key.width, me.profile, x.ring), lambda key, x: ("ring", 64, x.rows)),
        1,
        4 * PART_ROWS,
        planes=(24,),
        whole=True,
    ),
    "fixed_matmul": Case(
        calls.counted(
            fixed_matmul,
            lambda me, x, y: (x.rows, 16, x.ring),
            lambda x, y: ("ring", 64, x.rows),
            lambda x, y: matrix_bytes(isqrt(x.rows)),
        ),
        2,
        8 * PART_ROWS,
        whole=True,
    ),
}


def run_case(me: Party, name: str, rows: int) -> Protocol[Any]:
    """One call of a protocol; over blocks where there are more rows. The values do not matter: no protocol's time depends on them."""
    case = CASES[name]
    secret = [_bits(width, rows) for width in case.planes] + [_ring(rows) for _ in range(case.elements)]
    here, public = case.protocol, dict(case.public)
    return here(me, *secret, **public) if case.whole else in_blocks(here, me, *secret, **public)


def _ring(rows: int) -> Share:
    """Ones, and not zeros: pages of zeros that were never written to are all one page, quicker to read than data."""
    return Share(Z64, np.ones(rows, np.uint64), np.ones(rows, np.uint64))


def _bits(width: int, rows: int) -> Bits:
    """Fixed bits that differ from row to row, as keys do."""
    planes = np.arange(1, width * ((rows + 63) // 64) + 1, dtype=np.uint64).reshape(width, -1) * np.uint64(0x9E3779B97F4A7C15)
    return Bits(rows, planes, planes.copy())


def fitted(seconds: Seconds, hop_seconds: float) -> Machine:
    """The machine on which the cases took so long."""
    few, many = dict[str, tuple[Work, float]](), dict[str, tuple[Work, float]]()
    for name, (short, long) in seconds.items():
        for profile, rows, taken, into in ((FEW, _few(), short, few), (LAN, CASES[name].rows, long, many)):
            work = calls.count_work(lambda me, name=name, rows=rows: run_case(me, name, rows), profile)[2]  # type: ignore[misc]
            into[name] = work, taken
    return Machine(fit(few, many, hop_seconds), hop_seconds)


def _few() -> int:
    return FEW_BLOCKS * FEW.block_rows


# ---- a server with a machine of its own


def apart() -> Machine:
    """Three servers one after the other in a process, each a third of the time; no links at all. Raises OurFault where it fails."""
    with _measuring([_Job()], servers=1) as (process,):
        return fitted(_finish(process).seconds, 0.0)


def _measure_apart() -> _Times:
    pair_keys = [secrets.token_bytes(KEY_BYTES) for _ in range(SERVERS)]
    parties = [Party(i, PairKeys({c: pair_keys[c] for c in (i, (i + 1) % SERVERS)}), profile=LAN) for i in range(SERVERS)]

    def timed(name: str, profile: Profile, rows: int, attempt: int) -> float:
        protocols = [run_case(replace(me, profile=profile).step(f"{name}.{rows}.{attempt}"), name, rows) for me in parties]
        start = time.perf_counter()
        run_local(protocols)
        return (time.perf_counter() - start) / SERVERS

    return _Times({name: _two(timed, name) for name in CASES}, 0.0)


def _two(timed: Callable[[str, Profile, int, int], float], name: str) -> tuple[float, float]:
    """The times at few rows and at many, after a first call of each that does not count."""
    few = [timed(name, FEW, _few(), attempt) for attempt in range(2 * REPEATS)][1:]
    many = [timed(name, LAN, CASES[name].rows, attempt) for attempt in range(REPEATS)][1:]
    return _quiet(few), _quiet(many)


def _quiet(seconds: list[float]) -> float:
    """The lower quartile: what other work on the machine does to a median, it does not do to this so soon."""
    return sorted(seconds)[len(seconds) // 4]


# ---- three servers on this machine


@dataclass(frozen=True)
class _Job:
    """What a measuring process is told: which of three servers it is, or, without addresses, that it plays all of them."""

    index: int = 0
    folder: str = ""
    addresses: tuple[str, ...] = ()
    listener: int = -1


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
        jobs = [_Job(index, folder, addresses, one.fileno()) for index, one in enumerate(listeners)]
        with _measuring(jobs, SERVERS) as running:
            for listener in listeners:
                listener.close()
            said = [_finish(one) for one in running]
    slowest = {name: (max(one.seconds[name][0] for one in said), max(one.seconds[name][1] for one in said)) for name in CASES}
    return fitted(slowest, statistics.median(one.hop_seconds for one in said))


@contextmanager
def _measuring(jobs: Sequence[_Job], servers: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes of these jobs, of which none lives when this ends; `servers` of them share the machine."""
    running = [_start(job, servers) for job in jobs]
    try:
        yield running
    finally:
        for one in running:
            one.kill()
            one.wait()


def _start(job: _Job, servers: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "accord.node.calibrate"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment(servers), **os.environ},
        pass_fds=[job.listener] if job.listener >= 0 else [],
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(job) + b"\n")
    process.stdin.flush()
    return process


def _finish(process: subprocess.Popen[bytes]) -> _Times:
    try:
        out, wrong = process.communicate(timeout=MEASURE_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        where, do = f"{MEASURE_TIMEOUT_SECONDS} seconds", "try again when it has less to do"
        raise OurFault("this machine is too busy to be measured", where=where, do=do) from error
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

        def timed(name: str, profile: Profile, rows: int, attempt: int) -> float:
            here = replace(me, profile=profile).step(f"{name}.{rows}.{attempt}")
            drive(_hops(here.step("ready"), 1), links)
            return _seconds(run_case(here, name, rows), links)

        hop = _quiet([_seconds(_hops(me.step(f"hops.{attempt}"), HOPS), links) / HOPS for attempt in range(2 * REPEATS)])
        return _Times({name: _two(timed, name) for name in CASES}, hop)


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


def kept_calibration() -> Kept | None:
    """What this machine was measured to need, where that was measured and kept."""
    try:
        kept = msgspec.json.decode(file().read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError):
        return None
    return kept if dict(kept.of) == _identity() else None


def calibration(anew: bool = False) -> Kept:
    """What this machine was measured to need: read from its file, or measured now (about ten seconds) and written there."""
    known = None if anew else kept_calibration()
    if known is not None:
        return known
    path, kept = file(), Kept(_identity(), here(), apart())
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
    told = msgspec.json.decode(sys.stdin.buffer.readline(), type=_Job)
    sys.stdout.buffer.write(msgspec.json.encode(_measure(told) if told.addresses else _measure_apart()))
