"""In the wheel the gallery is `accord.gallery`; in a clone the repository's root is added to the package's path."""

import csv
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest

import accord

ROOT = Path(__file__).resolve().parents[2]
if not any((Path(folder) / "gallery").is_dir() for folder in accord.__path__):
    accord.__path__.append(str(ROOT))


REAL = ROOT.parent / "shared" / "data" / "trade"
"""Public figures of the four offices and others. They lie beside the clone where this project is developed, and are not part of it."""

PAYROLL = ROOT.parent / "shared" / "data" / "payroll"
"""A city's open payroll; likewise."""

collect_ignore = [*([] if REAL.is_dir() else ["test_trade_real.py"]), *([] if PAYROLL.is_dir() else ["test_pay_gap_real.py"])]


@pytest.fixture(scope="session")
def office_files(tmp_path_factory):
    """The embedded data, generated once."""
    from accord.gallery.trade.generate import generate

    return generate(tmp_path_factory.mktemp("generated"))


@pytest.fixture(scope="session")
def real_files(tmp_path_factory):
    """The public figures, read once."""
    from accord.gallery.trade.read import read

    return read(REAL, tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="session")
def by_hand():
    """A second reading of the study's questions, cell by cell in plain Python: no DuckDB, nothing of the oracle's."""
    return _by_hand


def _by_hand(files, parameters):
    """Returns classes by (exporter, importer, commodity, year), and sums by pair, group and ("others", office, group).

    Sums are [mirrored cells, those that disagree, distinct commodities, gap, size].
    """
    reports = {}
    for path in files.values():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                reports[row["flow"], row["reporter"], row["partner"], row["commodity"], int(row["year"])] = int(row["value_usd"])
    group_of = {code: name for name, codes in parameters.groups.items() for code in codes}
    grid = list(product(parameters.pairs, parameters.commodities, parameters.years))
    grid += product(parameters.pairs, ["TOTAL"], parameters.total_years)
    classes, sums, seen = {}, {}, {}
    for (exporter, importer), code, year in grid:
        x = reports.get(("export", exporter, importer, code, year))
        imported = reports.get(("import", importer, exporter, code, year))
        m = None if imported is None else imported * 1000 // parameters.factor_permille[exporter, importer]
        classes[exporter, importer, code, year] = verdict = classify_by_hand(x, m, parameters)
        if verdict in (3, 4) and code != "TOTAL":
            others = [(office, group_of[code]) for office in parameters.offices if office not in (exporter, importer)]
            for key in ((exporter, importer), group_of[code], *(("others", *other) for other in others)):
                seen.setdefault(key, set()).add(code)
                old = sums.get(key, [0, 0, 0, 0, 0])
                sums[key] = [old[0] + 1, old[1] + (verdict == 4), len(seen[key]), old[3] + abs(x - m), old[4] + x + m]
    return classes, sums


def classify_by_hand(x, m, parameters):
    if x is None and m is None:
        return 0
    larger = max(x or 0, m or 0)
    if larger < parameters.materiality_usd:
        return 1
    if x is None or m is None:
        return 2
    limit = max(Fraction(parameters.floor_usd), Fraction(parameters.tolerance_permille, 1000) * larger)
    return 3 if abs(x - m) <= limit else 4
