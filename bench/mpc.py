"""The protocols between three processes on loopback: seconds (median of several runs), bytes and rounds."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from accord.base.limits import SERVERS
from accord.base.ring import Z64
from accord.mpc.coins import PairKeys
from accord.mpc.compare import equality, less_than
from accord.mpc.compose import in_blocks
from accord.mpc.convert import bit_to_ring
from accord.mpc.division import divide
from accord.mpc.exponential import exp
from accord.mpc.fixed import fixed_multiply
from accord.mpc.logarithm import log
from accord.mpc.logistic import logistic
from accord.mpc.matmul import Matrix, fixed_matmul
from accord.mpc.party import Party
from accord.mpc.product import dot, multiply
from accord.mpc.root import sqrt
from accord.mpc.share import Bits, Share
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


async def square_matmul(me: Party, x: Share, y: Share) -> Share:
    size = isqrt(x.rows)
    return (await fixed_matmul(me, Matrix(x, size, size), Matrix(y, size, size), fraction_bits=16)).share


CASES = (
    Case("multiply", multiply, 1_000_000, 2),
    Case("dot", dot, 1_000_000, 2, whole=True),
    Case("less_than", less_than, 1_000_000, 2, public=(("bits", 64),)),
    Case("less_than32", less_than, 1_000_000, 2, low=-(1 << 29), high=1 << 29, public=(("bits", 32),)),
    Case("equality", equality, 1_000_000, 2, public=(("bits", 64),)),
    Case("bit_to_ring", bit_to_ring, 1_000_000, 1, bits_in=True, public=(("ring", Z64),)),
    Case("truncate", truncate, 1_000_000, 1, public=(("shift", 16),)),
    Case("matmul", square_matmul, 512, 2, whole=True, low=-(1 << 24), high=1 << 24, square=True),
    Case("division", divide, 100_000, 2, low=1, high=1 << 30, public=(("fraction_bits", 16), ("a_bits", 30), ("b_bits", 30))),
    Case("fixed_product", fixed_multiply, 100_000, 2, low=-(1 << 30), high=1 << 30, public=(("fraction_bits", 16),)),
    Case("sqrt", sqrt, 100_000, 1, low=1, high=1 << 30, public=(("bits", 30),)),
    Case("log", log, 100_000, 1, low=1, high=1 << 30, public=(("bits", 30),)),
    Case("exp", exp, 100_000, 1, low=-(1 << 21), high=10 << 16, public=(("low", -(1 << 21)), ("high", 10 << 16))),
    Case("logistic", logistic, 100_000, 1, low=-(1 << 21), high=1 << 21, public=(("low", -(1 << 21)), ("high", 1 << 21))),
)


def measure(cases: Sequence[Case], link: str, rows: int | None, repeats: int) -> Iterator[dict[str, Any]]:
    """Run the cases over one kind of link; a result each. Every server is a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    os.environ.update(environment(SERVERS))
    with tempfile.TemporaryDirectory() as folder:
        identities = [make_identity(f"server-{index}", Path(folder) / str(index)) for index in range(SERVERS)]
        pipes = [spawn.Pipe() for _ in range(SERVERS)]
        servers = [spawn.Process(target=_serve, args=(index, link, identities, pipes[index][1], repeats)) for index in range(SERVERS)]
        for server in servers:
            server.start()
        ends = [near for near, _ in pipes]
        addresses = [end.recv() for end in ends]
        for end in ends:
            end.send(addresses)
        for case in cases:
            count = rows or case.rows
            for end in ends:
                end.send((case.name, count))
            yield _result(case, count, link, [end.recv() for end in ends])
        for end in ends:
            end.send(None)
        for server in servers:
            server.join()


def _result(case: Case, rows: int, link: str, said: list[tuple[list[float], int, int]]) -> dict[str, Any]:
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
    }


def _serve(index: int, link: str, identities: list[Identity], pipe: Connection, repeats: int) -> None:
    """One server's process: connect, then time whatever case the parent names."""
    listener = listen("127.0.0.1:0")
    pipe.send(address_of(listener))
    addresses = pipe.recv()
    with _links(index, link, identities, addresses, listener) as links:
        me = Party(index, PairKeys({component: bytes([component]) * 16 for component in (index, (index + 1) % SERVERS)}))
        number = 0
        while (order := pipe.recv()) is not None:
            case = next(one for one in CASES if one.name == order[0])
            number += 1
            pipe.send(_time(me.step(f"{number}.{case.name}"), links, case, order[1], repeats))


def _links(index: int, link: str, identities: list[Identity], addresses: list[str], listener: Any) -> Links:
    if link == "plain":
        return connect_plain(index, [(host, int(port)) for host, _, port in (one.rpartition(":") for one in addresses)], listener)
    names = [Server(f"server-{number}", one.fingerprint) for number, one in enumerate(identities)]
    binding = Binding("bench", bytes(32), (names[0], names[1], names[2]))
    attempts = Attempts(identities[index].key_file.with_name("attempts.log"))
    return connect(index, addresses, identities[index], binding, attempts, listener=listener)


def _time(me: Party, links: Links, case: Case, rows: int, repeats: int) -> tuple[list[float], int, int]:
    """Seconds of each timed run, bytes that this server sent in one, and the protocol's rounds (over one block)."""
    small = Traffic(me.index)
    drive(_protocol(me.step("small"), case, _secrets(case, 64, me.index)), links, small)
    secrets = _secrets(case, rows, me.index)
    drive(_protocol(me.step("warm"), case, secrets), links)
    seconds, traffic = [], Traffic(me.index)
    for attempt in range(repeats):
        drive(me.step(f"ready.{attempt}").swap(np.zeros(1, np.uint64), Z64), links)
        traffic = Traffic(me.index)
        start = time.perf_counter()
        drive(_protocol(me.step(str(attempt)), case, secrets), links, traffic)
        seconds.append(time.perf_counter() - start)
    return seconds, traffic.bytes_sent, small.rounds


def _protocol(me: Party, case: Case, secrets: list[Any]) -> Protocol[Any]:
    if case.whole:
        return case.protocol(me, *secrets, **dict(case.public))
    return in_blocks(case.protocol, me, *secrets, **dict(case.public))


def _secrets(case: Case, rows: int, index: int) -> list[Any]:
    """This server's shares of seeded random columns: all servers draw the same and keep their own parts."""
    random = np.random.default_rng([SEED, rows])
    secrets: list[Any] = []
    entries = rows * rows if case.square else rows
    for _ in range(case.columns):
        if case.bits_in:
            planes = [random.integers(0, 1 << 64, (1, (rows + 63) // 64), np.uint64) for _ in range(SERVERS)]
            secrets.append(Bits(rows, planes[index], planes[(index + 1) % SERVERS]))
            continue
        values = Z64.encode(random.integers(case.low, case.high, entries))
        first, second = (random.integers(0, 1 << 64, entries, np.uint64) for _ in range(2))
        parts = [first, second, values - first - second]
        secrets.append(Share(Z64, parts[index], parts[(index + 1) % SERVERS]))
    return secrets
