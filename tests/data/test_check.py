"""Cells against their schema: a wall of bad cells with the exact sentence for each, and generated tables against plain Python."""

from __future__ import annotations

import csv
import datetime
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.data.check import check, load_checked
from accord.data.problems import BadData
from accord.data.read import connect
from accord.data.schema import ColumnSchema, TableSchema

AGE = ColumnSchema("age", "int", 0, 120)
WAGE = ColumnSchema("wage", "decimal", -100_000, 10_000_000, 8, 2)
BORN = ColumnSchema("born", "date", -25_567, 20_088)
SEX = ColumnSchema("sex", "category", values=("female", "male"))
ILL = ColumnSchema("ill", "bool")
KEY = ColumnSchema("person", "text key", characters_max=4)
WIDE = ColumnSchema("n", "int", -(1 << 62) + 1, (1 << 62) - 1)

INT = "(rule: an integer from 0 to 120); "
DECIMAL = "(rule: a number with at most 8 digits, 2 of them after the point, from -1000.00 to 100000.00); "
DATE = "(rule: a date, YYYY-MM-DD, from 1900-01-01 to 2024-12-31); "
BOOL = "(rule: true, false, 1 or 0); "
CATEGORY = "(rule: one of 2 declared values); "
TEXT = "(rule: a text of at most 4 characters); "
NULL = "(rule: the column is not nullable); fill the cell in, or have the study declare the column nullable"
BOUNDS = "correct it, or have the study declare wider bounds"
SPACE = "take out the space around it"
NONE = "leave the cell empty where there is no value"
SEPARATORS = "write it without thousands separators"
ZEROS = "leave out the leading zeros; a code that needs them is a category or a text key"
ROUND = "round it in your own export, or have the study declare the column a decimal"
EXPONENT = "write the number out in full, without an exponent"
MORE = "round it in your own export, or have the study declare more digits after the point"

