"""Subqueries in expressions become joins: EXISTS and IN choose rows (semi and anti joins) or become a column, values are joined on.

What a subquery says of the query around must be equalities, by which it is grouped, and at most one more comparison in EXISTS or IN, which
is decided by the least and the greatest value of each group. NULL means what SQL says; where that needs it, the rows that a subquery has
for a key, and those that are not NULL, are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from sqlglot import exp

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.frame.expressions import Expressions
from accord.frame.joins import apart, with_columns
from accord.frame.places import TYPE, at
from accord.frame.scopes import common, conjuncts, outer_columns, subqueries_of
from accord.frame.windows import windows_of
from accord.plan.evaluate import Plain, evaluate
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression, Literal
from accord.plan.facts import rows_max
from accord.plan.nodes import Aggregate, Filter, Join, Limit, Node, Project, Sort
from accord.plan.types import BOOL, DATE, Type
from accord.plan.typing import NUMBERS, aggregate, boolean, call, column, integer, null, same_form

if TYPE_CHECKING:
    from accord.frame.query import Query

FLIPPED = {"ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
_COMPARED: dict[type[exp.Expr], str] = {exp.NEQ: "ne", exp.LT: "lt", exp.LTE: "le", exp.GT: "gt", exp.GTE: "ge"}
RULE = "equalities with the query around, and one more comparison in EXISTS and IN"
DO = "JOIN the subquery and say the rest in WHERE"


@dataclass
class Asked:
    """A subquery over its own tables, and what it says of the query around.

    equal: an expression around and the column of `node` that equals it. `compared`: function, an expression around, and the column that
    stands on the right of it. `outside` are conditions on the query around alone. `values` are the selected columns.
    """

    node: Node
    values: list[str]
    equal: list[tuple[Expression, str]] = field(default_factory=list)
    compared: list[tuple[str, Expression, str]] = field(default_factory=list)
    outside: list[Expression] = field(default_factory=list)
    is_one_group: bool = False


# ---- what a subquery says of the query around


def asked(query: Query, into: Expressions, tree: exp.Expr, wants_values: bool = True) -> Asked:
    """The subquery, with columns for what it says of the query around. Raises Refused for what cannot be said by keys."""
    if isinstance(tree, exp.Subquery) and not tree.args.get("with_") and not tree.args.get("limit"):
        return asked(query, into, tree.this, wants_values)
    if not outer_columns(tree, tree):
        whole = query.whole(tree, nested=True)
        return Asked(whole, [one.name for one in whole.fields], is_one_group=_is_one_row(whole))
    with at(tree, query.sql):
        refused = [name for name in ("limit", "offset", "distinct", "qualify") if tree.args.get(name)]
        if not isinstance(tree, exp.Select):
            raise Refused("a UNION that refers to the query around", rule=RULE, do=DO)
        if refused and (wants_values or refused != ["distinct"]):
            do = "QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY …) = 1 in a subquery, and JOIN it"
            raise Refused(f"{refused[0].upper()} in a subquery that refers to the query around", do=do)
    return _Correlated(query, into, tree, wants_values).build()


class _Correlated:
    """Builds what is asked by a SELECT that refers to the query around."""

    def __init__(self, query: Query, outer: Expressions, tree: exp.Select, wants_values: bool) -> None:
        from accord.frame.query import Select

        self.outer, self.tree, self.wants_values = outer, tree, wants_values
        self.sql = query.sql
        self.select = Select(query.with_ctes(tree), tree)
        self.made = Asked(self.select.node, [])

    def build(self) -> Asked:
        select, made = self.select, self.made
        for condition in select.correlated:
            with at(condition, self.sql):
                self._read(condition)
        self._require_rest()
        has_keys = bool(self.tree.args.get("group"))
        if windows_of(select.searched):
            raise Refused("a window function in a subquery that refers to the query around", do="compute it in FROM and JOIN it")
        if select.is_grouped and made.compared:
            raise Refused("a grouped subquery that is compared with the query around", rule=RULE, do=DO)
        select.group(tuple(name for _, name in made.equal))
        made.is_one_group = select.is_grouped and not has_keys
        select.choose_groups()
        if self.wants_values:
            self._select_values()
        made.node = select.node
        return made

    def _require_rest(self) -> None:
        """Raises Refused for another part of the subquery that reads the query around."""
        conditions = {id(column) for one in self.select.correlated for column in one.find_all(exp.Column)}
        for one in outer_columns(self.tree, self.tree):
            if id(one) not in conditions:
                with at(one, self.sql):
                    raise Refused(f"{one.sql('duckdb')} is of the query around, outside of the subquery's WHERE", rule=RULE, do=DO)

    def _read(self, node: exp.Expr) -> None:
        """One condition on the query around."""
        if subqueries_of(node):
            raise Refused("a subquery that refers to a query two levels around", rule=RULE, do=DO)
        columns = list(node.find_all(exp.Column))
        outers = outer_columns(node, self.tree)
        if len(outers) == len(columns):
            self.made.outside.append(self.outer.condition(node))
            return
        sides = [(one, bool(outer_columns(one, self.tree))) for one in (node.this, node.expression)] if self._is_comparison(node) else []
        if not sides or sides[0][1] == sides[1][1] or any(is_outer and self._reads_inner(one) for one, is_outer in sides):
            raise Refused("this condition on the query around", rule=RULE, do=DO)
        outer, inner = (one for one, _ in sorted(sides, key=lambda side: not side[1]))
        first, second = same_form(self.outer.translate(outer), self.select.into.translate(inner))
        name = self._column(second)
        if isinstance(node, exp.EQ):
            self.made.equal.append((first, name))
        else:
            function = _COMPARED[type(node)]
            self.made.compared.append((function if outer is node.this else FLIPPED[function], first, name))

    def _is_comparison(self, node: exp.Expr) -> bool:
        return type(node) in (exp.EQ, *_COMPARED)

    def _reads_inner(self, node: exp.Expr) -> bool:
        return len(outer_columns(node, self.tree)) < len(list(node.find_all(exp.Column)))

    def _column(self, expression: Expression) -> str:
        """A column of the subquery's rows for an expression over them."""
        if isinstance(expression, ColumnRef):
            return expression.name
        names = [one.name for one in self.select.node.fields]
        name = fresh_name("asked", names)
        self.select.node = Project(self.select.node, (*((one.name, column(one)) for one in self.select.node.fields), (name, expression)))
        return name

    def _select_values(self) -> None:
        select = self.select
        select.window()
        for one in self.tree.expressions:
            expression = select.into.translate(one.unalias())
            names = [field.name for field in select.node.fields]
            name = fresh_name(f"{one.alias_or_name or 'value'}", names)
            kept = tuple((field.name, column(field)) for field in select.node.fields)
            select.node = Project(select.node, (*kept, (name, expression)))
            self.made.values.append(name)


