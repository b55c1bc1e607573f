"""Colluders: contributors who put together what each of them brought, and subtract it from the published sum."""

from __future__ import annotations

import pytest

from accord.base.errors import Refused
from tests.attacks.conftest import COUNT_RULE, OFFICES, Person, is_held_back, row_of

SQL = """SELECT town, job, COUNT(*) AS n, COUNT(DISTINCT office) AS offices, SUM(wage) AS wages
FROM persons GROUP BY town, job ORDER BY town, job"""
ELM = [
    Person(office, 9000 + 10 * place + at, "elm", "judge", 50, 0, 150_000 + at)
    for place, office in enumerate(("north", "south"))
    for at in range(8)
]


def others_wages(rows, own):
    """The attackers: the cell of Elm's judges without what they brought themselves; None where it is held back."""
    cell = row_of(rows, town="elm", job="judge")
    return None if is_held_back(cell) else cell["wages"] - sum(one.wage for one in own)


def test_one_of_two_contributors_does_not_get_the_others_sum(register):
    """North and South alone have judges in Elm, and North subtracts its own; a minimum of three contributing offices stops it."""
    register = register.with_rows(*ELM)
    own, others = register.where(office="north", town="elm", job="judge"), register.where(office="south", town="elm", job="judge")
    assert others_wages(register.ask(SQL, recipient="north"), own) is None
    with pytest.raises(Refused, match="no minimum_contributors judges it"):
        register.ask(SQL, f"rules = [{COUNT_RULE}]", recipient="north")
    found = others_wages(register.ask(SQL, f"rules = [{COUNT_RULE}]", recipient="north", policy=False), own)
    assert found == sum(one.wage for one in others)


def test_all_but_one_contributor_get_nothing_where_the_rule_asks_for_one_more(register):
    """North and South pool what they brought to cells of three offices; a minimum of four contributors stops them (no cell of three
    offices is shown), a minimum of three does not: it must exceed the largest coalition by two, and docs/threats.md says so."""
    question = SQL.replace("town, job", "town").replace("ORDER BY town, job", "ORDER BY town")
    rules = f'rules = [{COUNT_RULE}, {{ rule = "minimum_contributors", column = "offices", minimum = MINIMUM }}]'
    assert all(map(is_held_back, register.ask(question, rules.replace("MINIMUM", "4"), recipient="north")))
    coalition = [one for office in OFFICES[:2] for one in register.where(office=office, town="elm")]
    elm = row_of(register.ask(question, rules.replace("MINIMUM", "3"), recipient="north"), town="elm")
    assert elm["wages"] - sum(one.wage for one in coalition) == sum(one.wage for one in register.where(office="east", town="elm"))
