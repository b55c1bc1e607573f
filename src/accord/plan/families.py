"""Which noised columns one row cannot be in together, so that they share one loss.

Of counts of bands of one value that do not overlap, a row is counted in one at most. Rows that a unit adds or takes away, so many, then
move all these columns together by no more than that number: the sum of the distances (L1) is what it is for one of them, and so the
root of the sum of their squares (L2) is no larger. Noise on all of them is one mechanism of that sensitivity [DR14], whose loss counts
once. That is read off the plan as it is, and of no promise: see `read_band`.
"""

from __future__ import annotations

from accord.plan.bands import read_band
from accord.plan.expression import Call, ColumnRef, Expression
from accord.plan.nodes import Aggregate, Filter, Join, Node, Project, Sort
from accord.plan.rewrite import is_public


def families(node: Node) -> dict[str, str]:
    """For each column that shares a loss with others: its family's name, which is that of the first column in it."""
    groups: dict[int, list[str]] = {}
    for name, number in _numbers(node).items():
        groups.setdefault(number, []).append(name)
    return {name: group[0] for group in groups.values() if len(group) > 1 for name in group}


def _numbers(node: Node) -> dict[str, int]:
    """The number of each count's family. A count that stands in two columns moves both: the second is in none."""
    if isinstance(node, Aggregate):
        return _of_aggregate(node)
    if isinstance(node, Filter | Sort):
        return _numbers(node.input)
    if isinstance(node, Join) and any(map(is_public, node.inputs)):
        return {name: number for side in node.inputs if not is_public(side) for name, number in _numbers(side).items()}
    if not isinstance(node, Project):
        return {}
    below, found, used = _numbers(node.input), dict[str, int](), set[str]()
    for name, expression in node.columns:
        source = _source(expression)
        if source in below and source not in used:
            found[name] = below[source]
            used.add(source)
    return found


def _of_aggregate(node: Aggregate) -> dict[str, int]:
    """Bands in the order of their ends, each into the first family of its value that ends before it."""
    bands = [(name, one.argument, read) for name, one in node.aggregates if one.function == "count" and (read := read_band(one.argument))]
    open_families: list[tuple[Expression, int]] = []
    found: dict[str, int] = {}
    for name, _, (value, low, high) in sorted(bands, key=lambda one: (one[2][1], -one[2][2])):
        fits = (at for at, (other, last) in enumerate(open_families) if other == value and last < low)
        number = next(fits, len(open_families))
        open_families[number : number + 1] = [(value, high)]
        found[name] = number
    return {name: found[name] for name, _ in node.aggregates if name in found}


def _source(expression: Expression) -> str:
    """The column that an expression is, but for another value in place of NULL; nothing for others."""
    if isinstance(expression, Call) and expression.function == "coalesce":
        expression = expression.arguments[0]
    return expression.name if isinstance(expression, ColumnRef) else ""
