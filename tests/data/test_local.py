"""The owner's own step: exact integers on the public grid, or a refusal."""

from __future__ import annotations

import csv
import datetime
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.data.encode import LocalField
from accord.data.local import LocalStep, OwnedTable, run_local_step
from accord.data.problems import BadData
from accord.data.publics import PublicTable
from accord.data.schema import ColumnSchema, TableSchema

OFFICES = ("ITA", "NLD", "USA")
SCHEMA = TableSchema(
    "trade",
    (
        ColumnSchema("office", "category", values=OFFICES),
        ColumnSchema("year", "int", 2000, 2002),
        ColumnSchema("value", "decimal", -(10**9), 10**9, 12, 2, nullable=True),
        ColumnSchema("day", "date", 0, 30_000, nullable=True),
        ColumnSchema("final", "bool", nullable=True),
    ),
)
OFFICE = LocalField("office", "category", values=OFFICES)
YEAR = LocalField("year", "int", 2000, 2002)
VALUE = LocalField("value", "decimal", -(10**9), 10**9, 2, nullable=True)
DAY = LocalField("day", "date", 0, 30_000, nullable=True)
FINAL = LocalField("final", "bool", nullable=True)
GRID = (("office", (0, 1, 2)), ("year", (2002, 2000, 2001)))
"""Years in another order than their size: positions follow the list."""
ROWS = [
    ("USA", 2000, "1.25", "1970-01-02", "true"),
    ("USA", 2002, "-3", "", "0"),
    ("ITA", 2001, "", "2000-02-29", ""),
]


def tables(folder, rows, **bounds):
    path = folder / "trade.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in SCHEMA.columns])
        writer.writerows(rows)
    return {"trade": OwnedTable(path, SCHEMA, **bounds)}


def step(sql, *fields, keys=(), slots=10):
    return LocalStep("trade@usa", sql, keys, slots, fields)


def test_rows_lie_on_the_grid(tmp_path):
    asked = step("SELECT * FROM trade", OFFICE, YEAR, VALUE, DAY, FINAL, keys=GRID, slots=1)
    found = run_local_step(asked, tables(tmp_path, ROWS), {})
    assert [field.name for field in found.fields] == ["value", "day", "final"]
    assert found.rows == asked.rows == 9
    assert np.flatnonzero(found.valid).tolist() == [2, 6, 7]  # ITA 2001, USA 2002, USA 2000
    assert found.values["value"].tolist() == [0, 0, 0, 0, 0, 0, -300, 125, 0]
    assert found.nulls["value"].tolist() == [False, False, True, *[False] * 6]
    assert found.values["day"].tolist() == [0, 0, (datetime.date(2000, 2, 29) - datetime.date(1970, 1, 1)).days, 0, 0, 0, 0, 1, 0]
    assert found.values["final"].tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert [found.values[name].dtype for name in found.values] == [np.int64] * 3
    assert [found.nulls[name].dtype for name in found.nulls] == [np.bool_] * 3
    assert repr(found) == "<local columns of trade@usa: value, day, final; 9 rows>"


def test_the_layout_does_not_depend_on_the_order_of_the_file(tmp_path):
    asked = step("SELECT office, value, day FROM trade", OFFICE, VALUE, DAY, keys=GRID[:1], slots=4)
    rows = [("USA", 2000, f"{number % 5}.5", "", "") for number in range(3)] + ROWS[2:]
    one = run_local_step(asked, tables(tmp_path, rows), {})
    other = run_local_step(asked, tables(tmp_path, rows[::-1]), {})
    assert one.values["value"].tolist() == other.values["value"].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 50, 150, 250, 0]
    assert one.values["day"].tolist() == other.values["day"].tolist()
    assert one.valid.tolist() == other.valid.tolist()


def test_public_tables_and_an_empty_table(tmp_path):
    factor = PublicTable((OFFICE, LocalField("factor", "decimal", 0, 200, 2, nullable=True)), ((0, 106), (2, 110), (1, None)))
    nothing = PublicTable((YEAR, DAY, FINAL), ())
    asked = step(
        "SELECT value * factor AS product FROM trade JOIN factor USING (office)",
        LocalField("product", "decimal", -(10**9), 10**9, 4, nullable=True),
    )
    found = run_local_step(asked, tables(tmp_path, ROWS), {"factor": factor, "nothing": nothing})
    assert sorted(found.values["product"][found.valid].tolist()) == [-33_000, 0, 13_750]
    assert found.nulls["product"].sum() == 1
    found = run_local_step(
        step("SELECT count(*) AS n FROM nothing", LocalField("n", "int", 0, 9)), tables(tmp_path, []), {"nothing": nothing}
    )
    assert (found.values["n"].tolist(), found.valid.tolist()) == ([0] * 10, [True] + [False] * 9)


