"""The protocols between three processes on loopback: seconds (median of several runs), bytes and rounds."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isqrt
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from accord.base.limits import SERVERS
from accord.base.ring import Z64, Column, Ring
from accord.mpc.coins import Coins, PairKeys
from accord.mpc.compare import equality, less_than
from accord.mpc.compose import in_blocks
from accord.mpc.convert import bit_to_ring
from accord.mpc.cost import costs
from accord.mpc.division import divide
from accord.mpc.expand import SUM_MAX, expand, expand_cost
from accord.mpc.exponential import exp
from accord.mpc.fixed import fixed_multiply
from accord.mpc.logarithm import log
from accord.mpc.logistic import logistic
from accord.mpc.matmul import Matrix, fixed_matmul, fixed_matmul_cost
from accord.mpc.party import LAN, Party
from accord.mpc.product import dot, multiply
from accord.mpc.quickselect import order_statistics
from accord.mpc.root import sqrt
from accord.mpc.segments import segmented_maximum
from accord.mpc.share import Bits, Share
from accord.mpc.shuffle import draw_shuffle, shuffle, shuffle_cost
from accord.mpc.sort import sort, sort_cost
from accord.mpc.truncate import truncate
from accord.node.processes import environment
from accord.wire.attempts import Attempts
from accord.wire.exchange import Protocol
from accord.wire.handshake import Binding, Server
from accord.wire.tcp import Links, address_of, connect, drive, listen
from accord.wire.tcp_plain import connect_plain
from accord.wire.tls import Identity, make_identity
from accord.wire.traffic import Traffic

LINKS = ("plain", "tls")
SEED = 20261122
ONE_BLOCK = replace(LAN, block_rows=1 << 30)
"""So that a round is one, not one a block."""


@dataclass(frozen=True)
class Case:
    """One protocol: its arguments are secret columns (or bits) of `rows` rows, run over row blocks unless `whole`."""

    name: str
    protocol: Callable[..., Protocol[Any]]
    rows: int
    columns: int
    bits_in: bool = False
    whole: bool = False
    low: int = -(1 << 40)
    high: int = 1 << 40
    public: tuple[tuple[str, Any], ...] = ()
    square: bool = False
    """Whether a column is a matrix of rows · rows entries."""
    key_bits: int = 0
    """Width of a first argument of bits, before the columns."""
    dealt: Callable[[int, int], list[Any]] | None = None
    """Of rows and server: the arguments, where they are not random columns."""
    slow: bool = False
    """Whether it takes minutes and gigabytes: measured only where it is asked for."""
    grows: bool = False
    """Whether its rounds are more where its rows are, so that they are counted there, and not at few rows."""


@costs(shuffle_cost)
async def shuffled(me: Party, x: Share) -> Any:
    return await shuffle(me.step("go"), [x], draw_shuffle(me.step("draw"), x.rows))


@costs(sort_cost)
async def sorted_payload(me: Party, key: Bits, *payload: Share) -> Any:
    return await sort(me, key, payload)


@costs(fixed_matmul_cost)
async def square_matmul(me: Party, x: Share, y: Share) -> Share:
    size = isqrt(x.rows)
    left, right = (Matrix(one[: size * size], size, size) for one in (x, y))
    return (await fixed_matmul(me, left, right, fraction_bits=16)).share


@costs(lambda rows, ring, adder: expand_cost(rows, rows, SUM_MAX, adder, ring))
async def expanded(me: Party, counts: Share, payload: Share) -> Any:
    return (await expand(me, counts, [payload], counts.rows)).columns[0]


@dataclass
class SameShuffle:
    """A server's coins, but for those that say which shuffle: these are the same in every run, for how much a search compares is up to
    them."""

    coins: Coins
    same: Coins

    def column(self, component: int, ring: Ring, rows: int, path: str, lane: str, row: int) -> Column:
        if lane in ("permutation", "runs"):
            return self.same.column(component, ring, rows, "", lane, row)
        return self.coins.column(component, ring, rows, path, lane, row)

    def planes(self, component: int, width: int, rows: int, path: str, lane: str, row: int) -> Column:
        return self.coins.planes(component, width, rows, path, lane, row)


async def median(me: Party, x: Share) -> Share:
    same = PairKeys({component: bytes([component]) * 16 for component in (me.index, me.right)})
    return await order_statistics(replace(me, coins=SameShuffle(me.coins, same)), x, [x.rows // 2], 64)


async def swapped(me: Party, x: Share) -> Column:
    """What `multiply` sends, and nothing else: what a byte costs on the link."""
    return await me.swap(x.own, x.ring)


CASES = (
    Case("swap", swapped, 1_000_000, 1, whole=True),
    Case("multiply", multiply, 1_000_000, 2),
    Case("dot", dot, 1_000_000, 2, whole=True),
    Case("less_than", less_than, 1_000_000, 2, public=(("bits", 64),)),
    Case("less_than32", less_than, 1_000_000, 2, low=-(1 << 29), high=1 << 29, public=(("bits", 32),)),
    Case("equality", equality, 1_000_000, 2, public=(("bits", 64),)),
    Case("bit_to_ring", bit_to_ring, 1_000_000, 1, bits_in=True, public=(("ring", Z64),)),
    Case("truncate", truncate, 1_000_000, 1, public=(("shift", 16),)),
    Case("shuffle", shuffled, 1_000_000, 1, whole=True),
    Case("sort32", sorted_payload, 1_000_000, 1, whole=True, key_bits=32),
    Case("sort64", sorted_payload, 1_000_000, 1, whole=True, key_bits=64),
    Case("sort32x4", sorted_payload, 10_000_000, 3, whole=True, key_bits=32, slow=True),
    Case("quickselect", median, 1_000_000, 1, whole=True, grows=True),
    Case("segmented_maximum", segmented_maximum, 1_000_000, 1, whole=True, key_bits=1, public=(("bits", 64),), grows=True),
    Case("expand", expanded, 1_000_000, 2, whole=True, low=0, high=3, grows=True),
    Case("matmul", square_matmul, 512, 2, whole=True, low=-(1 << 24), high=1 << 24, square=True),
    Case("division", divide, 100_000, 2, low=1, high=1 << 30, public=(("fraction_bits", 16), ("a_bits", 30), ("b_bits", 30))),
    Case("fixed_product", fixed_multiply, 100_000, 2, low=-(1 << 30), high=1 << 30, public=(("fraction_bits", 16),)),
    Case("sqrt", sqrt, 100_000, 1, low=1, high=1 << 30, public=(("bits", 30),)),
    Case("log", log, 100_000, 1, low=1, high=1 << 30, public=(("bits", 30),)),
    Case("exp", exp, 100_000, 1, low=-(1 << 21), high=10 << 16, public=(("low", -(1 << 21)), ("high", 10 << 16))),
    Case("logistic", logistic, 100_000, 1, low=-(1 << 21), high=1 << 21, public=(("low", -(1 << 21)), ("high", 1 << 21))),
)


@dataclass(frozen=True)
class Order:
    """A case at so many rows, timed so many times after a run that does not count; of fewer rows, where it is timed once."""

    case: Case
    rows: int
    repeats: int


def named(name: str) -> Case:
    return next(one for one in CASES if one.name == name)


def measure(orders: Sequence[Order], link: str) -> Iterator[dict[str, Any]]:
    """Carry the orders out over one kind of link; a result each. Every server is a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    os.environ.update(environment(SERVERS))
    with tempfile.TemporaryDirectory() as folder:
        identities = [make_identity(f"server-{index}", Path(folder) / str(index)) for index in range(SERVERS)]
        pipes = [spawn.Pipe() for _ in range(SERVERS)]
        servers = [spawn.Process(target=_serve, args=(index, link, identities, pipes[index][1])) for index in range(SERVERS)]
        for server in servers:
            server.start()
        ends = [near for near, _ in pipes]
        addresses = [end.recv() for end in ends]
        for end in ends:
            end.send(addresses)
        for one in orders:
            for end in ends:
                end.send((one.case, one.rows, one.repeats))
            yield _result(one.case, one.rows, link, [end.recv() for end in ends])
        for end in ends:
            end.send(None)
        for server in servers:
            server.join()


