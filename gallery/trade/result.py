"""What the study gives: the shape of a recipient's result, whoever computed it (the secure run, or the oracle)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

Pair = tuple[str, str]
"""(exporter, importer), two party names."""


class Cell(NamedTuple):
    """One place of a grid: what `exporter` sold to `importer` of `commodity` (HS6 code or TOTAL) in `year`."""

    exporter: str
    importer: str
    commodity: str
    year: int

    @property
    def pair(self) -> Pair:
        return self.exporter, self.importer


@dataclass(frozen=True)
class TableRow:
    """One row of a table that everyone gets: mirrored cells, share of them that disagree (permille, half up), band of the asymmetry (0
    is lowest)."""

    mirrored: int
    share_permille: int
    band: int


@dataclass(frozen=True)
class Released:
    """All that one office gets. None stands where a row is suppressed; no row and no cell is missing.

    `cells` and `totals` map each cell of the office's own pairs to its class (a number, see parameters.CLASSES); `pairs` and `groups`
    are the two tables that all offices get.
    """

    office: str
    cells: Mapping[Cell, int]
    totals: Mapping[Cell, int]
    pairs: Mapping[Pair, TableRow | None]
    groups: Mapping[str, TableRow | None]
