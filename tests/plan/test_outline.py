"""What is told of the rules that made a plan what it is."""

from __future__ import annotations

from itertools import pairwise

from accord.frame.sql import to_plan
from accord.plan.outline import outline, rewritings
from accord.plan.place import RULES, place
from tests.plan.worlds import CATALOG

SQL = "SELECT region, SUM(n) AS s FROM sales JOIN area USING (region) WHERE n > 1 AND 1 = 1 GROUP BY region ORDER BY s"


def test_each_rule_that_changed_the_plan_is_told_with_what_it_is_for() -> None:
    plan = to_plan(SQL, CATALOG)
    told = rewritings(plan, CATALOG)
    names = [rule.__name__ for rule in RULES]
    assert told and [one.rule for one in told] == sorted((one.rule for one in told), key=names.index)
    assert told[0].before == plan and outline(told[-1].after) == outline(place(plan, CATALOG))
    assert all(first.after == second.before for first, second in pairwise(told))
    for one in told:
        assert one.purpose.endswith(".") and len(one.purpose.split()) > 5
        assert one.text.startswith(f"{one.rule}: {one.purpose}\n\nbefore\n") and "\nafter\n" in one.text


def test_a_rule_that_changes_nothing_is_not_told() -> None:
    told = rewritings(to_plan("SELECT n FROM sales", CATALOG), CATALOG)
    assert "order_joins" not in [one.rule for one in told] and "share_inputs" in [one.rule for one in told]
