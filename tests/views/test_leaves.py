"""What a server sees of a leaf protocol, under every sequence of coins, does not depend on anybody's data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pytest

from accord.base.ring import Ring
from accord.mpc import adder, bits, compare, convert, truncate
from accord.mpc import open as opening
from accord.mpc import product as products
from accord.mpc.inputs import add_own, input_from
from accord.mpc.laplace import coins
from accord.mpc.open import GATE_TOKEN, Permit
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.testing.views import At, Form, Views, every_view

PERMIT = Permit("total", ("nl",), GATE_TOKEN)
R1, R2, R3, R4 = (Ring(bits) for bits in (1, 2, 3, 4))


def all_of(*widths: int) -> list[tuple[int, ...]]:
    """Every tuple of words of these widths."""
    return list(product(*(range(1 << width) for width in widths)))


def some_of(count: int, *widths: int) -> list[tuple[int, ...]]:
    """Zeros, all-ones, and tuples in between."""
    every = all_of(*widths)
    return every if len(every) <= count else [every[at] for at in sorted({*range(0, len(every), -(-len(every) // count)), len(every) - 1})]


@dataclass(frozen=True)
class Leaf:
    protocol: Callable[..., Any]
    forms: tuple[Form, ...]
    inputs: list[tuple[Any, ...]]
    options: dict[str, Any] = field(default_factory=dict)
    knows: int | None = None
    """The server that is given the argument in clear, and may see it."""


def with_rows(**public: Any) -> dict[str, Any]:
    return {"arrange": lambda cases: {"rows": cases, **public}}


ONE_LEVEL = (adder._level(2, [(1, 0)], [(1, 0)]),)

LEAVES = {
    "multiply 1": Leaf(products.multiply, (R1, R1), all_of(1, 1)),
    "multiply 2": Leaf(products.multiply, (R2, R2), some_of(6, 2, 2)),
    "square 2": Leaf(products.square, (R2,), all_of(2)),
    "select 1": Leaf(products.select, (R1, R1, R1), all_of(1, 1, 1)),
    "dot of groups of 2": Leaf(
        products.dot,
        (R1, R1),
        [((0, 0), (0, 0)), ((0, 1), (1, 1)), ((1, 1), (1, 1)), ((1, 0), (0, 1))],
        {"rows": 2, "arrange": lambda cases: {"starts": np.arange(cases) * 2}},
    ),
    "and_bits": Leaf(bits.and_bits, (1, 1), all_of(1, 1)),
    "and_bits of 2 planes": Leaf(bits.and_bits, (2, 2), some_of(4, 2, 2)),
    "or_bits": Leaf(bits.or_bits, (1, 1), all_of(1, 1)),
    "select_bits": Leaf(bits.select_bits, (1, 1, 1), all_of(1, 1, 1)),
    "all_bits of 3": Leaf(bits.all_bits, (3,), all_of(3)),
    "carries, one open merge": Leaf(adder.carries, (2, 2), some_of(4, 2, 2), {"arrange": lambda cases: {"network": ONE_LEVEL}}),
    "input_from 0": Leaf(lambda me, x, rows: input_from(me, 0, x, R3, rows), (At(0, R3),), all_of(3), with_rows(), knows=0),
    "add_own": Leaf(lambda me, x, a: add_own(me, x, own=a), (R1, At(1, R1)), all_of(1, 1), knows=1),
    "coins": Leaf(lambda me, x: coins(me, np.ones(x.rows, np.uint64), ring=R1, width=1), (R1,), all_of(1)),
    "pivot_input_bits": Leaf(lambda me, x, rows: convert.pivot_input_bits(me, x, 2, rows), (At(0, 2),), all_of(2), with_rows(), knows=0),
    "reshare": Leaf(
        lambda me, a, rows: convert.reshare(me, zero_at(me, a, R2, rows), R2, rows), (At(1, R2),), all_of(2), with_rows(), knows=1
    ),
    "reshare_bits": Leaf(
        lambda me, a, rows: convert.reshare_bits(me, zero_bits_at(me, a, rows), 2, rows), (At(2, 2),), all_of(2), with_rows(), knows=2
    ),
    **{f"bit_to_ring {k}": Leaf(lambda me, b, k=k: convert.bit_to_ring(me, b, Ring(k)), (1,), all_of(1)) for k in (1, 2, 3)},
    **{f"to_bits {k}": Leaf(convert.to_bits, (Ring(k),), all_of(k)) for k in (1, 2, 3)},
    "to_ring_direct": Leaf(lambda me, b: convert.to_ring_direct(me, b, R2), (2,), all_of(2)),
    "to_ring_adder": Leaf(lambda me, b: convert.to_ring_adder(me, b, R2), (2,), all_of(2)),
    "cast_up": Leaf(lambda me, x: convert.cast_up(me, x, R3), (R2,), all_of(1)),
    "cast_up_signed": Leaf(lambda me, x: convert.cast_up_signed(me, x, R3), (R2,), [(-1,), (0,)]),
    "truncate 3, 1": Leaf(lambda me, x: truncate.truncate(me, x, 1), (R3,), [(x,) for x in range(-2, 2)]),
    "truncate 4, 2": Leaf(lambda me, x: truncate.truncate(me, x, 2), (R4,), [(-4,), (-1,), (2,)]),
    "low carry 2": Leaf(lambda me, x: convert.carry(me, convert.summand(me, x), 2), (R2,), all_of(2)),
    **{f"sign {k}": Leaf(lambda me, x, k=k: compare.sign(me, x, k), (Ring(k),), all_of(k)) for k in (1, 2, 3)},
    "less_than 2": Leaf(lambda me, x, y: compare.less_than(me, x, y, 2), (R2, R2), [(0, 0), (0, 1), (1, 0), (-1, 0), (-1, 1)]),
    **{f"is_zero {k}": Leaf(lambda me, x, k=k: compare.is_zero(me, x, k), (Ring(k),), all_of(k)) for k in (1, 2, 3)},
    "equality 2": Leaf(lambda me, x, y: compare.equality(me, x, y, 2), (R2, R2), some_of(5, 2, 2)),
    "less_than_bits 1": Leaf(compare.less_than_bits, (1, 1), all_of(1, 1)),
}


def zero_at(me: Party, a: np.ndarray | None, ring: Ring, rows: int) -> np.ndarray | None:
    """One summand is the data, the other zero, the pivot has none."""
    return None if me.role == 0 else ring.zeros(rows) if a is None else a


def zero_bits_at(me: Party, a: np.ndarray | None, rows: int) -> np.ndarray | None:
    return None if me.role == 0 else np.zeros((2, (rows + 63) // 64), np.uint64) if a is None else a


def views_of(leaf: Leaf, pivot: int = 0) -> Views:
    return every_view(leaf.protocol, leaf.forms, leaf.inputs, pivot=pivot, **leaf.options)


@pytest.mark.parametrize("name", LEAVES)
def test_no_server_learns_anything(name: str) -> None:
    leaf = LEAVES[name]
    views = views_of(leaf)
    for server in range(3):
        if server == leaf.knows:
            assert views.differ(server), "who is given the data sees it: the enumeration must show that"
        else:
            assert not views.differ(server), f"server {server}'s view depends on the data"
        assert not views.depend(server), f"server {server}'s view is more than its shares"


PIVOTED = ("bit_to_ring 2", "to_bits 2", "truncate 3, 1", "sign 2", "is_zero 2", "to_ring_direct", "cast_up")


@pytest.mark.parametrize("pivot", [1, 2])
@pytest.mark.parametrize("name", PIVOTED)
def test_roles_are_the_same_at_every_server(name: str, pivot: int) -> None:
    views = views_of(LEAVES[name], pivot)
    assert not any(views.differ(server) or views.depend(server) for server in range(3))


# ---- what truncation rounds by


def test_truncation_rounds_by_what_two_servers_know() -> None:
    """The card's claim: the floor, or one more with the chance (x mod 4 + 1) / 4, over all sharings of x."""
    numbers = (-4, -3, -2, -1, 0, 1, 2, 3)
    views = every_view(lambda me, x: truncate.truncate(me, x, 2), (R4,), [(x,) for x in numbers])
    for number, x in enumerate(numbers):
        found, counts = np.unique(views.values[views.inputs == number], return_counts=True)
        up = (x % 4 + 1) / 4
        assert sorted(counts / counts.sum()) == sorted(chance for chance in (up, 1 - up) if chance)
        assert len(found) == (1 if up == 1 else 2)


