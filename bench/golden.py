"""Golden files: exact bytes and rounds, reviewed like code."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accord.base.limits import SERVERS
from accord.mpc.coins import PairKeys
from accord.mpc.party import LAN, Party, Profile
from accord.wire.local import run_local
from bench.mpc import CASES, ONE_BLOCK, Case, protocol_of, rows_of_rounds, secrets_of

SMALL_ROWS = 10_000
SMALL_SIZE = 64
"""Rows of a matrix, in place of that many rows."""


@dataclass(frozen=True)
class Suite:
    """Cases and the file of their counts; `rounds` of a case at so many rows, where they are not counted."""

    name: str
    cases: tuple[Case, ...]
    rounds: Callable[[Case, int], int] | None = None

    @property
    def file(self) -> Path:
        return Path(__file__).parent / "golden" / f"{self.name}.json"


MPC = Suite("mpc", CASES)

Counts = tuple[int, int, int]
"""Bytes that a server sends and bytes of coins that it draws, on average; and rounds, over one block."""


class CountedKeys(PairKeys):
    """Coins that count the bytes drawn."""

    drawn = 0

    def _fill(self, out: Any, component: int, path: str, lane: str, row: int) -> None:
        self.drawn += out.nbytes
        super()._fill(out, component, path, lane, row)


def small_rows(case: Case) -> int:
    return SMALL_SIZE if case.square else SMALL_ROWS


def counts(case: Case, rows: int) -> Counts:
    """What a case costs, by running it in this process."""
    sent, drawn, _ = _run(case, rows)
    return round(sent / SERVERS), round(drawn / SERVERS), _run(case, rows_of_rounds(case, rows), ONE_BLOCK)[2]


def _run(case: Case, rows: int, profile: Profile = LAN) -> Counts:
    keys = [CountedKeys({component: bytes([component]) * 16 for component in (i, (i + 1) % SERVERS)}) for i in range(SERVERS)]
    done = run_local([protocol_of(Party(i, keys[i], profile=profile), case, secrets_of(case, rows, i)) for i in range(SERVERS)])
    return done.bytes_sent, sum(one.drawn for one in keys), done.rounds


def small_counts(suite: Suite = MPC) -> dict[str, list[int]]:
    """Every case at few rows, as the file has it."""
    return {key(case.name, small_rows(case)): entry(case, small_rows(case), suite) for case in suite.cases}


def entry(case: Case, rows: int, suite: Suite = MPC) -> list[int]:
    sent, _, rounds = counts(case, rows)
    return [sent, suite.rounds(case, rows) if suite.rounds else rounds]


def key(name: str, rows: int) -> str:
    return f"{name} {rows}"


def read(suite: Suite = MPC) -> dict[str, list[int]]:
    written: dict[str, list[int]] = json.loads(suite.file.read_text(encoding="utf-8")) if suite.file.is_file() else {}
    return written


def write(found: dict[str, list[int]], suite: Suite = MPC) -> None:
    """These counts in place of those of the same cases and rows; cases that are gone go."""
    names = {case.name for case in suite.cases}
    merged = {name: one for name, one in {**read(suite), **found}.items() if name.split()[0] in names}
    lines = [f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in sorted(merged.items())]
    suite.file.parent.mkdir(exist_ok=True)
    suite.file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def changes(found: dict[str, list[int]], suite: Suite = MPC) -> list[str]:
    """Where these counts are not those of the file, in words."""
    written = read(suite)
    return [f"{name}: bytes and rounds were {written.get(name)}, are {one}" for name, one in found.items() if written.get(name) != one]


def settle(what: str, results: Sequence[dict[str, Any]], suite: Suite = MPC) -> int:
    """Write the counts of these results and of every case at few rows, or compare them with what is written: 0 if they are the same."""
    found = {**small_counts(suite), **{key(one["name"], one["rows"]): [one["bytes_per_server"], one["rounds"]] for one in results}}
    if what == "write":
        write(found, suite)
        return 0
    changed = changes(found, suite)
    print("\n".join(changed), end="\n" if changed else "")
    return 1 if changed else 0
