"""One SELECT of sqlglot's qualified tree becomes plan nodes: FROM, JOIN, WHERE, GROUP BY, HAVING, SELECT, ORDER BY."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.frame.expressions import Expressions
from accord.frame.grouping import Grouping, aggregates_of
from accord.frame.places import at, shortened
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.expression import ColumnRef, Expression, columns_of
from accord.plan.nodes import Aggregate, Field, Filter, Join, Node, Project, Scan, Sort
from accord.plan.types import Type
from accord.plan.typing import column, same_form

CLAUSES = ("with_", "expressions", "from_", "joins", "where", "group", "having", "order", "kind", "hint", "operation_modifiers")
"""What a SELECT may have."""

CLAUSES_REFUSED = {
    "distinct": ("SELECT DISTINCT", "GROUP BY the columns"),
    "limit": ("LIMIT", "leave it out: the number of rows that a release has is public and fixed"),
    "offset": ("OFFSET", "leave it out: the number of rows that a release has is public and fixed"),
    "qualify": ("QUALIFY", "compute the aggregate with GROUP BY and JOIN it back"),
    "windows": ("WINDOW", "compute the aggregate with GROUP BY and JOIN it back"),
    "sample": ("USING SAMPLE", "leave it out: nothing here is random"),
}
"""Clauses that are refused, in words, and the nearest supported form."""


@dataclass
class Source:
    """What FROM has gathered so far: the joined table, what names mean in it, and which NULL-side column equals which."""

    node: Node
    columns: dict[tuple[str, str], Expression]
    equated: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Query:
    """Translates the SELECTs of one statement. `named` are tables by lower-case name: CTEs, and plans that were given."""

    catalog: Catalog
    named: Mapping[str, Node]
    parameters: Mapping[str, str | int]
    sql: str

    def whole(self, tree: exp.Expr, nested: bool = False) -> Node:
        """The plan of a SELECT with all its CTEs. Raises Refused with the place in the SQL."""
        if not isinstance(tree, exp.Select):
            with at(tree, self.sql):
                raise _refused_statement(tree)
        self._require_clauses(tree, nested)
        named = dict(self.named)
        for cte in tree.ctes:
            named[cte.alias.lower()] = Query(self.catalog, named, self.parameters, self.sql).whole(cte.this, nested=True)
        return Query(self.catalog, named, self.parameters, self.sql)._select(tree)

    def _require_clauses(self, tree: exp.Select, nested: bool) -> None:
        for key, value in tree.args.items():
            if value and key in CLAUSES_REFUSED:
                with at(tree, self.sql), at(value if isinstance(value, exp.Expr) else tree, self.sql):
                    raise Refused(f"{CLAUSES_REFUSED[key][0]} is not supported", do=CLAUSES_REFUSED[key][1])
            if value and key not in CLAUSES:
                with at(tree, self.sql):
                    raise Refused(f"{key.strip('_').upper()} is not supported", do="docs/reference/sql.md lists what is")
        if nested and tree.args.get("order"):
            with at(tree.args["order"], self.sql):
                raise Refused("ORDER BY in a subquery is not supported", do="move it to the outermost SELECT")
        if (recursive := tree.args.get("with_")) and recursive.args.get("recursive"):
            with at(recursive, self.sql):
                raise Refused("WITH RECURSIVE is not supported", do="write the steps out")

    def _select(self, tree: exp.Select) -> Node:
        source = self._from(tree)
        below = Expressions(source.columns, self.parameters, self.sql, equated=source.equated)
        node = source.node
        if where := tree.args.get("where"):
            node = Filter(node, below.condition(where.this))
        node, above = self._grouped(tree, node, below)
        if having := tree.args.get("having"):
            node = Filter(node, above.condition(having.this))
        columns = tuple((one.alias_or_name, above.translate(one.unalias())) for one in tree.expressions)
        self._require_names(tree, [name for name, _ in columns])
        return self._sorted(tree, Project(node, columns))

    def _require_names(self, tree: exp.Select, names: list[str]) -> None:
        for one in tree.expressions:
            if [name.lower() for name in names].count(one.alias_or_name.lower()) > 1:
                with at(one, self.sql):
                    raise Refused(f"two output columns are named {one.alias_or_name}", do="give one of them another name with AS")

    # ---- FROM

    def _from(self, tree: exp.Select) -> Source:
        first = tree.args.get("from_")
        if first is None:
            with at(tree, self.sql):
                raise Refused("a SELECT without FROM", do="select from a declared table")
        source = self._source(first.this)
        for join in tree.args.get("joins") or ():
            with at(join, self.sql):
                source = self._joined(source, join)
        return source

    def _source(self, item: exp.Expr) -> Source:
        """A table, CTE or subquery of FROM."""
        with at(item, self.sql):
            more = [key for key, value in item.args.items() if value and key not in ("this", "alias")]
            if "pivots" in more:
                raise Refused("PIVOT is not supported", do="SUM(…) FILTER (WHERE …) for each column")
            if isinstance(item, exp.Subquery) and not more:
                node = self.whole(item.this, nested=True)
            elif isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier) and not more:
                node = self._table(item.name)
            else:
                rule = "tables, subqueries and names of WITH"
                raise Refused(f"{shortened(item)} in FROM", rule=rule, do="declare a public table in the study")
            return Source(node, {(item.alias_or_name.lower(), one.name.lower()): column(one) for one in node.fields})

    def _table(self, name: str) -> Node:
        if name.lower() in self.named:
            return self.named[name.lower()]
        declared = {one.lower(): one for one in (*self.catalog.tables, *self.catalog.publics)}
        found = self.catalog.table(declared.get(name.lower(), name))
        if isinstance(found, TableInfo):
            return Scan(found.schema.name, tuple(Field(one.name, Type.of(one)) for one in found.schema.columns))
        return found

    # ---- JOIN

    def _joined(self, left: Source, join: exp.Join) -> Source:
        side, kind = join.side or "", join.kind or ""
        if join.method or kind not in ("", "INNER", "CROSS", "OUTER") or join.args.get("match_condition"):
            what = " ".join(filter(None, (join.method, side, kind)))
            raise Refused(f"{what} JOIN is not supported", rule="inner, left, right and cross", do="JOIN … USING (columns)")
        if side == "FULL":
            raise Refused(
                "FULL JOIN is not supported",
                rule="which rows are unmatched is secret, so the rows must be known beforehand",
                do="LEFT JOIN both tables to a grid of the declared domains: FROM domain LEFT JOIN a USING (key) LEFT JOIN b USING (key)",
            )
        right = _apart(self._source(join.this), left)
        condition = join.args.get("on")
        conjuncts = list(condition.flatten()) if isinstance(condition, exp.And) else [condition] if condition else []
        swapped = side == "RIGHT"
        kept, other = (right, left) if swapped else (left, right)
        return self._combined(kept, other, "left" if side in ("LEFT", "RIGHT") else "inner", [_bare(one) for one in conjuncts])

    def _combined(self, kept: Source, other: Source, kind: str, conjuncts: list[exp.Expr]) -> Source:
        """The join of two sources; of an outer join `kept` is the side whose rows all stay."""
        both = Expressions({**kept.columns, **other.columns}, self.parameters, self.sql, equated={**kept.equated, **other.equated})
        names = [frozenset(one.name for one in side.node.fields) for side in (kept, other)]
        pairs, rest = [], []
        for node in conjuncts:
            equal = self._pair(node, both, names)
            if equal:
                pairs.append(equal)
            else:
                rest.append((node, both.condition(node)))
        left, right, on = _with_columns(kept.node, other.node, pairs)
        if kind == "left":
            right = self._only(right, rest, names[1])
            if not on:
                raise Refused("an outer JOIN without an equality", do="LEFT JOIN … ON a.key = b.key, or CROSS JOIN")
        joined: Node = Join(left, right, kind if on else "cross", on)
        if kind == "inner":
            for _, condition in rest:
                joined = Filter(joined, condition)
        return _source_of(joined, kept, other, {second: first for first, second in on})

    def _pair(self, node: exp.Expr, both: Expressions, names: list[frozenset[str]]) -> tuple[Expression, Expression] | None:
        """The two sides of an equality between the tables, in order; None for another condition."""
        if not isinstance(node, exp.EQ):
            return None
        first, second = both.translate(node.this), both.translate(node.expression)
        if columns_of(first) and columns_of(first) <= names[1]:
            first, second = second, first
        if not (columns_of(first) and columns_of(second) and columns_of(first) <= names[0] and columns_of(second) <= names[1]):
            return None
        with at(node, self.sql):
            return same_form(first, second)

    def _only(self, right: Node, rest: list[tuple[exp.Expr, Expression]], names: frozenset[str]) -> Node:
        """Conditions of a LEFT JOIN's ON that read the right table alone choose its rows beforehand."""
        for node, condition in rest:
            if not columns_of(condition) <= names:
                with at(node, self.sql):
                    raise Refused(
                        "a condition on both tables in the ON of an outer JOIN",
                        rule="equalities, and conditions on the joined table alone",
                        do="JOIN on the equalities and decide with CASE WHEN … in SELECT",
                    )
            right = Filter(right, condition)
        return right

    # ---- GROUP BY, ORDER BY

    def _grouped(self, tree: exp.Select, node: Node, below: Expressions) -> tuple[Node, Expressions]:
        group, having = tree.args.get("group"), tree.args.get("having")
        searched = [*(one.unalias() for one in tree.expressions), *([having.this] if having else [])]
        if not group and not having and not aggregates_of(searched):
            return node, below
        forms = (exp.Rollup, exp.Cube, exp.GroupingSets)
        if group and (any(value for key, value in group.args.items() if key != "expressions") or group.find(*forms)):
            with at(group, self.sql):
                raise Refused(
                    "this form of GROUP BY is not supported",
                    rule="a list of columns or expressions",
                    do="write one query for each grouping",
                )
        keys = [_bare(one) for one in group.expressions] if group else []
        aliases = [(one.unalias(), one.alias_or_name) for one in tree.expressions]
        grouping = Grouping(node, below, self.catalog, aliases)
        grouped, pairs = grouping.build(keys, searched)
        assert isinstance(grouped, Aggregate)
        return grouped, Expressions(below.columns, self.parameters, self.sql, pairs, grouped=True)

    def _sorted(self, tree: exp.Select, node: Node) -> Node:
        order = tree.args.get("order")
        if not order:
            return node
        keys = []
        for one in order.expressions:
            with at(one, self.sql):
                name = _output(tree, one.this)
                if name is None or one.args.get("nulls_first") or one.args.get("with_fill"):
                    raise Refused(f"ORDER BY {shortened(one)}", rule="output columns, ASC or DESC, NULLs last", do="name an output column")
                keys.append((name, bool(one.args.get("desc"))))
        return Sort(node, tuple(keys))