def _result(case: Case, rows: int, link: str, said: list[tuple[list[float], int, int, int]]) -> dict[str, Any]:
    """A run lasts as long as its slowest server; bytes are the servers' average."""
    seconds = [max(times) for times in zip(*(one[0] for one in said), strict=True)]
    return {
        "name": case.name,
        "rows": rows,
        "seconds": statistics.median(seconds),
        "bytes_per_server": round(sum(one[1] for one in said) / SERVERS),
        "rounds": max(one[2] for one in said),
        "link": link,
        "seconds_min": min(seconds),
        "seconds_max": max(seconds),
        "peak_bytes": max(one[3] for one in said),
    }


def _serve(index: int, link: str, identities: list[Identity], pipe: Connection) -> None:
    """One server's process: connect, then time whatever case the parent names."""
    listener = listen("127.0.0.1:0")
    pipe.send(address_of(listener))
    addresses = pipe.recv()
    with _links(index, link, identities, addresses, listener) as links:
        me = Party(index, PairKeys({component: bytes([component]) * 16 for component in (index, (index + 1) % SERVERS)}))
        number = 0
        while (order := pipe.recv()) is not None:
            case, rows, repeats = order
            number += 1
            pipe.send(_time(me.step(f"{number}.{case.name}"), links, case, rows, repeats))


