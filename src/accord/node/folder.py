"""The files of a study on one machine: documents that all parties share, and each local party's own folder.

study.toml  consortium.toml  approvals/PARTY.json     shared with everybody
parties/PARTY/keys.private.json  tls.pem  party.toml  the party's own: keys, where its data lies
parties/PARTY/policy.toml                             an owner's: what may be done with its data
parties/PARTY/ledger.jsonl  attempts.log              what it took part in; which attempts it has spent
parties/PARTY/answered/STUDY.json                     an owner's: the text of each study that it shared data for
parties/PARTY/openings/RUN.json                       an owner's: what shows that a run's inputs are what it committed to
parties/PARTY/evidence/RUN.json                       an owner's: what it looked at before it shared, and its signed statement
parties/PARTY/outgoing/RUN/…                          a server's: what it is about to release, until the receipt stands
runs/RUN/…                                            sealed results, the servers' statements and the receipt of a run
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from accord.base import canonical
from accord.base.errors import Refused
from accord.base.names import party_name
from accord.study import consortium, document, keys, policy
from accord.study.approval import Approval
from accord.study.fields import Fields, read_toml
from accord.study.ledger import Ledger
from accord.study.policy import Policy

PARTY_FILE = "party.toml"


@dataclass(frozen=True)
class PartyFolder:
    """What one party keeps for itself."""

    path: Path
    name: str

    def make(self) -> None:
        """Make the folder, for its party's eyes alone (mode 700)."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keys(self) -> keys.PartyKeys:
        return keys.load(self.path)

    def ledger(self) -> Ledger:
        return Ledger(self.path)

    def openings(self, run: str) -> Path:
        """Where an owner keeps the openings of its commitments in a run: they let it show what it put in, and nobody else test a guess."""
        return self.path / "openings" / f"{run}.json"

    def evidence(self, run: str) -> Path:
        """Where an owner keeps what it looked at before it shared for a run."""
        return self.path / "evidence" / f"{run}.json"

    def owners_statement(self, run: str) -> Path:
        """Where an owner keeps its signed statement for the receipt."""
        return self.path / "evidence" / f"{run}.statement.json"

    def outgoing(self, run: str) -> Path:
        """Where a server keeps what it is about to release."""
        return self.path / "outgoing" / run

    def answered(self, study: str) -> Path:
        """Where an owner keeps the text of a study that it shared data for, by its hash in hex."""
        return self.path / "answered" / f"{study}.json"

    def data(self) -> dict[str, Path]:
        """The party's file for each table that it owns, from `party.toml`; paths are relative to the party's folder."""
        if not (self.path / PARTY_FILE).exists():
            return {}
        fields = Fields(read_toml(self.path / PARTY_FILE), f"{self.name}/{PARTY_FILE}")
        tables = fields.take("data", dict, {})
        fields.done()
        return {table: (self.path / str(place)).resolve() for table, place in tables.items()}

    def policy(self) -> Policy | None:
        """The party's policy, from `policy.toml`; None where it has none. Raises Refused for another party's."""
        path = self.path / policy.FILE
        if not path.exists():
            return None
        found = policy.read(path)
        if found.owner != self.name:
            raise Refused(f"this is a policy of {found.owner}", where=str(path), rule="a policy names its owner", do="put it right")
        return found

    def write_data(self, tables: dict[str, Path]) -> None:
        """Write `party.toml`."""
        self.make()
        lines = ["# Where this party's tables lie. This file stays with the party.", "[data]"]
        lines += [f"{table} = {canonical.encode(str(place)).decode()}" for table, place in tables.items()]
        (self.path / PARTY_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class StudyFolder:
    """A study's folder."""

    path: Path

    def study(self) -> document.Study:
        return document.read(self.path)

    def consortium(self) -> consortium.Consortium:
        return consortium.read(self.path)

    def party(self, name: str) -> PartyFolder:
        return PartyFolder(self.path / "parties" / party_name(name), name)

    def local_parties(self) -> list[str]:
        """The parties whose private folder is on this machine."""
        folder = self.path / "parties"
        return sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []

    def approvals(self) -> list[Approval]:
        """All approvals that have been handed in. Raises Refused for a damaged file."""
        folder = self.path / "approvals"
        return [_approval(path) for path in sorted(folder.glob("*.json"))] if folder.is_dir() else []

    def add_approval(self, approval: Approval) -> Path:
        folder = self.path / "approvals"
        folder.mkdir(exist_ok=True)
        path = folder / f"{party_name(approval.party)}.json"
        path.write_bytes(canonical.encode(approval.document()) + b"\n")
        return path

    def run(self, run_id: str) -> Path:
        return self.path / "runs" / run_id

    def runs(self) -> list[str]:
        """Run ids, oldest first."""
        folder = self.path / "runs"
        return sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


def open_folder(path: Path) -> StudyFolder:
    """The study that a path means: its folder, or the `study.toml` inside. Raises Refused where there is none."""
    folder = path.parent if path.name == document.FILE else path
    if not (folder / document.FILE).is_file():
        raise Refused("no study here", where=str(path), do="name a folder that holds a study.toml, or make one with: accord new")
    return StudyFolder(folder)


def _approval(path: Path) -> Approval:
    try:
        return Approval.read(msgspec.json.decode(path.read_bytes(), type=dict[str, str]))
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        raise Refused("this approval is damaged", where=str(path), do="let the party sign again") from error
