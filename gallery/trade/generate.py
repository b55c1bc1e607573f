"""The embedded data: invented figures with the structure of real mirror statistics, from a seed.

What it imitates: a long-lived flow for each pair and commodity with log-normal values; an exporter's FOB and an importer's CIF report
of it; gaps that persist from year to year; small flows that only one side records; goods in transit through the Netherlands, which
the importer books to the country of origin; a few flows on which both offices agree almost to the dollar. Its gaps are fitted to what
was measured on public figures of the same four countries: `fit` prints both. No figure in it was ever reported by anyone.

Only the generator's raw words are taken from NumPy (their stream is fixed for good), and all arithmetic is on whole numbers and
`decimal`, so that a seed gives the same files on every machine.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context
from pathlib import Path

from accord.gallery.dice import ONE, Dice
from accord.gallery.trade.files import COLUMNS, OfficeFiles
from accord.gallery.trade.parameters import DEFAULT, HS6, TOTAL, Parameters
from accord.gallery.trade.result import Cell

SEED = 2016
DESCRIPTION = (
    "Invented figures from a seeded generator, not real trade: the offices, commodity codes and gaps between mirror reports are "
    "like those of public trade statistics (fitted to their measured quantiles); give your own with --data."
)

_EXACT = Context(prec=24, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class PairShape:
    """What distinguishes one exporter and importer.

    active_permille: commodities that are traded at all. importer_above_permille: how often the importer's figure is the higher one
    (where goods pass through a port on the way, one side always tends to be). gap_shift: how far its gaps stand from the others', in
    normal deviates. total_billion_usd: all goods in a year, roughly.
    """

    active_permille: int = 400
    importer_above_permille: int = 500
    gap_shift: float = 0.0
    total_billion_usd: int = 20


PAIRS = {
    ("usa", "nld"): PairShape(440, 420, 0.3, 42),
    ("usa", "ita"): PairShape(340, 520, -0.9, 18),
    ("usa", "gbr"): PairShape(320, 480, -0.2, 58),
    ("nld", "usa"): PairShape(380, 460, 0.1, 22),
    ("nld", "ita"): PairShape(860, 600, -0.3, 24),
    ("nld", "gbr"): PairShape(760, 430, 0.1, 52),
    ("ita", "usa"): PairShape(240, 540, -1.0, 42),
    ("ita", "nld"): PairShape(620, 640, 0.3, 12),
    ("ita", "gbr"): PairShape(350, 500, -0.4, 25),
    ("gbr", "usa"): PairShape(340, 360, 0.3, 58),
    ("gbr", "nld"): PairShape(720, 700, 0.4, 29),
    ("gbr", "ita"): PairShape(540, 640, 0.1, 13),
}
"""Of the order of size that public figures show."""
GROUP_SIZE = {"live fish": -4.0, "fish fillets": -0.5, "preserved fish": 1.2, "raw materials": -0.8}
"""How much larger or smaller a group's flows are, in natural logarithms."""
SIZE_MEAN, SIZE_SPREAD_PERCENT, SIZE_YEARLY_PERCENT = 10.4, 270, 125
"""Natural logarithm of a flow in dollars: its mean, its standard deviation between flows and from year to year (in percent)."""
TRADED_PERMILLE = ((3, 400), (9, 600), (13, 850), (16, 1000))
"""Natural logarithm of a flow to the chance that it takes place in a year."""
GAP_MEMORY = (4, 3)
"""Weights (over 5) of a flow's own level and of the year in its gap: 0.8 and 0.6, whose squares add up to 1."""
BOTH_SIDES_PERMILLE = ((3, 20), (5, 90), (7, 160), (9, 290), (11, 500), (13, 700), (15, 850), (17, 970), (19, 1000))
"""Natural logarithm of the flow to the chance that both sides record it."""
NEAR_DOLLAR_PERMILLE = 15
"""Flows whose two sides differ by freight and insurance alone, to a few dollars."""
TRANSIT_PERMILLE = 60
"""Shares of (commodity, year) in which goods of American origin reach Italy or Britain through the Netherlands."""
GAP_BY_SIZE = 0.08
"""Large flows are better watched: normal deviates of the gap to a unit of the flow's logarithm."""
GAP_CURVE = (
    (-2.6, 0.02),
    (-1.6449, 0.16),
    (-1.2816, 0.28),
    (-0.6745, 0.6),
    (0.0, 1.38),
    (0.6745, 2.9),
    (1.2816, 4.9),
    (1.6449, 6.2),
    (2.6, 9.0),
)
"""Normal deviate of a flow's gap to |ln(larger / smaller)|: straight between these points. Fitted."""
TOTAL_GAP_CURVE = ((0, 0.004), (100, 0.0225), (250, 0.052), (500, 0.0675), (750, 0.098), (900, 0.175), (1000, 0.27))
"""Permille of all totals, from the smallest gap on, to |ln(larger / smaller)|."""
TOTAL_IMPORTER_ABOVE_PERMILLE = 230

