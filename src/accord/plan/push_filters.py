"""Rule: a condition moves below joins, projections and group-bys to the one table that it reads, so that its owner can apply it."""

from __future__ import annotations

from collections import Counter

from accord.plan.catalog import Catalog
from accord.plan.expression import Call, ColumnRef, Expression, columns_of
from accord.plan.facts import walk, with_inputs
from accord.plan.nodes import Aggregate, Filter, Join, Node, Project, Several, Sort
from accord.plan.rewrite import conjunction, conjuncts, substituted


def push_filters(node: Node, _: Catalog) -> Node:
    """A condition stays where it computes on derived columns, reads the NULL side of an outer join, or where a table is used twice."""
    return _Push(node).pushed(node, [])


class _Push:
    def __init__(self, node: Node) -> None:
        self.uses = Counter(id(below) for one in walk(node) for below in one.inputs)
        self.done: dict[int, tuple[Node, Node]] = {}

    def pushed(self, node: Node, pending: list[Expression]) -> Node:
        """The node with the pending conditions applied as far down as they go."""
        if self.uses[id(node)] > 1:
            if id(node) not in self.done:
                self.done[id(node)] = (node, self._through(node, []))
            return _filtered(self.done[id(node)][1], pending)
        return self._through(node, pending)

    def _through(self, node: Node, pending: list[Expression]) -> Node:
        if isinstance(node, Filter):
            return self.pushed(node.input, [*conjuncts(node.predicate), *pending])
        if isinstance(node, Join):
            return self._join(node, pending)
        if isinstance(node, Several):
            return Several(tuple(self.pushed(one, []) for one in node.parts))
        here, below = _split(node, pending)
        if len(node.inputs) != 1:
            return _filtered(node, pending)
        return _filtered(with_inputs(node, (self.pushed(node.inputs[0], below),)), here)

    def _join(self, node: Join, pending: list[Expression]) -> Node:
        lefts, rights = (frozenset(one.name for one in side.fields) for side in (node.left, node.right))
        to_left, to_right, here, on = [], [], [], []
        for one in pending:
            if columns_of(one) <= lefts:
                to_left.append(one)
            elif node.kind == "left":
                here.append(one)
            elif columns_of(one) <= rights:
                to_right.append(one)
            elif pair := _equality(one, lefts):
                on.append(pair)
            else:
                here.append(one)
        pairs = tuple(dict.fromkeys((*node.on, *on)))
        kind = "inner" if node.kind == "cross" and pairs else node.kind
        return _filtered(Join(self.pushed(node.left, to_left), self.pushed(node.right, to_right), kind, pairs), here)


def _split(node: Node, pending: list[Expression]) -> tuple[list[Expression], list[Expression]]:
    """The conditions that stay above a node, and those that go below it."""
    if isinstance(node, Sort):
        return [], pending
    if isinstance(node, Aggregate):
        goes = [bool(node.keys) and columns_of(one) <= frozenset(node.keys) for one in pending]
        return [one for one, go in zip(pending, goes, strict=True) if not go], [one for one, go in zip(pending, goes, strict=True) if go]
    if isinstance(node, Project):
        plain = {name: expression for name, expression in node.columns if not isinstance(expression, Call)}
        goes = [columns_of(one) <= frozenset(plain) for one in pending]
        below = [substituted(one, plain) for one, go in zip(pending, goes, strict=True) if go]
        return [one for one, go in zip(pending, goes, strict=True) if not go], below
    return pending, []


def _equality(one: Expression, lefts: frozenset[str]) -> tuple[str, str] | None:
    """The pair of columns that a condition equates across a join."""
    if not (isinstance(one, Call) and one.function == "eq" and all(isinstance(side, ColumnRef) for side in one.arguments)):
        return None
    names = [side.name for side in one.arguments if isinstance(side, ColumnRef)]
    first, second = names if names[0] in lefts else reversed(names)
    return first, second


def _filtered(node: Node, conditions: list[Expression]) -> Node:
    return Filter(node, conjunction(conditions)) if conditions else node
