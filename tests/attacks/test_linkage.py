"""Linkage: a public register that has everybody's name, age, town and job is laid beside released rows."""

from __future__ import annotations

from collections import Counter

import pytest

from accord.base.errors import Refused
from tests.attacks.conftest import NO_RULES, POLICY, is_held_back

SQL = "SELECT age, town, job, wage FROM persons"
K = 5
LEVELS = 'age = [1, 5, 10, "all"], town = ["town", "all"], job = ["job", "all"]'
RULE = f'rules = [{{ rule = "k_anonymity", k = {K}, quasi_identifiers = {{ {LEVELS} }} }}]'
ROWS_ALLOWED = """
[tables.persons]
rules = [{ rule = "k_anonymity", k = 5 }]
[tables.persons.columns]
age = ["as input"]
town = ["as input"]
job = ["as input"]
wage = ["as input"]
"""
MICRODATA = POLICY[: POLICY.index("[tables.persons]")] + ROWS_ALLOWED


def found(register, rows):
    """The attacker: the persons of the register whose row he is sure of, as only one shown row fits what he knows of them."""
    shown = Counter(
        (row.get("age_from", row.get("age")), row.get("age_to", row.get("age")), row["town"], row["job"])
        for row in rows
        if not is_held_back(row)
    )
    fits = {one.person: sum(n for kind, n in shown.items() if _fits(one, *kind)) for one in register.persons}
    return [person for person, rows in fits.items() if rows == 1], min((rows for rows in fits.values() if rows), default=0)


def _fits(person, low, high, town, job):
    return low <= person.age <= high and town in (person.town, "all") and job in (person.job, "all")


def test_nobody_is_found_among_rows_that_look_alike(register):
    """The reader has a register with everybody's age, town and job, and looks for rows that fit one person alone; k-anonymity stops him."""
    sure, fewest = found(register, register.ask(SQL, RULE, policy=MICRODATA))
    assert not sure and fewest >= K
    with pytest.raises(Refused, match="no k_anonymity judges it"):
        register.ask(SQL, NO_RULES, policy=MICRODATA)
    sure, _ = found(register, register.ask(SQL, NO_RULES, policy=False))
    assert len(sure) > len(register.persons) // 4
