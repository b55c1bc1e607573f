"""Products of matrices: against their twins at declared cost, at every width and role; the digits' bound; kernels against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.errors import OurFault
from accord.base.ring import Z32, Z64, Ring
from accord.mpc import kernels_matrix, matmul
from accord.mpc.cost import Cost, cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.matmul import Matrix
from accord.mpc.party import Party, Profile
from accord.mpc.share import Share
from accord.testing.world import Ran, World
from tests.mpc.cases import PIVOTS, every_sharing, numbers, run_at_cost

WIDTHS = (1, 2, 3, 8, 20, 21, 22, 31, 32, 42, 43, 62, 63, 64)
"""Around every width at which one digit more is needed."""
SIZES = ((1, 1, 1), (1, 7, 1), (3, 1, 4), (5, 6, 7), (70, 90, 80))

Sizes = tuple[int, int, int]


async def times(me: Party, x: Share, y: Share, sizes: Sizes) -> Share:
    height, inner, width = sizes
    product = await matmul.matmul(me, Matrix(x, height, inner), Matrix(y, inner, width))
    assert (product.rows, product.columns) == (height, width)
    return product.share


async def fixed_times(me: Party, x: Share, y: Share, sizes: Sizes, fraction_bits: int) -> Share:
    height, inner, width = sizes
    return (await matmul.fixed_matmul(me, Matrix(x, height, inner), Matrix(y, inner, width), fraction_bits)).share


def factors(ring: Ring, sizes: Sizes) -> tuple[np.ndarray, np.ndarray]:
    height, inner, width = sizes
    return numbers(height * inner, ring).reshape(height, inner), numbers(inner * width, ring, seed=1)[::-1].reshape(inner, width)


def run(ring: Ring, sizes: Sizes, x: np.ndarray, y: np.ndarray, pivot: int = 0) -> Ran:
    entries = sizes[0] * sizes[2]
    declared = cost_of(matmul.matmul, entries, ring)
    return run_at_cost(World(entries), declared, times, x.reshape(-1), y.reshape(-1), ring=ring, pivot=pivot, sizes=sizes)


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("bits", WIDTHS)
def test_products_agree_with_their_twin(bits: int, pivot: int) -> None:
    ring = Ring(bits)
    for sizes in SIZES:
        x, y = factors(ring, sizes)
        expected = TWINS[matmul.matmul](x, y).reshape(-1)
        assert np.array_equal(run(ring, sizes, x, y, pivot).value, ring.encode(expected)), sizes


def test_every_pair_of_tiny_sharings() -> None:
    """A column times a row is every pair of all sharings of two bits: 64 × 64 entries."""
    dealt, values = every_sharing(Ring(2))
    ran = World().run(times, dealt, dealt, sizes=(64, 1, 64))
    assert np.array_equal(ran.value.reshape(64, 64), np.outer(values, values) & 3)


LOWEST = (-(1 << 21) - (1 << 43)) % (1 << 64)
HIGHEST = ((1 << 21) - 1) * (1 + (1 << 22)) + ((1 << 20) - 1 << 44)
"""Words whose digits are all as low, or all as high, as digits get."""


@pytest.mark.parametrize("inner", [1023, 1024, 1025, 3000])
def test_long_sums_wrap_as_they_should(inner: int) -> None:
    """Extremes everywhere, across the blocks of inner indices."""
    for value in (2**64 - 1, 1 << 63, (1 << 63) - 1, LOWEST, HIGHEST):
        x, y = np.full((2, inner), value, np.uint64), np.full((inner, 2), value, np.uint64)
        assert np.array_equal(run(Z64, (2, inner, 2), x, y).value, (x @ y).reshape(-1))


@pytest.mark.parametrize(("left", "right"), [(LOWEST, LOWEST), (LOWEST, HIGHEST), (HIGHEST, HIGHEST)])
def test_the_largest_sums_of_digits_are_exact(left: int, right: int) -> None:
    """The longest block of inner indices with digits at their bounds, of both signs: nothing may be rounded."""
    inner = kernels_matrix.INNER_MAX
    x, y = (np.full(inner, value, np.uint64) for value in (left, right))
    one = kernels_matrix.Factor(x, x, 1, inner, shift=0, scale=0, digits=3)
    other = kernels_matrix.Factor(y, y, inner, 1, shift=0, scale=0, digits=3)
    digits = kernels_matrix._digits(one, slice(0, 1), slice(0, inner), above=False).reshape(3, inner)[:, 0]
    assert digits.tolist() == ([-(1 << 21), -(1 << 21), -(1 << 20)] if left == LOWEST else [(1 << 21) - 1, (1 << 21) - 1, (1 << 20) - 1])
    out = np.zeros((1, 1), np.uint64)
    kernels_matrix.add_product(one, other, 3, kernels_matrix.Rounding(), out)
    assert int(out[0, 0]) == inner * left * right % (1 << 64)


@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 9), st.sampled_from(WIDTHS), st.integers(0, 2**32))
def test_any_two_matrices(height: int, inner: int, width: int, bits: int, seed: int) -> None:
    ring, rng = Ring(bits), np.random.default_rng(seed)
    x, y = (ring.decode(ring.encode(rng.integers(0, 2**64, shape, np.uint64))) for shape in ((height, inner), (inner, width)))
    assert np.array_equal(run(ring, (height, inner, width), x, y, seed % 3).value, ring.encode((x @ y).reshape(-1)))


@pytest.mark.parametrize("sizes", [(3, 4, 5), (120, 70, 90)])
def test_fixed_point_products_round_once(sizes: Sizes) -> None:
    rng = np.random.default_rng(sizes)
    x, y = (rng.integers(-(1 << 26), 1 << 26, shape) for shape in (sizes[:2], sizes[1:]))
    entries = sizes[0] * sizes[2]
    declared = cost_of(matmul.fixed_matmul, entries, 16, Z64)
    ran = run_at_cost(World(1), declared, fixed_times, x.reshape(-1), y.reshape(-1), sizes=sizes, fraction_bits=16)
    error = ran.signed - TWINS[matmul.fixed_matmul](x, y, fraction_bits=16).reshape(-1)
    assert set(np.unique(error)) <= {0, 1}


def test_the_rounding_runs_in_blocks() -> None:
    sizes, world = (40, 3, 30), World(2, Profile(block_rows=128, blocks_in_flight=3))
    x, y = (np.random.default_rng(2).integers(-(1 << 28), 1 << 28, shape) for shape in (sizes[:2], sizes[1:]))
    ran = world.run(fixed_times, x.reshape(-1), y.reshape(-1), sizes=sizes, fraction_bits=20)
    assert set(np.unique(ran.signed - (x @ y >> 20).reshape(-1))) <= {0, 1}
    assert ran.cost.bytes == cost_of(matmul.fixed_matmul, 1200, 20, Z64).bytes


@pytest.mark.parametrize("bits", [1, 3, 22, 44, 45, 64])
@pytest.mark.parametrize("reach", [0, 1, 20, 21, 22, 41, 42, 43, 62, 63])
def test_products_with_public_matrices_send_nothing(reach: int, bits: int) -> None:
    ring, rng = Ring(bits), np.random.default_rng([reach, bits])
    x = numbers(12 * 5, ring).reshape(12, 5)
    public = rng.integers(-(1 << reach), (1 << reach) - (reach == 63), (5, 7), endpoint=True)
    public[0, :2] = -(1 << reach), (1 << reach) - 1

    async def by_public(me: Party, share: Share) -> Share:
        return matmul.matmul_public(Matrix(share, 12, 5), public).share

    ran = run_at_cost(World(bits), Cost(0, 0), by_public, x.reshape(-1), ring=ring)
    assert np.array_equal(ran.value, ring.encode((x @ public).reshape(-1)))


def test_transposed() -> None:
    async def gram(me: Party, share: Share) -> Share:
        x = Matrix(share, 4, 3)
        return (await matmul.matmul(me, x.transposed(), x)).share

    x = numbers(12, Z64).reshape(4, 3)
    assert np.array_equal(World().run(gram, x.reshape(-1)).signed, (x.T @ x).reshape(-1))


def test_sizes_must_fit() -> None:
    async def wrong(me: Party, x: Share, y: Share) -> Any:
        with pytest.raises(OurFault, match="secret matrix, 2 × 2"):
            Matrix(x, 2, 2)
        with pytest.raises(OurFault, match="at least one"):
            Matrix(x[:0], 0, 3)
        with pytest.raises(OurFault, match=r"a product of <secret matrix, 2 × 3> .* and <secret matrix, 2 × 3>"):
            await matmul.matmul(me, Matrix(x, 2, 3), Matrix(x, 2, 3))
        with pytest.raises(OurFault, match=r"Z_2\^32"):
            await matmul.matmul(me, Matrix(x, 2, 3), Matrix(y.cast_down(Z32), 3, 2))
        with pytest.raises(OurFault, match="public matrix of 2 rows"):
            matmul.matmul_public(Matrix(x, 2, 3), np.zeros((2, 2), np.int64))
        with pytest.raises(OurFault, match="truth"):
            bool(Matrix(x, 2, 3))

    World().run(wrong, np.arange(6), np.arange(6))


def test_costs_are_those_of_the_design() -> None:
    assert cost_of(matmul.matmul, 512 * 512, Z64) == Cost(1, 24 * 512 * 512)
    assert cost_of(matmul.fixed_matmul, 300, 16, Z64) == Cost(3, 300 * (24 + 8 + 3 * 2))


# ---- kernels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
@pytest.mark.parametrize("digits", [1, 2, 3])
def test_digits_agree_with_numpy(dtype: Any, digits: int) -> None:
    rng = np.random.default_rng(3)
    height, width, columns = 70, 71, 90
    a, b = (rng.integers(0, np.iinfo(dtype).max, height * columns, dtype, endpoint=True) for _ in range(2))
    a[:4], b[:4] = 0, np.iinfo(dtype).max
    for shift, scale in ((1, 1), (0, np.uint64(2**64 - 1)), (0, 0)):
        for place in ((0, digits * width, width), ((digits - 1) * height * width, width, -height * width)):
            compiled, twin = np.full((2, digits * height * width), np.nan)
            factor = kernels_matrix.Factor(a, b, height, columns, shift, -1 if scale > 1 else int(scale), digits)
            kernels_matrix.split(factor, 3, height, width, place, compiled)
            kernels_matrix.split_twin(a, b, np.uint64(shift), np.uint64(scale), 3, columns, height, width, digits, *place, twin)
            assert np.array_equal(compiled, twin)
            assert abs(twin).max() <= 1 << 21


@pytest.mark.parametrize("digits", [1, 2, 3])
@pytest.mark.parametrize(("halve", "up"), [(0, 0), (1, 0), (1, 1)])
def test_folding_agrees_with_numpy(digits: int, halve: int, up: int) -> None:
    rng = np.random.default_rng(4)
    sums = rng.integers(-(1 << 53), 1 << 53, (digits, 70, 71), endpoint=True).astype(np.float64)
    compiled, twin = np.array([rng.integers(0, 1 << 63, (80, 90), np.uint64)] * 2)
    kernels_matrix.fold(sums, kernels_matrix.Rounding(bool(halve), bool(up)), compiled, 5, 7)
    kernels_matrix.fold_twin(sums, halve, up, twin, 5, 7)
    assert np.array_equal(compiled, twin)
