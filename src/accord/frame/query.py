"""One SELECT of sqlglot's qualified tree becomes plan nodes, clause by clause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from accord.base.errors import Refused
from accord.frame.expressions import Expressions
from accord.frame.grouping import Grouping, aggregates_of
from accord.frame.grouping_sets import groupings
from accord.frame.joins import From, Source
from accord.frame.ordering import limited, ordered_set, sort_keys
from accord.frame.places import at, shortened
from accord.frame.scalars import first_row
from accord.frame.scopes import conjuncts, outer_columns
from accord.frame.setops import combined
from accord.frame.subqueries import Attached, chosen
from accord.frame.windows import windowed_rows, windows_of
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.nodes import Aggregate, Field, Filter, Node, Project, Scan, Sort
from accord.plan.types import Type
from accord.plan.typing import column

CLAUSES = (
    *("with_", "expressions", "from_", "joins", "where", "group", "having", "order", "kind", "hint", "operation_modifiers"),
    *("distinct", "limit", "offset", "qualify", "windows"),
)
"""What a SELECT may have."""

CLAUSES_REFUSED = {"sample": ("USING SAMPLE", "leave it out: nothing here is random")}
"""Clauses that are refused, in words, and the nearest supported form."""


@dataclass(frozen=True)
class Query:
    """Translates the SELECTs of one statement. `named` are tables by lower-case name: CTEs, and plans that were given."""

    catalog: Catalog
    named: Mapping[str, Node]
    parameters: Mapping[str, str | int]
    sql: str

    def whole(self, tree: exp.Expr, nested: bool = False) -> Node:
        """The plan of a SELECT or of several that are combined, with all CTEs. Raises Refused with the place in the SQL."""
        if isinstance(tree, exp.Subquery) and not tree.args.get("with_"):
            return self._enclosed(tree, nested)
        if not isinstance(tree, exp.Select | exp.SetOperation):
            with at(tree, self.sql):
                raise Refused(f"a {tree.key.upper()} statement", rule="a study asks with SELECT", do="write a SELECT")
        self._require_clauses(tree, nested)
        query = self.with_ctes(tree)
        if isinstance(tree, exp.SetOperation):
            return limited(query, tree, ordered_set(query, tree, combined(query, tree)))
        return Select(query, tree).whole()

    def _enclosed(self, tree: exp.Subquery, nested: bool) -> Node:
        """A query in parentheses, perhaps with an order and a limit of its own."""
        node = self.whole(tree.this, nested=nested or bool(tree.args.get("limit")))
        return limited(self, tree, ordered_set(self, tree, node))

    def with_ctes(self, tree: exp.Query) -> Query:
        """The query in which the names of a WITH are known."""
        named = dict(self.named)
        for cte in tree.ctes:
            named[cte.alias.lower()] = Query(self.catalog, named, self.parameters, self.sql).whole(cte.this, nested=True)
        return Query(self.catalog, named, self.parameters, self.sql)

    def _require_clauses(self, tree: exp.Query, nested: bool) -> None:
        known = CLAUSES if isinstance(tree, exp.Select) else (*CLAUSES, "this", "expression", "by_name")
        for key, value in tree.args.items():
            if value and key in CLAUSES_REFUSED:
                with at(tree, self.sql), at(value if isinstance(value, exp.Expr) else tree, self.sql):
                    raise Refused(f"{CLAUSES_REFUSED[key][0]} is not supported", do=CLAUSES_REFUSED[key][1])
            if value and key not in known:
                with at(tree, self.sql):
                    raise Refused(f"{key.strip('_').upper()} is not supported", do="docs/reference/sql.md lists what is")
        if nested and tree.args.get("order") and not tree.args.get("limit"):
            with at(tree.args["order"], self.sql):
                raise Refused("ORDER BY in a subquery without LIMIT is not supported", do="move it to the outermost SELECT")
        if (recursive := tree.args.get("with_")) and recursive.args.get("recursive"):
            with at(recursive, self.sql):
                raise Refused("WITH RECURSIVE is not supported", do="write the steps out")

    # ---- FROM

    def source(self, item: exp.Expr) -> Source:
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

    def restricted(self, node: Node, into: Expressions, conditions: Sequence[exp.Expr], split: bool = False) -> Node:
        """The rows for which all conditions are true: plain ones first, then those with subqueries.

        `split` says that what all branches of an OR demand is seen to elsewhere.
        """
        return chosen(self, node, into, conditions, split)


class Select:
    """One SELECT on its way, clause by clause: `node` is the table so far, `into` translates what is said about it.

    `correlated` are the conditions of WHERE that read the query around, where this is a subquery.
    """

    def __init__(self, query: Query, tree: exp.Select) -> None:
        self.query, self.tree = query, tree
        self.correlated: list[exp.Expr] = []
        self.node, self.into = self._rows()

    def whole(self) -> Node:
        """All clauses, one after the other."""
        self.group()
        self.choose_groups()
        self.window()
        return self._finished()

    # ---- FROM, WHERE

    def _rows(self) -> tuple[Node, Expressions]:
        """The rows of FROM for which WHERE is true; conditions on the query around are kept in `correlated`."""
        tree = self.tree
        where = conjuncts(tree.args["where"].this) if tree.args.get("where") else []
        self.correlated = [one for one in where if outer_columns(one, tree)]
        conditions = [one for one in where if all(one is not other for other in self.correlated)]
        if tree.args.get("from_") is None:
            return self._without_from()
        source = From(self.query, tree, conditions).build()
        into = Expressions(source.columns, self.query.parameters, self.query.sql, equated=source.equated)
        if conditions:
            untouched = len(conditions) == len(where)
            given = [tree.args["where"].this] if untouched else conditions
            source.node = self.query.restricted(source.node, into, given, split=not untouched)
        return source.node, into

    def _without_from(self) -> tuple[Node, Expressions]:
        """SELECT of subqueries alone: the first of them is the one row."""
        into = Expressions({}, self.query.parameters, self.query.sql)
        node = first_row(self.query, into, self.tree)
        if node is None:
            with at(self.tree, self.query.sql):
                raise Refused("a SELECT without FROM", do="select from a declared table")
        return node, into

    # ---- GROUP BY, HAVING

    @property
    def searched(self) -> list[exp.Expr]:
        """Where aggregates and windows may stand."""
        having, qualify, order = (self.tree.args.get(name) for name in ("having", "qualify", "order"))
        chosen_by = [one.this for one in (having, qualify) if one]
        return [*(one.unalias() for one in self.tree.expressions), *chosen_by, *((one.this for one in order.expressions) if order else ())]

    @property
    def is_grouped(self) -> bool:
        return bool(self.tree.args.get("group") or self.tree.args.get("having") or aggregates_of(self.searched))

    def group(self, also: Sequence[str] = ()) -> None:
        """GROUP BY, or the one row of aggregates without it; also by the columns `also`, which a correlated subquery is asked by."""
        if not self.is_grouped:
            return
        searched = self.searched
        for aggregate in aggregates_of(searched):
            self.node = Attached.to(self.query, self.node, self.into, aggregate)
        aliases = [(one.unalias(), one.alias_or_name) for one in self.tree.expressions]
        grouping = Grouping(self.node, self.into, self.query.catalog, aliases)
        sets = self._groupings()
        if len(sets) > 1 and also:
            with at(self.tree, self.query.sql), at(self.tree.args["group"], self.query.sql):
                what = "several groupings in a subquery that refers to the query around"
                raise Refused(what, do="group in FROM and JOIN it")
        grouped, pairs = grouping.build(sets[0], searched, also) if len(sets) == 1 else grouping.build_several(sets, searched)
        self.node, self.into = grouped, Expressions(self.into.columns, self.query.parameters, self.query.sql, pairs, grouped=True)

    def _groupings(self) -> list[list[exp.Expr]]:
        """The keys of each grouping: of one, but for ROLLUP, CUBE and GROUPING SETS."""
        group = self.tree.args.get("group")
        if not group:
            return [[]]
        if group.args.get("all"):
            whole = [one.unalias() for one in self.tree.expressions]
            return [[one.unnest() for one in whole if not aggregates_of([one]) and not isinstance(one, exp.Literal)]]
        return groupings(self.tree, self.query.sql)

    def choose_groups(self) -> None:
        """HAVING."""
        if having := self.tree.args.get("having"):
            self.node = self.query.restricted(self.node, self.into, [having.this])

    # ---- windows, SELECT

    def window(self) -> None:
        """Subqueries and windows of SELECT, then QUALIFY."""
        order = self.tree.args.get("order")
        qualify = self.tree.args.get("qualify")
        for one in (*self.tree.expressions, *(order.expressions if order else ()), *([qualify] if qualify else [])):
            self.node = Attached.to(self.query, self.node, self.into, one)
        if windows_of(self.searched):
            self.node = windowed_rows(self.node, self.into, self.query.catalog, self.tree, self.searched)
        if qualify:
            self.node = Filter(self.node, self.into.condition(qualify.this))

    def _finished(self) -> Node:
        """SELECT, DISTINCT, ORDER BY, LIMIT."""
        tree = self.tree
        columns = [(one.alias_or_name, self.into.translate(one.unalias())) for one in tree.expressions]
        self._require_names([name for name, _ in columns])
        names = [name for name, _ in columns]
        if self._is_distinct():
            node: Node = Aggregate(Project(self.node, tuple(columns)), tuple(names), ())
            return limited(self.query, tree, ordered_set(self.query, tree, node))
        keys, hidden = sort_keys(self.into, tree, columns)
        node = Project(self.node, (*columns, *hidden))
        node = limited(self.query, tree, Sort(node, keys) if keys else node)
        return Project(node, tuple((one.name, column(one)) for one in node.fields if one.name in names)) if hidden else node

    def _is_distinct(self) -> bool:
        distinct = self.tree.args.get("distinct")
        if distinct and distinct.args.get("on"):
            with at(distinct, self.query.sql):
                do = "QUALIFY ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) = 1"
                raise Refused("DISTINCT ON is not supported", do=do)
        return bool(distinct)

    def _require_names(self, names: list[str]) -> None:
        for one in self.tree.expressions:
            if [name.lower() for name in names].count(one.alias_or_name.lower()) > 1:
                with at(one, self.query.sql):
                    raise Refused(f"two output columns are named {one.alias_or_name}", do="give one of them another name with AS")
