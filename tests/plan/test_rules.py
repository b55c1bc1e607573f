"""Each rule of placement alone: its fixture, that it keeps the columns, and that it keeps the rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accord.base.errors import OurFault, Refused
from accord.frame.sql import to_plan
from accord.plan.facts import walk
from accord.plan.interpret import interpret
from accord.plan.nodes import Aggregate, Input, Join, Local, Project, Scan
from accord.plan.place import RULES, place, place_all, require_placed, verify
from tests.plan.rules import FIXTURES, QUESTIONS, fixture, steps
from tests.plan.worlds import CATALOG, assert_agree, input_table, world

EVERY = sorted({sql for questions in QUESTIONS.values() for sql in questions if " log " not in sql})


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


def test_plans_placed_together_keep_their_rows_and_share_their_steps() -> None:
    named = {"sold": to_plan("SELECT region, SUM(amount) AS s, MAX(n) AS m FROM sales GROUP BY region", CATALOG)}
    named["ranked"] = to_plan("SELECT region, rank, s * 2 AS d, m FROM area LEFT JOIN sold USING (region)", CATALOG, named)
    questions = (
        "SELECT region, d FROM ranked WHERE rank > 1 ORDER BY region",
        "SELECT rank, SUM(d) AS d, SUM(m) AS m FROM ranked GROUP BY rank",
        "SELECT region, m FROM ranked WHERE d > 3",
        "SELECT COUNT(*) AS n FROM sales",
    )
    plans = [to_plan(sql, CATALOG, named) for sql in questions]
    placed = place_all(plans, CATALOG)
    inputs = {one.name: input_table(one, 3) for node in placed for one in walk(node) if isinstance(one, Input)}
    for plan, node in zip(plans, placed, strict=True):
        names = tuple(one.name for one in plan.fields)
        assert sorted(interpret(plan, world(3)).tuples(names), key=repr) == sorted(interpret(node, inputs=inputs).tuples(names), key=repr)
    joins = {id(one) for node in placed for one in walk(node) if isinstance(one, Join)}
    assert len(joins) == 1 and len(inputs) == 6


REFUSED = "SELECT s.amount, t.pay FROM sales s JOIN staff t ON s.price = t.pay"


def test_together_each_is_refused_for_its_own_reason() -> None:
    tables = {name: replace(info, rows_max=(20_000,) * len(info.owners)) for name, info in CATALOG.tables.items()}
    large = replace(CATALOG, tables=tables)
    plans = [to_plan(sql, large) for sql in ("SELECT n FROM sales", REFUSED)]
    with pytest.raises(Refused, match="a JOIN on price = on, which is secret, where several rows"):
        place_all(plans, large)


def test_a_grid_of_whole_rows_that_is_too_large_becomes_secret() -> None:
    """Keys needed above by rows that cannot be grouped beforehand: every key could have every row."""
    tables = {name: replace(info, rows_max=(20_000,) * len(info.owners)) for name, info in CATALOG.tables.items()}
    large = replace(CATALOG, tables=tables)
    rows = "SELECT s.amount FROM sales s JOIN staff t ON s.price = t.grade WHERE s.amount > t.grade"
    place(to_plan(rows, CATALOG), CATALOG)
    with pytest.raises(Refused, match=r"a JOIN on .* make one side unique with GROUP BY in a subquery"):
        place(to_plan(rows, large), large)
    small = "SELECT s.c FROM (SELECT price, COUNT(*) AS c FROM sales GROUP BY price) s JOIN area a ON s.price = a.rank"
    (join,) = [one for one in walk(place(to_plan(small, large), large)) if isinstance(one, Join)]
    assert join.is_public
