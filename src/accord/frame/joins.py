"""FROM: tables, subqueries and their joins become one table. Tables between commas are joined on equalities of WHERE, smallest first."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.frame.as_of import DO, FLIPPED, TIMES, Sides, as_of_join
from accord.frame.expressions import Expressions
from accord.frame.places import at
from accord.frame.ranges import Conditions, Ranged, ranged
from accord.frame.scopes import conjuncts, subqueries_of, tables_read
from accord.plan.expression import ColumnRef, Expression, columns_of
from accord.plan.facts import rows_max
from accord.plan.nodes import Between, Concatenate, Filter, Join, Node, Project
from accord.plan.typing import call, column, null, same_form

if TYPE_CHECKING:
    from accord.frame.query import Query

Pairs = tuple[tuple[str, str], ...]
_HINT = re.compile(r"\+\s*rows_max\(\s*(\d+)\s*\)\s*")
JOINS_ACCEPTED = "inner, left, right, full, cross, semi, anti and as-of"


@dataclass
class Source:
    """What FROM has gathered so far: the joined table, what names mean in it, and which NULL-side column equals which."""

    node: Node
    columns: dict[tuple[str, str], Expression]
    equated: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(one.name for one in self.node.fields)

    @property
    def tables(self) -> frozenset[str]:
        return frozenset(alias for alias, _ in self.columns)


def rows_hint(node: exp.Expr) -> int:
    """The bound that `/*+ rows_max(1000) */` gives; 0 where there is none. Raises Refused for another hint."""
    for comment in node.comments or ():
        if found := _HINT.fullmatch(comment.strip()):
            return int(found[1])
        if comment.strip().startswith("+"):
            raise Refused(f"the hint /*{comment}*/", rule="/*+ rows_max(number of rows) */ after SELECT or JOIN", do="write it so")
    return 0


@dataclass
class From:
    """The FROM of one SELECT. `conditions` are those of WHERE; what a join has used, or what was applied to one table, is taken out."""

    query: Query
    tree: exp.Select
    conditions: list[exp.Expr]

    def build(self) -> Source:
        pool = [self.query.source(self.tree.args["from_"].this)]
        on: list[exp.Expr] = []
        hints: list[int] = []
        has_comma = False
        for join in self.tree.args.get("joins") or ():
            with at(join, self.query.sql):
                kind = self._kind(join)
                if kind in ("inner", "cross") and not join.method:
                    pool.append(self.query.source(join.this))
                    on += conjuncts(join.args["on"]) if join.args.get("on") else []
                    hints.append(rows_hint(join))
                    has_comma = has_comma or not join.args.get("on")
                    if not has_comma:
                        pool, on = [self._combined(pool[0], pool[1], "inner", on, hints.pop())], []
                    continue
                before = self._merged(pool, on, kind in ("left", "semi", "anti") and not self._turns_later(join), hints)
                made = self._as_of(before, join, kind) if join.method == "ASOF" else self._outer(before, join, kind)
                pool, on, hints, has_comma = [made], [], [], False
        return self._merged(pool, on, True, hints)

    def _kind(self, join: exp.Join) -> str:
        side, kind = join.side or "", join.kind or ""
        known = kind in ("", "INNER", "CROSS", "OUTER", "SEMI", "ANTI")
        is_as_of = join.method == "ASOF" and kind in ("", "INNER", "OUTER") and side in ("", "LEFT")
        if (join.method and not is_as_of) or not known or join.args.get("match_condition"):
            what = " ".join(filter(None, (join.method, side, kind)))
            raise Refused(f"{what} JOIN is not supported", rule=JOINS_ACCEPTED, do="JOIN … USING (columns)")
        if side in ("RIGHT", "FULL") and self._has_comma_before(join):
            rule = "a comma joins what its sides have joined before"
            raise Refused(f"{side} JOIN after a comma", rule=rule, do="write CROSS JOIN for the comma, or a subquery")
        return (kind if kind in ("SEMI", "ANTI", "CROSS") else side or "inner").lower()

    def _has_comma_before(self, join: exp.Join) -> bool:
        joins = self.tree.args["joins"]
        return any(not (one.kind or one.side or one.method or one.args.get("on")) for one in joins[: joins.index(join)])

    def _turns_later(self, join: exp.Join) -> bool:
        """Whether a later join keeps rows for which WHERE could already have been decided: then WHERE has to wait."""
        joins = self.tree.args["joins"]
        return any(one.side in ("RIGHT", "FULL") for one in joins[joins.index(join) :])

    # ---- tables between commas

    def _merged(self, pool: list[Source], on: list[exp.Expr], uses_where: bool, hints: list[int]) -> Source:
        """The tables of a pool as one: the two that join to the fewest rows first, no two without an equality while others have one."""
        if len(pool) == 1 and not on:
            return pool[0]
        hint = max(hints, default=0)
        given = on + (self.conditions if uses_where else [])
        pool = [self._restricted(one, given) for one in pool]
        while len(pool) > 1:
            left, right, joined, used = self._nearest(pool, given, hint)
            pool[left] = joined
            del pool[right]
            _without(given, used)
        if uses_where:
            self.conditions[:] = given
            return pool[0]
        return self._chosen(pool[0], given)

    def _restricted(self, source: Source, given: list[exp.Expr]) -> Source:
        """The source under the conditions that read it alone."""
        own = [one for one in given if tables_read(one, self.tree) and tables_read(one, self.tree) <= source.tables]
        _without(given, own)
        return self._chosen(source, own)

    def _chosen(self, source: Source, conditions: list[exp.Expr]) -> Source:
        into = Expressions(source.columns, self.query.parameters, self.query.sql, equated=source.equated)
        return Source(self.query.restricted(source.node, into, conditions, split=True), source.columns, source.equated)

    def _nearest(self, pool: list[Source], given: list[exp.Expr], hint: int) -> tuple[int, int, Source, list[exp.Expr]]:
        """The two sources to join next, what they become, and the conditions that this uses."""
        found = []
        for left in range(len(pool)):
            for right in range(left + 1, len(pool)):
                used = [one for one in given if self._equates(one, pool[left], pool[right])]
                if hint or rows_hint(self.tree):
                    used += [one for one in given if self._limits(one, pool[left], pool[right])]
                if used:
                    joined = self._combined(pool[left], pool[right], "inner", used, hint)
                    found.append((self._rows(joined), self._rows(pool[left]) + self._rows(pool[right]), left, right, joined, used))
        if not found:
            left, right = sorted(sorted(range(len(pool)), key=lambda place: self._rows(pool[place]))[:2])
            return left, right, self._combined(pool[left], pool[right], "inner", [], 0), []
        _, _, left, right, joined, used = min(found, key=lambda one: one[:4])
        return left, right, joined, used

    def _rows(self, source: Source) -> int:
        return rows_max(source.node, frozenset(), self.query.catalog)

    def _equates(self, node: exp.Expr, left: Source, right: Source) -> bool:
        """Whether a condition equates something of one source with something of the other."""
        if not isinstance(node, exp.EQ) or subqueries_of(node):
            return False
        sides = [tables_read(one, self.tree) for one in (node.this, node.expression)]
        return all(sides) and any(sides[0] <= a.tables and sides[1] <= b.tables for a, b in ((left, right), (right, left)))

    def _limits(self, node: exp.Expr, left: Source, right: Source) -> bool:
        """Whether a condition compares something of both sources, and of no other."""
        read = tables_read(node, self.tree)
        is_limit = type(node) in TIMES or isinstance(node, exp.Between)
        return (
            is_limit and not subqueries_of(node) and bool(read & left.tables and read & right.tables) and read <= left.tables | right.tables
        )

    # ---- one join

    def _outer(self, left: Source, join: exp.Join, kind: str) -> Source:
        right = _apart(self.query.source(join.this), left)
        given = conjuncts(join.args["on"]) if join.args.get("on") else []
        if kind == "right":
            return self._combined(right, left, "left", given, rows_hint(join))
        return self._combined(left, right, kind, given, rows_hint(join))

    def _as_of(self, left: Source, join: exp.Join, kind: str) -> Source:
        """ASOF JOIN: equalities, and one comparison of times."""
        right = _apart(self.query.source(join.this), left)
        both = Expressions({**left.columns, **right.columns}, self.query.parameters, self.query.sql)
        pairs, times = [], []
        for node in conjuncts(join.args["on"]) if join.args.get("on") else []:
            if equal := self._pair(node, both, (left.names, right.names)):
                pairs.append(equal)
            elif type(node) in TIMES and (
                pair := self._pair(exp.EQ(this=node.this, expression=node.expression), both, (left.names, right.names))
            ):
                times.append(
                    (TIMES[type(node)] if columns_of(both.translate(node.this)) <= left.names else FLIPPED[TIMES[type(node)]], pair)
                )
            else:
                raise Refused("this condition of an ASOF JOIN", rule="equalities, and one comparison of times", do=DO)
        if len(times) != 1:
            raise Refused(f"an ASOF JOIN with {len(times)} comparisons of times", rule="equalities, and one comparison of times", do=DO)
        function, pair = times[0]
        lefts, rights, on = with_columns(left.node, right.node, pairs)
        lefts, (ours,) = named(lefts, [pair[0]], rights)
        rights, (theirs,) = named(rights, [pair[1]], lefts)
        joined = as_of_join(Sides(lefts, rights, on, (ours, theirs), function), "left" if kind == "left" else "inner", self.query.catalog)
        return _source_of(joined, left, right, {second: first for first, second in on})

    def _combined(self, kept: Source, other: Source, kind: str, given: list[exp.Expr], hint: int) -> Source:
        """The join of two sources; of an outer join `kept` is the side whose rows all stay."""
        if kind == "inner":
            other = _apart(other, kept)
        columns = {**kept.columns, **other.columns}
        both = Expressions(columns, self.query.parameters, self.query.sql, equated={**kept.equated, **other.equated})
        pairs, rest = [], []
        for node in given:
            equal = self._pair(node, both, (kept.names, other.names))
            if equal:
                pairs.append(equal)
            else:
                rest.append((node, both.condition(node)))
        left, right, on = with_columns(kept.node, other.node, pairs)
        wants_range = kind in ("semi", "anti") or (kind in ("inner", "left") and self._bound(left, right, on, hint) > 0)
        if wants_range and (found := ranged(rest, both, (kept.names, other.names))):
            return self._in_range(kept, other, (left, right, kind, on), found, hint)
        if kind == "inner":
            joined: Node = self._join(left, right, "inner" if on else "cross", on, hint)
            return _source_of(_filtered(joined, rest), kept, other, {second: first for first, second in on})
        return self._one_sided(kept, other, kind, pairs, rest, hint)

    def _join(self, left: Node, right: Node, kind: str, on: Pairs, hint: int) -> Join:
        """With the declared bound on its rows, where neither side's are unique."""
        return Join(left, right, kind, on, rows_max=self._bound(left, right, on, hint) if on else 0)

    def _bound(self, left: Node, right: Node, on: Pairs, hint: int) -> int:
        """The declared bound on a join's rows; 0 where one side's rows are unique, or none is declared."""
        sides = ((left, frozenset(a for a, _ in on)), (right, frozenset(b for _, b in on)))
        several = all(rows_max(side, keys, self.query.catalog) > 1 for side, keys in sides)
        return (hint or rows_hint(self.tree)) if several else 0

    def _in_range(self, kept: Source, other: Source, sides: tuple[Node, Node, str, Pairs], found: Ranged, hint: int) -> Source:
        """The join of points with the ranges that they lie in."""
        left, right, kind, on = sides
        if kind != "inner":
            right, found = self._decided(right, kept, other, found)
        bound = 0 if kind in ("semi", "anti") else self._bound(left, right, on, hint)
        ours, theirs = ([found.point], [found.start, found.end]) if found.is_left else ([found.start, found.end], [found.point])
        left, lefts = named(left, ours, right)
        right, rights = named(right, theirs, left)
        (point,), (start, end) = (lefts, rights) if found.is_left else (rights, lefts)
        joined = Join(left, right, kind, on, rows_max=bound, match=Between(point, start, end, found.is_left, found.closed))
        if joined.is_choice:
            return Source(joined, kept.columns, kept.equated)
        return _source_of(_filtered(joined, found.rest), kept, other, {second: first for first, second in on})

    def _decided(self, right: Node, kept: Source, other: Source, found: Ranged) -> tuple[Node, Ranged]:
        """Of an outer join the right side under the conditions on it; a kept row under whose conditions it meets nothing has no time."""
        for node, condition in found.rest:
            if columns_of(condition) <= other.names:
                right = Filter(right, condition)
            elif not columns_of(condition) <= kept.names:
                raise self._between_both(node)
            elif found.is_left:
                found = replace(found, point=call("case", condition, found.point, null()))
            else:
                found = replace(found, start=call("case", condition, found.start, null()))
        return right, replace(found, rest=[])

    def _one_sided(
        self,
        kept: Source,
        other: Source,
        kind: str,
        pairs: list[tuple[Expression, Expression]],
        rest: list[tuple[exp.Expr, Expression]],
        hint: int,
    ) -> Source:
        """A left, full, semi or anti join: conditions beside the equalities choose who may meet, and never rows of the kept side."""
        if not pairs:
            do = "LEFT JOIN … ON a.key = b.key, or CROSS JOIN"
            raise Refused("an outer JOIN without an equality", do=do) if not rest else self._between_both(rest[0][0])
        right, above = other.node, []
        for node, condition in rest:
            if columns_of(condition) <= other.names and kind != "full":
                right = Filter(right, condition)
            elif columns_of(condition) <= kept.names and kind != "full":
                pairs = [(call("case", condition, first, null()), second) for first, second in pairs[:1]] + pairs[1:]
            elif kind == "left" and self._is_unique(right, pairs):
                above.append(condition)
            else:
                raise self._between_both(node)
        left, right, on = with_columns(kept.node, right, pairs)
        equated = {second: first for first, second in on}
        if kind in ("semi", "anti"):
            return Source(self._join(left, right, kind, on, 0), kept.columns, kept.equated)
        if kind == "full":
            return _source_of(_full(self._join(left, right, "left", on, hint), left, right), kept, other, {})
        joined = self._join(left, right, "left", on, hint)
        return _source_of(_emptied(joined, right, above) if above else joined, kept, other, equated)

    def _is_unique(self, right: Node, pairs: list[tuple[Expression, Expression]]) -> bool:
        keys = frozenset(one.name for _, one in pairs if isinstance(one, ColumnRef))
        return rows_max(right, keys, self.query.catalog) <= 1

    def _between_both(self, node: exp.Expr) -> Refused:
        try:
            with at(node, self.query.sql):
                raise Refused(
                    "a condition on both tables in the ON of an outer JOIN",
                    rule="equalities, and conditions on one of the tables alone",
                    do="JOIN on the equalities and decide with CASE WHEN … in SELECT",
                )
        except Refused as error:
            return error

    def _pair(
        self, node: exp.Expr, both: Expressions, names: tuple[frozenset[str], frozenset[str]]
    ) -> tuple[Expression, Expression] | None:
        """The two sides of an equality between the tables, in order; None for another condition."""
        if not isinstance(node, exp.EQ):
            return None
        first, second = both.translate(node.this), both.translate(node.expression)
        if columns_of(first) and columns_of(first) <= names[1]:
            first, second = second, first
        if not (columns_of(first) and columns_of(second) and columns_of(first) <= names[0] and columns_of(second) <= names[1]):
            return None
        with at(node, self.query.sql):
            return same_form(first, second)


