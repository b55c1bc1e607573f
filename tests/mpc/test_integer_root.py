"""The exact integer root at its worst cases, and the headroom of a number."""

from __future__ import annotations

from math import isqrt

import numpy as np
import pytest

from accord.base.errors import AccordError, Refused
from accord.base.ring import Z32
from accord.mpc.cost import cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.integer_root import WAYS, floor_root, search
from accord.mpc.party import Profile
from accord.mpc.reciprocal import headroom
from accord.testing.world import World
from tests.mpc.cases import PIVOTS, ROWS, run_at_cost

BITS = (1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 31, 32, 40, 44, 45, 52, 60, 61, 62)


def worst_cases(bits: int, rows: int = 0) -> np.ndarray:
    """k², k² − 1 and k² + 1 for k small, large, beside powers of two and at random; 0 and the largest."""
    rng = np.random.default_rng(bits)
    most = isqrt((1 << bits) - 1)
    near = {(1 << j) + d for j in range(bits // 2 + 1) for d in (-2, -1, 0, 1, 2)}
    roots = {0, 1, 2, 3, most - 2, most - 1, most, *near, *(int(one) for one in rng.integers(0, most + 1, 100))}
    found = {root * root + d for root in roots for d in (-1, 0, 1)} | {(1 << bits) - 1, (1 << bits) - 2}
    found |= {int(2 ** rng.uniform(0, bits)) for _ in range(300)}
    whole = np.array(sorted(one for one in found if 0 <= one < 1 << bits), np.int64)
    return np.resize(whole, rows) if rows else whole


@pytest.mark.parametrize("bits", BITS)
def test_roots_are_exact(bits: int) -> None:
    x = np.arange(1 << bits) if bits <= 8 else worst_cases(bits)
    ran = run_at_cost(World(bits), cost_of(floor_root, len(x), bits), floor_root, x, pivot=bits % 3, bits=bits)
    assert np.array_equal(ran.signed, TWINS[floor_root](x, bits=bits))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_many_roots_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    roots = rng.integers(0, isqrt((1 << 62) - 1) + 1, 100_000)
    x = np.clip(roots * roots + rng.integers(-1, 2, len(roots)), 0, (1 << 62) - 1)
    assert np.array_equal(World(seed).run(floor_root, x, bits=62).signed, TWINS[floor_root](x, bits=62))


def test_roots_do_not_depend_on_the_coins() -> None:
    """One below a square of 62 bits, under 2000 sharings and twice as many streams."""
    root = isqrt((1 << 62) - 1)
    for world in (World(1), World(2)):
        assert set(world.run(floor_root, np.full(2000, root * root - 1), bits=62).signed.tolist()) == {root - 1}


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("rows", ROWS)
def test_roots_of_any_number_of_rows(rows: int, pivot: int) -> None:
    x = worst_cases(50, rows)
    assert np.array_equal(World(rows).run(floor_root, x, pivot=pivot, bits=50).signed, TWINS[floor_root](x, bits=50))


@pytest.mark.parametrize("bits", range(1, 63))
def test_the_steps_cover_every_root_that_the_approximation_leaves(bits: int) -> None:
    """And each difference of a number and a candidate's square fits the width that its sign is taken of."""
    plan = search(bits)
    reach = sum((WAYS - 1) * unit for unit in plan.units)
    assert reach >= (2 * plan.margin if plan.margin else plan.root_most)
    assert plan.units[-1] == 1 and all(a == WAYS * b for a, b in zip(plan.units, plan.units[1:], strict=False))
    for unit in plan.units if plan.margin else ():
        for root in (0, plan.root_most // 2, plan.root_most):
            for start in range(max(root - WAYS * unit + 1, 0), root + 1, max(WAYS * unit // 8, 1)):
                for x in (root * root, min((root + 1) ** 2, 1 << bits) - 1):
                    ends = [x - (start + way * unit) ** 2 for way in range(1, WAYS)]
                    assert all(-(1 << plan.width(unit) - 1) <= one < 1 << plan.width(unit) - 1 for one in ends)


def test_what_has_no_root_here_is_refused() -> None:
    for bits in (0, 63):
        with pytest.raises(Refused, match=f"a root of {bits} bits"):
            World().run(floor_root, [1], bits=bits)
    with pytest.raises(AccordError, match="64 bits"):
        World().run(floor_root, [1], ring=Z32, bits=8)


# ---- headroom


@pytest.mark.parametrize("bits", (1, 2, 3, 4, 8, 29, 31, 32, 33, 60, 61, 62))
def test_headroom(bits: int) -> None:
    x = np.array(sorted({one for j in range(bits) for d in (-1, 0, 1) if 0 <= (one := (1 << j) + d) < 1 << bits} | {(1 << bits) - 1}))
    ran = run_at_cost(World(bits), cost_of(headroom, len(x), bits), headroom, x, pivot=bits % 3, bits=bits)
    assert np.array_equal(ran.signed, TWINS[headroom](x, bits=bits))
    for one, power in zip(x.tolist(), ran.signed.tolist(), strict=True):
        assert power.bit_count() == 1 and power < 1 << 32
        assert not one or 1 << max(bits - 2, 0) <= one * power * power < 1 << bits


@pytest.mark.parametrize("adder", ["brent-kung", "sklansky"])
def test_headroom_with_each_adder(adder: str) -> None:
    run_at_cost(World(1, Profile(adder=adder)), cost_of(headroom, 65, 50, adder), headroom, np.full(65, 9), bits=50)


def test_costs_are_as_the_cards_say() -> None:
    for protocol, bits, rounds, nbytes in ((floor_root, 62, 79, 490), (floor_root, 40, 44, 235), (headroom, 62, 23, 115)):
        cost = cost_of(protocol, 64_000, bits)
        assert cost.rounds <= rounds and cost.bytes_per_server / 64_000 <= nbytes
