"""A party's ledger: an append-only, hash-chained file of everything it approved, ran and released.

One canonical JSON document a line. Each holds its number, the hash of the line before, what happened and its facts; a changed, missing
or reordered line is found by `verify`. Facts never hold data, shares, or bare hashes of them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accord.base import canonical
from accord.base.errors import OurFault, Refused

FILE = "ledger.jsonl"
_START = bytes(32)


@dataclass(frozen=True)
class Entry:
    """One line. `hash` covers the whole of it, and through `previous` all lines before."""

    number: int
    previous: bytes
    event: str
    facts: dict[str, Any]

    def encode(self) -> bytes:
        return canonical.encode({"number": self.number, "previous": self.previous.hex(), "event": self.event, "facts": self.facts})

    @property
    def hash(self) -> bytes:
        return canonical.digest("ledger", self.encode())


class Ledger:
    """The ledger in a party's folder. Opening verifies the whole chain."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.entries = read(self.path)

    @property
    def head(self) -> bytes:
        """The hash of the last line: who keeps it can tell whether anything before was changed."""
        return self.entries[-1].hash if self.entries else _START

    def append(self, event: str, facts: dict[str, Any]) -> Entry:
        """Write one line and flush it to the disk before returning."""
        entry = Entry(len(self.entries), self.head, event, facts)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(entry.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.entries.append(entry)
        return entry

    def find(self, event: str, **facts: Any) -> list[Entry]:
        """The lines of an event whose facts include these."""
        return [one for one in self.entries if one.event == event and all(one.facts.get(name) == value for name, value in facts.items())]


def read(path: Path) -> list[Entry]:
    """The lines of a ledger file, verified. Raises Refused where the chain is broken, naming the line."""
    if not path.exists():
        return []
    entries: list[Entry] = []
    previous = _START
    for number, line in enumerate(path.read_bytes().splitlines()):
        entry = _entry(line, path, number)
        if (entry.number, entry.previous) != (number, previous):
            raise _broken(path, number)
        entries.append(entry)
        previous = entry.hash
    return entries


def _entry(line: bytes, path: Path, number: int) -> Entry:
    try:
        document = canonical.decode(line)
        return Entry(document["number"], bytes.fromhex(document["previous"]), document["event"], document["facts"])
    except (OurFault, KeyError, TypeError, ValueError) as error:
        raise _broken(path, number) from error


def _broken(path: Path, number: int) -> Refused:
    return Refused(
        "the ledger's chain is broken here",
        where=f"{path}, line {number + 1}",
        rule="each line holds the hash of the line before",
        do="restore the file from your backup; do not run studies on it",
    )
