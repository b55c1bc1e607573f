"""clear = plain = placed: random questions over random worlds, each answered three ways."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.frame.sql import to_plan
from accord.plan.place import place
from tests.plan.worlds import CATALOG, assert_agree, combined_questions, examples, grouped_questions, questions, row_questions

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
