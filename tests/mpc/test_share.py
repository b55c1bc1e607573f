"""Secret columns: what is linear is local; what would show a secret raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z8, Z32, Z64, Ring
from accord.mpc.share import Bits, Share, rows_of
from accord.testing.world import Dealt, World, reconstruct
from tests.mpc.cases import numbers, words

RINGS = [Ring(bits) for bits in (1, 5, 8, 32, 63, 64)]


def each(function: Callable[..., Any], *dealt: Dealt) -> Any:
    """The value of a local operation, done at every server."""
    return reconstruct([function(*shares) for shares in zip(*(one.at for one in dealt), strict=True)])


@pytest.mark.parametrize("ring", RINGS)
def test_linear_operations_are_local(ring: Ring) -> None:
    x, y = numbers(65, ring), numbers(65, ring, seed=1)
    dealt = World(1).deal(x, ring), World(2).deal(y, ring)
    factors = ring.encode(np.arange(65))
    starts = np.array([0, 1, 30])
    for function, expected in (
        (lambda a, b: a + b, x + y),
        (lambda a, b: a - b, x - y),
        (lambda a, b: -a, -x),
        (lambda a, b: a.times(-3), x * -3),
        (lambda a, b: a.times(factors), x * factors.astype(np.int64)),
        (lambda a, b: a[10:20], x[10:20]),
        (lambda a, b: a[np.array([3, 3, 0])], x[[3, 3, 0]]),
        (lambda a, b: a.sum(), x.sum()[None]),
        (lambda a, b: a.group_sums(starts), np.add.reduceat(x, starts)),
        (lambda a, b: Share.concatenate([a, b]), np.concatenate([x, y])),
    ):
        assert np.array_equal(each(function, *dealt), ring.encode(expected))


def test_casting_down_drops_high_bits() -> None:
    x = numbers(65, Z64)
    for ring in (Z32, Z8, Ring(3)):
        assert np.array_equal(each(lambda one, ring=ring: one.cast_down(ring), World(1).deal(x)), ring.encode(x))
    with pytest.raises(OurFault, match="cast_up"):
        World(1).deal(x, Z8).at[0].cast_down(Z64)


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 1003])
def test_bits_are_cut_and_put_together(rows: int) -> None:
    a, b = words(rows, 5), words(rows, 5, seed=1)
    dealt = World(1).deal_bits(a, 5), World(2).deal_bits(b, 5)
    assert np.array_equal(each(lambda x, y: x ^ y, *dealt), a ^ b)
    assert np.array_equal(each(lambda x, y: Bits.stack([x, y]), *dealt), a | b << np.uint64(5))
    assert np.array_equal(each(lambda x, y: x.plane(2), *dealt), a >> np.uint64(2) & np.uint64(1))
    assert np.array_equal(each(lambda x, y: x.planes(slice(1, 4)), *dealt), a >> np.uint64(1) & np.uint64(7))
    middle = min(64, rows // 64 * 64)
    parts = [(0, middle), (middle, rows)] if middle and middle < rows else [(0, rows)]
    assert np.array_equal(each(lambda x, y: Bits.concatenate([rows_of(x, *part) for part in parts]), *dealt), a)
    assert all(np.array_equal(each(lambda x, y, part=part: x.block(*part), *dealt), a[slice(*part)]) for part in parts)


def test_what_does_not_go_together_is_refused() -> None:
    x, short, narrow = World().deal([1, 2]).at[0], World().deal([1]).at[0], World().deal([1, 2], Z8).at[0]
    a, wide = World().deal_bits([1, 0], 1).at[0], World().deal_bits([1, 0], 2).at[0]
    for wrong in (lambda: x + short, lambda: x - narrow, lambda: a ^ wide, lambda: a.block(1, 2), lambda: Bits.concatenate([a, a])):
        with pytest.raises(OurFault):
            wrong()


@pytest.mark.parametrize("secret", [World(5).deal([41, 42]).at[0], World(5).deal_bits([41, 42], 6).at[0]])
def test_a_secret_is_no_ordinary_value(secret: Any) -> None:
    forbidden = (
        lambda: bool(secret),
        lambda: secret == 1,
        lambda: secret != 1,
        lambda: secret in [1],
        lambda: hash(secret),
        lambda: list(secret),
    )
    for one in forbidden:
        with pytest.raises(OurFault):
            one()


def test_a_secret_shows_its_shape_alone() -> None:
    x, a = World(5).deal([41, 42]).at[0], World(5).deal_bits([41, 42], 6).at[0]
    assert repr(x) == str(x) == f"{x}" == "<secret column, 2 rows over Z_2^64>"
    assert repr(a) == "<secret bits, 2 rows of 6 bits>"
    assert (len(x), x.rows, len(a), a.width) == (2, 2, 2, 6)


def test_one_servers_components_are_uniform_whatever_the_value() -> None:
    """Bytes of each component of a constant column: no value of 16 nibbles is off by 6 standard deviations."""
    rows = 20_000
    for value in (0, -1):
        for one in World(9).deal(np.full(rows, value)).at:
            for part in (one.own, one.next):
                nibbles = np.bincount(np.frombuffer(part.tobytes(), np.uint8) & 15, minlength=16)
                assert np.abs(nibbles - rows / 2).max() < 6 * (rows / 2) ** 0.5