def _without(given: list[exp.Expr], used: list[exp.Expr]) -> None:
    given[:] = [one for one in given if all(one is not other for other in used)]


def _filtered(node: Node, conditions: Conditions) -> Node:
    for _, condition in conditions:
        node = Filter(node, condition)
    return node


def _full(met: Join, left: Node, right: Node) -> Node:
    """A full join: the left one, and the right rows that meet nothing."""
    alone = Join(right, left, "anti", tuple((b, a) for a, b in met.on))
    known = {one.name for one in right.fields}
    missing = Project(alone, tuple((one.name, column(one) if one.name in known else null(one.type)) for one in met.fields))
    return Concatenate((met, missing))


def _emptied(joined: Node, right: Node, conditions: list[Expression]) -> Node:
    """The columns of the right table become NULL where a condition does not hold; each row has met one right row at most."""
    holds = call("and", *conditions) if len(conditions) > 1 else conditions[0]
    others = {one.name for one in right.fields}
    columns = [(one.name, call("case", holds, column(one), null()) if one.name in others else column(one)) for one in joined.fields]
    return Project(joined, tuple(columns))


def _apart(right: Source, left: Source) -> Source:
    """The right source with column names that the left one does not have."""
    alias = next((alias for alias, _ in right.columns), "right")
    node, names = apart(right.node, left.names, alias)
    if node is right.node:
        return right
    fields = {one.name: one for one in node.fields}
    columns: dict[tuple[str, str], Any] = {key: column(fields[names[_name(old)]]) for key, old in right.columns.items()}
    return Source(node, columns, {names[a]: names[b] for a, b in right.equated.items()})


