"""Orders by secret columns and the first rows, on shares and plainly."""

from __future__ import annotations

import pytest

from accord.plan.nodes import Aggregate, Concatenate, Limit, Project, Sort
from accord.plan.typing import column
from tests.plan.secret_rows import assert_same_rows, chosen, held

SEEDS = (0, 1)
ORDERS = (
    (("key", False), ("x", True)),
    (("group", True), ("price", False), ("id", False)),
    (("ok", False), ("day", True), ("x", False)),
    (("x", False), ("price", True), ("key", True), ("day", False), ("id", True), ("group", False), ("ok", True), ("sure", False)),
)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("keys", ORDERS, ids=lambda keys: keys[0][0])
def test_orders(keys: tuple[tuple[str, bool], ...], seed: int) -> None:
    node = chosen(held("a")) if seed % 2 else held("a")
    assert_same_rows(Sort(node, keys), seed, ordered=True)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count, offset", [(5, 0), (3, 4), (0, 0), (100, 0), (10, 100)])
def test_first_rows(count: int, offset: int, seed: int) -> None:
    node = chosen(held("a"))
    assert_same_rows(Limit(Sort(node, ORDERS[3]), count, offset), seed, ordered=True)
    assert_same_rows(Limit(node, count, offset), seed, ordered=True)
    passed = Project(Sort(node, ORDERS[1]), (("x", column(node.field("x"))),))
    assert_same_rows(Limit(passed, count, offset), seed, ordered=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_of_several_tables(seed: int) -> None:
    parts = Concatenate((chosen(held("a")), held("b", rows=9), chosen(held("c", rows=70))))
    assert_same_rows(parts, seed)
    assert_same_rows(Aggregate(parts, ("group", "key"), ()), seed)
    assert_same_rows(Limit(Sort(parts, ORDERS[3]), 8), seed, ordered=True)
