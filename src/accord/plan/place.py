"""Placement: a plan over owners' tables becomes one over inputs that owners compute alone and share. One tuple of rules, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from accord.base.errors import OurFault
from accord.plan.aggregate_early import aggregate_early
from accord.plan.catalog import Catalog
from accord.plan.demands import require_secure
from accord.plan.facts import walk
from accord.plan.fold_constants import fold_constants
from accord.plan.lift import lift_to_owners
from accord.plan.nodes import Local, Node, Scan, Several
from accord.plan.order_joins import order_joins
from accord.plan.promises import check_promises
from accord.plan.prune import prune_columns
from accord.plan.public import fold_publics
from accord.plan.push_columns import push_columns, require_local_functions
from accord.plan.push_filters import push_filters
from accord.plan.reuse_order import reuse_order
from accord.plan.share import share_inputs
from accord.plan.tidy import tidy_projections
from accord.plan.trim import trim_secret_steps

Rule = Callable[[Node, Catalog], Node]

Trace = Callable[[str, Node], None]

RULES: tuple[Rule, ...] = (
    check_promises,
    push_filters,
    fold_constants,
    order_joins,
    aggregate_early,
    lift_to_owners,
    push_columns,
    prune_columns,
    fold_publics,
    tidy_projections,
    share_inputs,
    trim_secret_steps,
    reuse_order,
)
"""Each keeps names, order and types of the columns, and the rows; `verify` checks the first after each, tests the second."""


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
        require_secure(one)