def apart(node: Node, others: frozenset[str], alias: str) -> tuple[Node, dict[str, str]]:
    """A table whose column names are none of `others`, and the new name of each of its columns."""
    before = [one.name for one in node.fields]
    if not others & set(before):
        return node, {name: name for name in before}
    taken = {*others, *before}
    names = {name: _fresh(f"{alias}_{name}", taken) if name in others else name for name in before}
    return Project(node, tuple((names[one.name], column(one)) for one in node.fields)), names


def _name(expression: Expression) -> str:
    assert isinstance(expression, ColumnRef)
    return expression.name


def _fresh(name: str, taken: set[str]) -> str:
    fresh = fresh_name(name, taken)
    taken.add(fresh)
    return fresh


def with_columns(left: Node, right: Node, pairs: list[tuple[Expression, Expression]]) -> tuple[Node, Node, tuple[tuple[str, str], ...]]:
    """Both tables with a column for each side of each equality."""
    taken = {one.name for side in (left, right) for one in side.fields}
    sides, names = [], []
    for place, node in enumerate((left, right)):
        computed = [(_fresh("on", taken), pair[place]) for pair in pairs if not isinstance(pair[place], ColumnRef)]
        known = {id(expression): name for name, expression in computed}
        names.append([known.get(id(pair[place])) or _name(pair[place]) for pair in pairs])
        sides.append(Project(node, (*((one.name, column(one)) for one in node.fields), *computed)) if computed else node)
    return sides[0], sides[1], tuple(dict.fromkeys(zip(*names, strict=True)))


def named(node: Node, expressions: list[Expression], other: Node) -> tuple[Node, list[str]]:
    """The table with a column for each expression, and their names, which the other table does not have."""
    taken = {one.name for side in (node, other) for one in side.fields}
    names = [one.name if isinstance(one, ColumnRef) else _fresh("on", taken) for one in expressions]
    computed = [(name, one) for name, one in zip(names, expressions, strict=True) if not isinstance(one, ColumnRef)]
    return Project(node, (*((one.name, column(one)) for one in node.fields), *computed)) if computed else node, names


def _source_of(joined: Node, kept: Source, other: Source, equated: dict[str, str]) -> Source:
    """The names of both sources over their join, with the types that they have there."""
    fields = {one.name: one for one in joined.fields}
    columns: dict[tuple[str, str], Any] = {key: column(fields[_name(old)]) for side in (kept, other) for key, old in side.columns.items()}
    return Source(joined, columns, {**kept.equated, **other.equated, **equated})
