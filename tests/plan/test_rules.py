"""Each rule of placement alone: its fixture, that it keeps the columns, and that it keeps the rows."""

from __future__ import annotations

import pytest

from accord.base.errors import OurFault
from accord.frame.sql import to_plan
from accord.plan.facts import walk
from accord.plan.interpret import interpret
from accord.plan.nodes import Aggregate, Input, Local, Project, Scan
from accord.plan.place import RULES, place, require_placed, verify
from tests.plan.rules import FIXTURES, QUESTIONS, fixture, steps
from tests.plan.worlds import CATALOG, assert_agree, world

EVERY = sorted({sql for questions in QUESTIONS.values() for sql in questions})


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES])
def test_fixture(rule: str) -> None:
    """Write it anew with: python -m tests.plan.rules"""
    assert fixture(rule) == (FIXTURES / f"{rule}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES])
def test_the_fixture_shows_a_change(rule: str) -> None:
    changes = [before != after for before, after in (steps(sql)[rule] for sql in QUESTIONS[rule])]
    assert any(changes)


@pytest.mark.parametrize("sql", EVERY)
def test_every_rule_keeps_the_rows(sql: str) -> None:
    """Rules up to the one that shares are compared plainly, step by step; the whole with DuckDB."""
    for rule, (before, after) in steps(sql).items():
        if not any(isinstance(one, Input) for one in walk(after)):
            names = tuple(one.name for one in before.fields)
            rows = [sorted(interpret(one, world(2)).tuples(names), key=repr) for one in (before, after)]
            assert rows[0] == rows[1], rule
    assert_agree(sql, 2)


def test_verify_notices_a_changed_column() -> None:
    plan = to_plan("SELECT amount, n FROM sales", CATALOG)
    verify("nothing", plan, plan)
    for other in ("SELECT n, amount FROM sales", "SELECT amount FROM sales", "SELECT amount, n + 0 AS n FROM sales WHERE n > 1"):
        changed = to_plan(other, CATALOG)
        if [(one.name, one.type) for one in changed.fields] != [(one.name, one.type) for one in plan.fields]:
            with pytest.raises(OurFault):
                verify("a rule", plan, changed)


def test_what_is_not_placed_is_not_run() -> None:
    plan = to_plan("SELECT amount FROM sales", CATALOG)
    for unplaced in (plan, Local(plan)):
        with pytest.raises(OurFault):
            require_placed(unplaced)
    assert not any(isinstance(one, Scan | Local) for one in walk(place(plan, CATALOG)))


def test_a_step_that_two_releases_share_is_one() -> None:
    """Other columns asked of the same steps leave the steps equal, so that they run once."""
    sold = "SELECT region, SUM(n) AS s, MAX(n) AS m FROM sales GROUP BY region"
    cells = f"WITH c AS (SELECT region, rank, s * 2 AS d, m FROM area JOIN ({sold}) USING (region))"
    chosen = place(to_plan(f"{cells} SELECT d, m FROM c", CATALOG), CATALOG)
    grouped = place(to_plan(f"{cells} SELECT rank, SUM(d) AS d, MIN(m) AS m FROM c GROUP BY rank", CATALOG), CATALOG)
    assert isinstance(chosen, Project) and isinstance(grouped, Aggregate)
    assert chosen.input == grouped.input
