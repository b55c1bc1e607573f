"""The questions one by one: each is a study of its own that is signed, run, opened, and compared with DuckDB on the pooled rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from accord.base.errors import AccordError
from accord.gallery import one_table
from accord.gallery.tpch import study
from accord.node.processes import Progress

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Result:
    """One question's run. `refused` is the sentence where there is no answer; bytes are those that a server sends, on average."""

    query: str
    matches_oracle: bool = False
    seconds: float = 0.0
    rounds: int = 0
    bytes_per_server: int = 0
    rows: int = 0
    refused: str = ""

    def json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        facts = {
            "query": self.query,
            "matches_oracle": self.matches_oracle,
            "seconds": round(self.seconds, 3),
            "rounds": self.rounds,
            "bytes_per_server": self.bytes_per_server,
            "rows": self.rows,
        }
        return {**facts, "refused": self.refused} if self.refused else facts


@dataclass(frozen=True)
class Setting:
    """What all questions of a run have in common. `apart`: each table has an owner of its own."""

    scale: float
    data: Mapping[str, Path]
    runtime: str
    apart: bool = False


def run(queries: Sequence[str], setting: Setting, folder: Path, progress: Progress) -> Iterator[Result]:
    """Each question's result as it is there; the studies stand in `folder`."""
    for query in queries:
        try:
            yield _run(query, setting, folder / query.lower(), progress)
        except AccordError as error:
            yield Result(query, refused=str(error))


def _run(query: str, setting: Setting, folder: Path, progress: Progress) -> Result:
    files = study.files(setting.data, query, setting.scale, setting.apart)
    session = one_table.prepare(study.document(query, setting.scale, setting.apart), files, folder)
    outcome, table = one_table.run(session, setting.runtime, study.ASKER, progress)
    (expected,) = session.tables(study.ASKER, session.run("clear:", progress)).values()
    rows = table.rows()
    is_right = is_same(rows, expected.rows(), order_of(query))
    return Result(query, is_right, outcome.seconds, outcome.rounds, outcome.bytes_per_server, len(rows))


def order_of(query: str) -> tuple[str, ...]:
    """The released columns that a question orders its answer by."""
    order = sqlglot.parse_one(study.sql_of(query), dialect="duckdb").args.get("order")
    return tuple(one.this.name for one in order.expressions if isinstance(one.this, exp.Column)) if order else ()


def is_same(rows: Rows, expected: Rows, order: Sequence[str]) -> bool:
    """Whether both are the same rows in the same order; rows that the order does not tell apart may have changed places."""
    keys = [[tuple(row[name] for name in order) for row in each] for each in (rows, expected)]
    return keys[0] == keys[1] and Counter(map(_hashed, rows)) == Counter(map(_hashed, expected))


def _hashed(row: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, type(value), value) for name, value in row.items())
