"""Openings: right values, permits only from the gate, nothing past the last row."""

from __future__ import annotations

from functools import reduce
from operator import add, xor
from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z64, Ring
from accord.mpc import open as opening
from accord.mpc.bits import column_from_planes
from accord.mpc.cost import FREE, Cost, cost_of
from accord.mpc.open import GATE_TOKEN, Permit, open_result, open_uniform, reveal, without_pad
from accord.mpc.party import Party
from accord.mpc.share import Bits
from accord.testing.world import Word, World
from tests.mpc.cases import ROWS, numbers, run_at_cost, words

PERMIT = Permit("total", ("nl", "it"), GATE_TOKEN)
RINGS = [Ring(bits) for bits in (1, 8, 13, 64)]


@pytest.mark.parametrize("rows", ROWS)
def test_every_server_gets_the_value(rows: int) -> None:
    for ring in RINGS:
        x = numbers(rows, ring)
        for protocol, public in ((open_result, {"permit": PERMIT}), (open_uniform, {"reason": "a sum with a fresh mask"})):
            ran = run_at_cost(World(rows), cost_of(protocol, rows, ring), protocol, x, ring=ring, **public)
            assert all(np.array_equal(ring.decode(one), x) for one in ran.value)


@pytest.mark.parametrize("rows", ROWS)
def test_every_server_gets_the_bits(rows: int) -> None:
    a = words(rows, 5)
    ran = run_at_cost(World(rows), cost_of(open_result, rows, 5), open_result, Word(a, 5), permit=PERMIT)
    for planes in ran.value:
        assert np.array_equal(column_from_planes(planes, rows), a)
        assert np.array_equal(planes, without_pad(planes, rows))


@pytest.mark.parametrize("rows", ROWS)
def test_a_recipient_adds_three_parts(rows: int) -> None:
    for ring in RINGS:
        x = numbers(rows, ring)
        parts = run_at_cost(World(rows), FREE, reveal, x, ring=ring, permit=PERMIT).value
        assert np.array_equal(ring.decode(ring.reduce(reduce(add, parts))), x)
    a = words(rows, 3)
    parts = run_at_cost(World(rows), FREE, reveal, Word(a, 3), permit=PERMIT).value
    assert np.array_equal(column_from_planes(reduce(xor, parts), rows), a)


def test_parts_are_fresh() -> None:
    """No part is a component, and a second reveal at another step gives other parts."""
    dealt = World(4).deal(np.zeros(100, np.int64))
    first = World(4).run(reveal, dealt, permit=PERMIT).value
    second = World(4).run(lambda me, x: reveal(me.step("again"), x, PERMIT), dealt).value
    for i in range(3):
        assert not np.array_equal(first[i], dealt.at[i].own) and not np.array_equal(first[i], second[i])


def test_parts_of_bits_are_fresh() -> None:
    dealt = World(4).deal_bits(np.zeros(100, np.int64), 3)
    first = World(4).run(reveal, dealt, permit=PERMIT).value
    second = World(4).run(lambda me, a: reveal(me.step("again"), a, PERMIT), dealt).value
    for i in range(3):
        component = without_pad(dealt.at[i].own, 100)
        assert not np.array_equal(first[i], component) and not np.array_equal(first[i], second[i])


def cut(me: Party, b: Bits, then: Any) -> Any:
    """The first 10 rows of a column of 64: the others' bits are still in its words."""
    return then(me, b.block(0, 10), PERMIT)


def test_rows_that_were_cut_off_do_not_leave() -> None:
    a = np.ones(64, bool)
    for planes in World().run(lambda me, b: cut(me, b, open_result), a).value:
        assert planes[0, 0] == (1 << 10) - 1
    parts = World().run(lambda me, b: cut(me, b, reveal), a).value
    assert all(part[0, 0] < 1 << 10 for part in parts) and reduce(xor, parts)[0, 0] == (1 << 10) - 1
    sent = World(keep=True).run(lambda me, b: cut(me, b, open_result), a).outcome.traffic
    payloads = [np.frombuffer(line.payload, np.uint64)[0] for one in sent for line in one.lines]
    assert len(payloads) == 3 and all(one < 1 << 10 for one in payloads)


def test_only_the_gate_makes_permits() -> None:
    for token in (None, object(), "gate"):
        with pytest.raises(OurFault, match="outside the gate"):
            Permit("total", ("nl",), token)
    with pytest.raises(AttributeError):
        PERMIT.release = "other"  # type: ignore[misc]
    assert "object at" not in repr(PERMIT)


def test_nothing_opens_without_permit_or_reason() -> None:
    for protocol in (open_result, reveal):
        with pytest.raises(OurFault, match="without a permit"):
            World().run(protocol, [1], permit=None)
    with pytest.raises(OurFault, match="without a reason"):
        World().run(open_uniform, [1], reason="")


def test_costs_are_those_of_the_design() -> None:
    assert cost_of(open_result, 1000, Z64) == Cost(1, 24_000)
    assert opening.reveal.cost(1000, Z64) == FREE  # type: ignore[attr-defined]