PUBLIC = PublicTable(
    (
        LocalField("k", "int", -(1 << 62) + 1, (1 << 62) - 1),
        LocalField("d", "decimal", -(1 << 62) + 1, (1 << 62) - 1, 4),
        LocalField("t", "date", -700_000, 2_900_000),
        LocalField("b", "bool"),
        LocalField("c", "category", values=("it's", "b")),
    ),
    (((1 << 62) - 1, (1 << 62) - 1, -700_000, 1, 0), (-(1 << 62) + 1, -(1 << 62) + 1, 2_900_000, 0, 1)),
)


def test_public_values_come_back_as_they_were_given():
    found = run_local_step(step("SELECT * FROM p", *PUBLIC.columns, slots=2), {}, {"p": PUBLIC})
    back = list(zip(*(found.values[column.name].tolist() for column in PUBLIC.columns), strict=True))
    assert sorted(back) == sorted(PUBLIC.rows)


AMOUNTS = st.one_of(st.none(), st.integers(-(10**9), 10**9), st.integers(-3, 3))


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(OFFICES), st.integers(2000, 2002), AMOUNTS), max_size=40))
def test_sums_by_group_agree_with_plain_python(tmp_path_factory, rows):
    texts = [(office, year, "" if units is None else f"{Decimal(units).scaleb(-2):f}", "", "") for office, year, units in rows]
    sql = "SELECT office, year, SUM(value) AS value, COUNT(*) AS n, COUNT(value) AS filled FROM trade GROUP BY office, year"
    total = replace(VALUE, low=-40 * 10**9, high=40 * 10**9)
    asked = step(sql, OFFICE, YEAR, total, LocalField("n", "int", 0, 40), LocalField("filled", "int", 0, 40), keys=GRID, slots=1)
    found = run_local_step(asked, tables(tmp_path_factory.mktemp("t"), texts), {})
    groups = defaultdict(list)
    for office, year, units in rows:
        groups[office, year].append(units)
    for at, (office, year) in enumerate((office, year) for office in OFFICES for year in (2002, 2000, 2001)):
        units = groups[office, year]
        filled = [one for one in units if one is not None]
        assert found.valid[at] == bool(units)
        assert found.values["n"][at] == len(units)
        assert found.values["filled"][at] == len(filled)
        assert found.values["value"][at] == sum(filled)
        assert found.nulls["value"][at] == (bool(units) and not filled)


