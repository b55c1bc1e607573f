"""The study from files to a checked result: what `accord gallery run financial-aid` does."""

from __future__ import annotations

from pathlib import Path

from accord.gallery import one_table
from accord.gallery.financial_aid import generate, oracle, study
from accord.gallery.one_table import Report
from accord.node.processes import Progress

DESCRIPTION = "average student aid from a survey and a register that never meet (US Department of Education)"


def run(data: Path | None, folder: Path, runtime: str, progress: Progress) -> Report:
    """Prepare, sign and run the study in `folder`, open the survey office's table and compare it with the oracle."""
    files = one_table.given(data, study.TABLES) if data else generate.generate(folder / "owners")
    session = one_table.prepare(study.document(), files, folder)
    outcome, table = one_table.run(session, runtime, study.SURVEY, progress)
    described = f"files in {data}" if data else generate.DESCRIPTION
    return Report(outcome, table, oracle.answer(files), described, {"persons_in_both": oracle.matched(files)})
