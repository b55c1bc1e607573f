"""The same on public figures. Collected only where they lie beside the clone: they are not part of this project."""

import csv
from pathlib import Path

from accord.gallery.trade.files import COLUMNS
from accord.gallery.trade.fit import fit
from accord.gallery.trade.oracle import reconcile
from accord.gallery.trade.parameters import DEFAULT
from accord.gallery.trade.read import read

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "trade"


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_real_figures_become_four_files_and_every_row_is_accounted_for(tmp_path):
    found = read(REAL, tmp_path / "offices")
    sources = sum(len(rows_of(path)) for path in REAL.glob("*.csv"))
    assert found.rows_read == sources == sum(found.rows.values()) + sum(found.set_aside.values())
    written = {office: rows_of(path) for office, path in found.files.items()}
    assert {office: len(rows) for office, rows in written.items()} == dict(found.rows)
    expected = {}
    for row in rows_of(REAL / "trade.csv"):
        four = {row["reporter"], row["partner"]} <= {"USA", "NLD", "ITA", "GBR"}
        years = range(2015, 2019) if row["commodity_level"] == "TOTAL" else range(2012, 2025)
        if four and int(row["year"]) in years:
            key = row["year"], row["reporter"].lower(), row["partner"].lower(), row["flow"], row["commodity_code"], row["commodity_level"]
            expected[key] = row["value_usd"]
    got = {tuple(row[name] for name in COLUMNS[:-1]): row["value_usd"] for rows in written.values() for row in rows}
    assert got == expected
    assert all(row["reporter"] == office for office, rows in written.items() for row in rows)


def test_the_file_alone_gives_the_same_offices_files(real_files, tmp_path):
    alone = read(REAL / "trade.csv", tmp_path)
    assert {office: path.read_bytes() for office, path in alone.files.items()} == {
        office: path.read_bytes() for office, path in real_files.files.items()
    }


def test_the_targets_of_the_fit_are_those_of_the_real_figures(real_files):
    off = {line.name: round(line.measured, 3) for line in fit(real_files.files) if abs(line.measured - line.target) > 0.011}
    assert off == {}


def test_the_oracle_agrees_with_a_count_by_hand(real_files, by_hand):
    found = reconcile(real_files.files)
    classes, sums = by_hand(real_files.files, DEFAULT)
    assert {tuple(cell): value for cell, value in {**found.cells, **found.totals}.items()} == classes
    tallies = {**found.pairs, **found.groups, **{("others", *key): tally for key, tally in found.others.items()}}
    nothing = [0, 0, 0, 0, 0]
    for key, tally in tallies.items():
        counted = [tally.mirrored, tally.disagree, tally.commodities, tally.gap_usd, tally.size_usd]
        assert counted == sums.get(key, nothing), key


def test_the_real_figures_show_every_kind_of_answer(real_files):
    found = reconcile(real_files.files)
    assert set(found.cells.values()) == set(range(5))
    shown = [found.released_to(office) for office in DEFAULT.offices]
    assert any(row is None for row in shown[0].pairs.values())
    assert len({tuple(row is None for row in one.groups.values()) for one in shown}) > 1, "some group is shown to some offices only"
    assert found.largest_intermediate <= DEFAULT.largest_intermediate < 2**62
