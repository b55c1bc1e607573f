"""Checking what came out: the report beside an opened table, a checker's signature under it, and whether both hold."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from accord.base import canonical
from accord.base.errors import AccordError, Refused
from accord.cli.agree import YES
from accord.cli.places import locate
from accord.cli.screen import console, grid
from accord.node.recipient import RECEIPT
from accord.node.report import approval_path, approvals_beside, files_beside, gather, require_true
from accord.node.session import Session, open_study
from accord.release.seal import ReleasedTable
from accord.study import receipt, report
from accord.study.document import Study
from accord.study.report import APPROVED, DECLINED, OutputApproval
from accord.study.report_page import page

CHARACTERS_MAX = 200
"""Of a checker's name and remark."""


def write(session: Session, run: str, recipient: str, tables: Mapping[str, ReleasedTable], files: Mapping[str, Path], csv: Path) -> None:
    """The report beside the tables' files, as data and as a page; a word on stderr where the receipt is too old to have one."""
    found = receipt.read(session.folder.run(run) / RECEIPT)
    if found.version < receipt.VERSION:
        print(f"accord: no report: the receipt of this run is of version {found.version}", file=sys.stderr)
        return
    gathered = gather(session.study, found, recipient, tables, files, session.folder)
    data, paper = csv.with_name(f"{csv.stem}.report.json"), csv.with_name(f"{csv.stem}.report.html")
    report.write(gathered, data)
    paper.write_text(page(gathered), encoding="utf-8")
    print(f"written: {data}, what held these tables back and what it does not stop")
    print(f"written: {paper}, the same for a person to check and sign")


@contextmanager
def reported(path: Path | None, session: Session) -> Iterator[dict[str, Any]]:
    """Write what a run came to, where a file is wanted: what is put into the dictionary, or the refusal or fault that ended it."""
    facts: dict[str, Any] = {"kind": "accord run report", "study": session.study.name, "hash": session.study.digest.hex()}
    told: dict[str, Any] = {}
    try:
        yield told
        facts |= {"outcome": "released" if told.get("receipt") else "rehearsed", **told}
    except AccordError as error:
        facts |= {"outcome": "refused" if isinstance(error, Refused) else "failed", **refusal(error, session.study)}
        raise
    finally:
        if path is not None and "outcome" in facts:
            path.write_bytes(msgspec.json.format(canonical.encode(facts), indent=2) + b"\n")


def refusal(error: AccordError, study: Study) -> dict[str, str]:
    """An error as a value: its reason, place and rule, whose rule that is where it is a party's, and the nearest that would pass."""
    said = f"{error.rule} {error.where}"
    owners = [name for name in study.parties if re.search(rf"(?:policy|ledger) of {re.escape(name)}(?![\w-])", said)]
    return {"reason": error.what, "where": error.where, "rule": error.rule, "owner": owners[0] if owners else "", "nearest": error.do}


def approve(path: Path, party: str, checker: str, decline: str | None, study: Path | None, yes: bool) -> None:
    """Show what is signed, ask once, and sign for the party; the approval lies beside the report."""
    session = open_study(locate(study or path).study)
    found = _held(path, session)
    if not checker.strip() or len(checker) > CHARACTERS_MAX or len(decline or "") > CHARACTERS_MAX:
        raise Refused(
            "who checks?", rule=f"a name and a reason of at most {CHARACTERS_MAX} characters", do="name the person with --checker"
        )
    if party not in session.folder.local_parties():
        raise Refused(f"the keys of {party} are not on this machine", do="sign where they are")
    place, verdict = session.folder.party(party), DECLINED if decline else APPROVED
    keys = place.keys()
    if keys.public != session.folder.consortium().keys_of(party):
        raise Refused(f"the keys here are not those that the consortium has for {party}", do="sign with the party's own keys")
    if not yes:
        _show(found, path, verdict)
        _require_yes(party, checker)
    made = OutputApproval(report.digest(found), party, checker.strip(), datetime.date.today().isoformat(), verdict, decline or "").signed(
        keys
    )
    place.ledger().append("checked", {"run": found["run"], **made.facts()})
    target = approval_path(path, party)
    made.write(target)
    print(f"{verdict} by {made.checker} for {party}: {target}")


def verify(path: Path, study: Path | None) -> None:
    """Check a report against its receipt, the files beside it, and the approvals beside it."""
    session = open_study(locate(study or path).study)
    found = _held(path, session)
    print(f"the report on what {found['recipient']} received in run {found['run']} holds: it repeats what servers and owners signed")
    for file in files_beside(found, path):
        print(f"{file}: the table that was reported on")
    approvals = approvals_beside(path)
    for one in approvals:
        one.require_signed(found, session.folder.consortium().keys_of(one.party))
        print(f"{one.verdict} by {one.checker} for {one.party} on {one.day}{f': {one.remark}' if one.remark else ''}")
    if not approvals:
        print(f"nobody has checked it yet; a checker signs with: accord approve-output {path} --as PARTY --checker NAME")


def _held(path: Path, session: Session) -> dict[str, Any]:
    """The report, its receipt verified and the two compared. Raises Refused."""
    found = report.read(path)
    if found["study"].get("hash") != session.study.digest.hex():
        raise Refused("this report is of another study", where=str(path), do="name its study with --study")
    if str(found["run"]) not in session.folder.runs():
        raise Refused(f"run {found['run']} is not here", where=str(session.folder.path), do="name the study that holds it with --study")
    require_true(found, session.verify(str(found["run"])))
    return found


def _show(found: Mapping[str, Any], path: Path, verdict: str) -> None:
    print(f"{found['study']['title']}: what {found['recipient']} received in run {found['run']}")
    rows = []
    for one in found["releases"]:
        held = [rule["sentence"] for rule in one["evidence"]["rules"]]
        held += [one["evidence"]["noise"]["sentence"]] if "noise" in one["evidence"] else []
        counts = one["counts"]
        why = "; ".join(held) or f"no rule: {one['evidence']['reason']}"
        rows.append((one["release"], str(counts["rows_released"]), str(counts["rows_suppressed"]), why))
    console().print(grid(("table", "rows released", "suppressed", "what holds it back"), rows, right=("rows released", "suppressed")))
    print(f"\nThe page to read first: {path.with_suffix('.html')}\nTo be answered:")
    _list(found["questions"])
    print(f"\nreport {report.digest(found).hex()}\nYour word on it: {verdict}")


def _list(questions: Sequence[str]) -> None:
    for one in questions:
        print(f"  - {one}")


def _require_yes(party: str, checker: str) -> None:
    print(f"\nDoes {checker} sign this for {party}? Type {YES} to sign: ", end="", flush=True)
    answer = sys.stdin.readline()
    if not sys.stdin.isatty():
        print()
    if answer.strip().lower() != YES:
        raise Refused(f"not signed: the answer was not {YES}", do="nothing was written")
