"""The runtimes of a study where all parties' data lies on this machine: plain, in one process, or three server processes over TLS."""

from __future__ import annotations

import datetime
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from accord.base.errors import AccordError, Refused
from accord.base.limits import KEY_BYTES, SERVERS
from accord.data.share_out import deal_columns
from accord.mpc.coins import PairKeys
from accord.mpc.package import Package
from accord.mpc.party import Party
from accord.node import outgoing
from accord.node import owner as owners
from accord.node.calibrate import kept_calibration
from accord.node.clear import run_in_clear
from accord.node.compiled import Compiled
from accord.node.earlier import Answered, count_stops, read_statement, state, stops_of, with_history
from accord.node.folder import PartyFolder, StudyFolder
from accord.node.forecast import Foreseen, foresee
from accord.node.history import answering, withdraw
from accord.node.job import Job, Phase, Said
from accord.node.processes import Progress, run_servers
from accord.node.program import Finished, compute
from accord.node.recipient import EXPLANATION, RECEIPT, SEALED
from accord.node.server import agreed
from accord.release.seal import ReleasedTable, open_sealed
from accord.study import receipt
from accord.study.approval import Agreement
from accord.study.consortium import Consortium
from accord.study.keys import PartyKeys, generate
from accord.wire.exchange import Protocol
from accord.wire.local import Outcome as LocalOutcome
from accord.wire.local import run_local
from accord.wire.tcp import address_of, listen

RUNTIMES = ("clear:", "sim:", "local:")
LOCK = ".lock"
UNFINISHED = "receipt.unfinished"


@dataclass(frozen=True)
class Outcome:
    """What a run was. Bytes are payload bytes that a server sent, on average; `tables` stand here only where nothing was sealed.

    `is_stored`: it is an earlier run, whose release answers the same question of the same data; nothing was computed or spent now.
    `stops`: why its releases under rules were not given, as the owners on this machine were told.

    `computing_seconds` are the slowest server's from the meeting to its results; `foretold` is what that was to take, None in the clear.
    """

    run_id: str
    runtime: str
    folder: Path
    seconds: float
    rounds: int
    bytes_per_server: int
    receipt: Path | None
    recipients: tuple[str, ...]
    tables: Mapping[str, Mapping[str, ReleasedTable]] | None = None
    computing_seconds: float = 0.0
    foretold: Foreseen | None = None
    is_stored: bool = False
    stops: tuple[str, ...] = ()

    def foretold_facts(self) -> dict[str, Any]:
        """Foretold beside measured, in plain data; nothing for a run in the clear."""
        if self.foretold is None:
            return {}
        told = {
            "rounds": self.foretold.rounds,
            "bytes_per_server": self.foretold.bytes_per_server,
            "computing_seconds": self.foretold.seconds,
        }
        return {"computing_seconds": round(self.computing_seconds, 3), "foretold": told}


def run(runtime: str, folder: StudyFolder, compiled: Compiled, progress: Progress) -> Outcome:
    """Run a compiled study by the runtime's name. Raises Refused for another name."""
    if runtime not in RUNTIMES:
        raise Refused(f"no runtime {runtime!r}", rule=f"one of {', '.join(RUNTIMES)}")
    chosen: Callable[..., Outcome] = {"clear:": clear, "sim:": simulated, "local:": local}[runtime]
    return chosen(folder, compiled, progress)