WALL = [
    (AGE, "", f"is empty {NULL}"),
    (AGE, "1e3", f"holds '1e3' {INT}{EXPONENT}"),
    (AGE, "1,5", f"holds '1,5' {INT}{ROUND}"),
    (AGE, "1.0", f"holds '1.0' {INT}{ROUND}"),
    (AGE, "7.", f"holds '7.' {INT}{ROUND}"),
    (AGE, " 7", f"holds ' 7' {INT}{SPACE}"),
    (AGE, "7 ", f"holds '7 ' {INT}{SPACE}"),
    (AGE, " ", f"holds ' ' {INT}{SPACE}"),
    (AGE, "7\n", f"holds '7\\n' {INT}{SPACE}"),
    (AGE, "+5", f"holds '+5' {INT}leave out the plus sign"),
    (AGE, "007", f"holds '007' {INT}{ZEROS}"),
    (AGE, "NaN", f"holds 'NaN' {INT}{NONE}"),
    (AGE, "NA", f"holds 'NA' {INT}{NONE}"),
    (AGE, "null", f"holds 'null' {INT}{NONE}"),
    (AGE, "-", f"holds '-' {INT}{NONE}"),
    (AGE, "1,234,567", f"holds '1,234,567' {INT}{SEPARATORS}"),
    (AGE, "1 234", f"holds '1 234' {INT}{SEPARATORS}"),
    (AGE, "1'234", f'holds "1\'234" {INT}{SEPARATORS}'),
    (AGE, "1_000", f"holds '1_000' {INT}{SEPARATORS}"),
    (AGE, "1,234", f"holds '1,234' {INT}write it without a comma: no thousands separators, and a point before decimals"),
    (AGE, "0x1F", f"holds '0x1F' {INT}write digits only, with - in front where negative"),
    (AGE, "seven", f"holds 'seven' {INT}write digits only, with - in front where negative"),
    (AGE, "--7", f"holds '--7' {INT}write digits only, with - in front where negative"),
    (AGE, "٧", f"holds '٧' {INT}write digits only, with - in front where negative"),
    (AGE, "-1", f"holds '-1' {INT}{BOUNDS}"),
    (AGE, "121", f"holds '121' {INT}{BOUNDS}"),
    (AGE, "9" * 40, f"holds '{'9' * 40}' {INT}{BOUNDS}"),
    (AGE, "9" * 100, f"holds '{'9' * 60}…' {INT}{BOUNDS}"),
    (WIDE, str(1 << 62), f"holds '{1 << 62}' (rule: an integer from {-(1 << 62) + 1} to {(1 << 62) - 1}); {BOUNDS}"),
    (WAGE, "", f"is empty {NULL}"),
    (WAGE, "1.234", f"holds '1.234' {DECIMAL}{MORE}"),
    (WAGE, "1.500", f"holds '1.500' {DECIMAL}{MORE}"),
    (WAGE, "1,5", f"holds '1,5' {DECIMAL}write a point before the decimals, not a comma"),
    (WAGE, "1.", f"holds '1.' {DECIMAL}write digits before and after the point"),
    (WAGE, ".5", f"holds '.5' {DECIMAL}write digits before and after the point"),
    (WAGE, "01.5", f"holds '01.5' {DECIMAL}{ZEROS}"),
    (WAGE, "1.5e2", f"holds '1.5e2' {DECIMAL}{EXPONENT}"),
    (WAGE, "1,234.50", f"holds '1,234.50' {DECIMAL}write it without a comma: no thousands separators, and a point before decimals"),
    (WAGE, "€5", f"holds '€5' {DECIMAL}write digits with a point before the decimals, with - in front where negative"),
    (WAGE, "inf", f"holds 'inf' {DECIMAL}{NONE}"),
    (WAGE, "100000.01", f"holds '100000.01' {DECIMAL}{BOUNDS}"),
    (WAGE, "1000000", f"holds '1000000' {DECIMAL}{BOUNDS}"),
    (WAGE, "-1000.01", f"holds '-1000.01' {DECIMAL}{BOUNDS}"),
    (BORN, "2024-02-30", f"holds '2024-02-30' {DATE}correct it: the calendar has no such day"),
    (BORN, "2023-02-29", f"holds '2023-02-29' {DATE}correct it: the calendar has no such day"),
    (BORN, "2024-13-01", f"holds '2024-13-01' {DATE}correct it: the calendar has no such day"),
    (BORN, "31/03/2024", f"holds '31/03/2024' {DATE}write it as 2024-03-31"),
    (BORN, "2024-3-1", f"holds '2024-3-1' {DATE}write it as 2024-03-31"),
    (BORN, "20240331", f"holds '20240331' {DATE}write it as 2024-03-31"),
    (BORN, "2024-03-31 00:00:00", f"holds '2024-03-31 00:00:00' {DATE}leave out the time of day"),
    (BORN, "2025-01-01", f"holds '2025-01-01' {DATE}{BOUNDS}"),
    (BORN, "1899-12-31", f"holds '1899-12-31' {DATE}{BOUNDS}"),
    (SEX, "Male", f"holds 'Male' {CATEGORY}did you mean 'male'?"),
    (SEX, "male ", f"holds 'male ' {CATEGORY}did you mean 'male'?"),
    (SEX, "x", f"holds 'x' {CATEGORY}use a declared value, or have the study declare this one"),
    (ILL, "yes", f"holds 'yes' {BOOL}write true or false"),
    (ILL, "2", f"holds '2' {BOOL}write true or false"),
    (ILL, "N/A", f"holds 'N/A' {BOOL}{NONE}"),
    (KEY, "abcde", f"holds 'abcde' {TEXT}shorten it, or have the study declare more characters"),
    (KEY, "", f"is empty {NULL}"),
]


def write(path, columns, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow([column.name for column in columns])
        writer.writerows(rows)
    return path


@pytest.mark.parametrize(("column", "cell", "said"), WALL, ids=[f"{column.name}-{cell[:12]!r}" for column, cell, _ in WALL])
def test_a_bad_cell_is_named_with_its_rule_and_remedy(tmp_path, column, cell, said):
    path = write(tmp_path / "t.csv", [column], [[cell]])
    with pytest.raises(BadData) as error:
        check(path, TableSchema("t", (column,)))
    assert str(error.value) == f"t.csv: 1 cell breaks the schema\n  line 2, column {column.name}: {said}"
    assert error.value.public_text == f"t.csv: 1 cell breaks the schema, in column {column.name} (1)"


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        (AGE, "0"), (AGE, "120"), (AGE, "-0"), (WIDE, str((1 << 62) - 1)), (WIDE, str(-(1 << 62) + 1)),
        (WAGE, "-0.5"), (WAGE, "100000.00"), (WAGE, "99999.9"), (WAGE, "-1000"), (BORN, "2024-02-29"), (BORN, "1900-01-01"),
        (SEX, "female"), (ILL, "TRUE"), (ILL, "0"), (ILL, "false"), (KEY, "é→ß "), (replace(AGE, nullable=True), ""),
    ],
)  # fmt: skip
def test_a_good_cell_passes(tmp_path, column, cell):
    assert check(write(tmp_path / "t.csv", [column], [[cell]]), TableSchema("t", (column,))).rows == 1


