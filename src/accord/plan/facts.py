"""What is known of a plan before it runs: whose rows it holds, which columns tell them apart, how many rows share a key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any

from accord.base.errors import OurFault
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.expression import Call, ColumnRef, Expression, Literal
from accord.plan.nodes import (
    Aggregate,
    AsOf,
    Concatenate,
    Filter,
    Input,
    Join,
    Limit,
    Local,
    Node,
    Project,
    Promise,
    Public,
    Scan,
    Several,
    Sort,
)
from accord.plan.types import CATEGORY, DECIMAL
from accord.plan.typing import domain

Keys = frozenset[str]


def with_inputs(node: Node, inputs: tuple[Node, ...]) -> Node:
    """The same step over other inputs; the node itself where they are the same."""
    if all(new is old for new, old in zip(inputs, node.inputs, strict=True)):
        return node
    if isinstance(node, Join):
        return replace(node, left=inputs[0], right=inputs[1])
    if isinstance(node, Concatenate | Several):
        return replace(node, parts=inputs)
    if isinstance(node, Promise):
        return replace(node, input=inputs[0], keys=inputs[1:])
    changed: Any = {"input": inputs[0]}
    return replace(node, **changed)


def walk(node: Node) -> Iterator[Node]:
    """Every node, inputs first; a node that is used twice comes once."""
    seen: set[int] = set()

    def visit(one: Node) -> Iterator[Node]:
        if id(one) not in seen:
            seen.add(id(one))
            for below in one.inputs:
                yield from visit(below)
            yield one

    return visit(node)


def tables_of(node: Node) -> tuple[str, ...]:
    """The owners' tables that a plan reads, in order."""
    return tuple(dict.fromkeys(one.table for one in walk(node) if isinstance(one, Scan)))


def table_info(catalog: Catalog, name: str) -> TableInfo:
    found = catalog.table(name)
    if not isinstance(found, TableInfo):
        raise OurFault(f"{name} is no owner's table")
    return found


def owners_of(node: Node, catalog: Catalog) -> tuple[str, ...]:
    """Whose rows a plan reads, in order of appearance."""
    return tuple(dict.fromkeys(owner for name in tables_of(node) for owner in table_info(catalog, name).owners))


def renamed(node: Project, names: Keys) -> dict[str, str]:
    """Input column to output column, for those of `names` that pass through a projection."""
    found: dict[str, str] = {}
    for name, expression in node.columns:
        if isinstance(expression, ColumnRef) and expression.name in names:
            found.setdefault(expression.name, name)
    return found


def owner_columns(node: Node, catalog: Catalog) -> dict[str, str]:
    """Columns that hold the owner's own value in each of its rows, each with the table that declares it."""
    if isinstance(node, Scan):
        column = table_info(catalog, node.table).owner_column
        return {column: node.table} if column in {field.name for field in node.fields} and column else {}
    below = [owner_columns(one, catalog) for one in node.inputs]
    if isinstance(node, Concatenate):
        values = [{name: table_info(catalog, table).owner_values for name, table in one.items()} for one in below]
        return {name: table for name, table in below[0].items() if all(one.get(name) == values[0][name] for one in values)}
    if isinstance(node, Promise) or (isinstance(node, Join) and node.is_choice):
        return below[0]
    if isinstance(node, Project):
        return {new: below[0][old] for old, new in renamed(node, frozenset(below[0])).items()}
    if isinstance(node, Aggregate):
        return {name: table for name, table in below[0].items() if name in node.keys}
    if isinstance(node, Join) and node.kind in ("left", "right", "full"):
        return below[0] if node.kind == "left" else below[1] if node.kind == "right" else {}
    return {name: table for one in below for name, table in one.items()}


def grid_keys(node: Node, catalog: Catalog) -> Keys | None:
    """Columns with public domains that tell an owner's rows apart, one row each; None where rows are not so told apart.

    A column that holds one value in all rows of an owner need not be among them.
    """
    if isinstance(node, Aggregate):
        return frozenset(node.keys) if all(has_domain(node, key) for key in node.keys) else None
    if isinstance(node, Filter | Sort | Local):
        return grid_keys(node.inputs[0], catalog)
    if isinstance(node, Project):
        below = grid_keys(node.input, catalog)
        names = renamed(node, below or frozenset())
        needed = (below or frozenset()) - frozenset(owner_columns(node.input, catalog))
        return frozenset(names.values()) if below is not None and needed <= frozenset(names) else None
    if isinstance(node, Join) and node.kind in ("inner", "left"):
        left, right = frozenset(pair[0] for pair in node.on), frozenset(pair[1] for pair in node.on)
        if (below := grid_keys(node.left, catalog)) is not None and rows_max(node.right, right, catalog) <= 1:
            return below
        return grid_keys(node.right, catalog) if node.kind == "inner" and rows_max(node.left, left, catalog) <= 1 else None
    return None


def has_domain(node: Node, name: str) -> bool:
    """Whether a column can be laid out in public: few values, and never NULL."""
    type = node.field(name).type
    return domain(type) is not None and not type.nullable


def most_rows(node: Public, names: Keys) -> int:
    """The largest number of rows that agree on some columns."""
    places = [place for place, field in enumerate(node.fields) if field.name in names]
    return max(Counter(tuple(row[place] for place in places) for row in node.rows).values(), default=0)


