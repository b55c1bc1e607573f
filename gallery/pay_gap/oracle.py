"""The same tables from the pooled files, in plain Python and whole numbers: what the study must give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import isqrt
from typing import Any

from accord.gallery.one_table import read_csv
from accord.gallery.pay_gap.payrolls import Payrolls
from accord.gallery.pay_gap.study import ALL, COHORT_TABLE, EMPLOYEES_MIN, EMPLOYERS_MIN, MONEY, RACE_TABLE

Key = tuple[str, str, str]
"""Race or cohort, job, gender; the first two may be `all`."""


@dataclass
class Cell:
    """What the employers' staff in one cell add up to. `pays` is each employer's own total."""

    n: int = 0
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MONEY, 0))
    pays: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, row: Mapping[str, str]) -> None:
        self.n += 1
        for name in MONEY:
            self.sums[name] += int(row[name])
        self.pays[row["employer"]] += int(row["pay"])

    def shown(self, unit: int, digits: int) -> dict[str, Any]:
        """The released columns, the deviation to so many digits."""
        means = {f"mean_{name}": half_up(self.sums[name], self.n, places) for name, places in zip(MONEY, (2, 2, 1), strict=True)}
        return {"n": self.n, **means, "deviation": self.deviation(unit, digits)}

    def deviation(self, unit: int, digits: int) -> Decimal:
        """Of the employers' totals in whole units, rounded half up."""
        totals = [pay // unit for pay in self.pays.values()]
        count = len(totals)
        spread = count * sum(one * one for one in totals) - sum(totals) ** 2
        return Decimal((isqrt(4 * spread * 100**digits // count**2) + 1) // 2).scaleb(-digits)


@dataclass(frozen=True)
class Truth:
    """Both tables' cells, and how many employers have staff, by cohort and in all."""

    cells: Mapping[str, Mapping[Key, Cell]]
    employers: Mapping[str, int]

    def passes(self, table: str, key: Key) -> bool:
        """Whether a cell keeps the rule of eight employers and that of eight employees."""
        cell = self.cells[table].get(key)
        employers = self.employers.get(ALL if table == RACE_TABLE else key[0], 0)
        return cell is not None and cell.n >= EMPLOYEES_MIN and employers >= EMPLOYERS_MIN


def tables(payrolls: Payrolls) -> Truth:
    """Every cell that has staff."""
    cells: dict[str, dict[Key, Cell]] = {RACE_TABLE: defaultdict(Cell), COHORT_TABLE: defaultdict(Cell)}
    present: dict[str, set[str]] = defaultdict(set)
    for employer, path in payrolls.files.items():
        cohort = payrolls.cohorts[employer]
        for row in read_csv(path):
            for line in (cohort, ALL):
                present[line].add(employer)
            _add(cells[RACE_TABLE], row["race"], row)
            _add(cells[COHORT_TABLE], cohort, row)
    return Truth(cells, {cohort: len(found) for cohort, found in present.items()})


def _add(cells: dict[Key, Cell], first: str, row: Mapping[str, str]) -> None:
    for one in (first, ALL):
        for job in (row["job"], ALL):
            cells[one, job, row["gender"]].add(row)


def half_up(over: int, under: int, digits: int) -> Decimal:
    """A ratio of whole numbers that are not negative, to so many digits."""
    return Decimal((2 * over * 10**digits + under) // (2 * under)).scaleb(-digits)
