"""UNION, INTERSECT and EXCEPT: the rows of two queries, column by column in one form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.frame.joins import apart
from accord.frame.places import at
from accord.plan.expression import Expression
from accord.plan.facts import rows_max
from accord.plan.literals import is_null
from accord.plan.nodes import Aggregate, Concatenate, Join, Node, Project, Window
from accord.plan.typing import column, unified, windowed

if TYPE_CHECKING:
    from accord.frame.query import Query


def combined(query: Query, tree: exp.SetOperation) -> Node:
    """The rows of both sides (UNION), or those of the left that the right has (INTERSECT) or has not (EXCEPT); NULLs agree.

    Without ALL each row comes once.
    """
    with at(tree, query.sql):
        if tree.args.get("by_name"):
            raise Refused("UNION BY NAME is not supported", do="name the columns in the same order in both")
    left, right = _one_form(query, tree)
    names = tuple(one.name for one in left.fields)
    distinct = bool(tree.args.get("distinct"))
    if isinstance(tree, exp.Union):
        both = Concatenate((*(left.parts if isinstance(left, Concatenate) else (left,)), right))
        return Aggregate(both, names, ()) if distinct else both
    if distinct:
        return _chosen(tree, Aggregate(left, names, ()), right)
    joined = _chosen(tree, _numbered(query, left), _numbered(query, right))
    return Project(joined, tuple((name, column(joined.field(name))) for name in names))


def _chosen(tree: exp.SetOperation, left: Node, right: Node) -> Node:
    """The left rows that the right has (INTERSECT) or has not (EXCEPT). Needs: the same columns in both."""
    names = [one.name for one in left.fields]
    right, named = apart(right, frozenset(names), "other")
    kind = "semi" if isinstance(tree, exp.Intersect) else "anti"
    return Join(left, right, kind, tuple((name, named[name]) for name in names), nulls_agree=True)


def _numbered(query: Query, node: Node) -> Node:
    """Equal rows made different by their number: what ALL counts."""
    names = tuple(one.name for one in node.fields)
    number = fresh_name("number", names)
    return Window(node, names, (), ((number, windowed("row_number", None, rows_max(node, frozenset(names), query.catalog))),))


def _one_form(query: Query, tree: exp.SetOperation) -> tuple[Node, Node]:
    """Both sides with the left one's names, their columns in one scale and domain."""
    sides = [query.whole(one, nested=True) for one in (tree.this, tree.expression)]
    with at(tree, query.sql):
        counts = [len(one.fields) for one in sides]
        if counts[0] != counts[1]:
            what = f"{tree.key.upper()} of {counts[0]} and {counts[1]} columns"
            raise Refused(what, rule="both queries have the same number of columns", do="select NULL for what one of them lacks")
        rows = zip(_columns(sides[0]), _columns(sides[1]), strict=True)
        pairs = [unified(tree.key.upper(), pair) for pair in rows]
    names = [one.name for one in sides[0].fields]
    return _renamed(sides[0], names, [pair[0] for pair in pairs]), _renamed(sides[1], names, [pair[1] for pair in pairs])


def _columns(node: Node) -> list[Expression]:
    """A table's columns; one that is NULL throughout takes the other side's type."""
    made = dict(node.columns) if isinstance(node, Project) else {}
    return [made[one.name] if one.name in made and is_null(made[one.name]) else column(one) for one in node.fields]


def _renamed(node: Node, names: list[str], columns: list[Expression]) -> Node:
    same = [column(one) for one in node.fields] == columns and [one.name for one in node.fields] == names
    return node if same else Project(node, tuple(zip(names, columns, strict=True)))
