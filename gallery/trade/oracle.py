"""The plaintext oracle: the same questions in plain SQL on the pooled figures, which nobody may have outside a test.

It shares nothing with the secure run but the parameters: DuckDB, whole numbers only, sums in HUGEINT. Its answer is what the study
must give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from accord.gallery.trade.parameters import AGREE, DEFAULT, DISAGREE, HS6, NEITHER, ONE_SIDE_ONLY, SMALL, TOTAL, Parameters
from accord.gallery.trade.result import Cell, Pair, Released, TableRow

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Key = TypeVar("Key", str, Pair)


@dataclass(frozen=True)
class Tally:
    """What a table row is made of, before any rule: counts of mirrored cells, Σ|X − M′| and Σ(X + M′) over them in dollars."""

    mirrored: int
    disagree: int
    commodities: int
    gap_usd: int
    size_usd: int

    def passes(self, parameters: Parameters) -> bool:
        """The rules: enough distinct mirrored commodities, and neither none nor all of the cells disagree."""
        return self.commodities >= parameters.commodities_min and 0 < self.disagree < self.mirrored

    def row(self, parameters: Parameters) -> TableRow:
        """What a passing row shows. Needs at least one mirrored cell."""
        share = (2000 * self.disagree + self.mirrored) // (2 * self.mirrored)
        band = sum(100 * self.gap_usd >= cut * self.size_usd for cut in parameters.band_cuts_percent)
        return TableRow(self.mirrored, share, band)


@dataclass(frozen=True)
class Reconciliation:
    """Everything that the pooled figures say: what is released, and what is not.

    `cells` and `totals` map every cell of the two grids to its class; `pairs` and `groups` hold the tallies of all rows; `others` maps
    (office, group) to the tally of the cells that this office does not know already: those of pairs to which it does not belong.
    `largest_intermediate` is the largest value that any comparison met.
    """

    parameters: Parameters
    cells: Mapping[Cell, int]
    totals: Mapping[Cell, int]
    pairs: Mapping[Pair, Tally]
    groups: Mapping[str, Tally]
    others: Mapping[tuple[str, str], Tally]
    largest_intermediate: int

    def released_to(self, office: str) -> Released:
        """What one office gets, under the rules: a group's row also has to pass on the cells that are news to this office."""
        known = self.parameters
        pairs = {pair: tally.row(known) if tally.passes(known) else None for pair, tally in self.pairs.items()}
        groups = {
            name: tally.row(known) if tally.passes(known) and self.others[office, name].passes(known) else None
            for name, tally in self.groups.items()
        }
        return Released(office, _own(self.cells, office), _own(self.totals, office), _never_alone(pairs), _never_alone(groups))


def _never_alone(rows: Mapping[Key, TableRow | None]) -> dict[Key, TableRow | None]:
    """If one row alone is suppressed, the row after it (in the order of the keys, the first after the last) is suppressed too: both
    tables count the same cells, so a single gap could be filled by subtraction."""
    keys = sorted(rows)
    gaps = [key for key in keys if rows[key] is None]
    company = {keys[(keys.index(gap) + 1) % len(keys)] for gap in gaps} if len(gaps) == 1 else set()
    return {key: None if key in company else rows[key] for key in rows}


def reconcile(files: Mapping[str, Path], parameters: Parameters = DEFAULT) -> Reconciliation:
    """Pool the offices' tidy CSV files (party name to path) and answer the study's questions in plaintext."""
    import duckdb

    with duckdb.connect() as database:
        _load(database, files, parameters)
        database.execute(_grid_sql(parameters))
        cells = _classes(database, f"commodity <> '{TOTAL}'")
        totals = _classes(database, f"commodity = '{TOTAL}'")
        pairs = _tallies(database, "exporter, importer", "true")
        groups = _tallies(database, "grp", "true")
        others = {
            (office, name[0]): tally
            for office in parameters.offices
            for name, tally in _tallies(database, "grp", f"'{office}' NOT IN (exporter, importer)").items()
        }
        largest = _largest(database, parameters)
    empty = Tally(0, 0, 0, 0, 0)
    return Reconciliation(
        parameters,
        cells,
        totals,
        {pair: pairs.get(pair, empty) for pair in parameters.pairs},
        {name: groups.get((name,), empty) for name in parameters.groups},
        {(office, name): others.get((office, name), empty) for office in parameters.offices for name in parameters.groups},
        largest,
    )


