"""One study a question: the tables and columns that it names, one release to the one who asks, no rule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import sqlglot
from sqlglot import exp

from accord.base.canonical import encode
from accord.base.errors import Refused
from accord.gallery.tpch.tables import OWNERS, Table, tables

ASKER = "asker"
QUERIES = tuple(f"Q{number}" for number in range(1, 23))
_FOLDER = Path(__file__).parent / "queries"


def sql_of(query: str) -> str:
    """The benchmark's text of a question, "Q1" to "Q22". Raises Refused for another name."""
    if query not in QUERIES:
        raise Refused(f"TPC-H has no question {query!r}", rule="Q1 to Q22", do="name some of them, with commas between: Q1,Q6")
    return (_FOLDER / f"{query}.sql").read_text(encoding="utf-8")


def used(query: str, scale: float, apart: bool = False) -> dict[str, Table]:
    """The tables that a question names, with the columns that it names; every column's name tells its table.

    `apart`: each table has an owner of its own, named as the table is, so that every join crosses owners.
    """
    tree = sqlglot.parse_one(sql_of(query), dialect="duckdb")
    named = {table.name for table in tree.find_all(exp.Table)}
    columns = {column.name for column in tree.find_all(exp.Column)}
    return {
        name: Table(
            name if apart else one.owner,
            one.rows_max,
            _kept_key(one, columns),
            {key: toml for key, toml in one.columns.items() if key in columns},
        )
        for name, one in tables(scale).items()
        if name in named
    }


def _kept_key(table: Table, columns: set[str]) -> tuple[str, ...]:
    """The unique key, where the question names all of it."""
    return table.unique if set(table.unique) <= columns else ()


def document(query: str, scale: float, apart: bool = False) -> str:
    """The text of a question's `study.toml`."""
    blocks = [_head(query), *(_table(name, one) for name, one in used(query, scale, apart).items()), _release(query)]
    return "\n\n".join(blocks) + "\n"


def _head(query: str) -> str:
    return "\n".join(
        (
            "[study]",
            f'name = "tpch-{query.lower()}"',
            f'title = "TPC-H {query}"',
            'purpose = "Measure how long a question of the benchmark takes, and compare its answer"',
            "expires = 2099-12-31",
            f"servers = {encode(list(OWNERS)).decode()}",
        )
    )


def _table(name: str, table: Table) -> str:
    columns = [f'  {{ name = "{column}", {toml} }},' for column, toml in table.columns.items()]
    unique = [f"unique = {encode(list(table.unique)).decode()}"] if table.unique else []
    head = [f"[tables.{name}]", f'owners = ["{table.owner}"]', f"rows_max = {table.rows_max}", *unique]
    return "\n".join([*head, "columns = [", *columns, "]"])


def _release(query: str) -> str:
    return "\n".join(
        (
            "[[releases]]",
            f'name = "{query.lower()}"',
            f'title = "TPC-H {query}"',
            f'sql = """\n{sql_of(query)}"""',
            f'recipients = ["{ASKER}"]',
            'reason = "the rows are made up by the benchmark"',
        )
    )


def files(data: Mapping[str, Path], query: str, scale: float, apart: bool = False) -> dict[str, dict[str, Path]]:
    """Whose files a question reads: party to table to file."""
    held: dict[str, dict[str, Path]] = {}
    for name, table in used(query, scale, apart).items():
        held.setdefault(table.owner, {})[name] = data[name]
    return held
