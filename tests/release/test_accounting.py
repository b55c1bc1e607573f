"""What noise loses: OpenDP's figures beside a second opinion, from the scales that are drawn and from nothing else."""

from __future__ import annotations

import math
import random
import sys
from dataclasses import dataclass
from fractions import Fraction

import pytest

from accord.base.errors import Refused
from accord.release import accounting
from accord.release.accounting import EPSILON, RHO, Law, Loss, loss_of, shown, together
from accord.release.noise import DELTA, GAUSSIAN, LAPLACE, ColumnNoise, read_noise

HIDDEN = "one row of visits"


def gaussian(rho, sensitivity=1000):
    return ColumnNoise(GAUSSIAN, Fraction(rho), sensitivity)


def laplace(epsilon, sensitivity=1000):
    return ColumnNoise(LAPLACE, Fraction(epsilon), sensitivity)


def optimum(rho, delta):
    """The least ε of ρ and δ: the bound of [CKS20] at its best order, found by thirds. Convex in the logarithm of α − 1."""

    def bound(exponent):
        above = math.exp(exponent)
        alpha = 1 + above
        return rho * alpha + (math.log(1 / delta) + above * math.log(above / alpha) - math.log(alpha)) / above

    low, high = -12.0, 12.0
    for _ in range(300):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if bound(left) < bound(right) else (left, high)
    return max(0.0, bound(low))


@pytest.mark.parametrize(("rho", "epsilon"), [("2.5562", 17.1434), ("0.07494", 2.4746)])
def test_the_census_figures(rho, epsilon):
    """The 2020 census's persons and housing units, at δ = 10^-10."""
    loss = loss_of([gaussian(rho)])
    assert float(loss.rho) == pytest.approx(float(rho), rel=1e-12)
    assert abs(float(loss.epsilon_at(Fraction(1, 10**10))) - epsilon) < 1e-4


def test_it_agrees_with_a_second_opinion_on_a_hundred_draws():
    dice = random.Random(16)
    for _ in range(100):
        rho, delta = 10 ** dice.uniform(-3, 1), 10 ** dice.uniform(-12, -5)
        found = Loss((Law.losing(RHO, Fraction(rho)),)).epsilon_at(Fraction(delta))
        assert float(found) == pytest.approx(optimum(rho, delta), rel=1e-6), (rho, delta)


@pytest.mark.parametrize("epsilon", ["1/100", "1/3", "1", "20"])
def test_pure_losses_are_the_largest_log_ratio_of_the_law(epsilon):
    """Chances of discrete Laplace noise at the ends of one unit's change."""
    noise = laplace(epsilon, 7)
    worst = max(abs(abs(at) - abs(at - 7)) for at in range(-30, 30)) / noise.scale
    assert loss_of([noise]).epsilon >= worst
    assert float(loss_of([noise]).epsilon) == pytest.approx(float(worst), abs=1e-11)


@pytest.mark.parametrize("noise", [laplace("1/2"), gaussian("1/10")])
@pytest.mark.parametrize("factor", [Fraction(9, 10), Fraction(11, 10)])
def test_a_wrong_scale_shows_as_a_wrong_loss(noise, factor):
    """The study asked for the same; what is drawn is a tenth too small or too large."""

    @dataclass(frozen=True)
    class Wrong(ColumnNoise):
        @property
        def scale(self):
            return super().scale * factor

        @property
        def variance(self):
            return super().variance * factor**2

    wrong = Wrong(noise.mechanism, noise.loss, noise.sensitivity)
    assert wrong.document() == noise.document()
    right, found = loss_of([noise]), loss_of([wrong])
    if noise.mechanism == LAPLACE:
        assert float(found.epsilon) == pytest.approx(float(right.epsilon / factor), rel=1e-9)
    assert float(found.rho) == pytest.approx(float(right.rho / factor**2), rel=1e-9)
    assert (found.epsilon_at(DELTA) > right.epsilon_at(DELTA)) == (factor < 1)


def test_columns_releases_and_runs_add_up():
    columns = loss_of([laplace("1/3", size) for size in (1, 70, 900)])
    assert (columns.epsilon, columns.is_pure) == (1, True)
    assert float(columns.rho) == pytest.approx(3 / 18, abs=1e-11), "each column's ε becomes a ρ by itself"
    twice = together([columns, columns])
    assert (twice.epsilon, float(twice.rho)) == (2, pytest.approx(6 / 18, abs=1e-11))
    mixed = together([columns, loss_of([gaussian("1/10"), gaussian("1/5")])])
    assert (mixed.epsilon, mixed.is_pure) == (1, False)
    assert float(mixed.rho) == pytest.approx(3 / 18 + 0.3, abs=1e-11)
    assert float(mixed.epsilon_at(DELTA)) == pytest.approx(optimum(3 / 18 + 0.3, 1e-10), rel=1e-6)


def test_what_no_unit_reaches_loses_nothing():
    loss = loss_of([laplace("1", 0)])
    assert (loss.epsilon, loss.rho, loss.epsilon_at(DELTA)) == (0, 0, 0)
    assert loss.sentence(HIDDEN, DELTA) == "nothing that is shown depends on one row of visits"
    assert loss_of([laplace("1", 0), laplace("1", 5)]).epsilon == 1


