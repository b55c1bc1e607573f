"""Shifts by a public power of two: the stochastic one within a unit, the exact one exactly; fixed-point products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z16, Z32, Z64, Ring
from accord.mpc import fixed, truncate
from accord.mpc.compose import in_blocks
from accord.mpc.cost import Cost, cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import Party, Profile
from accord.mpc.share import Share
from accord.testing.world import Dealt, World
from tests.mpc.cases import PIVOTS, ROWS, every_sharing, numbers, run_at_cost

CASES = [(Z64, shift) for shift in (1, 2, 8, 9, 20, 32, 33, 61, 62)] + [
    (Z32, 16),
    (Z16, 14),
    (Ring(13), 5),
    (Ring(3), 1),
    (Ring(2), 0),
    (Z64, 0),
]


def within_a_quarter(rows: int, ring: Ring) -> np.ndarray:
    """Numbers below a quarter of the ring, the extremes among them."""
    column = numbers(rows, ring) >> 1
    quarter = 1 << (ring.bits - 2)
    edges = np.array([quarter - 1, -quarter, -1, 0, 1])[:rows]
    column[: len(edges)] = edges
    return column


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize(("ring", "shift"), CASES)
def test_a_shift_is_the_floor_or_one_more(ring: Ring, shift: int, pivot: int) -> None:
    for rows in ROWS:
        x = within_a_quarter(rows, ring)
        declared = cost_of(truncate.truncate, rows, shift, ring)
        ran = run_at_cost(World(rows), declared, truncate.truncate, x, ring=ring, pivot=pivot, shift=shift)
        assert set(ran.signed - TWINS[truncate.truncate](x, shift=shift)) <= ({0, 1} if shift else {0})


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize(("ring", "shift"), CASES)
def test_an_exact_shift_is_the_floor(ring: Ring, shift: int, pivot: int) -> None:
    for rows in ROWS:
        x = within_a_quarter(rows, ring)
        declared = cost_of(truncate.floor_shift, rows, shift, ring)
        ran = run_at_cost(World(rows), declared, truncate.floor_shift, x, ring=ring, pivot=pivot, shift=shift)
        assert np.array_equal(ran.signed, x >> shift)


@pytest.mark.parametrize("bits", [3, 4, 5])
def test_every_sharing_of_a_tiny_number(bits: int) -> None:
    """All wraps of all sharings: within the declared range no sharing fails, whatever the shift."""
    ring = Ring(bits)
    dealt, sums = every_sharing(ring)
    x = ring.decode(sums)
    fits = np.flatnonzero(np.abs(x + 0.5) <= 1 << (bits - 2))
    dealt, x = Dealt(tuple(one[fits] for one in dealt.at)), x[fits]
    for shift in range(1, bits - 1):
        stochastic = World().run(truncate.truncate, dealt, shift=shift)
        assert set(stochastic.signed - (x >> shift)) == {0, 1}
        assert np.array_equal(World().run(truncate.floor_shift, dealt, shift=shift).signed, x >> shift)


def test_rounding_has_the_right_mean() -> None:
    """Over uniform sharings: ½ ulp would be 250 standard errors off."""
    x = np.full(1 << 18, 5 * 2**20 + 2**18)
    mean = (World(3).run(truncate.truncate, x, shift=20).signed).mean()
    assert mean == pytest.approx(5.25, abs=5 * (0.25 * 0.75 / len(x)) ** 0.5)


@pytest.mark.parametrize("shift", [-1, 63])
def test_shifts_out_of_range_are_refused(shift: int) -> None:
    for protocol in (truncate.truncate, truncate.floor_shift):
        with pytest.raises(OurFault, match="a shift by"):
            World().run(protocol, [1], shift=shift)


def test_shifts_in_blocks_are_shifts() -> None:
    async def blocks(me: Party, x: Share) -> Any:
        return await in_blocks(truncate.floor_shift, me, x, shift=20)

    x = within_a_quarter(1003, Z64)
    ran = World(1, Profile(block_rows=64, blocks_in_flight=3)).run(blocks, x)
    assert np.array_equal(ran.signed, x >> 20)


def test_fixed_point_products() -> None:
    rng = np.random.default_rng(5)
    for rows in ROWS:
        for fraction_bits in (13, 16, 20, 32):
            x, y = rng.integers(-(2**31), 2**31, rows), rng.integers(-(2**30), 2**30, rows)
            declared = cost_of(fixed.fixed_multiply, rows, fraction_bits, Z64)
            ran = run_at_cost(World(rows), declared, fixed.fixed_multiply, x, y, fraction_bits=fraction_bits)
            assert set(ran.signed - TWINS[fixed.fixed_multiply](x, y, fraction_bits=fraction_bits)) <= {0, 1}


@pytest.mark.parametrize(
    ("cost", "rounds", "bytes_per_row"),
    [
        (cost_of(truncate.truncate, 6400, 20, Z64), 2, 6.67),
        (cost_of(truncate.truncate, 6400, 32, Z64), 2, 6.67),
        (cost_of(truncate.floor_shift, 6400, 20, Z64), 9, 21.3),
        (cost_of(fixed.fixed_multiply, 6400, 16, Z64), 3, 14.7),
    ],
)
def test_costs_are_those_of_the_design_or_better(cost: Cost, rounds: int, bytes_per_row: float) -> None:
    assert cost.rounds == rounds
    assert cost.bytes_per_server / 6400 <= bytes_per_row + 0.05
