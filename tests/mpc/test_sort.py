"""Radix sort against Python's own: stable, keys of any width, any digit, any order of the rows before it; at declared cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z8, Z16, Z32, Z64, Ring
from accord.mpc import kernels_permute as kernels
from accord.mpc import sort as sorting
from accord.mpc.compose import in_blocks
from accord.mpc.convert import to_bits
from accord.mpc.cost import cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import LAN, SMALL_PARTS, WAN, Party, Profile
from accord.mpc.share import Bits
from accord.mpc.shuffle import Span, Words
from accord.mpc.sort import OneHots, descending_key, joined_key, null_key, one_hot, order, signed_key, sort
from accord.testing.world import Dealt, World
from tests.mpc.cases import PIVOTS, ROWS, numbers, run_at_cost, words
from tests.mpc.wide import deal_wide, wide_words


async def sorted_rows(me: Party, key: Bits, *columns: Any) -> Any:
    return tuple((await sort(me, key, columns))[1])


def numbered(rows: int) -> Dealt:
    return World(9).deal(np.arange(rows))


def check(rows: int, width: int, column: list[int], pivot: int = 0, profile: Profile = LAN) -> None:
    """The row numbers come out in the twin's order, at the declared cost."""
    price = cost_of(sort, rows, width, profile, Z64)
    ran = run_at_cost(World(rows, profile), price, sorted_rows, deal_wide(World(rows), column, width), numbered(rows), pivot=pivot)
    (expected,) = TWINS[sort](column, [np.arange(rows)])
    assert np.array_equal(ran.value[0], expected), (rows, width, pivot)


@pytest.mark.parametrize("rows", ROWS)
def test_sorted_rows_and_keys_agree_with_their_twin(rows: int) -> None:
    for pivot, width in zip(PIVOTS, (3, 32, 64), strict=True):
        key = words(rows, width)
        secrets = World(rows).deal_bits(key, width), World(rows).deal_bits(key, width), numbered(rows)
        ran = run_at_cost(World(rows), cost_of(sort, rows, width, LAN, width, Z64), sorted_rows, *secrets, pivot=pivot)
        expected = TWINS[sort](key, [key, np.arange(rows)])
        assert all(np.array_equal(got, column) for got, column in zip(ran.value, expected, strict=True))


@pytest.mark.parametrize("width", [1, 2, 4, 31, 38, 39, 40, 63, 65, 78, 79, 117, 128, 255, 256])
def test_keys_of_any_width(width: int) -> None:
    rows = 100 if width > 40 else 300
    check(rows, width, wide_words(rows, width), pivot=width % 3)


@pytest.mark.parametrize("digit_bits", [1, 2, 4, 5])
def test_digits_of_any_width(digit_bits: int) -> None:
    check(130, 9, wide_words(130, 9), profile=Profile(digit_bits=digit_bits))


@pytest.mark.parametrize("rows", [255, 256, 257, 65_535, 65_536, 65_537])
def test_rows_at_the_ends_of_the_rings_of_row_numbers(rows: int) -> None:
    key = np.random.default_rng(rows).integers(0, 4, rows).astype(np.uint64)
    ran = World(rows).run(sorted_rows, World(1).deal_bits(key, 2), numbered(rows))
    assert np.array_equal(ran.value[0], np.argsort(key, kind="stable"))


