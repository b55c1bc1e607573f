"""`accord new`: a study that parses, from whatever CSV files people have."""

import datetime
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.cli.new import rows_bound
from accord.cli.template import column_toml
from accord.data.schema import ColumnSchema
from accord.node.folder import open_folder
from accord.study import document
from accord.study.declarations import _column
from accord.study.fields import Fields


def study(folder):
    return document.read(folder)


def columns(folder, table):
    return {one.name: one for one in study(folder).catalog.tables[table].schema.columns}


def test_two_files_of_one_shape_become_one_table(wages):
    made = study(wages)
    assert made.name == "wages"
    assert made.servers == ("north", "south", "helper")
    assert made.expires == datetime.date.today() + datetime.timedelta(days=365)
    table = made.catalog.tables["wages"]
    assert (table.owners, table.rows_max) == (("north", "south"), (10, 10))
    assert columns(wages, "wages") == {
        "sector": ColumnSchema("sector", "category", values=("care", "mining", "retail")),
        "wage": ColumnSchema("wage", "decimal", 0, 1_000_000, 7, 2),
    }
    (release,) = made.releases
    assert (
        " ".join(release.sql.split()) == "SELECT sector, COUNT(*) AS n, AVG(wage) AS mean_wage FROM wages GROUP BY sector ORDER BY sector"
    )
    assert release.recipients == ("north", "south")
    assert release.rules == ({"rule": "minimum_count", "column": "n", "minimum": 10},)
    assert "takes away its own rows knows the other's count and mean" in release.notes[0]


def test_the_owners_files_are_named_and_stay_where_they_are(wages):
    folder = open_folder(wages)
    assert folder.party("north").data() == {"wages": (wages.parent / "north.csv").resolve()}
    assert folder.local_parties() == ["north", "south"]
    assert not [path for path in wages.rglob("*") if path.suffix == ".csv"]


def test_no_cell_but_a_category_stands_in_the_study(wages):
    text = (wages / "study.toml").read_text()
    for cell in ("1949.14", "2867.50", "3736.88"):
        assert cell not in text
    assert "fewer than" not in text.replace("fewer than 10 is suppressed", ""), "what the files showed stays on the screen"


def test_it_says_what_to_review_and_what_comes_next(accord, files):
    said = accord("new", "wages", "--owner", "north=north.csv", "--owner", "south=south.csv")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("written: wages/study.toml, a proposal to read and edit before anybody signs\n")
    assert "  north.csv wage, south.csv wage: decimals with 2 digits after the point; bounds 0 to 10000 are rounded out" in said.out
    assert "helper stands for a third organisation that only computes" in said.out
    assert said.out.endswith("next: accord keys wages\n")


def test_a_purpose_and_servers_can_be_given(accord, files):
    options = ["--server", "north", "--server", "lab", "--server", "court", "--purpose", 'The "wage" report']
    said = accord("new", "pay", "--owner", "north=north.csv", "--owner", "south=south.csv", *options)
    assert "servers: north, lab, court" in said.out
    assert "stands for a third" not in said.out
    made = study(files / "pay")
    assert (made.servers, made.purpose) == (("north", "lab", "court"), 'The "wage" report')


def test_three_owners_compute_themselves(accord, files):
    (files / "west.csv").write_text("sector,wage\ncare,1.5\ncare,2.5\n")
    accord("new", "pay", *(f"--owner={party}={party}.csv" for party in ("north", "south", "west")))
    assert study(files / "pay").servers == ("north", "south", "west")


def test_files_of_other_columns_become_a_table_each(accord, files):
    (files / "beds.csv").write_text("ward,beds,opened\nA,12,2001-05-06\nA,13,2004-05-06\nB,12,\nB,9,2011-01-01\n")
    said = accord("new", "care", "--owner", "north=north.csv", "--owner", "clinic-1=beds.csv")
    assert said.code == 0, said.err
    made = study(files / "care")
    assert list(made.catalog.tables) == ["north", "clinic_1"]
    assert [release.name for release in made.releases] == ["north_by_sector", "clinic_1_by_ward"]
    opened = columns(files / "care", "clinic_1")["opened"]
    assert (opened.kind, opened.nullable) == ("date", True)
    assert open_folder(files / "care").party("clinic-1").data() == {"clinic_1": (files / "beds.csv").resolve()}