def test_many_problems_are_shown_in_part_and_counted_in_full(tmp_path):
    rows = [["200", "a\nb"] for _ in range(44)] + [["7", "male"], ["x", "male"]]
    path = write(tmp_path / "t.csv", [AGE, SEX], rows)
    with pytest.raises(BadData) as error:
        check(path, TableSchema("t", (AGE, SEX)))
    remedy = f"{CATEGORY}use a declared value, or have the study declare this one"
    assert str(error.value).splitlines() == [
        "t.csv: 89 cells break the schema",
        *(f"  line {line}, column age: holds '200' {INT}{BOUNDS}" for line in (2, 4, 6)),
        "  and 42 more in column age",
        *(f"  line {line}, column sex: holds 'a\\nb' {remedy}" for line in (2, 4, 6)),
        "  and 41 more in column sex",
    ]
    assert error.value.public_text == "t.csv: 89 cells break the schema, in column age (45), sex (44)"
    assert "200" not in error.value.public_text + repr(error.value)


def test_lines_are_counted_as_an_editor_counts(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbfage;"note"\r\n1;"two\nlines"\r\n2;"a;""b"""\r\nx;\r\n')
    with pytest.raises(BadData, match=r"line 5, column age: holds 'x'"):
        check(path, TableSchema("t", (AGE,)))


def test_what_is_checked_is_summed_up_without_values(tmp_path):
    columns = (replace(AGE, nullable=True), SEX)
    path = write(tmp_path / "t.csv", [*columns, KEY], [["77", "male", "k1"], ["", "male", "k2"]])
    checked = check(path, TableSchema("t", columns))
    assert (checked.rows, checked.unread) == (2, ("person",))
    assert [(one.name, one.filled, one.empty, one.values_used) for one in checked.columns] == [("age", 1, 1, None), ("sex", 2, 0, 1)]
    assert checked.columns[0].declared == "an integer from 0 to 120 or empty"
    assert "77" not in repr(checked.columns)


def test_columns_that_the_schema_does_not_name_are_never_loaded(tmp_path):
    path = write(tmp_path / "t.csv", [AGE, KEY], [["7", "secret"]])
    with connect() as connection:
        load_checked(connection, path, TableSchema("t", (AGE,)))
        assert connection.execute("SELECT column_name FROM duckdb_columns() WHERE NOT internal").fetchall() == [("age",)]


def test_a_table_with_more_rows_than_the_study_allows(tmp_path):
    path = write(tmp_path / "t.csv", [AGE], [["1"], ["2"], ["3"]])
    assert check(path, TableSchema("t", (AGE,)), rows_max=3).rows == 3
    with pytest.raises(Refused) as error:
        check(path, TableSchema("t", (AGE,)), rows_max=2)
    assert str(error.value) == "t.csv: 3 rows (rule: the study allows 2); have it declare more rows_max"


def test_another_owners_rows(tmp_path):
    path = write(tmp_path / "t.csv", [SEX], [["male"], ["female"]])
    with pytest.raises(BadData) as error:
        check(path, TableSchema("t", (SEX,)), constant={"sex": "male"})
    assert str(error.value).splitlines()[1:] == [
        "  line 3, column sex: holds 'female' (rule: every row of this owner holds 'male'); "
        "leave out other owners' rows, or correct the cell"
    ]


def test_a_unique_key(tmp_path):
    rows = [["a", "1"], ["b", "1"], ["a", "2"], ["b", "1"], ["b", "1"]]
    path = write(tmp_path / "t.csv", [KEY, AGE], rows)
    schema = TableSchema("t", (KEY, AGE), unique=("person", "age"))
    with pytest.raises(BadData) as error:
        check(path, schema)
    assert str(error.value).splitlines() == [
        "t.csv: 2 cells break the schema",
        "  line 6, column person, age: holds 'b, 1' (rule: person, age differs in every row; line 3 holds the same); "
        "leave out the repeated row, or correct one of them",
        "  and 1 more in column person, age",
    ]
    check(write(path, [KEY, AGE], rows[:3]), schema)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ColumnSchema("x", "decimal", 0, 1, 19, 2), "decimal(19, 2)"),
        (lambda: ColumnSchema("x", "decimal", 0, 1, 2, 3), "decimal(2, 3)"),
        (lambda: ColumnSchema("x", "category", values=("a", "")), "none of them empty"),
        (lambda: TableSchema("t", (AGE, replace(AGE, name="Age"))), "names a column twice"),
        (lambda: TableSchema("t", (replace(AGE, nullable=True),), ("age",)), "is nullable"),
    ],
)
def test_schemas_that_cannot_be(make, said):
    with pytest.raises(Refused, match=re.escape(said)):
        make()


