"""Quotients. A part of a total lies between nothing and the whole, which is worth knowing: the range of a quotient is what digits cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sqlglot import exp

from accord.frame.places import TYPE
from accord.plan.expression import Expression
from accord.plan.types import Type
from accord.plan.typing import divided

if TYPE_CHECKING:
    from accord.frame.expressions import Expressions


def divided_total(into: Expressions, node: exp.Div) -> Expression:
    """x / y; of SUM(CASE WHEN … THEN x ELSE 0 END) / SUM(x), and of multiples of it, no more than the multiple."""
    left, right = into.translate(node.this), into.translate(node.expression)
    factor = _multiple(node.this, node.expression)
    return divided(left, right, None if factor is None else (min(factor, 0), max(factor, 0)))


def _multiple(part: exp.Expr, total: exp.Expr) -> int | None:
    """The whole number that `part` / `total` cannot pass, where a part of a total is seen in them."""
    factors: list[exp.Expr] = []
    sums: list[exp.Expr] = []
    for one in _factors(part.unnest()):
        (factors if isinstance(one, exp.Literal) else sums).append(one)
    if len(sums) != 1 or any(one.is_string for one in factors):
        return None
    summed, whole = _part_of_sum(sums[0].unnest()), _summed(total.unnest())
    if summed is None or summed != whole or not _never_negative(whole):
        return None
    product = Decimal(1)
    for one in factors:
        product *= Decimal(one.this)
    return int(product.to_integral_value(rounding="ROUND_CEILING"))


def _factors(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Mul):
        return [*_factors(node.this.unnest()), *_factors(node.expression.unnest())]
    return [node]


def _summed(node: exp.Expr) -> exp.Expr | None:
    return node.this if isinstance(node, exp.Sum) else None


def _part_of_sum(node: exp.Expr) -> exp.Expr | None:
    """x of SUM(CASE WHEN … THEN x ELSE 0 END), and of SUM(x) FILTER (WHERE …)."""
    if isinstance(node, exp.Filter):
        return _summed(node.this)
    case = _summed(node)
    if not isinstance(case, exp.Case) or case.this or len(case.args["ifs"]) != 1:
        return None
    otherwise = case.args.get("default")
    zero = otherwise is None or (isinstance(otherwise, exp.Literal) and not otherwise.is_string and Decimal(otherwise.this) == 0)
    return case.args["ifs"][0].args["true"] if zero else None


def _never_negative(node: exp.Expr) -> bool:
    type = node.meta.get(TYPE)
    return isinstance(type, Type) and type.low >= 0
