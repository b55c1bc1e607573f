"""Rule: each local step becomes one input per owner, its SQL and its public grid; and the concatenation of them."""

from __future__ import annotations

from accord.base.canonical import digest
from accord.base.errors import Refused
from accord.base.limits import DOMAIN_CELLS_MAX, NAME_CHARACTERS_MAX, ROWS_MAX
from accord.base.names import fresh_name
from accord.plan.catalog import Catalog
from accord.plan.expression import ColumnRef, Expression, columns_of
from accord.plan.facts import grid_keys, owner_columns, owners_of, renamed, rows_max, table_info, tables_of, walk
from accord.plan.lift import require_domain
from accord.plan.local_sql import local_sql
from accord.plan.nodes import Aggregate, Concatenate, Field, Input, Join, Local, Node, Project, Several, Sort
from accord.plan.rewrite import bottom_up, substituted
from accord.plan.tidy import changes_nothing
from accord.plan.types import TEXT
from accord.plan.typing import column, domain

Names = frozenset[str]


def share_inputs(node: Node, catalog: Catalog) -> Node:
    """Keys that steps above join, group or sort by become grid keys, so that they are public; everything else is shared."""
    return _Share(catalog, _wanted_public(node)).shared(node)


def _wanted_public(node: Node) -> dict[int, Names]:
    """For each node, the columns that must be public for the steps above it."""
    wanted: dict[int, Names] = {id(node): frozenset()}
    for one in reversed(list(walk(node))):
        for below, names in zip(one.inputs, _of_inputs(one, wanted[id(one)]), strict=True):
            wanted[id(below)] = wanted.get(id(below), frozenset()) | names
    return wanted


def _of_inputs(node: Node, wanted: Names) -> tuple[Names, ...]:
    if isinstance(node, Join):
        left, right = (frozenset(name) for name in (zip(*node.on, strict=True) if node.on else ((), ())))
        of_right = frozenset() if node.kind == "left" else wanted & {one.name for one in node.right.fields}
        return (wanted & {one.name for one in node.left.fields}) | left, of_right | right
    if isinstance(node, Aggregate):
        return (frozenset(node.keys),)
    if isinstance(node, Sort):
        return (wanted | {name for name, _ in node.keys},)
    if isinstance(node, Project):
        return (frozenset().union(*(columns_of(expression) for name, expression in node.columns if name in wanted)),)
    if isinstance(node, Several):
        return tuple(frozenset() for _ in node.parts)
    return tuple(wanted for _ in node.inputs)


class _Share:
    def __init__(self, catalog: Catalog, wanted: dict[int, Names]) -> None:
        self.catalog, self.wanted = catalog, wanted

    def shared(self, node: Node) -> Node:
        places = {id(one): one for one in walk(node) if isinstance(one, Local)}
        made = {place: self._local(one.input, self.wanted[place]) for place, one in places.items()}
        return bottom_up(node, lambda one: made.get(id(one), one), below_local=False)

    def _local(self, below: Node, wanted: Names) -> Node:
        """The shared form of a local step. What follows from its keys alone is computed in public above it."""
        keys = grid_keys(below.input, self.catalog) if isinstance(below, Project) else None
        if not isinstance(below, Project) or keys is None:
            return self._inputs(below, wanted)
        inner, above = _apart(below, keys)
        public = frozenset(name for name, expression in inner.columns if isinstance(expression, ColumnRef) and expression.name in keys)
        shared = self._inputs(inner, public | (wanted & {name for name, _ in inner.columns}))
        outer = Project(shared, above)
        return shared if changes_nothing(outer) else outer

    def _inputs(self, below: Node, wanted: Names) -> Node:
        for one in below.fields:
            if one.type.kind == TEXT:
                raise Refused(
                    f"{one.name} is a text key and would have to leave its owner",
                    rule="text keys stay with their owner",
                    do="group or join by it within one owner's tables, or declare it as a category",
                )
        keys = (grid_keys(below, self.catalog) or frozenset()) | wanted
        for name in sorted(keys):
            require_domain(below.field(name), f"the public key {name}")
        sql = local_sql(below)
        parts = tuple(self._input(below, sql, owner, keys) for owner in owners_of(below, self.catalog))
        return parts[0] if len(parts) == 1 else Concatenate(parts)

    def _input(self, below: Node, sql: str, owner: str, keys: Names) -> Input:
        grid = tuple((one.name, self._values(below, one, owner)) for one in below.fields if one.name in keys)
        slots = max(rows_max(below, keys, self.catalog, owner), 1)
        columns = tuple(Field(one.name, one.type, one.name in keys) for one in below.fields)
        tables = "_".join(tables_of(below))
        content = digest("input", repr((owner, sql, grid, slots, columns)).encode()).hex()[:8]
        name = f"{owner}_{tables}"[: NAME_CHARACTERS_MAX - 9] + f"_{content}"
        _require_rows(name, grid, slots)
        return Input(name, owner, sql, grid, slots, columns)

    def _values(self, below: Node, one: Field, owner: str) -> tuple[int, ...]:
        """A grid key's public values: the owner's own where the column holds nothing else, else its whole domain."""
        table = owner_columns(below, self.catalog).get(one.name)
        if table is not None:
            info = table_info(self.catalog, table)
            return (one.type.values.index(info.owner_values[info.owners.index(owner)]),)
        return tuple(domain(one.type) or ())


def _require_rows(name: str, grid: tuple[tuple[str, tuple[int, ...]], ...], slots: int) -> None:
    rows = slots
    for _, values in grid:
        rows *= len(values)
    if slots > 1 and grid and rows > DOMAIN_CELLS_MAX:
        raise Refused(
            f"the grid of {name} would have {rows} rows: up to {slots} for each of its keys {', '.join(key for key, _ in grid)}",
            rule=f"at most {DOMAIN_CELLS_MAX} cells, {ROWS_MAX} rows",
            do="group by these keys in a subquery before the JOIN, so that each has one row",
        )


def _apart(node: Project, keys: Names) -> tuple[Project, tuple[tuple[str, Expression], ...]]:
    """What an owner computes, with every key; and what is computed above from keys alone, in the order of the node's columns."""
    hoisted = {name for name, expression in node.columns if not isinstance(expression, ColumnRef) and columns_of(expression) <= keys}
    names = renamed(node, keys)
    taken = {one.name for one in node.fields}
    columns = [one for one in node.columns if one[0] not in hoisted]
    for key in sorted(keys - frozenset(names)):
        names[key] = fresh_name(key, taken)
        taken.add(names[key])
        columns.append((names[key], column(node.input.field(key))))
    inner = Project(node.input, tuple(columns))
    above = {key: column(inner.field(name)) for key, name in names.items()}
    return inner, tuple(
        (name, substituted(expression, above) if name in hoisted else column(inner.field(name))) for name, expression in node.columns
    )
