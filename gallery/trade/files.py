"""The four offices' files, in the tidy form that the study declares: what reading and generating both produce."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("year", "reporter", "partner", "flow", "commodity", "level", "value_usd")
"""An office's CSV: its own reports only. `reporter` and `partner` are party names, `flow` is export or import, `level` HS6 or TOTAL,
`commodity` six digits as text (leading zeros kept) or TOTAL, `value_usd` whole dollars as reported: exports FOB, imports CIF."""


@dataclass(frozen=True)
class OfficeFiles:
    """Where each office's CSV lies, and what became of every row that was read.

    `rows_read` equals the sum of `rows` (written, by office) and of `set_aside` (by reason): nothing is dropped silently.
    """

    description: str
    files: Mapping[str, Path]
    rows: Mapping[str, int]
    rows_read: int
    set_aside: Mapping[str, int]

    def summary(self) -> str:
        """One line a person, then one line a reason."""
        written = [f"  {office}: {count:,} reports" for office, count in self.rows.items()]
        aside = [f"  set aside, {reason}: {count:,} rows" for reason, count in self.set_aside.items()]
        return "\n".join([self.description, *written, *aside])
