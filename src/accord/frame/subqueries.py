"""Subqueries in conditions: EXISTS and IN choose rows (semi and anti joins), or become a column.

NULL means what SQL says; where that needs it, the rows that a subquery has for a key, and those that are not NULL, are counted. A
comparison beside equalities is decided by the least and the greatest value of each key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.frame.asked import DO, RULE, Asked, asked, joined, keyed
from accord.frame.expressions import Expressions
from accord.frame.places import TYPE, at
from accord.frame.scalars import one_value
from accord.frame.scopes import common, conjuncts, subqueries_of
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression
from accord.plan.facts import rows_max
from accord.plan.nodes import Aggregate, Filter, Join, Node, Project
from accord.plan.types import BOOL, Type
from accord.plan.typing import aggregate, boolean, call, column, integer, null, same_form

if TYPE_CHECKING:
    from accord.frame.query import Query


# ---- conditions that choose rows


def chosen(query: Query, node: Node, into: Expressions, conditions: Sequence[exp.Expr], split: bool = False) -> Node:
    """The rows for which all conditions are true: first those without subqueries, then EXISTS and IN as joins, then the rest.

    `split` says that what all branches of an OR demand is seen to elsewhere.
    """
    if not any(subqueries_of(one) for one in conditions):
        return _filtered(node, [_rest(into, one) if split else into.condition(one) for one in conditions])
    parts = [part for one in conditions for part in conjuncts(one)]
    plain = [one for one in parts if not subqueries_of(one)]
    node = _filtered(node, [into.condition(one) for one in plain])
    for part in parts:
        if subqueries_of(part):
            node = _choosing(query, node, into, part)
    return node


def _filtered(node: Node, conditions: Sequence[Expression]) -> Node:
    if not conditions:
        return node
    return Filter(node, call("and", *conditions) if len(conditions) > 1 else conditions[0])


def _rest(into: Expressions, node: exp.Expr) -> Expression:
    """A condition; of an OR what its branches demand beside what all of them do, which holds."""
    found = into.condition(node)
    if not isinstance(node, exp.Or) or not isinstance(found, Call) or not common(node):
        return found
    held = [into.translate(one) for one in common(node)]
    branches = [[part for part in _parts(one) if part not in held] for one in found.arguments]
    return call("or", *(call("and", *one) if len(one) > 1 else one[0] for one in branches)) if all(branches) else boolean(True)


def _parts(condition: Expression) -> list[Expression]:
    if isinstance(condition, Call) and condition.function == "and":
        return [part for one in condition.arguments for part in _parts(one)]
    return [condition]


def _choosing(query: Query, node: Node, into: Expressions, condition: exp.Expr) -> Node:
    """The rows for which a condition with a subquery is true."""
    bare, negated = _positive(condition)
    if _is_membership(bare):
        with at(bare, query.sql):
            found = membership(query, into, bare)
            if found.can_choose(negated):
                return found.choose(node, negated)
    node = Attached.to(query, node, into, condition)
    return _filtered(node, [into.condition(condition)])


def _positive(node: exp.Expr) -> tuple[exp.Expr, bool]:
    """A condition without NOT and parentheses around it, and whether it was negated."""
    negated = False
    while isinstance(node, exp.Not | exp.Paren):
        negated ^= isinstance(node, exp.Not)
        node = node.this
    if isinstance(node, exp.NEQ) and isinstance(node.expression, exp.All):
        negated = not negated
    return node, negated ^ bool(node.args.get("negate"))


def _is_membership(node: exp.Expr) -> bool:
    if isinstance(node, exp.EQ | exp.NEQ):
        return isinstance(node.expression, exp.Any if isinstance(node, exp.EQ) else exp.All)
    return isinstance(node, exp.Exists) or (isinstance(node, exp.In) and bool(node.args.get("query")))


@dataclass
class Membership:
    """EXISTS or IN: whether a subquery has a row for the row around. `wanted` pairs what stands before IN with the selected columns."""

    query: Query
    what: Asked
    wanted: list[tuple[Expression, str]]

    def can_choose(self, negated: bool) -> bool:
        """Whether a semi or an anti join says it: there are keys, and no NULL that would leave NOT IN undecided."""
        undecided = any(one.type.nullable or self.what.node.field(name).type.nullable for one, name in self.wanted)
        keyed = bool(self.wanted or self.what.equal) and not self.what.compared
        return keyed and not (negated and (undecided or self.what.outside))

    def choose(self, node: Node, negated: bool) -> Node:
        node = _filtered(node, self.what.outside)
        left, right, on = keyed(node, self.what.node, [*self.what.equal, *self.wanted])
        return Join(left, right, "anti" if negated else "semi", on)

    def attach(self, node: Node) -> tuple[Node, Expression]:
        """The table with columns that tell, and the condition: true, false, or for IN NULL where a NULL leaves it undecided."""
        node, found = self._found(node)
        if self.what.outside:
            outside = call("and", *self.what.outside) if len(self.what.outside) > 1 else self.what.outside[0]
            found = call("coalesce", call("and", outside, found), boolean(False))
        fields = [(one, self.what.node.field(name).type) for one, name in self.wanted]
        if not any(one.type.nullable or other.nullable for one, other in fields):
            return node, found
        if len(fields) > 1:
            do = "write NOT EXISTS (SELECT 1 FROM … WHERE a = b AND c = d)"
            raise Refused("NOT IN, or IN as a value, of several columns where NULL can occur", rule="one column, or no NULL", do=do)
        node, rows, known = self._counted(node)
        missing = [call("is_null", one) for one, _ in fields]
        undecided = call("or", *missing, call("lt", known, rows))
        return node, call(
            "case", found, boolean(True), call("and", call("gt", rows, integer(0)), undecided), null(Type(BOOL)), boolean(False)
        )

    def _found(self, node: Node) -> tuple[Node, Expression]:
        """Whether a row is found, without NULLs in mind."""
        keys = [*self.what.equal, *self.wanted]
        names = tuple(dict.fromkeys(name for _, name in keys))
        calls = self._extremes()
        if not names and not calls:
            calls = [("rows", aggregate("count", None, rows_max(self.what.node, frozenset(), self.query.catalog)))]
        grouped: Node = Aggregate(self.what.node, names, tuple(calls))
        flag = fresh_name("found", {one.name for one in grouped.fields})
        grouped = Project(grouped, (*((one.name, column(one)) for one in grouped.fields), (flag, integer(1))))
        node, named = joined(node, grouped, keys)
        if not names and not self.what.compared:
            return node, call("gt", column(node.field(named["rows"])), integer(0))
        there = call("not", call("is_null", column(node.field(named[flag]))))
        if not self.what.compared:
            return node, there
        return node, call("coalesce", self._compared(node, named), boolean(False))

    def _extremes(self) -> list[tuple[str, AggregateCall]]:
        if len(self.what.compared) > 1:
            raise Refused("two comparisons with the query around, beside equalities", rule=RULE, do=DO)
        rows = rows_max(self.what.node, frozenset(), self.query.catalog)
        made = []
        for _, _, name in self.what.compared:
            taken = {one.name for one in self.what.node.fields}
            of = column(self.what.node.field(name))
            made += [(fresh_name(f"{function}_{name}", taken), aggregate(function, of, rows, False)) for function in ("min", "max")]
        return made

    def _compared(self, node: Node, named: dict[str, str]) -> Expression:
        """Whether some value of the group compares so: the least or the greatest does."""
        function, outer, _ = self.what.compared[0]
        least, greatest = (column(node.field(named[name])) for name, _ in self._extremes())
        if function == "ne":
            return call("or", call("ne", outer, least), call("ne", outer, greatest))
        return call(function, outer, least if function in ("gt", "ge") else greatest)

    def _counted(self, node: Node) -> tuple[Node, Expression, Expression]:
        """For each row around: the subquery's rows, and those of them without NULL."""
        if self.what.compared:
            raise Refused("NOT IN with a comparison with the query around, where NULL can occur", rule=RULE, do="write NOT EXISTS")
        inner = self.what.node
        rows = rows_max(inner, frozenset(), self.query.catalog)
        missing = [call("is_null", column(inner.field(name))) for _, name in self.wanted if inner.field(name).type.nullable]
        some = (call("or", *missing) if len(missing) > 1 else missing[0]) if missing else None
        known = None if some is None else call("case", some, null(), integer(1))
        taken = {one.name for one in inner.fields}
        names = fresh_name("rows", taken), fresh_name("known", taken)
        keys = tuple(dict.fromkeys(name for _, name in self.what.equal))
        counts = Aggregate(inner, keys, ((names[0], aggregate("count", None, rows)), (names[1], aggregate("count", known, rows))))
        node, named = joined(node, counts, self.what.equal)
        found = [call("coalesce", column(node.field(named[name])), integer(0)) for name in names]
        return node, found[0], found[1]


