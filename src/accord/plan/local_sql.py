"""The SQL that an owner runs for a local step: DuckDB text, built of sqlglot expressions from plan nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from accord.base.names import fresh_name
from accord.plan.expression import ColumnRef, columns_of
from accord.plan.local_expression import aggregated, in_order, windowed, written
from accord.plan.nodes import Aggregate, AsOf, Between, Concatenate, Field, Filter, Join, Limit, Node, Project, Public, Scan, Sort, Window


def local_sql(node: Node) -> str:
    """One SELECT with the node's columns, in order. Needs: leaves are Scans and declared Publics, named as the owner's tables are."""
    text: str = _Writer().select(node).sql("duckdb", pretty=True)
    return text


@dataclass
class _Draft:
    """A SELECT in the making: FROM with its joins, WHERE, and how each output column is written; or a query that is finished."""

    source: exp.Expr
    columns: dict[str, exp.Expr]
    joins: list[exp.Join] = field(default_factory=list)
    where: list[exp.Expr] = field(default_factory=list)
    finished: exp.Query | None = None

    @property
    def is_bare(self) -> bool:
        return (
            self.finished is None
            and not self.joins
            and not self.where
            and all(isinstance(one, exp.Column) for one in self.columns.values())
        )


class _Writer:
    """Writes one SELECT; table aliases are used once."""

    def __init__(self) -> None:
        self.aliases: set[str] = set()

    def select(self, node: Node) -> exp.Query:
        return self._closed_select(self._draft(node), node.fields)

    def _alias(self, name: str) -> str:
        alias = fresh_name(name, self.aliases)
        self.aliases.add(alias)
        return alias

    def _draft(self, node: Node) -> _Draft:
        if isinstance(node, Scan):
            return self._table(node.table, node.columns)
        if isinstance(node, Public):
            return self._table(node.name, node.columns)
        return _DRAFTS[type(node)](self, node)

    def _table(self, name: str, fields: tuple[Field, ...]) -> _Draft:
        alias = self._alias(name)
        source = exp.to_table(name, alias=alias if alias != name else None)
        return _Draft(source, {one.name: exp.column(one.name, table=alias) for one in fields})

    def filter(self, node: Filter) -> _Draft:
        draft = self._simple(self._draft(node.input), node.input, columns_of(node.predicate))
        return _Draft(draft.source, draft.columns, draft.joins, [*draft.where, written(node.predicate, draft.columns).unnest()])

    def project(self, node: Project) -> _Draft:
        used = frozenset().union(*(columns_of(one) for _, one in node.columns if not isinstance(one, ColumnRef)))
        draft = self._simple(self._draft(node.input), node.input, used)
        columns = {name: written(expression, draft.columns).unnest() for name, expression in node.columns}
        return _Draft(draft.source, columns, draft.joins, draft.where)

    def aggregate(self, node: Aggregate) -> _Draft:
        used = frozenset().union(*(columns_of(call.argument) for _, call in node.aggregates if call.argument is not None))
        draft = self._draft(node.input)
        constant = frozenset(name for name in node.keys if isinstance(draft.columns.get(name), exp.Literal))
        draft = self._simple(draft, node.input, used | constant)
        keys = {name: draft.columns[name] for name in node.keys}
        columns = keys | {name: aggregated(call, draft.columns) for name, call in node.aggregates}
        columns = columns or {"no_column": exp.Count(this=exp.Star())}
        select = self._open_select(_Draft(draft.source, columns, draft.joins, draft.where), tuple(columns))
        grouped = select.group_by(*(one.copy() for one in keys.values())) if keys else select
        return _Draft(draft.source, {}, finished=grouped)

    def join(self, node: Join) -> _Draft:
        if node.is_choice:
            return self._chosen(node)
        left = self._simple(self._draft(node.left), node.left, node.compared[0])
        if node.kind in ("right", "full") and not left.is_bare:
            left = self._closed(left, node.left)
        right = self._draft(node.right)
        if not right.is_bare:
            right = self._closed(right, node.right)
        method = {"method": "ASOF"} if isinstance(node.match, AsOf) else {}
        joined = exp.Join(this=right.source, on=_agree(node, left, right), **_KINDS[node.kind], **method)
        return _Draft(left.source, left.columns | right.columns, [*left.joins, joined], left.where)

    def _chosen(self, node: Join) -> _Draft:
        """A semi join as EXISTS, an anti join as NOT EXISTS."""
        left = self._simple(self._draft(node.left), node.left, node.compared[0])
        right = self._simple(self._draft(node.right), node.right, node.compared[1])
        on = _agree(node, left, right)
        meets = _Draft(right.source, {"": exp.Literal.number(1)}, right.joins, [*right.where, *([on] if on else [])])
        exists: exp.Expr = exp.Exists(this=self._open_select(meets, ()))
        chosen = exists if node.kind == "semi" else exp.Not(this=exists)
        return _Draft(left.source, left.columns, left.joins, [*left.where, chosen])

    def window(self, node: Window) -> _Draft:
        used = frozenset().union(*(columns_of(call.argument) for _, call in node.calls if call.argument is not None))
        draft = self._simple(self._draft(node.input), node.input, used | {*node.partition, *(name for name, _ in node.order)})
        partition = [draft.columns[name].copy() for name in node.partition]
        order = in_order([(draft.columns[name], down) for name, down in node.order]) if node.order else None
        made = {name: windowed(call, draft.columns, partition, order) for name, call in node.calls}
        whole = _Draft(draft.source, draft.columns | made, draft.joins, draft.where)
        return _Draft(draft.source, {}, finished=self._open_select(whole, tuple(one.name for one in node.fields)))

    def sort(self, node: Sort) -> _Draft:
        draft = self._simple(self._draft(node.input), node.input, frozenset(name for name, _ in node.keys))
        select = self._open_select(draft, tuple(one.name for one in node.fields))
        select.set("order", in_order([(draft.columns[name], down) for name, down in node.keys]))
        return _Draft(draft.source, {}, finished=select)

    def limit(self, node: Limit) -> _Draft:
        draft = self._draft(node.input)
        select = self._closed_select(draft, node.fields)
        if not isinstance(node.input, Sort):
            select = self._open_select(self._closed(draft, node.input), tuple(one.name for one in node.fields))
        return _Draft(draft.source, {}, finished=select.limit(node.count).offset(node.offset) if node.offset else select.limit(node.count))

    def concatenate(self, node: Concatenate) -> _Draft:
        names = tuple(one.name for one in node.fields)
        parts = [self._open_select(self._closed(self._draft(one), one), names) for one in node.parts]
        whole: exp.Query = parts[0]
        for one in parts[1:]:
            whole = exp.Union(this=whole, expression=one, distinct=False)
        return _Draft(parts[0], {}, finished=whole)

    def _simple(self, draft: _Draft, node: Node, used: frozenset[str]) -> _Draft:
        """The draft, closed to a subquery where columns that are computed in it are computed with again, or it is grouped."""
        if draft.finished is not None or any(not isinstance(draft.columns[name], exp.Column) for name in used):
            return self._closed(draft, node)
        return draft

    def _closed(self, draft: _Draft, node: Node) -> _Draft:
        alias = self._alias("step")
        source = self._closed_select(draft, node.fields).subquery(alias)
        return _Draft(source, {one.name: exp.column(one.name, table=alias) for one in node.fields})

    def _closed_select(self, draft: _Draft, fields: tuple[Field, ...]) -> exp.Query:
        return draft.finished if draft.finished is not None else self._open_select(draft, tuple(one.name for one in fields))

    @staticmethod
    def _open_select(draft: _Draft, names: tuple[str, ...]) -> exp.Select:
        outputs = [_named(draft.columns[name], name) for name in names] or [exp.alias_(exp.Literal.number(1), "no_column")]
        select = exp.Select(expressions=outputs).from_(draft.source)
        for join in draft.joins:
            select.append("joins", join)
        return select.where(*draft.where) if draft.where else select


_KINDS: dict[str, dict[str, str]] = {
    "inner": {},
    "cross": {"kind": "CROSS"},
    "left": {"side": "LEFT"},
    "right": {"side": "RIGHT"},
    "full": {"side": "FULL"},
}


def _agree(node: Join, left: _Draft, right: _Draft) -> exp.Expr | None:
    """That a left and a right row agree on the join's columns."""
    kind = exp.NullSafeEQ if node.nulls_agree else exp.EQ
    on: list[exp.Expr] = [kind(this=left.columns[a].copy(), expression=right.columns[b].copy()) for a, b in node.on]
    on += _matching(node.match, left.columns, right.columns) if node.match else []
    return exp.and_(*on) if on else None


