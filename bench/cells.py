"""The rules of a cell between three processes on loopback: judging, rounding and perturbing a table of cells, as `bench.mpc` has it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from accord.mpc.party import Party
from accord.mpc.share import Share
from accord.plan.nodes import Field, Input
from accord.plan.secure_flags import Flag
from accord.plan.secure_largest import largest_in_groups
from accord.plan.secure_table import SecretColumn, SecureTable
from accord.plan.types import INT, Type
from accord.release.gate import judge
from accord.release.rule import ChangeRule, RowRule
from accord.release.rule_cell_key import CellKey
from accord.release.rule_counts import MinimumContributors, MinimumCount, ZeroAndFull
from accord.release.rule_dominance import Dominance, PPercent
from accord.release.rule_rounding import Rounding
from bench.golden import Suite
from bench.mpc import Case
from bench.relational import Dealer

CELLS = 100_000
OWNERS = 4
COUNT, SUM = Type(INT, 0, 10**5), Type(INT, 0, 10**12)
COLUMNS = {
    "n": COUNT,
    "firms": COUNT,
    "part": COUNT,
    "total_largest_1": SUM,
    "total_largest_2": SUM,
    "total_contributed": SUM,
    "total": SUM,
}
RULES: tuple[RowRule, ...] = (
    MinimumCount("n", 10),
    MinimumContributors("firms", 3),
    ZeroAndFull("part", "n"),
    Dominance("total", 2, 85),
    PPercent("total", 10),
)
NOISE = CellKey("n", "key", (((-1, 64), (0, 128), (1, 64)), ((-2, 32), (-1, 32), (0, 128), (1, 32), (2, 32))))


@cache
def cells(rows: int) -> Input:
    fields = tuple(Field(name, type) for name, type in COLUMNS.items())
    return Input("cells", "owner", "", (), rows, fields)


def table(columns: dict[str, Type], values: tuple[Share, ...]) -> SecureTable:
    held = {name: SecretColumn(type, one) for (name, type), one in zip(columns.items(), values, strict=True)}
    return SecureTable(values[0].rows, held)


async def judged(me: Party, *values: Share) -> Flag:
    """Minimum count, contributors, zero and full, dominance, p percent: all five of each cell."""
    passed, _ = await judge(me, cells(values[0].rows), RULES, table(COLUMNS, values))
    return passed


async def changed(me: Party, *values: Share, rule: ChangeRule) -> Share:
    made = await rule.change(me, table({"n": COUNT, "n_cell_key": SUM}, values))
    found: Any = made.columns["n"]
    return found.value


async def two_largest(me: Party, *values: Share) -> list[Share]:
    """The two largest contributions of each cell, of the two that each owner sent."""
    rows = values[0].rows
    return await largest_in_groups(me, values, np.arange(0, rows, OWNERS), rows, 2, SUM.bits)


def cell_columns(rows: int, index: int) -> list[Any]:
    deal = Dealer(rows, index)
    n, first, second = deal.below(50), deal.below(10**9), deal.below(10**9)
    total = first + second + deal.below(10**9)
    columns = [n, deal.below(10), np.minimum(n, deal.below(50)), np.maximum(first, second), np.minimum(first, second), total, total]
    return [deal.share(one) for one in columns]


def count_columns(rows: int, index: int) -> list[Any]:
    deal = Dealer(rows, index)
    return [deal.share(deal.below(50)), deal.share(deal.below(50 * 256))]


def contributions(rows: int, index: int) -> list[Any]:
    deal = Dealer(rows, index)
    first, second = deal.below(10**9), deal.below(10**9)
    return [deal.share(np.maximum(first, second)), deal.share(np.minimum(first, second))]


CASES = (
    Case("cell_rules", judged, CELLS, 0, whole=True, dealt=cell_columns),
    Case("two_largest", two_largest, OWNERS * CELLS, 0, whole=True, dealt=contributions, grows=True),
    Case("round_nearest", changed, CELLS, 0, whole=True, dealt=count_columns, public=(("rule", Rounding(("n",), 5)),)),
    Case("round_random", changed, CELLS, 0, whole=True, dealt=count_columns, public=(("rule", Rounding(("n",), 5, "random")),)),
    Case("cell_key", changed, CELLS, 0, whole=True, dealt=count_columns, public=(("rule", NOISE),)),
)
"""Rows are cells; of two_largest, cells times owners."""
SUITE = Suite("cells", CASES)
