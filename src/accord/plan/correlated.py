"""Which columns of a plan are made of correlations: the only numbers that servers compute to within a unit, not exactly."""

from __future__ import annotations

from accord.plan.expression import columns_of
from accord.plan.moments import CORRELATION_DIGITS
from accord.plan.nodes import Aggregate, Input, Node, Project, Window
from accord.plan.rewrite import functions_of
from accord.plan.types import DECIMAL

CORRELATED = "each correlation in it within 0.000001"
_WRITTEN = "BIN("
"""An owner's SQL counts bits for correlations alone."""


def correlated(node: Node) -> frozenset[str]:
    """The columns of a placed plan that depend on a correlation."""
    if isinstance(node, Input):
        return _of_owner(node)
    below = frozenset[str]().union(*(correlated(one) for one in node.inputs))
    if isinstance(node, Project):
        return frozenset(name for name, one in node.columns if columns_of(one) & below or "correlation" in functions_of(one))
    if isinstance(node, Aggregate | Window):
        calls = node.aggregates if isinstance(node, Aggregate) else node.calls
        below |= {name for name, call in calls if call.argument is not None and columns_of(call.argument) & below}
    return below & {one.name for one in node.fields}


def _of_owner(node: Input) -> frozenset[str]:
    """Those that the owner computes alone, by their type."""
    one = 10**CORRELATION_DIGITS
    if _WRITTEN not in node.sql:
        return frozenset()
    made = (DECIMAL, CORRELATION_DIGITS, -one, one)
    types = ((field.name, field.type) for field in node.fields)
    return frozenset(name for name, type in types if (type.kind, type.scale, type.low, type.high) == made)