Report = tuple[int, str, str, str, str, str, int]
"""One row, in the order of files.COLUMNS."""
Sides = dict[Cell, tuple[int, int]]
"""A cell's export and import as reported, in dollars; 0 where not reported."""


def generate(folder: Path, seed: int = SEED, parameters: Parameters = DEFAULT) -> OfficeFiles:
    """Write the four offices' CSV files to `folder` (made if missing). The same seed gives the same bytes everywhere."""
    dice = Dice(seed)
    sides = _detail(dice, parameters)
    _transit(dice, parameters, sides)
    sides.update(_totals(dice, parameters))
    folder.mkdir(parents=True, exist_ok=True)
    reports = sorted(_reports(sides))
    files = {office: folder / f"{office}.csv" for office in parameters.offices}
    for office, path in files.items():
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(COLUMNS)
            rows.writerows(report for report in reports if report[1] == office)
    counts = {office: sum(report[1] == office for report in reports) for office in parameters.offices}
    return OfficeFiles(DESCRIPTION, files, counts, len(reports), {})


def _reports(sides: Sides) -> Iterable[Report]:
    for (exporter, importer, commodity, year), (exported, imported) in sides.items():
        level = TOTAL if commodity == TOTAL else HS6
        if exported:
            yield year, exporter, importer, "export", commodity, level, exported
        if imported:
            yield year, importer, exporter, "import", commodity, level, imported


# ---- flows of one commodity -----------------------------------------------------------------------------------------


def _detail(dice: Dice, parameters: Parameters) -> Sides:
    """Every flow of every pair and commodity, year by year."""
    sides: Sides = {}
    popular = {
        code: dice.normal() * 3 // 5 * SIZE_SPREAD_PERCENT // 100 + _fixed(SIZE_MEAN + GROUP_SIZE.get(group, 0.0))
        for group, codes in parameters.groups.items()
        for code in codes
    }
    for pair in parameters.pairs:
        for code, size in popular.items():
            if dice.permille() < PAIRS.get(pair, PairShape()).active_permille:
                _flow(dice, parameters, Cell(*pair, code, 0), size, sides)
    return sides


def _flow(dice: Dice, parameters: Parameters, flow: Cell, popular: int, sides: Sides) -> None:
    """One pair's trade in one commodity: its size, its gap and their direction last, and vary a little by the year."""
    shape = PAIRS.get(flow.pair, PairShape())
    size = popular + dice.normal() * 4 // 5 * SIZE_SPREAD_PERCENT // 100
    gap, near = dice.normal(), dice.permille() < NEAR_DOLLAR_PERMILLE
    above = dice.permille() < shape.importer_above_permille
    for year in parameters.years:
        value = size + dice.normal() * SIZE_YEARLY_PERCENT // 100
        deviate = (GAP_MEMORY[0] * gap + GAP_MEMORY[1] * dice.normal()) // 5 + _fixed(shape.gap_shift)
        deviate -= (value - _fixed(SIZE_MEAN)) * _fixed(GAP_BY_SIZE) // ONE
        turned, missing, chance = dice.permille() < 150, dice.permille(), dice.permille()
        if value < ONE or chance >= _between(TRADED_PERMILLE, value) // ONE:
            continue
        exported, imported = _two_sides(
            value, 0 if near else _between(GAP_CURVE, deviate), above ^ turned, parameters.factor_permille[flow.pair]
        )
        if missing >= _between(BOTH_SIDES_PERMILLE, value) // ONE:
            exported, imported = (exported, 0) if missing % 2 else (0, imported)
        sides[flow._replace(year=year)] = (exported, imported)


