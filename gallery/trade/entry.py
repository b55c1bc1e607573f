"""The trade study from files to checked results: what `accord gallery run trade` and `accord demo` do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accord.gallery import one_table
from accord.gallery.trade import generate, oracle, study
from accord.gallery.trade.chart import write_chart
from accord.gallery.trade.files import OfficeFiles
from accord.gallery.trade.parameters import CLASSES, DEFAULT, Parameters
from accord.gallery.trade.read import read
from accord.gallery.trade.result import Cell, Released, TableRow
from accord.node.job import Phase
from accord.node.session import Outcome, Session
from accord.release.seal import ReleasedTable, Suppressed

DESCRIPTION = "four statistical offices reconcile their mirror trade figures (UN PET Lab)"

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[Phase], None]


@dataclass(frozen=True)
class Report:
    """One run: the figures of `--json`, and each office's result beside what the pooled figures give."""

    outcome: Outcome
    files: OfficeFiles
    cells: int
    released: Mapping[str, Released]
    expected: Mapping[str, Released]
    charts: Mapping[str, Path]

    @property
    def matches_oracle(self) -> bool:
        """Whether every office got exactly what the plaintext oracle gives it."""
        return self.released == self.expected

    def print(self, console: Console) -> None:
        """The same for a person."""
        facts = self.json()
        console.print(self.files.summary(), markup=False)
        for name, value in facts.items():
            console.print(f"{name:<18}{value}", markup=False)
        console.print(f"{'charts':<18}{next(iter(self.charts.values())).parent}", markup=False)

    def json(self) -> dict[str, Any]:
        return {
            "matches_oracle": self.matches_oracle,
            "seconds": round(self.outcome.seconds, 3),
            "rounds": self.outcome.rounds,
            "bytes_per_server": self.outcome.bytes_per_server,
            "cells": self.cells,
            "receipt": str(self.outcome.receipt),
            "runtime": self.outcome.runtime,
            "data": self.files.description,
        }


def run(data: Path | None, folder: Path, runtime: str, progress: Progress) -> Report:
    """Prepare, sign and run the study in `folder`, open every office's result and compare it with the oracle."""
    session, files = prepare(data, folder)
    for party in session.study.approvers:
        session.sign(party)
    return finish(session, files, session.run(runtime, progress))


def prepare(data: Path | None, folder: Path, parameters: Parameters = DEFAULT, seed: int = generate.SEED) -> tuple[Session, OfficeFiles]:
    """The offices' files, the study and everybody's keys, not yet signed."""
    files = read(data, folder / "offices", parameters) if data else generate.generate(folder / "offices", seed, parameters)
    return one_table.prepare(study.document(parameters), {office: {"trade": path} for office, path in files.files.items()}, folder), files


def finish(session: Session, files: OfficeFiles, outcome: Outcome, parameters: Parameters = DEFAULT) -> Report:
    """Open every office's result with its key, draw it, and compare it with the pooled figures."""
    truth = oracle.reconcile(files.files, parameters)
    released = {office: _released(office, session.tables(office, outcome), parameters) for office in parameters.offices}
    expected = {office: truth.released_to(office) for office in parameters.offices}
    charts = {office: write_chart(outcome.folder / f"{office}.svg", one, parameters, files.description) for office, one in released.items()}
    cells = len(truth.cells) + len(truth.totals)
    return Report(outcome, files, cells, released, expected, charts)


def _released(office: str, tables: Mapping[str, ReleasedTable], parameters: Parameters) -> Released:
    """An office's opened tables in the study's own terms."""
    return Released(
        office,
        _cells(tables["cells"]),
        _cells(tables["totals"]),
        {(row["exporter"], row["importer"]): _row(row, parameters) for row in tables["pairs"].rows()},
        {row["commodity_group"]: _row(row, parameters) for row in tables["groups"].rows()},
    )


def _cells(table: ReleasedTable) -> dict[Cell, int]:
    return {Cell(row["exporter"], row["importer"], row["commodity"], int(row["year"])): CLASSES.index(row["class"]) for row in table.rows()}


def _row(row: Mapping[str, Any], parameters: Parameters) -> TableRow | None:
    if isinstance(row["mirrored"], Suppressed):
        return None
    return TableRow(row["mirrored"], row["share_permille"], parameters.bands.index(row["band"]))


def demo(console: Console, folder: Path, progress: Any) -> int:
    """What `accord demo` shows."""
    from accord.gallery.trade.demo import show

    return show(console, folder, progress)
