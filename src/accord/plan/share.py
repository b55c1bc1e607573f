"""Rule: each local step becomes one input per owner, its SQL and its public grid or its rows; and the concatenation of them.

A join, group-by or order is public where its columns can be laid out in public all the way down: few declared values, never NULL, and
no grid that is much larger than the rows. Else its columns are shared secret, and it runs by sorting on shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from accord.base.canonical import digest
from accord.base.limits import DOMAIN_CELLS_MAX, NAME_CHARACTERS_MAX
from accord.base.names import fresh_name
from accord.plan.catalog import Catalog
from accord.plan.dependence import telling, values_max
from accord.plan.expression import ColumnRef, Expression, columns_of
from accord.plan.facts import grid_keys, has_domain, owner_columns, owners_of, renamed, rows_max, table_info, tables_of, with_inputs
from accord.plan.local_sql import local_sql
from accord.plan.nodes import Aggregate, AsOf, Concatenate, Field, Input, Join, Local, Node, Project, Promise, Several, Sort
from accord.plan.rewrite import substituted
from accord.plan.tidy import changes_nothing
from accord.plan.typing import column, domain

Names = frozenset[str]
Wants = Mapping[str, frozenset[int]]
"""Columns that are to be public, each with the steps (by their ids) that ask for it."""

GRID_ROWS_FREE = 1 << 14
"""A grid of so many rows is cheaper than any sort on shares."""
GRID_ROWS_PER_ROW = 16
"""Beyond, a grid may have so many rows for each row that it could hold: sharing them costs about as much as sorting the rows."""

JOIN_ROWS_FREE, JOIN_ROWS_PER_ROW = 1 << 12, 8
"""So many rows, or so many for each row of both sides, a join may have without anybody declaring how many it has."""


def share_inputs(node: Node, catalog: Catalog) -> Node:
    """Keys that steps above join, group or sort by become grid keys where that is cheap, so that they are public; everything else is
    shared. A join on secret columns learns which of its sides are unique."""
    cheap = _Share(catalog).placed(node)
    if not any(unbounded(one) for one in _above_local(cheap)):
        return cheap
    lavish = _Share(catalog, DOMAIN_CELLS_MAX).placed(node)
    return lavish if not any(unbounded(one) for one in _above_local(lavish)) else cheap


def unbounded(node: Node) -> bool:
    """Whether a join on secret columns, in which several rows of both sides may agree, has no bound on its rows."""
    bounded = isinstance(node, Join) and (node.is_public or node.is_choice or node.unique or node.rows_max)
    return isinstance(node, Join) and not (bounded or isinstance(node.match, AsOf))


# ---- which steps are public


def _keys(node: Node) -> tuple[Names, ...] | None:
    """Of a step that needs an order of its inputs' rows: the columns of each input that it needs public to have it in public."""
    if isinstance(node, Join) and node.match:
        return frozenset(), frozenset()
    if isinstance(node, Join) and node.on:
        left, right = zip(*node.on, strict=True)
        return frozenset(left), frozenset(right)
    if isinstance(node, Aggregate) and node.keys:
        return (frozenset(node.keys),)
    return (frozenset(name for name, _ in node.keys),) if isinstance(node, Sort) and node.keys else None


def _is_public(node: Node) -> bool:
    return isinstance(node, Join | Aggregate | Sort) and node.is_public


def _passed(node: Node, wanted: Wants) -> tuple[Wants, ...]:
    """What of each input must be public for these columns of a node to be, if it is a public step."""
    if isinstance(node, Project):
        below: dict[str, frozenset[int]] = {}
        for name, expression in node.columns:
            for needed in columns_of(expression) if name in wanted else ():
                below[needed] = below.get(needed, frozenset()) | wanted[name]
        return (below,)
    if isinstance(node, Join):
        sides = (node.left,) if node.is_choice or node.kind == "left" else node.inputs
        passed = tuple({one.name: wanted[one.name] for one in side.fields if one.name in wanted} for side in sides)
        return passed if len(passed) == 2 else (*passed, {})
    if isinstance(node, Aggregate):
        return ({name: wanted[name] for name in node.keys if name in wanted},)
    if isinstance(node, Several):
        return tuple({} for _ in node.inputs)
    if isinstance(node, Promise):
        return wanted, *({} for _ in node.keys)
    return tuple({name: steps for name, steps in wanted.items() if name in {one.name for one in below.fields}} for below in node.inputs)


def _joined(first: Wants, second: Wants) -> Wants:
    return {name: first.get(name, frozenset()) | second.get(name, frozenset()) for name in (*first, *second)}