def _matching(match: Between | AsOf, left: dict[str, exp.Expr], right: dict[str, exp.Expr]) -> list[exp.Expr]:
    """The comparisons that say what else has to hold."""
    if isinstance(match, AsOf):
        return [_COMPARED[match.function](this=left[match.left].copy(), expression=right[match.right].copy())]
    points, ranges = (left, right) if match.is_left else (right, left)
    after, before = (_COMPARED["ge" if match.closed[0] else "gt"], _COMPARED["le" if match.closed[1] else "lt"])
    point = points[match.point]
    return [
        after(this=point.copy(), expression=ranges[match.start].copy()),
        before(this=point.copy(), expression=ranges[match.end].copy()),
    ]


_COMPARED: dict[str, type[exp.Expr]] = {"ge": exp.GTE, "gt": exp.GT, "le": exp.LTE, "lt": exp.LT}


def _named(node: exp.Expr, name: str) -> exp.Expr:
    return node.copy() if isinstance(node, exp.Column) and node.name == name else exp.alias_(node.copy(), name)


_DRAFTS: dict[type[Node], Callable[[_Writer, Node], _Draft]] = {
    Filter: _Writer.filter,  # type: ignore[dict-item]
    Project: _Writer.project,  # type: ignore[dict-item]
    Aggregate: _Writer.aggregate,  # type: ignore[dict-item]
    Join: _Writer.join,  # type: ignore[dict-item]
    Window: _Writer.window,  # type: ignore[dict-item]
    Sort: _Writer.sort,  # type: ignore[dict-item]
    Limit: _Writer.limit,  # type: ignore[dict-item]
    Concatenate: _Writer.concatenate,  # type: ignore[dict-item]
}
