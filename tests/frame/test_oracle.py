"""The oracle itself: exact where DuckDB alone is not, files and rows alike, earlier steps, parameters."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.base.errors import OurFault, Refused
from accord.data.encode import encode
from accord.data.problems import BadData
from accord.data.publics import PublicTable, load_public
from accord.data.read import connect
from accord.data.schema import ColumnSchema, TableSchema
from accord.frame.oracle import local_field, run_clear
from accord.frame.sql import to_plan
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.interpret import Table, interpret
from accord.plan.nodes import Field, Input
from accord.plan.place import place
from accord.plan.types import INT, Type
from tests.plan.worlds import CATALOG, world

WIDE = TableInfo(
    TableSchema("t", (ColumnSchema("x", "decimal", -(10**12), 10**12, 18, 2), ColumnSchema("y", "int", -(10**4), 10**4, nullable=True))),
    ("a",),
    (9,),
)
ONE = Catalog({"t": WIDE}, {})


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(-(10**12), 10**12), st.none() | st.integers(-9, 9)), min_size=1, max_size=9))
def test_quotients_and_averages_are_exact(rows: list[tuple[int, int | None]]) -> None:
    """Compared with rationals: DuckDB's own `/` and AVG are floating point and lose digits here."""
    held = {"t": {"a": Table.of(("x", "y"), list(rows))}}
    result = run_clear("SELECT x / y AS q, ROUND(x / y, 1) AS r, y / 3 AS third FROM t", ONE, held)
    for (x, y), (q, r, third) in zip(rows, result.tuples(("q", "r", "third")), strict=True):
        assert q == (half_away(Fraction(x, 100) / y * 10**6) if y else None)
        assert r == (half_away(Fraction(x, 100) / y * 10) if y else None)
        assert third == (None if y is None else half_away(Fraction(y, 3) * 10**4))
    [(mean,)] = run_clear("SELECT AVG(x) AS m FROM t", ONE, held).tuples()
    assert mean == half_away(Fraction(sum(x for x, _ in rows), 100 * len(rows)) * 10**6)


def half_away(exact: Fraction) -> int:
    magnitude = int(abs(exact) + Fraction(1, 2))
    return magnitude if exact >= 0 else -magnitude


def test_files_and_rows_give_the_same(tmp_path: Path) -> None:
    for owner, text in (("a", "region,pay,grade\nwest,10,1\nnorth,,2\n"), ("b", "region,pay,grade\neast,7,3\n")):
        (tmp_path / f"{owner}.csv").write_text(text, encoding="utf-8")
    only = Catalog({"staff": CATALOG.tables["staff"]}, {})
    sql = "SELECT region, SUM(pay) AS p, COUNT(*) AS n FROM staff GROUP BY region ORDER BY region"
    files = {"staff": {owner: tmp_path / f"{owner}.csv" for owner in "ab"}}
    names = ("region", "pay", "grade")
    rows = {"staff": {"a": Table.of(names, [(0, 10, 1), (1, None, 2)]), "b": Table.of(names, [(2, 7, 3)])}}
    assert run_clear(sql, only, files).tuples() == run_clear(sql, only, rows).tuples() == [(2, 7, 1), (1, None, 1), (0, 10, 1)]


def test_text_keys_join_within_one_owner(tmp_path: Path) -> None:
    key = ColumnSchema("person", "text key", characters_max=9)
    tables = {
        "visit": TableInfo(TableSchema("visit", (key, ColumnSchema("cost", "int", 0, 99))), ("h",), (5,)),
        "patient": TableInfo(TableSchema("patient", (key, ColumnSchema("ward", "category", values=("x", "y")))), ("h",), (5,)),
    }
    (tmp_path / "visit.csv").write_text("person,cost\nann,5\nbob,7\nann,9\n", encoding="utf-8")
    (tmp_path / "patient.csv").write_text("person,ward\nann,x\nbob,y\n", encoding="utf-8")
    catalog = Catalog(tables, {})
    sql = "SELECT ward, SUM(cost) AS c, COUNT(DISTINCT person) AS n FROM visit JOIN patient USING (person) GROUP BY ward ORDER BY ward"
    pooled = {name: {"h": tmp_path / f"{name}.csv"} for name in tables}
    assert run_clear(sql, catalog, pooled).tuples() == [(0, 14, 1), (1, 7, 1)]
    place(to_plan(sql, catalog), catalog)


def test_earlier_steps_and_parameters() -> None:
    named = {"sold": "SELECT region, SUM(n) AS total FROM sales GROUP BY region", "best": "SELECT region, total * 2 AS double FROM sold"}
    sql = "SELECT double FROM best WHERE region = :recipient"
    plans = {}
    for name, text in named.items():
        plans[name] = to_plan(text, CATALOG, plans)
    plan = to_plan(sql, CATALOG, plans, {"recipient": "west"})
    pooled = world(1)
    assert run_clear(sql, CATALOG, pooled, named, {"recipient": "west"}).tuples() == interpret(plan, pooled).tuples() != []
    with pytest.raises(Refused, match="no value for :recipient"):
        to_plan(sql, CATALOG, plans)
    with pytest.raises(Refused, match="'wset' is no value of this category"):
        to_plan(sql, CATALOG, plans, {"recipient": "wset"})


def test_a_result_outside_its_inferred_range_is_noticed() -> None:
    """Rows that break the declared bounds make a result that breaks the inferred ones."""
    rows = Table.of(("x", "y"), [(10**14, 1)])
    with pytest.raises(BadData, match="x"):
        run_clear("SELECT x FROM t", ONE, {"t": {"a": rows}})


def test_every_owner_gives_data() -> None:
    with pytest.raises(OurFault, match="no data of a for the table t"):
        run_clear("SELECT x FROM t", ONE, {})


def test_names_of_any_case_and_reserved_words() -> None:
    """Names in SQL do not depend on case; what DuckDB reserves is quoted in owners' SQL."""
    names = ("order", "Group", "Wert")
    info = TableInfo(TableSchema("Table1", tuple(ColumnSchema(name, "int", 0, 9) for name in names)), ("a",), (5,))
    catalog = Catalog({"Table1": info}, {})
    held = {"Table1": {"a": Table.of(names, [(1, 2, 3), (1, 2, 4)])}}
    sql = 'SELECT "order" AS "select", "group" + 1 AS "end", WERT AS wert, Wert AS "my col" FROM table1 WHERE "end" > 2'
    plan = to_plan(sql, catalog)
    assert run_clear(sql, catalog, held).tuples() == interpret(plan, held).tuples() == [(1, 3, 3, 3), (1, 3, 4, 4)]
    placed = place(plan, catalog)
    assert isinstance(placed, Input)
    with connect() as connection:
        load_public(
            connection, "Table1", PublicTable(tuple(local_field(Field(name, Type(INT, 0, 9))) for name in names), ((1, 2, 3), (1, 2, 4)))
        )
        assert encode(connection, "step", placed.sql, tuple(map(local_field, placed.fields))).rows == 2