def test_without_numbers_or_categories_it_counts(accord, files):
    for party in ("a", "b"):
        (files / f"{party}.csv").write_text("person\n" + "".join(f"{party}{row}\n" for row in range(60)))
    accord("new", "people", "--owner", "a=a.csv", "--owner", "b=b.csv")
    (release,) = study(files / "people").releases
    assert (release.name, " ".join(release.sql.split())) == ("total", "SELECT COUNT(*) AS n FROM people")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("1\n2\n", "3\n400\n", ColumnSchema("x", "int", 0, 1000)),
        ("1\n2\n", "0.5\n-3.25\n", ColumnSchema("x", "decimal", -1000, 1000, 4, 2)),
        ("0.5\n", "20.125\n", ColumnSchema("x", "decimal", 0, 100_000, 6, 3)),
        ("u\nu\nv\nv\n", "v\nw\n", ColumnSchema("x", "category", values=("u", "v", "w"))),
        ("1\n2\n", '""\n""\n', ColumnSchema("x", "int", 0, 10, nullable=True)),
        ("true\n", "false\n", ColumnSchema("x", "bool")),
    ],
)
def test_owners_columns_are_joined_to_one_that_holds_all(accord, files, first, second, expected):
    (files / "a.csv").write_text("x\n" + first)
    (files / "b.csv").write_text("x\n" + second)
    said = accord("new", "joined", "--owner", "a=a.csv", "--owner", "b=b.csv")
    assert said.code == 0, said.err
    assert columns(files / "joined", "joined")["x"] == expected


def test_kinds_that_do_not_go_together_are_refused(accord, files):
    (files / "a.csv").write_text("x\n1\n2\n")
    (files / "b.csv").write_text("x\n2001-01-02\n2002-01-02\n")
    said = accord("new", "joined", "--owner", "a=a.csv", "--owner", "b=b.csv")
    assert said.code == 3
    assert (
        said.line == "accord: column x is int in a.csv, date in b.csv (rule: one table has one kind for each column); make the files alike"
    )
    assert not (files / "joined").exists()


@pytest.mark.parametrize(("before", "delimiter", "end"), [("\ufeff", ";", "\r\n"), ("\ufeff", ",", "\n"), ("", "\t", "\n")])
def test_the_ways_of_spreadsheets_are_read(accord, files, before, delimiter, end):
    for party, text in (("north", "sector,wage\ncare,2.50\ncare,3\n"), ("south", "sector,wage\ncare,7\ncare,8.5\n")):
        (files / f"{party}.csv").write_bytes((before + text.replace(",", delimiter).replace("\n", end)).encode())
    said = accord("new", "wages", "--owner", "north=north.csv", "--owner", "south=south.csv")
    assert said.code == 0, said.err
    assert list(columns(files / "wages", "wages")) == ["sector", "wage"]
    assert accord("check", "north.csv").code == 0


def test_a_column_without_a_name_for_sql_is_left_out_and_says_what_to_do(accord, files):
    for party in ("north", "south"):
        (files / f"{party}.csv").write_text("sector,Monthly wage (EUR)\ncare,2.50\ncare,3\n")
    said = accord("new", "wages", "--owner", "north=north.csv", "--owner", "south=south.csv")
    assert said.code == 0
    advice = "left out: no name for SQL; rename it in the file's header, such as monthly_wage_eur, and begin anew"
    assert f"  north.csv Monthly wage (EUR), south.csv Monthly wage (EUR): {advice}\n" in said.out
    assert list(columns(files / "wages", "wages")) == ["sector"]
    assert '# "Monthly wage (EUR)" is left out: rename it' in (files / "wages" / "study.toml").read_text()


@pytest.mark.parametrize(
    ("cells", "hint"),
    [
        ("2840,50\n1999,00\n2840,50\n1999,00\n", "numbers with a decimal comma: export them with a point, or they cannot be computed with"),
        ("1 200\n12 000.5\n1 200\n3 100 200\n", "numbers with separated thousands: export them plain, or they cannot be computed with"),
        ("31.01.2027\n1.2.2027\n5.3.2027\n6.3.2027\n", "days: write them as 2027-01-31, or they cannot be compared"),
    ],
)
def test_what_spreadsheets_do_to_numbers_and_days_is_pointed_out(accord, files, cells, hint):
    for party in ("north", "south"):
        (files / f"{party}.csv").write_text("sector;wage\n" + "".join(f"care;{cell}\n" for cell in cells.splitlines()))
    said = accord("new", "wages", "--owner", "north=north.csv", "--owner", "south=south.csv")
    assert said.code == 0, said.err
    assert f"  north.csv wage, south.csv wage: REVIEW: these look like {hint}; now " in said.out


