"""The SQL that an owner runs for a local step: DuckDB text, built of sqlglot expressions from plan nodes.

Categories are their text, decimals are exact, `/` is integer arithmetic rounded half away from zero: what `evaluate` means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sqlglot import exp

from accord.base.errors import OurFault
from accord.base.names import fresh_name
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression, Literal, columns_of
from accord.plan.nodes import Aggregate, Field, Filter, Join, Node, Project, Public, Scan
from accord.plan.types import BOOL, CATEGORY, DATE, DECIMAL, INT, TEXT, Type
from accord.plan.typing import EPOCH

DIGITS_MAX = 19
"""Decimal digits of a value below 2^62."""
Names = Mapping[str, exp.Expr]


def local_sql(node: Node) -> str:
    """One SELECT with the node's columns, in order. Needs: leaves are Scans and declared Publics, named as the owner's tables are."""
    text: str = _Writer().select(node).sql("duckdb", pretty=True)
    return text


def storage_type(type: Type) -> str:
    """The DuckDB type of a column of this type."""
    if type.kind == DECIMAL:
        return f"DECIMAL({max(DIGITS_MAX, type.scale + 1)}, {type.scale})"
    return {INT: "BIGINT", DATE: "DATE", BOOL: "BOOLEAN", CATEGORY: "VARCHAR", TEXT: "VARCHAR"}[type.kind]


def exact_quotient(left: exp.Expr, right: exp.Expr, scales: tuple[int, int, int]) -> exp.Expr:
    """left / right with scales (left, right, result), rounded half away from zero in integers; NULL for a zero divisor."""
    digits = scales[2] + scales[1] - scales[0]
    over = _times(_units(left, scales[0]), max(digits, 0))
    under = _times(_units(exp.Nullif(this=_paren(right), expression=exp.Literal.number(0)), scales[1]), max(-digits, 0))
    two = exp.Literal.number(2)
    size = exp.IntDiv(
        this=exp.paren(exp.Add(this=exp.Mul(this=two, expression=exp.Abs(this=over)), expression=exp.Abs(this=under.copy()))),
        expression=exp.paren(exp.Mul(this=two.copy(), expression=exp.Abs(this=under.copy()))),
    )
    below = exp.NEQ(this=_is_negative(over), expression=_is_negative(under))
    signed = exp.Case(ifs=[exp.If(this=below, true=exp.Neg(this=exp.paren(size.copy())))], default=size)
    return _from_units(signed, scales[2])


def _is_negative(node: exp.Expr) -> exp.Expr:
    return exp.paren(exp.LT(this=node.copy(), expression=exp.Literal.number(0)))


def _paren(node: exp.Expr) -> exp.Expr:
    return node if isinstance(node, exp.Column | exp.Literal | exp.Func | exp.Paren) else exp.paren(node)


def _times(node: exp.Expr, digits: int) -> exp.Expr:
    return exp.paren(exp.Mul(this=node, expression=exp.Literal.number(10**digits))) if digits else node


def _units(node: exp.Expr, scale: int) -> exp.Expr:
    """A number of some scale as a HUGEINT of its units."""
    whole = exp.Mul(this=_paren(node), expression=exp.Literal.number(10**scale)) if scale else node
    return exp.cast(whole, "HUGEINT", dialect="duckdb")


def _from_units(node: exp.Expr, scale: int) -> exp.Expr:
    whole = exp.cast(node, f"DECIMAL({DIGITS_MAX}, 0)", dialect="duckdb")
    if not scale:
        return whole
    unit = exp.cast(exp.Literal.string(f"0.{'0' * (scale - 1)}1"), f"DECIMAL({scale + 1}, {scale})", dialect="duckdb")
    return exp.cast(exp.Mul(this=whole, expression=unit), storage_type(Type(DECIMAL, scale=scale)), dialect="duckdb")


# ---- expressions


def written(expression: Expression, names: Names) -> exp.Expr:
    """An expression over columns that `names` says how to write."""
    if isinstance(expression, ColumnRef):
        return names[expression.name].copy()
    if isinstance(expression, Literal):
        return _constant(expression)
    assert isinstance(expression, Call)
    return _WRITTEN[expression.function](expression, [written(one, names) for one in expression.arguments])


def _constant(literal: Literal) -> exp.Expr:
    type, value = literal.type, literal.value
    if value is None:
        return exp.cast(exp.null(), storage_type(type), dialect="duckdb")
    if type.kind == CATEGORY:
        return exp.Literal.string(type.values[value])
    if type.kind == BOOL:
        return exp.true() if value else exp.false()
    if type.kind == DATE:
        return exp.cast(exp.Literal.string((EPOCH + timedelta(days=value)).isoformat()), "DATE", dialect="duckdb")
    if type.kind == DECIMAL:
        digits = str(abs(value)).rjust(type.scale + 1, "0")
        text = f"{digits[: len(digits) - type.scale]}.{digits[len(digits) - type.scale :]}" if type.scale else digits
        return exp.cast(exp.Literal.string(f"{'-' if value < 0 else ''}{text}"), storage_type(type), dialect="duckdb")
    number: exp.Expr = exp.Literal.number(abs(value))
    return exp.paren(exp.Neg(this=number)) if value < 0 else number


def _typed(argument: Expression, node: exp.Expr) -> exp.Expr:
    """A constant integer as BIGINT, so that arithmetic on it does not stay in 32 bits."""
    return exp.cast(node, "BIGINT", dialect="duckdb") if isinstance(argument, Literal) and argument.type.kind == INT else node


def _arithmetic(kind: type[exp.Binary]) -> Callable[[Call, list[exp.Expr]], exp.Expr]:
    def write(call: Call, arguments: list[exp.Expr]) -> exp.Expr:
        left, right = (_paren(_operand(call, at, node)) for at, node in enumerate(arguments))
        made = exp.paren(kind(this=left, expression=right))
        return exp.cast(made.this, storage_type(call.type), dialect="duckdb") if call.type.kind == DECIMAL else made

    return write


def _operand(call: Call, at: int, node: exp.Expr) -> exp.Expr:
    argument = call.arguments[at]
    if call.type.kind == DATE and argument.type.kind == INT:
        return exp.cast(node, "INTEGER", dialect="duckdb")
    return node if isinstance(call.arguments[1 - at], ColumnRef) else _typed(argument, node)


def _compared(kind: type[exp.Binary]) -> Callable[[Call, list[exp.Expr]], exp.Expr]:
    return lambda _, arguments: exp.paren(kind(this=_paren(arguments[0]), expression=_paren(arguments[1])))


def _joined(kind: type[exp.Connector]) -> Callable[[Call, list[exp.Expr]], exp.Expr]:
    def write(_: Call, arguments: list[exp.Expr]) -> exp.Expr:
        parts = [one.unnest() if isinstance(one.unnest(), exp.Predicate) else _paren(one) for one in arguments]
        made = parts[0]
        for one in parts[1:]:
            made = kind(this=made, expression=one)
        return exp.paren(made)

    return write


def _case(call: Call, arguments: list[exp.Expr]) -> exp.Expr:
    typed = [_typed(argument, node) for argument, node in zip(call.arguments, arguments, strict=True)]
    ifs = [exp.If(this=condition.unnest(), true=value) for condition, value in zip(typed[:-1:2], typed[1:-1:2], strict=True)]
    return exp.Case(ifs=ifs, default=typed[-1])


def _called(kind: type[exp.Func]) -> Callable[[Call, list[exp.Expr]], exp.Expr]:
    def write(call: Call, arguments: list[exp.Expr]) -> exp.Expr:
        typed = [_typed(argument, node).unnest() for argument, node in zip(call.arguments, arguments, strict=True)]
        return _variadic(kind, typed)

    return write


def _variadic(kind: type[exp.Func], arguments: list[exp.Expr]) -> exp.Expr:
    if issubclass(kind, exp.Least | exp.Greatest):
        return kind(this=arguments[0], expressions=arguments[1:], ignore_nulls=True)
    return kind(this=arguments[0], expressions=arguments[1:]) if len(arguments) > 1 else kind(this=arguments[0])


def _divide(call: Call, arguments: list[exp.Expr]) -> exp.Expr:
    left, right = (one.type.scale for one in call.arguments)
    return exact_quotient(arguments[0], arguments[1], (left, right, call.type.scale))


def _floor_divide(_: Call, arguments: list[exp.Expr]) -> exp.Expr:
    under = exp.Nullif(this=arguments[1], expression=exp.Literal.number(0))
    return exp.paren(exp.IntDiv(this=_paren(arguments[0]), expression=under))


def _cast(call: Call, arguments: list[exp.Expr]) -> exp.Expr:
    if call.type.kind == CATEGORY:
        return arguments[0]
    return exp.cast(arguments[0].unnest(), storage_type(call.type), dialect="duckdb")


def _round(call: Call, arguments: list[exp.Expr]) -> exp.Expr:
    return exp.Round(this=arguments[0].unnest(), decimals=exp.Literal.number(call.type.scale))


_WRITTEN: dict[str, Callable[[Call, list[exp.Expr]], exp.Expr]] = {
    "add": _arithmetic(exp.Add),
    "subtract": _arithmetic(exp.Sub),
    "multiply": _arithmetic(exp.Mul),
    "negate": lambda _, arguments: exp.paren(exp.Neg(this=_paren(arguments[0]))),
    "abs": _called(exp.Abs),
    "divide": _divide,
    "floor_divide": _floor_divide,
    "round": _round,
    "eq": _compared(exp.EQ),
    "ne": _compared(exp.NEQ),
    "lt": _compared(exp.LT),
    "le": _compared(exp.LTE),
    "gt": _compared(exp.GT),
    "ge": _compared(exp.GTE),
    "and": _joined(exp.And),
    "or": _joined(exp.Or),
    "not": lambda _, arguments: exp.paren(exp.Not(this=_paren(arguments[0]))),
    "is_null": lambda _, arguments: exp.paren(exp.Is(this=_paren(arguments[0]), expression=exp.null())),
    "case": _case,
    "coalesce": _called(exp.Coalesce),
    "least": _called(exp.Least),
    "greatest": _called(exp.Greatest),
    "cast": _cast,
}


# ---- tables


@dataclass
class _Draft:
    """A SELECT in the making: FROM with its joins, WHERE, and how each output column is written."""

    source: exp.Expr
    columns: dict[str, exp.Expr]
    joins: list[exp.Join] = field(default_factory=list)
    where: list[exp.Expr] = field(default_factory=list)
    grouped: exp.Select | None = None

    @property
    def is_bare(self) -> bool:
        return not self.joins and not self.where and all(isinstance(one, exp.Column) for one in self.columns.values())


class _Writer:
    """Writes one SELECT; table aliases are used once."""

    def __init__(self) -> None:
        self.aliases: set[str] = set()

    def select(self, node: Node) -> exp.Select:
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
        draft = self._simple(self._draft(node.input), node.input, used)
        keys = {name: draft.columns[name] for name in node.keys}
        columns = keys | {name: _aggregated(call, draft.columns) for name, call in node.aggregates}
        select = self._open_select(_Draft(draft.source, columns, draft.joins, draft.where), tuple(columns))
        grouped = select.group_by(*(one.copy() for one in keys.values())) if keys else select
        return _Draft(draft.source, {}, grouped=grouped)

    def join(self, node: Join) -> _Draft:
        left = self._simple(self._draft(node.left), node.left, frozenset(name for name, _ in node.on))
        right = self._draft(node.right)
        if right.grouped is not None or not right.is_bare:
            right = self._closed(right, node.right)
        on = [exp.EQ(this=left.columns[a].copy(), expression=right.columns[b].copy()) for a, b in node.on]
        kinds = {"left": {"side": "LEFT"}, "cross": {"kind": "CROSS"}, "inner": {}}
        if node.kind not in kinds:
            raise OurFault(f"a {node.kind} join in a local step")
        joined = exp.Join(this=right.source, on=exp.and_(*on) if on else None, **kinds[node.kind])
        return _Draft(left.source, left.columns | right.columns, [*left.joins, joined], left.where)

    def _simple(self, draft: _Draft, node: Node, used: frozenset[str]) -> _Draft:
        """The draft, closed to a subquery where columns that are computed in it are computed with again, or it is grouped."""
        if draft.grouped is not None or any(not isinstance(draft.columns[name], exp.Column) for name in used):
            return self._closed(draft, node)
        return draft

    def _closed(self, draft: _Draft, node: Node) -> _Draft:
        alias = self._alias("step")
        source = self._closed_select(draft, node.fields).subquery(alias)
        return _Draft(source, {one.name: exp.column(one.name, table=alias) for one in node.fields})

    def _closed_select(self, draft: _Draft, fields: tuple[Field, ...]) -> exp.Select:
        return draft.grouped if draft.grouped is not None else self._open_select(draft, tuple(one.name for one in fields))

    @staticmethod
    def _open_select(draft: _Draft, names: tuple[str, ...]) -> exp.Select:
        outputs = [_named(draft.columns[name], name) for name in names] or [exp.alias_(exp.Literal.number(1), "no_column")]
        select = exp.Select(expressions=outputs).from_(draft.source)
        for join in draft.joins:
            select.append("joins", join)
        return select.where(*draft.where) if draft.where else select


def _named(node: exp.Expr, name: str) -> exp.Expr:
    return node.copy() if isinstance(node, exp.Column) and node.name == name else exp.alias_(node.copy(), name)


def _aggregated(call: AggregateCall, names: Names) -> exp.Expr:
    kinds: dict[str, type[exp.AggFunc]] = {"sum": exp.Sum, "count": exp.Count, "min": exp.Min, "max": exp.Max}
    argument = exp.Star() if call.argument is None else _typed(call.argument, written(call.argument, names)).unnest()
    made = kinds[call.function](this=argument)
    return exp.cast(made, storage_type(call.type), dialect="duckdb") if call.function == "sum" else made


_DRAFTS: dict[type[Node], Callable[[_Writer, Node], _Draft]] = {
    Filter: _Writer.filter,  # type: ignore[dict-item]
    Project: _Writer.project,  # type: ignore[dict-item]
    Aggregate: _Writer.aggregate,  # type: ignore[dict-item]
    Join: _Writer.join,  # type: ignore[dict-item]
}
