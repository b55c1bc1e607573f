"""Long links: the profile for them is quicker there, by the links' own clock, and what is foretold is near."""

from __future__ import annotations

import pytest

from accord.mpc.party import LAN, WAN
from accord.plan.clock import Machine, Rate, foretell
from bench import wan
from bench.mpc import named

FREE = Machine({"free": Rate(0.0, 0.0)}).over(wan.FAR_HOP_SECONDS, wan.FAR_BYTES_PER_SECOND)
"""Servers that compute in no time."""


@pytest.mark.parametrize(
    ("name", "rows", "gain"),
    [("less_than", 250_000, 1.2), ("division", 150_000, 1.1), pytest.param("sort32", 150_000, 1.1, marks=pytest.mark.slow)],
)
def test_the_wan_profile_is_quicker_over_long_links(name, rows, gain):
    lan, far = (wan.link_seconds(named(name), rows, profile) for profile in (LAN, WAN))
    assert lan > gain * far


@pytest.mark.parametrize(("name", "rows"), [("less_than", 250_000), ("division", 50_000)])
@pytest.mark.parametrize("profile", [LAN, WAN], ids=lambda one: one.name)
def test_links_take_what_is_foretold(name, rows, profile):
    """No clock of this machine is in either."""
    told = foretell(*wan.foreseen(named(name), rows, profile), FREE).seconds
    assert told / 1.5 < wan.link_seconds(named(name), rows, profile) < told * 1.5
