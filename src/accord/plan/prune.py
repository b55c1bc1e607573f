"""Rule: only columns that are needed above are computed, and only those are shared."""

from __future__ import annotations

from dataclasses import replace

from accord.plan.catalog import Catalog
from accord.plan.expression import ColumnRef, columns_of
from accord.plan.facts import walk, with_inputs
from accord.plan.nodes import Aggregate, Concatenate, Filter, Join, Local, Node, Project, Promise, Public, Scan, Several, Sort, Window
from accord.plan.typing import column

Names = frozenset[str]


def prune_columns(node: Node, _: Catalog) -> Node:
    """Columns that no step above reads are left out; what is shared is exactly what is read."""
    needs: dict[int, Names] = {id(node): _names(node)}
    for one in reversed(list(walk(node))):
        for below, wanted in zip(one.inputs, read_of_inputs(one, needs[id(one)]), strict=True):
            needs[id(below)] = needs.get(id(below), frozenset()) | wanted
    return _Prune(needs).pruned(node)


def _names(node: Node) -> Names:
    return frozenset(one.name for one in node.fields)


def read_of_inputs(node: Node, needed: Names) -> tuple[Names, ...]:
    """What a node whose columns `needed` are read reads of each input."""
    if isinstance(node, Filter):
        return (needed | columns_of(node.predicate),)
    if isinstance(node, Project):
        return (frozenset().union(*(columns_of(expression) for name, expression in node.columns if name in needed)),)
    if isinstance(node, Aggregate):
        arguments = (call.argument for name, call in node.aggregates if name in needed and call.argument is not None)
        return (frozenset(node.keys).union(*(columns_of(one) for one in arguments)),)
    if isinstance(node, Join):
        of_right = frozenset() if node.is_choice else needed & _names(node.right)
        return (needed & _names(node.left)) | node.compared[0], of_right | node.compared[1]
    if isinstance(node, Window):
        return (_of_window(node, needed),)
    if isinstance(node, Sort):
        return (needed | {name for name, _ in node.keys},)
    if isinstance(node, Several):
        return tuple(_names(one) for one in node.parts)
    if isinstance(node, Promise):
        return needed, *(_names(one) for one in node.keys)
    return tuple(needed for _ in node.inputs)


def _of_window(node: Window, needed: Names) -> Names:
    """Its partition and order are read only for the calls that are."""
    made = {name for name, _ in node.calls}
    calls = [call for name, call in node.calls if name in needed]
    read = frozenset().union(*(columns_of(call.argument) for call in calls if call.argument is not None))
    return (needed - made) | read | (frozenset({*node.partition, *(name for name, _ in node.order)}) if calls else frozenset())


class _Prune:
    """At an owner only what is needed stays. On shares, columns that are merely passed on cost nothing and stay too: plans of several
    releases then have equal steps, which run once."""

    def __init__(self, needs: dict[int, Names]) -> None:
        self.needs = needs
        self.done: dict[tuple[int, bool], Node] = {}

    def pruned(self, node: Node, at_owner: bool = False) -> Node:
        key = (id(node), at_owner)
        if key not in self.done:
            self.done[key] = self._pruned(node, self.needs[id(node)], at_owner)
        return self.done[key]

    def _pruned(self, node: Node, needed: Names, at_owner: bool) -> Node:
        if isinstance(node, Scan):
            return replace(node, columns=tuple(one for one in node.columns if one.name in needed))
        if isinstance(node, Public):
            return _public(node, needed) if at_owner else node
        if isinstance(node, Join):
            return replace(node, left=self.pruned(node.left, at_owner), right=self.pruned(node.right, at_owner))
        if isinstance(node, Several | Promise):
            return with_inputs(node, tuple(self.pruned(one) for one in node.inputs))
        if isinstance(node, Concatenate):
            return Concatenate(tuple(_chosen(self.pruned(one, at_owner), _kept(node, needed)) for one in node.parts))
        below = self.pruned(node.inputs[0], at_owner or isinstance(node, Local))
        if isinstance(node, Window):
            calls = tuple(one for one in node.calls if one[0] in needed)
            return replace(node, input=below, calls=calls) if calls else below
        if isinstance(node, Project):
            kept = needed if at_owner else needed | _passed_on(node, _names(below))
            return Project(below, tuple(one for one in node.columns if one[0] in kept))
        if isinstance(node, Aggregate):
            return replace(node, input=below, aggregates=tuple(one for one in node.aggregates if one[0] in needed))
        if isinstance(node, Local) and _names(below) != needed:
            return Local(Project(below, tuple((one.name, column(one)) for one in below.fields if one.name in needed)))
        return with_inputs(node, (below,))


def _kept(node: Concatenate, needed: Names) -> tuple[str, ...]:
    return tuple(one.name for one in node.fields if one.name in needed)


def _chosen(node: Node, names: tuple[str, ...]) -> Node:
    """The node with these columns, in this order."""
    same = names == tuple(one.name for one in node.fields)
    return node if same else Project(node, tuple((name, column(node.field(name))) for name in names))


def _passed_on(node: Project, below: Names) -> Names:
    """The columns that a projection takes over as they are, of those that its input still has."""
    return frozenset(name for name, one in node.columns if isinstance(one, ColumnRef) and one.name in below)


def _public(node: Public, needed: Names) -> Public:
    places = [place for place, one in enumerate(node.columns) if one.name in needed]
    if len(places) == len(node.columns):
        return node
    rows = tuple(tuple(row[place] for place in places) for row in node.rows)
    return Public(node.name, tuple(node.columns[place] for place in places), rows)
