"""The report on an opened release: gathered on the recipient's machine from its tables and the receipt, and held against the receipt."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accord.base import canonical
from accord.base.errors import Refused
from accord.base.limits import SALT_BYTES
from accord.node.evidence import digest, read_owners_part
from accord.node.folder import StudyFolder
from accord.release.table import ABSENT, RELEASED, SUPPRESSED_STATUS, ReleasedTable, Suppressed
from accord.study.document import Study
from accord.study.receipt import PROVES, Receipt, Statement
from accord.study.report import KIND, NOISE_QUESTION, QUESTIONS, VERSION, OutputApproval

APPROVALS = "{stem}.approval.{party}.json"


def gather(
    study: Study, found: Receipt, recipient: str, tables: Mapping[str, ReleasedTable], files: Mapping[str, Path], folder: StudyFolder
) -> dict[str, Any]:
    """The report on a recipient's tables, which lie in `files`. Raises Refused for a run whose receipt has no evidence."""
    facts = _facts(found)
    salt = secrets.token_hex(SALT_BYTES)
    releases = [_release(name, table, facts["evidence"][name], files, salt) for name, table in tables.items()]
    return {
        "kind": KIND,
        "version": VERSION,
        "salt": salt,
        "study": {
            "name": study.name,
            "title": study.title,
            "purpose": study.purpose,
            "purpose_code": study.purpose_code,
            "hash": study.digest.hex(),
        },
        "run": found.run,
        "recipient": recipient,
        "receipt": found.digest().hex(),
        "servers": [one.server for one in found.statements],
        "security": facts["security"],
        "versions": facts["versions"],
        "releases": releases,
        "compared": _compared(facts),
        "owners": [_owner(one, folder, found.run) for one in found.owners],
        "questions": [*QUESTIONS, *([NOISE_QUESTION] if any("noise" in one["evidence"] for one in releases) else [])],
        "proves": PROVES,
    }


def _compared(facts: Mapping[str, Any]) -> list[str]:
    """What the run did beside the study's releases: checks against earlier ones."""
    return [
        sentence.removeprefix("no rule: ") for name, told in facts["checks"].items() if name not in facts["evidence"] for sentence in told
    ]


def _facts(found: Receipt) -> dict[str, Any]:
    facts = found.statements[0].facts
    if "evidence" not in facts:
        raise Refused(
            "this run's receipt holds no evidence to report",
            where=f"run {found.run}",
            rule="receipts from version 2 on say which rules ran with what they stop, and what noise lost",
            do="open the release without a report",
        )
    return facts


def _release(name: str, table: ReleasedTable, evidence: Any, files: Mapping[str, Path], salt: str) -> dict[str, Any]:
    file = {"name": files[name].name, "hash": file_hash(files[name], salt)} if name in files else {}
    return {"release": name, "file": file, "counts": counts(table), "evidence": evidence}


def counts(table: ReleasedTable) -> dict[str, int]:
    """Rows, and cells of columns that are not public, by what became of them; and which rule held a row back is not said."""
    values = [one.name for one in table.fields if not one.public]
    held = sum(isinstance(row[name], Suppressed) for row in table.rows() for name in values)
    there = int((table.status != ABSENT).sum())
    return {
        "rows_released": int((table.status == RELEASED).sum()),
        "rows_suppressed": int((table.status == SUPPRESSED_STATUS).sum()),
        "rows_absent": int((table.status == ABSENT).sum()),
        "cells_released": there * len(values) - held,
        "cells_suppressed": held,
    }


def _owner(one: Statement, folder: StudyFolder, run: str) -> dict[str, Any]:
    """An owner's signed word; what it looked at, where that lies on this machine."""
    known = read_owners_part(folder.party(one.server), run, one.facts["evidence"])
    part = {} if known is None else {"part": known}
    return {"owner": one.server, "inputs": one.facts["inputs"], "evidence": one.facts["evidence"], **part}


def file_hash(path: Path, salt: str) -> str:
    """Of a table's file, salted: it stands in the report alone."""
    return canonical.digest("released file", bytes.fromhex(salt), path.read_bytes()).hex()


# ---- holding it against the receipt


def require_true(report: Mapping[str, Any], found: Receipt) -> None:
    """Return only if everything that the receipt speaks of is in the report as the receipt has it. Raises Refused."""
    facts = _facts(found)
    if (report["receipt"], report["run"]) != (found.digest().hex(), found.run):
        raise Refused("this report is of another receipt", rule="the receipt's hash stands in the report", do="name the run that it is of")
    for one in report["releases"]:
        if one["evidence"] != facts["evidence"].get(one["release"]):
            raise _altered(f"release {one['release']}")
    if report["compared"] != _compared(facts):
        raise _altered("its checks against earlier releases")
    stated = {one.server: one.facts for one in found.owners}
    for one in report["owners"]:
        own = stated.get(one["owner"], {})
        if (one["inputs"], one["evidence"]) != (own.get("inputs"), own.get("evidence")):
            raise _altered(f"owner {one['owner']}")
        if "part" in one and digest(one["part"]).hex() != one["evidence"]:
            raise _altered(f"owner {one['owner']}")


def _altered(where: str) -> Refused:
    rule = "a report repeats what servers and owners signed"
    return Refused("the report says something else than the receipt", where=where, rule=rule, do="let its recipient make it anew")


def files_beside(report: Mapping[str, Any], path: Path) -> list[Path]:
    """The tables' files that lie beside the report, each the one that was reported on. Raises Refused for another."""
    found = []
    for one in report["releases"]:
        file = path.with_name(Path(one["file"]["name"]).name) if one["file"] else None
        if file is None or not file.is_file():
            continue
        if file_hash(file, report["salt"]) != one["file"]["hash"]:
            raise Refused(
                "this is not the table that the report is about", where=str(file), rule="its hash stands in the report", do="open it anew"
            )
        found.append(file)
    return found


def approval_path(path: Path, party: str) -> Path:
    """Where a party's approval of a report lies: beside it."""
    return path.with_name(APPROVALS.format(stem=path.stem, party=party))


def approvals_beside(path: Path) -> Sequence[OutputApproval]:
    """All approvals that lie beside a report, by party."""
    return [OutputApproval.read(one) for one in sorted(path.parent.glob(APPROVALS.format(stem=path.stem, party="*")))]
