"""Values beyond a public limit are shown as the limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from accord.base.errors import Refused
from accord.mpc.party import Party
from accord.plan.evaluate import Plain
from accord.plan.expression import ColumnRef, Expression, Literal
from accord.plan.literals import NUMBERS
from accord.plan.nodes import Field, Node
from accord.plan.secure_expression import compute
from accord.plan.secure_table import SecureTable
from accord.plan.types import Type
from accord.plan.typing import call
from accord.release.rule import ChangeRule, Types


def require_numbers(rule: ChangeRule, node: Node) -> None:
    """Raises Refused where what a rule shows otherwise is no number, or a key that all know."""
    if not rule.shows:
        raise Refused(f"{rule.name} of no column", do='name them: columns = ["pay"]')
    for name in rule.shows:
        one = node.field(name)
        if one.type.kind not in NUMBERS or one.public:
            kind = "a public key" if one.public else f"of kind {one.type.kind}"
            raise Refused(
                f"{rule.name} changes {name}, which is {kind}", rule="what is shown otherwise is a secret number", do="leave it out"
            )


def named(columns: tuple[str, ...]) -> str:
    """Names in a sentence."""
    return " and ".join([*([", ".join(columns[:-1])] if len(columns) > 1 else []), *columns[-1:]])


@dataclass(frozen=True)
class Coding(ChangeRule):
    """`limit` is a whole number of a column's own unit: of a decimal, 1 is 1.00."""

    column: str
    limit: int

    function: ClassVar[str]
    side: ClassVar[str]

    @property
    def sentence(self) -> str:
        return f"{self.column} {self.side} {self.limit} is shown as {self.limit}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def require_applies(self, node: Node) -> None:
        require_numbers(self, node)

    def bound(self, field: Field) -> str:
        return f"exact, but {self.side} {self.limit} shown as {self.limit}"

    def _limit(self, type: Type) -> int:
        return int(self.limit * 10**type.scale)

    async def change(self, me: Party, table: SecureTable) -> SecureTable:
        type = table.columns[self.column].type
        limit = Literal(replace(type, low=self._limit(type), high=self._limit(type), nullable=False), self._limit(type))
        cut: Expression = call(self.function, ColumnRef(type, self.column), limit)
        if type.nullable:
            cut = call("case", call("is_null", ColumnRef(type, self.column)), ColumnRef(type, self.column), cut)
        (made,) = await compute(me, table, [cut])
        return replace(table, columns={**table.columns, self.column: made})


@dataclass(frozen=True)
class TopCoding(Coding):
    """What is above a public limit is shown as the limit."""

    name: ClassVar[str] = "top_coding"
    stricter_below: ClassVar[tuple[str, ...]] = ("limit",)
    stops: ClassVar[str] = "knowing the richest, largest or oldest by a figure that nobody else can have"
    does_not_stop: ClassVar[str] = "learning that somebody is beyond the limit, where it is known who could be"
    function: ClassVar[str] = "least"
    side: ClassVar[str] = "above"

    def changed(self, field: Field) -> Field:
        if field.name != self.column:
            return field
        limit, type = self._limit(field.type), field.type
        return replace(field, type=replace(type, low=min(type.low, limit), high=min(type.high, limit)))

    def plain(self, columns: Mapping[str, Plain], types: Types) -> dict[str, Plain]:
        given = columns[self.column]
        return {self.column: Plain.of(np.minimum(given.values, self._limit(types[self.column])), given.nulls)}


@dataclass(frozen=True)
class BottomCoding(Coding):
    """What is below a public limit is shown as the limit."""

    name: ClassVar[str] = "bottom_coding"
    stops: ClassVar[str] = "knowing somebody by a loss, a debt or an age that nobody else can have"
    does_not_stop: ClassVar[str] = "learning that somebody is beyond the limit, where it is known who could be"
    function: ClassVar[str] = "greatest"
    side: ClassVar[str] = "below"

    def changed(self, field: Field) -> Field:
        if field.name != self.column:
            return field
        limit, type = self._limit(field.type), field.type
        return replace(field, type=replace(type, low=max(type.low, limit), high=max(type.high, limit)))

    def plain(self, columns: Mapping[str, Plain], types: Types) -> dict[str, Plain]:
        given = columns[self.column]
        return {self.column: Plain.of(np.maximum(given.values, self._limit(types[self.column])), given.nulls)}
