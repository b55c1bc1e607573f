"""The totals with noise: off the truth by no more than their noise can be, and refused a second time."""

from __future__ import annotations

import pytest

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


def test_owners_refuse_the_second_time(report):
    assert "answered once per data version" in report.refused_again


def test_what_is_signed_says_so(report):
    text = (report.outcome.folder / "explanation.txt").read_text(encoding="utf-8")
    assert "thousand_usd, with noise of discrete laplace, scale 1000" in text
    assert "hides whether one row of trade is among the data" in text and "but for totals.thousand_usd" in text
