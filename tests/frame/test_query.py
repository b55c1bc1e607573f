"""Questions whose meaning hangs on where a condition stands: asked three ways, and told apart from their neighbours."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from accord.frame.oracle import run_clear
from accord.frame.sql import to_plan
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


def test_only_a_part_of_a_total_that_is_never_negative_is_bounded_by_it() -> None:
    """SUM(CASE … THEN x ELSE 0 END) / SUM(x) is at most 1 where x is never negative, and at most 100 percent."""

    def largest(numerator: str, denominator: str) -> Fraction:
        type = to_plan(f"SELECT {numerator} / {denominator} AS q FROM sales", CATALOG).fields[0].type
        return Fraction(type.high, 10**type.scale)

    assert largest("SUM(CASE WHEN ok THEN price ELSE 0 END)", "SUM(price)") == 1
    assert largest("100.00 * SUM(price) FILTER (WHERE ok)", "SUM(price)") == 100
    for other in ("SUM(CASE WHEN ok THEN price ELSE 1 END)", "SUM(CASE WHEN ok THEN n ELSE 0 END)", "SUM(n)"):
        assert largest(other, "SUM(price)") > 100
    assert largest("SUM(CASE WHEN ok THEN amount ELSE 0 END)", "SUM(amount)") > 100
