"""A study of two owners over one table of firms, asked in the clear and on shares: the same answer, or a refusal, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accord.node.folder import open_folder
from accord.node.session import open_study
from accord.node.setup import make_keys
from accord.release.table import ReleasedTable

OWNERS = ("north", "south")
REGIONS, FIRMS = ("a", "b", "c", "d"), ("f0", "f1", "f2", "f3", "f4")
HEAD = """
[study]
name = "firms"
title = "Firms"
purpose = "A test of rules"
expires = 2999-12-31
servers = ["north", "south", "helper"]

[tables.firms]
owners = ["north", "south"]
rows_max = 60
columns = [
  { name = "region", kind = "category", values = ["a", "b", "c", "d"] },
  { name = "firm", kind = "category", values = ["f0", "f1", "f2", "f3", "f4"] },
  { name = "turnover", kind = "int", low = LOW, high = 1000 },
  { name = "key", kind = "int", low = 0, high = 255 },
]

[[releases]]
name = "cells"
title = "Cells"
sql = "SQL"
recipients = ["office"]
"""

Row = tuple[str, str, int]
"""Region, firm, turnover; then perhaps a record key."""


def written(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {written(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def study(
    folder: Path, rows: Sequence[Sequence[Any]], sql: str, rules: Sequence[Mapping[str, Any]], low: int = 0, judged: Any = ()
) -> Path:
    """The folder of a study with its data: the owners hold the rows in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, owner in enumerate(OWNERS):
        lines = [",".join(map(str, (*row, 0)[:4])) for row in rows[place::2]]
        (folder / f"{owner}.csv").write_text("\n".join(["region,firm,turnover,key", *lines]) + "\n")
    text = HEAD.replace("SQL", sql).replace("LOW", str(low)) + f"rules = {written(list(rules))}\njudged = {written(judged)}\n"
    (folder / "study.toml").write_text(text)
    place = open_folder(folder)
    for owner in OWNERS:
        place.party(owner).write_data({"firms": Path("..", "..", f"{owner}.csv")})
    make_keys(place)
    return folder


def asked(
    folder: Path, rows: Sequence[Sequence[Any]], sql: str, rules: Sequence[Mapping[str, Any]], **how: Any
) -> dict[str, ReleasedTable]:
    """What the office gets, by runtime."""
    session = open_study(study(folder, rows, sql, rules, **how))
    return {runtime: session.tables("office", session.run(runtime))["cells"] for runtime in ("clear:", "sim:")}