def _two_sides(value: int, gap: int, importer_above: bool, factor: int) -> tuple[int, int]:
    """Export and import in dollars of a flow of logarithm `value`: they stand `gap` apart; without a gap, freight and insurance apart."""
    larger, smaller = _dollars(value), _dollars(value - gap)
    if gap == 0:
        return larger, max(1, larger * factor // 1000)
    return (smaller, larger) if importer_above else (larger, smaller)


def _transit(dice: Dice, parameters: Parameters, sides: Sides) -> None:
    """Goods of American origin, landed in Rotterdam and sent on: the Netherlands reports their import and their re-export, the country of
    destination books them to the United States."""
    if not {"usa", "nld", "ita", "gbr"} <= set(parameters.offices):
        return
    for code in parameters.commodities:
        for year in parameters.years:
            chance, destination, amount = dice.permille(), ("ita", "gbr")[dice.permille() % 2], _dollars(12 * ONE + dice.normal())
            if chance < TRANSIT_PERMILLE:
                landed = amount * parameters.factor_permille["usa", "nld"] // 1000
                _add(sides, Cell("usa", "nld", code, year), amount, landed)
                _add(sides, Cell("nld", destination, code, year), landed, 0)
                _add(sides, Cell("usa", destination, code, year), 0, landed)


def _add(sides: Sides, cell: Cell, exported: int, imported: int) -> None:
    before = sides.get(cell, (0, 0))
    sides[cell] = (before[0] + exported, before[1] + imported)


# ---- totals ---------------------------------------------------------------------------------------------------------


def _totals(dice: Dice, parameters: Parameters) -> Sides:
    """All goods: both sides always report, and stand closer together. Gaps are spread evenly over their curve."""
    cells = [Cell(*pair, TOTAL, year) for pair in parameters.pairs for year in parameters.total_years]
    sides: Sides = {}
    for cell, place in zip(cells, dice.order(len(cells)), strict=True):
        base = PAIRS.get(cell.pair, PairShape()).total_billion_usd * 10**9
        size = base + base * dice.normal() // (12 * ONE) + base * (cell.year - parameters.total_years[0]) // 30
        gap = _between(TOTAL_GAP_CURVE, (2 * place + 1) * 500 * ONE // len(cells))
        smaller = size * _dollars(21 * ONE - gap) // _dollars(21 * ONE)
        above = dice.permille() < TOTAL_IMPORTER_ABOVE_PERMILLE
        sides[cell] = (smaller, size) if above else (size, smaller)
    return sides


# ---- exact arithmetic -----------------------------------------------------------------------------------------------


def _fixed(number: float) -> int:
    """A constant of this file, of at most four decimals, in units of 1/65536."""
    return round(number * 10_000) * ONE // 10_000


def _dollars(logarithm: int) -> int:
    """e to the power of `logarithm` (in 1/65536), in whole dollars, at least 1. Correctly rounded, hence the same everywhere."""
    return max(1, int(_EXACT.divide(logarithm, ONE).exp(_EXACT).to_integral_value(context=_EXACT)))


def _between(curve: Iterable[tuple[float, float]], at: int) -> int:
    """The curve's height at `at`, both in units of 1/65536: straight between its points, level beyond them."""
    points = [(_fixed(x), _fixed(y)) for x, y in curve]
    if at <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if at <= x1:
            return y0 + (y1 - y0) * (at - x0) // (x1 - x0)
    return points[-1][1]
