"""The plaintext oracle against figures worked out by hand: every boundary of a class, a share, a band, a rule."""

from dataclasses import replace

import pytest

from accord.base.errors import Refused
from accord.gallery.trade.oracle import Tally, reconcile
from accord.gallery.trade.parameters import AGREE, CLASSES, DEFAULT, DISAGREE, NEITHER, ONE_SIDE_ONLY, SMALL, Parameters
from accord.gallery.trade.result import Cell, TableRow

FLAT = dict.fromkeys(DEFAULT.pairs, 1000)
TINY = Parameters(
    groups={"a": ("030211", "030213", "030214"), "b": ("160413", "160414", "160415")},
    years=(2016, 2017),
    total_years=(2016,),
    factor_permille={**FLAT, ("usa", "gbr"): 1055},
)
"""Tolerance 150 permille, floor 250,000, threshold 1,000,000; no freight but from the USA to the United Kingdom."""
M = 1_000_000


def offices(tmp_path, *cells):
    """Files with the given (exporter, importer, commodity, year, export or None, import or None)."""
    rows = {office: [] for office in TINY.offices}
    for exporter, importer, commodity, year, exported, imported in cells:
        level = "TOTAL" if commodity == "TOTAL" else "HS6"
        if exported is not None:
            rows[exporter].append(f"{year},{exporter},{importer},export,{commodity},{level},{exported}")
        if imported is not None:
            rows[importer].append(f"{year},{importer},{exporter},import,{commodity},{level},{imported}")
    for office, lines in rows.items():
        text = "\n".join(["year,reporter,partner,flow,commodity,level,value_usd", *lines]) + "\n"
        (tmp_path / f"{office}.csv").write_text(text)
    return {office: tmp_path / f"{office}.csv" for office in rows}


def class_of(tmp_path, exported, imported, pair=("nld", "ita"), commodity="030211"):
    found = reconcile(offices(tmp_path, (*pair, commodity, 2016, exported, imported)), TINY)
    return {**found.cells, **found.totals}[Cell(*pair, commodity, 2016)]


@pytest.mark.parametrize(
    ("exported", "imported", "expected"),
    [
        (None, None, NEITHER),
        (M - 1, M - 1, SMALL),
        (M - 1, None, SMALL),
        (None, M - 1, SMALL),
        (0, None, SMALL),
        (0, 0, SMALL),
        (M, None, ONE_SIDE_ONLY),
        (None, M, ONE_SIDE_ONLY),
        (M, M, AGREE),
        (0, M, DISAGREE),
        (M, 0, DISAGREE),
        # the floor: 15 % of 1,000,000 is less than 250,000
        (M, 750_000, AGREE),
        (M, 749_999, DISAGREE),
        (750_000, M, AGREE),
        (749_999, M, DISAGREE),
        # where floor and tolerance meet: 15 % of 1,666,667 is 250,000.05
        (1_666_667, 1_416_667, AGREE),
        (1_666_667, 1_416_666, DISAGREE),
        # the tolerance: 15 % of 100,000,000
        (100 * M, 85 * M, AGREE),
        (100 * M, 85 * M - 1, DISAGREE),
        (85 * M, 100 * M, AGREE),
        (85 * M - 1, 100 * M, DISAGREE),
        # 15 % of 10,000,001 is 1,500,000.15: a gap of 1,500,000 agrees, one dollar more does not
        (10_000_001, 8_500_001, AGREE),
        (10_000_001, 8_500_000, DISAGREE),
        # the largest values that may be declared
        (500_000 * M, 425_000 * M, AGREE),
        (500_000 * M, 0, DISAGREE),
    ],
)
@pytest.mark.parametrize("commodity", ["030211", "TOTAL"])
def test_the_class_of_a_cell(tmp_path, exported, imported, expected, commodity):
    assert CLASSES[class_of(tmp_path, exported, imported, commodity=commodity)] == CLASSES[expected]


@pytest.mark.parametrize(
    ("exported", "imported", "expected"),
    [
        (None, 1_055_000, ONE_SIDE_ONLY),  # M' = 1,000,000
        (None, 1_054_999, SMALL),  # M' = 999,999.05..., whole dollars 999,999
        (None, 1_056_054, ONE_SIDE_ONLY),  # M' = 1,000,999 (floored)
        (10_000_000, 8_967_500, AGREE),  # M' = 8,500,000: a gap of exactly 15 %
        (10_000_000, 8_967_499, DISAGREE),  # M' = 8,499,999
        (10_000_000, 12_411_764, AGREE),  # M' = 11,764,705: gap 1,764,705 against 1,764,705.75
        (10_000_000, 12_411_765, DISAGREE),  # M' = 11,764,706: gap 1,764,706 against 1,764,705.9
    ],
)
def test_freight_and_insurance_are_taken_out_of_the_import_first(tmp_path, exported, imported, expected):
    assert CLASSES[class_of(tmp_path, exported, imported, pair=("usa", "gbr"))] == CLASSES[expected]