def rows_max(node: Node, keys: Keys, catalog: Catalog, owner: str | None = None) -> int:
    """At most so many rows agree on the columns `keys`; with `owner`, counting that owner's rows alone."""
    known = _known_rows(node, catalog)
    if (keys, owner) not in known:
        known[keys, owner] = _rows_max(node, keys, catalog, owner)
    return known[keys, owner]


def _known_rows(node: Node, catalog: Catalog) -> dict[tuple[Keys, str | None], int]:
    """What was found before, kept with the node: a join asks about each side several times, and so on down a chain of joins."""
    kept = vars(node).setdefault("_rows", (catalog, {}))
    if kept[0] is not catalog:
        kept = vars(node)["_rows"] = (catalog, {})
    found: dict[tuple[Keys, str | None], int] = kept[1]
    return found


def _rows_max(node: Node, keys: Keys, catalog: Catalog, owner: str | None) -> int:
    if isinstance(node, Public):
        return most_rows(node, keys)
    if isinstance(node, Scan):
        return _scan_rows(node, keys, catalog, owner)
    if isinstance(node, Input):
        return node.slots * prod(len(values) for name, values in node.keys if name not in keys)
    if isinstance(node, Concatenate):
        return sum(rows_max(part, keys, catalog, owner) for part in node.parts)
    if isinstance(node, Project):
        through = frozenset(source for name, expression in node.columns if name in keys and (source := _told_by(expression)))
        return rows_max(node.input, through, catalog, owner)
    if isinstance(node, Aggregate):
        return _aggregate_rows(node, keys, catalog, owner)
    if isinstance(node, Join):
        return _join_rows(node, keys, catalog, owner)
    if isinstance(node, Filter):
        return rows_max(node.input, keys | _fixed(node.predicate), catalog, owner)
    if isinstance(node, Limit):
        return min(node.count, rows_max(node.input, keys, catalog, owner))
    return rows_max(node.inputs[0], keys, catalog, owner)


def _told_by(expression: Expression) -> str:
    """The column whose value an expression's value tells: itself, or recast without loss; nothing where there is none."""
    if isinstance(expression, Call) and expression.function == "cast":
        before, after = expression.arguments[0].type, expression.type
        lossless = after.kind == before.kind == CATEGORY or (after.kind == DECIMAL and after.scale >= before.scale)
        return _told_by(expression.arguments[0]) if lossless else ""
    return expression.name if isinstance(expression, ColumnRef) else ""


def _scan_rows(node: Scan, keys: Keys, catalog: Catalog, owner: str | None) -> int:
    info = table_info(catalog, node.table)
    unique = bool(info.schema.unique) and frozenset(info.schema.unique) <= keys
    counts = [1 if unique else rows for name, rows in zip(info.owners, info.rows_max, strict=True) if owner in (None, name)]
    if info.owner_column in keys or (unique and info.unique_across_owners):
        return max(counts, default=0)
    return sum(counts)


def _fixed(predicate: Expression) -> Keys:
    """Columns that have one value in all rows for which a predicate is true."""
    if not isinstance(predicate, Call):
        return frozenset()
    if predicate.function == "and":
        return frozenset().union(*map(_fixed, predicate.arguments))
    column = next((one.name for one in predicate.arguments if isinstance(one, ColumnRef)), None)
    constant = any(isinstance(one, Literal) for one in predicate.arguments)
    return frozenset({column}) if predicate.function == "eq" and column and constant else frozenset()


def _aggregate_rows(node: Aggregate, keys: Keys, catalog: Catalog, owner: str | None) -> int:
    own = owner_columns(node.input, catalog) if owner else {}
    rest = [name for name in node.keys if name not in keys and name not in own]
    below = max(rows_max(node.input, keys & frozenset(node.keys), catalog, owner), 0 if node.keys else 1)
    domains = [domain(node.field(name).type) for name in rest]
    if any(one is None for one in domains):
        return below
    return min(below, prod(len(one) + node.field(name).type.nullable for name, one in zip(rest, domains, strict=True) if one is not None))


def _join_rows(node: Join, keys: Keys, catalog: Catalog, owner: str | None) -> int:
    if node.is_choice:
        return rows_max(node.left, keys, catalog, owner)
    lefts, rights = (frozenset(field.name for field in side.fields) for side in (node.left, node.right))
    from_left = (keys & lefts) | {left for left, right in node.on if right in keys and node.kind == "inner"}
    from_right = (keys & rights) | {right for left, right in node.on if left in keys and node.kind in ("inner", "left")}
    each_left = rows_max(node.left, from_left, catalog, owner)
    matches = rows_max(node.right, from_right | {right for _, right in node.on}, catalog, owner)
    if isinstance(node.match, AsOf):
        matches = min(matches, 1)
    if node.kind not in ("inner", "cross", "left"):
        return each_left * max(matches, 1) + rows_max(node.right, keys & rights, catalog, owner)
    each_right = rows_max(node.right, from_right, catalog, owner)
    pairs = each_right * rows_max(node.left, from_left | {left for left, _ in node.on}, catalog, owner)
    return min(each_left * max(matches, 1), each_left + pairs) if node.kind == "left" else min(each_left * matches, pairs)
