"""Products, sums of products, selection: against their twins at declared cost; kernels against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z32, Z64, Ring
from accord.mpc import kernels_ring, product
from accord.mpc.compose import in_blocks
from accord.mpc.cost import Cost, cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import Party, Profile
from accord.mpc.share import Share
from accord.testing.world import World
from tests.mpc.cases import ROWS, every_sharing, numbers, run_at_cost

RINGS = [Ring(bits) for bits in (1, 3, 8, 13, 16, 31, 32, 33, 63, 64)]


def agrees(got: np.ndarray, expected: np.ndarray, ring: Ring) -> bool:
    return np.array_equal(got, ring.encode(expected))


@pytest.mark.parametrize("ring", RINGS)
def test_products_agree_with_their_twins(ring: Ring) -> None:
    for rows in ROWS:
        x, y = numbers(rows, ring), numbers(rows, ring, seed=1)[::-1].copy()
        declared = cost_of(product.multiply, rows, ring)
        assert agrees(run_at_cost(World(rows), declared, product.multiply, x, y, ring=ring).value, x * y, ring)
        assert agrees(run_at_cost(World(rows), declared, product.square, x, ring=ring).value, TWINS[product.square](x), ring)


def test_every_pair_of_tiny_sharings() -> None:
    """All 8 · 8 sharings of two bits: the algebra needs no luck."""
    dealt, values = every_sharing(Ring(1))
    for shift in range(8):
        turned = type(dealt)(tuple(one[np.roll(np.arange(8), shift)] for one in dealt.at))
        ran = World().run(product.multiply, dealt, turned)
        assert np.array_equal(ran.value, values & np.roll(values, shift))


@pytest.mark.parametrize("rows", [1, 64, 1003, 70_000])
def test_dots_agree_with_their_twin(rows: int) -> None:
    for ring in (Z32, Z64, Ring(5)):
        x, y = numbers(rows, ring), numbers(rows, ring, seed=1)
        for starts in (None, np.unique(np.r_[0, np.random.default_rng(rows).integers(0, rows, 20)]), np.arange(rows)):
            groups = 1 if starts is None else len(starts)
            ran = run_at_cost(World(rows), cost_of(product.dot, groups, ring), product.dot, x, y, ring=ring, starts=starts)
            assert agrees(ran.value, TWINS[product.dot](x, y, starts=starts), ring), (ring, groups)


@pytest.mark.parametrize("starts", [[], [1], [0, 0], [0, 3, 2], [0, 5]])
def test_groups_must_be_groups(starts: list[int]) -> None:
    with pytest.raises(OurFault, match="groups"):
        World().run(product.dot, np.arange(5), np.arange(5), starts=np.array(starts, np.intp))


@pytest.mark.parametrize("rows", ROWS)
def test_select_agrees_with_its_twin(rows: int) -> None:
    a, b = numbers(rows, Z64), numbers(rows, Z64, seed=1)
    condition = np.arange(rows) % 2
    ran = run_at_cost(World(rows), cost_of(product.select, rows, Z64), product.select, condition, a, b)
    assert np.array_equal(ran.signed, TWINS[product.select](condition, a, b))


def test_columns_must_go_together() -> None:
    """A row of one column against many of the other would read past its end."""
    for x, y in ((World().deal([1, 2]), World().deal([1])), (World().deal([1], Z32), World().deal([1], Z64))):
        with pytest.raises(OurFault, match="a product of"):
            World().run(product.multiply, x, y)
        with pytest.raises(OurFault, match="a product of"):
            World().run(product.dot, x, y)


def test_products_in_blocks_are_products() -> None:
    async def blocks(me: Party, x: Share, y: Share) -> Any:
        return await in_blocks(product.multiply, me, x, y)

    x, y = numbers(1003, Z64), numbers(1003, Z64, seed=1)
    for block_rows in (64, 128, 960):
        ran = World(1, Profile(block_rows=block_rows, blocks_in_flight=2)).run(blocks, x, y)
        assert np.array_equal(ran.signed, x * y)
        assert ran.cost.bytes == cost_of(product.multiply, 1003, Z64).bytes


def test_costs_are_those_of_the_design() -> None:
    assert cost_of(product.multiply, 1000, Z64) == Cost(1, 24_000)
    assert cost_of(product.dot, 1, Z64) == Cost(1, 24)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_loops_agree_with_numpy(dtype: Any) -> None:
    """The loops are called as Python here and compiled where rows are many: the same text, the same result."""
    rng = np.random.default_rng(3)
    big = kernels_ring.COMPILED_WORDS_MIN + 5
    columns = [rng.integers(0, np.iinfo(dtype).max, big, dtype, endpoint=True) for _ in range(6)]
    compiled, twin = np.empty(big, dtype), np.empty(big, dtype)
    kernels_ring.product((columns[0], columns[1]), (columns[2], columns[3]), (columns[4], columns[5]), compiled)
    kernels_ring.product_twin(*columns, twin)
    assert np.array_equal(compiled, twin)
    starts = np.array([0, 1, 700, big - 1])
    masks = columns[4][:4], columns[5][:4]
    compiled, twin = np.empty(4, dtype), np.empty(4, dtype)
    kernels_ring.dots((columns[0], columns[1]), (columns[2], columns[3]), starts, masks, compiled)
    kernels_ring.dots_twin(*columns[:4], starts, *masks, twin)
    assert np.array_equal(compiled, twin)


@pytest.mark.parametrize(
    ("dtype", "narrow", "bits", "shift"), [("u8", "u2", 64, 16), ("u8", "u8", 64, 62), ("u4", "u1", 32, 7), ("u1", "u1", 3, 1)]
)
def test_shifting_loops_agree_with_numpy(dtype: str, narrow: str, bits: int, shift: int) -> None:
    """Called as Python, and compiled."""
    random = np.random.default_rng(bits)
    view, low = (random.integers(0, 1 << 64, 5000, np.uint64) for _ in range(2))
    view, low = (view >> np.uint64(64 - bits)).astype(dtype), low.astype(narrow)
    offset = 1 << (bits - 2)
    expected = (view.astype(object) + offset) % (1 << bits)
    for rows in (5000, 100):
        part, flag, out = np.empty(rows, dtype), np.empty(rows, narrow), np.empty(rows, dtype)
        kernels_ring.shifted_down(view[:rows], offset, shift, bits, part, flag)
        top = expected[:rows] >> (bits - 1)
        assert (part == ((expected[:rows] >> shift) - (top << (bits - shift))) % (1 << bits)).all() and (flag == top).all()
        kernels_ring.lifted_sum(view[:rows], low[:rows], bits - shift, 5, out)
        assert (out == (view[:rows].astype(object) + (low[:rows].astype(object) << (bits - shift)) + 5) % (1 << 8 * out.itemsize)).all()
    with np.errstate(over="ignore"):
        loops = [np.empty(9, dtype), np.empty(9, narrow), np.empty(9, dtype)]
        kernels_ring.shift_loop(view[:9], np.uint64(offset), np.uint64(shift), np.uint64(bits), *loops[:2])
        kernels_ring.shifted_down(view[:9], offset, shift, bits, part[:9], flag[:9])
        assert np.array_equal(loops[0], part[:9]) and np.array_equal(loops[1], flag[:9])
