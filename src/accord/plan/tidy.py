"""Rule: projections that only pass columns on or rename them disappear into the one above.

One that computes stays as it is, even under one that only chooses: another release may choose other columns of the same step.
"""

from __future__ import annotations

from accord.plan.catalog import Catalog
from accord.plan.expression import ColumnRef
from accord.plan.nodes import Node, Project
from accord.plan.rewrite import bottom_up, substituted


def tidy_projections(node: Node, _: Catalog) -> Node:
    """Two projections become one where the lower computes nothing; one that changes nothing is dropped."""
    return bottom_up(node, _tidied, below_local=False)


def _tidied(node: Node) -> Node:
    if not isinstance(node, Project):
        return node
    below = node.input
    if isinstance(below, Project) and _only_names(below):
        made = dict(below.columns)
        return _tidied(Project(below.input, tuple((name, substituted(expression, made)) for name, expression in node.columns)))
    same = tuple((one.name, one.name) for one in below.fields)
    passed = tuple((name, expression.name) for name, expression in node.columns if isinstance(expression, ColumnRef))
    return below if _only_names(node) and passed == same else node


def _only_names(node: Project) -> bool:
    return all(isinstance(expression, ColumnRef) for _, expression in node.columns)
