"""The plans of TPC-H's questions: tables between commas meet on their keys, and nothing grows far beyond the largest table."""

from __future__ import annotations

import pytest

from accord.frame.sql import to_plan
from accord.gallery.tpch import study
from accord.plan.facts import rows_max, walk
from accord.plan.nodes import Aggregate, Join, Node
from accord.study.document import parse
from accord.study.fields import read_toml

SCALE = 0.01


@pytest.mark.parametrize("query", study.QUERIES)
def test_tables_are_joined_on_their_keys(query, tmp_path):
    (tmp_path / "study.toml").write_text(study.document(query, SCALE), encoding="utf-8")
    catalog = parse(read_toml(tmp_path / "study.toml")).catalog

    def rows(node: Node) -> int:
        return rows_max(node, frozenset(), catalog)

    largest = max(sum(one.rows_max) for one in catalog.tables.values())
    for node in walk(to_plan(study.sql_of(query), catalog)):
        if isinstance(node, Join):
            assert node.kind != "cross" or rows(node.right) == 1
            assert rows(node) <= 1.2 * largest
        if isinstance(node, Aggregate):
            assert rows(node) <= 1.2 * largest
