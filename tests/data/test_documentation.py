"""The page for owners shows what the check really says."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from accord.data.check import check
from accord.data.problems import BadData
from accord.data.schema import TableSchema
from accord.study.declarations import read_catalog
from accord.study.fields import Fields

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "data.md"


def block(kind):
    """The page's only fenced block of a kind."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return found


def test_the_page_shows_the_real_answer(tmp_path):
    path = tmp_path / "north.csv"
    path.write_text(block("csv"), encoding="utf-8")
    schema = read_catalog(Fields(tomllib.loads(block("toml")), "study.toml")).tables["people"].schema
    with pytest.raises(BadData) as error:
        check(path, schema)
    assert str(error.value) + "\n" == block("text")


def test_the_page_is_right_about_cells(tmp_path):
    """Every cell in the table of kinds: the second column's pass, the third's do not."""
    schema = read_catalog(Fields(tomllib.loads(block("toml")), "study.toml")).tables["people"].schema
    columns = {column.kind: column for column in schema.columns}
    lines = re.findall(r"^\| `([a-z ]+)` \| (.*) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [kind for kind, _, _ in lines] == ["int", "decimal", "date", "category", "bool", "text", "text key"]
    for kind, good, bad in lines:
        for cell in re.findall(r"`([^`= _]+)`", bad):
            assert is_bad(tmp_path, columns[kind], cell), (kind, cell)
        for cell in re.findall(r"`([^`= _]+)`", good):
            assert not is_bad(tmp_path, columns[kind], cell), (kind, cell)


def is_bad(folder, column, cell):
    wide = replace(column, low=-10_000, high=9_999_999) if column.kind in ("int", "decimal") else column
    path = folder / "cell.csv"
    path.write_text(f'{column.name}\n"{cell}"\n', encoding="utf-8")
    try:
        check(path, TableSchema("t", (wide,)))
    except BadData:
        return True
    return False
