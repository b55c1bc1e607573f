"""Three servers for tests: certificates, bindings, threads and processes. Ports are bound before anybody dials."""

from __future__ import annotations

import functools
import multiprocessing
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from accord.base.errors import AccordError
from accord.wire.attempts import Attempts
from accord.wire.exchange import Exchange, Expected, Message
from accord.wire.handshake import Binding, Server
from accord.wire.tcp import Links, address_of, connect, listen
from accord.wire.tls import Identity, make_identity

NAMES = ("alpha", "beta", "gamma")
SPAWN = multiprocessing.get_context("spawn")
JOIN_SECONDS = 20
_FOLDER = tempfile.TemporaryDirectory()


@functools.cache
def identity(name: str) -> Identity:
    return make_identity(name, Path(_FOLDER.name) / name)


def binding(**changes: Any) -> Binding:
    """One server's binding; nonces are fresh."""
    servers = tuple(Server(name, identity(name).fingerprint) for name in NAMES)
    return replace(Binding("run-1", b"p" * 32, servers, study_hash=b"s" * 32), **changes)  # type: ignore[arg-type]


def listeners() -> list[socket.socket]:
    return [listen("127.0.0.1:0") for _ in NAMES]


def meet(
    index: int,
    doors: list[socket.socket],
    folder: Path,
    *,
    bound: Binding | None = None,
    who: Identity | None = None,
    addresses: list[str] | None = None,
    **timeouts: float,
) -> Links:
    return connect(
        index,
        addresses or [address_of(door) for door in doors],
        who or identity(NAMES[index]),
        bound or binding(),
        Attempts(folder / f"attempts-{index}"),
        listener=doors[index],
        **{"connect_timeout_seconds": 5, **timeouts},
    )


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Run jobs in threads; their results, or the AccordErrors that ended them."""
    ended: list[Any] = [None] * len(jobs)

    def run(number: int) -> None:
        try:
            ended[number] = jobs[number]()
        except AccordError as error:
            ended[number] = error

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN_SECONDS)
    assert not any(thread.is_alive() for thread in threads), "a server hangs"
    return ended


def each(job: Callable[[int], Any]) -> list[Any]:
    """Run `job(index)` for the three servers at once."""
    return at_once(*(functools.partial(job, index) for index in range(3)))


def column(size: int, tag: int) -> np.ndarray:
    return ((np.arange(size) * 31 + tag) % 251).astype(np.uint8)


async def pass_around(index: int, rounds: int, size: int) -> int:
    """Every server sends its left neighbour a column a round and adds up what it hears."""
    left, right, total = (index - 1) % 3, (index + 1) % 3, 0
    for number in range(rounds):
        path = f"pass.{number}"
        (heard,) = await Exchange((Message(left, path, column(size, index + number)),), (Expected(right, path, size),))
        assert (heard == column(size, right + number)).all()
        total += int(heard.sum())
    return total
