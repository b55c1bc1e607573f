"""Benchmarks that anybody can run on an installed Accord: each question's time beside whether its answer is right."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Protocol

from accord.base.errors import Refused
from accord.cli.gallery import fresh_folder, module
from accord.cli.screen import Phases, amount, console, grid

SCALE_MIN, SCALE_MAX = 0.01, 10.0
"""Below, the benchmark's own rule for who supplies which part names one supplier twice."""


class Result(Protocol):
    """One question's run."""

    matches_oracle: bool

    def json(self) -> dict[str, Any]:
        """Plain facts: `query`, `matches_oracle`, `seconds`, `rounds`, `bytes_per_server`, `rows`, and `refused` where it was."""


def tpch(scale: float, queries: str, runtime: str, data: Path | None, apart: bool, as_json: bool) -> int:
    """Run questions of TPC-H, telling each as it is done. Returns 0 where every answer is DuckDB's."""
    study, bench, generator = (module("tpch", name) for name in ("study", "bench", "data"))
    if not SCALE_MIN <= scale <= SCALE_MAX:
        raise Refused(f"--sf {scale:g}", rule=f"{SCALE_MIN:g} to {SCALE_MAX:g}", do="0.01 is 60 thousand rows of lineitem")
    chosen = [one.strip().upper() for one in queries.split(",") if one.strip()] or list(study.QUERIES)
    for query in chosen:
        study.sql_of(query)
    folder = fresh_folder("tpch")
    files = generator.given(data) if data else generator.make(folder / "data", scale)
    setting = bench.Setting(scale, files, runtime, apart)
    results: list[Result] = []
    for query in chosen:
        with Phases(quiet=as_json) as progress:
            (result,) = bench.run([query], setting, folder, progress)
        results.append(result)
        _tell(result, len(results), len(chosen))
    if as_json:
        print(json.dumps({"results": [one.json() for one in results], "scale": scale, "runtime": runtime, "apart": apart}))
    else:
        _print(results)
    return 0 if all(one.matches_oracle for one in results) else 1


def _tell(result: Result, done: int, total: int) -> None:
    """One line on stderr, so that a pipe of the JSON shows how far it is."""
    facts = result.json()
    said = facts.get("refused") or f"{facts['seconds']:.1f} s, {'as DuckDB' if facts['matches_oracle'] else 'NOT as DuckDB'}"
    print(f"{done}/{total} {facts['query']}: {said}", file=sys.stderr, flush=True)


def _print(results: list[Result]) -> None:
    rows = []
    for one in results:
        facts = one.json()
        answer = "refused" if "refused" in facts else "as DuckDB" if facts["matches_oracle"] else "differs"
        figures = (f"{facts['seconds']:.1f}", str(facts["rounds"]), amount(facts["bytes_per_server"]), str(facts["rows"]))
        rows.append((facts["query"], answer, *figures))
    heads = ("question", "answer", "seconds", "rounds", "sent a server", "rows")
    console().print(grid(heads, rows, right=heads[2:]))
