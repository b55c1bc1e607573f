"""Rule: what a step on shares moves is only what is read above it. A join, sort, group-by or window on secret columns pays for each."""

from __future__ import annotations

from accord.plan.catalog import Catalog
from accord.plan.expression import columns_of
from accord.plan.facts import walk, with_inputs
from accord.plan.nodes import Aggregate, Concatenate, Join, Limit, Node, Project, Promise, Sort, Window
from accord.plan.prune import read_of_inputs
from accord.plan.typing import column

Names = frozenset[str]


def trim_secret_steps(node: Node, _: Catalog) -> Node:
    """Below each step that moves secret rows stands a projection to the columns that are read, where there are others."""
    needs: dict[int, Names] = {id(node): _names(node)}
    for one in reversed(list(walk(node))):
        for below, names in zip(one.inputs, read_of_inputs(one, needs[id(one)]), strict=True):
            needs[id(below)] = needs.get(id(below), frozenset()) | names
    return _trimmed(node, {id(one): read_of_inputs(one, needs[id(one)]) for one in walk(node)})


def _trimmed(node: Node, read: dict[int, tuple[Names, ...]]) -> Node:
    done: dict[int, Node] = {}
    for one in walk(node):
        inputs = tuple(done[id(below)] for below in one.inputs)
        if moves_rows(one) or (isinstance(one, Concatenate) and len(set(map(_names, inputs))) > 1):
            inputs = tuple(_only(below, names) for below, names in zip(inputs, read[id(one)], strict=True))
        done[id(one)] = _over(one, inputs)
    return done[id(node)]


def _over(node: Node, inputs: tuple[Node, ...]) -> Node:
    """The step over inputs that may have lost columns, which nobody reads; a projection loses what it made of them."""
    if not isinstance(node, Project):
        return with_inputs(node, inputs)
    left = _names(inputs[0])
    kept = tuple((name, one) for name, one in node.columns if columns_of(one) <= left)
    return node if inputs == node.inputs else Project(inputs[0], kept)


def moves_rows(node: Node) -> bool:
    """Whether a step moves secret columns, at a price for each."""
    if isinstance(node, Join):
        return bool(node.on or node.match) and not node.is_public
    return isinstance(node, Limit | Window | Promise) or (isinstance(node, Aggregate | Sort) and not node.is_public)


def _only(node: Node, names: Names) -> Node:
    kept = tuple((one.name, column(one)) for one in node.fields if one.name in names)
    return node if len(kept) in (0, len(node.fields)) else Project(node, kept)


def _names(node: Node) -> Names:
    return frozenset(one.name for one in node.fields)