def test_sums_as_large_as_any_are_accounted_for():
    assert loss_of([gaussian("1/10", 2**61)]).rho == Fraction(1, 10)


def test_a_mechanism_that_may_fail_by_itself_takes_from_delta():
    law = Law(GAUSSIAN, Fraction(4), 1, delta=Fraction(1, 10**9))
    loss = Loss((law, law))
    assert not loss.is_pure and loss.failing == Fraction(2, 10**9)
    assert float(loss.epsilon_at(Fraction(1, 10**6))) == pytest.approx(optimum(0.25, 1e-6 - 2e-9), rel=1e-6)
    with pytest.raises(Refused, match="above 2e-09, the chance that its noise fails by itself"):
        loss.epsilon_at(Fraction(2, 10**9))


def test_pure_noise_with_a_threshold_has_its_own_epsilon_or_that_of_rho():
    """Whichever is less: ε adds up, ρ grows with its square."""
    few = Loss((Law(LAPLACE, Fraction(1, 4), 1, Fraction(1, 10**9)),))
    assert not few.is_pure and few.epsilon_at(Fraction(1, 10**8)) == few.epsilon_at(Fraction(1, 10**9)) == 4
    many = Loss((Law(LAPLACE, Fraction(20), 1, Fraction(1, 10**12)),) * 1000)
    assert float(many.epsilon) == pytest.approx(50, abs=1e-9)
    assert float(many.epsilon_at(Fraction(1, 10**6))) == pytest.approx(optimum(1.25, 1e-6 - 1e-9), rel=1e-6)
    with pytest.raises(Refused, match="the chance that its noise fails by itself"):
        few.epsilon_at(Fraction(1, 10**10))


@pytest.mark.parametrize("law", [Law(LAPLACE, Fraction(7, 3), 4), Law(GAUSSIAN, Fraction(90, 7), 2, Fraction(1, 10**9))])
def test_a_law_comes_back(law):
    assert Law.read(law.document()) == law


@pytest.mark.parametrize("change", [{"scale": "0"}, {"scale": "x"}, {"sensitivity": 0}, {"sensitivity": "1"}, {"mechanism": GAUSSIAN}])
def test_what_is_no_law_is_refused(change):
    with pytest.raises((ValueError, KeyError, TypeError)):
        Law.read({**Law(LAPLACE, Fraction(7, 3), 4).document(), **change})


@pytest.mark.parametrize(("measure", "loss"), [(EPSILON, "1/3"), (RHO, "1/10"), (EPSILON, "3"), (RHO, "2.5562")])
def test_a_law_of_a_known_loss_loses_it(measure, loss):
    found = Loss((Law.losing(measure, Fraction(loss)),))
    got = found.epsilon if measure == EPSILON else found.rho
    assert 0 <= got - Fraction(loss) < Fraction(1, 10**11)


def test_a_loss_is_shown_rounded_up():
    assert [shown(Fraction(one)) for one in ("0", "1", "0.5", "1/3", "20")] == ["0", "1", "0.5", "0.333334", "20"]
    assert shown(Fraction("17.14345069"), 4) == "17.1435"
    dice = random.Random(17)
    for _ in range(200):
        loss = Fraction(dice.random()) * 30
        assert loss <= Fraction(shown(loss)) < loss + Fraction(1, 10**6)


def test_what_it_means_is_said_in_words():
    assert loss_of([laplace("1")]).sentence(HIDDEN, DELTA) == (
        "its noise loses ε = 1: whatever anybody concludes from it is at most 2.72 times as likely as without one row of visits"
    )
    assert loss_of([gaussian("1/2")]).sentence(HIDDEN, Fraction(1, 10**6)) == (
        "its noise loses ρ = 0.5, which is ε = 5.2216 at δ = 1e-06: whatever anybody concludes from it is at most 186 times as likely as "
        "without one row of visits, but for a chance of 1 in 1,000,000"
    )


def test_without_opendp_noise_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "opendp.combinators", None)
    accounting._opendp.cache_clear()
    try:
        with pytest.raises(Refused) as told:
            loss_of([laplace("1")]).epsilon  # noqa: B018
        assert str(told.value) == (
            "noise cannot be accounted for on this machine (rule: what noise loses is computed by OpenDP, which is not installed); "
            "install Accord with its extra: accord[dp]"
        )
    finally:
        accounting._opendp.cache_clear()


GAUSS = {"mechanism": GAUSSIAN, "rho": "1", "unit": {"table": "visits"}}


def test_a_study_states_its_delta():
    assert read_noise(GAUSS).delta == DELTA == Fraction(1, 10**10)
    assert read_noise({**GAUSS, "delta": "1e-6"}).delta == Fraction(1, 10**6)


@pytest.mark.parametrize("delta", ["0", "1e-31", "0.001", "x", "1/0", 1])
def test_a_delta_that_promises_nothing_is_refused(delta):
    with pytest.raises(Refused, match="far below one in the number of units"):
        read_noise({**GAUSS, "delta": delta})
