"""Placement: a plan over owners' tables becomes one over inputs that owners compute alone and share. One tuple of rules, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from accord.base.errors import OurFault, Refused
from accord.plan.catalog import Catalog
from accord.plan.facts import walk
from accord.plan.lift import lift_to_owners
from accord.plan.nodes import Join, Local, Node, Scan, Several
from accord.plan.order_joins import order_joins
from accord.plan.prune import prune_columns
from accord.plan.public import fold_publics
from accord.plan.push_columns import push_columns, require_local_functions
from accord.plan.push_filters import push_filters
from accord.plan.share import share_inputs, unbounded
from accord.plan.tidy import tidy_projections

Rule = Callable[[Node, Catalog], Node]

Trace = Callable[[str, Node], None]

RULES: tuple[Rule, ...] = (
    push_filters,
    order_joins,
    lift_to_owners,
    push_columns,
    prune_columns,
    fold_publics,
    tidy_projections,
    share_inputs,
)
"""Each keeps names, order and types of the columns, and the rows; `verify` checks the first after each, tests the second."""


LOWERED_JOINS = ("inner", "left", "cross", "semi", "anti")


def ignore(rule: str, plan: Node) -> None:
    """Nobody listens."""


def place(node: Node, catalog: Catalog, trace: Trace = ignore) -> Node:
    """The placed plan. Raises Refused, with the nearest form, where a step would need room that nobody bounded.

    `trace` hears each rule's name and what it made.
    """
    return place_all((node,), catalog, trace)[0]


def place_all(nodes: Sequence[Node], catalog: Catalog, trace: Trace = ignore) -> tuple[Node, ...]:
    """Several plans placed together: a step that two of them name (the same node) stays one step for both, and runs once."""
    whole: Node = Several(tuple(nodes))
    for rule in RULES:
        placed = rule(whole, catalog)
        for before, after in zip(whole.inputs, placed.inputs, strict=True):
            verify(rule.__name__, before, after)
            trace(rule.__name__, after)
        whole = placed
    for one in whole.inputs:
        require_placed(one)
    return whole.inputs


def verify(rule: str, before: Node, after: Node) -> None:
    """Raises OurFault where a rule changed the columns. Which of them are public is settled by the last rule: see `require_placed`."""
    old, new = ([(one.name, one.type) for one in node.fields] for node in (before, after))
    if old != new:
        raise OurFault(f"{rule} made the columns {new} of {old}")


def require_placed(node: Node) -> None:
    """Raises Refused where a join could have more rows than anybody said, or servers would compute what only owners can; OurFault for what
    is not placed."""
    require_local_functions(node)
    for one in walk(node):
        if isinstance(one, Scan | Local):
            raise OurFault(f"a {type(one).__name__} is left in a placed plan")
        if isinstance(one, Join):
            _require_kind(one)
            _require_bound(one)


def _require_kind(node: Join) -> None:
    if node.kind not in LOWERED_JOINS:
        do = "turn a right join round; write a full one as a left join and the rows of the right that meet none"
        raise Refused(f"a {node.kind} join on shares", rule=", ".join(LOWERED_JOINS), do=do)
    for left, right in node.on:
        a, b = node.left.field(left).type, node.right.field(right).type
        if a.values != b.values or a.scale != b.scale:
            raise OurFault(f"a join of {left} with {right}, which are not in one form")


def _require_bound(node: Join) -> None:
    """A join on secret columns in which several rows of both sides may agree needs room that does not depend on the data."""
    if not unbounded(node):
        return
    on = " and ".join(f"{left} = {right}" for left, right in node.on)
    raise Refused(
        f"a JOIN on {on}, which is secret, where several rows of either side may agree",
        rule="how many rows meet is secret, so that their number needs a bound",
        do="make one side unique with GROUP BY in a subquery, or declare the columns unique, or the most rows that the join can have",
    )