@pytest.mark.parametrize("key", [np.zeros(200), np.arange(200), np.arange(200)[::-1], np.arange(200) // 50, np.full(200, 255)])
def test_rows_in_any_order_before(key: np.ndarray) -> None:
    check(200, 8, [int(one) for one in key])


def test_a_sort_in_blocks() -> None:
    key = wide_words(1003, 44)
    for block_rows in (64, 960):
        profile = Profile(block_rows=block_rows, blocks_in_flight=3)
        ran = World(6, profile).run(sorted_rows, deal_wide(World(1), key, 44), numbered(1003))
        assert np.array_equal(ran.value[0], TWINS[order](key))
        assert ran.cost.bytes == cost_of(sort, 1003, 44, profile, Z64).bytes


def test_a_big_sort_runs_compiled() -> None:
    """Rows over several blocks, payload of bits beside numbers."""
    rows = 70_000
    key = words(rows, 12)
    ran = World(2).run(sorted_rows, World(3).deal_bits(key, 12), numbered(rows), World(4).deal_bits(key, 12))
    assert np.array_equal(ran.value[0], np.argsort(key, kind="stable")) and np.array_equal(ran.value[1], np.sort(key))


@pytest.mark.parametrize("width", [0, 257])
def test_keys_of_no_or_too_many_bits_are_refused(width: int) -> None:
    planes = np.zeros((width, 1), np.uint64)
    with pytest.raises(OurFault, match="keys of 1 to 256 bits"):
        World().run(order, Dealt((Bits(5, planes, planes),) * 3))


def test_no_more_bytes_and_rounds_than_the_design() -> None:
    """protocols.md states 514 bytes and 76 rounds for 32 bits, 1092 and 152 for 64, at 2^20 rows and three bits a digit."""
    for width, nbytes, rounds in ((32, 514, 76), (64, 1092, 152)):
        cost = cost_of(order, 1 << 20, width, LAN)
        assert cost.bytes_per_server / (1 << 20) <= nbytes and cost.rounds <= rounds


def test_rounds_depend_on_the_width_alone() -> None:
    """The plan counts them on one row."""
    for width in (1, 39, 40, 64, 256):
        assert cost_of(order, 1, width).rounds == cost_of(order, 10_000_000, width).rounds


# ---- keys


def test_signed_descending_null_and_joined_keys() -> None:
    """Ordered by one column descending with NULLs last, then by a signed one: as Python sorts tuples."""
    rows = 300
    random = np.random.default_rng(3)
    major, valid, minor = random.integers(0, 4, rows), random.random(rows) < 0.7, random.integers(-5, 5, rows)
    major = np.where(valid, major, 0)

    async def ordered(me: Party, high: Bits, present: Bits, low: Any, row: Any) -> Any:
        last = null_key(me, present, descending_key(me, high))
        first = null_key(me, present, high, nulls_first=True)
        by = signed_key(me, await to_bits(me.step("bits"), low, 5))
        one = await sort(me.step("last"), joined_key([last, by]), [row])
        two = await sort(me.step("first"), joined_key([first, by]), [row])
        return one[1][0], two[1][0]

    dealer = World(1)
    secrets = dealer.deal_bits(major, 2), dealer.deal_bits(valid, 1), dealer.deal(minor), numbered(rows)
    ran = World(2).run(ordered, *secrets)
    last = sorted(range(rows), key=lambda j: (not valid[j], -major[j], minor[j]))
    first = sorted(range(rows), key=lambda j: (valid[j], major[j], minor[j]))
    assert ran.value[0].tolist() == last and ran.value[1].tolist() == first


def test_signed_numbers_of_the_whole_ring() -> None:
    x = numbers(100, Z64)

    async def ordered(me: Party, word: Any, row: Any) -> Any:
        return (await sort(me, signed_key(me, word), [row]))[1][0]

    ran = World(2).run(ordered, World(1).deal_bits(Z64.encode(x), 64), numbered(100))
    assert np.array_equal(ran.value, np.argsort(x, kind="stable"))


# ---- one digit


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize(("bits", "ring"), [(1, Z8), (2, Ring(11)), (3, Ring(20)), (4, Z32), (6, Z16)])
def test_one_hot_is_one_where_the_digit_is(bits: int, ring: Ring, pivot: int) -> None:
    for rows in (1, 63, 65):
        digit = words(rows, bits)
        given = World(3).deal_bits(digit, bits)
        hots = [OneHots.room(ring, bits) for _ in range(3)]

        async def hot(me: Party, key: Bits, hots: list[OneHots] = hots, rows: int = rows) -> None:
            (word,) = sorting.words_from_bits(key)
            await in_blocks(one_hot, me, word, Span(0, rows), into=hots[me.index])

        run_at_cost(World(4), cost_of(one_hot, rows, bits, ring), hot, given, pivot=pivot)
        parts = [one.blocks[0] for one in hots]
        assert all(np.array_equal(parts[i][1], parts[(i + 1) % 3][0]) for i in range(3)), "neighbours disagree"
        value = ring.reduce(parts[0][0] + parts[1][0] + parts[2][0])
        assert np.array_equal(value, digit == np.arange(1, 1 << bits)[:, None])
        assert np.array_equal(ring.reduce(sum(one.sums[0] for one in hots)), ring.encode(value.sum(axis=1)))


@pytest.mark.parametrize("profile", [LAN, WAN, Profile(digit_bits=5, chunk_bits=7)])
def test_chunks_and_digits_are_the_whole_key(profile: Profile) -> None:
    for width in range(1, 257):
        chunks = sorting.chunks_of(width, profile)
        assert [low for low, _ in chunks] == list(range(0, width, profile.chunk_bits))
        assert sum(sum(digits) for _, digits in chunks) == width
        assert all(0 < digit <= profile.digit_bits and sum(digits) <= profile.chunk_bits for _, digits in chunks for digit in digits)


def test_over_long_links_a_sort_of_one_block_takes_wider_digits() -> None:
    """Fewer rounds there, and no more bytes than so many rounds are worth; beyond one block what sends least."""
    few = WAN.block_rows // SMALL_PARTS
    many = few + 1
    assert sorting.suited(WAN, many) == WAN
    assert sorting.suited(LAN, few) == LAN
    narrow = replace(WAN, wider=None)
    wide, slow = (cost_of(order, few, 32, one) for one in (WAN, narrow))
    assert (wide.rounds, slow.rounds) == (42, 61)
    assert wide.bytes_per_server - slow.bytes_per_server < 19 * 250_000, "what 100 Mbit/s carry in 19 passages of 20 ms"
    assert cost_of(order, many, 32, WAN) == cost_of(order, many, 32, narrow)
    check(100, 40, wide_words(100, 40), profile=WAN)


# ---- kernels

RANDOM = np.random.default_rng(8)


@pytest.mark.parametrize("ring", [Ring(11), Z16, Ring(20), Z32])
@pytest.mark.parametrize("bits", [1, 3])
def test_loops_agree_with_numpy(ring: Ring, bits: int) -> None:
    rows, others = 5000, (1 << bits) - 1
    parts, mask = (ring.encode(RANDOM.integers(0, 1 << 63, (others, rows))) for _ in range(2))
    digits = RANDOM.integers(0, 1 << bits, rows).astype(np.uint8)
    twin = np.empty_like(mask)
    kernels.rest_twin(digits, mask, ring.mask, twin)
    assert np.array_equal(kernels.one_hot_rest(digits, mask, ring), twin)
    every = np.vstack([1 - parts.sum(axis=0, dtype=np.int64), parts])
    turned = np.take_along_axis(every, np.arange(1, 1 << bits)[:, None] ^ digits, axis=0) - mask
    assert np.array_equal(kernels.one_hot_turned(parts, digits, 1, mask, ring), ring.encode(turned))


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
@pytest.mark.parametrize("bits", [1, 3])
def test_destinations_agree_with_numpy_and_go_on(dtype: Any, bits: int) -> None:
    """In two halves as in one: what is before the second half has moved on."""
    rows, others = 9000, (1 << bits) - 1
    hot = tuple(RANDOM.integers(0, 1 << 32, (others, rows)).astype(dtype) for _ in range(2))
    start = [RANDOM.integers(0, 200, others + 1).astype(dtype) for _ in range(2)]
    whole, halves, twin = (np.empty(rows, dtype) for _ in range(3))
    moved = [[one.copy() for one in start] for _ in range(3)]
    kernels.destinations(hot, (1, 0), tuple(moved[0]), whole)
    for half in (slice(0, 4900), slice(4900, rows)):
        kernels.destinations((hot[0][:, half], hot[1][:, half]), (1, 0), tuple(moved[1]), halves[half])
    kernels.destination_twin(*hot, dtype(1), dtype(0), *moved[2], twin)
    assert np.array_equal(whole, twin) and np.array_equal(halves, twin)
    assert all(np.array_equal(one, two) and np.array_equal(one, three) for one, two, three in zip(*moved, strict=True))


def test_words_are_what_digits_are_taken_from() -> None:
    record = Words(Ring(40), np.array([0b10110, 7], np.uint64), np.array([1, 2], np.uint64))
    digit = sorting._lowest(record, 3)
    assert digit.ring == Ring(3) and digit.own.tolist() == [0b110, 7] and digit.own.dtype == np.uint8
