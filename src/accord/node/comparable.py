"""Which groups of a release are compared with those of others, table by table; and what is refused where they cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from accord.plan.catalog import Catalog
from accord.plan.facts import tables_of
from accord.plan.masks import Grouping, groupings, lay
from accord.plan.nodes import Node
from accord.plan.overlap import scan_of
from accord.release.rule import Rule
from accord.release.rule_counts import MinimumCount
from accord.study.history import History


@dataclass(frozen=True)
class Told:
    """A question whose answer is told under rules: the release's name, the question before placement, the rules."""

    release: str
    asked: Node
    rules: Sequence[Rule]

    def groupings(self, table: str) -> tuple[Grouping, ...]:
        """Its groups of a table's rows. Raises Refused where they cannot be compared."""
        least = {rule.column: rule.minimum for rule in self.rules if isinstance(rule, MinimumCount)}
        return groupings(self.asked, table, least)

    def tables(self, history: History) -> Iterator[str]:
        """The tables that it is compared by."""
        return (one for one in tables_of(self.asked) if one in history.tables)


def require_comparable(told: Told, history: History, catalog: Catalog) -> None:
    """Raises Refused for a question that could not be compared with others."""
    for table in told.tables(history):
        for grouping in told.groupings(table):
            lay(grouping, scan_of(table, catalog), catalog)
