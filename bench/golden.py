"""Golden files: exact bytes and rounds, reviewed like code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accord.base.limits import SERVERS
from accord.mpc.coins import PairKeys
from accord.mpc.party import Party
from accord.wire.local import run_local
from bench.mpc import CASES, Case, protocol_of, secrets_of

FILE = Path(__file__).parent / "golden" / "mpc.json"
SMALL_ROWS = 10_000
SMALL_SIZE = 64
"""Rows of a matrix, in place of that many rows."""

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
    return round(sent / SERVERS), round(drawn / SERVERS), _run(case, 64)[2]


def _run(case: Case, rows: int) -> Counts:
    keys = [CountedKeys({component: bytes([component]) * 16 for component in (i, (i + 1) % SERVERS)}) for i in range(SERVERS)]
    done = run_local([protocol_of(Party(i, keys[i]), case, secrets_of(case, rows, i)) for i in range(SERVERS)])
    return done.bytes_sent, sum(one.drawn for one in keys), done.rounds


def small_counts() -> dict[str, list[int]]:
    """Every case at few rows, as the file has it."""
    return {key(case.name, small_rows(case)): entry(case, small_rows(case)) for case in CASES}


def entry(case: Case, rows: int) -> list[int]:
    sent, _, rounds = counts(case, rows)
    return [sent, rounds]


def key(name: str, rows: int) -> str:
    return f"{name} {rows}"


def read() -> dict[str, list[int]]:
    written: dict[str, list[int]] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    return written


def write(found: dict[str, list[int]]) -> None:
    """These counts in place of those of the same cases and rows; cases that are gone go."""
    names = {case.name for case in CASES}
    merged = {name: one for name, one in {**read(), **found}.items() if name.split()[0] in names}
    lines = [f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in sorted(merged.items())]
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def changes(found: dict[str, list[int]]) -> list[str]:
    """Where these counts are not those of the file, in words."""
    written = read()
    return [f"{name}: bytes and rounds were {written.get(name)}, are {one}" for name, one in found.items() if written.get(name) != one]


def settle(what: str, results: Sequence[dict[str, Any]]) -> int:
    """Write the counts of these results and of every case at few rows, or compare them with what is written: 0 if they are the same."""
    found = {**small_counts(), **{key(one["name"], one["rows"]): [one["bytes_per_server"], one["rounds"]] for one in results}}
    if what == "write":
        write(found)
        return 0
    changed = changes(found)
    print("\n".join(changed), end="\n" if changed else "")
    return 1 if changed else 0
