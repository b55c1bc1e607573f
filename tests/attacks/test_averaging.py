"""Repeated queries: noise that is drawn anew each time averages away."""

from __future__ import annotations

import pytest

from accord.base.errors import Refused
from accord.node.session import open_study
from tests.attacks.conftest import TOWNS, ask_again

SQL = """SELECT t.town, COALESCE(p.n, 0) AS n FROM town AS t
LEFT JOIN (SELECT town, COUNT(*) AS n FROM persons GROUP BY town) AS p USING (town) ORDER BY t.town"""
NOISE = 'noise = { mechanism = "discrete_laplace", epsilon = "1", unit = { table = "persons" } }'
TIMES = 40
SPREAD = 2.0
"""A bound on the standard deviation of one draw: three discrete Laplace shares of scale 1, any two of which have the promised loss."""


def counts(rows):
    return {row["town"]: row["n"] for row in rows}


def mean(answers):
    """The attacker: for each town the mean of all answers."""
    return {town: sum(one[town] for one in answers) / len(answers) for town in TOWNS}


def test_noise_is_not_averaged_away(register, servers_in_threads):
    """The reader asks for the same noised counts again and again and takes the mean; the owners' ledgers stop him, since a question over
    the same data has one draw. Where nobody keeps a ledger (`sim:`) the mean of forty draws closes in on the truth."""
    truth = {town: len(register.where(town=town)) for town in TOWNS}
    session = register.signed(SQL, NOISE)
    answers = [counts(session.tables("reader", open_study(session.folder.path).run("local:"))["asked"].rows()) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    session = register.study(SQL, NOISE)
    draws = [counts(session.tables("reader", session.run("sim:"))["asked"].rows()) for _ in range(TIMES)]
    assert len({tuple(one.values()) for one in draws}) > TIMES // 2
    assert all(abs(mean(draws)[town] - truth[town]) <= 4 * SPREAD / TIMES**0.5 for town in TOWNS)


def test_another_wording_is_no_new_draw(register, servers_in_threads):
    """The reader has the study changed so that its hash is another and asks for the same cells; the owners refuse: a cell is answered once
    for one version of the data."""
    session = register.signed(SQL, NOISE)
    session.run("local:")
    with pytest.raises(Refused, match="answered once per data version"):
        ask_again(session, "What an attacker asks", "The same in other words")
