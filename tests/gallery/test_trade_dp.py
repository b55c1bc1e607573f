"""The totals with noise: off the truth by no more than their noise can be, and refused a second time."""

from __future__ import annotations

import pytest

from accord.gallery import one_table
from accord.gallery.trade_dp import entry, oracle


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return entry.run(None, tmp_path_factory.mktemp("trade_dp"), "local:", lambda phase: None)


def test_totals_are_near_the_truth_and_not_it(report):
    facts = report.json()
    assert facts["matches_oracle"] is True
    assert facts["epsilon"] == "1" and any(report.errors.values())


def test_errors_of_fifty_seeds_are_what_theory_says(report):
    """Of 600 draws: their mean size has a standard deviation of a twentieth of the mean."""
    facts = report.json()
    assert facts["mean_error_of_50_seeds"] == pytest.approx(facts["mean_error_in_theory"], rel=0.2)
    assert oracle.mean_error(entry.NOISE, 12, 2) != oracle.mean_error(entry.NOISE, 12, 3)


def test_there_is_one_draw(report):
    """Asked again, the same study gives the stored release; another study with the same question is refused."""
    assert report.repeat_is_stored
    assert "answered once per data version" in report.refused_again


def test_what_is_signed_says_so(report):
    text = (report.outcome.folder / "explanation.txt").read_text(encoding="utf-8")
    assert "thousand_usd, with noise of discrete laplace, scale 1000" in text
    assert "hides whether one row of trade is among the data" in text and "but for totals.thousand_usd" in text


VISITS = """
[study]
name = "visits"
title = "How many visits?"
purpose = "Count visits, and hide each person"
expires = 2027-12-31
servers = ["a", "b", "c"]
[domains.ward]
values = ["east", "west"]
[tables.visits]
owners = OWNERS
rows_max = 50
columns = [{ name = "person", kind = "int", low = 0, high = 9 }, { name = "ward", kind = "category", domain = "ward" }]
[[releases]]
name = "visits"
title = "Visits"
sql = '''
SELECT w.ward, COALESCE(v.n, 0) AS n
FROM ward AS w LEFT JOIN (SELECT ward, COUNT(*) AS n FROM visits GROUP BY ward) AS v USING (ward)'''
recipients = ["c"]
noise = { mechanism = "discrete_laplace", epsilon = "20", unit = { table = "visits", columns = ["person"], rows_max = 2 } }
"""


def visited(folder, owners):
    """Ten visits of one person to the east; three and one of two others to the west."""
    rows = [(1, "east")] * 10 + [(2, "west")] * 3 + [(3, "west")]
    files = {owner: {"visits": one_table.write_csv(folder / owner / "visits.csv", ("person", "ward"), rows)} for owner in owners}
    session = one_table.prepare(VISITS.replace("OWNERS", str(owners).replace("'", '"')), files, folder)
    return one_table.run(session, "sim:", "c", lambda phase: None)[1]


def test_a_unit_counts_with_so_many_rows_and_no_more(tmp_path):
    """At a loss of 20 the noise is hardly ever another number than 0: 2 and 2 + 1, give or take one."""
    counts = {row["ward"]: row["n"] for row in visited(tmp_path, ["a"]).rows()}
    assert abs(counts["east"] - 2) <= 1 and abs(counts["west"] - 3) <= 1


def test_a_unit_may_have_rows_at_several_owners(tmp_path):
    """Who holds a person's rows is secret, the grid of wards is public: two rows of each person count, wherever they are."""
    counts = {row["ward"]: row["n"] for row in visited(tmp_path, ["a", "b"]).rows()}
    assert abs(counts["east"] - 2) <= 1 and abs(counts["west"] - 4) <= 1
