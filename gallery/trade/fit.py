"""How near the generated figures come to what was measured on real ones: quantiles of rd = |export − import| / larger, and who is
missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from accord.gallery.trade.parameters import TOTAL


@dataclass(frozen=True)
class FitLine:
    """One measure: what real figures of the four offices gave, what these files give, how far apart they may be."""

    name: str
    target: float
    measured: float
    tolerance: float

    @property
    def holds(self) -> bool:
        return abs(self.measured - self.target) <= self.tolerance


TARGETS: dict[str, tuple[float, float]] = {
    "detail, rd p10": (0.118, 0.04),
    "detail, rd p25": (0.330, 0.05),
    "detail, rd median": (0.682, 0.05),
    "detail, rd p75": (0.928, 0.03),
    "detail, rd p90": (0.991, 0.02),
    "detail, share rd > 50 %": (0.63, 0.05),
    "detail, share with one side missing": (0.494, 0.05),
    "detail, share of cells of 1 million and more": (0.164, 0.04),
    "1 million and more, rd median": (0.520, 0.10),
    "totals, rd p10": (0.022, 0.01),
    "totals, rd p25": (0.050, 0.01),
    "totals, rd median": (0.065, 0.01),
    "totals, rd p75": (0.094, 0.015),
    "totals, rd p90": (0.160, 0.03),
}
"""Measured on public figures of these four countries (UN Comtrade for fish, nickel and sawn wood, IMF for totals), and the tolerance of
the fit."""


def fit(files: Mapping[str, Path]) -> list[FitLine]:
    """Measure the offices' files (party name to path) beside the targets."""
    import duckdb

    reports = " UNION ALL ".join("SELECT * FROM read_csv(?, header = true, types = {'commodity': 'VARCHAR'})" for _ in files)
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE reports AS {reports}", [str(path) for path in files.values()])
        database.execute(f"""
            CREATE TABLE cells AS
            SELECT CASE WHEN flow = 'export' THEN reporter || partner ELSE partner || reporter END AS pair,
                commodity = '{TOTAL}' AS is_total,
                max(value_usd) AS larger, count(*) = 2 AS mirrored, (max(value_usd) - min(value_usd)) / max(value_usd) AS rd
            FROM reports GROUP BY pair, commodity, year, is_total""")
        found = database.execute("""
            SELECT quantile_cont(rd, [0.1, 0.25, 0.5, 0.75, 0.9]) FILTER (mirrored AND NOT is_total),
                avg((rd > 0.5)::INT) FILTER (mirrored AND NOT is_total),
                avg((NOT mirrored)::INT) FILTER (NOT is_total),
                avg((larger >= 1000000)::INT) FILTER (NOT is_total),
                median(rd) FILTER (mirrored AND NOT is_total AND larger >= 1000000),
                quantile_cont(rd, [0.1, 0.25, 0.5, 0.75, 0.9]) FILTER (mirrored AND is_total)
            FROM cells""").fetchone()
    assert found is not None, "an aggregate without GROUP BY has one row"
    measured = [*found[0], *found[1:5], *found[5]]
    return [FitLine(name, target, value, tolerance) for (name, (target, tolerance)), value in zip(TARGETS.items(), measured, strict=True)]


def fit_table(files: Mapping[str, Path]) -> str:
    """The fit as text: measure, real figures, these files."""
    lines = [f"{'':46}{'real':>8}{'here':>8}"]
    return "\n".join(
        [*lines, *(f"{line.name:46}{line.target:8.3f}{line.measured:8.3f}{'' if line.holds else '  off'}" for line in fit(files))]
    )
