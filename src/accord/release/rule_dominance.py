"""Rules about contributors so large that a cell is nearly their own figure [HW12]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from accord.base.errors import Refused
from accord.plan.catalog import Catalog
from accord.plan.expression import Expression
from accord.plan.largest import Contributions, with_largest
from accord.plan.literals import NUMBERS
from accord.plan.nodes import Node
from accord.plan.typing import call, column, integer
from accord.release.rule import RowRule

RANKS_MAX = 8
"""The most contributors that a rule looks at: finding them costs about as much for each."""


@dataclass(frozen=True)
class ContributionRule(RowRule):
    """A rule about the largest contributions to a sum. What a column of the question sums up are contributions: its rows, or with `unit`
    (a column of theirs) all rows of one unit together. Contributions that may be negative count by their size, in the total too."""

    column: str
    unit: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        for name, value, low, high in self._bounds:
            if not low <= value <= high:
                raise Refused(f"{self.name} with {name} = {value}", rule=f"{name} is {low} to {high}", do="correct the rule")

    @property
    def _bounds(self) -> tuple[tuple[str, int, int, int], ...]:
        """Parameters with the least and the greatest that they can be."""
        return ()

    @property
    def _ranks(self) -> int:
        """How many of the largest contributions it reads."""
        return 2

    @property
    def _who(self) -> str:
        return f"contributors (by {self.unit})" if self.unit else "contributions"

    @property
    def contributions(self) -> Contributions:
        stem = f"{self.column}_of_{self.unit}" if self.unit else self.column
        return Contributions(tuple(f"{stem}_largest_{rank + 1}" for rank in range(self._ranks)), f"{stem}_contributed", self.unit)

    @property
    def adds(self) -> tuple[str, ...]:
        return (*self.contributions.ranks, self.contributions.total)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, *self.adds)

    def prepared(self, plan: Node, catalog: Catalog) -> Node:
        return with_largest(plan, self.column, self.contributions, catalog)

    def require_applies(self, node: Node) -> None:
        for name in self.columns:
            if node.field(name).type.kind not in NUMBERS:
                raise Refused(f"rule {self.name} reads {name}, which is of kind {node.field(name).type.kind}", do="judge a SUM of numbers")

    def _condition(self, node: Node, weights: tuple[int, ...]) -> Expression:
        """Whether the sum with these weights, of the total and then of the largest contributions, is not negative; NULL counts as 0."""
        names = (self.contributions.total, *self.contributions.ranks)
        parts = [call("multiply", _or_zero(node, name), integer(weight)) for name, weight in zip(names, weights, strict=True)]
        whole = parts[0]
        for one in parts[1:]:
            whole = call("add", whole, one)
        return call("ge", whole, integer(0))

    def _known(self, row: Mapping[str, int | None]) -> tuple[int, list[int]]:
        """The plain total, and the largest contributions."""
        return row[self.contributions.total] or 0, [row[name] or 0 for name in self.contributions.ranks]


def _or_zero(node: Node, name: str) -> Expression:
    one = node.field(name)
    return call("coalesce", column(one), integer(0)) if one.type.nullable else column(one)


@dataclass(frozen=True)
class Dominance(ContributionRule):
    """The (n, k) rule: a row fails where its n largest contributors have more than k percent of its total."""

    n: int = 2
    k: int = 90

    name: ClassVar[str] = "dominance"
    stricter_below: ClassVar[tuple[str, ...]] = ("k",)
    asked_by_default: ClassVar[tuple[str, ...]] = ("n", "k")
    stops: ClassVar[str] = "reading a large contributor's figure off a cell that is nearly its own"
    does_not_stop: ClassVar[str] = "the second largest contributor's subtracting its own figure to bound the largest's closely (p_percent)"

    @property
    def _bounds(self) -> tuple[tuple[str, int, int, int], ...]:
        return (("n", self.n, 1, RANKS_MAX), ("k", self.k, 1, 99))

    @property
    def _ranks(self) -> int:
        return self.n

    @property
    def sentence(self) -> str:
        who = f"{self.n} largest {self._who} have" if self.n > 1 else f"largest of the {self._who} has"
        return f"a row is shown only where the {who} at most {self.k} percent of {self.column}"

    def condition(self, node: Node) -> Expression:
        return self._condition(node, (self.k, *[-100] * self.n))

    def passes(self, row: Mapping[str, int | None]) -> bool:
        total, largest = self._known(row)
        return not 100 * sum(largest) > self.k * total


@dataclass(frozen=True)
class PPercent(ContributionRule):
    """The p percent rule: a row fails where what is left of its total without the two largest is below p percent of the largest."""

    p: int = 10

    name: ClassVar[str] = "p_percent"
    asked_by_default: ClassVar[tuple[str, ...]] = ("p",)
    stops: ClassVar[str] = "the second largest contributor's subtracting its own figure to know the largest's to within p percent"
    does_not_stop: ClassVar[str] = "two contributors who pool what they know to bound a third's"

    @property
    def _bounds(self) -> tuple[tuple[str, int, int, int], ...]:
        return (("p", self.p, 1, 100),)

    @property
    def sentence(self) -> str:
        return f"a row is shown only where {self.column} without its two largest {self._who} is at least {self.p} percent of the largest"

    def condition(self, node: Node) -> Expression:
        return self._condition(node, (100, -100 - self.p, -100))

    def passes(self, row: Mapping[str, int | None]) -> bool:
        total, (first, second) = self._known(row)
        return not 100 * (total - first - second) < self.p * first
