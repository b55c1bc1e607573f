"""`accord bench tpch`: one object on standard output, progress beside it, and what is called wrongly is refused before anything is made."""

import json

import pytest


def test_the_object_and_the_exit_code(accord, tmp_path):
    said = accord("bench", "tpch", "--sf", "0.01", "--queries", "Q6", "--runtime", "sim:", "--json")
    (result,) = json.loads(said.out)["results"]
    assert said.code == 0 and result["query"] == "Q6" and result["matches_oracle"] is True
    assert set(result) == {"query", "matches_oracle", "seconds", "rounds", "bytes_per_server", "rows"}
    assert said.line.startswith("1/1 Q6: ") and said.line.endswith(" s, as DuckDB")
    (folder,) = (tmp_path / "accord-tpch").iterdir()
    given = accord("bench", "tpch", "--sf", "0.01", "--queries", "q6", "--runtime", "sim:", "--data", folder / "data")
    assert given.code == 0 and "as DuckDB" in given.out.splitlines()[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sf", "0"], "--sf 0"),
        (["--sf", "nan"], "--sf nan"),
        (["--queries", "Q1,Q99"], "no question 'Q99'"),
    ],
)
def test_what_cannot_be_is_refused(accord, tmp_path, arguments, words):
    said = accord("bench", "tpch", *arguments)
    assert said.code == 3 and words in said.line and not list(tmp_path.glob("accord-tpch"))


def test_an_owners_refusal_is_told_and_counts_as_no_answer(accord, tmp_path):
    """Files that do not keep their schema."""
    accord("bench", "tpch", "--queries", "Q6", "--runtime", "sim:")
    (folder,) = (tmp_path / "accord-tpch").iterdir()
    (folder / "data" / "lineitem.parquet").write_bytes((folder / "data" / "orders.parquet").read_bytes())
    said = accord("bench", "tpch", "--queries", "Q6", "--runtime", "sim:", "--data", folder / "data", "--json")
    (result,) = json.loads(said.out)["results"]
    assert said.code == 1 and not result["matches_oracle"] and "no column 'l_" in result["refused"]
