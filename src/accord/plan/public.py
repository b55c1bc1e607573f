"""Public tables that a plan computes from others: at plan time, once, so that they stand in the signed plan as rows."""

from __future__ import annotations

from dataclasses import replace

from accord.base.canonical import digest
from accord.base.errors import Refused
from accord.base.limits import PUBLIC_ROWS_MAX
from accord.plan.facts import most_rows, with_inputs
from accord.plan.interpret import interpret
from accord.plan.nodes import Join, Local, Node, Public


def folded(node: Node) -> Node:
    """The plan with every subplan of public tables alone replaced by the Public that it is."""
    return _folded(node, {})


def _folded(node: Node, done: dict[int, tuple[Node, Node]]) -> Node:
    if id(node) not in done:
        below = node if isinstance(node, Local) else with_inputs(node, tuple(_folded(one, done) for one in node.inputs))
        ready = below.inputs and not isinstance(below, Local) and all(isinstance(one, Public) for one in below.inputs)
        done[id(node)] = (node, computed(below) if ready else below)
    return done[id(node)][1]


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
