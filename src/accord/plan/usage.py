"""What a question does with owners' columns: through which uses each reaches the result, and what its counts count.

Judged on the plan as it was asked, before placement: owners' policies speak of what people ask, not of how it is carried out. Columns that
nothing above reads are not used. What cannot be told from the plan counts as the wider use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from accord.plan.catalog import Catalog
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression, Literal, columns_of
from accord.plan.facts import rows_max, tables_of, walk
from accord.plan.nodes import Aggregate, AsOf, Concatenate, Filter, Join, Limit, Node, Project, Public, Scan, Sort, Window
from accord.plan.prune import read_of_inputs
from accord.plan.steps import expression_text

JOIN_KEY, IN_CONDITIONS, AGGREGATED, AFTER_GROUPING, AS_INPUT = "join key", "in conditions", "aggregated", "after grouping", "as input"
USES = (JOIN_KEY, IN_CONDITIONS, AGGREGATED, AFTER_GROUPING, AS_INPUT)
"""Compared with a column of an owner's table; choosing or ordering rows; inside SUM, COUNT, AVG, MIN, MAX and the like; telling apart the
groups of a released table; released row by row."""
COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "like", "starts_with", "contains"})

Source = tuple[str, str]
"""An owner's table and a column of it."""


class Form(IntEnum):
    """In what form a column still holds its source: as rows have it, as groups are told apart by it, or only within aggregates."""

    ROW = 0
    GROUP = 1
    AGGREGATE = 2


Forms = Mapping[Source, Form]


@dataclass(frozen=True)
class Use:
    """One use of an owner's column, and the words of the question that make it."""

    table: str
    column: str
    use: str
    place: str


@dataclass(frozen=True)
class Origin:
    """Where a column comes from.

    `forms`: its sources. `tables`: those whose rows it depends on. `groupings`: numbers of the GROUP BYs that made its values.
    `counts`: tables of which it is at most the number of rows in its group; `distinct`: columns of which it is at most the number of
    different values. `copy_of`: the one source whose values it holds unchanged. `compared`: sources of which aggregates were compared to
    make it: a condition on them, once it is aggregated again.
    """

    forms: Forms
    tables: frozenset[str] = frozenset()
    groupings: frozenset[int] = frozenset()
    counts: frozenset[str] = frozenset()
    distinct: frozenset[Source] = frozenset()
    copy_of: Source | None = None
    compared: frozenset[Source] = frozenset()

    @property
    def row_by_row(self) -> frozenset[str]:
        """Tables whose values it holds as rows have them."""
        return frozenset(table for (table, _), form in self.forms.items() if form is Form.ROW)


@dataclass(frozen=True)
class Usage:
    """What a question uses, each use once, and where each of its columns comes from."""

    uses: tuple[Use, ...]
    columns: Mapping[str, Origin]
    tables: tuple[str, ...]


def usage(node: Node, catalog: Catalog, judged: tuple[str, ...] = ()) -> Usage:
    """The usage of an unplaced plan whose columns are released, but for the `judged` ones, which only rules read."""
    trace = _Trace(catalog, _needs(node))
    rows = trace.rows(node)
    before, trace.uses = trace.uses, {}
    for name, origin in rows.columns.items():
        if name in judged:
            trace.note(origin.forms, {Form.ROW: IN_CONDITIONS, Form.GROUP: AFTER_GROUPING}, f"a rule on {name}")
        else:
            trace.note(origin.forms, {Form.ROW: AS_INPUT, Form.GROUP: AFTER_GROUPING}, f"the released column {name}")
    trace.note(dict.fromkeys(rows.keys, Form.GROUP), {Form.GROUP: AFTER_GROUPING}, "the released rows, one for each of its groups")
    return Usage(tuple({**before, **trace.uses}.values()), rows.columns, tables_of(node))


Copies = frozenset[tuple[Source | None, bool]]
"""Of each column of a GROUP BY: the source whose values it holds unchanged, and whether it can be NULL."""


