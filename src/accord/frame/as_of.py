"""ASOF JOIN: each row of the left table with the one row of the right that is last (or first) by a time, under equal keys.

The rows of both tables are put in one order; a running maximum of the right ones' times tells each left row the time that it is joined on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.plan.catalog import Catalog
from accord.plan.expression import Expression, Literal
from accord.plan.facts import rows_max
from accord.plan.literals import NUMBERS, article
from accord.plan.nodes import Concatenate, Field, Filter, Join, Node, Project, Window
from accord.plan.types import DATE, TEXT
from accord.plan.typing import call, column, integer, null, windowed

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

    @property
    def is_backward(self) -> bool:
        return self.function in ("ge", "gt")


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
    left, found = _told(sides, catalog)
    return Join(left, sides.right, kind, (*sides.keys, (found, sides.times[1])))


def _told(sides: Sides, catalog: Catalog) -> tuple[Node, str]:
    """The left rows with a column that holds the time of the right row that each is joined with; NULL where there is none."""
    taken = {one.name for node in (sides.left, sides.right) for one in node.fields}
    side, seen, found = (fresh_name(name, taken) for name in ("side", "seen", "as_of"))
    theirs = dict((*sides.keys, sides.times))
    time = column(sides.right.field(sides.times[1]))
    lefts = Project(sides.left, (*((one.name, column(one)) for one in sides.left.fields), (side, integer(1)), (seen, null(time.type))))
    fillers = tuple(
        (one.name, column(sides.right.field(theirs[one.name])) if one.name in theirs else _filler(one)) for one in sides.left.fields
    )
    rights = Project(sides.right, (*fillers, (side, integer(0)), (seen, time)))
    both = Concatenate((lefts, rights))
    keys = tuple(a for a, _ in sides.keys)
    order = ((sides.times[0], not sides.is_backward), (side, sides.function in ("gt", "lt")))
    rows = rows_max(both, frozenset(keys), catalog)
    told = windowed("max" if sides.is_backward else "min", column(both.field(seen)), rows, ("rows", None, 0))
    window = Window(both, keys, order, ((found, told),))
    kept = Filter(window, call("eq", column(window.field(side)), integer(1)))
    missing = call("is_null", column(window.field(sides.times[0])))
    when = call("case", missing, null(), column(window.field(found)))
    return Project(kept, (*((one.name, column(window.field(one.name))) for one in sides.left.fields), (found, when))), found


def _filler(field: Field) -> Expression:
    """What stands in a left column beside a right row: NULL, or any value where there is none."""
    if field.type.nullable:
        return null(field.type)
    if field.type.kind == TEXT:
        return Literal(field.type, "")
    value = field.type.low
    return Literal(replace(field.type, low=value, high=value) if not field.type.values else field.type, value)