def _links(index: int, link: str, identities: list[Identity], addresses: list[str], listener: Any) -> Links:
    if link == "plain":
        return connect_plain(index, [(host, int(port)) for host, _, port in (one.rpartition(":") for one in addresses)], listener)
    names = [Server(f"server-{number}", one.fingerprint) for number, one in enumerate(identities)]
    binding = Binding("bench", bytes(32), (names[0], names[1], names[2]))
    attempts = Attempts(identities[index].key_file.with_name("attempts.log"))
    return connect(index, addresses, identities[index], binding, attempts, listener=listener)


def rows_of_rounds(case: Case, rows: int) -> int:
    """At how many rows rounds are counted."""
    return rows if case.grows else 64


def _time(me: Party, links: Links, case: Case, rows: int, repeats: int) -> tuple[list[float], int, int, int]:
    """Seconds of each timed run, bytes that this server sent in one, the protocol's rounds (over one block), and peak memory."""
    small = Traffic(me.index)
    one_block = replace(me.step("small"), profile=ONE_BLOCK)
    drive(protocol_of(one_block, case, secrets_of(case, rows_of_rounds(case, rows), me.index)), links, small)
    secrets = secrets_of(case, rows, me.index)
    forget_peak()
    warm = secrets if repeats > 1 else secrets_of(case, min(rows, 100_000), me.index)
    drive(protocol_of(me.step("warm"), case, warm), links)
    seconds, traffic = [], Traffic(me.index)
    for attempt in range(repeats):
        drive(me.step(f"ready.{attempt}").swap(np.zeros(1, np.uint64), Z64), links)
        traffic = Traffic(me.index)
        start = time.perf_counter()
        drive(protocol_of(me.step(str(attempt)), case, secrets), links, traffic)
        seconds.append(time.perf_counter() - start)
    return seconds, traffic.bytes_sent, small.rounds, peak_bytes()


def forget_peak() -> None:
    """Begin to watch for the highest memory use anew (Linux; elsewhere the process's highest is what is reported)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """The most memory that this process had resident since the watch began, its inputs and its own code among it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def protocol_of(me: Party, case: Case, secrets: list[Any]) -> Protocol[Any]:
    if case.whole:
        return case.protocol(me, *secrets, **dict(case.public))
    return in_blocks(case.protocol, me, *secrets, **dict(case.public))


def secrets_of(case: Case, rows: int, index: int) -> list[Any]:
    """This server's shares of seeded random columns: all servers draw the same and keep their own parts."""
    if case.dealt:
        return case.dealt(rows, index)
    random = np.random.default_rng([SEED, rows])
    secrets: list[Any] = []
    entries = rows * rows if case.square else rows
    for width in [case.key_bits] * (case.key_bits > 0) + [int(case.bits_in)] * case.columns:
        if width:
            planes = [random.integers(0, 1 << 64, (width, (rows + 63) // 64), np.uint64) for _ in range(SERVERS)]
            secrets.append(Bits(rows, planes[index], planes[(index + 1) % SERVERS]))
            continue
        values = Z64.encode(random.integers(case.low, case.high, entries))
        first, second = (random.integers(0, 1 << 64, entries, np.uint64) for _ in range(2))
        parts = [first, second, values - first - second]
        secrets.append(Share(Z64, parts[index], parts[(index + 1) % SERVERS]))
    return secrets