@dataclass(frozen=True)
class _Rows:
    """A node's rows: their columns; the `keys` that tell them apart after a GROUP BY; `tables` that they depend on.

    `once`: tables of which every row stands behind at most one row here. `each`: those of which each row here has one behind it.
    """

    columns: dict[str, Origin]
    keys: frozenset[Source] = frozenset()
    tables: frozenset[str] = frozenset()
    once: frozenset[str] = frozenset()
    each: frozenset[str] = frozenset()
    key_copies: Copies = frozenset()


def _needs(node: Node) -> dict[int, frozenset[str]]:
    """The columns of each node that are read above it."""
    needs = {id(node): frozenset(one.name for one in node.fields)}
    for one in reversed(list(walk(node))):
        for below, wanted in zip(one.inputs, read_of_inputs(one, needs[id(one)]), strict=True):
            needs[id(below)] = needs.get(id(below), frozenset()) | wanted
    return needs


def _merged(every: Iterable[Forms]) -> Forms:
    forms: dict[Source, Form] = {}
    for one in every:
        for source, form in one.items():
            forms[source] = min(form, forms.get(source, form))
    return forms


def _union(origins: Iterable[Origin]) -> Origin:
    """A column that is computed from several."""
    parts = list(origins)
    tables = frozenset[str]().union(*(one.tables for one in parts))
    compared = frozenset[Source]().union(*(one.compared for one in parts))
    return Origin(_merged(one.forms for one in parts), tables, frozenset[int]().union(*(one.groupings for one in parts)), compared=compared)


def _stacked(origins: Iterable[Origin]) -> Origin:
    """A column of rows one after the other: it counts what it counts in each table.

    Needs: tables each made in one grouping, so that a count is of the same groups as the values beside it.
    """
    parts = list(origins)
    counts, distinct = frozenset.intersection(*(one.counts for one in parts)), frozenset.intersection(*(one.distinct for one in parts))
    return replace(_union(parts), counts=counts, distinct=distinct)


def _is_of_one_grouping(rows: _Rows) -> bool:
    return len(frozenset[int]().union(*(one.groupings for one in rows.columns.values()))) <= 1


