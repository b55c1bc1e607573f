"""ASOF JOIN: each row of the left table with the one row of the right that is last (or first) by a time, under equal keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from accord.base.errors import Refused
from accord.plan.catalog import Catalog
from accord.plan.facts import rows_max
from accord.plan.literals import NUMBERS, article
from accord.plan.nodes import AsOf, Join, Node
from accord.plan.types import DATE

TIMES: dict[type[exp.Expr], str] = {exp.GTE: "ge", exp.GT: "gt", exp.LTE: "le", exp.LT: "lt"}
"""The comparisons that say which row is meant: a.time >= b.time the last one that is not later, a.time < b.time the first that is later."""
FLIPPED = {"ge": "le", "gt": "lt", "le": "ge", "lt": "gt"}
DO = "write ASOF JOIN b ON a.key = b.key AND a.time >= b.time"


@dataclass(frozen=True)
class Sides:
    """Both tables, their key columns in pairs, the time column of each, and how the left time compares with the right one."""

    left: Node
    right: Node
    keys: Sequence[tuple[str, str]]
    times: tuple[str, str]
    function: str


def as_of_join(sides: Sides, kind: str, catalog: Catalog) -> Node:
    """The join, of kind inner or left. Raises Refused where several right rows could have one key and time."""
    type = sides.right.field(sides.times[1]).type
    if type.kind not in (*NUMBERS, DATE):
        raise Refused(f"ASOF JOIN by {article(type.kind)}", rule="the time is a number or a date", do="declare the column as one")
    if rows_max(sides.right, frozenset((*(b for _, b in sides.keys), sides.times[1])), catalog) > 1:
        raise Refused(
            "ASOF JOIN with a table in which several rows could have one key and time",
            rule="which of them is meant must be settled",
            do="declare the columns unique, or GROUP BY them in a subquery first",
        )
    return Join(sides.left, sides.right, kind, tuple(sides.keys), match=AsOf(*sides.times, sides.function))
