"""What is too large to enumerate: coins are spent once, traffic has one shape, and messages look alike for any data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from accord.base.ring import Z32, Z64
from accord.mpc import compare, convert, division, fixed, integer_root, reciprocal, truncate
from accord.mpc.compose import in_blocks
from accord.mpc.party import Party, Profile
from accord.mpc.product import multiply
from accord.mpc.share import Share
from accord.testing.traces import NotingWorld, chi_squared, fixed_versus_random, label_faults, traffic_shape
from accord.testing.world import Word

ROWS = 2_048
SEED = 11
FAMILY_LEVEL_MIN = 1e-3
"""A family of tests fails where chance would give such a p-value less than once in a thousand families."""
RANDOM = np.random.default_rng(SEED)


async def blocks(me: Party, x: Share, y: Share) -> Share:
    return await in_blocks(compare.minimum, me, x, y, bits=42)


async def inverse(me: Party, b: Share, width: int) -> Share:
    return (await reciprocal.reciprocal(me, b, width)).inverse


def uniform(bits: int, low: int = 0) -> np.ndarray:
    return RANDOM.integers(low, 1 << bits, ROWS)


@dataclass(frozen=True)
class Composite:
    protocol: Callable[..., Any]
    columns: tuple[Any, ...]
    public: dict[str, Any] = field(default_factory=dict)

    @property
    def fixed(self) -> list[Any]:
        """The first row everywhere."""
        return [
            Word(np.full_like(np.asarray(one.values), np.asarray(one.values)[0]), one.width)
            if isinstance(one, Word)
            else np.full_like(one, one[0])
            for one in self.columns
        ]


A, B, WIDE = uniform(40), uniform(20, 1), uniform(40, 1)

COMPOSITES = {
    "floor_shift": Composite(truncate.floor_shift, (A,), {"shift": 20}),
    "fixed_multiply": Composite(fixed.fixed_multiply, (A, B), {"fraction_bits": 16}),
    "sign": Composite(compare.sign, (A,), {"bits": 64}),
    "less_than": Composite(compare.less_than, (A, B), {"bits": 42}),
    "equality": Composite(compare.equality, (A, A[::-1].copy()), {"bits": 40}),
    "minimum": Composite(compare.minimum, (A, B), {"bits": 42}),
    "maximum": Composite(compare.maximum, (A, B), {"bits": 42}),
    "minimum in blocks": Composite(blocks, (A, B)),
    "to_bits": Composite(convert.to_bits, (A,)),
    "to_ring 20": Composite(lambda me, b: convert.to_ring(me, b, Z32), (Word(B, 20),)),
    "to_ring 64": Composite(lambda me, b: convert.to_ring(me, b, Z64), (Word(A, 64),)),
    "leading_zeros": Composite(reciprocal.leading_zeros, (Word(WIDE, 41),)),
    "reciprocal": Composite(inverse, (WIDE,), {"width": 41}),
    "quotient": Composite(division.quotient, (A, B), {"a_bits": 40, "b_bits": 20}),
    "quotient by a wide divisor": Composite(division.quotient, (A, WIDE), {"a_bits": 60, "b_bits": 41}),
    "floor_root": Composite(integer_root.floor_root, (A,), {"bits": 40}),
    "floor_root of few bits": Composite(integer_root.floor_root, (A & 15,), {"bits": 4}),
    "headroom": Composite(reciprocal.headroom, (WIDE,), {"bits": 40}),
    "divide": Composite(division.divide, (A, B), {"fraction_bits": 16, "a_bits": 40, "b_bits": 20}),
}
SMALL = Profile(block_rows=256, blocks_in_flight=3)


@pytest.mark.parametrize("name", COMPOSITES)
def test_coins_are_spent_once_and_by_both_holders(name: str) -> None:
    one = COMPOSITES[name]
    world = NotingWorld(SEED, SMALL)
    world.run(one.protocol, *one.columns, **one.public)
    assert label_faults(world.drawn) == []
    assert all(world.drawn)


@pytest.mark.parametrize("name", COMPOSITES)
def test_traffic_has_one_shape(name: str) -> None:
    one = COMPOSITES[name]
    shapes = [
        traffic_shape(NotingWorld(seed, SMALL, keep=True).run(one.protocol, *columns, **one.public).outcome)
        for seed, columns in ((1, one.columns), (2, one.fixed))
    ]
    assert shapes[0] == shapes[1] and len(shapes[0]) > 2


@pytest.mark.parametrize("name", COMPOSITES)
def test_messages_look_alike_for_fixed_and_random_data(name: str) -> None:
    one = COMPOSITES[name]
    found = fixed_versus_random(one.protocol, one.fixed, one.columns, seed=SEED, **one.public)
    assert found.family_wise > FAMILY_LEVEL_MIN, found


# ---- these tests can fail


async def two_products_in_one_step(me: Party, x: Share, y: Share) -> Share:
    """The second product takes the first one's coins."""
    first = await multiply(me.step("product"), x, y)
    return await multiply(me.step("product"), first, y)


async def one_holder_alone(me: Party, x: Share) -> Share:
    if me.index == 0:
        me.step("alone").mask(0, x.ring, x.rows)
    return x


async def as_long_as_the_data(me: Party, x: Share) -> Share:
    rows = 1 + int(x.own[0] & np.uint64(1))
    column = np.zeros(rows, np.uint64)
    await me.exchange({me.left: Z64.pack(column)}, {})
    return x


async def low_bits_bare(me: Party, x: Share) -> Share:
    """Each server tells its left neighbour the component that it lacks, masked but for the lowest byte."""
    mask = me.zero_share(x.ring, x.rows) & ~np.uint64(255)
    column = x.ring.reduce(x.next * x.next + mask)
    return Share(x.ring, column, await me.swap(column, x.ring))


def test_a_label_used_twice_is_found() -> None:
    world = NotingWorld(SEED)
    with pytest.raises(Exception, match="spent"):
        world.run(two_products_in_one_step, A, B)
    assert any("twice" in fault for fault in label_faults(world.drawn))


def test_a_draw_by_one_holder_alone_is_found() -> None:
    world = NotingWorld(SEED)
    world.run(one_holder_alone, A)
    assert any("one holder alone" in fault for fault in label_faults(world.drawn))


def test_a_shape_that_depends_on_shares_is_found() -> None:
    parties = [NotingWorld(seed, keep=True) for seed in range(8)]
    sizes = set()
    for world in parties:
        me = world.parties()[0]
        running = as_long_as_the_data(me, world.deal(A).at[0])
        sizes.add(running.send(None).sends[0].payload.size)
        running.close()
    assert len(sizes) == 2


def test_bare_low_bits_are_found() -> None:
    found = fixed_versus_random(low_bits_bare, [np.full(ROWS, 7)], [A], seed=SEED)
    assert found.family_wise < 1e-9


def test_chi_squared_agrees_with_its_table() -> None:
    """The 95 % and 99.9 % points of 15 degrees of freedom are 24.996 and 37.697."""
    for statistic, p in ((24.996, 0.05), (37.697, 0.001)):
        # Two histograms of 16 bins that differ in two bins by d: the statistic is 2 d² / (a + b).
        a, b = np.full(16, 100_000), np.full(16, 100_000)
        d = (statistic * 100_000) ** 0.5
        a[0], a[1] = 100_000 + d / 2, 100_000 - d / 2
        b[0], b[1] = 100_000 - d / 2, 100_000 + d / 2
        assert chi_squared(a, b) == pytest.approx(p, rel=0.1)
