"""Rule: what one owner can do alone moves to the owner; a group-by over several owners becomes partial ones and a total."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from accord.base.limits import ROWS_MAX
from accord.plan.catalog import Catalog
from accord.plan.expression import AggregateCall, ColumnRef, columns_of
from accord.plan.facts import grid_keys, has_domain, owner_columns, owners_of, rows_max, table_info, with_inputs
from accord.plan.largest import LARGEST, in_parts
from accord.plan.nodes import Aggregate, AsOf, Concatenate, Filter, Join, Limit, Local, Node, Project, Scan, Sort, Window
from accord.plan.rewrite import bottom_up, is_public
from accord.plan.share import GRID_ROWS_FREE, GRID_ROWS_PER_ROW
from accord.plan.typing import domain

PARTIAL = ("sum", "count", "min", "max", "bool_and", "bool_or")
"""Aggregates of which each owner's part is enough."""


_KEEPS_LEFT = ("inner", "cross", "left", "semi", "anti")
"""Joins of which each left row's part is told by that row and the right table."""


def lift_to_owners(node: Node, catalog: Catalog) -> Node:
    """Every Scan becomes local, and with it each step above that needs no other owner's rows."""
    return bottom_up(node, lambda one: lift_step(one, catalog))


def lift_step(node: Node, catalog: Catalog) -> Node:
    """One step, whose inputs are local where they can be: local itself where it can be."""
    if isinstance(node, Scan):
        return Local(node)
    if isinstance(node, Filter | Project) and isinstance(node.input, Local):
        return Local(replace(node, input=node.input.input))
    if isinstance(node, Project) and isinstance(node.input, Join) and (looked_up := _looked_up(node, node.input, catalog)):
        return Local(replace(node, input=looked_up))
    if isinstance(node, Aggregate) and isinstance(node.input, Local):
        return _aggregate(node, node.input.input, catalog)
    if isinstance(node, Join):
        return _join(node, catalog)
    if isinstance(node, Window | Concatenate) and all(isinstance(one, Local) for one in node.inputs):
        return Local(with_inputs(node, tuple(one.inputs[0] for one in node.inputs))) if _is_apart(node, catalog) else node
    if isinstance(node, Limit):
        return _limit(node, catalog)
    return node


def _is_apart(node: Window | Concatenate, catalog: Catalog) -> bool:
    """Whether each owner can do its part of a step that looks at several rows."""
    owners = {owners_of(one, catalog) for one in node.inputs}
    if isinstance(node, Concatenate):
        return len(owners) == 1
    return all(len(one) == 1 for one in owners) or bool(frozenset(owner_columns(node.input, catalog)) & frozenset(node.partition))


def _limit(node: Limit, catalog: Catalog) -> Node:
    """One owner chooses its first rows; which order they come in is settled again above, since shares have none."""
    sort = node.input if isinstance(node.input, Sort) else None
    below = sort.input if sort else node.input
    if not isinstance(below, Local) or len(owners_of(below, catalog)) > 1:
        return node
    first = Local(replace(node, input=replace(sort, input=below.input) if sort else below.input))
    return replace(sort, input=first) if sort else first


def _aggregate(node: Aggregate, below: Node, catalog: Catalog) -> Node:
    """An owner's groups are final where no other owner has rows in them; else each owner gives its part, and the parts are combined."""
    if len(owners_of(below, catalog)) == 1 or frozenset(owner_columns(below, catalog)) & frozenset(node.keys):
        return Local(replace(node, input=below))
    if any(call.function not in (*PARTIAL, LARGEST) for _, call in node.aggregates) or not _shares_less(node, below):
        return node
    if any(call.function == LARGEST for _, call in node.aggregates) and not _has_small_grid(node, below, catalog):
        return node
    parts, largest = in_parts(node.aggregates, frozenset(one.name for one in node.fields))
    totals = []
    for name, call in node.aggregates:
        if name in largest:
            totals.append((name, largest[name]))
            continue
        nullable = call.function != "count" and (not node.keys or call.type.nullable)
        part = AggregateCall(call.function, call.argument, call.type.as_nullable(nullable))
        parts.append((name, part))
        totals.append((name, AggregateCall("sum" if call.function == "count" else call.function, ColumnRef(part.type, name), call.type)))
    return Aggregate(Local(Aggregate(below, node.keys, tuple(parts))), node.keys, tuple(totals))