def new_run_id() -> str:
    """The time and a random suffix: sorts by age, never meets another."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}"


def local(folder: StudyFolder, compiled: Compiled, progress: Progress) -> Outcome:
    """Owners prepare, three server processes compute over TLS on loopback, the receipt is gathered.

    Either all sealed parts and the receipt stand in the run's folder at the end, or nothing does. One run at a time in a folder. Where the
    same was asked of the same data before, that run is the outcome: nothing is computed, spent or written.
    """
    compiled, consortium, agreement = agreed(folder, compiled)
    with _alone(folder, compiled, consortium, agreement) as lock:
        return _stored(folder, compiled, agreement) or _computed(folder, compiled, consortium, agreement, progress, lock)


def _stored(folder: StudyFolder, compiled: Compiled, agreement: Agreement) -> Outcome | None:
    """The newest run that answered this very agreement over the data as they are now, by every owner's ledger; None where there is none."""
    start = time.perf_counter()
    done = [one for one in folder.runs() if (folder.run(one) / RECEIPT).exists()]
    runs = [one for one in done if receipt.read(folder.run(one) / RECEIPT).agreement == agreement]
    for name in compiled.study.owners if runs else ():
        owner = folder.party(name)
        answered = answering(owner, compiled.study, owners.data_versions(compiled.study, owner))
        runs = [one for one in runs if one in answered]
        if not runs:
            break
    if not runs:
        return None
    place, seconds = folder.run(runs[-1]), time.perf_counter() - start
    recipients, stops = compiled.study.recipients, stops_of(_owners(folder, compiled), runs[-1])
    return Outcome(runs[-1], "local:", place, seconds, 0, 0, place / RECEIPT, recipients, is_stored=True, stops=stops)


def _computed(
    folder: StudyFolder, compiled: Compiled, consortium: Consortium, agreement: Agreement, progress: Progress, lock: int
) -> Outcome:
    start = time.perf_counter()
    run_id = new_run_id()
    place = folder.run(run_id)
    with _settled(folder, compiled, consortium, agreement, run_id):
        compiled = _compared(folder, compiled, consortium, run_id)
        _share(folder, compiled, consortium, run_id, progress)
        try:
            said = _serve(folder, consortium, run_id, progress, lock)
        except AccordError:
            if not outgoing.all_committed(_servers(folder, consortium), run_id):
                raise
            said = []  # what broke came after the release: it is finished with the bytes that were kept
        progress(Phase("receipt", 0, 1, ""))
        made = _conclude(folder, compiled, consortium, agreement, run_id)
    progress(Phase("receipt", 1, 1, ""))
    seconds, facts = time.perf_counter() - start, [one.facts for one in made.statements]
    sent, rounds = sum(one["bytes_sent"] for one in facts) // SERVERS, max(one["rounds"] for one in facts)
    computing = max((one.computing_seconds for one in said), default=0.0)
    recipients, stops = compiled.study.recipients, stops_of(_owners(folder, compiled), run_id)
    foretold = foresee(compiled, kept_calibration(), is_local=True)
    return Outcome(run_id, "local:", place, seconds, rounds, sent, place / RECEIPT, recipients, None, computing, foretold, stops=stops)


def _conclude(folder: StudyFolder, compiled: Compiled, consortium: Consortium, agreement: Agreement, run_id: str) -> receipt.Receipt:
    """Send what the servers have committed to, gather the receipt, and let go of what was kept for it."""
    place, servers = folder.run(run_id), _servers(folder, consortium)
    for server in servers:
        outgoing.send(server, run_id, place / SEALED / server.name)
    statements = tuple(receipt.read_statement(place / SEALED / one.name / outgoing.STATEMENT) for one in servers)
    stated = tuple(receipt.read_statement(folder.party(name).owners_statement(run_id)) for name in compiled.study.owners)
    made = receipt.Receipt(run_id, agreement, tuple(folder.approvals()), statements, stated)
    receipt.verify(made, consortium, {name: consortium.keys_of(name) for name in compiled.study.approvers})
    for owner in _owners(folder, compiled):
        count_stops(owner, compiled.study, run_id, [place / SEALED / one.name / owner.name for one in servers])
    (place / EXPLANATION).write_text(compiled.explanation.text, encoding="utf-8")
    shutil.rmtree(place / "inbox", ignore_errors=True)
    receipt.write(made, place / UNFINISHED)
    os.replace(place / UNFINISHED, place / RECEIPT)
    for server in servers:
        outgoing.forget(server, run_id)
    return made


def _owners(folder: StudyFolder, compiled: Compiled) -> list[PartyFolder]:
    return [folder.party(name) for name in compiled.study.owners]


