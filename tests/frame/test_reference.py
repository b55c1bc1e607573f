"""What is accepted gives DuckDB's answer, what is refused says exactly this, and docs/reference/sql.md says the same."""

from __future__ import annotations

from itertools import chain

import pytest
import sqlglot

from accord.frame.expressions import NEAREST
from accord.frame.query import CLAUSES_REFUSED
from tests.frame.reference import PAGE, SENTENCES, accepted, page, refused, sentence, sentences
from tests.plan.worlds import assert_agree


@pytest.mark.parametrize("sql", [sql for _, questions in accepted() for sql in questions])
def test_accepted(sql: str) -> None:
    assert_agree(sql, 3)


def test_every_refusal_says_exactly_this() -> None:
    assert sentences() == SENTENCES.read_text(encoding="utf-8")


@pytest.mark.parametrize("sql", refused())
def test_refused_with_reason_and_nearest_form(sql: str) -> None:
    """One sentence, a remedy after the semicolon, and the place wherever the SQL can be parsed."""
    said = sentence(sql)
    assert said and "\n" not in said and "; " in said


def test_every_nearest_form_is_reached() -> None:
    """Each entry of the table of refusals is said for some question."""
    said = [sentence(sql) for sql in refused()]
    for what, nearest in chain(NEAREST.values(), CLAUSES_REFUSED.values()):
        assert any(f"{what} is not supported; {nearest}" in one for one in said), what


def test_the_page_is_up_to_date() -> None:
    """Write it anew with: python -m tests.frame.reference"""
    assert page() == PAGE.read_text(encoding="utf-8")


def test_accepted_questions_are_parsed_by_duckdbs_dialect() -> None:
    for _, questions in accepted():
        for sql in questions:
            assert sqlglot.parse_one(sql, dialect="duckdb")
