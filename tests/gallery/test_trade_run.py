"""The trade study run on shares: every office gets exactly what the pooled figures give, and transcripts tell nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from accord.gallery.trade import entry, transcripts
from accord.gallery.trade.parameters import Parameters
from accord.mpc import coins

SMALL = Parameters(years=(2016, 2017, 2018), total_years=(2016,))
REAL = Path(__file__).parents[3] / "shared" / "data" / "trade"
DATA = [None, *([REAL] if REAL.exists() else [])]


def name(data):
    return "real" if data else "generated"


@pytest.mark.parametrize("data", DATA, ids=name)
def test_three_years_on_shares_in_one_process(tmp_path, data):
    session, files = entry.prepare(data, tmp_path, SMALL)
    report = entry.finish(session, files, session.run("sim:"), SMALL)
    assert report.matches_oracle
    assert any(row is None for one in report.released.values() for row in one.groups.values()), "some row is suppressed"


@pytest.mark.parametrize("data", DATA, ids=name)
def test_the_whole_study_in_three_server_processes(tmp_path, data):
    report = entry.run(data, tmp_path, "local:", lambda phase: None)
    facts = report.json()
    assert facts["matches_oracle"] is True
    assert facts["cells"] == 20_640 and facts["rounds"] < 200 and Path(facts["receipt"]).is_file()
    assert {path.suffix for path in report.charts.values()} == {".svg"} and all(path.is_file() for path in report.charts.values())


def test_two_runs_on_different_figures_look_alike(tmp_path):
    """The chi-squared statistic has 255 degrees of freedom: above 400 its chance is below 10^-8."""
    found = transcripts.compare(tmp_path)
    assert found.same_shape
    assert found.statistic < 400
    assert len(found.side_by_side()) == 8


def test_the_comparison_can_tell_runs_apart(tmp_path, monkeypatch):
    """Sabotage: without any coin, in the owners' shares and in the protocols, the figures themselves would be on the links."""
    monkeypatch.setattr(coins, "_encrypt_zeros", lambda encryptor, out: out.fill(0))
    assert transcripts.compare(tmp_path).statistic > 400
