"""Circuits on bit-planes against their twins; plain columns into planes and back; compiled loops against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.errors import OurFault
from accord.mpc import bits, kernels
from accord.mpc.compose import in_blocks
from accord.mpc.cost import cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import Party, Profile
from accord.mpc.share import Bits
from accord.testing.world import Word, World
from tests.mpc.cases import ROWS, flags, run_at_cost, words

WIDTHS = (1, 2, 3, 5, 31, 32, 64)

# ---- plain values


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("width", WIDTHS)
def test_planes_hold_bit_j_of_row_i(rows: int, width: int) -> None:
    column = words(rows, width)
    planes = bits.planes_from_column(column, width)
    assert planes.shape == (width, -(-rows // 64)) and planes.dtype == np.uint64
    for i in {0, rows // 2, rows - 1}:
        word = sum((int(planes[j, i // 64]) >> i % 64 & 1) << j for j in range(width))
        assert word == int(column[i])
    assert np.array_equal(bits.column_from_planes(planes, rows), column)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_narrow_columns_and_narrow_widths_give_low_planes(dtype: type) -> None:
    column = np.arange(200).astype(dtype)
    assert np.array_equal(bits.column_from_planes(bits.planes_from_column(column, 3), 200), column % 8)


@pytest.mark.parametrize("rows", ROWS)
def test_one_plane_from_booleans_and_back(rows: int) -> None:
    plane = bits.planes_from_bools(flags(rows))
    assert np.array_equal(plane, bits.planes_from_column(flags(rows).astype(np.uint8), 1))
    assert np.array_equal(bits.bools_from_planes(plane, rows), flags(rows))


# ---- compiled loops and their twins


@pytest.mark.parametrize("rows", [512, 70_001])
@pytest.mark.parametrize("width", [1, 33, 64])
def test_compiled_transposes_equal_their_twins(rows: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "COMPILED_WORDS_MIN", 0)
    column = words(rows, width)
    planes = kernels.planes_from_words(column, width)
    assert np.array_equal(planes, kernels.planes_twin(column, width))
    assert np.array_equal(kernels.words_from_planes(planes, rows), column)
    assert np.array_equal(kernels.words_twin(planes, rows), column)


def test_compiled_and_and_fold_equal_their_twins(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    a0, a1, b0, b1, mask, after = generator.integers(0, 2**64, (6, 9, 70), dtype=np.uint64)
    left, right = generator.integers(0, 9, (2, 5))
    target = [generator.integers(0, 2**64, (9, 70), dtype=np.uint64)] * 2
    results = []
    for least in (0, 1 << 40):
        monkeypatch.setattr(kernels, "COMPILED_WORDS_MIN", least)
        z, folded = np.empty((5, 70), np.uint64), target[0].copy()
        kernels.and_planes((a0, a1), left, (b0, b1), right, (mask[:5], after[:5]), z)
        kernels.fold_planes(folded, np.array([8, 0, 3, 2, 7]), z, added=3)
        results.append((z, folded))
    assert all(np.array_equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.uint64])
@pytest.mark.parametrize("with_bits", [False, True])
def test_compiled_flipped_sums_equal_their_twin_and_integers(dtype: Any, with_bits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    parts, flags = generator.integers(0, 2**64, (3, 131), dtype=np.uint64).astype(dtype), generator.integers(0, 2, (3, 131))
    planes = np.concatenate([bits.planes_from_bools(flag) for flag in flags])
    exact = [
        sum((-int(x) + with_bits if b else int(x)) << i for i, (x, b) in enumerate(zip(*row, strict=True)))
        for row in zip(parts.T, flags.T, strict=True)
    ]
    for least in (0, 1 << 40):
        monkeypatch.setattr(kernels, "COMPILED_WORDS_MIN", least)
        out = np.empty(131, dtype)
        kernels.flipped_sums(planes, list(parts), with_bits, out)
        assert out.tolist() == [value % 2 ** (8 * out.itemsize) for value in exact]


@pytest.mark.parametrize("make", [lambda a: a[:, 1:], lambda a: np.frombuffer(a.tobytes(), np.uint64).reshape(a.shape)])
def test_loops_take_slices_and_frozen_arrays(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "COMPILED_WORDS_MIN", 0)
    a = make(np.random.default_rng(1).integers(0, 2**64, (3, 8), dtype=np.uint64))
    every, z = np.arange(3), np.empty(a.shape, np.uint64)
    kernels.and_planes((a, a), every, (a, a), every, (a, a), z)
    assert np.array_equal(z, a & a), "(a ∧ 0) ⊕ (a ∧ a) ⊕ a ⊕ a"
    assert np.array_equal(kernels.words_from_planes(a, 64), kernels.words_twin(a, 64))


# ---- local operations


async def local(me: Party, a: Bits, how: Callable[..., Bits]) -> Bits:
    return how(me, a)


@pytest.mark.parametrize("rows", ROWS)
def test_not_and_public_planes_are_local(rows: int) -> None:
    world, column, public = World(rows), words(rows, 7), words(rows, 7, seed=1)
    planes = bits.planes_from_column(public, 7)
    ran = world.run(local, Word(column, 7), how=bits.not_bits)
    assert np.array_equal(ran.value, ~column & np.uint64(127)) and ran.cost.bytes == 0
    ran = world.run(local, Word(column, 7), how=lambda me, a: bits.xor_public(me, a, planes))
    assert np.array_equal(ran.value, column ^ public)
    ran = world.run(local, Word(column, 7), how=lambda me, a: bits.public_bits(me, planes, rows))
    assert np.array_equal(ran.value, public)


# ---- protocols


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("protocol", [bits.and_bits, bits.or_bits])
def test_gates_agree_with_their_twins_at_their_cost(protocol: Any, width: int) -> None:
    for rows in ROWS:
        a, b = words(rows, width), words(rows, width, seed=1)
        ran = run_at_cost(World(rows), cost_of(protocol, rows, width), protocol, Word(a, width), Word(b, width))
        assert np.array_equal(ran.value, TWINS[protocol](a, b))


@pytest.mark.parametrize("width", WIDTHS)
def test_select_agrees_with_its_twin_at_its_cost(width: int) -> None:
    for rows in ROWS:
        condition, a, b = flags(rows), words(rows, width), words(rows, width, seed=1)
        ran = run_at_cost(World(rows), cost_of(bits.select_bits, rows, width), bits.select_bits, condition, Word(a, width), Word(b, width))
        assert np.array_equal(ran.value, TWINS[bits.select_bits](condition, a, b))


@pytest.mark.parametrize("width", range(1, 10))
def test_all_agrees_with_its_twin_at_its_cost(width: int) -> None:
    for rows in ROWS:
        a = words(rows, width)
        ran = run_at_cost(World(rows), cost_of(bits.all_bits, rows, width), bits.all_bits, Word(a, width))
        assert np.array_equal(ran.value, TWINS[bits.all_bits](a, width=width))


@given(st.lists(st.tuples(st.integers(0, 2**9 - 1), st.integers(0, 2**9 - 1)), min_size=1, max_size=150), st.integers(0, 2))
def test_gates_on_any_words(pairs: list[tuple[int, int]], pivot: int) -> None:
    a, b = np.array(pairs, np.uint64).T.copy()
    ran = World(len(pairs)).run(bits.and_bits, Word(a, 9), Word(b, 9), pivot=pivot)
    assert np.array_equal(ran.value, a & b)


def test_gates_run_in_blocks() -> None:
    rows, world = 1003, World(5, Profile(block_rows=128, blocks_in_flight=3))
    a, b = words(rows, 6), words(rows, 6, seed=1)
    both = world.run(lambda me, x, y: in_blocks(bits.and_bits, me, x, y), Word(a, 6), Word(b, 6))
    every = world.run(lambda me, x: in_blocks(bits.all_bits, me, x), Word(a, 6))
    assert np.array_equal(both.value, a & b) and np.array_equal(every.value, a == 63)
    assert both.cost.bytes == cost_of(bits.and_bits, rows, 6).bytes


async def refused(me: Party, *columns: Bits, gate: Any) -> str:
    """What the protocol says before it sends anything."""
    with pytest.raises(OurFault) as caught:
        await gate(me, *columns)
    return str(caught.value)


@pytest.mark.parametrize(("gate", "widths"), [(bits.and_bits, (3, 4)), (bits.select_bits, (4, 3, 3))])
def test_columns_that_do_not_go_together_are_refused(gate: Any, widths: tuple[int, ...]) -> None:
    said = World().run(refused, *(Word(words(64, width), width) for width in widths), gate=gate).value
    assert all("do not go together" in sentence for sentence in said)
