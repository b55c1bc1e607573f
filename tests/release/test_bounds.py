"""How far off columns are said to be before anybody opens them: as the opened table says, and for each kind of release."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

from accord.plan.types import Type
from accord.release.bounds import error_bounds
from accord.release.noise import GAUSSIAN, LAPLACE, ColumnNoise
from accord.release.rule import ChangeRule
from accord.release.rule_counts import MinimumCount
from accord.release.spec import ReleaseSpec
from tests.release.offices import CELLS, cell, opened
from tests.release.test_private import COUNTS


def test_what_rules_alone_judge_is_exact():
    found = error_bounds(ReleaseSpec("cells", CELLS, ("usa",), rules=(MinimumCount("n", 3),)))
    assert set(found.values()) == {"exact"} and "n" in found


def test_noise_is_said_as_the_opened_table_says_it():
    noise = (("n", ColumnNoise(LAPLACE, Fraction(1, 2), 1)), ("total", ColumnNoise(GAUSSIAN, Fraction(1, 100), 50)))
    spec = ReleaseSpec("cells", COUNTS, ("usa",), noise=noise)
    assert error_bounds(spec) == opened(spec, [cell(0, 1, 7, total=5)]).error_bounds
    assert error_bounds(spec)["total"] == f"±{noise[1][1].half_width() / 100:.2f} in 95 of 100 cases (noise)"


def test_a_judged_column_is_not_released_and_has_no_bound():
    assert "n" not in error_bounds(ReleaseSpec("cells", CELLS, ("usa",), rules=(MinimumCount("n", 3),), judged=("n",)))


@dataclass(frozen=True)
class Coarser(ChangeRule):
    """A rule that shows one column otherwise, and does not say that it reads it."""

    name: ClassVar[str] = "coarser"
    stops: ClassVar[str] = "reading the last digits"
    does_not_stop: ClassVar[str] = "reading the first"

    @property
    def sentence(self):
        return "n is shown in tens"

    def changed(self, field):
        return replace(field, type=Type(field.type.kind, 0, 1000)) if field.name == "n" else field


def test_a_column_that_a_rule_changes_is_not_said_to_be_exact():
    found = error_bounds(ReleaseSpec("cells", CELLS, ("usa",), rules=(MinimumCount("n", 3), Coarser())))
    assert found["n"] == "n is shown in tens" and found["total"] == "exact"
