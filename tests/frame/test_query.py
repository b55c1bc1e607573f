"""Questions whose meaning hangs on where a condition stands: asked three ways, and told apart from their neighbours."""

from __future__ import annotations

from collections import Counter

import pytest

from accord.frame.oracle import run_clear
from tests.plan.worlds import CATALOG, assert_agree, world

SEEDS = range(2)
JOINED = "SELECT a.region, s.pay FROM area a LEFT JOIN staff s ON a.region = s.region"


def rows(sql: str, seed: int) -> Counter:
    return Counter(run_clear(sql, CATALOG, world(seed)).tuples())


def test_a_condition_in_the_on_of_an_outer_join_chooses_rows_of_the_joined_table() -> None:
    """In ON it takes partners away; in WHERE it takes rows away; the three differ on some data."""
    within, above = f"{JOINED} AND s.grade < 3", f"{JOINED} WHERE s.grade < 3"
    for seed in SEEDS:
        for sql in (JOINED, within, above):
            assert_agree(sql, seed)
    assert any(rows(JOINED, seed) != rows(within, seed) != rows(above, seed) for seed in SEEDS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT COUNT(amount) AS c FROM sales", "SELECT COUNT(*) AS c FROM sales"),
        ("SELECT SUM(n) FILTER (WHERE ok) AS c FROM sales", "SELECT SUM(n) AS c FROM sales"),
        (
            "SELECT region, SUM(n) AS c FROM sales GROUP BY region HAVING COUNT(*) > 2",
            "SELECT region, SUM(n) AS c FROM sales GROUP BY region",
        ),
        ("SELECT COUNT(DISTINCT region) AS c FROM sales", "SELECT COUNT(region) AS c FROM sales"),
        ("SELECT n FROM sales WHERE ok IS NOT TRUE", "SELECT n FROM sales WHERE NOT ok"),
    ],
)
def test_neighbours_are_told_apart(one: str, other: str) -> None:
    for seed in SEEDS:
        assert_agree(one, seed)
        assert_agree(other, seed)
    assert any(rows(one, seed) != rows(other, seed) for seed in SEEDS)