class _Trace:
    def __init__(self, catalog: Catalog, needs: Mapping[int, frozenset[str]]) -> None:
        self.catalog, self.needs = catalog, needs
        self.uses: dict[tuple[str, str, str], Use] = {}
        self.done: dict[int, _Rows] = {}

    def note(self, forms: Forms, uses: Mapping[Form, str], place: str) -> None:
        """Write down the use of every source whose form has one."""
        for (table, name), form in forms.items():
            if form in uses:
                self.uses.setdefault((table, name, uses[form]), Use(table, name, uses[form], place))

    def rows(self, node: Node) -> _Rows:
        if id(node) not in self.done:
            self.done[id(node)] = self._rows(node)
        return self.done[id(node)]

    def _rows(self, node: Node) -> _Rows:
        if isinstance(node, Scan):
            return self._scan(node)
        if isinstance(node, Public):
            return _Rows({one.name: Origin({}) for one in node.fields})
        if isinstance(node, Join):
            return _Joined(self, node).rows()
        if isinstance(node, Concatenate):
            return self._concatenate(node)
        below = self.rows(node.inputs[0])
        if isinstance(node, Filter):
            self._condition(columns_of(node.predicate), below, f"WHERE {expression_text(node.predicate)}")
        elif isinstance(node, Limit):
            self._limit(node, below)
        elif isinstance(node, Sort):
            self._sort(node, below)
        elif isinstance(node, Project):
            return self._project(node, below)
        elif isinstance(node, Window):
            return self._window(node, below)
        elif isinstance(node, Aggregate):
            return self._aggregate(node, below)
        return below

    def _scan(self, node: Scan) -> _Rows:
        own = frozenset({node.table})
        columns = {one.name: Origin({(node.table, one.name): Form.ROW}, own, copy_of=(node.table, one.name)) for one in node.fields}
        return _Rows(columns, tables=own, once=own, each=own)

    def _concatenate(self, node: Concatenate) -> _Rows:
        parts = [self.rows(one) for one in node.parts]
        every = zip(*(one.columns.values() for one in parts), strict=True)
        joined = _stacked if all(map(_is_of_one_grouping, parts)) else _union
        columns = {field.name: joined(alike) for field, alike in zip(node.fields, every, strict=True)}
        often = [table for one in parts for table in one.tables]
        once = frozenset(table for one in parts for table in one.once if often.count(table) == 1)
        each = frozenset.intersection(*(one.each for one in parts))
        tables, keys = (frozenset().union(*sets) for sets in ((one.tables for one in parts), (one.keys for one in parts)))
        return _Rows(columns, keys, tables, once, each)

    # ---- choosing and ordering

    def _condition(self, names: Iterable[str], below: _Rows, place: str) -> None:
        """Rows are chosen by columns; of groups, whether one is there may tell its sum."""
        for name in sorted(names):
            self.note(below.columns[name].forms, dict.fromkeys(Form, IN_CONDITIONS), place)

    def _sort(self, node: Sort, below: _Rows) -> None:
        """An order tells of rows what they are ordered by; of groups which they are."""
        for name, _ in node.keys:
            self.note(below.columns[name].forms, {Form.ROW: IN_CONDITIONS, Form.GROUP: AFTER_GROUPING}, f"ORDER BY {name}")

    def _limit(self, node: Limit, below: _Rows) -> None:
        if isinstance(node.input, Sort):
            for name, _ in node.input.keys:
                self._condition([name], below, f"ORDER BY {name} LIMIT {node.count}")

    # ---- computing

    def _project(self, node: Project, below: _Rows) -> _Rows:
        columns = {name: self._computed(expression, below, name in self.needs[id(node)]) for name, expression in node.columns}
        return replace(below, columns=columns)

    def _computed(self, expression: Expression, below: _Rows, is_read: bool) -> Origin:
        known = _or_zero(expression)
        if isinstance(known, ColumnRef):
            origin = below.columns[known.name]
            return origin if known is expression else replace(origin, copy_of=None)
        if is_read:
            self._compare(expression, below)
        origin = _union(below.columns[name] for name in columns_of(expression))
        return replace(origin, compared=origin.compared | self._aggregates_compared(expression, below))

    def _compare(self, expression: Expression, below: _Rows) -> None:
        """What is compared within an expression is used in a condition."""
        for names, place in _compared(expression):
            for name in sorted(names):
                self.note(below.columns[name].forms, {Form.ROW: IN_CONDITIONS, Form.GROUP: IN_CONDITIONS}, place)

    def _aggregates_compared(self, expression: Expression, below: _Rows) -> frozenset[Source]:
        origins = (below.columns[name] for names, _ in _compared(expression) for name in names)
        return frozenset(source for one in origins for source, form in one.forms.items() if form is Form.AGGREGATE)

    def _window(self, node: Window, below: _Rows) -> _Rows:
        """A window keeps the rows, so that what it makes of them counts as row by row."""
        made = dict(node.calls)
        beside = (*node.partition, *(name for name, _ in node.order))
        if self.needs[id(node)] & frozenset(made):
            self._condition(beside, below, f"OVER ({_over(node)})")
        columns = dict(below.columns)
        for name, call in made.items():
            read = columns_of(call.argument) if call.argument is not None else frozenset()
            if call.argument is not None:
                self._compare(call.argument, below)
            columns[name] = replace(_union(below.columns[one] for one in (*read, *beside)), tables=below.tables)
        return replace(below, columns=columns)

    # ---- grouping

    def _aggregate(self, node: Aggregate, below: _Rows) -> _Rows:
        grouping = frozenset({len(self.done)})
        keys = {name: self._key(below.columns[name], below, grouping) for name in node.keys}
        outer = _merged(one.forms for one in keys.values())
        self.note(dict.fromkeys(below.keys - frozenset(outer), Form.GROUP), {Form.GROUP: AGGREGATED}, "GROUP BY below another GROUP BY")
        copies = frozenset((one.copy_of, node.field(name).type.nullable) for name, one in keys.items())
        needed = self.needs[id(node)]
        made = {name: self._made(call, below, grouping, copies, name in needed) for name, call in node.aggregates}
        told_apart = frozenset(source for source, form in outer.items() if form is not Form.AGGREGATE)
        each = below.each if node.keys else frozenset()
        return _Rows({**keys, **made}, told_apart, below.tables, below.once, each, copies)

    def _key(self, origin: Origin, below: _Rows, grouping: frozenset[int]) -> Origin:
        forms = {source: max(form, Form.GROUP) for source, form in origin.forms.items()}
        return Origin(forms, below.tables, grouping, copy_of=origin.copy_of)

    def _made(self, call: AggregateCall, below: _Rows, grouping: frozenset[int], copies: Copies, is_read: bool) -> Origin:
        read = [] if call.argument is None else [below.columns[name] for name in columns_of(call.argument)]
        forms = _merged(one.forms for one in read)
        if is_read and call.argument is not None:
            self._compare(call.argument, below)
            compared = self._aggregates_compared(call.argument, below).union(*(one.compared for one in read))
            place = f"{call.function.upper().replace('_DISTINCT', '(DISTINCT')}({expression_text(call.argument)})"
            self.note(forms, {Form.ROW: AGGREGATED, Form.GROUP: AGGREGATED}, place.replace("DISTINCT(", "DISTINCT "))
            self.note(dict.fromkeys(compared, Form.AGGREGATE), {Form.AGGREGATE: IN_CONDITIONS}, place.replace("DISTINCT(", "DISTINCT "))
        distinct = _distinct(call, below, copies)
        counts = _counts(call, below) | {table for table, _ in distinct}
        return Origin(dict.fromkeys(forms, Form.AGGREGATE), below.tables, grouping, counts, distinct)