SCHEMA = TableSchema("t", tuple(replace(one, nullable=True) for one in (AGE, WAGE, BORN, SEX, ILL, KEY, WIDE)))
EPOCH = datetime.date(1970, 1, 1)


def cells(column):
    """(what stands in the file, what it means)."""
    if column.kind == "int":
        some = st.integers(column.low, column.high).map(lambda value: (str(value), value))
    elif column.kind == "decimal":
        some = st.integers(column.low, column.high).map(lambda units: (f"{Decimal(units).scaleb(-column.scale):f}", units))
    elif column.kind == "date":
        some = st.integers(column.low, column.high).map(lambda days: (str(EPOCH + datetime.timedelta(days)), days))
    elif column.kind == "category":
        some = st.sampled_from(column.values).map(lambda value: (value, value))
    elif column.kind == "bool":
        some = st.sampled_from([("true", True), ("0", False), ("False", False), ("1", True)])
    else:
        some = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1, max_size=4).map(
            lambda text: (text, text)
        )
    return st.one_of(some, st.just(("", None)))


@settings(max_examples=25)
@given(st.lists(st.tuples(*(cells(column) for column in SCHEMA.columns)), max_size=12))
def test_good_tables_are_loaded_exactly(tmp_path_factory, rows):
    path = write(tmp_path_factory.mktemp("t") / "t.csv", SCHEMA.columns, [[text for text, _ in row] for row in rows])
    with connect() as connection:
        assert load_checked(connection, path, SCHEMA).rows == len(rows)
        types = [row[1] for row in connection.execute("DESCRIBE t").fetchall()]
        found = connection.execute(
            "SELECT age, CAST(wage * 100 AS BIGINT), born - DATE '1970-01-01', sex, ill, person, n FROM t"
        ).fetchall()
    assert types == ["BIGINT", "DECIMAL(8,2)", "DATE", "VARCHAR", "BOOLEAN", "VARCHAR", "BIGINT"]
    assert found == [tuple(meaning for _, meaning in row) for row in rows]


ODD = st.text("0123456789-+., e", min_size=1, max_size=7)


@settings(max_examples=25)
@given(st.lists(ODD, min_size=1, max_size=40))
def test_numbers_are_judged_as_plain_python_judges_them(tmp_path_factory, texts):
    """Verdicts of DuckDB's patterns and casts against `re` and Decimal, on texts that look like numbers."""
    schema = TableSchema("t", (AGE, WAGE))
    path = write(tmp_path_factory.mktemp("t") / "t.csv", schema.columns, [[text, text] for text in texts])
    whole = [bool(re.fullmatch(r"-?(0|[1-9]\d*)", text)) and 0 <= int(text) <= 120 for text in texts]
    exact = [bool(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d{1,2})?", text)) and -1000 <= Decimal(text) <= 100_000 for text in texts]
    expected = {name: good.count(False) for name, good in (("age", whole), ("wage", exact)) if not all(good)}
    if not expected:
        assert check(path, schema).rows == len(texts)
        return
    with pytest.raises(BadData) as error:
        check(path, schema)
    assert error.value.counts == expected