def test_the_grids_are_dense_and_apart(tmp_path):
    found = reconcile(offices(tmp_path, ("nld", "ita", "TOTAL", 2016, 5 * M, 9 * M)), TINY)
    assert len(found.cells) == TINY.cells == 12 * 6 * 2
    assert len(found.totals) == 12
    assert found.totals[Cell("nld", "ita", "TOTAL", 2016)] == DISAGREE
    assert set(found.cells.values()) == {NEITHER}
    assert all(tally == Tally(0, 0, 0, 0, 0) for tally in (*found.pairs.values(), *found.groups.values())), "totals enter no table"


@pytest.mark.parametrize(
    ("disagree", "mirrored", "permille"),
    [(1, 3, 333), (2, 3, 667), (1, 16, 63), (1, 2000, 1), (1, 2001, 0), (1999, 2000, 1000), (1, 8, 125), (3, 16, 188)],
)
def test_a_share_is_rounded_half_up(disagree, mirrored, permille):
    assert Tally(mirrored, disagree, 3, 1, 1).row(DEFAULT).share_permille == permille


@pytest.mark.parametrize(
    ("gap", "size", "band"),
    [(0, 100, 0), (499, 10_000, 0), (5, 100, 1), (999, 10_000, 1), (10, 100, 2), (2499, 10_000, 2), (25, 100, 3), (100, 100, 3)],
)
def test_the_bands_are_cut_at_their_lower_end(gap, size, band):
    assert Tally(4, 1, 3, gap, size).row(DEFAULT).band == band
    assert len(DEFAULT.bands) == 4


@pytest.mark.parametrize(
    ("tally", "passes"),
    [
        (Tally(4, 1, 3, 1, 1), True),
        (Tally(4, 3, 3, 1, 1), True),
        (Tally(4, 1, 2, 1, 1), False),
        (Tally(4, 0, 3, 1, 1), False),
        (Tally(4, 4, 3, 1, 1), False),
        (Tally(0, 0, 0, 0, 0), False),
    ],
)
def test_the_rules(tally, passes):
    assert tally.passes(DEFAULT) is passes


def test_a_row_is_judged_for_each_recipient_on_what_is_news_to_it(tmp_path):
    """Four cells in the whole. Without the pairs of ita two commodities are left; without those of gbr all of the rest disagrees."""
    cells = [
        ("usa", "nld", "030211", 2016, 4 * M, 9 * M),
        ("nld", "usa", "030213", 2016, 4 * M, 9 * M),
        ("usa", "ita", "030214", 2016, 4 * M, 9 * M),
        ("gbr", "nld", "030211", 2017, 4 * M, 4 * M),
        ("gbr", "nld", "030211", 2016, 4 * M, None),
        ("gbr", "nld", "030213", 2016, 1000, 1000),
    ]
    found = reconcile(offices(tmp_path, *cells), TINY)
    assert found.groups["a"] == Tally(mirrored=4, disagree=3, commodities=3, gap_usd=15 * M, size_usd=47 * M)
    assert found.others["ita", "a"] == Tally(3, 2, 2, 10 * M, 34 * M)
    assert found.others["gbr", "a"] == Tally(3, 3, 3, 15 * M, 39 * M)
    assert found.others["usa", "a"] == Tally(1, 0, 1, 0, 8 * M)
    assert found.others["nld", "a"] == Tally(1, 1, 1, 5 * M, 13 * M)
    assert found.groups["a"].passes(TINY) and not any(found.released_to(office).groups["a"] for office in TINY.offices)


