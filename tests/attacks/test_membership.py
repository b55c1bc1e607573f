"""Membership inference: is a certain person in the data at all? Asked of a histogram by who knows everybody else in it."""

from __future__ import annotations

import random
from math import exp, sqrt

import pytest

from accord.base.errors import Refused
from tests.attacks.conftest import OFFICES, Person, Register

TRIALS, EPSILON = 2_000, 1
TOWNS = tuple(f"town{at}" for at in range(TRIALS))
SQL = """SELECT t.town, COALESCE(p.n, 0) AS n FROM town AS t
LEFT JOIN (SELECT town, COUNT(*) AS n FROM persons GROUP BY town) AS p USING (town) ORDER BY t.town"""
NOISE = 'noise = { mechanism = "discrete_laplace", epsilon = "1", unit = { table = "persons" } }'
SEED = 5


@pytest.fixture
def trials(tmp_path):
    """In each of 2,000 towns none to four persons whom the attacker knows, and his target in every second one, by a coin."""
    print(f"seed of the towns: {SEED}")
    draw = random.Random(SEED)
    persons, known, members = [], {}, {}
    for town in TOWNS:
        known[town], members[town] = draw.randrange(5), draw.random() < 0.5
        for _ in range(known[town] + members[town]):
            persons.append(Person(draw.choice(OFFICES), len(persons), town, "clerk", 30, 0, 1))
    return Register(tuple(persons), tmp_path), known, members


def success(rows, known, members):
    """How often the attacker is right, who says "member" where the count is nearer to one more than he knows: the likelihood ratio's test,
    since the noise is symmetric and falls on both sides. Ties go to "not a member", as the ratio is even there for him."""
    guesses = {row["town"]: row["n"] - known[row["town"]] >= 1 for row in rows}
    return sum(guesses[town] == members[town] for town in TOWNS) / TRIALS


def test_a_member_is_told_from_no_member_no_better_than_the_loss_allows(trials):
    """The attacker knows everybody in town but his target, and compares the released count with what he knows; noise with ε = 1 leaves him
    right at most e / (1 + e) = 73 times in 100, whatever he does, since no answer is more than e times as likely with the target as
    without; without noise he is always right."""
    register, known, members = trials
    most = exp(EPSILON) / (1 + exp(EPSILON))
    spread = 4 * sqrt(most * (1 - most) / TRIALS)
    found = success(register.ask(SQL, NOISE, towns=TOWNS), known, members)
    assert 0.5 + spread < found <= most + spread
    with pytest.raises(Refused, match="no minimum_count judges it"):
        register.ask(SQL, 'reason = "switched off"', towns=TOWNS)
    assert success(register.ask(SQL, 'reason = "switched off"', towns=TOWNS, policy=False), known, members) == 1