def _is_one_row(node: Node) -> bool:
    """Whether a table has exactly one row, whatever the data."""
    if isinstance(node, Project | Sort):
        return _is_one_row(node.inputs[0])
    if isinstance(node, Join):
        return node.kind == "cross" and all(_is_one_row(one) for one in node.inputs)
    return isinstance(node, Aggregate) and not node.keys


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
        left, right, on = _keyed(node, self.what.node, [*self.what.equal, *self.wanted])
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
        node, named = _joined(node, grouped, keys)
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
        node, named = _joined(node, counts, self.what.equal)
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


# ---- joining on


def _keyed(node: Node, inner: Node, keys: Sequence[tuple[Expression, str]]) -> tuple[Node, Node, tuple[tuple[str, str], ...]]:
    """Both tables with a column for each key."""
    inner, named = apart(inner, frozenset(one.name for one in node.fields), "asked")
    return with_columns(node, inner, [(first, column(inner.field(named[name]))) for first, name in keys])


def _joined(node: Node, inner: Node, keys: Sequence[tuple[Expression, str]]) -> tuple[Node, dict[str, str]]:
    """The table with the columns of `inner`, which has at most one row for the keys; and their new names."""
    inner, named = apart(inner, frozenset(one.name for one in node.fields), "asked")
    left, right, on = with_columns(node, inner, [(first, column(inner.field(named[name]))) for first, name in keys])
    return Join(left, right, "left" if on else "cross", on), named


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


