"""What systems have in common whose answer is one table for one recipient: prepare, sign, run, open, compare with the oracle."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accord.base.errors import Refused
from accord.node.folder import open_folder
from accord.node.processes import Progress
from accord.node.runtimes import Outcome
from accord.node.session import Session
from accord.node.setup import make_keys
from accord.release.table import SUPPRESSED, ReleasedTable

if TYPE_CHECKING:
    from rich.console import Console

Files = Mapping[str, Mapping[str, Path]]
"""Party name to table name to that party's CSV."""
LINES_SHOWN_MAX = 20


@dataclass(frozen=True)
class Answer:
    """Rows that are shown, in order, and how many were suppressed."""

    rows: tuple[tuple[Any, ...], ...]
    suppressed: int = 0

    @staticmethod
    def of(table: ReleasedTable) -> Answer:
        """Of an opened release: a row with a suppressed value is a suppressed row."""
        rows = [tuple(row.values()) for row in table.rows()]
        shown = sorted(row for row in rows if not any(value is SUPPRESSED for value in row))
        return Answer(tuple(shown), len(rows) - len(shown))


@dataclass(frozen=True)
class Report:
    """One run: the figures of `--json`, and the recipient's table beside what the pooled rows give."""

    outcome: Outcome
    table: ReleasedTable
    expected: Answer
    data: str
    facts: Mapping[str, Any]

    @property
    def released(self) -> Answer:
        return Answer.of(self.table)

    @property
    def matches_oracle(self) -> bool:
        """Whether the recipient got exactly what the plaintext oracle gives."""
        return self.released == self.expected

    def json(self) -> dict[str, Any]:
        return {
            "matches_oracle": self.matches_oracle,
            "seconds": round(self.outcome.seconds, 3),
            "rounds": self.outcome.rounds,
            "bytes_per_server": self.outcome.bytes_per_server,
            "rows_released": len(self.released.rows),
            "rows_suppressed": self.released.suppressed,
            **self.facts,
            "receipt": str(self.outcome.receipt),
            "runtime": self.outcome.runtime,
            "data": self.data,
        }

    def print(self, console: Console) -> None:
        """The same for a person."""
        for name, value in self.json().items():
            console.print(f"{name:<18}{value}", markup=False)
        lines = str(self.table).splitlines()
        more = [f"… {len(lines) - LINES_SHOWN_MAX} more lines"] if len(lines) > LINES_SHOWN_MAX else []
        console.print("\n".join([*lines[:LINES_SHOWN_MAX], *more]), markup=False, highlight=False)


def prepare(study: str, files: Files, folder: Path) -> Session:
    """The study, the owners' files and everybody's keys in `folder`, not yet signed."""
    place = folder / "study"
    place.mkdir(parents=True)
    (place / "study.toml").write_text(study, encoding="utf-8")
    opened = open_folder(place)
    for party, tables in files.items():
        opened.party(party).write_data({name: path.resolve() for name, path in tables.items()})
    make_keys(opened)
    return Session(opened)


def run(session: Session, runtime: str, recipient: str, progress: Progress) -> tuple[Outcome, ReleasedTable]:
    """Sign for everybody, run, and open the recipient's one table."""
    for party in session.study.approvers:
        session.sign(party)
    outcome = session.run(runtime, progress)
    (table,) = session.tables(recipient, outcome).values()
    return outcome, table


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write an owner's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of an owner's file, for an oracle."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def given(data: Path, tables: Mapping[str, str]) -> Files:
    """A user's files in the folder `data`: `<table>.csv` of each table; `tables` says whose each is. Raises Refused for a missing one."""
    for table in tables:
        if not (data / f"{table}.csv").is_file():
            wanted = ", ".join(f"{name}.csv" for name in tables)
            raise Refused(f"there is no {table}.csv", where=str(data), rule=f"the folder holds {wanted}", do="put it there")
    return {
        party: {name: data / f"{name}.csv" for name, owner in tables.items() if owner == party} for party in dict.fromkeys(tables.values())
    }


def cents(text: str) -> int:
    """A decimal of at most two digits after the point, in hundredths."""
    whole, _, rest = text.partition(".")
    return int(whole) * 100 + int(rest.ljust(2, "0")) if rest else int(whole) * 100


def money(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}"
