"""The report on what one run released to one recipient, and a human checker's signature under it.

It is made on the recipient's machine when it opens its release: only there is it known which rows are released and which suppressed.
Whether a suppressed row failed a rule itself, or protects one that did, nobody is told. The report's hash is salted, so that a signature
under it tells nothing to those who have not the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from accord.base import canonical
from accord.base.errors import OurFault, Refused
from accord.study.keys import PartyKeys, PublicKeys, is_signed

VERSION = 1
KIND = "accord output report"
APPROVED, DECLINED = "approved", "declined"

QUESTIONS = (
    "The purpose and the recipient are those that the owners agreed to.",
    "The rules are at least as strict as our own; where a release has none, the written reason is good.",
    "No row tells of one person or firm, also not to somebody in it who knows his own part.",
    "No suppressed figure follows from others that are shown here, were shown before, or are published elsewhere.",
    "What the rules do not stop is stopped otherwise, or can be accepted.",
)
NOISE_QUESTION = "What the noise loses, with what this recipient was told before, is within what we allow."
"""Asked where a release has noise."""


def digest(report: Mapping[str, Any]) -> bytes:
    """What a checker signs: 32 bytes."""
    return canonical.digest("output report", canonical.encode(dict(report)))


def write(report: Mapping[str, Any], path: Path) -> None:
    """The canonical document, indented for reading."""
    path.write_bytes(msgspec.json.format(canonical.encode(dict(report)), indent=2) + b"\n")


def read(path: Path) -> dict[str, Any]:
    """Raises Refused where the file is no report."""
    try:
        report = msgspec.json.decode(path.read_bytes())
        if report["kind"] != KIND or not isinstance(report["releases"], list):
            raise ValueError(report["kind"])
        digest(report)
    except FileNotFoundError as error:
        raise Refused("no such file", where=str(path)) from error
    except (msgspec.DecodeError, OurFault, KeyError, TypeError, ValueError) as error:
        do = "let its recipient open the release again"
        raise Refused("this file is no output report, or is damaged", where=str(path), do=do) from error
    if report.get("version") != VERSION:
        raise Refused(f"this report is of version {report.get('version')}", where=str(path), rule=f"version {VERSION} is known here")
    found: dict[str, Any] = report
    return found


def is_report(path: Path) -> bool:
    """Whether a file says of itself that it is one."""
    try:
        return bool(msgspec.json.decode(path.read_bytes()).get("kind") == KIND)
    except (OSError, msgspec.DecodeError, AttributeError):
        return False


@dataclass(frozen=True)
class OutputApproval:
    """A checker's word on a report: `party` signs with its key what `checker`, a person, found on a day. `remark` may be empty."""

    report: bytes
    party: str
    checker: str
    day: str
    verdict: str
    remark: str = ""
    signature: bytes = b""

    def facts(self) -> dict[str, str]:
        """What the signature covers."""
        facts = {"report": self.report.hex(), "party": self.party, "checker": self.checker, "day": self.day}
        return {**facts, "verdict": self.verdict, "remark": self.remark}

    def message(self) -> bytes:
        return canonical.digest("output approval", canonical.encode(self.facts()))

    def signed(self, keys: PartyKeys) -> OutputApproval:
        return replace(self, signature=keys.sign(self.message()))

    def require_signed(self, report: Mapping[str, Any], keys: PublicKeys) -> None:
        """Return only if the party's key signed exactly this, of exactly this report. Raises Refused."""
        if not is_signed(keys.signing, self.message(), self.signature):
            raise Refused(f"the approval of {self.party} is not signed by it, or was altered", rule="a checker signs with its party's key")
        if self.report != digest(report):
            raise Refused(
                f"what {self.checker} of {self.party} signed is another report",
                rule="a signature covers every character of the report",
                do="show the report as it is now to the checker",
            )

    def write(self, path: Path) -> None:
        document = {**self.facts(), "signature": self.signature.hex()}
        path.write_bytes(msgspec.json.format(canonical.encode(document), indent=2) + b"\n")

    @staticmethod
    def read(path: Path) -> OutputApproval:
        """Raises Refused where the file is none."""
        try:
            one = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
            given = bytes.fromhex(one.pop("report")), bytes.fromhex(one.pop("signature"))
            return OutputApproval(report=given[0], signature=given[1], **one)
        except (OSError, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
            do = "let the checker sign again"
            raise Refused("this file is no approval of an output, or is damaged", where=str(path), do=do) from error
