"""Rule: projections that only pass columns on or rename them disappear into another.

At an owner they disappear into the one above or below. On shares one that computes stays as it is, even under one that only chooses:
another release may choose other columns of the same step, which then runs once.
"""

from __future__ import annotations

from accord.plan.catalog import Catalog
from accord.plan.expression import ColumnRef
from accord.plan.nodes import Local, Node, Project
from accord.plan.rewrite import bottom_up, substituted


def tidy_projections(node: Node, _: Catalog) -> Node:
    """Two projections become one where one of them computes nothing; one that changes nothing is dropped."""
    return bottom_up(node, _on_shares, below_local=False)


def _on_shares(node: Node) -> Node:
    if isinstance(node, Local):
        return Local(bottom_up(node.input, lambda one: _tidied(one, at_owner=True)))
    return _tidied(node, at_owner=False)


def _tidied(node: Node, at_owner: bool) -> Node:
    if not isinstance(node, Project):
        return node
    below = node.input
    if isinstance(below, Project) and (_only_names(below) or (at_owner and _only_names(node))):
        made = dict(below.columns)
        return _tidied(Project(below.input, tuple((name, substituted(expression, made)) for name, expression in node.columns)), at_owner)
    return below if changes_nothing(node) else node


def changes_nothing(node: Project) -> bool:
    """Whether a projection has its input's columns, all of them and in order."""
    passed = [(name, expression.name) for name, expression in node.columns if isinstance(expression, ColumnRef)]
    return _only_names(node) and passed == [(one.name, one.name) for one in node.input.fields]


def _only_names(node: Project) -> bool:
    return all(isinstance(expression, ColumnRef) for _, expression in node.columns)