def _has_small_grid(node: Aggregate, below: Node, catalog: Catalog) -> bool:
    """Whether the groups will be public: only there do owners' largest contributions meet."""
    cells = prod(len(domain(below.field(key).type) or ()) if has_domain(below, key) else ROWS_MAX for key in node.keys)
    held = min(rows_max(below, frozenset(), catalog, owner) for owner in owners_of(below, catalog))
    return cells <= max(GRID_ROWS_FREE, GRID_ROWS_PER_ROW * held)


def _shares_less(node: Aggregate, below: Node) -> bool:
    """Whether an owner's groups are fewer bytes than the rows that they are made of: where a grid of them bounds their number, or their
    columns are no more."""
    if all(has_domain(below, key) for key in node.keys):
        return True
    arguments = frozenset().union(*(columns_of(call.argument) for _, call in node.aggregates if call.argument is not None))
    return len({name for name, _ in node.aggregates}) <= len(arguments - frozenset(node.keys))


def _join(node: Join, catalog: Catalog) -> Node:
    left, right = node.left, node.right
    if isinstance(left, Local) and isinstance(right, Local) and _same_owner(node, left.input, right.input, catalog):
        return Local(replace(node, left=left.input, right=right.input))
    needs_left = isinstance(left, Local) and (bool(node.match) or _needs_owner(left.input, [name for name, _ in node.on], catalog))
    if isinstance(left, Local) and is_public(right) and node.kind in _KEEPS_LEFT and needs_left:
        return Local(replace(node, left=left.input))
    if (
        isinstance(right, Local)
        and is_public(left)
        and node.kind in ("inner", "cross")
        and not isinstance(node.match, AsOf)
        and (node.match or _needs_owner(right.input, [name for _, name in node.on], catalog))
    ):
        return Local(replace(node, right=right.input))
    return node


def _looked_up(node: Project, join: Join, catalog: Catalog) -> Join | None:
    """The join at the owner, where an owner's groups look up public values to compute with.

    It stays with the servers where a value that is public would become secret: one that is passed on, or follows from keys alone.
    """
    place = next((at for at, side in enumerate(join.inputs) if isinstance(side, Local) and is_public(join.inputs[1 - at])), None)
    if place is None or join.match or (join.kind == "left" and place == 1):
        return None
    local, other = join.inputs[place], join.inputs[1 - place]
    at_owner = replace(join, left=local.inputs[0]) if place == 0 else replace(join, right=local.inputs[0])
    keys = grid_keys(at_owner, catalog)
    if keys is None:
        return None
    public = frozenset(one.name for one in other.fields)
    secret = frozenset(one.name for one in local.fields) - keys
    used = [columns_of(expression) for _, expression in node.columns]
    return at_owner if all(one & secret for one in used if one & public) else None


def _needs_owner(below: Node, on: list[str], catalog: Catalog) -> bool:
    """Whether a join with a public table is for the owner: servers do it for nothing where the join columns are public to them."""
    keys = grid_keys(below, catalog)
    return keys is None or not frozenset(on) <= keys


def _owner_values(node: Node, catalog: Catalog) -> dict[str, tuple[str, ...]]:
    """Columns that hold the owner's own value, each with the values of all owners."""
    return {name: table_info(catalog, table).owner_values for name, table in owner_columns(node, catalog).items()}


def _same_owner(node: Join, left: Node, right: Node, catalog: Catalog) -> bool:
    """Whether only rows of one owner can meet in a join."""
    owners = owners_of(left, catalog)
    if owners != owners_of(right, catalog):
        return False
    lefts, rights = (_owner_values(side, catalog) for side in (left, right))
    return len(owners) == 1 or any(a in lefts and b in rights and lefts[a] == rights[b] for a, b in node.on)
