"""Columns that a rule adds to a question, not placed yet, beside a column that the question aggregates: judged, never released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.plan.catalog import Catalog
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression, Literal
from accord.plan.facts import rows_max, with_inputs
from accord.plan.literals import NUMBERS
from accord.plan.nodes import Aggregate, Concatenate, Filter, Join, Limit, Node, Project, Sort, Window
from accord.plan.typing import aggregate, call, column, integer


class Beside:
    """Adds the columns `names` from the group-by that makes a column upwards, through all steps above. `what` names the column in words."""

    what = "aggregate of rows"

    def __init__(self, names: tuple[str, ...], catalog: Catalog) -> None:
        self.names, self.catalog = names, catalog

    def grouped(self, node: Aggregate, name: str) -> Node:
        """The group-by with its new columns last."""
        raise self.refusal(name)

    def added(self, node: Node, name: str) -> Node:
        """The question with its new columns. Raises Refused where the column is not what it must be."""
        if isinstance(node, Project):
            source = _source(dict(node.columns)[name])
            if not source:
                raise self.refusal(name)
            below = self.added(node.input, source)
            return passing(node, below, [(one, column(below.field(one))) for one in self.names])
        if isinstance(node, Filter | Sort | Limit | Window):
            return with_inputs(node, (self.added(node.inputs[0], name),))
        if isinstance(node, Concatenate):
            return self._in_each(node, name)
        if isinstance(node, Join):
            on_left = name in {one.name for one in node.left.fields}
            return with_inputs(node, (self.added(node.left, name), node.right) if on_left else (node.left, self.added(node.right, name)))
        if isinstance(node, Aggregate) and name in dict(node.aggregates):
            return self.grouped(node, name)
        raise self.refusal(name)

    def _in_each(self, node: Concatenate, name: str) -> Node:
        """Of tables one after the other; the new columns stand last in each."""
        place = [one.name for one in node.fields].index(name)
        parts = []
        for part in node.parts:
            made = self.added(part, part.fields[place].name)
            own = [one.name for one in part.fields if one.name not in self.names]
            parts.append(Project(made, tuple((one, column(made.field(one))) for one in (*own, *self.names))))
        return Concatenate(tuple(parts))

    def with_calls(self, node: Aggregate, below: Node, calls: Sequence[AggregateCall]) -> Aggregate:
        """The group-by over another input with these calls under the new names; those that it has already stay."""
        own = dict(node.aggregates)
        for name, one in zip(self.names, calls, strict=True):
            if own.setdefault(name, one) != one:
                raise taken_name(name)
        return replace(node, input=below, aggregates=tuple(own.items()))

    def refusal(self, name: str) -> Refused:
        return Refused(
            f"a rule about {name}, which is no {self.what}",
            rule=f"the rule reads a column that the question makes as {self.what}",
            do=f"release or judge it AS {name} as it is, and compute with it in another column",
        )


def passing(node: Node, below: Node, columns: Sequence[tuple[str, Expression]]) -> Node:
    """A projection of the node below to the columns of a node, and to these. Raises Refused where another has one of their names."""
    passed = dict(node.columns) if isinstance(node, Project) and below is not node else {one.name: column(one) for one in node.fields}
    own: dict[str, Expression] = {**passed}
    for name, expression in columns:
        if own.setdefault(name, expression) != expression:
            raise taken_name(name)
    return Project(below, tuple(own.items()))


def split_by_frame(node: Aggregate, argument: Expression | None, function: str) -> tuple[Aggregate, AggregateCall] | None:
    """The group-by below that one question was split into (its COUNT(DISTINCT …) asks for groups within groups), and the part that an
    aggregate of this function has there; None where it was not."""
    below = node.input
    part = dict(below.aggregates).get(argument.name) if isinstance(below, Aggregate) and isinstance(argument, ColumnRef) else None
    return (below, part) if isinstance(below, Aggregate) and part is not None and part.function == function else None


def reaching(node: Node, name: str) -> Node:
    """The rows with a column that they may have had further below."""
    if any(one.name == name for one in node.fields):
        return node
    if isinstance(node, Project):
        below = reaching(node.input, name)
        return Project(below, (*node.columns, (name, column(below.field(name)))))
    if isinstance(node, Filter | Sort):
        return with_inputs(node, (reaching(node.inputs[0], name),))
    names, do = ", ".join(one.name for one in node.fields), "name a column of theirs"
    raise Refused(f"{name!r}, which the rows that are aggregated do not have", rule=f"one of {names}", do=do)


def taken_name(name: str) -> Refused:
    return Refused(f"a column {name} in the question", rule="a rule adds a column of this name to what is judged", do="rename it")


def _source(expression: Expression) -> str:
    """The column that an expression passes on, with 0 in place of NULL or without; nothing where it computes."""
    if isinstance(expression, Call) and expression.function == "coalesce" and len(expression.arguments) == 2:
        otherwise = expression.arguments[1]
        return _source(expression.arguments[0]) if isinstance(otherwise, Literal) and otherwise.value == 0 else ""
    return expression.name if isinstance(expression, ColumnRef) else ""


# ---- the sum of a column of the rows that are counted


@dataclass(frozen=True)
class SumBeside:
    """The sum of `of`, a column of the counted rows, under a name."""

    name: str
    of: str


def with_sum_beside(node: Node, count: str, wanted: SumBeside, catalog: Catalog) -> Node:
    """The question with the sum beside its column `count`. Raises Refused where that is no COUNT of rows, or they have no such column."""
    node.field(count)
    return _OfCounted(wanted, catalog).added(node, count)


class _OfCounted(Beside):
    what = "COUNT of rows"

    def __init__(self, wanted: SumBeside, catalog: Catalog) -> None:
        super().__init__((wanted.name,), catalog)
        self.wanted = wanted

    def grouped(self, node: Aggregate, name: str) -> Node:
        counted = dict(node.aggregates)[name]
        if counted.function == "sum" and (split := split_by_frame(node, counted.argument, "count")):
            below, part = split
            inner = _OfCounted(SumBeside(fresh_name(self.wanted.name, {one.name for one in below.fields}), self.wanted.of), self.catalog)
            within = inner._counting(below, part)
            total = aggregate("sum", column(within.field(inner.wanted.name)), rows_max(within, frozenset(node.keys), self.catalog))
            return self.with_calls(node, within, [total])
        if counted.function != "count":
            raise self.refusal(name)
        return self._counting(node, counted)

    def _counting(self, node: Aggregate, counted: AggregateCall) -> Aggregate:
        below = reaching(node.input, self.wanted.of)
        field = below.field(self.wanted.of)
        if field.type.kind not in NUMBERS or field.type.scale or field.type.nullable or field.type.low < 0:
            rule = "record keys are whole numbers from 0 on, and every row has one"
            raise Refused(f"record keys in {self.wanted.of}", rule=rule, do='declare it as kind = "int", low = 0')
        key: Expression = column(field)
        if counted.argument is not None and counted.argument.type.nullable:
            key = call("case", call("is_null", counted.argument), integer(0), key)
        total = aggregate("sum", key, rows_max(below, frozenset(node.keys), self.catalog), bool(node.keys))
        return self.with_calls(node, below, [total])
