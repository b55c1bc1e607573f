"""The employers' payrolls in the form that the study declares: what reading and generating both produce."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from accord.base.errors import Refused
from accord.gallery.one_table import read_csv

COLUMNS = ("employer", "job", "race", "gender", "pay", "bonus", "months")
"""An employer's CSV, one row a person: `pay` and `bonus` of the year in whole dollars, `months` of service."""
EMPLOYERS = "employers.csv"
"""Beside them in a user's folder: which employer is in which industry cohort."""
JOBS = (
    "executives",
    "managers",
    "professionals",
    "technicians",
    "sales workers",
    "administrative support",
    "craft workers",
    "operatives",
    "labourers and helpers",
    "service workers",
)
RACES = (
    "asian",
    "black or african american",
    "hispanic or latino",
    "native american or alaska native",
    "native hawaiian or pacific islander",
    "two or more races",
    "white",
    "unreported",
)
GENDERS = ("female", "male", "non-binary")
"""Ten job rows, eight of race or ethnicity and three genders, after the employers' report EEO-1 and the council's form."""
SIZES = (50, 250, 1_000, 3_000, 10_000)
"""An employer's bound on its rows is the first of these that holds its staff: its size class is public, its size is not."""


@dataclass(frozen=True)
class Payrolls:
    """Where each employer's CSV lies, its cohort and its bound on rows; the lists that the study declares; what was not used, by reason."""

    description: str
    files: Mapping[str, Path]
    cohorts: Mapping[str, str]
    rows_max: Mapping[str, int]
    jobs: tuple[str, ...] = JOBS
    races: tuple[str, ...] = RACES
    genders: tuple[str, ...] = GENDERS
    set_aside: Mapping[str, int] | None = None

    @property
    def cohort_names(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.cohorts.values())))


def size_class(employer: str, staff: int) -> int:
    """The public bound on an employer's rows. Raises Refused beyond the largest."""
    found = next((size for size in SIZES if staff <= size), None)
    if found is None:
        raise Refused(
            f"{staff:,} staff", where=employer, rule=f"at most {SIZES[-1]:,} rows an employer", do="split its file in two employers"
        )
    return found


def read_folder(folder: Path) -> Payrolls:
    """A user's payrolls: `employers.csv` (employer, cohort), and one CSV an employer. Raises Refused for a missing file."""
    cohorts = {row["employer"]: row["cohort"] for row in read_csv(folder / EMPLOYERS)}
    files = {employer: folder / f"{employer}.csv" for employer in cohorts}
    for path in files.values():
        if not path.is_file():
            raise Refused(
                f"there is no {path.name}", where=str(folder), rule=f"one CSV for each employer of {EMPLOYERS}", do="put it there"
            )
    rows_max = {employer: size_class(employer, len(read_csv(path))) for employer, path in files.items()}
    return Payrolls(f"Payrolls in {folder.name}, as they stand", files, cohorts, rows_max)
