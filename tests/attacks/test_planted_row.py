"""Planted rows: a contributor brings invented persons to lift somebody's cell over the minimum, and takes them off again."""

from __future__ import annotations

import pytest

from accord.base.errors import Refused
from tests.attacks.conftest import COUNT_RULE, Person, is_held_back, row_of

SQL = """SELECT town, job, COUNT(*) AS n, COUNT(DISTINCT office) AS offices, SUM(wage) AS wages
FROM persons GROUP BY town, job ORDER BY town, job"""
TARGET = Person("south", 9000, "elm", "judge", 58, 0, 187_654)
PLANTED = [Person("north", 9100 + at, "elm", "judge", 40, 0, 1_000) for at in range(9)]


def wage_of_the_judge(rows):
    """The attacker: what is left of the cell when his nine rows are taken out; None where the cell is held back."""
    cell = row_of(rows, town="elm", job="judge")
    if is_held_back(cell):
        return None
    assert cell["n"] - len(PLANTED) == 1
    return cell["wages"] - sum(one.wage for one in PLANTED)


def test_planted_rows_do_not_lift_a_cell_over_the_minimum(register):
    """North knows that one judge lives in Elm, plants nine judges there, and subtracts them; the rule that three offices contribute to a
    cell stops it, and the owners' policy lets nobody leave the rule out."""
    register = register.with_rows(TARGET, *PLANTED)
    assert wage_of_the_judge(register.ask(SQL, recipient="north")) is None
    with pytest.raises(Refused, match="no minimum_contributors judges it"):
        register.ask(SQL, f"rules = [{COUNT_RULE}]", recipient="north")
    assert wage_of_the_judge(register.ask(SQL, f"rules = [{COUNT_RULE}]", recipient="north", policy=False)) == TARGET.wage


SINGLE = "SELECT COUNT(*) AS n, COUNT(DISTINCT office) AS offices, SUM(wage) AS wages FROM persons WHERE town = 'elm' AND job = 'judge'"


def test_a_single_person_is_no_group(register):
    """A reader who knows that one judge lives in Elm asks for Elm's judges; the minimum count stops him."""
    register = register.with_rows(TARGET)
    (held,) = register.ask(SINGLE)
    assert is_held_back(held)
    (told,) = register.ask(SINGLE.replace("COUNT(DISTINCT office) AS offices, ", ""), 'reason = "switched off"', policy=False)
    assert told["wages"] == TARGET.wage