def _servers(folder: StudyFolder, consortium: Consortium) -> list[PartyFolder]:
    return [folder.party(one.party) for one in consortium.servers]


def is_running(folder: StudyFolder) -> bool:
    """Whether a run is under way in this folder."""
    with (folder.path / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _alone(folder: StudyFolder, compiled: Compiled, consortium: Consortium, agreement: Agreement) -> Iterator[int]:
    """Hold the folder's lock, as a file descriptor; what a run left that was killed is settled first.

    Server processes inherit the descriptor: the lock holds until the last of them has ended. Raises Refused where another run has it.
    """
    lock = os.open(folder.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(lock, folder)
        for run_id in folder.runs():
            _settle(folder, compiled, consortium, agreement, run_id)
        yield lock
    finally:
        os.close(lock)


def _lock(lock: int, folder: StudyFolder) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        where, do = str(folder.path), "wait until it has ended"
        raise Refused("a run of this study is under way", where=where, rule="one at a time", do=do) from error


@contextmanager
def _settled(folder: StudyFolder, compiled: Compiled, consortium: Consortium, agreement: Agreement, run_id: str) -> Iterator[None]:
    """Settle the run, however it ends."""
    try:
        yield
    finally:
        _settle(folder, compiled, consortium, agreement, run_id)


def _settle(folder: StudyFolder, compiled: Compiled, consortium: Consortium, agreement: Agreement, run_id: str) -> None:
    """A run without a receipt is finished where all servers have committed to it, and else undone.

    One that was committed to under another agreement is left as it is, its losses spent: it is finished when that study is put back.
    """
    if (folder.run(run_id) / RECEIPT).exists():
        return
    servers = _servers(folder, consortium)
    if not outgoing.all_committed(servers, run_id):
        _undo(folder, compiled, run_id)
    elif all(outgoing.agreed(one, run_id) == agreement.document() for one in servers):
        _conclude(folder, compiled, consortium, agreement, run_id)


def _undo(folder: StudyFolder, compiled: Compiled, run_id: str) -> None:
    """Have every party on this machine write down that a run released nothing, and remove what the run wrote."""
    try:
        for name in compiled.study.approvers:
            withdraw(folder.party(name), run_id)
            outgoing.forget(folder.party(name), run_id)
    finally:
        shutil.rmtree(folder.run(run_id), ignore_errors=True)


def _compared(folder: StudyFolder, compiled: Compiled, consortium: Consortium, run_id: str) -> Compiled:
    """The study with its checks against earlier releases: every owner states what it answered, to all servers and to the other owners."""
    answered: list[Answered] = []
    for owner in _owners(folder, compiled) if compiled.study.history else ():
        stated = state(owner, compiled, run_id, owners.data_versions(compiled.study, owner))
        for server in consortium.servers:
            inbox = folder.run(run_id) / "inbox" / server.party
            inbox.mkdir(parents=True, exist_ok=True)
            (inbox / f"{owner.name}.answered").write_bytes(stated)
        answered += read_statement(stated, owner.name, run_id, compiled.study, consortium.keys_of(owner.name))
    return with_history(compiled, answered)


def _share(folder: StudyFolder, compiled: Compiled, consortium: Consortium, run_id: str, progress: Progress) -> None:
    total = len(compiled.inputs)
    done = 0
    progress(Phase("share", 0, total, ""))
    for name in compiled.study.owners:

        def count(_: str, name: str = name) -> None:
            nonlocal done
            done += 1
            progress(Phase("share", done, total, name))

        prepared = owners.prepare(compiled, consortium, folder.party(name), run_id, count)
        owners.write_envelopes(prepared, lambda server: folder.run(run_id) / "inbox" / server)


def _serve(folder: StudyFolder, consortium: Consortium, run_id: str, progress: Progress, lock: int) -> list[Said]:
    listeners = [listen("127.0.0.1:0") for _ in range(SERVERS)]
    first, second, third = (address_of(one) for one in listeners)
    place = folder.run(run_id).resolve()
    try:
        jobs = [
            Job(
                study_folder=str(folder.path.resolve()),
                party=server.party,
                run=run_id,
                addresses=(first, second, third),
                inbox=str(place / "inbox" / server.party),
                outbox=str(place / SEALED / server.party),
                listener=listener.fileno(),
            )
            for server, listener in zip(consortium.servers, listeners, strict=True)
        ]
        return run_servers(jobs, progress, [lock])
    finally:
        for listener in listeners:
            listener.close()


def clear(folder: StudyFolder, compiled: Compiled, progress: Progress) -> Outcome:
    """The study's SQL on everybody's plain data."""
    start = time.perf_counter()
    progress(Phase("compute", 0, 1, ""))
    tables = run_in_clear(folder, compiled)
    progress(Phase("compute", 1, 1, ""))
    seconds = time.perf_counter() - start
    return Outcome(new_run_id(), "clear:", folder.path, seconds, 0, 0, None, compiled.study.recipients, tables)


def simulated(folder: StudyFolder, compiled: Compiled, progress: Progress) -> Outcome:
    """The three servers as three coroutines in this process, on the owners' real shares; nobody signs, nothing is written."""
    start = time.perf_counter()
    run_id, compiled = new_run_id(), with_history(compiled)
    protocols, recipients = _protocols(folder, compiled, run_id, progress)
    begun = time.perf_counter()
    outcome = run_local(protocols)
    computing = time.perf_counter() - begun
    progress(Phase("compute", 1, 1, ""))
    tables = {party: _open(outcome.results, party, keys.encryption) for party, keys in recipients.items()}
    seconds = time.perf_counter() - start
    sent, recipients_of = outcome.bytes_sent // SERVERS, compiled.study.recipients
    foretold = foresee(compiled, kept_calibration(), is_local=False)
    return Outcome(run_id, "sim:", folder.path, seconds, outcome.rounds, sent, None, recipients_of, tables, computing, foretold)


def simulate(
    folder: StudyFolder, compiled: Compiled, run_id: str, progress: Progress, *, keep: bool = False
) -> tuple[LocalOutcome[Finished], dict[str, PartyKeys]]:
    """The servers' results and traffic (with every payload where `keep`), and the recipients' keys, made for this once."""
    protocols, recipients = _protocols(folder, with_history(compiled), run_id, progress)
    outcome = run_local(protocols, keep=keep)
    progress(Phase("compute", 1, 1, ""))
    return outcome, recipients


def _protocols(
    folder: StudyFolder, compiled: Compiled, run_id: str, progress: Progress
) -> tuple[list[Protocol[Finished]], dict[str, PartyKeys]]:
    """What each of three servers in this process is to run, on the owners' real shares, and the recipients' keys."""
    recipients = {name: generate(name) for name in compiled.receivers}
    encryption = {name: one.public.encryption for name, one in recipients.items()}
    packages: dict[str, tuple[Package, ...]] = {}
    for name in compiled.study.owners:
        for columns in owners.local_columns(compiled, folder.party(name), lambda _: None):
            packages[columns.name] = deal_columns(columns, owners.package_context(compiled, columns.name, run_id))
            progress(Phase("share", len(packages), len(compiled.inputs), name))
    pair_keys = [secrets.token_bytes(KEY_BYTES) for _ in range(SERVERS)]
    progress(Phase("compute", 0, 1, ""))
    protocols = []
    for index in range(SERVERS):
        held = {component: pair_keys[component] for component in (index, (index + 1) % SERVERS)}
        me = Party(index, PairKeys(held), profile=compiled.profile)
        mine = {name: packages[name][index] for name in (one.name for one in compiled.inputs)}
        protocols.append(compute(me, compiled, encryption, mine, run_id))
    return protocols, recipients


def _open(results: list[Finished], party: str, key: X25519PrivateKey) -> dict[str, ReleasedTable]:
    releases = [release for recipient, release in results[0].sealed if recipient == party]
    return {release: open_sealed([one.sealed[party, release].blob for one in results], key) for release in releases}