def _counts(call: AggregateCall, below: _Rows) -> frozenset[str]:
    """The tables of which it cannot exceed the number of rows in the group."""
    if call.function == "count":
        return below.once & below.each
    known = _or_zero(call.argument)
    origin = below.columns[known.name] if isinstance(known, ColumnRef) else None
    if call.function != "sum" or call.argument is None:
        return frozenset()
    if origin is not None and origin.counts:
        return origin.counts & below.once
    return below.once & below.each if call.argument.type.scale == 0 and call.argument.type.high <= 1 else frozenset()


def _distinct(call: AggregateCall, below: _Rows, copies: Copies) -> frozenset[Source]:
    """The columns of which it cannot exceed the number of different values: COUNT(DISTINCT x), or COUNT over GROUP BY …, x."""
    if call.function == "count_distinct" and isinstance(call.argument, ColumnRef):
        copy = below.columns[call.argument.name].copy_of
        return frozenset({copy}) if copy else frozenset()
    rest = below.key_copies - copies
    ((only, nullable),) = rest if call.function == "count" and len(rest) == 1 and None not in dict(copies) else [(None, False)]
    return frozenset({only}) if only and not nullable else frozenset()


def _compared(expression: Expression) -> Iterator[tuple[frozenset[str], str]]:
    """The columns that are compared within an expression, other than with NULL, and the words that do it."""
    if not isinstance(expression, Call):
        return
    if expression.function in COMPARISONS:
        yield columns_of(expression), expression_text(expression)
        return
    for at, one in enumerate(expression.arguments):
        if isinstance(one, ColumnRef) and expression.function == "case" and at % 2 == 0 and at < len(expression.arguments) - 1:
            yield frozenset({one.name}), f"CASE WHEN {one.name}"
        yield from _compared(one)


def _or_zero(expression: Expression | None) -> Expression | None:
    """The expression without a 0 in place of NULL."""
    if isinstance(expression, Call) and expression.function == "coalesce" and len(expression.arguments) == 2:
        value, otherwise = expression.arguments
        if isinstance(otherwise, Literal) and otherwise.value == 0:
            return value
    return expression


