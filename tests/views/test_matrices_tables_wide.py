"""Views of matrix products, look-ups, hashes of keys and wide columns: enumerated where small, compared statistically where not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from accord.base.ring import Z64, Ring
from accord.mpc import convert, hash_keys, lookup, matmul, wide, wide_words
from accord.mpc.matmul import Matrix
from accord.mpc.party import Party, Profile
from accord.mpc.share import Bits, Share
from accord.mpc.wide import Wide
from accord.testing.traces import NotingWorld, fixed_versus_random, label_faults, traffic_shape
from accord.testing.views import every_view
from accord.testing.world import Word, World
from tests.views.test_leaves import R1, R2, R3, R4, Leaf, all_of, some_of, views_of

# ---- wide columns over tiny lanes: Z_2^(2h) is a ring that the enumeration knows


def as_wide(x: Share) -> Wide:
    lane = Ring(x.ring.bits // 2)
    return Wide(lane, *(np.stack([lane.encode(one), lane.encode(one >> lane.bits)], axis=1) for one in (x.own, x.next)))


def as_share(x: Wide) -> Share:
    ring = Ring(x.bits)
    return Share(ring, *(ring.encode(one[:, 0].astype(np.uint64) | one[:, 1].astype(np.uint64) << x.lane.bits) for one in (x.own, x.next)))


def narrow(protocol: Callable[..., Any]) -> Callable[..., Any]:
    """A protocol on wide columns as one on shares of the same ring."""

    async def run(me: Party, *columns: Share, **public: Any) -> Any:
        result = await protocol(me, *map(as_wide, columns), **public)
        return as_share(result) if isinstance(result, Wide) else result

    return run


async def widened(me: Party, x: Share) -> Share:
    return as_share(await wide.widen(me, x))


async def wide_bit(me: Party, b: Bits) -> Share:
    return as_share(await wide_words.bit_to_wide(me, b, R1))


def with_public(**public: Any) -> dict[str, Any]:
    return {"arrange": lambda cases: public}


FOUR = np.array([3, 0, 2, 1])

LEAVES = {
    **{
        f"look_up {k} of {m} bits": Leaf(lambda me, i, k=k, m=m: lookup.look_up(me, i, FOUR[: 1 << m], Ring(k)), (Ring(m),), all_of(m), {})
        for k, m in ((1, 1), (1, 2), (2, 1), (2, 2))
    },
    "look_up_bits": Leaf(lookup.look_up_bits, (R2,), all_of(2), with_public(table=FOUR, width=2)),
    "two tables": Leaf(lambda me, i: lookup.look_up_each(me, i, [FOUR[:2], FOUR[2:]], R2), (R1,), all_of(1)),
    "one_hot": Leaf(lambda me, i: lookup.one_hot(me, i, 4, R1), (R2,), all_of(2)),
    "one_hot_bits": Leaf(lookup.one_hot_bits, (R2,), all_of(2), with_public(entries=4)),
    "multiply_wide": Leaf(narrow(wide.multiply_wide), (R2, R2), some_of(6, 2, 2)),
    "widen 2": Leaf(widened, (R2,), [(-1,), (0,)]),
    "widen 3": Leaf(widened, (R3,), [(-2,), (1,)]),
    **{f"truncate_to_ring {s}": Leaf(narrow(wide.truncate_to_ring), (R4,), some_of(5, 4), with_public(shift=s)) for s in (1, 2)},
    **{f"truncate_wide {s}": Leaf(narrow(wide.truncate_wide), (R4,), [(-3,), (3,)], with_public(shift=s)) for s in (1, 2)},
    "floor_to_ring 1": Leaf(narrow(wide.floor_to_ring), (R2,), all_of(2), with_public(shift=1)),
    "sign_wide 2 in lanes of 1": Leaf(narrow(wide.sign_wide), (R2,), all_of(2), with_public(bits=2)),
    "sign_wide 3 in lanes of 2": Leaf(narrow(wide.sign_wide), (R4,), [(-3,), (3,)], with_public(bits=3)),
    "wide_to_bits 2": Leaf(narrow(wide.wide_to_bits), (R2,), all_of(2), with_public(bits=2)),
    "is_zero_wide 2": Leaf(narrow(wide.is_zero_wide), (R2,), all_of(2), with_public(bits=2)),
    "bit_to_wide": Leaf(wide_bit, (1,), all_of(1)),
    "select_wide": Leaf(narrow(wide_words.select_wide), (R2, R2, R2), [(0, 1, 2), (1, 1, 2)]),
    "equality_wide 2": Leaf(narrow(wide.equality_wide), (R2, R2), some_of(4, 2, 2), with_public(bits=2)),
}
PIVOTED = (
    "look_up 2 of 2 bits",
    "look_up_bits",
    "one_hot_bits",
    "widen 2",
    "truncate_to_ring 2",
    "truncate_wide 1",
    "is_zero_wide 2",
    "bit_to_wide",
)


@pytest.mark.parametrize("name", LEAVES)
def test_no_server_learns_anything(name: str) -> None:
    views = views_of(LEAVES[name])
    for server in range(3):
        assert not views.differ(server), f"server {server}'s view depends on the data"
        assert not views.depend(server), f"server {server}'s view is more than its shares"


@pytest.mark.parametrize("pivot", [1, 2])
@pytest.mark.parametrize("name", PIVOTED)
def test_roles_are_the_same_at_every_server(name: str, pivot: int) -> None:
    views = views_of(LEAVES[name], pivot)
    assert not any(views.differ(server) or views.depend(server) for server in range(3))


async def told_one_hot(me: Party, index: Share) -> Share:
    """A damage: the one-hot vector of c leaves role 0 without a mask."""
    turns = lookup._turns(me, index, 2)
    column = (np.arange(2) == turns[:, None]).astype(np.uint8).reshape(-1)
    if me.role == 0:
        await me.exchange({me.server(2): R1.pack(column)}, {})
    else:
        await me.exchange({}, {me.server(0): R1.nbytes(column.size)} if me.role == 2 else {})
    return index


def test_an_unmasked_one_hot_vector_is_seen() -> None:
    views = every_view(told_one_hot, (R1,), all_of(1))
    assert [views.differ(server) for server in range(3)] == [False, False, True]


# ---- matrices: many rows of one factor are cases, every sharing of the other is tried


def sharings(*values: int) -> list[list[Share]]:
    """Every sharing over Z_2^1 of a few elements, as the three servers hold it."""
    made = []
    for masks in product(range(2), repeat=2 * len(values)):
        a, b = (np.array(half, np.uint8) for half in (masks[: len(values)], masks[len(values) :]))
        parts = [a, b, R1.reduce(np.array(values, np.uint8) - a - b)]
        made.append([Share(R1, parts[i], parts[(i + 1) % 3]) for i in range(3)])
    return made


@pytest.mark.parametrize(("is_left", "pivot"), [(True, 0), (False, 0), (True, 2)])
def test_products_of_matrices_hide_each_factor(is_left: bool, pivot: int) -> None:
    """Whatever the sharing of one factor, of two elements: no view depends on the other, nor on more than the shares."""
    for known in [one for values in ((0, 1), (1, 1)) for one in sharings(*values)]:

        async def times(me: Party, x: Share, cases: int, known: list[Share] = known) -> Share:
            if is_left:
                return (await matmul.matmul(me, Matrix(x, cases, 2), Matrix(known[me.index], 2, 1))).share
            turned = Matrix(x, cases, 2).transposed()
            return (await matmul.matmul(me, Matrix(known[me.index], 1, 2), turned)).share

        inputs = [((a, b),) for a, b in all_of(1, 1)]
        views = every_view(times, (R1,), inputs, rows=2, pivot=pivot, arrange=lambda cases: {"cases": cases})
        assert not any(views.differ(server) or views.depend(server) for server in range(3))


# ---- hashes: nothing that is sent has to do with the keys


def test_messages_of_a_hash_are_the_same_for_any_keys() -> None:
    async def hashed(me: Party, keys: Bits) -> Bits:
        (found,) = await hash_keys.hash_keys(me, [keys], 40)
        return found

    sent = []
    for keys in (np.zeros(100, np.uint64), np.arange(100, dtype=np.uint64)):
        ran = World(5, keep=True).run(hashed, Word(keys, 50))
        sent.append([(line.sender, line.receiver, line.payload) for one in ran.outcome.traffic for line in one.lines])
    assert sent[0] == sent[1] and len(sent[0]) == 3
    assert len({payload for _, _, payload in sent[0]}) == 3


# ---- what is too large to enumerate

ROWS, SEED = 2_048, 12
FAMILY_LEVEL_MIN = 1e-3
RANDOM = np.random.default_rng(SEED)
A, B = RANDOM.integers(0, 1 << 40, ROWS), RANDOM.integers(0, 1 << 20, ROWS)
TABLE = RANDOM.integers(0, 1 << 62, 70)


def of_matrices(protocol: Callable[..., Any], **public: Any) -> Callable[..., Any]:
    async def run(me: Party, x: Share, y: Share) -> Share:
        return (await protocol(me, Matrix(x, 64, 32), Matrix(y, 32, 64), **public)).share

    return run


def of_lanes(protocol: Callable[..., Any], columns: int, **public: Any) -> Callable[..., Any]:
    """A protocol on columns whose low and high lanes are shared as two columns."""

    async def run(me: Party, *parts: Share) -> Any:
        pairs = [parts[at : at + 2] for at in range(0, 2 * columns, 2)]
        given = [
            Wide(Z64, *(np.stack(both, axis=1) for both in zip(*((one.own, one.next) for one in pair), strict=True))) for pair in pairs
        ]
        result = await protocol(me, *given, **public)
        return result if isinstance(result, Share) else None

    return run


async def widened_64(me: Party, x: Share) -> None:
    await wide.widen(me, x)


async def there_and_back(me: Party, low: Share, high: Share) -> None:
    word = [await convert.to_bits(me.step(name), one) for name, one in (("low", low), ("high", high))]
    await wide_words.to_wide(me.step("wide"), Bits.stack(word))


async def chosen(me: Party, x: Wide, y: Wide) -> Wide:
    return await wide_words.select_wide(me, x, x, y)


COMPOSITES: dict[str, tuple[Callable[..., Any], int]] = {
    "matmul": (of_matrices(matmul.matmul), 2),
    "fixed_matmul": (of_matrices(matmul.fixed_matmul, fraction_bits=16), 2),
    "look_up": (lambda me, x: lookup.look_up(me, x, TABLE, Z64), 1),
    "look_up_bits": (lambda me, x: lookup.look_up_bits(me, x, TABLE, 62), 1),
    "one_hot": (lambda me, x: lookup.one_hot(me, x, 5, Z64), 1),
    "one_hot_bits": (lambda me, x: lookup.one_hot_bits(me, x, 64), 1),
    "widen": (widened_64, 1),
    "multiply_wide": (of_lanes(wide.multiply_wide, 2), 4),
    "dot_wide": (of_lanes(wide.dot_wide, 2, starts=np.arange(0, ROWS, 2)), 4),
    "truncate_wide": (of_lanes(wide.truncate_wide, 1, shift=20), 2),
    "truncate_to_ring": (of_lanes(wide.truncate_to_ring, 1, shift=20), 2),
    "floor_to_ring": (of_lanes(wide.floor_to_ring, 1, shift=20), 2),
    "sign_wide": (of_lanes(wide.sign_wide, 1, bits=128), 2),
    "less_than_wide": (of_lanes(wide.less_than_wide, 2, bits=100), 4),
    "equality_wide": (of_lanes(wide.equality_wide, 2, bits=128), 4),
    "wide_to_bits": (of_lanes(wide.wide_to_bits, 1, bits=128), 2),
    "to_wide": (there_and_back, 2),
    "select_wide": (of_lanes(chosen, 2), 4),
    "floor_wide": (of_lanes(wide_words.floor_wide, 1, shift=20), 2),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_coins_are_spent_once_and_messages_tell_nothing(name: str) -> None:
    """Each address is drawn once, by both holders; traffic has one shape; messages look alike for fixed and for random data."""
    protocol, count = COMPOSITES[name]
    columns = [A, B, B[::-1].copy(), A[::-1].copy()][:count]
    fixed = [np.full_like(one, one[0]) for one in columns]
    shapes = []
    for seed, data in ((1, columns), (2, fixed)):
        world = NotingWorld(seed, Profile(block_rows=256, blocks_in_flight=3), keep=True)
        shapes.append(traffic_shape(world.run(protocol, *data).outcome))
        assert label_faults(world.drawn) == [] and any(world.drawn)
    assert shapes[0] == shapes[1] and len(shapes[0]) > 0
    found = fixed_versus_random(protocol, fixed, columns, seed=SEED)
    assert found.family_wise > FAMILY_LEVEL_MIN, found