def _above_local(node: Node) -> list[Node]:
    """Every node down to the local ones, inputs first."""
    found: dict[int, Node] = {}

    def visit(one: Node) -> None:
        if id(one) not in found:
            for below in () if isinstance(one, Local) else one.inputs:
                visit(below)
            found[id(one)] = one

    visit(node)
    return list(found.values())


@dataclass(frozen=True)
class _Form:
    """How a local step is shared: what the owner computes, and what follows from its keys alone and is computed in public above it
    (None: nothing). `keys` are the columns of the grid."""

    inner: Node
    above: tuple[tuple[str, Expression], ...] | None
    keys: Names


class _Share:
    """`grid_rows_free`: a grid of up to so many rows is made wherever one helps."""

    def __init__(self, catalog: Catalog, grid_rows_free: int = GRID_ROWS_FREE) -> None:
        self.catalog, self.grid_rows_free = catalog, grid_rows_free

    def placed(self, node: Node) -> Node:
        steps = self.public_steps(node)
        return self.built(node, steps, self.granted(node, steps))[id(node)]

    def public_steps(self, node: Node) -> frozenset[int]:
        """The steps that are public: as many as ask for no more than can be laid out."""
        order = _above_local(node)
        steps = frozenset(id(one) for one in order if _keys(one) is not None)
        while True:
            steps, before = self._affordable(node, order, steps), steps
            fields = self.built(node, steps, self.granted(node, steps), stubs=True)
            steps = frozenset(place for place in steps if _is_public(fields[place]))
            if steps == before:
                return steps

    def _affordable(self, node: Node, order: list[Node], steps: frozenset[int]) -> frozenset[int]:
        """Without the steps that ask for too large a grid, the one that asks for most first."""
        wants = _wants(order, steps)
        for one in order:
            while isinstance(one, Local) and wants[id(one)] and not self._is_cheap(one, self._layable(one, wants[id(one)])):
                asking = frozenset().union(*wants[id(one)].values())
                most = max(sorted(asking), key=lambda step: self._cells(one, wants[id(one)], step))
                steps -= {most}
                wants = _wants(order, steps)
        return steps

    def _cells(self, local: Local, wanted: Wants, step: int) -> int:
        names = self._layable(local, {name: steps for name, steps in wanted.items() if step in steps})
        return prod(len(domain(local.field(name).type) or ()) for name in names)

    def _layable(self, local: Local, wanted: Wants) -> Names:
        """The wanted columns that are no consequence of the grid, and have few values."""
        return frozenset(name for name in wanted if has_domain(local, name)) - self._follows(local)

    def granted(self, node: Node, steps: frozenset[int]) -> dict[int, _Form]:
        """How each local step is shared."""
        order = _above_local(node)
        wants = _wants(order, steps)
        return {id(one): self._form(one, self._layable(one, wants[id(one)])) for one in order if isinstance(one, Local)}

    # ---- one local step

    def _grid(self, local: Local) -> tuple[Names | None, Project | None]:
        """The keys that tell its rows apart, where a grid of them is cheap; and its projection, where they stand below it."""
        below = local.input
        if isinstance(below, Project) and (keys := grid_keys(below.input, self.catalog)) is not None:
            form = _apart_form(below, keys, frozenset())
            return (keys, below) if self._is_cheap_form(form) else (None, None)
        keys = grid_keys(below, self.catalog)
        return (keys, None) if keys is None or self._is_cheap_form(_Form(below, None, keys)) else (None, None)

    def _follows(self, local: Local) -> Names:
        """The columns that are public because the grid's keys are."""
        keys, project = self._grid(local)
        if project is None or keys is None:
            return keys or frozenset()
        return frozenset(name for name, expression in project.columns if columns_of(expression) <= keys)

    def _form(self, local: Local, extra: Names) -> _Form:
        keys, project = self._grid(local)
        if project is not None and keys is not None:
            return _apart_form(project, keys, extra)
        return _Form(local.input, None, (keys or frozenset()) | extra)

    def _is_cheap(self, local: Local, extra: Names) -> bool:
        return self._is_cheap_form(self._form(local, extra))

    def _is_cheap_form(self, form: _Form) -> bool:
        if not form.keys:
            return True
        for owner in owners_of(form.inner, self.catalog):
            cells = prod(len(values) for _, values in self._values(form, owner))
            rows = cells * max(rows_max(form.inner, form.keys, self.catalog, owner), 1)
            held = rows_max(form.inner, frozenset(), self.catalog, owner)
            if rows > DOMAIN_CELLS_MAX or rows > max(self.grid_rows_free, GRID_ROWS_PER_ROW * held):
                return False
        return True

    def _values(self, form: _Form, owner: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The grid's keys with their public values: the owner's own where the column holds nothing else, else its whole domain."""
        tables = owner_columns(form.inner, self.catalog)
        found: list[tuple[str, tuple[int, ...]]] = []
        for one in form.inner.fields:
            if one.name in form.keys and one.name in tables:
                info = table_info(self.catalog, tables[one.name])
                found.append((one.name, (one.type.values.index(info.owner_values[info.owners.index(owner)]),)))
            elif one.name in form.keys:
                found.append((one.name, tuple(domain(one.type) or ())))
        return tuple(found)

    # ---- the placed plan

    def built(self, node: Node, steps: frozenset[int], forms: Mapping[int, _Form], stubs: bool = False) -> dict[int, Node]:
        """Every node over shared inputs, by the id of the node that it was; `stubs` says only which columns are public."""
        made: dict[int, Node] = {}
        for one in _above_local(node):
            if isinstance(one, Local):
                made[id(one)] = self._stub(one, forms[id(one)]) if stubs else self._shared(forms[id(one)])
                continue
            new = with_inputs(one, tuple(made[id(below)] for below in one.inputs))
            if isinstance(one, Join) and isinstance(new, Join) and not (new.is_public or new.match):
                new = self._matched(one, new)
            elif isinstance(one, Aggregate) and isinstance(new, Aggregate) and new.keys and not new.is_public:
                told = telling(one.input, one.keys, self.catalog)
                new = replace(new, telling=told, groups_max=values_max(one.input, frozenset(told), self.catalog))
            made[id(one)] = new
        return made

    def _matched(self, before: Join, after: Join) -> Join:
        """The join with the sides in which no two rows agree on its columns."""
        sides = []
        for place, name in enumerate(("left", "right")):
            on = frozenset(pair[place] for pair in before.on)
            if rows_max(before.inputs[place], on, self.catalog) <= 1:
                sides.append(name)
        unique = "both" if len(sides) == 2 else "".join(sides)
        return replace(after, unique=unique, rows_max=after.rows_max if unique else after.rows_max or self._proven_rows(before))

    def _proven_rows(self, join: Join) -> int:
        """The most rows that meet, as far as declarations tell, if it is a bound worth sharing; 0 for none."""
        left, right = (rows_max(side, frozenset(), self.catalog) for side in join.inputs)
        rows = rows_max(replace(join, kind="inner"), frozenset(), self.catalog)
        return 0 if join.is_choice or rows > max(JOIN_ROWS_PER_ROW * (left + right), JOIN_ROWS_FREE) else rows

    def _stub(self, local: Local, form: _Form) -> Node:
        public = form.keys if form.above is None else self._follows(local) | form.keys
        return _Stub(tuple(replace(one, public=one.name in public) for one in local.fields))

    def _shared(self, form: _Form) -> Node:
        sql = local_sql(form.inner)
        parts = tuple(self._input(form, sql, owner) for owner in owners_of(form.inner, self.catalog))
        shared = parts[0] if len(parts) == 1 else Concatenate(parts)
        if form.above is None:
            return shared
        outer = Project(shared, form.above)
        return shared if changes_nothing(outer) else outer

    def _input(self, form: _Form, sql: str, owner: str) -> Input:
        below, keys = form.inner, form.keys
        grid = self._values(form, owner)
        slots = max(rows_max(below, keys, self.catalog, owner), 1)
        columns = tuple(Field(one.name, one.type, one.name in keys) for one in below.fields)
        tables = "_".join(tables_of(below))
        content = digest("input", repr((owner, sql, grid, slots, columns)).encode()).hex()[:8]
        return Input(f"{owner}_{tables}"[: NAME_CHARACTERS_MAX - 9] + f"_{content}", owner, sql, grid, slots, columns)


@dataclass(frozen=True)
class _Stub(Node):
    """Columns alone."""

    columns: tuple[Field, ...]

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return self.columns


def _wants(order: list[Node], steps: frozenset[int]) -> dict[int, Wants]:
    """For each node, the columns that must be public for the public steps above it."""
    wants: dict[int, Wants] = {id(one): {} for one in order}
    for one in reversed(order):
        keys = _keys(one)
        if isinstance(one, Local) or (keys is not None and id(one) not in steps):
            continue
        for place, (below, passed) in enumerate(zip(one.inputs, _passed(one, wants[id(one)]), strict=True)):
            own = {name: frozenset({id(one)}) for name in keys[place]} if keys else {}
            wants[id(below)] = _joined(_joined(wants[id(below)], passed), own)
    return wants


def _apart_form(node: Project, keys: Names, extra: Names) -> _Form:
    inner, above = _apart(node, keys)
    passed = frozenset(name for name, expression in inner.columns if isinstance(expression, ColumnRef) and expression.name in keys)
    return _Form(inner, above, passed | (extra & {name for name, _ in inner.columns}))


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
