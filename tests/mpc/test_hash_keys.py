"""Hashes of keys: the twin, one hash for all columns, the stated chance of a false match, counted; the kernel against NumPy."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.mpc import hash_keys, kernels_hash
from accord.mpc.bits import bools_from_planes, column_from_planes, planes_from_column
from accord.mpc.cost import Cost, cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import Party
from accord.mpc.share import Bits
from accord.testing.world import Word, World
from tests.mpc.cases import ROWS, run_at_cost, words


def coins_of(world: World, run: Any, count: int) -> list[bool]:
    """The opened coins, from the messages: what each server heard is the component that it lacked."""
    heard = {line.receiver: np.frombuffer(line.payload, np.uint64) for one in run.outcome.traffic for line in one.lines}
    return bools_from_planes((heard[0] ^ heard[1] ^ heard[2]).reshape(1, -1), count).tolist()


def stacked(pieces: list[np.ndarray]) -> list[int]:
    """64 bits of a key in each piece, the lowest first."""
    return [sum(int(one) << (64 * i) for i, one in enumerate(row)) for row in zip(*pieces, strict=True)]


@pytest.mark.parametrize(("width", "bits"), [(1, 1), (3, 2), (64, 64), (40, 64), (150, 1), (150, 80), (256, 64)])
def test_hashes_agree_with_their_twin(width: int, bits: int) -> None:
    for rows in ROWS:
        pieces = [words(rows, min(64, width - at), seed=at) for at in range(0, width, 64)]
        given = [Word(piece, min(64, width - at)) for piece, at in zip(pieces, range(0, width, 64), strict=True)]

        async def hashed(me: Party, *parts: Bits) -> tuple[Bits, ...]:
            (found,) = await hash_keys.hash_keys(me, [Bits.stack(list(parts))], bits)
            return tuple(found.planes(slice(at, at + 64)) for at in range(0, bits, 64))

        world = World(rows, keep=True)
        ran = run_at_cost(world, cost_of(hash_keys.hash_keys, width, bits), hashed, *given)
        coins = coins_of(world, ran, width + bits - 1)
        assert [stacked(list(ran.value))] == TWINS[hash_keys.hash_keys]([stacked(pieces)], coins=coins, bits=bits)


def test_all_columns_have_one_hash_and_every_run_another() -> None:
    async def two(me: Party, a: Bits, b: Bits) -> tuple[Bits, ...]:
        return tuple(await hash_keys.hash_keys(me, [a, b], 64))

    keys = np.arange(1000)
    world = World(3)
    first, second = world.run(two, Word(keys, 20), Word(keys[::-1].copy(), 20)).value
    again, _ = world.run(two, Word(keys, 20), Word(keys, 20)).value
    assert np.array_equal(first, second[::-1]) and len(set(first.tolist())) == 1000
    assert not np.array_equal(first, again)


@pytest.mark.parametrize(("width", "bits"), [(3, 1), (3, 2), (2, 3), (4, 3)])
def test_false_matches_are_as_rare_as_stated(width: int, bits: int) -> None:
    """Over all tosses, each two keys that differ collide in exactly 2^−bits of them."""
    keys, count = np.arange(1 << width), width + bits - 1
    planes = planes_from_column(keys.astype(np.uint64), width)
    hashes = []
    for toss in range(1 << count):
        coins = (toss >> np.arange(count)) & 1 == 1
        hashes.append(column_from_planes(kernels_hash.toeplitz(planes, coins, bits), len(keys)))
    for one, other in combinations(np.array(hashes).T, 2):
        assert Fraction(int((one == other).sum()), 1 << count) == Fraction(1, 1 << bits)


def test_enough_bits_for_a_table() -> None:
    for rows in (0, 1, 2, 3, 10, 1000, 10**6, 10**7):
        bits = hash_keys.hash_bits(rows)
        assert Fraction(comb(rows, 2), 1 << bits) <= Fraction(1, 1 << 40)
        assert rows < 2 or Fraction(comb(rows, 2), 1 << (bits - 1)) > Fraction(1, 1 << 40)
    assert hash_keys.hash_bits(10**6) <= 2 * 20 + 40


@pytest.mark.parametrize(("widths", "bits"), [((3, 4), 8), ((3, 3), 0)])
def test_keys_of_one_width(widths: tuple[int, int], bits: int) -> None:
    async def two(me: Party, a: Bits, b: Bits) -> Any:
        return await hash_keys.hash_keys(me, [a, b], bits)

    with pytest.raises(OurFault, match=f"hashes of {bits} bits"):
        World().run(two, *(Word([1], width) for width in widths))


def test_the_cost_does_not_grow_with_rows() -> None:
    assert cost_of(hash_keys.hash_keys, 256, 64) == Cost(1, 3 * 40)


def test_the_loop_agrees_with_numpy() -> None:
    rng = np.random.default_rng(2)
    planes, coins = rng.integers(0, 2**64, (70, 300), np.uint64), rng.random(70 + 20 - 1) < 0.5
    twin = np.empty((20, 300), np.uint64)
    kernels_hash.toeplitz_twin(planes, coins, 0, twin)
    assert twin.size >= kernels_hash.COMPILED_WORDS_MIN
    assert np.array_equal(kernels_hash.toeplitz(planes, coins, 20), twin)
