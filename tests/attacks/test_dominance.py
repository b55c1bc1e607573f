"""Dominance: a cell that is nearly one member's figure tells that figure, most closely to the second largest member."""

from __future__ import annotations

import pytest

from accord.base.errors import Refused
from tests.attacks.conftest import COUNT_RULE, OFFICE_RULE, OFFICES, POLICY, Person, is_held_back, row_of

SQL = """SELECT town, job, COUNT(*) AS n, COUNT(DISTINCT office) AS offices, SUM(wage) AS wages
FROM persons GROUP BY town, job ORDER BY town, job"""
LARGEST, SECOND = Person("south", 9000, "elm", "judge", 60, 0, 800_000), Person("north", 9001, "elm", "judge", 60, 0, 150_000)
SMALL = [Person(OFFICES[at % 3], 9002 + at, "elm", "judge", 40, 0, 1_000 + at) for at in range(12)]
CLOSE_PERCENT = 10


def bound_on_the_largest(rows):
    """The attacker: what the largest wage can be at most, when his own is taken out; None where the cell is held back."""
    cell = row_of(rows, town="elm", job="judge")
    return None if is_held_back(cell) else cell["wages"] - SECOND.wage


@pytest.mark.parametrize(
    "rule", ['{ rule = "p_percent", column = "wages", p = 10 }', '{ rule = "dominance", column = "wages", n = 2, k = 90 }']
)
def test_the_second_largest_does_not_read_off_the_largest(register, rule):
    """The judge with the second highest wage takes his own out of the sum for Elm's judges, and is left with nearly the highest; the
    p percent rule stops him, and so does dominance."""
    register = register.with_rows(LARGEST, SECOND, *SMALL)
    assert bound_on_the_largest(register.ask(SQL, f"rules = [{COUNT_RULE}, {OFFICE_RULE}, {rule}]")) is None
    bound = bound_on_the_largest(register.ask(SQL, f"rules = [{COUNT_RULE}, {OFFICE_RULE}]"))
    assert LARGEST.wage <= bound <= LARGEST.wage * (100 + CLOSE_PERCENT) // 100


def test_what_the_rule_shows_is_not_close(register):
    """In every cell that p percent shows, the second largest's bound is off by more than ten percent of the largest wage."""
    rule = '{ rule = "p_percent", column = "wages", p = 10 }'
    rows = register.with_rows(LARGEST, SECOND, *SMALL).ask(SQL, f"rules = [{COUNT_RULE}, {OFFICE_RULE}, {rule}]")
    shown = [row for row in rows if not is_held_back(row)]
    assert len(shown) >= 12
    for row in shown:
        first, second, *_ = sorted((one.wage for one in register.where(town=row["town"], job=row["job"])), reverse=True)
        assert 10 * (row["wages"] - second - first) >= first


@pytest.mark.parametrize("name", ["p_percent", "dominance"])
def test_an_owner_may_insist(register, name):
    """An owner whose policy asks for the rule shares nothing with a study that leaves it out."""
    bound = {"p_percent": "p = 10", "dominance": "n = 2, k = 90"}[name]
    policy = POLICY.replace("rules = [", f'rules = [\n  {{ rule = "{name}", {bound} }},')
    with pytest.raises(Refused, match=f"no {name} judges it"):
        register.ask(SQL, policy=policy)
