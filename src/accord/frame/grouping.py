"""GROUP BY: the keys, the aggregates of SELECT and HAVING, and what stands for them above the grouped table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.frame.expressions import Expressions, refusal
from accord.frame.grouping_sets import distinct, grouping_number, told_apart
from accord.frame.measure import Measure, Part
from accord.frame.measures import MEASURES
from accord.frame.places import TYPE, at, copy_types
from accord.plan.catalog import Catalog
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression, Literal
from accord.plan.facts import rows_max
from accord.plan.literals import is_null
from accord.plan.nodes import Aggregate, Concatenate, Node, Project, Window
from accord.plan.typing import aggregate, call, column, domain, integer, null, quantile, windowed

MERGED = {"count": "sum", "sum": "sum", "min": "min", "max": "max", "bool_and": "bool_and", "bool_or": "bool_or"}
"""What makes the aggregate of all groups from those of parts of them."""
Pairs = list[tuple[exp.Expr, Expression]]


@dataclass(frozen=True)
class Wanted:
    """One aggregate of the SQL: its parts, named `name` with their suffixes, and what is made of them.

    For COUNT(DISTINCT …) of a column with few values, `distinct` is that column and the part counts the condition under which it counts.
    """

    node: exp.Expr
    name: str
    measure: Measure
    distinct: ColumnRef | None = None

    @property
    def parts(self) -> list[tuple[str, Part]]:
        return [(self.name + suffix, part) for suffix, part in self.measure.parts]


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
    is_keyed: bool = True

    def build(self, keys: Sequence[exp.Expr], searched: Sequence[exp.Expr], also: Sequence[str] = ()) -> tuple[Node, Pairs]:
        """The grouped table, and what each key and aggregate becomes in it.

        `also` are columns of the input to group by too. Without other keys an aggregate may then be of no rows at all, as without any.
        """
        self.taken.update(also)
        keyed = self._keyed(keys)
        node, wanted = self._grouped(tuple(dict.fromkeys((*also, *keyed))), searched, bool(keys))
        return node, self._stands(node, keys, keyed, wanted) + self._told_apart(list(keys), searched)

    def build_several(self, sets: Sequence[Sequence[exp.Expr]], searched: Sequence[exp.Expr]) -> tuple[Node, Pairs]:
        """As `build`, for several groupings: their rows one after the other, a key NULL in the rows of a grouping that lacks it.

        Keys and GROUPING are constants where they are not grouped by, so that which rows are of which grouping is public.
        """
        every = [key for one in sets for key in one]
        keys = distinct(every)
        keyed = self._keyed(keys)
        for again in every:
            copy_types(next(key for key in keys if key == again), again)
        told = [(one, self._fresh("grouping")) for one in told_apart(searched)]
        below, taken = self.input, set(self.taken)
        parts: list[Node] = []
        for one in sets:
            self.input, self.taken = below, set(taken)
            names = tuple(dict.fromkeys(name for key, name in zip(keys, keyed, strict=True) if key in one))
            node, wanted = self._grouped(names, searched, bool(one))
            kept = {name: column(node.field(name)) if name in names else null(below.field(name).type) for name in keyed}
            made = {name: column(node.field(name)) for whole in wanted for name, _ in whole.parts}
            numbers = {name: integer(self._number(grouping, keys, [key not in one for key in keys])) for grouping, name in told}
            parts.append(Project(node, tuple({**kept, **made, **numbers}.items())))
        whole = Concatenate(tuple(parts))
        pairs: Pairs = [(one, column(whole.field(name))) for one, name in told]
        return whole, self._stands(whole, keys, keyed, wanted) + _typed(pairs)

    def _grouped(self, names: tuple[str, ...], searched: Sequence[exp.Expr], is_keyed: bool) -> tuple[Node, list[Wanted]]:
        """The input grouped by columns of it, with the parts of all aggregates; and these."""
        self.is_keyed = is_keyed
        wanted = [self._ranked(self._wanted(one), names) for one in aggregates_of(searched)]
        return self._dense(names, wanted) or Aggregate(self.input, names, self._calls(wanted, names, is_keyed)), wanted

    def _stands(self, node: Node, keys: Sequence[exp.Expr], keyed: Sequence[str], wanted: Sequence[Wanted]) -> Pairs:
        """What each key and aggregate is in the grouped table."""
        stands = [(one, column(node.field(name))) for one, name in zip(keys, keyed, strict=True)]
        return _typed([*stands, *((one.node, self._result(one, node)) for one in wanted)])

    def _told_apart(self, keys: list[exp.Expr], searched: Sequence[exp.Expr]) -> Pairs:
        """What GROUPING is in the rows of one grouping by all keys."""
        return _typed([(one, integer(self._number(one, keys, [False] * len(keys)))) for one in told_apart(searched)])

    def _number(self, node: exp.Grouping, keys: list[exp.Expr], missing: Sequence[bool]) -> int:
        with at(node, self.below.sql):
            return grouping_number(node, keys, missing, self.aliases)

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
        computed: dict[str, Expression] = {}
        for node in keys:
            expression = self.below.translate(node)
            if isinstance(expression, ColumnRef):
                names.append(expression.name)
                self.taken.add(expression.name)
                continue
            if isinstance(expression, Literal):
                with at(node, self.below.sql):
                    raise Refused("GROUP BY a constant", do="leave it out: it is the same in every group")
            known = next((name for name, one in computed.items() if one == expression), "")
            names.append(known or self._fresh(self._alias(node, "key"), columns))
            computed[names[-1]] = expression
        if computed:
            self.input = Project(self.input, (*((one.name, column(one)) for one in self.input.fields), *computed.items()))
        return tuple(names)

    # ---- aggregates

    def _wanted(self, node: exp.Expr) -> Wanted:
        with at(node, self.below.sql):
            inner = node.this if isinstance(node, exp.Filter) else node
            condition = self.below.condition(node.expression.this) if isinstance(node, exp.Filter) else None
            word, measured = _measure(inner)
            name = self._fresh(self._alias(node, word))
            of = inner.this
            if isinstance(of, exp.Distinct):
                return self._distinct(node, inner, condition, name)
            everything = isinstance(of, exp.Star) or of is None
            if inner.expressions and not everything:
                raise Refused(f"{word.upper()} of several columns", do="write one aggregate for each")
            arguments = [] if everything else self.below.all(_arguments(inner))
            return Wanted(node, name, measured(inner, [_under(condition, one) for one in arguments] or _rows(condition)))

    def _ranked(self, wanted: Wanted, keys: tuple[str, ...]) -> Wanted:
        """An aggregate that needs the order of its values: they are numbered within their groups."""
        value, placed = wanted.measure.ranked, wanted.measure.placed
        if value is None or placed is None:
            return wanted
        with at(wanted.node, self.below.sql):
            taken = {one.name for one in self.input.fields}
            names = [self._fresh(f"{wanted.name}_{part}", taken) for part in ("value", "number", "count")]
            self.input = Project(self.input, (*((one.name, column(one)) for one in self.input.fields), (names[0], value)))
            rows = rows_max(self.input, frozenset(keys), self.catalog)
            ordered = windowed("count", column(self.input.field(names[0])), rows, ("range", None, None))
            numbered = windowed("row_number", None, rows)
            self.input = Window(self.input, keys, ((names[0], False),), ((names[1], numbered), (names[2], ordered)))
            found, number, count = (column(self.input.field(name)) for name in names)
            parts = placed(found, call("subtract", number, integer(1)), count)
        return replace(wanted, measure=replace(wanted.measure, parts=parts))

    def _distinct(self, node: exp.Expr, inner: exp.Expr, condition: Expression | None, name: str) -> Wanted:
        """COUNT(DISTINCT x), of a column with few values also of CASE WHEN condition THEN column END."""
        if not isinstance(inner, exp.Count) or len(inner.this.expressions) != 1:
            raise Refused(
                "DISTINCT in this aggregate", rule="COUNT(DISTINCT one expression)", do="GROUP BY the columns in a subquery first"
            )
        counted = self.below.translate(inner.this.expressions[0])
        plain = Measure([("", Part("count_distinct", _under(condition, counted)))], lambda only: only)
        if isinstance(counted, Call) and counted.function == "case" and len(counted.arguments) == 3 and is_null(counted.arguments[2]):
            condition = call("and", counted.arguments[0], *([condition] if condition else []))
            counted = counted.arguments[1]
        if not isinstance(counted, ColumnRef) or domain(counted.type) is None:
            return Wanted(node, name, plain)
        return Wanted(node, name, replace(plain, where=condition), counted)

    def _calls(self, wanted: Sequence[Wanted], keys: tuple[str, ...], is_keyed: bool) -> tuple[tuple[str, AggregateCall], ...]:
        rows = rows_max(self.input, frozenset(keys), self.catalog)
        calls: list[tuple[str, AggregateCall]] = []
        for one in wanted:
            with at(one.node, self.below.sql):
                calls += [(name, _called(part, rows, is_keyed)) for name, part in one.parts]
        return tuple(calls)

    def _result(self, wanted: Wanted, node: Node) -> Expression:
        """What an aggregate is in the grouped table: a column, or made of several."""
        with at(wanted.node, self.below.sql):
            found: list[Expression] = [column(node.field(name)) for name, _ in wanted.parts]
            for place, (_, part) in enumerate(wanted.parts):
                if part.function in ("count", "count_distinct") and found[place].type.nullable:
                    found[place] = call("coalesce", found[place], integer(0))
            return wanted.measure.result(*found)

    # ---- COUNT(DISTINCT …) of few values as two group-bys

    def _dense(self, keys: tuple[str, ...], wanted: Sequence[Wanted]) -> Node | None:
        """COUNT(DISTINCT counted) as two group-bys: first by the column too, then over what it takes. None where another way is needed.

        Rows with public keys are so counted without a sort.
        """
        counted = {one.distinct.name for one in wanted if one.distinct}
        parts = [part for one in wanted if not one.distinct for _, part in one.parts]
        is_public = all(domain(self.input.field(key).type) is not None for key in keys)
        if len(counted) != 1 or not is_public or any(part.function not in MERGED for part in parts):
            return None
        return self._twice(keys, [_counting(one) for one in wanted], counted.pop())

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
        inner_keys = tuple(dict.fromkeys((*keys, self._never_null(counted))))
        parts = self._calls(wanted, inner_keys, True)
        inside = {name: fresh_name(name, {*inner_keys, *(other for other, _ in parts if other != name)}) for name, _ in parts}
        inner = Aggregate(self.input, inner_keys, tuple((inside[name], one) for name, one in parts))
        totals = dict(self._calls(wanted, keys, self.is_keyed))
        calls = []
        for one in wanted:
            for name, _ in one.parts:
                part, total = column(inner.field(inside[name])), totals[name]
                if one.distinct:
                    present = call("case", call("gt", part, integer(0)), integer(1), null())
                    calls.append((name, aggregate("count", present, rows_max(inner, frozenset(keys), self.catalog))))
                else:
                    type = replace(total.type, nullable=total.type.nullable or not keys)
                    calls.append((name, AggregateCall(MERGED[total.function], part, type)))
        return Aggregate(inner, keys, tuple(calls))


def _typed(pairs: Pairs) -> Pairs:
    """The pairs, with the types left on the tree for the oracle."""
    for original, result in pairs:
        original.meta[TYPE] = result.type
    return pairs


def _counting(wanted: Wanted) -> Wanted:
    """COUNT(DISTINCT column) as the count, for each value of the column, of the rows under its condition."""
    if not wanted.distinct:
        return wanted
    condition = wanted.measure.where
    if wanted.distinct.type.nullable:
        known = call("not", call("is_null", wanted.distinct))
        condition = known if condition is None else call("and", condition, known)
    return replace(
        wanted, measure=Measure([("", Part("count", None if condition is None else _under(condition, integer(1))))], lambda one: one)
    )


def _called(part: Part, rows: int, keyed: bool) -> AggregateCall:
    if part.function == "quantile_disc":
        assert part.argument is not None and part.share is not None
        return quantile(part.argument, part.share, keyed)
    return aggregate(part.function, part.argument, rows, keyed)


def _under(condition: Expression | None, argument: Expression) -> Expression:
    return argument if condition is None else call("case", condition, argument, null())


def _rows(condition: Expression | None) -> list[Expression]:
    """What COUNT(*) counts: nothing for all rows."""
    return [] if condition is None else [_under(condition, integer(1))]


def _measure(node: exp.Expr) -> tuple[str, Callable[[Any, list[Expression]], Measure]]:
    found = MEASURES.get(type(node))
    if found is None:
        raise refusal(node)
    return found


def _arguments(node: exp.Expr) -> list[exp.Expr]:
    """The columns that an aggregate reads; not the share of a quantile."""
    if isinstance(node, exp.WithinGroup):
        return [node.expression.expressions[0].this]
    two = isinstance(node, exp.CovarSamp | exp.CovarPop | exp.Corr)
    return [node.this, node.expression] if two else [node.this]


def aggregates_of(searched: Sequence[exp.Expr]) -> list[exp.Expr]:
    """The distinct outermost aggregates of some expressions, each with its FILTER; not those of subqueries, nor windows themselves."""
    found: list[exp.Expr] = []
    for expression in searched:
        for node in expression.find_all(*MEASURES):
            whole = node.parent if isinstance(node.parent, exp.Filter | exp.WithinGroup) else node
            whole = whole.parent if isinstance(whole.parent, exp.Filter) and whole.arg_key == "this" else whole
            nested = _within_another(whole) or node.parent_select is not expression.parent_select
            if whole not in found and not nested and not _is_windowed(whole):
                found.append(whole)
    return found


def _is_windowed(whole: exp.Expr) -> bool:
    return isinstance(whole.parent, exp.Window) and whole.arg_key == "this"


def _within_another(whole: exp.Expr) -> bool:
    """Whether an aggregate stands in another one that is no window."""
    above = whole.find_ancestor(exp.Select, *MEASURES)
    while above is not None and not isinstance(above, exp.Select):
        outer = above.parent if isinstance(above.parent, exp.Filter | exp.WithinGroup) else above
        if not _is_windowed(outer):
            return True
        above = outer.find_ancestor(exp.Select, *MEASURES)
    return False
