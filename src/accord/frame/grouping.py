"""GROUP BY: the keys, the aggregates of SELECT and HAVING, and what stands for them above the grouped table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.frame.expressions import TYPE, Expressions, average
from accord.frame.places import at
from accord.plan.catalog import Catalog
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression, Literal
from accord.plan.facts import rows_max
from accord.plan.nodes import Aggregate, Node, Project
from accord.plan.typing import NUMBERS, aggregate, article, call, column, integer, null

FUNCTIONS: dict[type[exp.Expr], str] = {exp.Sum: "sum", exp.Count: "count", exp.Min: "min", exp.Max: "max", exp.Avg: "avg"}
"""The aggregates that are accepted."""

Pairs = list[tuple[exp.Expr, Expression]]


@dataclass(frozen=True)
class Wanted:
    """One aggregate of the SQL over `argument` (None for all rows; already NULL where FILTER does not hold).

    For COUNT(DISTINCT …), `distinct` is the column that is counted and `argument` the condition under which it counts.
    """

    node: exp.Expr
    function: str
    argument: Expression | None
    name: str
    distinct: ColumnRef | None = None


@dataclass
class Grouping:
    """Builds the grouped table of one SELECT over `input`.

    `below` translates expressions over the input; `aliases` pairs SELECT's expressions with their names.
    """

    input: Node
    below: Expressions
    catalog: Catalog
    aliases: Sequence[tuple[exp.Expr, str]]
    taken: set[str] = field(default_factory=set)

    def build(self, keys: Sequence[exp.Expr], searched: Sequence[exp.Expr]) -> tuple[Node, Pairs]:
        """The grouped table, and what each key and aggregate becomes in it."""
        names = self._keyed(keys)
        wanted = [self._wanted(one) for one in aggregates_of(searched)]
        distinct = {one.distinct.name for one in wanted if one.distinct}
        if len(distinct) > 1:
            what = f"COUNT(DISTINCT …) of {len(distinct)} columns in one SELECT"
            raise Refused(what, rule="one column", do="count each in a subquery of its own and JOIN them")
        node = self._twice(names, wanted, distinct.pop()) if distinct else Aggregate(self.input, names, self._calls(wanted, names))
        stands = [(one, column(node.field(name))) for one, name in zip(keys, names, strict=True)]
        pairs: Pairs = [*stands, *((one.node, self._result(one, node)) for one in wanted)]
        for original, result in pairs:
            original.meta[TYPE] = result.type
        return node, pairs

    def _fresh(self, name: str, others: Collection[str] = ()) -> str:
        fresh = fresh_name(name, {*self.taken, *others})
        self.taken.add(fresh)
        return fresh

    def _alias(self, node: exp.Expr, otherwise: str) -> str:
        return next((alias for original, alias in self.aliases if original == node), otherwise)

    def _keyed(self, keys: Sequence[exp.Expr]) -> tuple[str, ...]:
        """The keys' column names; computed ones become columns of the input first."""
        columns = {one.name for one in self.input.fields}
        names: list[str] = []
        computed: list[tuple[str, Expression]] = []
        for node in keys:
            expression = self.below.translate(node)
            if isinstance(expression, ColumnRef):
                names.append(expression.name)
                self.taken.add(expression.name)
                continue
            if isinstance(expression, Literal):
                with at(node, self.below.sql):
                    raise Refused("GROUP BY a constant", do="leave it out: it is the same in every group")
            names.append(self._fresh(self._alias(node, "key"), columns))
            computed.append((names[-1], expression))
        if computed:
            self.input = Project(self.input, (*((one.name, column(one)) for one in self.input.fields), *computed))
        return tuple(dict.fromkeys(names)) if len(set(names)) == len(names) else self._repeated(keys)

    def _repeated(self, keys: Sequence[exp.Expr]) -> tuple[str, ...]:
        with at(keys[0], self.below.sql):
            raise Refused("GROUP BY names a key twice", do="name each key once")

    def _wanted(self, node: exp.Expr) -> Wanted:
        with at(node, self.below.sql):
            inner = node.this if isinstance(node, exp.Filter) else node
            condition = self.below.condition(node.expression.this) if isinstance(node, exp.Filter) else None
            function = FUNCTIONS[type(inner)]
            name = self._fresh(self._alias(node, function))
            if isinstance(inner.this, exp.Distinct):
                return self._distinct(node, inner, condition, name)
            if inner.expressions:
                raise Refused(f"{function.upper()} of several columns", do="write one aggregate for each")
            everything = isinstance(inner.this, exp.Star) or inner.this is None
            argument = None if everything else self.below.translate(inner.this)
            if function == "count" and argument is not None and not argument.type.nullable:
                argument = None
            if condition is not None:
                argument = call("case", condition, integer(1) if argument is None else argument, null())
            return Wanted(node, function, argument, name)

    def _distinct(self, node: exp.Expr, inner: exp.Expr, condition: Expression | None, name: str) -> Wanted:
        """COUNT(DISTINCT column), also of CASE WHEN condition THEN column END."""
        if not isinstance(inner, exp.Count) or len(inner.this.expressions) != 1:
            raise Refused("DISTINCT in this aggregate", rule="COUNT(DISTINCT one column)", do="GROUP BY the columns in a subquery first")
        counted = self.below.translate(inner.this.expressions[0])
        if isinstance(counted, Call) and counted.function == "case" and len(counted.arguments) == 3 and _is_null(counted.arguments[2]):
            condition = call("and", counted.arguments[0], *([condition] if condition else []))
            counted = counted.arguments[1]
        if not isinstance(counted, ColumnRef):
            raise Refused("COUNT(DISTINCT an expression)", do="compute it as a column in a subquery, then COUNT(DISTINCT column)")
        if counted.type.nullable:
            known = call("not", call("is_null", counted))
            condition = known if condition is None else call("and", condition, known)
        return Wanted(node, "count", None if condition is None else call("case", condition, integer(1), null()), name, counted)

    def _calls(self, wanted: Sequence[Wanted], keys: tuple[str, ...]) -> tuple[tuple[str, AggregateCall], ...]:
        rows = rows_max(self.input, frozenset(keys), self.catalog)
        calls: list[tuple[str, AggregateCall]] = []
        for one in wanted:
            with at(one.node, self.below.sql):
                if one.function == "avg" and one.argument is not None and one.argument.type.kind not in NUMBERS:
                    raise Refused(
                        f"AVG of {article(one.argument.type.kind)}",
                        rule="AVG takes numbers",
                        do="average a CASE that gives each value a number",
                    )
                if one.function == "avg":
                    calls.append((one.name, aggregate("sum", one.argument, rows, bool(keys))))
                    calls.append((self._rows_name(one), aggregate("count", _counted(one.argument), rows)))
                else:
                    calls.append((one.name, aggregate(one.function, one.argument, rows, bool(keys))))
        return tuple(calls)

    @staticmethod
    def _rows_name(wanted: Wanted) -> str:
        return f"{wanted.name}_rows"

    def _result(self, wanted: Wanted, node: Node) -> Expression:
        """What an aggregate is in the grouped table: a column, or for AVG the quotient of two."""
        found = column(node.field(wanted.name))
        if wanted.function == "count" and found.type.nullable:
            return call("coalesce", found, integer(0))
        if wanted.function != "avg" or wanted.argument is None:
            return found
        with at(wanted.node, self.below.sql):
            return average(found, column(node.field(self._rows_name(wanted))), wanted.argument.type)

    def _never_null(self, counted: str) -> str:
        """The counted column as a key: where it is NULL, any value does, since such rows do not count."""
        field = self.input.field(counted)
        if not field.type.nullable:
            return counted
        name = self._fresh(f"{counted}_key", {one.name for one in self.input.fields})
        known = call("coalesce", column(field), Literal(field.type.as_nullable(False), field.type.low))
        self.input = Project(self.input, (*((one.name, column(one)) for one in self.input.fields), (name, known)))
        return name

    def _twice(self, keys: tuple[str, ...], wanted: Sequence[Wanted], counted: str) -> Node:
        """COUNT(DISTINCT counted) as two group-bys: first by the column too, then over what it takes."""
        inner_keys = tuple(dict.fromkeys((*keys, self._never_null(counted))))
        inner = Aggregate(self.input, inner_keys, self._calls(wanted, inner_keys))
        totals = dict(self._calls(wanted, keys))
        calls = []
        for one in wanted:
            names = (one.name, self._rows_name(one)) if one.function == "avg" else (one.name,)
            for name in names:
                part, total = column(inner.field(name)), totals[name]
                if one.distinct:
                    present = call("case", call("gt", part, integer(0)), integer(1), null())
                    calls.append((name, aggregate("count", present, rows_max(inner, frozenset(keys), self.catalog))))
                else:
                    outer = "sum" if total.function == "count" else total.function
                    calls.append((name, AggregateCall(outer, part, replace(total.type, nullable=total.type.nullable or not keys))))
        return Aggregate(inner, keys, tuple(calls))


def _is_null(expression: Expression) -> bool:
    return isinstance(expression, Literal) and expression.value is None


def _counted(argument: Expression | None) -> Expression | None:
    return argument if argument is not None and argument.type.nullable else None


def aggregates_of(searched: Sequence[exp.Expr]) -> list[exp.Expr]:
    """The distinct outermost aggregates of some expressions, each with its FILTER; not those of windows and subqueries."""
    found: list[exp.Expr] = []
    for expression in searched:
        for node in expression.find_all(*FUNCTIONS):
            whole = node.parent if isinstance(node.parent, exp.Filter) else node
            nested = whole.find_ancestor(exp.Window, *FUNCTIONS) or node.parent_select is not expression.parent_select
            if whole not in found and not nested:
                found.append(whole)
    return found
