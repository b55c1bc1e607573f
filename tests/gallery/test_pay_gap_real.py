"""The pay gap over a city's open payroll, which lies beside the clone where this project is developed, and is not part of it."""

from __future__ import annotations

from accord.gallery.pay_gap import entry
from tests.gallery.conftest import PAYROLL


def test_a_citys_open_payroll(tmp_path):
    """114 of 2,000 rows have no salary. The two means are those of a spreadsheet over the others."""
    facts = entry.run(PAYROLL, tmp_path, "sim:", lambda phase: None).json()
    assert facts["matches_oracle"] is True and facts["set_aside"] == {"no salary": 114}
    assert facts["employers"] == 24 and facts["cohorts"] == 3
    assert (facts["mean_pay_women"], facts["mean_pay_men"]) == ("52168.34", "57354.61")