OUT = "the owner's own step, column "


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            step("SELECT value FROM trade", replace(VALUE, high=124)),
            f"{OUT}value: reaches 1.25 (rule: from -10000000.00 to 1.24); correct the data, or have the study declare wider bounds",
        ),
        (
            step("SELECT value FROM trade", replace(VALUE, low=0)),
            f"{OUT}value: reaches -3.00 (rule: from 0.00 to 10000000.00); correct the data, or have the study declare wider bounds",
        ),
        (
            step("SELECT value FROM trade", replace(VALUE, nullable=False)),
            f"{OUT}value: is empty (rule: the column is not nullable); fill the value in, or have the study declare the column nullable",
        ),
        (
            step("SELECT 'FRA' AS office FROM trade", OFFICE),
            f"{OUT}office: holds a value that is not declared (rule: one of 3 declared values); "
            "have the study declare every value that its SQL makes",
        ),
        (
            step("SELECT office, year FROM trade", OFFICE, YEAR, keys=(("year", (2000, 2001)),)),
            f"{OUT}year: holds '2002' (rule: a key is one of its public values, never NULL); "
            "have the study leave such rows out by a WHERE, or declare the value",
        ),
        (
            step("SELECT NULL AS year FROM trade", replace(YEAR, nullable=True), keys=(("year", (0, 2000)),)),
            f"{OUT}year: is empty (rule: a key is one of its public values, never NULL); "
            "have the study leave such rows out by a WHERE, or declare the value",
        ),
        (
            step("SELECT * FROM trade", OFFICE, YEAR, keys=GRID[:1], slots=1),
            f"{OUT}(rows): office = USA has 2 rows (rule: the study allows 1 in a cell); "
            "leave repeated rows out, or have the study declare more rows",
        ),
        (
            step("SELECT * FROM trade", YEAR, slots=2),
            f"{OUT}(rows): the table has 3 rows (rule: the study allows 2 in a cell); "
            "leave repeated rows out, or have the study declare more rows",
        ),
        (
            step("SELECT year * 9223372036854775807 AS year FROM trade", YEAR),
            f"{OUT}(computed): Out of Range Error: Overflow in multiplication of INT64 (2000 * 9223372036854775807)! "
            "(rule: every intermediate value fits its type); correct the data, "
            "or have the study declare narrower bounds or a narrower computation",
        ),
        (
            step("SELECT year::HUGEINT * 9223372036854775807 AS year FROM trade WHERE year = 2000", YEAR),
            f"{OUT}year: reaches {2000 * (2**63 - 1)} (rule: from 2000 to 2002); correct the data, or have the study declare wider bounds",
        ),
    ],
)
def test_a_value_that_the_study_does_not_foresee_stops_the_step(tmp_path, asked, said):
    with pytest.raises(BadData) as error:
        run_local_step(asked, tables(tmp_path, ROWS), {})
    assert str(error.value).splitlines()[1] == f"  {said}"
    assert error.value.public_text.startswith("trade@usa: ")
    assert "USA" not in error.value.public_text


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT value / 3 AS value FROM trade", "computes column value as DOUBLE, declared is decimal with 2 digits after the point"),
        ("SELECT value * 1.001 AS value FROM trade", r"computes column value as DECIMAL\(\d+,5\), declared is decimal with 2 digits"),
        ("SELECT day AS value FROM trade", "computes column value as DATE, declared is decimal"),
        ("SELECT value AS valeu FROM trade", "gives no column 'value'; it gives valeu"),
        ("SELECT value FROM trad", "does not run here: Catalog Error: Table with name trad does not exist!"),
        ("SELECT valeu FROM trade", "does not run here: Binder Error: "),
        ("SELEKT value FROM trade", "does not run here: Parser Error: "),
        ("SELECT value FROM trade; DROP TABLE trade", "it is not one SELECT"),
        ("DROP TABLE trade", "it is not one SELECT"),
        ("COPY trade TO 'out.csv'", "it is not one SELECT"),
        ("SET threads = 1", "it is not one SELECT"),
        ("ATTACH 'x.db'", "it is not one SELECT"),
        ("INSTALL httpfs", "it is not one SELECT"),
        ("PRAGMA version", "it is not one SELECT"),
    ],
)
def test_sql_that_is_not_exact_or_not_a_question_is_refused(tmp_path, sql, said):
    with pytest.raises(Refused, match=said):
        run_local_step(step(sql, VALUE), tables(tmp_path, ROWS), {})


@pytest.mark.parametrize(
    "reach", ["read_csv('{0}')", "'{0}'", "read_text('{0}')", "glob('*')", "read_parquet('https://example.org/x')", "python_object"]
)
def test_the_step_reaches_no_file_no_network_and_no_variable(tmp_path, reach):
    python_object = {"value": np.arange(3)}
    assert python_object
    owned = tables(tmp_path, ROWS)
    with pytest.raises(Refused, match=r"does not run here: (Permission|Catalog) Error"):
        run_local_step(step(f"SELECT 1 AS value FROM {reach.format(owned['trade'].path)}", VALUE), owned, {})


def test_the_files_are_checked_again_before_the_step(tmp_path):
    asked = step("SELECT 1 AS value", VALUE)
    with pytest.raises(BadData, match="line 2, column year: holds '1999'"):
        run_local_step(asked, tables(tmp_path, [("USA", 1999, "1", "", "")]), {})
    with pytest.raises(Refused, match="the study allows 2"):
        run_local_step(asked, tables(tmp_path, ROWS, rows_max=2), {})
    with pytest.raises(BadData, match="every row of this owner holds 'USA'"):
        run_local_step(asked, tables(tmp_path, ROWS, constant={"office": "USA"}), {})


def test_a_comment_at_the_end_and_a_null_column(tmp_path):
    found = run_local_step(step("SELECT NULL AS value FROM trade -- all", VALUE), tables(tmp_path, ROWS), {})
    assert (found.nulls["value"].sum(), found.valid.sum()) == (3, 3)
