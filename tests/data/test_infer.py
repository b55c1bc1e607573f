"""Proposed schemas: every file keeps its own proposal, no bound is an extreme, and each column has a note to review."""

from __future__ import annotations

import csv
import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.data.check import check
from accord.data.infer import infer
from accord.data.schema import ColumnSchema

EPOCH = datetime.date(1970, 1, 1)


def write(path, header, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def proposed(folder, cells):
    """The one column proposed for some cells, and its note."""
    proposal = infer(write(folder / "t.csv", ["x"], [[cell] for cell in cells]), "t")
    return proposal.schema.columns[0], proposal.notes["x"]


def days(text):
    return (datetime.date.fromisoformat(text) - EPOCH).days


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (["5", "17"], ColumnSchema("x", "int", 0, 100)),
        (["100", "17"], ColumnSchema("x", "int", 0, 1000)),
        (["-5", "17", ""], ColumnSchema("x", "int", -10, 100, nullable=True)),
        (["-5", "-1000"], ColumnSchema("x", "int", -10_000, 0)),
        (["0", "0"], ColumnSchema("x", "int", 0, 1)),
        (["0", "1"], ColumnSchema("x", "int", 0, 10)),
        (["0.5", "-12.25", "3"], ColumnSchema("x", "decimal", -10_000, 1000, 5, 2)),
        (["2001-02-03", "2019-12-31"], ColumnSchema("x", "date", days("2000-01-01"), days("2029-12-31"))),
        (["2000-01-01", "2001-01-01"], ColumnSchema("x", "date", days("1990-01-01"), days("2009-12-31"))),
        (["true", "FALSE", ""], ColumnSchema("x", "bool", nullable=True)),
        (["0301", "0302"] * 2, ColumnSchema("x", "category", values=("0301", "0302"))),
        (["a", "b", "c"], ColumnSchema("x", "text key", characters_max=16)),
        (["k" * 16], ColumnSchema("x", "text key", characters_max=32)),
        (["1e3", "7", "8"], ColumnSchema("x", "text key", characters_max=16)),
        (["9" * 19, "1"], ColumnSchema("x", "text key", characters_max=32)),
        (["0.1234567890123", "1"], ColumnSchema("x", "text key", characters_max=16)),
        (["", ""], ColumnSchema("x", "text key", characters_max=255, nullable=True)),
    ],
)
def test_the_narrowest_kind_with_wide_bounds(tmp_path, cells, column):
    assert proposed(tmp_path, cells)[0] == column


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["5"], "bounds 0 to 10 are rounded out to powers of ten; narrow them by what you know, not by the data"),
        (["0", "1", "1"], "only 0 and 1 occur: is it a bool?"),
        (["2001-02-03"], "bounds 2000-01-01 to 2009-12-31 are rounded out to whole decades"),
        (["a"] * 5 + ["b"], "REVIEW: 1 of them occur in fewer than 3 rows and may point to someone"),
        (["a", "a"], "this value of your data will stand in the study for every party to read"),
        (["b", "a"] * 2, "these 2 values of your data will stand in the study for every party to read"),
        (["1e3", "7", "8"], "REVIEW: 1 of 3 cells are not a plain number: correct them if all should be"),
        (["2001-02-30", "2001-02-03"], "REVIEW: 1 of 2 cells are not a date as YYYY-MM-DD"),
        (["9" * 19], "REVIEW: these are numbers with more digits than fit (18 in all)"),
        (["", ""], "REVIEW: every cell is empty, so the kind is a guess"),
        (["", "5"], "1 cell is empty"),
        (["4", "5"], "no cell is empty here; declare it nullable if another owner's may be"),
    ],
)
def test_notes_say_what_to_look_at(tmp_path, cells, said):
    assert said in proposed(tmp_path, cells)[1]


def test_columns_without_a_usable_name_are_left_out(tmp_path):
    proposal = infer(write(tmp_path / "t.csv", ["Trade (US$)", "a", "A", "ok"], [["1", "2", "3", "4"]]), "t")
    assert proposal.left_out == ("Trade (US$)", "a", "A")
    assert [column.name for column in proposal.schema.columns] == ["ok"]
    assert proposal.notes["a"] == "left out: another column has the same name; rename one in the file to use it"
    assert proposal.notes["Trade (US$)"].startswith("left out: 'Trade (US$)' cannot name a table or column")
    with pytest.raises(Refused, match="no column has a usable name"):
        infer(write(tmp_path / "u.csv", ["a b"], [["1"]]), "t")


NUMBERS = st.one_of(
    st.integers(-(10**17), 10**17).map(str),
    st.tuples(st.integers(-(10**9), 10**9), st.integers(1, 6)).map(lambda pair: f"{Decimal(pair[0]).scaleb(-pair[1]):f}"),
)
DATES = st.dates(datetime.date(1, 1, 1), datetime.date(9999, 12, 31)).map(str)
ANY = st.one_of(NUMBERS, DATES, st.sampled_from(["", "true", "false", "a", "NaN", " 7"]))


@settings(max_examples=30)
@given(st.one_of(*(st.lists(st.one_of(cells, st.just("")), min_size=1, max_size=12) for cells in (NUMBERS, DATES, ANY))))
def test_every_file_keeps_its_own_proposal_and_no_extreme_is_a_bound(tmp_path_factory, cells):
    path = write(tmp_path_factory.mktemp("t") / "t.csv", ["x"], [[cell] for cell in cells])
    proposal = infer(path, "t")
    assert check(path, proposal.schema).rows == len(cells)
    column, filled = proposal.schema.columns[0], [cell for cell in cells if cell]
    if column.kind in ("int", "decimal"):
        values = [int(Decimal(cell).scaleb(column.scale)) for cell in filled]
        assert not {column.low, column.high} - {0} & {min(values), max(values)}
    if column.kind == "date" and 10 < int(min(filled)[:4]) < max(int(cell[:4]) for cell in filled) < 9980:
        assert not {column.low, column.high} & {days(cell) for cell in filled}