def test_a_row_that_passes_is_released_over_all_cells_and_the_others_are_marked(tmp_path):
    codes = TINY.groups["a"]
    cells = [("usa", "nld", code, year, 4 * M, 4 * M + year % 2 * 5 * M) for code in codes for year in TINY.years]
    cells.append(("gbr", "ita", "030211", 2016, 4 * M, 4 * M))
    three = replace(TINY, groups={**TINY.groups, "c": ("440791", "440792", "440799")})
    found = reconcile(offices(tmp_path, *cells), three)
    assert found.groups["a"] == Tally(7, 3, 3, 15 * M, 71 * M)
    whole = TableRow(mirrored=7, share_permille=429, band=2)  # 3 of 7 disagree; 15 of 71 is 21.1 %
    assert {office: found.released_to(office).groups for office in TINY.offices} == {
        "usa": {"a": None, "b": None, "c": None},
        "nld": {"a": None, "b": None, "c": None},
        "ita": {"a": whole, "b": None, "c": None},
        "gbr": {"a": whole, "b": None, "c": None},
    }
    pairs = found.released_to("ita").pairs
    assert list(pairs) == list(TINY.pairs), "suppressed rows are marked, not dropped"
    assert [pair for pair, row in pairs.items() if row] == [("usa", "nld")]
    assert pairs["usa", "nld"] == TableRow(6, 500, 2)


def test_a_suppressed_row_is_never_alone(tmp_path):
    """Of two groups one passes; alone, the other could be filled by subtraction from the table by pair."""
    codes = TINY.groups["a"]
    cells = [("usa", "nld", code, year, 4 * M, 4 * M + year % 2 * 5 * M) for code in codes for year in TINY.years]
    found = reconcile(offices(tmp_path, *cells), TINY)
    assert found.groups["a"].passes(TINY) and found.others["ita", "a"].passes(TINY)
    assert found.released_to("ita").groups == {"a": None, "b": None}


def test_an_office_gets_the_classes_of_its_own_pairs_only(tmp_path):
    found = reconcile(offices(tmp_path, ("usa", "nld", "030211", 2016, 4 * M, 9 * M)), TINY).released_to("ita")
    assert all("ita" in cell.pair for cell in (*found.cells, *found.totals))
    assert len(found.cells) == 6 * 6 * 2 and len(found.totals) == 6


def test_the_oracle_agrees_with_a_count_by_hand(office_files, by_hand):
    found = reconcile(office_files.files)
    classes, sums = by_hand(office_files.files, DEFAULT)
    assert {tuple(cell): value for cell, value in {**found.cells, **found.totals}.items()} == classes
    tallies = {**found.pairs, **found.groups, **{("others", *key): tally for key, tally in found.others.items()}}
    for key, tally in tallies.items():
        counted = [tally.mirrored, tally.disagree, tally.commodities, tally.gap_usd, tally.size_usd]
        assert counted == sums.get(key, [0, 0, 0, 0, 0]), key


def test_no_intermediate_value_exceeds_its_bound(tmp_path, office_files):
    top = TINY.value_usd_max
    everywhere = [(*pair, code, year, top, 0) for pair in TINY.pairs for code in TINY.commodities for year in TINY.years]
    assert reconcile(offices(tmp_path, *everywhere), TINY).largest_intermediate == 100 * top * TINY.cells == TINY.largest_intermediate
    assert reconcile(office_files.files).largest_intermediate <= DEFAULT.largest_intermediate < 2**62


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"groups": {"a": ("030211", "030213")}}, "at least 3 commodities"),
        ({"groups": {"a": ("030211", "030213", "030213")}}, "at least 3 commodities"),
        ({"groups": {"a": ("1", "2", "3"), "b": ("3", "4", "5")}}, "in two groups"),
        ({"factor_permille": {("usa", "nld"): 1050}}, "each ordered pair"),
        ({"factor_permille": {**FLAT, ("usa", "nld"): 999}}, "at least 1000 permille"),
        ({"band_cuts_percent": (10, 5)}, "do not rise"),
        ({"value_usd_max": 10**13}, "below 2^62"),
    ],
)
def test_parameters_that_contradict_themselves_are_refused(change, words):
    with pytest.raises(Refused) as refusal:
        Parameters(**change)
    assert words in str(refusal.value)


def test_the_default_parameters_are_what_the_study_promises():
    assert DEFAULT.offices == ("usa", "nld", "ita", "gbr") and len(DEFAULT.pairs) == 12
    assert len(DEFAULT.groups) >= 4 and all(len(codes) >= 3 for codes in DEFAULT.groups.values())
    assert all(len(code) == 6 and code.isdigit() for code in DEFAULT.commodities)
    assert DEFAULT.materiality_usd == 1_000_000 and DEFAULT.commodities_min == 3 and DEFAULT.band_cuts_percent == (5, 10, 25)
    assert DEFAULT.cells == 12 * 132 * 13
