"""The largest contributions to a sum, as columns beside it: no question asks for them, rules about dominance judge them.

`largest` is an aggregate like the others: owners send their own largest ones of each public group, servers merge them; groups whose keys
are secret have them by their places in a sort. `with_largest` adds them to a question that is not placed yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import OurFault, Refused
from accord.base.names import fresh_name
from accord.plan.beside import Beside, passing, reaching, split_by_frame
from accord.plan.catalog import Catalog
from accord.plan.evaluate import Plain
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression
from accord.plan.facts import rows_max
from accord.plan.literals import NUMBERS
from accord.plan.nodes import Aggregate, Node, Project
from accord.plan.types import hull
from accord.plan.typing import aggregate, call, column

LARGEST = "largest"
NamedCall = tuple[str, AggregateCall]
MERGED = {"sum": "sum", "count": "sum", "min": "min", "max": "max", "bool_and": "bool_and", "bool_or": "bool_or"}
"""What makes of the parts of a group what the aggregate is of the whole."""


def largest(argument: Expression, rank: int) -> AggregateCall:
    """The value that `rank` − 1 others of the group are not below, NULLs left out; 0 where there are fewer.

    Needs: a number that is never negative, or several of them in one row (`listed`).
    """
    of = argument.type
    if of.kind not in NUMBERS or of.low < 0 or rank < 1:
        raise OurFault(f"the {rank}. largest of a {of.kind} from {of.low}")
    return AggregateCall(LARGEST, argument, replace(of, low=0, nullable=False), rank=rank)


def listed(columns: Sequence[Expression]) -> Expression:
    """Several values of one row, each of which counts."""
    return Call(hull([one.type for one in columns]), "list", tuple(columns))


def values_of(argument: Expression | None) -> tuple[Expression, ...]:
    """The values of a row that count."""
    if isinstance(argument, Call) and argument.function == "list":
        return argument.arguments
    return () if argument is None else (argument,)


def in_parts(calls: Sequence[NamedCall], taken: frozenset[str]) -> tuple[list[NamedCall], dict[str, AggregateCall]]:
    """Of calls of `largest`: what each part of a group gives, with its name, and what is made of these, by the names of the calls."""
    most: dict[Expression, int] = {}
    for _, one in calls:
        if one.function == LARGEST and one.argument is not None:
            most[one.argument] = max(one.rank, most.get(one.argument, 0))
    parts: list[NamedCall] = []
    lists: dict[Expression, Expression] = {}
    for at, (argument, ranks) in enumerate(most.items()):
        made = [(fresh_name(f"largest_{at}_{rank}", taken), largest(argument, rank)) for rank in range(1, ranks + 1)]
        lists[argument] = listed([ColumnRef(one.type, name) for name, one in made])
        parts += made
    return parts, {name: largest(lists[one.argument], one.rank) for name, one in calls if one.function == LARGEST and one.argument}


def largest_of_groups(call: AggregateCall, columns: Sequence[Plain], of: NDArray[np.int64], count: int) -> Plain:
    """The plain meaning: `columns` are the values of the rows, `of` their groups."""
    groups = np.concatenate([of[~one.nulls] for one in columns])
    values = np.concatenate([one.values[~one.nulls] for one in columns])
    order = np.lexsort((-values, groups))
    groups, values = groups[order], values[order]
    place = np.arange(len(groups)) - np.searchsorted(groups, groups)
    made = np.zeros(count, np.int64)
    made[groups[place == call.rank - 1]] = values[place == call.rank - 1]
    return Plain(made, np.zeros(count, np.bool_))


# ---- beside a sum of a question


@dataclass(frozen=True)
class Contributions:
    """What stands beside a sum: the names of the largest contributions, the largest first, and of the sum of their sizes. Contributions
    that may be negative count by their size. `unit`: the rows that agree on this column of the summed rows are one contribution."""

    ranks: tuple[str, ...]
    total: str
    unit: str = ""


def with_largest(node: Node, name: str, wanted: Contributions, catalog: Catalog) -> Node:
    """The question with these columns after its own, beside its column `name`. Raises Refused where that is no SUM of rows."""
    if node.field(name).type.kind not in NUMBERS:
        raise Beside((), catalog).refusal(name)
    if node.field(name).type.low < 0:
        return _Largest(wanted, (*wanted.ranks, wanted.total), catalog).added(node, name)
    made = _Largest(wanted, wanted.ranks, catalog).added(node, name)
    if isinstance(made, Project):
        return passing(made, made.input, ((wanted.total, dict(made.columns)[name]),))
    return passing(made, made, ((wanted.total, column(made.field(name))),))


class _Largest(Beside):
    what = "SUM of rows"

    def __init__(self, wanted: Contributions, names: tuple[str, ...], catalog: Catalog) -> None:
        super().__init__(names, catalog)
        self.wanted = wanted

    def grouped(self, node: Aggregate, name: str) -> Node:
        summed = dict(node.aggregates)[name]
        if summed.function != "sum" or summed.argument is None:
            raise self.refusal(name)
        return self._by_unit(node, name) if self.wanted.unit else self._by_row(node, summed.argument)

    def _called(self, node: Aggregate, below: Node, contribution: Expression, total: AggregateCall) -> Aggregate:
        """The group-by with the largest of these contributions, and their sum if it is asked for."""
        calls = [*(largest(contribution, at + 1) for at in range(len(self.wanted.ranks))), total]
        return self.with_calls(node, below, calls[: len(self.names)])

    def _by_row(self, node: Aggregate, argument: Expression) -> Aggregate:
        split = split_by_frame(node, argument, "sum")
        if split is None or split[1].argument is None:
            return self._called(node, node.input, _size(argument), _sum_of(_size(argument), node, argument))
        below = split[0]
        taken = frozenset(one.name for one in below.fields)
        names = tuple(fresh_name(one, taken) for one in self.names)
        within = _Largest(self.wanted, names, self.catalog)._by_row(below, split[1].argument)
        every = listed([column(within.field(one)) for one in names[: len(self.wanted.ranks)]])
        total = replace(_sum_of(_size(argument), node, argument), argument=column(within.field(names[-1])))
        return self._called(node, within, every, total)

    def _by_unit(self, node: Aggregate, name: str) -> Node:
        """Two group-bys: first by the unit too, then over its sums. A unit without a name (NULL) is one unit."""
        below, unit = reaching(node.input, self.wanted.unit), self.wanted.unit
        if unit in node.keys:
            raise Refused(f"unit = {unit!r}, by which the rows are grouped", rule="a group has several units", do="leave unit out")
        if not (isinstance(below, Aggregate) and set(below.keys) == {*node.keys, unit}):
            node = _twice(node, below, unit, self.catalog)
        argument = dict(node.aggregates)[name].argument
        assert argument is not None
        return self._called(node, node.input, _size(argument), _sum_of(_size(argument), node, argument))


def _size(argument: Expression) -> Expression:
    """How large a contribution is: itself where it is never negative."""
    return argument if argument.type.low >= 0 else call("abs", argument)


def _sum_of(size: Expression, node: Aggregate, argument: Expression) -> AggregateCall:
    """The sum of sizes: as far from 0 as the sum beside it can be."""
    of = next(one.type for _, one in node.aggregates if one.function == "sum" and one.argument == argument)
    return AggregateCall("sum", size, replace(of, low=0, high=max(abs(of.low), abs(of.high))))


# ---- units of several rows


def _twice(node: Aggregate, below: Node, unit: str, catalog: Catalog) -> Aggregate:
    """The group-by over one by the unit too."""
    inner_keys = (*node.keys, unit)
    rows = rows_max(below, frozenset(inner_keys), catalog)
    parts, totals = [], []
    for name, one in node.aggregates:
        part, total = _halves(name, one, unit, rows, below)
        parts += part
        totals.append((name, total))
    return replace(node, input=Aggregate(below, inner_keys, tuple(parts)), aggregates=tuple(totals))


def _halves(name: str, whole: AggregateCall, unit: str, rows: int, below: Node) -> tuple[list[NamedCall], AggregateCall]:
    """An aggregate as one of each unit's rows, and one of these."""
    if whole.function == "count_distinct" and whole.argument == column(below.field(unit)):
        return [], replace(whole, function="count")
    if whole.function not in MERGED:
        raise Refused(
            f"{whole.function.upper()} beside a rule with unit = {unit!r}",
            rule="what stands beside is a SUM, COUNT, MIN, MAX, AVG or VAR, or COUNT(DISTINCT) of that unit",
            do="ask for it in a release of its own",
        )
    if whole.function in ("sum", "count"):
        part = aggregate(whole.function, whole.argument, rows)
    else:
        assert whole.argument is not None
        part = replace(whole, type=whole.type.as_nullable(whole.argument.type.nullable))
    return [(name, part)], AggregateCall(MERGED[whole.function], ColumnRef(part.type, name), whole.type)