# ---- openings


def sums_of(width: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Pairs of words, and their sums modulo 2^width."""
    pairs = all_of(width, width)
    return pairs, [sum(pair) % (1 << width) for pair in pairs]


async def reveal_sum(me: Party, x: Share, y: Share) -> np.ndarray:
    return await opening.reveal(me, x + y, PERMIT)


async def reveal_parity(me: Party, a: Bits, b: Bits) -> np.ndarray:
    return await opening.reveal(me, a ^ b, PERMIT)


async def reveal_product(me: Party, x: Share, y: Share) -> np.ndarray:
    return await opening.reveal(me.step("reveal"), await products.multiply(me.step("product"), x, y), PERMIT)


@pytest.mark.parametrize("pivot_server", range(3))
def test_a_recipient_with_one_server_learns_the_result_alone(pivot_server: int) -> None:
    pairs, sums = sums_of(2)
    views = every_view(reveal_sum, (R2, R2), pairs)
    assert not views.differ(pivot_server, groups=sums, with_results=True)
    assert views.differ(pivot_server, with_results=True), "the result itself must show"
    assert not views.differ(pivot_server), "a server alone sees nothing of it"


def test_a_recipient_of_bits_and_of_products_learns_the_result_alone() -> None:
    pairs = all_of(1, 1)
    parity = every_view(reveal_parity, (1, 1), pairs)
    times = every_view(reveal_product, (R1, R1), pairs)
    for server in range(3):
        assert not parity.differ(server, groups=[a ^ b for a, b in pairs], with_results=True)
        assert not times.differ(server, groups=[a * b for a, b in pairs], with_results=True)


def test_components_themselves_are_not_for_a_recipient() -> None:
    """A server's input has a component of zero, which would tell the recipient who gave it: re-randomised, none shows."""

    async def raw(me: Party, x: np.ndarray | None, rows: int) -> np.ndarray:
        share = await input_from(me, 0, x, R2, rows)
        return share.own

    async def fresh(me: Party, x: np.ndarray | None, rows: int) -> np.ndarray:
        return await opening.reveal(me.step("reveal"), await input_from(me.step("input"), 0, x, R2, rows), PERMIT)

    raw_views, fresh_views = (every_view(one, (At(0, R2),), all_of(2), **with_rows()) for one in (raw, fresh))
    assert len(np.unique(raw_views.results)) < len(np.unique(fresh_views.results)), "raw components say who dealt them"


async def open_sum(me: Party, x: Share, y: Share) -> np.ndarray:
    return await opening.open_result(me, x + y, PERMIT)


def test_opening_shows_the_result_alone() -> None:
    pairs, sums = sums_of(2)
    views = every_view(open_sum, (R2, R2), pairs)
    for server in range(3):
        assert not views.differ(server, groups=sums)
        assert views.differ(server)


async def open_masked(me: Party, x: Share) -> np.ndarray:
    own, after = (me.step("mask").mask(me.index + j, x.ring, x.rows) for j in (0, 1))
    return await opening.open_uniform(me.step("open"), x + Share(x.ring, own, after), "a sum with a value that no server knows")


def test_a_uniform_opening_shows_nothing() -> None:
    views = every_view(open_masked, (R3,), all_of(3))
    assert not any(views.differ(server) for server in range(3))


# ---- damages that the enumeration must see


async def multiply_unmasked(me: Party, x: Share, y: Share) -> Share:
    z = x.ring.reduce(x.own * (y.own + y.next) + x.next * y.own)
    return Share(x.ring, z, await me.swap(z, x.ring))


async def multiply_to_the_wrong_side(me: Party, x: Share, y: Share) -> Share:
    """Each server tells its right neighbour, too, who lacks another mask."""
    ring, rows = x.ring, x.rows
    z = ring.reduce(x.own * (y.own + y.next) + x.next * y.own + me.zero_share(ring, rows))
    both = {me.left: ring.pack(z), me.right: ring.pack(ring.reduce(z + x.own))}
    heard = await me.exchange(both, {me.right: ring.nbytes(rows), me.left: ring.nbytes(rows)})
    return Share(ring, z, ring.unpack(heard[me.right], rows))


async def input_unmasked(me: Party, x: Share) -> Share:
    """Role 0 tells role 2 its summand as it is."""
    view = convert.summand(me, x)
    if me.role == 0:
        await me.exchange({me.server(2): x.ring.pack(view)}, {})
        return Share(x.ring, view, x.ring.zeros(x.rows))
    if me.role == 1:
        await me.exchange({}, {})
        return Share(x.ring, x.ring.zeros(x.rows), x.ring.zeros(x.rows))
    heard = await me.exchange({}, {me.server(0): x.ring.nbytes(x.rows)})
    return Share(x.ring, x.ring.zeros(x.rows), x.ring.unpack(heard[me.server(0)], x.rows))


async def reused_mask(me: Party, x: Share, y: Share) -> Share:
    """Two products under one mask: their difference is bare."""
    mask = me.zero_share(x.ring, x.rows)
    first = x.ring.reduce(x.own * (y.own + y.next) + x.next * y.own + mask)
    second = x.ring.reduce(x.own * (x.own + x.next) + x.next * x.own + mask)
    heard = await me.swap(first, x.ring), await me.step("second").swap(second, x.ring)
    return Share(x.ring, x.ring.reduce(first + second), x.ring.reduce(heard[0] + heard[1]))


@pytest.mark.parametrize("damaged", [multiply_unmasked, multiply_to_the_wrong_side, reused_mask])
def test_a_damaged_product_is_seen(damaged: Any) -> None:
    views = every_view(damaged, (R2, R2), some_of(6, 2, 2))
    assert any(views.differ(server) for server in range(3))


def test_an_unmasked_input_is_seen() -> None:
    views = every_view(input_unmasked, (R2,), all_of(2))
    assert [views.differ(server) for server in range(3)] == [False, False, True]
