"""docs/reference/sql.md, made of the questions that the tests ask. Write it anew with: python -m tests.frame.reference"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from accord.base.errors import Refused
from accord.frame.sql import to_plan
from accord.plan.place import place
from tests.plan.worlds import CATALOG

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "sql.md"
SENTENCES = HERE / "fixtures" / "sentences.txt"

OPENING = """# SQL that a study can ask

One query in DuckDB's dialect. sqlglot parses it; what stands here is translated, everything else is refused before anything runs, with
the place in the SQL, the reason and the nearest form that is supported. This page is made of the questions that the tests ask: each below
runs, and gives what DuckDB gives on the pooled data.

The examples ask two owners' tables, `sales` (three owners; `shop` says whose a row is; `region`, `kind`, `day`, `amount`, `price`, `n`,
`ok`) and `staff` (two owners; `region`, `pay`, `grade`), and the public tables `area` (`region`, `rank`) and `factor`.

## What holds everywhere

- Integers, decimals, dates and truth values are exact. The range of every value is inferred from the declared bounds; what could pass
  2^62 is refused before it starts. `LEAST(x, a maximum)` bounds a value where you know better, and so does a declared unique key.
- NULL means what SQL says: three-valued logic, aggregates pass over it, NULL joins nothing.
- Group keys, join columns and `ORDER BY` columns are public or secret. Public ones lie on a grid of all values that could occur, which
  costs no sorting: categories, truth values, and integers, decimals or dates of at most 10 000 values, never NULL; which of them do occur
  stays secret. All others are secret, and servers sort by them without learning anything but how many rows there could be.
- Rows of owners never leave them in the clear. What one owner can do alone (filter, derive, group) runs at the owner, in its DuckDB.
- Names do not depend on upper and lower case; a release's columns are named in lower case.
- `:name` stands for a parameter of the release, such as `:recipient`.
"""

BETWEEN = """
## What is refused

The sentence under each question is what you are told.
"""


def accepted() -> list[tuple[str, list[str]]]:
    """What is accepted, in words, each with its questions."""
    blocks = (HERE / "fixtures" / "accepted.txt").read_text(encoding="utf-8").strip().split("\n\n")
    return [(block.splitlines()[0], block.splitlines()[1:]) for block in blocks]


def refused() -> list[str]:
    names = ("refused.txt", "refused_placed.txt")
    return [line for name in names for line in (HERE / "fixtures" / name).read_text(encoding="utf-8").splitlines()]


@cache
def sentence(sql: str) -> str:
    """What a question is refused with, at whichever stage; nothing for one that is accepted."""
    try:
        place(to_plan(sql, CATALOG), CATALOG)
    except Refused as error:
        return str(error)
    return ""


def sentences() -> str:
    return "".join(f"{sql}\n    {sentence(sql)}\n" for sql in refused())


def page() -> str:
    parts = [OPENING]
    for words, questions in accepted():
        parts += [f"\n## {words}\n", *(f"\n```sql\n{sql}\n```\n" for sql in questions)]
    parts.append(BETWEEN)
    parts += [f"\n```sql\n{sql}\n```\n{sentence(sql)}\n" for sql in refused()]
    return "".join(parts)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    SENTENCES.write_text(sentences(), encoding="utf-8")