def _output(tree: exp.Select, by: exp.Expr) -> str | None:
    """The output column that ORDER BY means: the same expression, or its name."""
    named = {one.alias_or_name.lower(): one.alias_or_name for one in tree.expressions}
    same = (one.alias_or_name for one in tree.expressions if one.unalias() == by)
    return next(same, named.get(by.name.lower()) if isinstance(by, exp.Column) else None)


def _refused_statement(tree: exp.Expr) -> Refused:
    if isinstance(tree, exp.SetOperation):
        return Refused(f"{tree.key.upper()} of queries is not supported", do="GROUP BY over one table, or release two tables")
    return Refused(f"a {tree.key.upper()} statement", rule="a study asks with SELECT", do="write a SELECT")


def _bare(node: exp.Expr) -> exp.Expr:
    return node.unnest()


def _apart(right: Source, left: Source) -> Source:
    """The right source with column names that the left one does not have."""
    taken = {one.name for one in left.node.fields}
    if not taken & {one.name for one in right.node.fields}:
        return right
    alias = next((alias for alias, _ in right.columns), "right")
    taken |= {one.name for one in right.node.fields}
    names: dict[str, str] = {}
    for one in right.node.fields:
        clashes = any(one.name == other.name for other in left.node.fields)
        names[one.name] = _fresh(f"{alias}_{one.name}", taken) if clashes else one.name
    node = Project(right.node, tuple((names[one.name], column(one)) for one in right.node.fields))
    fields = {one.name: one for one in node.fields}
    columns: dict[tuple[str, str], Any] = {key: column(fields[names[_name(old)]]) for key, old in right.columns.items()}
    return Source(node, columns)


