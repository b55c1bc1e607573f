"""Which rows of a table stand behind the numbers of a question: the row masks that two releases are compared by.

A question is followed from each outermost GROUP BY down to the table. Its mask is a condition on the table's rows, and its groups are
told apart by expressions on them; what it joins is joined to the rows, each of which meets one row at most. Conditions inside SUM and
COUNT (FILTER, CASE WHEN) make masks of their own. Where a row could stand behind several groups, or behind a released row by itself, the
question is refused: nothing about it could be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from accord.base.errors import Refused
from accord.base.limits import MASKS_MAX
from accord.base.names import fresh_name
from accord.plan.catalog import Catalog
from accord.plan.expression import Call, ColumnRef, Expression, Literal
from accord.plan.facts import rows_max
from accord.plan.nodes import Aggregate, Concatenate, Filter, Join, Limit, Node, Project, Scan, Sort
from accord.plan.rewrite import substituted
from accord.plan.types import BOOL, TEXT, Type
from accord.plan.typing import boolean, call, column

Minimums = Mapping[str, int]
"""Columns that count, each with the least that a released row has of it."""
Environment = dict[str, Expression]
_JOIN_FIELDS = ("left", "right", "kind", "on", "rows_max", "unique")


@dataclass(frozen=True)
class Grouping:
    """One outermost GROUP BY over a table: the way from the table's scan up to what is grouped, and the GROUP BY itself.

    `rows_min`: a group of fewer rows of the table is not released, as far as rules on counts tell.
    """

    table: str
    path: tuple[Node, ...]
    node: Aggregate
    rows_min: int


@dataclass(frozen=True)
class Masked:
    """A grouping laid onto a relation of the table's rows: the relation, the groups' keys, and for each mask which rows it holds."""

    rows: Node
    keys: tuple[Expression, ...]
    masks: tuple[Expression, ...]


def groupings(node: Node, table: str, minimums: Minimums) -> tuple[Grouping, ...]:
    """The outermost GROUP BYs of an unplaced plan that read a table. Raises Refused where rows of it are released one by one, or in a form
    that cannot be compared."""
    return tuple(_groupings(node, table, minimums))


def _groupings(node: Node, table: str, minimums: Minimums) -> Iterator[Grouping]:
    if not _times(node, table):
        return
    if isinstance(node, Aggregate):
        path, is_whole = _path(node.input, table)
        counts = {name for name, call in node.aggregates if call.function in ("count", "count_distinct")}
        least = max((most for name, most in minimums.items() if name in counts), default=1) if is_whole else 1
        yield Grouping(table, path, node, least)
    elif isinstance(node, Filter | Sort | Limit):
        yield from _groupings(node.input, table, minimums)
    elif isinstance(node, Project):
        passed = {_counted(expression): minimums[name] for name, expression in node.columns if name in minimums}
        yield from _groupings(node.input, table, {name: least for name, least in passed.items() if name})
    elif isinstance(node, Join | Concatenate):
        for below in node.inputs:
            names = {one.name for one in below.fields}
            yield from _groupings(below, table, {name: least for name, least in minimums.items() if name in names})
    else:
        raise _no(f"rows of {table} reach the release one by one" if isinstance(node, Scan) else f"it has a {type(node).__name__}", table)


def _counted(expression: Expression) -> str:
    """The column that a rule's column is, or is with 0 for none."""
    if isinstance(expression, Call) and expression.function == "coalesce" and _is_zero(expression.arguments[-1]):
        expression = expression.arguments[0]
    return expression.name if isinstance(expression, ColumnRef) else ""


def _is_zero(expression: Expression) -> bool:
    return isinstance(expression, Literal) and expression.value == 0


def _times(node: Node, table: str) -> int:
    """How often a plan names a table."""
    if isinstance(node, Scan):
        return int(node.table == table)
    return sum(_times(below, table) for below in node.inputs)


def _path(node: Node, table: str) -> tuple[tuple[Node, ...], bool]:
    """The nodes from the table's scan to this one; and whether every row here has a row of the table behind it."""
    if _times(node, table) > 1:
        raise _no(f"it reads {table} twice in one GROUP BY", table)
    if isinstance(node, Scan):
        return (node,), True
    if not isinstance(node, Filter | Sort | Project | Join | Aggregate | Concatenate):
        raise _no(f"there is a {type(node).__name__} below its GROUP BY", table)
    place = next(at for at, below in enumerate(node.inputs) if _times(below, table))
    path, is_whole = _path(node.inputs[place], table)
    if isinstance(node, Join):
        _require_plain(node, place, table)
        is_whole = is_whole and node.kind in ("inner", "semi", "anti", ("left", "right")[place])
    return (*path, node), is_whole and not isinstance(node, Concatenate)


def _require_plain(join: Join, place: int, table: str) -> None:
    """A join that is a look-up from the table's side. Joins by more than equality are left out by their own fields."""
    more = [one.name for one in fields(join) if one.name not in _JOIN_FIELDS and getattr(join, one.name) != one.default]
    if more or join.kind in ("full", "cross") or (join.is_choice and place):
        raise _no(f"{table} cannot be followed through its {join.kind} join{' by ranges' if more else ''}", table)


# ---- laid onto a relation


