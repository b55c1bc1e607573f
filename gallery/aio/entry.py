"""The study from files to a checked result: what `accord gallery run aio` does."""

from __future__ import annotations

from pathlib import Path

from accord.gallery import one_table
from accord.gallery.aio import generate, oracle, study
from accord.gallery.one_table import Report
from accord.node.processes import Progress

DESCRIPTION = "which pensioners may be owed a supplement, without showing incomes or the list asked about (SVB × UWV)"


def run(data: Path | None, folder: Path, runtime: str, progress: Progress) -> Report:
    """Prepare, sign and run the study in `folder`, open the pension office's table and compare it with the oracle."""
    files = one_table.given(data, study.TABLES) if data else generate.generate(folder / "owners")
    session = one_table.prepare(study.document(), files, folder)
    outcome, table = one_table.run(session, runtime, study.PENSIONS, progress)
    expected = oracle.answer(files)
    described = f"files in {data}" if data else generate.DESCRIPTION
    return Report(outcome, table, expected, described, {"households_below": sum(below for _, below in expected.rows)})
