"""The receipt of a run: what was agreed, checked and released, verifiable offline by anybody with the consortium's keys.

It is made of the agreement with its approvals, and of one signed statement of each server and of each owner. Under semi-honest security it
does not prove that the servers computed honestly, and says so. Version 1, which earlier releases wrote, has no owners' statements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from accord.base import canonical
from accord.base.errors import OurFault, Refused
from accord.base.limits import SERVERS
from accord.study.approval import Agreement, Approval, require_approved
from accord.study.consortium import Consortium
from accord.study.keys import PartyKeys, PublicKeys, is_signed

VERSION = 2
PROVES = (
    "what was agreed and signed by whom, which rules were checked, to whom something was released, and that the released values and the "
    "inputs have not been exchanged since; under semi-honest security it does not prove that the servers computed honestly"
)


@dataclass(frozen=True)
class Statement:
    """What one server, or owner, says of a run. `facts` are plain: hashes, commitments, rules, bounds, versions; never data."""

    server: str
    facts: dict[str, Any]
    signature: bytes

    @staticmethod
    def message(server: str, facts: dict[str, Any]) -> bytes:
        return canonical.digest("statement", server.encode(), canonical.encode(facts))


@dataclass(frozen=True)
class Receipt:
    """One run's receipt."""

    run: str
    agreement: Agreement
    approvals: tuple[Approval, ...]
    statements: tuple[Statement, ...]
    owners: tuple[Statement, ...] = ()
    version: int = VERSION

    def document(self) -> dict[str, Any]:
        owners = {"owners": [_document(one) for one in self.owners]} if self.version > 1 else {}
        return {
            "version": self.version,
            "proves": PROVES,
            "run": self.run,
            "agreement": self.agreement.document(),
            "approvals": [one.document() for one in self.approvals],
            "statements": [_document(one) for one in self.statements],
            **owners,
        }

    def digest(self) -> bytes:
        """The hash of the whole: 32 bytes."""
        return canonical.digest("receipt", canonical.encode(self.document()))


def _document(one: Statement) -> dict[str, Any]:
    return {"server": one.server, "facts": one.facts, "signature": one.signature.hex()}


def _read_statement(one: Mapping[str, Any]) -> Statement:
    return Statement(one["server"], one["facts"], bytes.fromhex(one["signature"]))


def state(keys: PartyKeys, facts: dict[str, Any]) -> Statement:
    """This server's signed statement."""
    return Statement(keys.party, facts, keys.sign(Statement.message(keys.party, facts)))


def write_statement(statement: Statement, path: Path) -> None:
    """One server's statement, as it sends it to whoever gathers the receipt."""
    path.write_bytes(canonical.encode(_document(statement)) + b"\n")


def read_statement(path: Path) -> Statement:
    """Raises Refused where the file is no statement."""
    try:
        return _read_statement(msgspec.json.decode(path.read_bytes()))
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise Refused("this file is no server's statement, or is damaged", where=str(path)) from error


def write(receipt: Receipt, path: Path) -> None:
    """The canonical document, indented for reading."""
    path.write_bytes(msgspec.json.format(canonical.encode(receipt.document()), indent=2) + b"\n")


def read(path: Path) -> Receipt:
    """Raises Refused where the file is no receipt."""
    try:
        document = msgspec.json.decode(path.read_bytes())
        hashes = {name: bytes.fromhex(value) for name, value in document["agreement"].items()}
        approvals = tuple(Approval.read(one) for one in document["approvals"])
        statements, owners = (tuple(map(_read_statement, document.get(name, []))) for name in ("statements", "owners"))
        return Receipt(document["run"], Agreement(**hashes), approvals, statements, owners, document.get("version", 1))
    except FileNotFoundError as error:
        raise Refused("no such file", where=str(path)) from error
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused("this file is no receipt, or is damaged", where=str(path), do="ask a server for its copy") from error


def verify(receipt: Receipt, consortium: Consortium, required: Mapping[str, PublicKeys]) -> None:
    """Return only if the receipt holds: approvals complete, servers' and owners' statements signed and in agreement.

    `required` are the owners and servers with their keys. Raises Refused naming what does not hold.
    """
    if receipt.version not in range(1, VERSION + 1):
        do = "verify it with the release of Accord that made it, or a later one"
        raise Refused(f"this receipt is of version {receipt.version}", rule=f"versions 1 to {VERSION} are known here", do=do)
    if receipt.agreement.consortium != consortium.digest():
        raise Refused("this receipt is of another consortium", rule="the consortium's hash stands in the agreement")
    require_approved(receipt.agreement, receipt.approvals, required)
    servers = {one.server for one in receipt.statements}
    if servers != {place.party for place in consortium.servers} or len(receipt.statements) != SERVERS:
        raise Refused("the three servers' statements are not all here", rule="one signed statement of each server")
    for one in (*receipt.statements, *receipt.owners):
        _require_signed(one, consortium)
    _require_same(receipt)
    if receipt.version > 1:
        _require_owners(receipt)


def _require_signed(statement: Statement, consortium: Consortium) -> None:
    message = _message(statement)
    if not is_signed(consortium.keys_of(statement.server).signing, message, statement.signature):
        raise Refused(f"the statement of {statement.server} is not signed by it, or was altered")


def _message(statement: Statement) -> bytes:
    try:
        return Statement.message(statement.server, statement.facts)
    except OurFault as error:
        raise Refused(f"the statement of {statement.server} was altered: {error.what}") from error


def _require_same(receipt: Receipt) -> None:
    """All servers must speak of the same run, agreement, inputs and checks."""
    first = receipt.statements[0].facts
    expected = {
        "receipt": receipt.version if receipt.version > 1 else None,
        "run": receipt.run,
        "agreement": receipt.agreement.document(),
        **{name: first.get(name) for name in ("inputs", "checks", "owners", "evidence")},
    }
    for one in receipt.statements:
        for name, value in expected.items():
            if one.facts.get(name) != value:
                raise Refused(f"{one.server} states another {_NAMES.get(name, name)} than this receipt", rule="the three statements agree")


_NAMES = {"receipt": "version"}


def _require_owners(receipt: Receipt) -> None:
    """Every owner's own word of this run and agreement, and of what the servers say that they had from it."""
    facts = receipt.statements[0].facts
    if sorted(one.server for one in receipt.owners) != facts.get("owners"):
        raise Refused("the owners' statements are not all here", rule="one signed statement of each owner")
    inputs: dict[str, Any] = {}
    for one in receipt.owners:
        for name, value in (("run", receipt.run), ("agreement", receipt.agreement.document())):
            if one.facts.get(name) != value:
                raise Refused(f"{one.server} states another {name} than this receipt", rule="owners and servers speak of one run")
        inputs |= one.facts.get("inputs", {})
    if inputs != facts.get("inputs"):
        raise Refused("owners and servers state different inputs", rule="what an owner shared is what the servers had")
