"""Where in the SQL something stands, and refusals that say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlglot import exp

from accord.base.errors import Refused


@contextmanager
def at(node: exp.Expr, sql: str) -> Iterator[None]:
    """A refusal raised within gets the node's place, unless it has a more exact one."""
    try:
        yield
    except Refused as error:
        if error.where:
            raise
        raise Refused(error.what, where=place(node, sql), rule=error.rule, do=error.do) from None


def place(node: exp.Expr, sql: str) -> str:
    """`line 3, column 14` of the SQL, both from 1; the text of the node itself where it has no place (it came from Ibis)."""
    starts = [one.meta["start"] for one in node.walk() if "start" in one.meta]
    if not starts or not sql:
        return shortened(node)
    start = min(starts)
    line = sql.count("\n", 0, start) + 1
    return f"line {line}, column {start - (sql.rfind(chr(10), 0, start) + 1) + 1}"


def shortened(node: exp.Expr) -> str:
    """The node as SQL, at most 60 characters."""
    text = node.sql("duckdb")
    return text if len(text) <= 60 else text[:59] + "…"
