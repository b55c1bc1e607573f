"""Where in the SQL something stands, and refusals that say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlglot import exp

from accord.base.errors import Refused

TYPE = "accord_type"
"""Where a translated node of sqlglot's tree keeps its Type, for the oracle."""


@contextmanager
def at(node: exp.Expr, sql: str) -> Iterator[None]:
    """A refusal raised within gets the node's place, unless it has a more exact one. A node without a place leaves it to those around."""
    try:
        yield
    except Refused as error:
        where = "" if error.where else place(node, sql)
        if not where:
            raise
        raise Refused(error.what, where=where, rule=error.rule, do=error.do) from None


def copy_types(original: exp.Expr, equal: exp.Expr) -> None:
    """Leaves the types of a translated tree on one that equals it."""
    for source, copy in zip(original.walk(), equal.walk(), strict=True):
        copy.meta.update({TYPE: source.meta[TYPE]} if TYPE in source.meta else {})


def place(node: exp.Expr, sql: str) -> str:
    """`line 3, column 14` of the SQL, both from 1, or nothing; without SQL (the tree came from Ibis) the text of the node itself."""
    if not sql:
        return shortened(node)
    start = min((one.meta["start"] for one in node.walk() if "start" in one.meta), default=None)
    if start is None:
        return ""
    line = sql.count("\n", 0, start) + 1
    return f"line {line}, column {start - (sql.rfind(chr(10), 0, start) + 1) + 1}"


def shortened(node: exp.Expr) -> str:
    """The node as SQL, at most 60 characters."""
    text = node.sql("duckdb")
    return text if len(text) <= 60 else text[:59] + "…"
