"""Bytes and rounds of every primitive are those of the golden file; so is what the file says at full size of what is quick to run."""

from __future__ import annotations

import pytest

from bench import golden
from bench.growth import fit
from bench.mpc import CASES

FULL = [case for case in CASES if golden.key(case.name, case.rows) in golden.read()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bytes_and_rounds_at_few_rows(case):
    rows = golden.small_rows(case)
    assert golden.entry(case, rows) == golden.read()[golden.key(case.name, rows)]


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in FULL if not case.slow], ids=lambda case: case.name)
def test_bytes_and_rounds_at_full_size(case):
    assert golden.entry(case, case.rows) == golden.read()[golden.key(case.name, case.rows)]


def test_every_case_is_in_the_file_at_full_size():
    assert list(CASES) == FULL


def test_a_change_is_named():
    name, (sent, rounds) = next(iter(golden.read().items()))
    assert golden.changes({name: [sent, rounds]}) == []
    assert golden.changes({name: [sent + 1, rounds]}) == [f"{name}: bytes and rounds were {[sent, rounds]}, are {[sent + 1, rounds]}"]


def test_growth_is_found_again():
    found = fit([(rows, 0.002 + 3e-8 * rows) for rows in (10**4, 10**5, 10**6)])
    assert found.start == pytest.approx(0.002)
    assert (found.slope, found.least, found.most) == pytest.approx((3e-8, 3e-8, 3e-8))


def test_growth_holds_within_a_quarter_and_where_rows_are_gathered_within_a_factor_of_three():
    bent = fit([(10**4, 0.002), (10**5, 0.01), (10**6, 0.16)])
    assert bent.most > 1.25 * bent.slope
    assert not bent.holds(gathers=False)
    assert bent.holds(gathers=True)
    assert not fit([(10**4, 0.002), (10**5, 0.01), (10**6, 0.9)]).holds(gathers=True)
