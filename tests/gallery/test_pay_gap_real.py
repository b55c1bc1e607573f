"""The pay gap over a city's open payroll, which lies beside the clone where this project is developed, and is not part of it."""

from __future__ import annotations

from accord.gallery.pay_gap import entry, study
from tests.attacks.reconstruct import intervals, narrowest
from tests.gallery.conftest import PAYROLL
from tests.gallery.test_pay_gap import published, sums


def test_a_citys_open_payroll(tmp_path):
    """114 of 2,000 rows have no salary. The two means are those of a spreadsheet over the others. Who solves both tables of a gender at
    once by linear programming knows no hidden headcount to within eight."""
    report = entry.run(PAYROLL, tmp_path, "sim:", lambda phase: None)
    facts = report.json()
    assert facts["matches_oracle"] is True and facts["set_aside"] == {"no salary": 114}
    assert facts["employers"] == 24 and facts["cohorts"] == 3
    assert (facts["mean_pay_women"], facts["mean_pay_men"]) == ("52168.34", "57354.61")
    for gender in report.payrolls.genders:
        assert narrowest(intervals(published(report, gender), sums(report))) >= study.WIDTH
