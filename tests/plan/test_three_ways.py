"""clear = plain = placed: random questions over random worlds, each answered three ways."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accord.base.errors import Refused
from tests.plan.worlds import assert_agree, combined_questions, examples, grouped_questions, row_questions

SEEDS = range(6)
MANY = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def check(sql: str, seed: int) -> None:
    """A refusal is no answer: another question is tried, and too many of them fail the test."""
    try:
        assert_agree(sql, seed)
    except Refused:
        assume(False)


@pytest.mark.parametrize("sql", list(examples()))
def test_examples(sql: str) -> None:
    for seed in range(3):
        assert_agree(sql, seed)


@MANY
@given(sql=row_questions(), seed=st.sampled_from(SEEDS))
def test_rows(sql: str, seed: int) -> None:
    check(sql, seed)


@MANY
@given(sql=grouped_questions(), seed=st.sampled_from(SEEDS))
def test_groups(sql: str, seed: int) -> None:
    check(sql, seed)


@MANY
@given(sql=combined_questions(), seed=st.sampled_from(SEEDS))
def test_shares(sql: str, seed: int) -> None:
    check(sql, seed)
