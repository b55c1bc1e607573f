"""Rules about statistics that fit a model to rows: so few rows, or so much weight on one, that the figures tell of single persons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accord.base.errors import Refused
from accord.mpc.party import Party
from accord.plan.evaluate import Flags, Plain
from accord.plan.expression import ColumnRef, Expression, Literal
from accord.plan.nodes import Node
from accord.plan.secure_expression import compute
from accord.plan.secure_flags import Flag, as_bits, both
from accord.plan.secure_table import PublicColumn, SecureTable, join_flags, take_flag
from accord.plan.types import BOOL, DECIMAL, Type
from accord.plan.typing import call, column, integer
from accord.release.rule import RowRule, TableRule

PARAMETERS_MAX = 10_000
LEVERAGE_DIGITS = 6
PERCENT = 10_000
"""In units of the last of these digits."""


@dataclass(frozen=True)
class MinimumDegreesOfFreedom(RowRule):
    """A row passes where a model's rows outnumber its parameters by a minimum."""

    column: str
    model_parameters: int
    minimum: int = 10

    name: ClassVar[str] = "minimum_degrees_of_freedom"
    asked_by_default: ClassVar[tuple[str, ...]] = ("minimum",)
    told_by_study: ClassVar[tuple[str, ...]] = ("model_parameters",)
    stops: ClassVar[str] = "solving a model that has about as many parameters as rows for the rows themselves"
    does_not_stop: ClassVar[str] = "one row that decides a parameter alone (maximum_leverage), or two models that differ by one row"

    def __post_init__(self) -> None:
        for name, value in (("minimum", self.minimum), ("model_parameters", self.model_parameters)):
            if not 1 <= value <= PARAMETERS_MAX:
                raise Refused(f"{self.name} with {name} = {value}", rule=f"1 to {PARAMETERS_MAX:,}", do="correct the rule")

    @property
    def sentence(self) -> str:
        return (
            f"a row is shown only where {self.column} leaves at least {self.minimum} degrees of freedom to a model of "
            f"{self.model_parameters} parameters"
        )

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def condition(self, node: Node) -> Expression:
        return call("ge", column(node.field(self.column)), integer(self.model_parameters + self.minimum))

    def passes(self, row: Mapping[str, int | None]) -> bool:
        rows = row[self.column]
        return rows is not None and rows - self.model_parameters >= self.minimum


@dataclass(frozen=True)
class MaximumLeverage(RowRule):
    """A row passes where a leverage (a share of 1) is at most a maximum."""

    column: str
    maximum_percent: int

    name: ClassVar[str] = "maximum_leverage"
    stops: ClassVar[str] = "reading a row's own figure off a model that passes through it: of leverage 1 it is fitted exactly"
    does_not_stop: ClassVar[str] = "several rows with much weight together, of which each has little"

    def __post_init__(self) -> None:
        if not 1 <= self.maximum_percent <= 99:
            raise Refused(f"{self.name} of {self.maximum_percent} percent", rule="1 to 99", do="correct the rule")

    @property
    def sentence(self) -> str:
        return f"a row is shown only where {self.column} is at most {self.maximum_percent} percent"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def require_applies(self, node: Node) -> None:
        type = node.field(self.column).type
        if type.kind != DECIMAL or type.scale != LEVERAGE_DIGITS:
            rule = f"a leverage is a share of 1 with {LEVERAGE_DIGITS} digits"
            do = f"judge CAST({self.column} AS DECIMAL({LEVERAGE_DIGITS + 2}, {LEVERAGE_DIGITS}))"
            raise Refused(f"rule {self.name} reads {self.column}, which is of kind {type.kind}", rule=rule, do=do)

    @property
    def _most(self) -> int:
        return self.maximum_percent * PERCENT

    def condition(self, node: Node) -> Expression:
        limit = Literal(Type(DECIMAL, 0, 10**LEVERAGE_DIGITS, LEVERAGE_DIGITS), self._most)
        return call("le", column(node.field(self.column)), limit)

    def passes(self, row: Mapping[str, int | None]) -> bool:
        leverage = row[self.column]
        return leverage is not None and leverage <= self._most


@dataclass(frozen=True)
class AtRisk(TableRule):
    """Of each curve, the rows up to the first at which fewer than a minimum are at risk; rows of a curve stand in the order of time."""

    column: str
    minimum: int = 10
    groups: tuple[str, ...] = ()

    name: ClassVar[str] = "at_risk"
    asked_by_default: ClassVar[tuple[str, ...]] = ("minimum",)
    stops: ClassVar[str] = "reading single deaths off the tail of a survival curve, where few are left"
    does_not_stop: ClassVar[str] = "reading single deaths off steps of the curve before, where times are exact (round the times)"

    def __post_init__(self) -> None:
        if self.minimum < 1:
            raise Refused(f"{self.name} of {self.minimum}", rule="a minimum is at least 1", do="raise it")

    @property
    def sentence(self) -> str:
        curve = f"within {', '.join(self.groups)}, " if self.groups else ""
        return f"{curve}rows are shown up to the first where {self.column} is below {self.minimum}, and none after it"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def require_applies(self, node: Node) -> None:
        super().require_applies(node)
        if secret := [name for name in self.groups if not node.field(name).public]:
            raise Refused(
                f"curves by {', '.join(secret)}, which is secret", rule="which rows are a curve is public", do="GROUP BY its domain"
            )

    async def judge(self, me: Party, table: SecureTable, passed: Flag) -> Flag:
        """Each row takes what the rows before it found, over twice as many at each step."""
        (enough,) = await compute(me.step("enough"), table, [self._enough(table.columns[self.column].type)])
        if isinstance(enough, PublicColumn):
            flag: Flag = (enough.values != 0) & ~enough.nulls
        else:
            flag = as_bits(me, enough.value, table.rows)  # type: ignore[arg-type]
        groups, stride = self._numbers({name: table.public(name).plain for name in self.groups}, table.rows), 1
        while stride < table.rows:
            later = np.flatnonzero(groups[stride:] == groups[:-stride]) + stride
            (met,) = await both(me.step(f"before.{stride}"), (take_flag(flag, later), take_flag(flag, later - stride)))
            kept = np.setdiff1d(np.arange(table.rows), later)
            order = np.argsort(np.concatenate([later, kept]), kind="stable")
            flag = take_flag(join_flags(me, [met, take_flag(flag, kept)], [len(later), len(kept)]), order)
            stride *= 2
        (left,) = await both(me.step("left"), (passed, flag))
        return left

    def _enough(self, type: Type) -> Expression:
        return call("coalesce", call("ge", ColumnRef(type, self.column), integer(self.minimum)), Literal(Type(BOOL), 0))

    @staticmethod
    def _numbers(columns: Mapping[str, Plain], rows: int) -> np.ndarray:
        """A number for each row that tells its curve."""
        if not columns:
            return np.zeros(rows, np.intp)
        keys = np.stack([part for one in columns.values() for part in (one.values, one.nulls)])
        return np.unique(keys, axis=1, return_inverse=True)[1].reshape(-1)

    def plain(self, columns: Mapping[str, Plain], passed: Flags) -> Flags:
        counts, ended, out = columns[self.column], set[tuple[int, ...]](), []
        for row in range(len(passed)):
            curve = tuple(v for name in self.groups for v in (int(columns[name].values[row]), int(columns[name].nulls[row])))
            if counts.nulls[row] or counts.values[row] < self.minimum:
                ended.add(curve)
            out.append(bool(passed[row]) and curve not in ended)
        return np.array(out, np.bool_)
