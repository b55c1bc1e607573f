"""A server's process: told its job on standard input, it meets its peers, computes, and leaves sealed results in its outbox.

python -m accord.node.server < job.json
"""

from __future__ import annotations

import datetime
import sys
import time
from pathlib import Path

from accord.base.errors import AccordError, OurFault, PeerFault, Refused
from accord.data.share_out import open_package
from accord.mpc.coins import PairKeys
from accord.mpc.package import Package
from accord.mpc.party import Party
from accord.node import outgoing
from accord.node.compiled import Compiled, compile_study
from accord.node.earlier import Answered, read_statement, with_history
from accord.node.envelope import open_envelope
from accord.node.folder import PartyFolder, StudyFolder
from accord.node.job import Job, Said, decode_job, encode
from accord.node.losses import lost
from accord.node.owner import package_context
from accord.node.processes import block_pool
from accord.node.program import Finished, compute, facts
from accord.node.setup import identity
from accord.study import receipt
from accord.study.approval import Agreement, require_approved
from accord.study.consortium import Consortium
from accord.wire.attempts import Attempts
from accord.wire.handshake import Binding, Server
from accord.wire.tcp import Links, adopt, connect, drive
from accord.wire.traffic import Traffic

PROGRESS_SECONDS = 0.2


def main() -> int:
    """Run the job; the exit code is 0, or 1 after one error on standard output."""
    job = decode_job(sys.stdin.buffer.readline())
    try:
        _say(serve(job))
    except AccordError as error:
        _say(_confession(error))
        return 1
    return 0


def serve(job: Job) -> Said:
    """The server's part from reading the study to its sealed results; returns its closing figures.

    Raises Refused for a study that lacks an approval, was altered or expired, and for a bad input; PeerFault for what peers do. Nothing
    is written to the outbox before all three servers have their results and have committed to them.
    """
    start = time.perf_counter()
    folder = StudyFolder(Path(job.study_folder))
    compiled, consortium, agreement = agreed(folder)
    party = folder.party(job.party)
    index = [place.party for place in consortium.servers].index(job.party)
    compiled = _compared(compiled, consortium, job)
    packages = _packages(compiled, consortium, party, job)
    traffic = Traffic(index)
    with _meet(job, index, party, compiled, consortium) as links:
        me = Party(index, PairKeys(dict(links.keys)), profile=compiled.profile, pool=block_pool())
        encryption = {name: consortium.keys_of(name).encryption for name in compiled.receivers}
        opened = {name: package for name, (package, _) in packages.items()}
        commitments = {name: commitment for name, (_, commitment) in packages.items()}

        def stated(finished: Finished) -> receipt.Statement:
            return receipt.state(party.keys(), facts(compiled, agreement, job.run, commitments, finished, traffic))

        def keep(finished: Finished) -> None:
            committed = {"study": agreement.study.hex(), "noise": [one.document() for one in lost(compiled)]}
            outgoing.keep(party, job.run, finished, stated(finished), committed)

        met = time.perf_counter()
        finished = drive(compute(me, compiled, encryption, opened, job.run, keep), links, traffic, Watch(compiled))
        computing = time.perf_counter() - met
    outgoing.keep_statement(party, job.run, stated(finished))
    outgoing.send(party, job.run, Path(job.outbox))
    party.ledger().append("ran", {"run": job.run, "study": agreement.study.hex(), "role": "server"})
    seconds = time.perf_counter() - start
    return Said("end", rounds=traffic.rounds, bytes_sent=traffic.bytes_sent, seconds=seconds, computing_seconds=computing)


def agreed(folder: StudyFolder, known: Compiled | None = None) -> tuple[Compiled, Consortium, Agreement]:
    """The study as this party compiles it, the consortium, and the agreement that all signed.

    `known` is taken where it is the study as it stands now. Raises Refused where an approval is missing or for something else, or the
    study has expired.
    """
    study = folder.study()
    compiled = known if known is not None and known.study == study else compile_study(study)
    consortium = folder.consortium()
    agreement = compiled.agreement(consortium)
    require_approved(agreement, folder.approvals(), {name: consortium.keys_of(name) for name in compiled.study.approvers})
    compiled.study.require_unexpired(datetime.date.today())
    if tuple(place.party for place in consortium.servers) != compiled.study.servers:
        raise Refused("consortium and study name other servers", rule="the same three in the same order", do="make the consortium anew")
    return compiled, consortium, agreement


def _meet(job: Job, index: int, party: PartyFolder, compiled: Compiled, consortium: Consortium) -> Links:
    _say(Said("phase", "connect", 0, 1))
    names = [Server(place.party, place.certificate) for place in consortium.servers]
    binding = Binding(job.run, compiled.run_digest, (names[0], names[1], names[2]), compiled.study.digest)
    listener = adopt(job.listener) if job.listener >= 0 else None
    links = connect(index, job.addresses, identity(party), binding, Attempts(party.path / "attempts.log"), listener=listener)
    _say(Said("phase", "connect", 1, 1))
    return links


def _compared(compiled: Compiled, consortium: Consortium, job: Job) -> Compiled:
    """The study with its checks against what every owner says it answered before. Raises Refused where an owner's statement is missing."""
    answered: list[Answered] = []
    for owner in compiled.study.owners if compiled.study.history else ():
        path = Path(job.inbox) / f"{owner}.answered"
        if not path.is_file():
            raise Refused(f"{owner} has not stated what it answered before", do="let the owner send it, then run again")
        answered += read_statement(path.read_bytes(), owner, job.run, compiled.study, consortium.keys_of(owner))
    return with_history(compiled, answered)


def _packages(compiled: Compiled, consortium: Consortium, party: PartyFolder, job: Job) -> dict[str, tuple[Package, bytes]]:
    """Every input's package with the owner's commitment, opened with this server's key."""
    keys = party.keys()
    packages = {}
    for one in compiled.inputs:
        path = Path(job.inbox) / f"{one.name}.input"
        if not path.is_file():
            raise Refused(f"input {one.name} of {one.owner} has not come", do="let the owner send it, then run again")
        envelope = open_envelope(
            path.read_bytes(), owner=one.owner, name=one.name, run=job.run, server=party.name, keys=consortium.keys_of(one.owner)
        )
        package = open_package(envelope.sealed, keys.encryption, package_context(compiled, one.name, job.run))
        if package.server != compiled.study.servers.index(party.name):
            raise Refused(
                f"this input package is server {package.server}'s",
                where=f"input {one.name} of {one.owner}",
                do="let the owner send it again",
            )
        packages[one.name] = package, envelope.commitment
    return packages


class Watch:
    """Tells how far the run is, a few times a second at most: rounds done of the rounds that the plan foretells."""

    def __init__(self, compiled: Compiled) -> None:
        self.total, self.done, self.next = compiled.explanation.cost.rounds, 0, 0.0

    def __call__(self, path: str) -> None:
        self.done += 1
        if (now := time.monotonic()) >= self.next:
            self.next = now + PROGRESS_SECONDS
            _say(Said("phase", "release" if "/gate" in path else "compute", min(self.done, self.total), self.total))


def _confession(error: AccordError) -> Said:
    kind = next(one for one in (Refused, PeerFault, OurFault, AccordError) if isinstance(error, one))
    return Said("error", blame=kind.__name__, error=error.what, where=error.where, rule=error.rule, do=error.do)


def _say(said: Said) -> None:
    sys.stdout.buffer.write(encode(said))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
