"""Public tables that a plan computes from others: at plan time, once, so that they stand in the signed plan as rows."""

from __future__ import annotations

from dataclasses import replace

from accord.base.canonical import digest
from accord.base.errors import Refused
from accord.base.limits import PUBLIC_ROWS_MAX
from accord.plan.catalog import Catalog
from accord.plan.facts import most_rows
from accord.plan.interpret import interpret
from accord.plan.nodes import Join, Node, Public, Several
from accord.plan.rewrite import bottom_up


def fold_publics(node: Node, _: Catalog) -> Node:
    """Rule: every step over public tables alone is replaced by the Public that it is."""
    return bottom_up(node, _folded, below_local=False)


def _folded(node: Node) -> Node:
    ready = node.inputs and not isinstance(node, Several) and all(isinstance(one, Public) for one in node.inputs)
    return computed(node) if ready else node


def computed(node: Node) -> Public:
    """The Public that one step over Publics is. Raises Refused where it has too many rows."""
    if isinstance(node, Join):
        _require_rows(node.left, node.right, node)
    table = interpret(node)
    rows = tuple(table.tuples())
    fields = tuple(replace(field, public=True) for field in node.fields)
    return Public(f"public_{digest('public', repr((fields, rows)).encode()).hex()[:8]}", fields, rows)


def _require_rows(left: Node, right: Node, join: Join) -> None:
    assert isinstance(left, Public) and isinstance(right, Public)
    keys = frozenset(name for _, name in join.on)
    matches = most_rows(right, keys)
    if len(left.rows) * matches > PUBLIC_ROWS_MAX:
        raise Refused(
            f"a public table of up to {len(left.rows) * matches} rows",
            rule=f"at most {PUBLIC_ROWS_MAX}: they stand in the signed plan",
            do="JOIN fewer domains, or choose rows with WHERE before joining",
        )
