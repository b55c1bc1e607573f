"""A study like the gallery's trade reconciliation, small enough to draw at random: its catalog, questions and data."""

from __future__ import annotations

import random
from itertools import product

from accord.data.schema import ColumnSchema, TableSchema
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.interpret import Table
from tests.plan.worlds import category, public

OFFICES = ("usa", "nld", "ita", "gbr")


def catalog(commodities: int = 130, years: int = 13, value_max: int = 10**12) -> Catalog:
    codes = tuple(f"{number:06d}" for number in range(commodities))
    groups = ("fish", "meat", "wood")
    year = ColumnSchema("year", "int", 2012, 2011 + years)
    columns = (
        category("reporter", OFFICES),
        category("partner", OFFICES),
        category("flow", ("export", "import")),
        category("commodity", codes),
        category("level", ("HS6", "TOTAL")),
        year,
        ColumnSchema("value_usd", "int", 0, value_max),
    )
    unique = ("reporter", "partner", "flow", "commodity", "level", "year")
    trade = TableInfo(TableSchema("trade", columns, unique), OFFICES, (20_000,) * 4, "reporter", OFFICES)
    pairs = tuple((a, b, 1030 + 5 * a) for a, b in product(range(4), repeat=2) if a != b)
    publics = (
        public("office", (category("office", OFFICES),), tuple((at,) for at in range(4))),
        public(
            "commodity",
            (category("commodity", codes), category("commodity_group", groups)),
            tuple((at, at % 3) for at in range(commodities)),
        ),
        public("year", (year,), tuple((one,) for one in range(2012, 2012 + years))),
        public(
            "factor",
            (category("exporter", OFFICES), category("importer", OFFICES), ColumnSchema("factor_permille", "int", 1000, 1100)),
            pairs,
        ),
    )
    return Catalog({"trade": trade}, {one.name: one for one in publics})


def rows(commodities: int, years: int, value_max: int, seed: int) -> dict[str, dict[str, Table]]:
    """About half of all possible reports of each office; mirrored ones agree now and then."""
    chance = random.Random(seed)
    columns = ("reporter", "partner", "flow", "commodity", "level", "year", "value_usd")
    held = {}
    for office, name in enumerate(OFFICES):
        cells = product(range(4), range(2), range(commodities), range(2), range(2012, 2012 + years))
        chosen = [
            (office, *cell, 1000 * chance.choice((1, 2, 2, 3, chance.randint(0, value_max // 1000))))
            for cell in cells
            if chance.random() < 0.5
        ]
        held[name] = Table.of(columns, chosen)
    return {"trade": held}


CELLS = """
WITH exports AS (SELECT reporter AS exporter, partner AS importer, commodity, year, SUM(value_usd) AS x
    FROM trade WHERE flow = 'export' AND level = 'HS6' GROUP BY 1, 2, 3, 4),
  imports AS (SELECT t.partner AS exporter, t.reporter AS importer, t.commodity, t.year, SUM(t.value_usd) AS m_cif
    FROM trade t WHERE flow = 'import' AND level = 'HS6' GROUP BY 1, 2, 3, 4),
  grid AS (SELECT e.office AS exporter, i.office AS importer, c.commodity, c.commodity_group, y.year, f.factor_permille
    FROM office e CROSS JOIN office i CROSS JOIN commodity c CROSS JOIN year y
    JOIN factor f ON f.exporter = e.office AND f.importer = i.office WHERE e.office <> i.office),
  cells AS (SELECT g.*, x, m_cif * 1000 // factor_permille AS m FROM grid g
    LEFT JOIN exports USING (exporter, importer, commodity, year) LEFT JOIN imports USING (exporter, importer, commodity, year)),
  classed AS (SELECT *, CASE WHEN x IS NULL AND m IS NULL THEN 'neither' WHEN GREATEST(COALESCE(x, 0), COALESCE(m, 0)) < 2000 THEN 'small'
    WHEN x IS NULL OR m IS NULL THEN 'one side only' WHEN ABS(x - m) * 1000 <= GREATEST(100000, 150 * GREATEST(x, m)) THEN 'agree'
    ELSE 'disagree' END AS class FROM cells)
"""
CLASSES = f"{CELLS} SELECT exporter, importer, commodity, year, class FROM classed ORDER BY exporter, importer, commodity, year"
TALLY = """SUM(CASE WHEN class = 'disagree' THEN 1 ELSE 0 END) AS disagreeing,
    COUNT(*) FILTER (WHERE class IN ('agree', 'disagree')) AS mirrored,
    COUNT(DISTINCT commodity) FILTER (WHERE class IN ('agree', 'disagree')) AS commodities,
    CASE WHEN SUM(ABS(x - m)) * 100 < 5 * SUM(x + m) THEN '< 5' WHEN SUM(ABS(x - m)) * 100 < 25 * SUM(x + m) THEN '5 to 25'
    WHEN SUM(x + m) IS NULL THEN 'nothing' ELSE '> 25' END AS band FROM classed"""
PAIRS = f"{CELLS} SELECT exporter, importer, {TALLY} GROUP BY exporter, importer ORDER BY exporter, importer DESC"
GROUPS = f"{CELLS} SELECT commodity_group, {TALLY} GROUP BY commodity_group"
QUESTIONS = {"classes": CLASSES, "pairs": PAIRS, "groups": GROUPS}
