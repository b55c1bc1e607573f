"""Rules about how many stand behind a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from accord.base.errors import Refused
from accord.plan.expression import Expression
from accord.plan.nodes import Node
from accord.plan.typing import call, column, integer
from accord.release.rule import RowRule


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
