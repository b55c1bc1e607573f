"""Rows cut and put together: as NumPy does it, whatever stands in pad bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z64, Ring
from accord.mpc import rows as cuts
from accord.mpc.cost import FREE
from accord.mpc.party import Party
from accord.mpc.share import Bits
from accord.testing.world import Dealt, World
from tests.mpc.cases import numbers, run_at_cost, words

COUNTS = (0, 1, 63, 64, 65, 130)
WIDTH = 5


def with_pad(dealt: Dealt) -> Dealt:
    """The same rows, with ones in all pad bits."""

    def padded(b: Bits) -> Bits:
        own, after = b.own.copy(), b.next.copy()
        if b.rows % 64:
            for part in (own, after):
                part[:, -1] |= ~np.uint64((1 << b.rows % 64) - 1)
        return Bits(b.rows, own, after)

    return Dealt(tuple(padded(one) for one in dealt.at))


def run(local: Any, *secrets: Dealt) -> np.ndarray:
    async def protocol(me: Party, *columns: Any) -> Any:
        return local(me, *columns)

    return run_at_cost(World(1), FREE, protocol, *secrets).value


def both(rows: int, seed: int) -> list[tuple[np.ndarray, Dealt]]:
    """Numbers over a ring, and words, with what each is in clear."""
    x, word = numbers(rows, Ring(13), seed), words(rows, WIDTH, seed)
    return [(Ring(13).encode(x), World(seed).deal(x, Ring(13))), (word, with_pad(World(seed).deal_bits(word, WIDTH)))]


@pytest.mark.parametrize("first", COUNTS)
@pytest.mark.parametrize("second", COUNTS)
def test_one_after_the_other_and_apart_again(first: int, second: int) -> None:
    parts = [both(rows, seed) for seed, rows in ((1, first), (2, second), (3, 7))]
    for kind in (0, 1):
        plain, dealt = zip(*(part[kind] for part in parts), strict=True)
        whole = np.concatenate(plain)
        assert np.array_equal(run(lambda me, *columns: cuts.one_after_other(columns), *dealt), whole)
        for start, stop in ((0, first), (first, first + second), (0, 0), (min(3, first), first + second + 7)):
            cut = run(lambda me, *columns, at=(start, stop): cuts.rows_between(cuts.one_after_other(columns), *at), *dealt)
            assert np.array_equal(cut, whole[start:stop]), (kind, start, stop)


@pytest.mark.parametrize("rows", COUNTS)
def test_the_row_below_and_one_row_for_all(rows: int) -> None:
    for plain, dealt in both(rows, 4):
        below = np.append(plain[1:], plain[:1] * 0)
        assert np.array_equal(run(lambda me, x: cuts.row_below(x), dealt), below)
        assert not run(lambda me, x: cuts.zeros_like(x, 70), dealt).any()
    flag = World(2).deal_bits([1, 0], 1)
    assert run(lambda me, x: cuts.every_row(cuts.rows_between(x, 0, 1), rows), flag).tolist() == [1] * rows
    assert run(lambda me, x: cuts.every_row(x, rows), World(2).deal([5])).tolist() == [5] * rows


@pytest.mark.parametrize("row", [0, 63, 64, 129])
def test_a_public_bit_in_one_row(row: int) -> None:
    word = words(130, WIDTH)
    for value in (False, True):
        word[row] = 31 * value
        got = run(lambda me, x, value=value: cuts.with_row(me, x, row, value), World(1).deal_bits(words(130, WIDTH), WIDTH))
        assert np.array_equal(got, word)


def test_a_public_column() -> None:
    numbers = np.arange(5, dtype=np.uint64)
    assert np.array_equal(run(lambda me, x: cuts.public_column(me, numbers, Z64) + x, World(1).deal([0] * 5)), numbers)


def test_columns_of_two_kinds_are_refused() -> None:
    dealer = World(1)
    for columns in ((dealer.deal([1]), dealer.deal([1], Ring(3))), (dealer.deal_bits([1], 2), dealer.deal_bits([1], 3))):
        with pytest.raises(OurFault, match="in one column"):
            run(lambda me, *secrets: cuts.one_after_other(secrets), *columns)
