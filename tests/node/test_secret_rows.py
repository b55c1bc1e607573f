"""Whole runs whose rows are secret: groups and joins by keys that nobody may see, texts, and a join that outgrows its bound."""

from __future__ import annotations

from collections import Counter

import pytest

from accord.base.errors import Refused
from accord.cli.main import main
from accord.node.folder import open_folder
from accord.node.session import open_study
from accord.node.setup import make_keys
from accord.release.table import SUPPRESSED

TEXT = """
[study]
name = "visits"
title = "Who visits whom"
purpose = "A test of runs whose rows are secret"
expires = 2999-12-31
servers = ["clinic", "insurer", "helper"]

[tables.visits]
owners = ["clinic"]
rows_max = 40
columns = [
  { name = "person", kind = "text key" },
  { name = "place", kind = "text", bytes_max = 20, nullable = true },
  { name = "cost", kind = "int", low = 0, high = 999 },
]

[tables.claims]
owners = ["insurer"]
rows_max = 30
columns = [
  { name = "person", kind = "text key" },
  { name = "paid", kind = "int", low = 0, high = 999 },
]
"""
RELEASE = """
[[releases]]
name = "{name}"
title = "A test"
sql = "{sql}"
recipients = ["office"]
{rules}
"""
VISITS = [(f"p{at % 7}", ["Zürich", "Bern", "", "Genève"][at % 4], 10 * at) for at in range(20)]
CLAIMS = [(f"p{at % 9}", at) for at in range(14)]
BY_PLACE = "SELECT place, COUNT(*) AS n, SUM(cost) AS total FROM visits GROUP BY place{order}"
MET = "SELECT v.place, v.cost, c.paid FROM visits AS v JOIN /*+ rows_max({bound}) */ claims AS c ON c.person = v.person"


def made(folder, *releases):
    """A signed study of these releases: (name, sql, rules)."""
    study = folder / "visits"
    study.mkdir()
    text = TEXT + "".join(RELEASE.format(name=name, sql=sql, rules=rules or 'reason = "a test"') for name, sql, rules in releases)
    (study / "study.toml").write_text(text, encoding="utf-8")
    (folder / "visits.csv").write_text("person,place,cost\n" + "".join(f"{a},{b},{c}\n" for a, b, c in VISITS), encoding="utf-8")
    (folder / "claims.csv").write_text("person,paid\n" + "".join(f"{a},{b}\n" for a, b in CLAIMS), encoding="utf-8")
    opened = open_folder(study)
    for owner, name in (("clinic", "visits"), ("insurer", "claims")):
        opened.party(owner).write_data({name: (folder / f"{name}.csv").resolve()})
    make_keys(opened)
    session = open_study(study)
    for party in session.study.approvers:
        session.sign(party)
    return session


def rows(session, outcome, name):
    return [tuple(row.values()) for row in session.tables("office", outcome)[name].rows()]


def met():
    return Counter((place or None, cost, paid) for person, place, cost in VISITS for other, paid in CLAIMS if person == other)


def groups():
    places = {place or None for _, place, _ in VISITS}
    costs = {place: [cost for _, one, cost in VISITS if (one or None) == place] for place in places}
    return {(place, len(held), sum(held)) for place, held in costs.items()}


def test_groups_by_a_text_with_and_without_an_order(tmp_path):
    order = " ORDER BY place DESC"
    judged = 'rules = [{ rule = "minimum_count", column = "total", minimum = 500 }]'
    session = made(
        tmp_path,
        ("any", BY_PLACE.format(order=""), ""),
        ("ordered", BY_PLACE.format(order=order), ""),
        ("judged", BY_PLACE.format(order=order), judged),
    )
    outcome = session.run("sim:")
    clear = session.run("clear:")
    assert set(rows(session, outcome, "any")) == set(rows(session, clear, "any")) == groups()
    assert (
        rows(session, outcome, "ordered") == rows(session, clear, "ordered") == sorted(groups(), key=lambda row: row[0] or "", reverse=True)
    )
    shown = [row for row in rows(session, outcome, "ordered") if row[2] >= 500]
    held = [(SUPPRESSED,) * 3] * (len(groups()) - len(shown))
    assert 0 < len(shown) < len(groups()) and rows(session, outcome, "judged") == shown + held == rows(session, clear, "judged")


def test_a_join_of_many_with_many_within_its_bound(tmp_path):
    session = made(tmp_path, ("met", MET.format(bound=60), ""))
    assert 30 < len(list(met().elements())) < 60
    assert Counter(rows(session, session.run("sim:"), "met")) == met()


def test_a_join_beyond_its_bound_releases_nothing_and_says_so(tmp_path, capsys):
    """The run itself ends as any other: servers do not learn it. The recipient's tool refuses with the sentence."""
    session = made(tmp_path, ("met", MET.format(bound=5), ""))
    sentence = "the join on .*person = .*person has more than the 5 rows that the study declares for it"
    with pytest.raises(Refused, match=sentence):
        session.run("sim:")
    outcome = session.run("local:")
    with pytest.raises(Refused, match=sentence):
        session.tables("office", outcome)
    assert main(["open", str(session.folder.path), "--as", "office"]) == 3
    said = capsys.readouterr()
    assert "release met: " in said.err and "more than the 5 rows" in said.err and not said.out
    session.verify(outcome.run_id)