def membership(query: Query, into: Expressions, node: exp.Expr) -> Membership:
    """EXISTS, IN and = ANY with what they ask."""
    if isinstance(node, exp.Exists):
        return Membership(query, _several(asked(query, into, node.this, wants_values=False), "EXISTS", "leave it out"), [])
    tree = node.args["query"] if isinstance(node, exp.In) else node.expression.this
    what = _several(asked(query, into, tree), "IN", "compare with =")
    before = node.this.expressions if isinstance(node.this, exp.Tuple) else [node.this]
    if len(before) != len(what.values):
        counts = f"{len(before)} and {len(what.values)} columns"
        raise Refused(f"IN of {counts}", rule="as many columns as stand before IN", do="select one column in the subquery")
    wanted: list[tuple[Expression, str]] = []
    for one, name in zip(before, what.values, strict=True):
        first, second = same_form(into.translate(one), column(what.node.field(name)))
        if not isinstance(second, ColumnRef):
            what.node = Project(
                what.node, tuple((field.name, second if field.name == name else column(field)) for field in what.node.fields)
            )
        wanted.append((first, name))
    return Membership(query, what, wanted)


def _several(what: Asked, word: str, do: str) -> Asked:
    """Raises Refused for a correlated aggregate, which has a row even for a key without rows."""
    if what.equal and what.is_one_group:
        raise Refused(f"{word} of an aggregate that refers to the query around", rule="such a subquery always has one row", do=do)
    return what


class Attached:
    """Subqueries that stand in expressions."""

    @staticmethod
    def to(query: Query, node: Node, into: Expressions, within: exp.Expr) -> Node:
        """The table with columns for all subqueries in `within`; `into` knows from then on what stands for each."""
        for one in _pending(within, into):
            with at(one, query.sql):
                if _is_membership(one):
                    node, found = membership(query, into, one).attach(node)
                    if isinstance(one, exp.NEQ):
                        found = call("not", found)
                else:
                    node, found = one_value(query, node, into, one)
            if isinstance(one, exp.In) and one.args.get("negate"):
                found = call("not", found)
            one.meta[TYPE] = found.type
            into.replaced.append((one, found))
        return node


def _pending(node: exp.Expr, into: Expressions) -> list[exp.Expr]:
    """The subqueries of an expression for which nothing stands yet."""
    if any(original == node for original, _ in into.replaced):
        return []
    if subqueries_of(node) == [node]:
        return [node]
    return [one for child in node.iter_expressions() for one in _pending(child, into)]
