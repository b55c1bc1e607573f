"""The study from files to a checked result: what `accord gallery run pay-gap` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accord.gallery import one_table
from accord.gallery.pay_gap import generate, houston, oracle, study
from accord.gallery.pay_gap.oracle import Key, Truth
from accord.gallery.pay_gap.payrolls import Payrolls, read_folder
from accord.node.processes import Progress
from accord.node.runtimes import Outcome
from accord.node.session import Session
from accord.release.table import SUPPRESSED, ReleasedTable

DESCRIPTION = "the pay of women and men over a hundred payrolls that stay at home (Boston Women's Workforce Council)"
SHOWN = ("n", "mean_pay", "mean_bonus", "mean_months", "deviation")

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Report:
    """One run: the council's two tables for each gender, by release, beside what the pooled payrolls give."""

    outcome: Outcome
    payrolls: Payrolls
    tables: Mapping[str, ReleasedTable]
    truth: Truth

    def rows(self, table: str) -> dict[Key, dict[str, Any]]:
        """A table's rows by race or cohort, job and gender."""
        found = {}
        for gender in self.payrolls.genders:
            for row in self.tables[study.release_name(table, gender)].rows():
                first, job, *_ = row.values()
                found[first, job, gender] = row
        return found

    @property
    def matches_oracle(self) -> bool:
        """Whether every row shown is the pooled payrolls' own, to the last digit, and every cell that fails a threshold is held back."""
        return all(self._is_right(table, key, row) for table in study.TABLES for key, row in self.rows(table).items())

    def _is_right(self, table: str, key: Key, row: Mapping[str, Any]) -> bool:
        if is_suppressed(row):
            return True
        unit, digits = study.unit_dollars(self.payrolls), -row["deviation"].as_tuple().exponent
        return self.truth.passes(table, key) and self.truth.cells[table][key].shown(unit, digits) == {name: row[name] for name in SHOWN}

    @property
    def gap(self) -> dict[str, Any]:
        """Women's and men's mean pay over all employers, and what women have less for each dollar of men's, in cents."""
        rows = self.rows(study.RACE_TABLE)
        women, men = (rows[study.ALL, study.ALL, gender]["mean_pay"] for gender in ("female", "male"))
        if SUPPRESSED in (women, men):
            return {"mean_pay_women": str(women), "mean_pay_men": str(men)}
        return {"mean_pay_women": str(women), "mean_pay_men": str(men), "gap_cents": round(float(100 * (1 - women / men)), 1)}

    def json(self) -> dict[str, Any]:
        rows = [row for table in self.tables.values() for row in table.rows()]
        suppressed = sum(map(is_suppressed, rows))
        return {
            "matches_oracle": self.matches_oracle,
            "seconds": round(self.outcome.seconds, 3),
            "rounds": self.outcome.rounds,
            "bytes_per_server": self.outcome.bytes_per_server,
            "employers": len(self.payrolls.files),
            "cohorts": len(self.payrolls.cohort_names),
            "cells_released": len(rows) - suppressed,
            "cells_suppressed": suppressed,
            **self.gap,
            **({"set_aside": dict(self.payrolls.set_aside)} if self.payrolls.set_aside else {}),
            "receipt": str(self.outcome.receipt),
            "runtime": self.outcome.runtime,
            "data": self.payrolls.description,
        }

    def print(self, console: Console) -> None:
        """The same for a person."""
        for name, value in self.json().items():
            console.print(f"{name:<18}{value}", markup=False)
        self.tables[study.release_name(study.RACE_TABLE, self.payrolls.genders[0])].print(console)


def run(data: Path | None, folder: Path, runtime: str, progress: Progress) -> Report:
    """Prepare, sign and run the study in `folder`, open the council's tables and compare them with the oracle."""
    payrolls = read(data, folder / "employers")
    session = prepare(payrolls, folder)
    for party in session.study.approvers:
        session.sign(party)
    outcome = session.run(runtime, progress)
    return Report(outcome, payrolls, session.tables(study.COUNCIL, outcome), oracle.tables(payrolls))


def read(data: Path | None, folder: Path) -> Payrolls:
    """The user's payrolls, the City of Houston's, or invented ones."""
    if data is None:
        return generate.generate(folder)
    return houston.read(data, folder) if (data / houston.FILE).is_file() else read_folder(data)


def prepare(payrolls: Payrolls, folder: Path, text: str | None = None) -> Session:
    """The study, the employers' files and everybody's keys, not yet signed."""
    files = {employer: {"staff": path} for employer, path in payrolls.files.items()}
    return one_table.prepare(text or study.document(payrolls), files, folder)


def is_suppressed(row: Mapping[str, Any]) -> bool:
    return any(value is SUPPRESSED for value in row.values())
