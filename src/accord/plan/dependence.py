"""Which columns follow from others, and how many combinations of values columns can have: from unique keys, joins and ranges."""

from __future__ import annotations

from math import prod

from accord.plan.catalog import Catalog
from accord.plan.expression import ColumnRef, columns_of
from accord.plan.facts import rows_max
from accord.plan.nodes import Aggregate, AsOf, Filter, Join, Limit, Local, Node, Project, Promise, Sort, Window
from accord.plan.types import TEXT

Names = frozenset[str]
MANY = 1 << 62


def telling(node: Node, keys: tuple[str, ...], catalog: Catalog) -> tuple[str, ...]:
    """Some of the keys from which the others follow: as few as can be found by leaving out the widest first."""
    left = list(keys)
    for key in sorted(keys, key=lambda name: _width(node, name), reverse=True):
        rest = [one for one in left if one != key]
        if rest and key in determined(node, frozenset(rest), catalog):
            left = rest
    return tuple(left)


def _width(node: Node, name: str) -> int:
    type = node.field(name).type
    return 8 * (type.bytes_max or 16) if type.kind == TEXT else (type.high - type.low).bit_length()


def determined(node: Node, names: Names, catalog: Catalog) -> Names:
    """The columns that are alike in all rows that agree on `names`."""
    fields = frozenset(one.name for one in node.fields)
    if rows_max(node, names, catalog) <= 1:
        return fields
    if isinstance(node, Filter | Sort | Limit | Local | Promise):
        return determined(node.inputs[0], names, catalog)
    if isinstance(node, Window):
        below = frozenset(one.name for one in node.input.fields)
        return determined(node.input, names & below, catalog) | names
    if isinstance(node, Project):
        through = frozenset(one.name for name, one in node.columns if name in names and isinstance(one, ColumnRef))
        known = determined(node.input, through, catalog)
        return names | frozenset(name for name, one in node.columns if columns_of(one) <= known)
    if isinstance(node, Aggregate):
        known = determined(node.input, names & frozenset(node.keys), catalog) & frozenset(node.keys)
        return fields if known >= frozenset(node.keys) else known | names
    return _of_join(node, names, catalog) if isinstance(node, Join) else names


def _of_join(node: Join, names: Names, catalog: Catalog) -> Names:
    lefts, rights = (frozenset(one.name for one in side.fields) for side in node.inputs)
    if node.is_choice:
        return determined(node.left, names, catalog)
    if node.kind not in ("inner", "left", "cross"):
        return names
    known, before = names, frozenset[str]()
    while known != before:
        before = known
        known |= determined(node.left, known & lefts, catalog)
        met = frozenset(right for left, right in node.on if left in known)
        if node.kind != "left":
            met |= known & rights
            known |= frozenset(left for left, right in node.on if right in known)
        decided = all(left in known for left, _ in node.on) and (node.match is None or node.match.names[0] <= known)
        if node.kind != "left" or decided:
            known |= determined(node.right, met, catalog)
        if isinstance(node.match, AsOf) and decided:
            known |= rights
    return known


def values_max(node: Node, names: Names, catalog: Catalog) -> int:
    """At most so many combinations of values do the columns have in the node's rows."""
    rows = rows_max(node, frozenset(), catalog)
    by_range = prod(_range(node, name) for name in names)
    return min(rows, by_range, _below(node, names, catalog))


def _range(node: Node, name: str) -> int:
    type = node.field(name).type
    return MANY if type.kind == TEXT else type.high - type.low + 1 + type.nullable


def _below(node: Node, names: Names, catalog: Catalog) -> int:
    if isinstance(node, Filter | Sort | Limit | Local | Promise):
        return values_max(node.inputs[0], names, catalog)
    if isinstance(node, Project):
        return values_max(node.input, frozenset().union(*(columns_of(one) for name, one in node.columns if name in names)), catalog)
    if isinstance(node, Aggregate) and names <= frozenset(node.keys):
        return values_max(node.input, names, catalog)
    if isinstance(node, Join) and node.kind in ("inner", "cross", "semi", "anti", "left"):
        return _of_sides(node, names, catalog)
    return MANY


def _of_sides(node: Join, names: Names, catalog: Catalog) -> int:
    """Those of the left columns times those of the right; a column that is equated counts on either side."""
    lefts, rights = (frozenset(one.name for one in side.fields) for side in node.inputs)
    if node.is_choice:
        return values_max(node.left, names, catalog)
    choices = [(names & lefts, names & rights)]
    if node.kind == "inner":
        moved = names & rights & frozenset(right for _, right in node.on)
        choices.append((names & lefts | frozenset(left for left, right in node.on if right in moved), names & (rights - moved)))
        moved = names & lefts & frozenset(left for left, _ in node.on)
        choices.append((names & (lefts - moved), names & rights | frozenset(right for left, right in node.on if left in moved)))
    none = 1 if node.kind == "left" else 0
    return min(
        (values_max(node.left, left, catalog) if left else 1) * ((values_max(node.right, right, catalog) + none) if right else 1)
        for left, right in choices
    )
