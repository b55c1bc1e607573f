"""What a server process is told, and what it says while it works: JSON on its standard input and output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec


@dataclass(frozen=True)
class Job:
    """One server's part in one attempt of a run.

    Paths are text. `addresses` are `host:port` of the three servers in their order; `listener` is an inherited file descriptor that already
    listens at this server's address, or −1.
    """

    study_folder: str
    party: str
    run: str
    addresses: tuple[str, str, str]
    inbox: str
    outbox: str
    listener: int = -1


class Phase(NamedTuple):
    """How far a run is: `done` of `total` in a phase, and who says so."""

    name: str
    done: int
    total: int
    who: str


@dataclass(frozen=True)
class Said:
    """One line of a server process: a phase, its end with figures, or the error that ended it.

    `computing_seconds` lie between the servers' meeting and their results. `blame` is the error's class name; `error` one readable
    sentence.
    """

    kind: str
    name: str = ""
    done: int = 0
    total: int = 0
    rounds: int = 0
    bytes_sent: int = 0
    seconds: float = 0.0
    computing_seconds: float = 0.0
    blame: str = ""
    error: str = ""
    where: str = ""
    rule: str = ""
    do: str = ""


_JOB, _SAID = msgspec.json.Decoder(Job), msgspec.json.Decoder(Said)


def encode(message: Job | Said) -> bytes:
    """One line."""
    return msgspec.json.encode(message) + b"\n"


def decode_job(line: bytes) -> Job:
    return _JOB.decode(line)


def decode_said(line: bytes) -> Said:
    return _SAID.decode(line)
