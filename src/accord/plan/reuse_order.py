"""Rule: a join on secret columns leaves its rows in the order that it sorted them by, where the group-by above would sort them so again.

The join knows where each row stands among all keys; to put its rows there costs less than another sort by those keys, unless the other
table is much larger.
"""

from __future__ import annotations

from dataclasses import replace

from accord.mpc.cost import cost_of
from accord.mpc.hash_keys import hash_bits
from accord.mpc.join import in_key_order
from accord.mpc.party import LAN
from accord.mpc.sort import order
from accord.plan.catalog import Catalog
from accord.plan.dependence import MANY
from accord.plan.expression import ColumnRef
from accord.plan.facts import rows_max, walk, with_inputs
from accord.plan.nodes import Aggregate, Concatenate, Filter, Input, Join, Limit, Node, Project
from accord.plan.secure_group import ORDERED
from accord.plan.secure_key import width_of


def reuse_order(node: Node, catalog: Catalog) -> Node:
    """Of inner joins with a unique side, below group-bys by all columns that they join on and no others."""
    found = {id(join) for one in walk(node) if isinstance(one, Aggregate) and (join := _sorted_alike(one, catalog))}
    done: dict[int, Node] = {}
    for one in walk(node):
        made = with_inputs(one, tuple(done[id(below)] for below in one.inputs))
        done[id(one)] = replace(made, in_order=True) if isinstance(made, Join) and id(one) in found else made
    return done[id(node)]


def _sorted_alike(node: Aggregate, catalog: Catalog) -> Join | None:
    """The join that sorted the rows as the group-by would."""
    if node.is_public or not node.keys or any(call.function in ORDERED for _, call in node.aggregates):
        return None
    names, below = node.telling or node.keys, node.input
    while isinstance(below, Filter | Project):
        if isinstance(below, Project):
            passed = {name: one.name for name, one in below.columns if isinstance(one, ColumnRef)}
            names = tuple(passed.get(name, "") for name in names)
        below = below.input
    if not isinstance(below, Join) or below.kind != "inner" or below.match or below.is_public or not below.unique:
        return None
    sides = [frozenset(pair[place] for pair in below.on) for place in (0, 1)]
    return below if frozenset(names) in sides and _is_worth_it(below, catalog) else None


def _is_worth_it(join: Join, catalog: Catalog) -> bool:
    """Whether another sort of the side whose rows stay would send more."""
    stays = 0 if join.unique in ("right", "both") else 1
    rows, other = (_rows(join.inputs[place], catalog) for place in (stays, 1 - stays))
    types = [join.inputs[stays].field(pair[stays]).type for pair in join.on]
    bits = min(sum(width_of(one) + one.nullable for one in types), hash_bits(rows))
    return cost_of(in_key_order, other, rows).bytes < cost_of(order, rows, bits + 1, LAN).bytes


def _rows(node: Node, catalog: Catalog) -> int:
    """The rows of a placed step, there or not."""
    if isinstance(node, Input):
        return node.rows
    if isinstance(node, Concatenate):
        return sum(_rows(one, catalog) for one in node.parts)
    if isinstance(node, Join) and not node.is_public:
        left, right = (_rows(one, catalog) for one in node.inputs)
        if node.is_choice or node.unique in ("right", "both"):
            return left
        return (right if node.unique else node.rows_max) + (left if node.kind == "left" else 0)
    if isinstance(node, Aggregate) and not node.is_public:
        return min(_rows(node.input, catalog), node.groups_max or MANY) if node.keys else 1
    if isinstance(node, Limit):
        return min(_rows(node.input, catalog), node.count)
    return _rows(node.inputs[0], catalog) if len(node.inputs) == 1 else rows_max(node, frozenset(), catalog)
