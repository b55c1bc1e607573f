"""clear = plain = placed: random questions over random worlds, each answered three ways."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.frame.oracle import run_clear
from accord.frame.sql import to_plan
from accord.plan.place import place
from tests.plan.worlds import CATALOG, assert_agree, combined_questions, examples, grouped_questions, questions, row_questions, world

SEEDS = range(4)
FEW = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(FEW, max_examples=400)


def check(sql: str, seed: int) -> None:
    """A refusal is no answer: another question is tried, and too many of them fail the test."""
    try:
        plan = to_plan(sql, CATALOG)
        placed = place(plan, CATALOG)
    except Refused:
        assume(False)
    assert_agree(sql, seed, plan, placed)


@pytest.mark.parametrize("sql", list(examples()))
def test_examples(sql: str) -> None:
    assert_agree(sql, 3)


@FEW
@given(sql=row_questions(), seed=st.sampled_from(SEEDS))
def test_rows(sql: str, seed: int) -> None:
    check(sql, seed)


@FEW
@given(sql=grouped_questions(), seed=st.sampled_from(SEEDS))
def test_groups(sql: str, seed: int) -> None:
    check(sql, seed)


@FEW
@given(sql=combined_questions(), seed=st.sampled_from(SEEDS))
def test_shares(sql: str, seed: int) -> None:
    check(sql, seed)


@pytest.mark.slow
@MANY
@given(sql=questions(), seed=st.sampled_from(range(10)))
def test_many(sql: str, seed: int) -> None:
    check(sql, seed)


def test_rows_of_different_owners_meet() -> None:
    """A join that is not on the owner's own column pairs rows of all owners, and so stays with the servers."""
    sql = "SELECT s.n, s.shop, p.shop AS other, p.weight FROM sales s JOIN shipped p ON s.n = p.n"
    met = [row for seed in range(3) for row in run_clear(sql, CATALOG, world(seed)).tuples(("shop", "other"))]
    assert any(shop != other for shop, other in met)
    for seed in range(3):
        assert_agree(sql, seed)