BOTH = ("--owner", "north=north.csv", "--owner", "south=south.csv")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("wages", "--owner", "north=north.csv"), "a study needs two owners or more; name each with --owner PARTY=FILE"),
        (("wages", "--owner", "north"), "--owner north names no file (rule: --owner PARTY=FILE); write --owner north=north.csv"),
        (
            ("wages", *BOTH, "--owner", "north=south.csv"),
            "north is named twice (rule: one file for each owner); join its files, or add the second table by hand",
        ),
        (
            ("wages", *BOTH, "--server", "north"),
            "north are to compute (rule: three servers, run by three organisations); give --server three times",
        ),
        (
            ("Wages", *BOTH),
            "'Wages' cannot be a name (rule: a lower-case letter, then at most 62 of a–z, 0–9, - and _); choose another name",
        ),
        (
            ("wages", "--owner", "North=north.csv"),
            "'North' cannot be a name (rule: a lower-case letter, then at most 62 of a–z, 0–9, - and _); choose another name",
        ),
        (
            ("north.csv", *BOTH),
            "'north.csv' cannot be a name (rule: a lower-case letter, then at most 62 of a–z, 0–9, - and _); choose another name",
        ),
    ],
)
def test_what_makes_no_study_is_refused_in_one_line(accord, files, arguments, line):
    said = accord("new", *arguments)
    assert (said.code, said.out, said.line) == (3, "", f"accord: {line}")
    assert sorted(path.name for path in files.iterdir()) == ["north.csv", "south.csv"], "nothing is written"


def test_a_file_that_is_not_there_is_named_with_its_neighbour(accord, files):
    said = accord("new", "wages", "--owner", "north=nort.csv", "--owner", "south=south.csv")
    assert said.code == 3
    assert "there is no file 'nort.csv'" in said.line and "'north.csv'" in said.line


def test_a_study_is_never_overwritten(accord, wages):
    before = (wages / "study.toml").read_bytes()
    said = accord("new", "wages", *BOTH)
    assert (said.code, said.line) == (3, "accord: wages: this folder is there already; choose another name, or edit its study.toml")
    assert (wages / "study.toml").read_bytes() == before


@pytest.mark.parametrize(("rows", "bound"), [(0, 10), (10, 10), (11, 20), (21, 50), (99, 100), (4_999, 5_000), (20_000_000, 20_000_000)])
def test_bounds_on_rows_are_round(rows, bound):
    assert rows_bound(rows) == bound


NAMES = st.sampled_from(["x", "Wage_2", "_y"])
BOUNDS = st.tuples(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12)).map(sorted)
DAYS = st.tuples(st.integers(-700_000, 2_900_000), st.integers(-700_000, 2_900_000)).map(sorted)
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9), min_size=1, max_size=5, unique=True)
COLUMNS = st.one_of(
    st.builds(lambda name, b, null: ColumnSchema(name, "int", *b, nullable=null), NAMES, BOUNDS, st.booleans()),
    st.builds(lambda name, b, scale: ColumnSchema(name, "decimal", *b, 18, scale), NAMES, BOUNDS, st.integers(0, 6)),
    st.builds(lambda name, b: ColumnSchema(name, "date", *b), NAMES, DAYS),
    st.builds(lambda name, values: ColumnSchema(name, "category", values=tuple(values)), NAMES, TEXTS),
    st.builds(lambda name, null: ColumnSchema(name, "bool", nullable=null), NAMES, st.booleans()),
    st.builds(lambda name, size: ColumnSchema(name, "text key", characters_max=size), NAMES, st.integers(1, 999)),
    st.builds(lambda name, size: ColumnSchema(name, "text", bytes_max=size), NAMES, st.integers(1, 256)),
)


@given(COLUMNS)
def test_a_column_comes_back_from_its_toml(column):
    parsed = tomllib.loads(f"column = {column_toml(column)}")["column"]
    assert _column(Fields(parsed, "here"), {}) == column
