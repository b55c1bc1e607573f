"""Reconstruction: a table is published with its totals, and the cells that were held back are solved for by linear programming."""

from __future__ import annotations

import pytest

from accord.base.errors import Refused
from tests.attacks.conftest import COUNT_RULE, JOBS, OFFICES, POLICY, TOWNS, Person, is_held_back
from tests.attacks.reconstruct import ALL, intervals, lines, narrowest

WIDTH = 10
SQL = """SELECT t.town, j.job, COALESCE(p.n, 0) AS n
FROM (SELECT town_line AS town FROM town_line) AS t CROSS JOIN (SELECT job_line AS job FROM job_line) AS j
LEFT JOIN (
  SELECT a.town_line AS town, b.job_line AS job, COUNT(*) AS n
  FROM persons AS p JOIN lines_of_town AS a ON a.town = p.town JOIN lines_of_job AS b ON b.job = p.job
  GROUP BY a.town_line, b.job_line
) AS p ON p.town = t.town AND p.job = j.job ORDER BY town, job"""
HIDING = f"""{{ rule = "complementary_suppression", dimensions = ["town", "job"], columns = ["n"], total = "{ALL}", width = {WIDTH} }}"""
BEFORE, _, AFTER = POLICY.partition("rules = [")
ASKS = BEFORE + 'rules = [{ rule = "complementary_suppression" }]\n' + AFTER[AFTER.index("[tables.persons.columns]") :]


def texts(values):
    return ", ".join(f'"{one}"' for one in values)


def lists(name, values):
    """Public lists: the lines of a table, its total among them, and the lines in which each value counts."""
    pairs = ", ".join(f'["{value}", "{line}"]' for value in values for line in (value, ALL))
    return f"""
[domains.{name}_line]
values = [{texts((*values, ALL))}]
[publics.lines_of_{name}]
columns = [
  {{ name = "{name}", kind = "category", domain = "{name}" }},
  {{ name = "{name}_line", kind = "category", domain = "{name}_line" }},
]
rows = [{pairs}]
"""


def published(rows):
    return {(row["town"], row["job"]): None if is_held_back(row) else row["n"] for row in rows}


@pytest.mark.parametrize("judges", [0, 1, 4])
def test_held_back_cells_are_not_solved_for(register, judges):
    """A reader knows that headcounts are never below zero, and solves for the cells that were held back from all totals; complementary
    suppression leaves each of them open by ten, while without it the judges of Elm are told exactly."""
    spread = [("elm", at) for at in range(judges)] + [(town, 20 + at) for town in TOWNS[:3] for at in range(14)]
    register = register.with_rows(
        *(Person(OFFICES[at % 3], 9000 + number, town, "judge", 50, 0, 1) for number, (town, at) in enumerate(spread))
    )
    how = {"history": lists("town", TOWNS) + lists("job", JOBS), "policy": False}
    held = published(register.ask(SQL, f"rules = [{COUNT_RULE}, {HIDING}]", **how))
    found = intervals(held, lines(held))
    assert narrowest(found) >= WIDTH
    for (town, job), (least, most) in found.items():
        members = [one for one in register.persons if town in (ALL, one.town) and job in (ALL, one.job)]
        assert least - 1e-6 <= len(members) <= most + 1e-6
    with pytest.raises(Refused, match="no complementary_suppression judges it"):
        register.ask(SQL, f"rules = [{COUNT_RULE}]", **{**how, "policy": ASKS})
    told = published(register.ask(SQL, f"rules = [{COUNT_RULE}]", **how))
    assert intervals(told, lines(told)) == {("elm", "judge"): pytest.approx((judges, judges))}