def _over(node: Window) -> str:
    parts = [("PARTITION BY ", node.partition), ("ORDER BY ", [name for name, _ in node.order])]
    return " ".join(word + ", ".join(names) for word, names in parts if names)


class _Joined:
    """The rows of a join. What is compared is used; each side's key then tells the other's, and a public side the key that met it."""

    def __init__(self, trace: _Trace, node: Join) -> None:
        self.node, self.trace = node, trace
        self.left, self.right = (trace.rows(one) for one in node.inputs)

    def rows(self) -> _Rows:
        node, left, right = self.node, self.left, self.right
        self._note()
        columns = self._columns()
        tables, both, met = left.tables | right.tables, left.each & right.each, left.each | right.each
        each = {"left": left.each, "anti": left.each, "right": right.each, "full": both}.get(node.kind, met)
        if node.is_choice:
            once = left.once | self._once(1, right, left) if node.kind == "semi" else left.once
            return replace(left, columns=columns, tables=tables, once=once, each=each)
        return _Rows(columns, left.keys | right.keys, tables, self._once(0, left, right) | self._once(1, right, left), each)

    def _note(self) -> None:
        for a, b in self.node.on:
            self._met(self.left.columns[a], self.right, f"JOIN on {a} = {b}")
            self._met(self.right.columns[b], self.left, f"JOIN on {a} = {b}")
        for at, names in enumerate(self.node.match.names if self.node.match else ()):
            mine, other = (self.left, self.right)[:: 1 - 2 * at]
            for name in sorted(names):
                self._met(mine.columns[name], other, f"JOIN on {self.node.match.text}" if self.node.match else "")

    def _met(self, origin: Origin, other: _Rows, place: str) -> None:
        use = JOIN_KEY if other.tables else IN_CONDITIONS
        self.trace.note(origin.forms, {Form.ROW: use, Form.GROUP: use}, place)

    def _once(self, place: int, side: _Rows, other: _Rows) -> frozenset[str]:
        """The tables of a side whose rows stay behind one row: each meets at most one of the other side."""
        on = frozenset(pair[1 - place] for pair in self.node.on)
        is_one = place == 0 and isinstance(self.node.match, AsOf)
        return side.once - other.tables if is_one or rows_max(self.node.inputs[1 - place], on, self.trace.catalog) <= 1 else frozenset()

    def _columns(self) -> dict[str, Origin]:
        node = self.node
        if node.kind == "anti":
            return dict(self.left.columns)
        left, right = (dict(one.columns) for one in (self.left, self.right))
        for a, b in node.on:
            both = _union([self.left.columns[a], self.right.columns[b]])
            left[a] = self._told(left[a], both, kept=node.kind in ("left", "full"))
            right[b] = self._told(right[b], both, kept=node.kind in ("right", "full"))
        if node.kind != "semi":
            self._looked_up(right, self.right, self.left.columns, 0)
            self._looked_up(left, self.left, self.right.columns, 1)
        return left if node.is_choice else {**left, **right}

    @staticmethod
    def _told(origin: Origin, both: Origin, *, kept: bool) -> Origin:
        """A key after the join: it tells of the other side's too; where its rows stay whatever they meet, its groups are its own."""
        return replace(origin, forms=both.forms, tables=both.tables, groupings=origin.groupings if kept else both.groupings)

    def _looked_up(self, columns: dict[str, Origin], side: _Rows, others: Mapping[str, Origin], place: int) -> None:
        """The other columns of a public side follow from the key of the rows that they stand beside."""
        if side.tables or not self.node.on:
            return
        key = _union(others[pair[place]] for pair in self.node.on)
        keys = {pair[1 - place] for pair in self.node.on}
        for name, origin in ((name, origin) for name, origin in columns.items() if name not in keys):
            columns[name] = replace(origin, forms=_merged([origin.forms, key.forms]), tables=origin.tables | key.tables)
