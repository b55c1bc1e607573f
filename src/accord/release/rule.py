"""What a disclosure rule is. Rules judge on shares before anything is opened: a row that fails is suppressed, and no server learns which.

A rule of a row has a `condition`, an expression that is true where the row passes; NULL does not pass. A rule of the table looks at
which rows passed all of those. A rule that changes values has its say last, about rows that are shown. Each says the same of plain
integers a second time, independently: that is what tests and the plaintext runtime compare with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from accord.base.errors import Refused
from accord.mpc.party import Party
from accord.mpc.share import Bits
from accord.plan.catalog import Catalog
from accord.plan.evaluate import Flags, Plain
from accord.plan.expression import Expression
from accord.plan.nodes import Field, Node
from accord.plan.secure_flags import Flag
from accord.plan.secure_table import SecureTable
from accord.plan.types import INT, Type

Types = Mapping[str, Type]
"""Columns' types by name, as they were before any change."""


@dataclass(frozen=True)
class Rule:
    """What every rule says of itself: `name` in a study, the `sentence` that people see, the attack that it stops, one that it does not."""

    name: ClassVar[str]
    stops: ClassVar[str]
    does_not_stop: ClassVar[str]
    stricter_below: ClassVar[tuple[str, ...]] = ()
    """Parameters of which an owner's policy bounds the greatest value, beside those that are named maximum_… or …_max."""
    asked_by_default: ClassVar[tuple[str, ...]] = ()
    """Parameters whose default an owner's policy asks for where it says nothing."""
    told_by_study: ClassVar[tuple[str, ...]] = ()
    """Parameters that are facts of the question: no policy bounds them."""

    @property
    def sentence(self) -> str:
        raise TypeError("a rule states itself")

    @property
    def parameters(self) -> dict[str, Any]:
        """What a study writes beside the rule's name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return ()

    @property
    def adds(self) -> tuple[str, ...]:
        """Those of them that `prepared` adds to the question: they are judged and never released."""
        return ()

    def prepared(self, plan: Node, catalog: Catalog) -> Node:
        """The question, not yet placed, with the columns that the rule adds to it. Raises Refused where they cannot be had."""
        return plan

    def require_asked(self, plan: Node, catalog: Catalog, exact: frozenset[str]) -> None:
        """Raises Refused for a question, not yet placed, that the rule does not allow. `exact`: what is released as it is computed."""

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

    @property
    def promises(self) -> tuple[str, ...]:
        """What it may find broken, in words: then nothing is released, and recipients learn which. Its `sentence` says so."""
        return ()

    async def broken(self, me: Party, table: SecureTable, passed: Flag) -> tuple[Bits, ...]:
        """For each of the promises one row of one plane, set where it is broken; `passed` is what the rules before it say."""
        return ()

    async def judge(self, me: Party, table: SecureTable, passed: Flag) -> Flag:
        """Which rows still pass."""
        raise TypeError("a rule of a table judges it")

    def plain(self, columns: Mapping[str, Plain], passed: Flags) -> Flags:
        """The same of plain columns and flags."""
        raise TypeError("a rule of a table has a plain form")

    def plainly(self, node: Node, columns: Mapping[str, Plain], passed: Flags) -> Flags:
        """As `plain`, for rules that look at types too. Raises Refused where a promise is broken."""
        return self.plain(columns, passed)


@dataclass(frozen=True)
class ChangeRule(Rule):
    """A rule that shows some columns otherwise: rounded, coded, perturbed. What other rules read stays as it was."""

    @property
    def shows(self) -> tuple[str, ...]:
        """The columns that it shows otherwise."""
        return self.columns

    def changed(self, field: Field) -> Field:
        """A released column as it is after the change."""
        return field

    def bound(self, field: Field) -> str:
        """How far a column that it shows can be from the truth, for its reader."""
        raise TypeError("a rule that changes values says how much")

    async def change(self, me: Party, table: SecureTable) -> SecureTable:
        """The table with the columns as they are shown."""
        raise TypeError("a rule that changes values changes a table")

    def plain(self, columns: Mapping[str, Plain], types: Types) -> dict[str, Plain]:
        """The same of plain columns: those that it changes."""
        raise TypeError("a rule that changes values has a plain form")
