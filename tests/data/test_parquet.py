"""Parquet: types are mapped exactly or refused; DuckDB writes the files."""

from __future__ import annotations

import datetime

import duckdb
import pytest

from accord.base.errors import Refused
from accord.data.check import check, load_checked
from accord.data.problems import BadData
from accord.data.read import connect
from accord.data.schema import ColumnSchema, TableSchema

KINDS = {
    "int": ColumnSchema("x", "int", -100, 100, nullable=True),
    "decimal": ColumnSchema("x", "decimal", -10_000, 10_000, 6, 2, nullable=True),
    "date": ColumnSchema("x", "date", 0, 20_000, nullable=True),
    "category": ColumnSchema("x", "category", values=("a", "b"), nullable=True),
    "bool": ColumnSchema("x", "bool", nullable=True),
    "text": ColumnSchema("x", "text", bytes_max=4, nullable=True),
    "text key": ColumnSchema("x", "text key", characters_max=3, nullable=True),
}


def write(path, sql):
    duckdb.sql(f"COPY (SELECT {sql} AS x, 'never' AS unread UNION ALL BY NAME SELECT NULL AS x) TO '{path}' (FORMAT parquet)")
    return path


@pytest.mark.parametrize(
    ("kind", "sql", "value"),
    [
        ("int", "7::TINYINT", 7),
        ("int", "-7::BIGINT", -7),
        ("int", "7::UBIGINT", 7),
        ("decimal", "7::INTEGER", 700),
        ("decimal", "1.5::DECIMAL(5,1)", 150),
        ("decimal", "-1.25::DECIMAL(18,2)", -125),
        ("decimal", "1.250000::DECIMAL(30,6)", 125),
        ("date", "DATE '1970-01-02'", datetime.date(1970, 1, 2)),
        ("category", "'b'", "b"),
        ("category", "'b'::ENUM('a','b')", "b"),
        ("bool", "true", True),
        ("text", "'éé'", "éé"),
        ("text key", "'é'", "é"),
    ],
)
def test_types_are_mapped_exactly(tmp_path, kind, sql, value):
    path = write(tmp_path / "t.parquet", sql)
    with connect() as connection:
        checked = load_checked(connection, path, TableSchema("t", (KINDS[kind],)))
        shown = "CAST(x * 100 AS BIGINT)" if kind == "decimal" else "x"
        assert connection.execute(f"SELECT {shown} FROM t").fetchall() == [(value,), (None,)]
    assert (checked.rows, checked.unread, checked.columns[0].empty) == (2, ("unread",), 1)


@pytest.mark.parametrize(
    ("kind", "sql", "stored"),
    [
        ("int", "7.0::DOUBLE", "DOUBLE"),
        ("int", "7::DECIMAL(5,0)", "DECIMAL(5,0)"),
        ("int", "'7'", "VARCHAR"),
        ("decimal", "1.5::FLOAT", "FLOAT"),
        ("date", "TIMESTAMP '2020-01-01 00:00:00'", "TIMESTAMP"),
        ("date", "'2020-01-01'", "VARCHAR"),
        ("category", "1", "INTEGER"),
        ("bool", "1", "INTEGER"),
        ("text", "7", "INTEGER"),
        ("text key", "'a'::BLOB", "BLOB"),
    ],
)
def test_a_type_that_is_not_exact_is_refused(tmp_path, kind, sql, stored):
    path = write(tmp_path / "t.parquet", sql)
    with pytest.raises(Refused) as error:
        check(path, TableSchema("t", (KINDS[kind],)))
    assert str(error.value).startswith(f"t.parquet: column x is stored as {stored} (rule: a column of kind {kind} is stored as ")
    assert str(error.value).endswith("so that every value is exact); write the Parquet file again with that type")


@pytest.mark.parametrize(
    ("kind", "sql", "said"),
    [
        ("int", "101", "holds '101' (rule: an integer from -100 to 100 or empty)"),
        ("int", "170141183460469231731687303715884105727::HUGEINT::UHUGEINT", "holds '1"),
        ("decimal", "1.255::DECIMAL(6,3)", "holds '1.255'"),
        ("decimal", "100.01::DECIMAL(6,2)", "holds '100.01'"),
        ("decimal", "99999999999.00::DECIMAL(18,2)", "holds '99999999999.00'"),
        ("date", "DATE '2030-01-01'", "holds '2030-01-01'"),
        ("category", "'c'", "holds 'c'"),
        ("category", "''", "holds '' (rule: one of 2 declared values or empty); write NULL where there is no value"),
        ("text key", "''", "holds '' (rule: a text of at most 3 characters or empty); write NULL where there is no value"),
        ("text key", "'abcd'", "holds 'abcd'"),
        (
            "text",
            "''",
            "holds '' (rule: a text of at most 4 bytes of UTF-8 and no NUL character or empty); write NULL where there is no value",
        ),
        (
            "text",
            "'éé!'",
            "holds 'éé!' (rule: a text of at most 4 bytes of UTF-8 and no NUL character or empty); shorten it",
        ),
        (
            "text",
            "'a' || chr(0)",
            r"holds 'a\x00' (rule: a text of at most 4 bytes of UTF-8 and no NUL character or empty); take out",
        ),
    ],
)
def test_a_bad_cell_is_named_by_row(tmp_path, kind, sql, said):
    path = write(tmp_path / "t.parquet", sql)
    if "HUGEINT" in sql:  # Parquet has no such type: DuckDB writes DOUBLE
        with pytest.raises(Refused, match="stored as DOUBLE"):
            check(path, TableSchema("t", (KINDS[kind],)))
        return
    with pytest.raises(BadData) as error:
        check(path, TableSchema("t", (KINDS[kind],)))
    assert str(error.value).splitlines()[1].startswith(f"  row 1, column x: {said}")


def test_null_where_none_may_be_and_missing_columns(tmp_path):
    path = write(tmp_path / "t.parquet", "7")
    with pytest.raises(BadData, match="row 2, column x: is empty"):
        check(path, TableSchema("t", (ColumnSchema("x", "int", 0, 9),)))
    with pytest.raises(Refused, match="no column 'xx'; the nearest is 'x'"):
        check(path, TableSchema("t", (ColumnSchema("xx", "int", 0, 9),)))


def test_a_damaged_file(tmp_path):
    path = write(tmp_path / "t.parquet", "7")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Refused, match=r"^t\.parquet: this is no readable Parquet file: .*; write it again$"):
        check(path, TableSchema("t", (KINDS["int"],)))
