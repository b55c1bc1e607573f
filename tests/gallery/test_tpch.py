"""TPC-H over three owners: what is declared holds what the generator makes, and answers are those of DuckDB."""

from __future__ import annotations

import datetime
from decimal import Decimal

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from accord.base.errors import Refused
from accord.data.check import check
from accord.gallery import one_table
from accord.gallery.tpch import bench, data, study
from accord.gallery.tpch.tables import OWNERS, tables
from accord.mpc.cost import Cost
from accord.node.compiled import compile_study
from accord.node.runtimes import simulate
from accord.release.gate import cost
from accord.study.document import parse
from accord.study.fields import read_toml
from accord.testing.traces import traffic_shape

SCALE = 0.01
REPLICAS_BYTES, DONE_BYTES, AROUND_ROUNDS = 3 * 66, 3 * 2, 3
"""What a run has around its plans: the copies of each input are compared, and every server hears that the others are done."""
ROUNDS_OFF_MAX = 0.01
"""Of steps that run side by side over many blocks, the longest chain of messages is foretold from fewer blocks: a part of all rounds."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return data.make(tmp_path_factory.mktemp("tpch"), SCALE)


def read(folder, query, scale=SCALE):
    path = folder / "study.toml"
    path.write_text(study.document(query, scale), encoding="utf-8")
    return parse(read_toml(path))


def test_each_question_names_columns_of_the_tables_that_it_names(tmp_path):
    for query in study.QUERIES:
        tree = sqlglot.parse_one(study.sql_of(query), dialect="duckdb")
        declared = read(tmp_path, query).catalog.tables
        assert set(declared) == {table.name for table in tree.find_all(exp.Table)} - {"revenue"}, query
        for name, table in declared.items():
            assert {column.name for column in table.schema.columns} <= set(tables(SCALE)[name].columns) and table.owners[0] in OWNERS


def test_most_questions_need_tables_of_several_owners(tmp_path):
    owners = {query: {table.owner for table in study.used(query, SCALE).values()} for query in study.QUERIES}
    assert [query for query, held in owners.items() if len(held) == 1] == ["Q1", "Q6", "Q13", "Q15", "Q22"]
    assert sum(len(held) == 3 for held in owners.values()) == 6


def test_the_declarations_hold_the_rows(made, tmp_path):
    """Whole tables, all columns: ints, decimals, days, categories, texts."""
    columns = "\n".join(
        f'[tables.{name}]\nowners = ["a"]\nrows_max = {one.rows_max}\nunique = {list(one.unique)}\ncolumns = ['
        + ", ".join(f'{{ name = "{column}", {toml} }}' for column, toml in one.columns.items())
        + "]"
        for name, one in tables(SCALE).items()
    )
    head, _, release = study.document("Q6", SCALE).partition("[tables.lineitem]")
    (tmp_path / "study.toml").write_text(f"{head}{columns}\n[[releases]]{release.partition('[[releases]]')[2]}", encoding="utf-8")
    declared = parse(read_toml(tmp_path / "study.toml")).catalog.tables
    rows = {name: check(made[name], table.schema, table.rows_max[0]).rows for name, table in declared.items()}
    assert rows == {
        "region": 5, "nation": 25, "part": 2000, "supplier": 100, "partsupp": 8000, "lineitem": 60175, "customer": 1500, "orders": 15000,
    }  # fmt: skip


def test_answers_are_those_of_duckdb(made, tmp_path):
    """One owner alone; joins of two owners; a subquery, an anti join and texts."""
    results = list(bench.run(["Q1", "Q4", "Q22"], bench.Setting(SCALE, made, "sim:"), tmp_path, lambda _: None))
    assert [(one.query, one.matches_oracle, one.rows) for one in results] == [("Q1", True, 4), ("Q4", True, 5), ("Q22", True, 7)]
    assert all(one.rounds and one.bytes_per_server and not one.refused for one in results)


@pytest.mark.slow
@pytest.mark.parametrize("query", ["Q13", "Q15", "Q22"])
def test_questions_of_one_owner_are_answered_of_several(made, tmp_path, query):
    (result,) = bench.run([query], bench.Setting(SCALE, made, "sim:", apart=True), tmp_path, lambda _: None)
    assert result.matches_oracle and result.rounds > 6, result


@pytest.mark.slow
@pytest.mark.parametrize("query", study.QUERIES)
def test_every_answer_is_that_of_duckdb_at_the_cost_foretold(made, tmp_path, query):
    (result,) = bench.run([query], bench.Setting(SCALE, made, "sim:"), tmp_path, lambda _: None)
    assert result.matches_oracle and not result.refused, result
    compiled = compile_study(read(tmp_path, query))
    foretold = cost(compiled.specs, compiled.profile).beside(Cost(0, REPLICAS_BYTES * len(compiled.inputs) + DONE_BYTES))
    assert result.bytes_per_server == foretold.bytes // 3
    assert abs(result.rounds - foretold.rounds - AROUND_ROUNDS) <= ROUNDS_OFF_MAX * result.rounds


def others(made, folder):
    """Other rows with the same public facts: a part of them, on other days, for other prices."""
    folder.mkdir()
    for name, path in made.items():
        table = duckdb.sql(f"SELECT * FROM '{path}'")
        changes = {
            "DATE": "DATE '1998-01-01' + (hash({x}) % 300)::INTEGER",
            "DECIMAL(15,2)": "CAST({x} * 0.9 + 0.1 AS DECIMAL(15, 2))",
        }
        replaced = [
            f"{changes[str(kind)].format(x=x)} AS {x}"
            for x, kind in zip(table.columns, table.types, strict=True)
            if str(kind) in changes and x not in ("l_discount", "l_tax", "l_quantity", "p_retailprice", "l_extendedprice", "o_totalprice")
        ]
        star = f"* REPLACE ({', '.join(replaced)})" if replaced else "*"
        duckdb.sql(f"COPY (SELECT {star} FROM '{path}' WHERE hash({table.columns[0]}) % 3 > 0) TO '{folder / name}.parquet'")
    return data.given(folder)


def shape(files, query, folder):
    session = one_table.prepare(study.document(query, SCALE), study.files(files, query, SCALE), folder)
    return traffic_shape(simulate(session.folder, session.compiled, "run", lambda _: None, keep=True)[0])


def same_shape(made, folder, query):
    return shape(made, query, folder / "one") == shape(others(made, folder / "others"), query, folder / "two")


def test_traffic_tells_nothing_of_the_rows(made, tmp_path):
    assert same_shape(made, tmp_path, "Q4")


@pytest.mark.slow
@pytest.mark.parametrize("query", [one for one in study.QUERIES if one != "Q4"])
def test_traffic_of_every_question_tells_nothing_of_the_rows(made, tmp_path, query):
    assert same_shape(made, tmp_path, query)


ROWS = [{"a": 1, "b": Decimal("1.50")}, {"a": 1, "b": None}, {"a": 2, "b": Decimal(0)}]


@pytest.mark.parametrize(
    ("rows", "same"),
    [
        (ROWS, True),
        ([ROWS[1], ROWS[0], ROWS[2]], True),
        ([ROWS[0], ROWS[2], ROWS[1]], False),
        (ROWS[:2], False),
        ([*ROWS[:2], {"a": 2, "b": Decimal("0.01")}], False),
        ([*ROWS[:2], {"a": 2, "b": 0}], False),
        ([*ROWS[:2], {"a": datetime.date(2020, 1, 1), "b": Decimal(0)}], False),
    ],
)
def test_the_comparison_can_fail(rows, same):
    assert bench.is_same(rows, ROWS, ("a",)) is same


def test_the_order_of_an_answer_is_read_from_the_question():
    assert bench.order_of("Q3") == ("revenue", "o_orderdate") and bench.order_of("Q6") == ()


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(Refused, match="no question 'Q23'"):
        study.sql_of("Q23")
    with pytest.raises(Refused, match=r"no region\.parquet or region\.csv"):
        data.given(tmp_path)
