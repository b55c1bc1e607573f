"""What a person should look at in a proposed schema: the data room's notes, and hints at what spreadsheets do to numbers and days.

They are for the screen alone: what a file showed does not belong in a study that all parties read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from accord.data.infer import Proposal

HINTS = (
    (
        re.compile(r"-?\d{1,3}(\.\d{3})*,\d+|-?\d+,\d+"),
        "numbers with a decimal comma: export them with a point, or they cannot be computed with",
    ),
    (re.compile(r"-?\d{1,3}([ ',]\d{3})+(\.\d+)?"), "numbers with separated thousands: export them plain, or they cannot be computed with"),
    (re.compile(r"\d{1,2}[./]\d{1,2}[./]\d{4}"), "days: write them as 2027-01-31, or they cannot be compared"),
)


def review(proposal: Proposal, column: str, texts: Iterable[str]) -> str:
    """The note on a column. `texts` are its distinct cells, if it is proposed as text."""
    note = proposal.notes[column]
    if column in proposal.left_out:
        return note if note.startswith("left out: another") else left_out(column)
    cells = set(texts)
    for pattern, hint in HINTS:
        if cells and all(pattern.fullmatch(cell) for cell in cells):
            return f"REVIEW: these look like {hint}; now {note}"
    return note


def left_out(column: str) -> str:
    """What to do about a column that has no name for SQL."""
    plain = re.sub(r"\W+", "_", column, flags=re.ASCII).strip("_").lower()
    name = plain if plain[:1].isalpha() else f"column_{plain}".rstrip("_")
    return f"left out: no name for SQL; rename it in the file's header, such as {name}, and begin anew"
