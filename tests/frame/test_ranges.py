"""Which conditions of a join are a range, and what becomes of the others."""

from __future__ import annotations

import pytest

from accord.base.errors import Refused
from accord.frame.sql import to_plan
from accord.plan.facts import walk
from accord.plan.nodes import Filter, Join, Node
from accord.plan.steps import expression_text
from tests.plan.worlds import CATALOG

HINT = "/*+ rows_max(500) */"


def joined(sql: str) -> list[str]:
    """What each join by time demands, and its bound."""
    found = [one for one in walk(to_plan(sql, CATALOG)) if isinstance(one, Join) and one.match]
    return [f"{one.match.text} {one.rows_max}" for one in found if one.match]


def filters(node: Node) -> list[str]:
    return [expression_text(one.predicate) for one in walk(node) if isinstance(one, Filter)]


def test_which_conditions_are_a_range() -> None:
    pair = f"SELECT s.n FROM sales s JOIN {HINT} staff p ON "
    assert joined(pair + "s.amount BETWEEN p.grade AND p.pay") == ["grade <= amount <= pay 500"]
    assert joined(pair + "p.pay > s.amount AND s.amount > p.grade") == ["grade < amount < pay 500"]
    assert joined(pair + "s.n <= p.pay AND s.amount > p.pay") == ["n <= pay < amount 500"], "the other table's point"
    assert joined(f"SELECT {HINT} s.n FROM sales s, staff p WHERE s.amount BETWEEN p.grade AND p.pay") == ["grade <= amount <= pay 500"]
    assert joined("SELECT s.n FROM sales s SEMI JOIN staff p ON s.amount BETWEEN p.grade AND p.pay") == ["grade <= amount <= pay 0"]


@pytest.mark.parametrize(
    "on",
    [
        "s.amount >= p.grade",
        "s.amount >= p.grade AND s.n <= p.pay",
        "s.amount BETWEEN 1 AND p.pay",
        "s.amount BETWEEN s.n AND p.pay",
        "s.region BETWEEN p.region AND p.region",
        "s.amount >= p.grade AND s.amount <> p.pay",
    ],
)
def test_what_is_no_range(on: str) -> None:
    assert joined(f"SELECT s.n FROM sales s JOIN {HINT} staff p ON s.region = p.region AND {on}") == []


def test_no_range_without_a_bound_or_with_a_unique_side() -> None:
    assert joined("SELECT s.n FROM sales s JOIN staff p ON s.amount BETWEEN p.grade AND p.pay") == []
    groups = "(SELECT region, MIN(grade) AS a, MAX(pay) AS b FROM staff GROUP BY region)"
    assert joined(f"SELECT s.n FROM sales s JOIN {HINT} {groups} p ON s.region = p.region AND s.amount BETWEEN p.a AND p.b") == []


def test_what_is_no_part_of_the_range_still_holds() -> None:
    plan = to_plan(f"SELECT s.n FROM sales s JOIN {HINT} staff p ON s.amount >= p.grade AND s.amount BETWEEN p.pay AND p.pay + 9", CATALOG)
    assert [one.match.text for one in walk(plan) if isinstance(one, Join) and one.match] == ["grade <= amount <= on"]
    assert filters(plan) == ["amount >= pay"]


def test_an_outer_join_decides_who_may_meet() -> None:
    """Conditions on the kept side never lose its rows; one on both sides beside the range is refused."""
    start = f"SELECT s.n FROM sales s LEFT JOIN {HINT} staff p ON s.amount BETWEEN p.grade AND p.pay AND "
    assert filters(to_plan(start + "p.pay > 2", CATALOG)) == ["pay > 2"]
    assert filters(to_plan(start + "s.n > 2", CATALOG)) == []
    with pytest.raises(Refused, match="a condition on both tables in the ON of an outer JOIN"):
        to_plan(start + "s.n <> p.grade", CATALOG)
