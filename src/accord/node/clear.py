"""The runtime `clear:`: the study's own SQL on everybody's plain data, for mock data and tests. No share, no key, no protection."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path

from accord.frame.oracle import run_clear, run_planned
from accord.node.compiled import Compiled
from accord.node.folder import StudyFolder
from accord.node.owner import owned_tables
from accord.node.policies import require_allowed
from accord.release.clear import release_in_clear
from accord.release.table import ReleasedTable


def run_in_clear(folder: StudyFolder, compiled: Compiled) -> dict[str, dict[str, ReleasedTable]]:
    """Each recipient's tables by release.

    Raises Refused where an owner's file is not on this machine or its policy does not allow the study, BadData for bad cells.
    """
    study = compiled.study
    for owner in study.owners:
        require_allowed(compiled, folder.party(owner), datetime.date.today())
    owned = {owner: owned_tables(study.catalog, folder.party(owner)) for owner in study.owners}
    pooled: dict[str, Mapping[str, Path]] = {
        name: {owner: owned[owner][name].path for owner in table.owners} for name, table in study.catalog.tables.items()
    }
    tables: dict[str, dict[str, ReleasedTable]] = {party: {} for party in study.recipients}
    for branch in compiled.branches:
        if any(rule.adds for rule in branch.spec.rules):
            rows = run_planned(branch.unplaced, study.catalog, pooled)
        else:
            rows = run_clear(branch.text.sql, study.catalog, pooled, study.queries, dict(branch.parameters))
        for party, table in release_in_clear(branch.spec, rows.columns).items():
            tables[party][branch.spec.name] = table
    return tables
