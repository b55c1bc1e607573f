"""Placement: a plan over owners' tables becomes one over inputs that owners compute alone and share. One tuple of rules, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from accord.base.errors import OurFault, Refused
from accord.plan.catalog import Catalog
from accord.plan.facts import walk
from accord.plan.lift import lift_to_owners
from accord.plan.nodes import Aggregate, Join, Local, Node, Scan, Several, Sort
from accord.plan.prune import prune_columns
from accord.plan.public import fold_publics
from accord.plan.push_filters import push_filters
from accord.plan.share import share_inputs
from accord.plan.tidy import tidy_projections

Rule = Callable[[Node, Catalog], Node]

Trace = Callable[[str, Node], None]

RULES: tuple[Rule, ...] = (push_filters, lift_to_owners, prune_columns, fold_publics, tidy_projections, share_inputs)
"""Each keeps names, order and types of the columns, and the rows; `verify` checks the first after each, tests the second."""


def ignore(rule: str, plan: Node) -> None:
    """Nobody listens."""


def place(node: Node, catalog: Catalog, trace: Trace = ignore) -> Node:
    """The placed plan. Raises Refused, with the nearest form, where a step would need a secret layout or too large a grid.

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
    """Raises Refused where a join, group-by or order is over a secret column, OurFault for what is not placed."""
    for one in walk(node):
        if isinstance(one, Scan | Local):
            raise OurFault(f"a {type(one).__name__} is left in a placed plan")
        if isinstance(one, Join):
            for place, side in enumerate(one.inputs):
                names = tuple(pair[place] for pair in one.on)
                _require_public(side, names, "JOIN on", "JOIN on columns that come unchanged from declared domains or group-by keys")
            _require_kind(one)
        if isinstance(one, Aggregate):
            _require_public(one.input, one.keys, "GROUP BY", "write one aggregate for each value: COUNT(*) FILTER (WHERE {0} = …)")
        if isinstance(one, Sort):
            names = tuple(name for name, _ in one.keys)
            _require_public(one.input, names, "ORDER BY", "order by a key; the recipient sorts the rest after opening")


def _require_public(node: Node, names: tuple[str, ...], what: str, do: str) -> None:
    for name in names:
        if not node.field(name).public:
            raise Refused(f"{what} {name}, which is secret there", rule="the layout of rows is public", do=do.format(name))


def _require_kind(node: Join) -> None:
    if node.kind not in ("inner", "left", "cross"):
        do = "turn a right join round; LEFT JOIN both tables to a grid of domains"
        raise Refused(f"a {node.kind} join on shares", rule="inner, left or cross", do=do)
    for left, right in node.on:
        a, b = node.left.field(left).type, node.right.field(right).type
        if a.values != b.values or a.scale != b.scale:
            raise OurFault(f"a join of {left} with {right}, which are not in one form")