def _name(expression: Expression) -> str:
    assert isinstance(expression, ColumnRef)
    return expression.name


def _fresh(name: str, taken: set[str]) -> str:
    fresh = fresh_name(name, taken)
    taken.add(fresh)
    return fresh


def _with_columns(left: Node, right: Node, pairs: list[tuple[Expression, Expression]]) -> tuple[Node, Node, tuple[tuple[str, str], ...]]:
    """Both tables with a column for each side of each equality."""
    taken = {one.name for side in (left, right) for one in side.fields}
    sides, names = [], []
    for place, node in enumerate((left, right)):
        computed = [(_fresh("on", taken), pair[place]) for pair in pairs if not isinstance(pair[place], ColumnRef)]
        known = {id(expression): name for name, expression in computed}
        names.append([known.get(id(pair[place])) or _name(pair[place]) for pair in pairs])
        sides.append(Project(node, (*((one.name, column(one)) for one in node.fields), *computed)) if computed else node)
    return sides[0], sides[1], tuple(dict.fromkeys(zip(*names, strict=True)))


def _source_of(joined: Node, kept: Source, other: Source, equated: dict[str, str]) -> Source:
    """The names of both sources over their join, with the types that they have there."""
    fields = {one.name: one for one in joined.fields}
    columns: dict[tuple[str, str], Any] = {key: column(fields[_name(old)]) for side in (kept, other) for key, old in side.columns.items()}
    return Source(joined, columns, {**kept.equated, **other.equated, **equated})
