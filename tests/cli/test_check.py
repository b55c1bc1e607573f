"""`accord check`: a data file against its schema, on the owner's machine."""

import re

import pytest


def test_a_good_file_is_said_to_be_good(accord, wages):
    said = accord("check", "north.csv")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("north.csv: 4 rows keep the schema of wages, as north's\n")
    heads, *rows = [re.split(r" {2,}", line.strip()) for line in said.out.splitlines()[1:]]
    assert heads == ["column", "declared", "filled", "empty"]
    assert [(row[0], *row[-2:]) for row in rows] == [("sector", "4", "0"), ("wage", "4", "0")]


def test_a_column_that_is_not_declared_is_said_to_stay_unread(accord, wages):
    text = (wages.parent / "north.csv").read_text().splitlines()
    (wages.parent / "more.csv").write_text("\n".join(f"{line},x" for line in text).replace("wage,x", "wage,name") + "\n")
    assert "not in the schema, so never read: name\n" in accord("check", "more.csv", "--study", "wages", "--table", "wages").out


def test_one_bad_cell_is_one_line_with_all_that_is_needed(accord, wages):
    (wages.parent / "north.csv").write_text("sector,wage\nretail,1949.14\ncare,28o0.00\n")
    said = accord("check", "north.csv")
    assert said.code == 3
    assert said.line.startswith("accord: north.csv: 1 cell breaks the schema: line 3, column wage: holds '28o0.00' (rule: ")


def test_several_bad_cells_are_listed_below_the_line(accord, wages):
    (wages.parent / "north.csv").write_text("sector,wage\nRetail,1949.14\ncare,28o0.00\ncare,-1\n")
    said = accord("check", "north.csv")
    first, *rest = said.err.splitlines()
    assert (said.code, first) == (3, "accord: north.csv: 3 cells break the schema")
    assert [line.split(":")[0] for line in rest] == ["  line 2, column sector", "  line 3, column wage", "  line 4, column wage"]


def test_more_rows_than_the_study_allows_are_refused(accord, wages):
    (wages.parent / "north.csv").write_text("sector,wage\n" + "care,1.00\n" * 11)
    said = accord("check", "north.csv")
    assert (said.code, said.line) == (3, "accord: north.csv: 11 rows (rule: the study allows 10); have it declare more rows_max")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("north.csv", "--study", "nowhere"), "accord: nowhere: there is no such file or folder; check the path"),
        (
            ("north.csv", "--study", "north.csv"),
            "accord: north.csv: no study here; name a folder that holds a study.toml, or make one with: accord new",
        ),
        (("north.csv", "--table", "pay"), "accord: the study has no table 'pay'; it has wages"),
    ],
)
def test_what_cannot_be_found_is_named(accord, wages, arguments, line):
    said = accord("check", *arguments)
    assert (said.code, said.out, said.line) == (3, "", line)


def test_of_several_studies_one_must_be_named(accord, wages):
    accord("new", "pay", "--owner", "north=north.csv", "--owner", "south=south.csv")
    assert accord("check", "north.csv").line == "accord: several studies are here: pay, wages; name one with --study"
    assert accord("check", "north.csv", "--study", "pay").code == 0


def test_a_strange_file_must_name_its_table_where_there_are_several(accord, files):
    (files / "beds.csv").write_text("ward,beds\nA,12\nA,13\n")
    (files / "beds2.csv").write_text("ward,beds\nA,12\nA,13\n")
    accord("new", "care", "--owner", "north=north.csv", "--owner", "clinic=beds.csv")
    said = accord("check", "beds2.csv")
    assert (
        said.line
        == "accord: which table is beds2.csv for? (rule: no party here has named this file); name one of north, clinic with --table"
    )
    assert accord("check", "beds.csv").code == 0
