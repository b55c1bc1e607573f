"""Spent attempts: which attempts of which runs this server has begun, and with which nonces. They never come back.

One line an entry: its digest and the digest of the chain up to it, so that a change in the middle is seen. A file that
was cut off at the end, or put back from an old copy, is not seen by itself: the fresh nonces of the two other servers
still give other pair keys then.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from accord.base.canonical import digest
from accord.base.errors import Refused

_START = digest("attempts")


class Attempts:
    """The store of one server, a file that is only ever appended to. Safe for several processes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def spend(self, run_id: str, attempt: int, nonce: bytes) -> None:
        """Write down, before anything is sent, that this attempt begins; returns once it is on the disk.

        Raises Refused for an attempt or a nonce that was spent before, and for a store that was changed.
        """
        entries = (digest("attempt", run_id.encode(), attempt.to_bytes(8, "big")), digest("nonce", nonce))
        handle = _open(self._path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            spent, chain = self._read(handle)
            if spent.intersection(entries):
                raise Refused(
                    f"attempt {attempt} of run {run_id} was begun before",
                    where=str(self._path),
                    rule="an attempt's coins serve once",
                    do="start a new attempt",
                )
            os.write(handle, _lines(entries, chain))
            os.fsync(handle)
        finally:
            os.close(handle)

    def _read(self, handle: int) -> tuple[set[bytes], bytes]:
        """All entries, and the end of the chain."""
        spent, chain = set(), _START
        with os.fdopen(os.dup(handle), "rb") as file:
            for number, line in enumerate(file, 1):
                entry = _entry(line)
                chain = digest("attempts", chain, entry)
                if line != _line(entry, chain):
                    raise Refused(
                        "the store of spent attempts was changed",
                        where=f"{self._path}, line {number}",
                        rule="it is only ever appended to",
                        do="restore it, or start under a new run with an empty one",
                    )
                spent.add(entry)
        return spent, chain


def _open(path: Path) -> int:
    """The file, made if it is missing; the folder is synchronised too, or a crash could lose the new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return handle


def _lines(entries: tuple[bytes, ...], chain: bytes) -> bytes:
    lines = b""
    for entry in entries:
        chain = digest("attempts", chain, entry)
        lines += _line(entry, chain)
    return lines


def _line(entry: bytes, chain: bytes) -> bytes:
    return f"{entry.hex()} {chain.hex()}\n".encode()


def _entry(line: bytes) -> bytes:
    """The digest that a line begins with; no bytes where it cannot be read, which fits no chain."""
    try:
        return bytes.fromhex(line.split(b" ")[0].decode())
    except ValueError:
        return b""
