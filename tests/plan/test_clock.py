"""Seconds foretold: the three terms of the model, each where it alone counts, and rates fitted from timings that the model itself gives."""

from __future__ import annotations

import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z64
from accord.mpc.compose import in_blocks, together
from accord.mpc.cost import Cost
from accord.mpc.party import LAN, WAN, Profile
from accord.plan.clock import Done, Machine, Rate, fit, foretell
from accord.plan.secure_calls import count, count_work, multiply, sign, zeros

MACHINE = Machine({"sign": Rate(1e-3, 1e-9), "multiply": Rate(2e-3, 3e-9), "dot": Rate(9e-3, 9e-9)}, hop_seconds=1e-4)


def test_each_term_alone() -> None:
    work = {"sign": Done(2, 10**9), "multiply": Done(1, 10**9)}
    assert foretell(Cost(0, 0), work, MACHINE).seconds == pytest.approx(2e-3 + 1 + 2e-3 + 3)
    assert foretell(Cost(50, 0), {}, MACHINE).seconds == pytest.approx(50e-4)
    far = MACHINE.over(0.02, 1e6)
    assert foretell(Cost(50, 3 * 7_000_000), {}, far).seconds == pytest.approx(50 * 0.0201 + 7)
    assert foretell(Cost(0, 3 * 7_000_000), work, far).seconds == pytest.approx(7), "sending and computing overlap"


def test_what_was_not_measured_takes_the_median() -> None:
    assert MACHINE.rate("sort") == MACHINE.rate("multiply")
    with pytest.raises(OurFault, match="calibrate it first"):
        Machine().rate("sign")


def test_rates_are_found_again_from_timings() -> None:
    small, large = {"sign": Done(1, 1000)}, {"sign": Done(4, 5_000_000)}
    rounds = {"sign": (8, 16)}
    timed = {
        "sign": (
            foretell(Cost(8, 0), small, MACHINE).seconds,
            foretell(Cost(16, 0), large, MACHINE).seconds,
        )
    }
    found = fit(large, timed, small, rounds, MACHINE.hop_seconds)["sign"]
    assert found.seconds == pytest.approx(1e-3, rel=0.01)
    assert found.seconds_per_byte == pytest.approx(1e-9, rel=0.01)


def test_the_counter_says_what_is_done() -> None:
    """Calls are blocks; bytes handled are those of the arguments and those sent."""
    x, y = zeros("ring", 64, 1000), zeros("ring", 64, 1000)

    async def both(me):
        return await together(in_blocks(multiply, me.step("a"), x, y), sign(me.step("b"), x, bits=64))

    profile = Profile(block_rows=256)
    _, cost, work = count_work(both, profile)
    assert cost == count(both, profile)[1]
    assert work["multiply"] == Done(4, 3 * 8 * 1000 + 4 * 8 * 1000)
    assert work["sign"].calls == 1
    assert work["multiply"].nbytes + work["sign"].nbytes == cost.bytes + 4 * 8 * 1000 + 2 * 8 * 1000


def test_far_apart_the_wan_profile_is_foretold_to_win() -> None:
    """A million comparisons: fewer rounds and blocks that do not wait for each other."""
    x = zeros("ring", Z64.bits, 1_000_000)
    far = MACHINE.over(0.02, 100e6 / 8)
    lan, wan = (foretell(*count_work(lambda me: in_blocks(sign, me, x, bits=64), profile)[1:], far) for profile in (LAN, WAN))
    assert wan.waiting < lan.waiting / 2
    assert wan.seconds < lan.seconds
