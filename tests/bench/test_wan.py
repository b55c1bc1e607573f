"""Long links: the profile for them is quicker there, by the links' own clock, and what is foretold of links is so."""

from __future__ import annotations

import pytest

from accord.mpc.party import LAN, WAN
from accord.plan.clock import Machine, links_seconds
from bench import wan
from bench.mpc import CASES, named

LINKS = Machine().over(wan.FAR_HOP_SECONDS, wan.FAR_BYTES_PER_SECOND)


@pytest.mark.parametrize(
    ("name", "rows", "gain"),
    [
        ("less_than", 500_000, 1.05),
        ("division", 10_000, 1.04),
        ("sort32", 10_000, 1.1),
        pytest.param("sort32", 150_000, 1.0, marks=pytest.mark.slow),
    ],
)
def test_the_wan_profile_is_quicker_over_long_links(name, rows, gain):
    lan, far = (wan.link_seconds(named(name), rows, profile) for profile in (LAN, WAN))
    assert lan > gain * far


@pytest.mark.parametrize(("name", "rows"), [("less_than", 250_000), ("division", 50_000), ("sort32", 40_000)])
@pytest.mark.parametrize("profile", [LAN, WAN], ids=lambda one: one.name)
def test_links_take_what_is_foretold(name, rows, profile):
    """No clock of this machine is in either; the sort cuts its rows into blocks itself, and some of its steps load one line alone."""
    told = links_seconds(wan.foreseen(named(name), rows, profile)[1], LINKS)
    assert wan.link_seconds(named(name), rows, profile) == pytest.approx(told, rel=0.03)


def test_every_case_but_the_links_own_price_is_foretold():
    """Nor how much a search compares, which is a matter of coins."""
    assert set(wan.COUNTED) == {case.name for case in CASES} - {"swap", "quickselect"}


@pytest.mark.parametrize("name", sorted(wan.COUNTED))
def test_what_is_foretold_sends_what_is_sent(name):
    from bench import golden

    case = named(name)
    rows = golden.small_rows(case)
    assert round(wan.foreseen(case, rows)[0].bytes_per_server) == golden.counts(case, rows)[0]
