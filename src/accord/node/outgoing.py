"""What a server is about to release, kept in its own folder from before anybody can have a byte of it until the receipt stands.

A server keeps its sealed parts, writes into its ledger that it has committed to them, and only then lets the others finish. Nobody
releases before all three have committed. From then on the run counts as released, whatever breaks: what is missing is sent again, the
same bytes, and what noise lost is never given back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from accord.node.folder import PartyFolder
from accord.node.history import WITHDRAWN
from accord.node.program import Finished
from accord.study import receipt
from accord.study.receipt import Statement

COMMITTED = "committed"
STATEMENT = "statement.json"


def keep(party: PartyFolder, run: str, finished: Finished, statement: Statement, facts: Mapping[str, Any]) -> None:
    """Write every sealed part and the server's statement to the disk, and then that it has committed to them."""
    place = party.outgoing(run)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for (recipient, release), one in finished.sealed.items():
        (place / recipient).mkdir(exist_ok=True)
        _write(place / recipient / f"{release}.sealed", one.blob)
    keep_statement(party, run, statement)
    for folder in (*{place / recipient for recipient, _ in finished.sealed}, place, place.parent):
        _flush(folder)
    party.ledger().append(COMMITTED, {"run": run, "role": "server", **facts})


def keep_statement(party: PartyFolder, run: str, statement: Statement) -> None:
    """The newest word replaces the one before."""
    partial = party.outgoing(run) / f"{STATEMENT}.partial"
    receipt.write_statement(statement, partial)
    os.replace(partial, partial.with_name(STATEMENT))


def has_committed(party: PartyFolder, run: str) -> bool:
    """Whether the server has committed to a run, and not withdrawn since."""
    ledger = party.ledger()
    return bool(ledger.find(COMMITTED, run=run)) and not ledger.find(WITHDRAWN, run=run)


def all_committed(servers: Iterable[PartyFolder], run: str) -> bool:
    """Whether a run counts as released."""
    return all(has_committed(one, run) for one in servers)


def agreed(party: PartyFolder, run: str) -> dict[str, str]:
    """The agreement under which a server has committed to a run."""
    found: dict[str, str] = receipt.read_statement(party.outgoing(run) / STATEMENT).facts["agreement"]
    return found


def send(party: PartyFolder, run: str, outbox: Path) -> None:
    """Copy what was kept to where recipients look, each file whole or not at all; the statement last. Again is the same."""
    place = party.outgoing(run)
    for path in [*sorted(place.rglob("*.sealed")), place / STATEMENT]:
        target = outbox / path.relative_to(place)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.partial")
        shutil.copyfile(path, partial)
        os.replace(partial, target)


def forget(party: PartyFolder, run: str) -> None:
    """Remove what was kept: the receipt stands, or nothing was released."""
    shutil.rmtree(party.outgoing(run), ignore_errors=True)


def _write(path: Path, body: bytes) -> None:
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    """What a folder lists survives a crash only once the folder is written too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
