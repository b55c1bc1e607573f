"""Rule: a table of one owner that a group-by adds up after a join is added up by its owner before, one row for each join key.

The join then has at most the rows of its other side, and what these carry along stays where it is. Where each group is left with one
row, the group-by above is done.
"""

from __future__ import annotations

from dataclasses import replace

from accord.plan.catalog import Catalog
from accord.plan.expression import AggregateCall, ColumnRef, Expression, columns_of
from accord.plan.facts import has_domain, owners_of, rows_max
from accord.plan.lift import PARTIAL, lift_to_owners
from accord.plan.nodes import Aggregate, Filter, Join, Local, Node, Project
from accord.plan.rewrite import bottom_up
from accord.plan.typing import column

Names = frozenset[str]


def aggregate_early(node: Node, catalog: Catalog) -> Node:
    """Applies where the aggregates read that table alone, the keys nothing of it but its join key, and it has more rows than the other."""
    return bottom_up(node, lambda one: _early(one, catalog) if isinstance(one, Aggregate) else one)


def _early(node: Aggregate, catalog: Catalog) -> Node:
    above, join = _down_to_join(node.input)
    if join is None or not node.keys or any(call.function not in PARTIAL for _, call in node.aggregates):
        return node
    if isinstance(lift_to_owners(join, catalog), Local):
        return node
    for at in (1, 0):
        if _applies(node, above, join, at, catalog):
            return _finished(_rewritten(node, above, join, at), catalog)
    return node


def _down_to_join(node: Node) -> tuple[list[Expression], Join | None]:
    """The inner join below conditions and projections that pass columns on, and these conditions."""
    conditions: list[Expression] = []
    while True:
        if isinstance(node, Filter):
            conditions.append(node.predicate)
        elif not (isinstance(node, Project) and all(isinstance(one, ColumnRef) and one.name == name for name, one in node.columns)):
            break
        node = node.input
    is_plain = isinstance(node, Join) and node.kind == "inner" and not (node.rows_max or node.match)
    return conditions, node if isinstance(node, Join) and is_plain else None


def _applies(node: Aggregate, above: list[Expression], join: Join, at: int, catalog: Catalog) -> bool:
    mine, other = join.inputs[at], join.inputs[1 - at]
    keys = frozenset(pair[at] for pair in join.on)
    rest = _names(mine) - keys
    read = [columns_of(call.argument) for _, call in node.aggregates if call.argument is not None]
    if not read or not all(one <= _names(mine) for one in read):
        return False
    if frozenset(node.keys) & rest or any(columns_of(one) & rest for one in above):
        return False
    if rows_max(mine, keys, catalog) <= 1 or rows_max(other, frozenset(), catalog) >= rows_max(mine, frozenset(), catalog):
        return False
    return isinstance(lift_to_owners(mine, catalog), Local) and len(owners_of(mine, catalog)) == 1


def _names(node: Node) -> Names:
    return frozenset(one.name for one in node.fields)


def _rewritten(node: Aggregate, above: list[Expression], join: Join, at: int) -> Aggregate:
    """Both group-bys: the owner's by the join key, and the one over the joined rows."""
    keys = tuple(dict.fromkeys(pair[at] for pair in join.on))
    taken = _names(join)
    parts, totals = [], []
    for name, call in node.aggregates:
        part = f"{name}_part"
        while part in taken:
            part += "_"
        taken |= {part}
        parts.append((part, call))
        function = "sum" if call.function == "count" else call.function
        totals.append((name, AggregateCall(function, ColumnRef(call.type, part), call.type)))
    grouped = Aggregate(join.inputs[at], keys, tuple(parts))
    below: Node = replace(join, right=grouped) if at else replace(join, left=grouped)
    for predicate in reversed(above):
        below = Filter(below, predicate)
    return replace(node, input=below, aggregates=tuple(totals))


def _finished(node: Aggregate, catalog: Catalog) -> Node:
    """The group-by, or where unique keys promise that each group has one row, that row. Groups on a public grid stay on it."""
    _, join = _down_to_join(node.input)
    several = join is None or any(len(owners_of(side, catalog)) > 1 for side in join.inputs)
    if several and all(has_domain(node.input, key) for key in node.keys):
        return node
    if rows_max(node.input, frozenset(node.keys), catalog) > 1:
        return node
    made = [(name, call.argument) for name, call in node.aggregates if call.argument is not None]
    return Project(node.input, (*((key, column(node.input.field(key))) for key in node.keys), *made))
