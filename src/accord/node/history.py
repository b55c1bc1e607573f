"""What was answered before, as an owner's ledger has it: who asks the same again of the same data gets the stored release, and a release
marked `once` answers each cell once per data version.

Otherwise noise would be averaged away, and other tolerances or thresholds on the same figures would close in on a figure, question by
question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accord.base.errors import Refused
from accord.node.compiled import Compiled
from accord.node.folder import PartyFolder
from accord.study.document import Study
from accord.study.ledger import Entry, Ledger

SHARED = "shared"
ANSWERED = "answered"
WITHDRAWN = "withdrawn"
STOPPED = "stopped"
"""A run whose answer was too close to an earlier one: its recipients were told so, and nothing that is under rules."""


def answers(compiled: Compiled, versions: Mapping[str, str]) -> list[dict[str, Any]]:
    """One fact sheet for each `once` release: the versions of the tables that it reads, and the values of its public columns."""
    return [
        {
            "release": release.name,
            "study": compiled.study.digest.hex(),
            "versions": sorted(versions[table] for table in compiled.tables_of(release.name) if table in versions),
            "cells": {name: sorted(values) for name, values in compiled.cells_of(release.name).items()},
            **({"has_noise": True} if release.noise else {}),
        }
        for release in compiled.study.releases
        if release.once
    ]


def require_unanswered(owner: PartyFolder, compiled: Compiled, versions: Mapping[str, str], run: str) -> None:
    """Raises Refused where a cell of a `once` release was answered for the same data; otherwise writes down that it is answered now.

    A run that released nothing does not count: what it would have answered may be answered now.
    """
    ledger = owner.ledger()
    withdrawn = {entry.facts["run"] for entry in ledger.find(WITHDRAWN)}
    stopped = {entry.facts["run"] for entry in ledger.find(STOPPED)}
    sheets = [sheet for sheet in answers(compiled, versions) if sheet["versions"]]
    for sheet in sheets:
        for entry in ledger.find(ANSWERED):
            silent = {run, *withdrawn, *(() if entry.facts.get("has_noise") else stopped)}
            if _overlap(sheet, entry) and entry.facts["run"] not in silent:
                raise Refused(
                    f"cells of release {sheet['release']} were answered in run {entry.facts['run']}",
                    where=f"the ledger of {owner.name}",
                    rule="each cell is answered once per data version",
                    do="open that run's result; a new version of the data may be asked again",
                )
    for sheet in sheets:
        ledger.append(ANSWERED, {**sheet, "run": run})


def answering(owner: PartyFolder, study: Study, versions: Mapping[str, str]) -> list[str]:
    """The runs, oldest first, in which the owner shared these versions of its tables for this very study, and which released something."""
    ledger = owner.ledger()
    withdrawn = {entry.facts["run"] for entry in ledger.find(WITHDRAWN)}
    shared = ledger.find(SHARED, study=study.digest.hex(), versions=dict(versions))
    return [entry.facts["run"] for entry in shared if entry.facts["run"] not in withdrawn]


def withdraw(party: PartyFolder, run: str) -> None:
    """Write down that a run in which the party took part released nothing; what the party kept for it goes."""
    ledger = party.ledger()
    if any(entry.facts.get("run") == run for entry in ledger.entries) and not ledger.find(WITHDRAWN, run=run):
        ledger.append(WITHDRAWN, {"run": run})
    for path in (party.openings(run), party.evidence(run), party.owners_statement(run)):
        path.unlink(missing_ok=True)


def has_failed(ledger: Ledger, study: Study) -> bool:
    """Whether a run of this study released nothing."""
    runs = {entry.facts["run"] for entry in ledger.find(SHARED, study=study.digest.hex())}
    return any(entry.facts["run"] in runs for entry in ledger.find(WITHDRAWN))


def _overlap(sheet: Mapping[str, Any], entry: Entry) -> bool:
    """Whether some cell of the sheet may have been answered in the entry: same data, and no public column that keeps them apart."""
    if not set(sheet["versions"]) & set(entry.facts["versions"]):
        return False
    before = entry.facts["cells"]
    return all(set(values) & set(before[name]) for name, values in sheet["cells"].items() if name in before)
