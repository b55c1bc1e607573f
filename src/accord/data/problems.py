"""Bad data, told to its owner: which cell, which rule, what to do. The owner sees the value; logs and other parties never do."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from accord.base.errors import Refused

CELL_CHARACTERS_MAX = 60


@dataclass(frozen=True)
class Problem:
    """One bad cell. `place` is "line 7" of a CSV as an editor counts, "row 7" of a Parquet file, or a step; `finding` shows the cell."""

    place: str
    column: str
    finding: str
    rule: str
    do: str

    def __str__(self) -> str:
        return f"{self.place}, column {self.column}: {self.finding} (rule: {self.rule}); {self.do}"


class BadData(Refused):
    """Cells that break the schema. `str()` is for the owner's own eyes and shows cells; `public_text` names columns and counts only.

    `where` is the file's or input's name; `counts` the number of bad cells of each column; `problems` the first few of each.
    """

    def __init__(self, where: str, problems: Sequence[Problem], counts: dict[str, int]) -> None:
        self.problems, self.counts = tuple(problems), dict(counts)
        super().__init__(_cells(sum(counts.values()), "breaks", "break") + " the schema", where=where)

    @property
    def public_text(self) -> str:
        """One sentence without values and row numbers, fit for logs."""
        columns = ", ".join(f"{column} ({count})" for column, count in self.counts.items())
        return f"{self.where}: {self.what}, in column {columns}"

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}"]
        for column, count in self.counts.items():
            shown_here = [problem for problem in self.problems if problem.column == column]
            lines += [f"  {problem}" for problem in shown_here]
            if more := count - len(shown_here):
                lines.append(f"  and {more} more in column {column}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"BadData({self.public_text!r})"


def _cells(count: int, one: str, many: str) -> str:
    return f"1 cell {one}" if count == 1 else f"{count} cells {many}"


def finding(value: str | None) -> str:
    """What a cell holds, in quotes, control characters spelled out, cut where it is long; None is an empty one."""
    if value is None:
        return "is empty"
    return "holds " + repr(value if len(value) <= CELL_CHARACTERS_MAX else value[:CELL_CHARACTERS_MAX] + "…")


def nearest(name: str, known: Sequence[str]) -> str:
    """The most similar of some names, or "": letter case and surrounding spaces count least."""
    folded = {one.casefold().strip(): one for one in known}
    close = difflib.get_close_matches(name.casefold().strip(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""
