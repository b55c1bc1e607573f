"""The study from files to a released table with noise: what `accord gallery run trade-dp` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accord.base.errors import Refused
from accord.gallery import one_table
from accord.gallery.trade import generate
from accord.gallery.trade.parameters import DEFAULT
from accord.gallery.trade.read import read
from accord.gallery.trade.result import Pair
from accord.gallery.trade_dp import oracle, study
from accord.node.compiled import compile_study
from accord.node.history import require_unanswered
from accord.node.owner import data_versions
from accord.node.processes import Progress
from accord.node.runtimes import Outcome
from accord.node.session import Session
from accord.release.noise import LAPLACE, ColumnNoise
from accord.release.table import ReleasedTable
from accord.study.document import parse

DESCRIPTION = "the four offices' totals per pair with differential privacy (UN PET Lab)"
SEEDS = 50
SURE = 1 - 1e-9
"""Noise leaves an interval of this confidence once in a thousand million draws."""
NOISE = ColumnNoise(LAPLACE, Fraction(study.EPSILON), study.BOUND_THOUSAND_USD)

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Report:
    """One run: the released table beside the totals without noise."""

    outcome: Outcome
    table: ReleasedTable
    truth: Mapping[Pair, int]
    refused_again: str
    repeat_is_stored: bool
    data: str

    @property
    def errors(self) -> dict[Pair, int]:
        """What noise did to each pair's total."""
        return {
            (row["exporter"], row["importer"]): row["thousand_usd"] - self.truth[row["exporter"], row["importer"]]
            for row in self.table.rows()
        }

    @property
    def matches_oracle(self) -> bool:
        """Whether every pair's total is there, off the truth by no more than noise of this law can be."""
        return self.errors.keys() == self.truth.keys() and max(map(abs, self.errors.values())) <= NOISE.half_width(SURE)

    def json(self) -> dict[str, Any]:
        sizes = [abs(error) for error in self.errors.values()]
        return {
            "matches_oracle": self.matches_oracle,
            "seconds": round(self.outcome.seconds, 3),
            "rounds": self.outcome.rounds,
            "bytes_per_server": self.outcome.bytes_per_server,
            "epsilon": study.EPSILON,
            "mean_error_thousand_usd": round(sum(sizes) / len(sizes), 1),
            "mean_error_of_50_seeds": round(oracle.mean_error(NOISE, len(sizes), SEEDS), 1),
            "mean_error_in_theory": round(NOISE.mean_size(), 1),
            "half_width_95_percent": NOISE.half_width(),
            "refused_again": self.refused_again,
            "repeat_is_stored": self.repeat_is_stored,
            "receipt": str(self.outcome.receipt),
            "runtime": self.outcome.runtime,
            "data": self.data,
        }

    def print(self, console: Console) -> None:
        """The same for a person."""
        for name, value in self.json().items():
            console.print(f"{name:<26}{value}", markup=False)
        self.table.print(console)


def run(data: Path | None, folder: Path, runtime: str, progress: Progress) -> Report:
    """Prepare, sign and run the study in `folder`, open an office's table, and ask again: there is one draw."""
    files = read(data, folder / "offices", DEFAULT) if data else generate.generate(folder / "offices", generate.SEED, DEFAULT)
    session = one_table.prepare(study.document(DEFAULT), {office: {"trade": path} for office, path in files.files.items()}, folder)
    outcome, table = one_table.run(session, runtime, DEFAULT.offices[0], progress)
    truth = oracle.totals(files.files)
    if runtime != "local:":
        return Report(outcome, table, truth, "", False, files.description)
    again = Session(session.folder).run(runtime, progress)
    is_stored = again.is_stored and again.run_id == outcome.run_id
    return Report(outcome, table, truth, _new_draw(session), is_stored, files.description)


def _new_draw(session: Session) -> str:
    """What an owner says to the same question in another study: its noise, averaged with the first, would be smaller."""
    content = session.study.content
    other = compile_study(parse({**content, "study": {**content["study"], "title": "The same once more"}}))
    owner = session.folder.party(other.study.owners[0])
    try:
        require_unanswered(owner, other, data_versions(other.study, owner), "another")
    except Refused as refusal:
        return str(refusal)
    return ""
