"""Disclosure rules. Each is judged on shares before anything is opened: a row that fails is suppressed, and no server learns which.

A rule of a row has a `condition`, an expression that is true where the row passes; NULL does not pass. `passes` says the same of
plain integers, independently: it is what tests and the plaintext runtime compare with. A rule of the table looks at which rows
passed all of those.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from accord.base.errors import Refused
from accord.base.ring import Z64
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.plan.evaluate import Flags
from accord.plan.expression import Expression
from accord.plan.nodes import Node
from accord.plan.secure_calls import bit_to_ring, is_zero
from accord.plan.secure_flags import Flag, both, either, negation
from accord.plan.secure_table import take_flag
from accord.plan.secure_values import shared, subtract
from accord.plan.types import INT
from accord.plan.typing import call, column, integer


@dataclass(frozen=True)
class Rule:
    """What every rule says of itself: `name` in a study, the `sentence` that people see, the attack that it stops, one that it does not."""

    name: ClassVar[str]
    stops: ClassVar[str]
    does_not_stop: ClassVar[str]

    @property
    def sentence(self) -> str:
        raise TypeError("a rule states itself")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return ()

    def require_applies(self, node: Node) -> None:
        """Raises Refused where the table lacks what the rule reads."""
        for name in self.columns:
            if node.field(name).type.kind != INT:
                raise Refused(
                    f"rule {self.name} reads {name}, which is of kind {node.field(name).type.kind}",
                    rule="a rule about counts reads integers",
                    do="judge a COUNT(…), or a SUM of counts",
                )


@dataclass(frozen=True)
class RowRule(Rule):
    """A rule that each row passes or not."""

    def condition(self, node: Node) -> Expression:
        """True where the row passes."""
        raise TypeError("a rule of a row has a condition")

    def passes(self, row: Mapping[str, int | None]) -> bool:
        """The same of a plain row."""
        raise TypeError("a rule of a row has a plain form")


@dataclass(frozen=True)
class TableRule(Rule):
    """A rule about which rows passed; needs a table whose rows are all there, in a public order."""

    async def judge(self, me: Party, passed: Flag, rows: int) -> Flag:
        """Which rows still pass."""
        raise TypeError("a rule of a table judges it")

    def plain(self, passed: Flags) -> Flags:
        """The same of plain flags."""
        raise TypeError("a rule of a table has a plain form")


@dataclass(frozen=True)
class MinimumCount(RowRule):
    """A row passes where a count reaches a minimum."""

    column: str
    minimum: int

    name: ClassVar[str] = "minimum_count"
    stops: ClassVar[str] = "reading one person's or firm's figure from a cell that holds only a few"
    does_not_stop: ClassVar[str] = "subtracting two releases, or two rows, that differ by one person"

    def __post_init__(self) -> None:
        if self.minimum < 1:
            raise Refused(
                f"{self.name} of {self.minimum}", rule="a minimum is at least 1", do="raise it, or leave the rule out and say why"
            )

    @property
    def sentence(self) -> str:
        return f"a row is shown only where {self.column} is at least {self.minimum}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def condition(self, node: Node) -> Expression:
        return call("ge", column(node.field(self.column)), integer(self.minimum))

    def passes(self, row: Mapping[str, int | None]) -> bool:
        count = row[self.column]
        return count is not None and count >= self.minimum


@dataclass(frozen=True)
class MinimumContributors(MinimumCount):
    """As MinimumCount, of a column that counts distinct contributors: owners, firms, commodities."""

    name: ClassVar[str] = "minimum_contributors"
    stops: ClassVar[str] = "a contributor's subtracting its own part from a cell to which only one other contributed"
    does_not_stop: ClassVar[str] = (
        "a contributor so large that the cell is nearly its own figure (dominance), or several who pool what they know"
    )

    @property
    def sentence(self) -> str:
        return f"a row is shown only where at least {self.minimum} contribute to it ({self.column})"


@dataclass(frozen=True)
class ZeroAndFull(RowRule):
    """A row passes where 0 < part < whole: none and all would say the same of every member."""

    part: str
    whole: str

    name: ClassVar[str] = "zero_and_full"
    stops: ClassVar[str] = "learning of everybody in a cell that they have the trait, or that they have not"
    does_not_stop: ClassVar[str] = "learning it nearly: all but one, where that one knows who it is"

    @property
    def sentence(self) -> str:
        return f"a row is shown only where {self.part} is neither 0 nor all of {self.whole}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.part, self.whole)

    def condition(self, node: Node) -> Expression:
        part, whole = (column(node.field(name)) for name in self.columns)
        return call("and", call("gt", part, integer(0)), call("lt", part, whole))

    def passes(self, row: Mapping[str, int | None]) -> bool:
        part, whole = (row[name] for name in self.columns)
        return part is not None and whole is not None and 0 < part < whole


@dataclass(frozen=True)
class NeverAlone(TableRule):
    """Where one row alone is suppressed, the row after it is too; after the last comes the first."""

    name: ClassVar[str] = "never_alone"
    stops: ClassVar[str] = "filling the only gap of a table by subtracting its other rows from a total that is known"
    does_not_stop: ClassVar[str] = "filling it where the second row is known from elsewhere"

    @property
    def sentence(self) -> str:
        return "where a single row would be suppressed, the row after it is suppressed too"

    async def judge(self, me: Party, passed: Flag, rows: int) -> Flag:
        """Passed, and not the row after the only one that did not."""
        if not isinstance(passed, Bits):
            return passed if isinstance(passed, bool) else self.plain(passed)
        gap = negation(me, passed)
        counted: Share = await bit_to_ring(me.step("number"), gap, ring=Z64)
        left = shared(me, subtract(me, counted.sum(), 1))
        single = await is_zero(me.step("single"), left, bits=max(rows.bit_length(), 1))
        after = take_flag(gap, np.roll(np.arange(rows), 1))
        (company,) = await both(me.step("company"), (take_flag(single, np.zeros(rows, np.intp)), after))
        (lost,) = await either(me.step("lost"), (gap, company))
        return negation(me, lost)

    def plain(self, passed: Flags) -> Flags:
        gap = ~passed
        return passed & ~np.roll(gap, 1) if gap.sum() == 1 else passed


RULES: dict[str, type[Rule]] = {one.name: one for one in (MinimumCount, MinimumContributors, ZeroAndFull, NeverAlone)}
"""Rules by the names that studies give them."""


def read_rules(documents: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rules as a study writes them: `{ rule = "minimum_count", column = "n", minimum = 10 }`. Raises Refused for what is no rule."""
    return tuple(_read(document) for document in documents)


def _read(document: Mapping[str, Any]) -> Rule:
    kind = RULES.get(str(document.get("rule")))
    if kind is None:
        raise Refused(f"no rule {document.get('rule')!r}", rule=f"one of {', '.join(RULES)}", do="name one of them")
    parameters = inspect.signature(kind).parameters
    given = {name: value for name, value in document.items() if name != "rule"}
    wanted = {name: {"str": str, "int": int}[str(one.annotation)] for name, one in parameters.items()}
    if given.keys() != wanted.keys() or any(type(given[name]) is not wanted[name] for name in wanted):
        form = ", ".join(f"{name} = {'a column' if type is str else 'a number'}" for name, type in wanted.items())
        raise Refused(f"rule {kind.name} with {given}", rule=f"{kind.name} takes {form or 'nothing'}", do="correct the rule")
    return kind(**given)
