"""A question's own SQL, rewritten so that DuckDB computes it exactly.

DuckDB computes `/`, AVG, variances, their roots, correlations and interpolated quantiles in floating point and whole-number constants in
32 bits; each becomes integer arithmetic, as the types that the plan inferred say. Everything else is DuckDB's own meaning of the SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from accord.frame.dates import is_interval
from accord.frame.places import TYPE
from accord.plan.local_expression import cast_to, exact_correlation, exact_quotient, exact_root, storage_type
from accord.plan.types import DATE, DECIMAL, INT, Type
from accord.plan.typing import DIVIDE_DIGITS

Wrap = Callable[[exp.Expr], exp.Expr]
Handler = Callable[[exp.Expr, Type], exp.Expr]


def exact_sql(tree: exp.Expr, parameters: Mapping[str, str | int]) -> str:
    """The qualified, translated tree as DuckDB SQL that computes exactly, its columns named as the plan's are.

    Needs: `tree_to_plan` has left its types on it.
    """
    copy = tree.copy()
    holder = exp.Paren(this=copy)
    for node in reversed(list(holder.this.walk())):
        changed = _exact(node, parameters)
        if changed is not node:
            changed.meta.update(node.meta)
            node.replace(changed)
    first = holder.this
    while isinstance(first, exp.SetOperation | exp.Subquery):
        first = first.this
    first.set("expressions", [exp.alias_(one.unalias(), one.alias_or_name, quoted=True) for one in first.expressions])
    written: str = holder.this.sql("duckdb")
    return written


def _exact(node: exp.Expr, parameters: Mapping[str, str | int]) -> exp.Expr:
    type = node.meta.get(TYPE)
    if not isinstance(type, Type):
        return node
    if isinstance(node, exp.Placeholder | exp.Parameter):
        value = parameters[node.name]
        return exp.cast(exp.Literal.number(value), "BIGINT") if isinstance(value, int) else exp.Literal.string(value)
    if isinstance(node, exp.Window | exp.Filter):
        return _wrapped(node, type)
    if isinstance(node.parent, exp.Filter | exp.WithinGroup) and node.arg_key == "this":
        return node
    handler = next((handler for kind, handler in _EXACT.items() if isinstance(node, kind)), None)
    return handler(node, type) if handler else node


def _wrapped(node: exp.Expr, type: Type) -> exp.Expr:
    """An aggregate with OVER, FILTER or both: what makes it exact stands around them."""
    wraps: list[exp.Expr] = []
    while isinstance(node, exp.Window | exp.Filter):
        wraps.append(node)
        node = node.this

    def wrap(aggregate: exp.Expr) -> exp.Expr:
        for one in reversed(wraps):
            copy = one.copy()
            copy.set("this", aggregate)
            aggregate = copy
        return aggregate

    handler = next((handler for kind, handler in _AGGREGATES.items() if isinstance(node, kind)), None)
    return handler(node, type, wrap) if handler else wraps[0]


def _itself(node: exp.Expr) -> exp.Expr:
    return node


def _scale(node: exp.Expr) -> int:
    type = node.meta[TYPE]
    assert isinstance(type, Type)
    return type.scale


def _cast(node: exp.Expr, type: Type) -> exp.Expr:
    return cast_to(node, storage_type(type)) if type.kind in (INT, DECIMAL) else node


# ---- aggregates


def _sum(node: exp.Expr, type: Type, wrap: Wrap) -> exp.Expr:
    return _cast(wrap(node.copy()), type)


def _average(node: exp.Expr, type: Type, wrap: Wrap) -> exp.Expr:
    of, scale = node.this, type.scale - DIVIDE_DIGITS
    return exact_quotient(wrap(exp.Sum(this=of.copy())), wrap(exp.Count(this=of.copy())), (scale, 0, type.scale))


def _moment(node: exp.Expr, type: Type, wrap: Wrap) -> exp.Expr:
    """N / D of units."""
    _, over, under = _second_moment(node, [node.this, node.expression or node.this], wrap)
    scale = type.scale - DIVIDE_DIGITS
    return _of_units(exact_quotient(over, under, (0, 0, DIVIDE_DIGITS)), scale, type)


def _second_moment(node: exp.Expr, pair: list[exp.Expr], wrap: Wrap) -> tuple[exp.Expr, exp.Expr, exp.Expr]:
    """n, N = n · Σxy − Σx · Σy and D = n · (n − 1), or n · n of a population, in units; NULL is left out with its partner."""
    known = exp.and_(*(exp.Not(this=exp.Is(this=exp.paren(one.copy()), expression=exp.null())) for one in pair))
    first, second = (exp.paren(_in_units(one, known)) for one in pair)
    total, other = (wrap(exp.Sum(this=one.copy())) for one in (first, second))
    products = wrap(exp.Sum(this=exp.Mul(this=first, expression=second)))
    count = cast_to(wrap(exp.Count(this=first.copy())), "HUGEINT")
    over = exp.Sub(this=exp.Mul(this=count, expression=products), expression=exp.Mul(this=total, expression=other))
    is_population = isinstance(node, exp.VariancePop | exp.CovarPop | exp.StddevPop)
    less = exp.paren(exp.Sub(this=count.copy(), expression=exp.Literal.number(0 if is_population else 1)))
    return count, exp.paren(over), exp.paren(exp.Mul(this=count.copy(), expression=less))


def _of_units(node: exp.Expr, scale: int, type: Type) -> exp.Expr:
    """A number of units of 10^-scale, as the number that it is."""
    unit = cast_to(exp.Literal.string("0." + "1".rjust(scale, "0") if scale else "1"), f"DECIMAL({scale + 1}, {scale})")
    return cast_to(exp.Mul(this=node, expression=unit), storage_type(type))


def _deviation(node: exp.Expr, type: Type, wrap: Wrap) -> exp.Expr:
    """Half of the root of four times N / D, rounded up."""
    _, over, under = _second_moment(node, [node.this, node.this], wrap)
    four = exp.Mul(this=over, expression=exp.Literal.number(4 * 100 ** (type.scale - _scale(node.this))))
    whole = exp.IntDiv(this=exp.paren(four), expression=exp.Nullif(this=under, expression=exp.Literal.number(0)))
    twice = exp.paren(exp.Add(this=exact_root(exp.paren(whole)), expression=exp.Literal.number(1)))
    return _of_units(exp.IntDiv(this=twice, expression=exp.Literal.number(2)), type.scale, type)


def _correlation(node: exp.Expr, type: Type, wrap: Wrap) -> exp.Expr:
    """Of N of both, and of each with itself where the other is there."""
    pair = [node.this, node.expression]
    known = exp.and_(*(exp.Not(this=exp.Is(this=exp.paren(one.copy()), expression=exp.null())) for one in pair))
    both = []
    for one in pair:
        both.append(exp.Case(ifs=[exp.If(this=known.copy(), true=one.copy())]))
        both[-1].meta[TYPE] = one.meta[TYPE]
    moments = [_second_moment(node, [x, y], wrap)[1] for x, y in ((both[0], both[1]), (both[0], both[0]), (both[1], both[1]))]
    return cast_to(exact_correlation(*moments), storage_type(type))


def _in_units(node: exp.Expr, known: exp.Expr) -> exp.Expr:
    whole = cast_to(exp.Mul(this=exp.paren(node.copy()), expression=exp.Literal.number(10 ** _scale(node))), "HUGEINT")
    return exp.Case(ifs=[exp.If(this=known.copy(), true=whole)])


def _median(node: exp.Expr, type: Type, wrap: Wrap) -> exp.Expr:
    """Half-way between the lower middle value and the upper one, which is the lower one of the negatives."""
    of = node.expression.expressions[0].this if isinstance(node, exp.WithinGroup) else node.this
    if isinstance(node, exp.WithinGroup) and not isinstance(node.this, exp.PercentileCont):
        return wrap(node)
    share = node.this.this if isinstance(node, exp.WithinGroup) else node.expression
    if share is not None and float(share.name) != 0.5:
        return cast_to(wrap(exp.PercentileCont(this=cast_to(of, "DOUBLE"), expression=share.copy())), storage_type(type))
    half = exp.Literal.number("0.5")
    lower = wrap(exp.PercentileDisc(this=of.copy(), expression=half))
    upper = wrap(exp.PercentileDisc(this=exp.Neg(this=exp.paren(of.copy())), expression=half.copy()))
    whole = exp.paren(exp.Sub(this=lower, expression=upper))
    return exact_quotient(whole, exp.Literal.number(2), (_scale(of), 0, type.scale))


_AGGREGATES: dict[Any, Callable[[exp.Expr, Type, Wrap], exp.Expr]] = {
    exp.Sum: _sum,
    exp.Avg: _average,
    (exp.Variance, exp.VariancePop, exp.CovarSamp, exp.CovarPop): _moment,
    (exp.Stddev, exp.StddevSamp, exp.StddevPop): _deviation,
    exp.Corr: _correlation,
    (exp.Median, exp.PercentileCont, exp.WithinGroup): _median,
}


def _bare(handler: Callable[[exp.Expr, Type, Wrap], exp.Expr]) -> Handler:
    return lambda node, type: handler(node, type, _itself)


# ---- arithmetic


def _div(node: exp.Expr, type: Type) -> exp.Expr:
    if isinstance(node.find_ancestor(exp.Round, exp.Floor, exp.Select), exp.Round | exp.Floor) and _is_rounded(node):
        return node
    return exact_quotient(node.this, node.expression, (_scale(node.this), _scale(node.expression), type.scale))


def _is_rounded(node: exp.Expr) -> bool:
    """Whether a quotient is, but for parentheses, what ROUND or FLOOR rounds."""
    above = node.parent
    while isinstance(above, exp.Paren):
        above = above.parent
    return isinstance(above, exp.Round | exp.Floor)


def _round(node: exp.Expr, type: Type) -> exp.Expr:
    inner = node.this.unnest()
    if not isinstance(inner, exp.Div):
        return node
    return exact_quotient(inner.this, inner.expression, (_scale(inner.this), _scale(inner.expression), type.scale))


def _int_div(node: exp.Expr, type: Type) -> exp.Expr:
    inner = node.this.unnest() if isinstance(node, exp.Floor) else node
    under = exp.Nullif(this=inner.expression.copy(), expression=exp.Literal.number(0))
    return _cast(exp.IntDiv(this=inner.this.copy(), expression=under), type)


def _arithmetic(node: exp.Expr, type: Type) -> exp.Expr:
    if type.kind != DATE:
        return _cast(node, type)
    changed = node.copy()
    if isinstance(node, exp.Binary) and (is_interval(node.this) or is_interval(node.expression)):
        return _day(changed, type)
    for side in ("this", "expression"):
        original = node.args[side]
        if original.meta[TYPE].kind == INT:
            changed.set(side, exp.cast(original.copy(), "INTEGER"))
    return changed


def _day(node: exp.Expr, _: Type) -> exp.Expr:
    """A date moved by months, which DuckDB makes a timestamp, as a date."""
    return cast_to(node, "DATE")


def _literal(node: exp.Expr, type: Type) -> exp.Expr:
    return node if node.is_string or (isinstance(node.parent, exp.Round) and node.arg_key == "decimals") else _cast(node, type)


_EXACT: dict[Any, Handler] = {
    exp.Literal: _literal,
    exp.Div: _div,
    exp.Round: _round,
    (exp.IntDiv, exp.Floor): _int_div,
    (exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Abs): _arithmetic,
    (exp.DateAdd, exp.DateSub, exp.TimestampTrunc, exp.DateTrunc): _day,
    exp.Cast: lambda node, type: _cast(node.this, type) if type.kind in (INT, DECIMAL) else node,
    **{kind: _bare(handler) for kind, handler in _AGGREGATES.items()},
}
"""How each kind of node becomes exact."""