def lay(grouping: Grouping, rows: Node, catalog: Catalog) -> Masked:
    """The grouping's keys and masks over a relation that holds the table's rows with the scan's columns by their names, and the relation
    with what they need joined to it. Every row stays, once."""
    found = _Lineage(rows, catalog, grouping.table)
    conditions: list[Expression] = []
    environment: Environment = {one.name: column(rows.field(one.name)) for one in grouping.path[0].fields}
    for at, node in enumerate(grouping.path[1:], 1):
        environment = found.through(node, grouping.path[at - 1], environment, conditions)
    keys = tuple(environment[name] for name in grouping.node.keys)
    base = _all(conditions)
    extra: dict[Expression, None] = {}
    for _, aggregate in grouping.node.aggregates:
        if aggregate.argument is not None and aggregate.function not in ("bool_and", "bool_or"):
            extra.update(dict.fromkeys(_conditions(substituted(aggregate.argument, environment))))
    if 2 * len(extra) >= MASKS_MAX:
        raise _no(f"its sums and counts have {len(extra)} conditions of their own", grouping.table)
    parts = [part for one in extra for part in (_sure(one), call("not", _sure(one)))]
    return Masked(found.rows, keys, (base, *(call("and", base, one) for one in parts)))


class _Lineage:
    """The relation while a path is laid onto it."""

    def __init__(self, rows: Node, catalog: Catalog, table: str) -> None:
        self.rows, self.catalog, self.table = rows, catalog, table

    def through(self, node: Node, below: Node, environment: Environment, conditions: list[Expression]) -> Environment:
        """What the node's columns are, over the relation; its conditions are added."""
        if isinstance(node, Filter):
            conditions.append(_sure(substituted(node.predicate, environment)))
        elif isinstance(node, Project):
            return {name: substituted(expression, environment) for name, expression in node.columns}
        elif isinstance(node, Concatenate):
            names = [one.name for one in below.fields]
            return {one.name: environment[name] for one, name in zip(node.fields, names, strict=True)}
        elif isinstance(node, Join):
            return self._joined(node, below, environment, conditions)
        elif isinstance(node, Aggregate):
            return self._grouped(node, environment)
        return environment

    def _joined(self, node: Join, below: Node, environment: Environment, conditions: list[Expression]) -> Environment:
        place = 0 if node.left is below else 1
        other, own = node.inputs[1 - place], [pair[place] for pair in node.on]
        theirs = [pair[1 - place] for pair in node.on]
        if node.is_choice:
            other = Aggregate(other, tuple(dict.fromkeys(theirs)), ())
        elif rows_max(other, frozenset(theirs), self.catalog) > 1:
            raise _no(f"a row of {self.table} can meet several rows in its join on {', '.join(own)}", self.table)
        is_kept = node.kind == ("left", "right")[place]
        found, there = self.look_up(other, [environment[name] for name in own], theirs, is_kept)
        if not is_kept:
            conditions.append(call("not", there) if node.kind == "anti" else there)
        return environment if node.is_choice else {**environment, **found}

    def _grouped(self, node: Aggregate, environment: Environment) -> Environment:
        """A GROUP BY below the outermost one: each row has its group's values beside it."""
        keys = {name: environment[name] for name in node.keys}
        if not node.aggregates:
            return keys
        if not node.keys or any(one.type.nullable for one in keys.values()):
            raise _no("a GROUP BY below its GROUP BY has no keys, or keys that can be NULL", self.table)
        found, _ = self.look_up(node, list(keys.values()), list(node.keys), is_kept=False)
        return {**found, **keys}

    def look_up(self, other: Node, own: list[Expression], theirs: list[str], is_kept: bool) -> tuple[Environment, Expression]:
        """Each row with the one row of another table whose columns `theirs` agree with its expressions: that row's columns, and whether
        there is one. Rows without one are not among those that the question reads, unless it keeps them."""
        taken = {one.name for one in self.rows.fields}
        keys: list[tuple[str, Expression]] = []
        for expression in own:
            keys.append((fresh_name("key", taken), expression))
            taken.add(keys[-1][0])
        kept = tuple((one.name, column(one)) for one in self.rows.fields)
        left = Project(self.rows, (*kept, *keys))
        names: dict[str, str] = {}
        for one in other.fields:
            names[one.name] = fresh_name(one.name, taken)
            taken.add(names[one.name])
        there = fresh_name("met", taken)
        right = Project(other, (*((names[one.name], column(one)) for one in other.fields), (there, boolean(True))))
        pairs = tuple((key, names[name]) for (key, _), name in zip(keys, theirs, strict=True))
        self.rows = Join(left, right, "left", pairs)
        met = call("not", call("is_null", column(self.rows.field(there))))
        columns = {one.name: (one, column(self.rows.field(names[one.name]))) for one in other.fields}
        return {name: found if is_kept else never_null(found, one.type) for name, (one, found) in columns.items()}, met


def never_null(found: Expression, type: Type) -> Expression:
    """The expression, with any value of the type, where that has no NULL, in its place."""
    if type.nullable or not found.type.nullable:
        return found
    return Call(type, "coalesce", (found, Literal(type, "" if type.kind == TEXT else type.low)))


def _conditions(expression: Expression) -> Iterator[Expression]:
    """The conditions inside what is summed or counted."""
    if isinstance(expression, Call | ColumnRef) and expression.type.kind == BOOL:
        yield expression
    elif isinstance(expression, Call):
        for one in expression.arguments:
            yield from _conditions(one)


def _sure(condition: Expression) -> Expression:
    """The condition, false where it is NULL."""
    return call("coalesce", condition, boolean(False)) if condition.type.nullable else condition


def _all(conditions: list[Expression]) -> Expression:
    return boolean(True) if not conditions else conditions[0] if len(conditions) == 1 else call("and", *conditions)


def _no(what: str, table: str) -> Refused:
    return Refused(
        what,
        rule=f"releases are compared where each row of {table} stands behind one group",
        do=f"group {table} once, joined on keys that are unique on the other side; or leave {table} out of [history.tables]",
    )
