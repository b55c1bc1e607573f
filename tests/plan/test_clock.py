"""Seconds foretold: courses played on times of their own, each term where it alone counts; and rates fitted from timings that the model
itself gives.
"""

from __future__ import annotations

import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z64
from accord.mpc.compose import in_blocks, together
from accord.mpc.party import LAN, WAN, Profile
from accord.plan.clock import Done, Foretold, Hears, Labour, Machine, Rate, Says, Work, fit, foretell, links_seconds
from accord.plan.secure_calls import count, count_work, multiply, sign, zeros

MACHINE = Machine({"sign": Rate(1e-3, 1e-9), "multiply": Rate(2e-3, 3e-9), "dot": Rate(9e-3, 9e-9)}, hop_seconds=1e-4)
FAR = MACHINE.over(0.02 - 1e-4, 1e6)


def ring(nbytes: int, times: int = 1, labour: float = 0.0) -> Work:
    """Each server tells its left neighbour so many bytes, so many times."""

    def course(server: int) -> list:
        step = [Labour("sign", labour), Says((server - 1) % 3, nbytes), Hears((server + 1) % 3)]
        return step * times

    return Work(tuple(map(course, range(3))))


def test_each_term_alone() -> None:
    assert foretell(ring(0, 2, 1e9), MACHINE) == Foretold(pytest.approx(2 * (1e-3 + 1 + 1e-4)), pytest.approx(2 * (1e-3 + 1)))
    assert links_seconds(ring(0, 50), MACHINE) == pytest.approx(50e-4)
    assert links_seconds(ring(7_000_000, 2), FAR) == pytest.approx(2 * (0.02 + 7))
    assert foretell(ring(0, 1), MACHINE, 5.0).seconds == pytest.approx(5 + 1e-3 + 1e-4)


def test_a_line_takes_one_message_after_the_other() -> None:
    """The second waits for the first, and not for its passage."""
    two = Work(([Says(1, 10**6), Says(2, 10**6)], [Hears(0)], [Hears(0)]))
    assert links_seconds(two, FAR) == pytest.approx(1 + 1 + 0.02)


def test_one_busy_line_takes_as_long_as_its_bytes() -> None:
    alone = Work(([Says(1, 3 * 10**6)], [Hears(0)], []))
    assert links_seconds(alone, FAR) == pytest.approx(3.02), "though a server sends a third of that on average"


def test_sending_and_working_overlap() -> None:
    work = Work(([Says(1, 10**6), Labour("sign", 1e9)], [Hears(0)], []))
    assert foretell(work, FAR).seconds == pytest.approx(1.02)


def test_what_one_works_while_another_waits_is_not_hidden() -> None:
    work = Work(([Labour("sign", 1e9), Says(1, 0), Hears(1)], [Hears(0), Labour("sign", 1e9), Says(0, 0)], []))
    assert foretell(work, MACHINE).seconds == pytest.approx(2 * (1 + 1e-3 + 1e-4))


def test_courses_that_wait_for_each_other_are_our_fault() -> None:
    with pytest.raises(OurFault, match="all servers wait in a course"):
        links_seconds(Work(([Hears(1)], [Hears(0)], [])), MACHINE)


def test_what_was_not_measured_takes_the_rate_of_its_kind_or_the_medians() -> None:
    assert MACHINE.rate("less_than") == MACHINE.rate("sign")
    assert MACHINE.rate("never heard of") == MACHINE.rate("multiply")
    with pytest.raises(OurFault, match="calibrate it first"):
        Machine().rate("sign")


def test_rates_are_found_again_from_timings() -> None:
    few, many = ring(0, 40, 100), ring(50_000, 12, 5_000_000)
    timed = ({"sign": (work, foretell(work, MACHINE).seconds)} for work in (few, many))
    found = fit(*timed, MACHINE.hop_seconds)["sign"]
    assert found.seconds_per_step == pytest.approx(1e-3, rel=0.01)
    assert found.seconds_per_byte == pytest.approx(1e-9, rel=0.01)


def test_the_counter_says_what_is_done() -> None:
    """Steps are exchanges, of each block; bytes handled are those of the arguments and those sent; courses send what is declared."""
    x, y = zeros("ring", 64, 1000), zeros("ring", 64, 1000)

    async def both(me):
        return await together(in_blocks(multiply, me.step("a"), x, y), sign(me.step("b"), x, bits=64))

    profile = Profile(block_rows=256)
    _, cost, work = count_work(both, profile)
    assert cost == count(both, profile)[1]
    assert work.done["multiply"] == Done(6, pytest.approx(3 * 8 * 1000 + 4 * 8 * 1000))
    assert work.done["sign"].steps >= 8
    assert work.done["multiply"].nbytes + work.done["sign"].nbytes == pytest.approx(cost.bytes + 4 * 8 * 1000 + 2 * 8 * 1000)
    said = sum(one.nbytes for course in work.courses for one in course if isinstance(one, Says))
    assert said == pytest.approx(cost.bytes, rel=0.001)


def test_far_apart_the_wan_profile_is_foretold_to_win() -> None:
    """A million comparisons: fewer rounds and blocks that do not wait for each other."""
    x = zeros("ring", Z64.bits, 1_000_000)
    far = MACHINE.over(0.02, 100e6 / 8)
    lan, wan = (foretell(count_work(lambda me: in_blocks(sign, me, x, bits=64), profile)[2], far) for profile in (LAN, WAN))
    assert wan.seconds < lan.seconds