def one_value(query: Query, node: Node, into: Expressions, tree: exp.Expr) -> tuple[Node, Expression]:
    """The table with the value that a subquery has for each row: NULL where it has no row."""
    what = asked(query, into, tree)
    if len(what.values) != 1:
        raise Refused(f"a subquery of {len(what.values)} columns as a value", rule="one column", do="select one column")
    if what.compared or what.outside:
        raise Refused("this condition on the query around", rule="equalities alone in a subquery that is a value", do=DO)
    name = what.values[0]
    _require_one(query, what)
    if not what.equal:
        inner = what.node if what.is_one_group else _at_most_one(what.node, name)
        node, named = _joined(node, Project(inner, ((name, column(inner.field(name))),)), [])
        return node, column(node.field(named[name]))
    default = _of_nothing(what, name)
    keys = tuple(dict.fromkeys(key for _, key in what.equal))
    there = fresh_name("found", (*keys, name))
    flagged = default is not None and what.node.field(name).type.nullable
    kept = (*keys, name) if name not in keys else keys
    inner = Project(what.node, (*((one, column(what.node.field(one))) for one in kept), *([(there, integer(1))] if flagged else [])))
    node, named = _joined(node, inner, what.equal)
    found: Expression = column(node.field(named[name]))
    if default is None:
        return node, found
    if flagged:
        return node, call("case", call("is_null", column(node.field(named[there]))), default, found)
    return node, call("coalesce", found, default)


def _require_one(query: Query, what: Asked) -> None:
    """Raises Refused for a subquery that could have several rows for one row around."""
    keys = frozenset(name for _, name in what.equal)
    limited = isinstance(what.node, Limit) and what.node.count <= 1
    if not what.is_one_group and not limited and rows_max(what.node, keys, query.catalog) > 1:
        raise Refused(
            "a subquery that could have several rows, as a value",
            rule="one row: an aggregate without GROUP BY, or a declared unique key",
            do="take MIN, MAX or AVG of the column",
        )


def _at_most_one(node: Node, name: str) -> Node:
    """One row of a table of at most one: NULL where it has none."""
    field = node.field(name)
    if field.type.kind not in (*NUMBERS, DATE, BOOL):
        do = "give numbers, dates or truth values, or JOIN the subquery"
        raise Refused(f"a {field.type.kind} of a subquery without an aggregate, as a value", do=do)
    function = "bool_or" if field.type.kind == BOOL else "max"
    return Aggregate(node, (), ((name, aggregate(function, column(field), 1, False)),))


def _of_nothing(what: Asked, name: str) -> Expression | None:
    """What an aggregate query gives for a key that has no rows, where that is not NULL: COUNT is 0 there."""
    if not what.is_one_group:
        return None
    values: dict[str, Plain] = {}
    order: list[Node] = []
    node = what.node
    while not isinstance(node, Aggregate):
        if not isinstance(node, Project | Filter):
            raise Refused("this subquery that refers to the query around", rule=RULE, do=DO)
        order.insert(0, node)
        node = node.input
    for one in node.fields:
        values[one.name] = Plain.empty(one.type, 1)
    for made, aggregated in node.aggregates:
        if aggregated.function in ("count", "count_distinct"):
            values[made] = Plain(np.zeros(1, np.int64), np.zeros(1, np.bool_))
    for step in order:
        if isinstance(step, Filter):
            holds = evaluate(step.predicate, values, 1)
            if holds.nulls[0] or not holds.values[0]:
                return None
        elif isinstance(step, Project):
            values = {made: evaluate(expression, values, 1) for made, expression in step.columns}
    value, type = values[name], what.node.field(name).type
    if value.nulls[0]:
        return None
    exact = int(value.values[0])
    low, high = (type.low, type.high) if type.values else (exact, exact)
    return Literal(replace(type, low=low, high=high, nullable=False), exact)


def first_row(query: Query, into: Expressions, tree: exp.Select) -> Node | None:
    """The one row of a SELECT without FROM: its first subquery that is a value of one row; None where there is none."""
    for one in tree.expressions:
        for found in subqueries_of(one):
            if isinstance(found, exp.Subquery) and not is_correlated(found):
                what = asked(query, into, found)
                _require_one(query, what)
                node = what.node if what.is_one_group else _at_most_one(what.node, what.values[0])
                into.replaced.append((found, column(node.field(what.values[0]))))
                found.meta[TYPE] = node.field(what.values[0]).type
                return node
    return None


def is_correlated(tree: exp.Expr) -> bool:
    """Whether a subquery reads the query around."""
    return bool(outer_columns(tree, tree))