def _load(database: DuckDBPyConnection, files: Mapping[str, Path], parameters: Parameters) -> None:
    """The pooled reports, and the public lists: pairs with their factor, commodities with their group, years of each grid."""
    database.execute(
        "CREATE TABLE reports (year INTEGER, reporter VARCHAR, partner VARCHAR, flow VARCHAR, commodity VARCHAR, level VARCHAR, "
        "value_usd BIGINT)"
    )
    for path in files.values():
        database.execute("INSERT INTO reports SELECT * FROM read_csv(?, header = true, types = {'commodity': 'VARCHAR'})", [str(path)])
    groups = [(name, code) for name, codes in parameters.groups.items() for code in codes]
    years = [*((HS6, year) for year in parameters.years), *((TOTAL, year) for year in parameters.total_years)]
    database.execute("CREATE TABLE pairs (exporter VARCHAR, importer VARCHAR, factor BIGINT)")
    database.executemany("INSERT INTO pairs VALUES (?, ?, ?)", [(*pair, parameters.factor_permille[pair]) for pair in parameters.pairs])
    database.execute("CREATE TABLE goods (grp VARCHAR, commodity VARCHAR, level VARCHAR)")
    database.executemany("INSERT INTO goods VALUES (?, ?, ?)", [*((*group, HS6) for group in groups), ("all goods", TOTAL, TOTAL)])
    database.execute("CREATE TABLE years (level VARCHAR, year INTEGER)")
    database.executemany("INSERT INTO years VALUES (?, ?)", years)


def _grid_sql(parameters: Parameters) -> str:
    """Every cell of both grids with X, M′, the larger of them, their difference, and the class."""
    return f"""
        CREATE TABLE grid AS
        WITH sides AS (
            SELECT exporter, importer, grp, goods.commodity, years.year, e.value_usd AS x, (i.value_usd * 1000) // factor AS m
            FROM pairs CROSS JOIN goods JOIN years USING (level)
            LEFT JOIN reports e ON e.flow = 'export' AND e.reporter = exporter AND e.partner = importer
                AND e.commodity = goods.commodity AND e.year = years.year
            LEFT JOIN reports i ON i.flow = 'import' AND i.reporter = importer AND i.partner = exporter
                AND i.commodity = goods.commodity AND i.year = years.year
        ), sizes AS (
            SELECT *, greatest(coalesce(x, 0), coalesce(m, 0))::HUGEINT AS larger, abs(x - m)::HUGEINT AS gap FROM sides
        )
        SELECT *, CASE
            WHEN x IS NULL AND m IS NULL THEN {NEITHER}
            WHEN larger < {parameters.materiality_usd} THEN {SMALL}
            WHEN x IS NULL OR m IS NULL THEN {ONE_SIDE_ONLY}
            WHEN gap * 1000 <= greatest({parameters.floor_usd} * 1000, {parameters.tolerance_permille} * larger) THEN {AGREE}
            ELSE {DISAGREE} END AS class
        FROM sizes"""


def _classes(database: DuckDBPyConnection, where: str) -> dict[Cell, int]:
    rows = database.execute(f"SELECT exporter, importer, commodity, year, class FROM grid WHERE {where} ORDER BY ALL").fetchall()
    return {Cell(*row[:4]): row[4] for row in rows}


def _tallies(database: DuckDBPyConnection, keys: str, where: str) -> dict[tuple[str, ...], Tally]:
    """Tallies over the mirrored HS6 cells, by the named keys; rows without a mirrored cell do not appear."""
    rows = database.execute(f"""
        SELECT {keys}, count(*), count(*) FILTER (class = {DISAGREE}), count(DISTINCT commodity), sum(gap)::HUGEINT, sum(x + m)::HUGEINT
        FROM grid WHERE class IN ({AGREE}, {DISAGREE}) AND commodity <> '{TOTAL}' AND {where} GROUP BY {keys}""").fetchall()
    return {row[:-5]: Tally(*row[-5:]) for row in rows}


def _largest(database: DuckDBPyConnection, parameters: Parameters) -> int:
    """The largest value on either side of any comparison, over the cells and the tables' sums."""
    cut = max(parameters.band_cuts_percent)
    found = database.execute(f"""
        WITH sums AS (SELECT sum(gap) AS gap, sum(x + m) AS size FROM grid WHERE class IN ({AGREE}, {DISAGREE}) AND commodity <> '{TOTAL}')
        SELECT greatest((SELECT max(greatest(1000 * gap, {parameters.tolerance_permille} * larger)) FROM grid),
            (SELECT greatest(100 * gap, {cut} * size) FROM sums))::HUGEINT""").fetchone()
    return int(found[0] or 0) if found else 0


def _own(cells: Mapping[Cell, int], office: str) -> dict[Cell, int]:
    return {cell: value for cell, value in cells.items() if office in cell.pair}
