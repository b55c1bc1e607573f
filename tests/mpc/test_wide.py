"""Wide columns: against Python's integers at declared cost, at narrow lanes and at 64 bits; blocks, edges; kernels against NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.errors import OurFault
from accord.base.ring import Z64, Ring
from accord.mpc import kernels_wide, wide
from accord.mpc.compose import in_blocks
from accord.mpc.cost import FREE, Cost, cost_of
from accord.mpc.ideal import TWINS
from accord.mpc.party import Party, Profile
from accord.mpc.share import Bits, Share
from accord.mpc.wide import Wide
from accord.testing.world import Dealt, World, deal_parts
from tests.mpc.cases import PIVOTS, every_sharing, numbers, run_at_cost

LANES = (2, 3, 8, 13, 32, 33, 64)
ROWS = (1, 2, 63, 65, 200)
SHIFTS = (1, 2, 8, 13, 16, 31, 32, 33, 63, 64)
Integers = list[int]


def signed(value: int, bits: int) -> int:
    return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def integers(rows: int, bits: int, seed: int = 0) -> Integers:
    """Signed numbers of `bits` bits: 0, ±1, around the lanes' border, the extremes, and random ones of every size."""
    half, lane = 1 << (bits - 1), 1 << (bits // 2)
    edges = [0, 1, -1, half - 1, -half, lane - 1, lane, -lane, -lane - 1, half // 2 - 1, -half // 2, lane // 2, -lane // 2]
    rng = np.random.default_rng([rows, bits, seed])
    random = [int.from_bytes(rng.bytes(16), "little") >> int(rng.integers(0, 128)) for _ in range(rows)]
    return [signed(one, bits) for one in (edges + random)[:rows]]


def lanes_of(values: Sequence[int], lane: Ring) -> np.ndarray:
    mask = int(lane.mask)
    return np.array([[one & mask, one >> lane.bits & mask] for one in values], lane.dtype).reshape(-1, 2)


def deal(values: Sequence[int], lane: Ring, seed: int = 0) -> Dealt:
    """Uniform shares."""
    rng, modulus = np.random.default_rng(seed), 1 << 2 * lane.bits
    a, b = ([int.from_bytes(rng.bytes(16), "little") % modulus for _ in values] for _ in range(2))
    c = [(one - x - y) % modulus for one, x, y in zip(values, a, b, strict=True)]
    return deal_parts([lanes_of(part, lane) for part in (a, b, c)], lambda own, after: Wide(lane, own, after))


def bare(protocol: Callable[..., Any]) -> Callable[..., Any]:
    """The protocol with its wide result as a plain list, which the world does not put together."""

    async def run(me: Party, *columns: Any, **public: Any) -> Any:
        result = await protocol(me, *columns, **public)
        return [result] if isinstance(result, Wide) else result

    return run


def joined(held: list[Any]) -> Integers:
    """The signed numbers of a wide result; neighbours must agree."""
    parts = [one[0] for one in held]
    lane = parts[0].lane
    for i in range(3):
        assert np.array_equal(parts[i].next, parts[(i + 1) % 3].own)
        assert (parts[i].own <= lane.mask).all()
    sums = (sum(int(part.own[row, 0]) + (int(part.own[row, 1]) << lane.bits) for part in parts) for row in range(parts[0].rows))
    return [signed(one, 2 * lane.bits) for one in sums]


def run(declared: Cost, protocol: Any, *columns: Any, pivot: int = 0, **public: Any) -> Any:
    ran = run_at_cost(World(1), declared, bare(protocol), *columns, pivot=pivot, **public)
    return joined(ran.held) if isinstance(ran.held[0], list) else ran


def expected(protocol: Any, bits: int, *columns: Integers, **public: Any) -> Integers:
    """The twin's, on columns of Python's integers."""
    found = TWINS[protocol](*(np.array(one, object) for one in columns), **public)
    return [signed(int(one), bits) for one in found]


# ---- local


@pytest.mark.parametrize("bits", [1, *LANES])
def test_what_is_linear_is_local(bits: int) -> None:
    lane, factor = Ring(bits), (1 << 2 * bits) // 3 + 5

    async def linear(me: Party, x: Wide, y: Wide) -> Wide:
        public = lanes_of(columns[1], lane)
        parts = [x + y, x - y, -x, x.times(factor), x.times(-1), x.times(public), wide.add_public_wide(me, x, -7)]
        parts += [wide.add_public_wide(me, x, public), wide.public_wide(me, public, lane), x[3:], x.sum()]
        return Wide.concatenate([*parts, x.group_sums(starts)])

    for rows in (5, 64, 203):
        x, y = columns = integers(rows, 2 * bits), integers(rows, 2 * bits, seed=1)[::-1]
        starts = np.array([0, 1, rows // 2])
        pairs = list(zip(x, y, strict=True))
        each = [[a + b for a, b in pairs], [a - b for a, b in pairs], [-a for a in x], [a * factor for a in x], [-a for a in x]]
        each += [[a * b for a, b in pairs], [a - 7 for a in x], [a + b for a, b in pairs], y, x[3:], [sum(x)]]
        each += [[sum(x[:1]), sum(x[1 : rows // 2]), sum(x[rows // 2 :])]]
        found = run(FREE, linear, deal(x, lane), deal(y, lane, 1))
        assert found == [signed(one, 2 * bits) for part in each for one in part]


def test_many_carries_are_carried() -> None:
    rows = 100_000
    x = wide.Wide(Z64, np.full((rows, 2), 2**64 - 1, np.uint64), np.zeros((rows, 2), np.uint64))
    low, high = (int(one) for one in x.sum().own[0])
    assert low + (high << 64) == rows * (2**128 - 1) % 2**128


@pytest.mark.parametrize("bits", LANES)
def test_the_low_lane_is_the_number_modulo_its_ring(bits: int) -> None:
    lane, x = Ring(bits), integers(300, 2 * bits)

    async def down(me: Party, wide_x: Wide) -> tuple[Share, Share]:
        return wide_x.cast_down(lane), wide_x.cast_down(Ring(2))

    ran = run_at_cost(World(1), FREE, down, deal(x, lane))
    for value, ring in zip(ran.value, (lane, Ring(2)), strict=True):
        assert value.tolist() == [one % (1 << ring.bits) for one in x]


def test_columns_must_go_together() -> None:
    async def wrong(me: Party, x: Wide, y: Wide) -> list[Any]:
        for bad in (lambda: x + y, lambda: x - y[:2], lambda: bool(x), lambda: x.cast_down(Ring(9))):
            with pytest.raises(OurFault):
                bad()
        with pytest.raises(OurFault, match="do not go together"):
            await wide.multiply_wide(me, x, x[:2])
        for starts in ([], [1], [0, 0], [0, 3]):
            with pytest.raises(OurFault, match="groups"):
                await wide.dot_wide(me, x, x, np.array(starts, np.intp))
        assert repr(x) == "<secret column, 3 rows over Z_2^16>"
        return []

    World().run(wrong, deal([1, 2, 3], Ring(8)), deal([1, 2, 3], Z64))


# ---- products


@pytest.mark.parametrize("bits", [1, *LANES])
def test_products(bits: int) -> None:
    lane = Ring(bits)
    for rows in ROWS:
        x, y = integers(rows, 2 * bits), integers(rows, 2 * bits, seed=1)[::-1]
        dealt = deal(x, lane), deal(y, lane, 1)
        declared = cost_of(wide.multiply_wide, rows, lane)
        assert run(declared, wide.multiply_wide, *dealt) == expected(wide.multiply_wide, 2 * bits, x, y)
        for starts in (None, np.unique(np.r_[0, np.random.default_rng(rows).integers(0, rows, 20)])):
            declared = cost_of(wide.dot_wide, 1 if starts is None else len(starts), lane)
            found = run(declared, wide.dot_wide, *dealt, starts=starts)
            assert found == expected(wide.dot_wide, 2 * bits, x, y, starts=starts)


@given(st.lists(st.tuples(st.integers(-(2**127), 2**127 - 1), st.integers(-(2**127), 2**127 - 1)), min_size=1, max_size=30))
def test_any_two_columns(rows: list[tuple[int, int]]) -> None:
    x, y = (list(one) for one in zip(*rows, strict=True))
    assert run(cost_of(wide.multiply_wide, len(x)), wide.multiply_wide, deal(x, Z64), deal(y, Z64, 1)) == [
        signed(a * b, 128) for a, b in rows
    ]


def test_big_columns_take_the_compiled_loops_and_run_in_blocks() -> None:
    rows, world = 5003, World(3, Profile(block_rows=2112, blocks_in_flight=2))
    x, y = integers(rows, 128), integers(rows, 128, seed=1)

    async def blocks(me: Party, a: Wide, b: Wide) -> list[Wide]:
        return [await in_blocks(wide.multiply_wide, me, a - b, a + b)]

    found = joined(world.run(blocks, deal(x, Z64), deal(y, Z64, 1)).held)
    assert found == [signed((a - b) * (a + b), 128) for a, b in zip(x, y, strict=True)]


# ---- to wide columns and back


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("bits", LANES)
def test_widen(bits: int, pivot: int) -> None:
    ring = Ring(bits)
    for rows in ROWS:
        x = numbers(rows, ring) >> 1
        assert run(cost_of(wide.widen, rows, ring), wide.widen, x, ring=ring, pivot=pivot) == x.tolist()


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("bits", [2, 3])
def test_every_sharing_of_every_tiny_number_is_widened(bits: int, pivot: int) -> None:
    dealt, x = every_sharing(Ring(bits))
    x = Ring(bits).decode(x)
    fits = np.flatnonzero((x >= -(1 << (bits - 2))) & (x < 1 << (bits - 2)))
    kept = Dealt(tuple(one[fits] for one in dealt.at))
    assert run(cost_of(wide.widen, len(fits), Ring(bits)), wide.widen, kept, pivot=pivot) == x[fits].tolist()


def test_products_of_whole_numbers_of_64_bits() -> None:
    """Sums of squares beyond 2^64: what wide columns are for."""
    x = numbers(1003, Ring(57))

    async def squares(me: Party, share: Share) -> Wide:
        column = await wide.widen(me.step("widen"), share)
        return await wide.dot_wide(me.step("dot"), column, column)

    declared = cost_of(wide.widen, 1003).then(cost_of(wide.dot_wide, 1))
    assert run(declared, squares, x) == [sum(int(one) ** 2 for one in x)]


def quotients(rows: int, bits: int, shift: int, room: int) -> Integers:
    """Numbers whose quotients by 2^shift have `room` bits, multiples and their neighbours among them."""
    half = 1 << (room - 1)
    edges = [at * (1 << shift) + more for at in (0, 1, -1, half - 1, -half) for more in (0, 1, (1 << shift) - 1)]
    return (edges + [one >> max(0, 2 * bits - shift - room) for one in integers(rows, 2 * bits)])[:rows]


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("bits", LANES)
def test_shifts(bits: int, pivot: int) -> None:
    lane = Ring(bits)
    for number, shift in enumerate([0, *(shift for shift in SHIFTS if shift <= bits)]):
        rows = ROWS[2:][(number + pivot) % 3]
        x = quotients(rows, bits, shift, bits)
        ran = run(cost_of(wide.floor_to_ring, rows, shift, lane), wide.floor_to_ring, deal(x, lane), pivot=pivot, shift=shift)
        assert ran.signed.tolist() == expected(wide.floor_to_ring, bits, x, shift=shift)
        ran = run(cost_of(wide.truncate_to_ring, rows, shift, lane), wide.truncate_to_ring, deal(x, lane), pivot=pivot, shift=shift)
        errors = lane.decode(lane.encode(ran.signed - np.array([signed(one >> shift, bits) for one in x])))
        assert set(errors) <= {0, min(shift, 1)}
        x = [one >> 1 for one in integers(rows, 2 * bits)]
        found = run(cost_of(wide.truncate_wide, rows, shift, lane), wide.truncate_wide, deal(x, lane), pivot=pivot, shift=shift)
        assert {a - b for a, b in zip(found, expected(wide.truncate_wide, 2 * bits, x, shift=shift), strict=True)} <= {0, min(shift, 1)}


@pytest.mark.parametrize("protocol", [wide.truncate_wide, wide.truncate_to_ring])
def test_truncation_is_unbiased_and_exact_on_multiples(protocol: Any) -> None:
    """The mean error of n rows is within five standard deviations, 2.5 / √n; x mod 2^16 = 2^16 − 1 always rounds up."""
    rows, shift = 20_000, 16
    x = [(1 << 70) + 3 * one for one in range(rows)]
    if protocol is wide.truncate_to_ring:
        x = [one - (1 << 70) for one in x]
    found = run(cost_of(protocol, rows, shift), protocol, deal(x, Z64), shift=shift)
    values = found if isinstance(found, list) else [int(one) for one in found.signed]
    errors = np.array([(value << shift) - one for value, one in zip(values, x, strict=True)]) / 2**shift
    assert errors.min() > -1 and errors.max() <= 1
    assert abs(errors.mean()) < 2.5 / rows**0.5


@pytest.mark.parametrize("shift", [-1, 9])
@pytest.mark.parametrize("protocol", [wide.truncate_wide, wide.truncate_to_ring, wide.floor_to_ring])
def test_shifts_beyond_a_lane_are_refused(protocol: Any, shift: int) -> None:
    with pytest.raises(OurFault, match=f"a shift by {shift} in"):
        World().run(bare(protocol), deal([1], Ring(8)), shift=shift)


# ---- words and comparisons


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize(
    ("lane", "bits"), [(1, 1), (1, 2), (2, 3), (8, 8), (8, 9), (8, 16), (64, 1), (64, 64), (64, 65), (64, 66), (64, 128)]
)
def test_comparisons(lane: int, bits: int, pivot: int) -> None:
    ring = Ring(lane)
    for rows in ROWS:
        x = integers(rows, bits) if bits > 1 else [-(row % 2) for row in range(rows)]
        y = integers(rows, max(bits - 1, 2), seed=1)
        dealt, other = deal(x, ring), deal([a + b for a, b in zip(x, y, strict=True)], ring, 1)
        found = run(cost_of(wide.sign_wide, rows, bits, ring), wide.sign_wide, dealt, pivot=pivot, bits=bits)
        assert found.value.tolist() == [one < 0 for one in x], rows
        found = run(cost_of(wide.less_than_wide, rows, bits, ring), wide.less_than_wide, other, dealt, pivot=pivot, bits=bits)
        assert found.value.tolist() == [signed(one, bits) < 0 for one in y]
        found = run(cost_of(wide.is_zero_wide, rows, bits), wide.is_zero_wide, dealt, pivot=pivot, bits=bits)
        assert found.value.tolist() == [one % (1 << bits) == 0 for one in x]
        found = run(cost_of(wide.equality_wide, rows, bits), wide.equality_wide, other, dealt, pivot=pivot, bits=bits)
        assert found.value.tolist() == [one % (1 << bits) == 0 for one in y]


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize(("lane", "bits"), [(1, 2), (2, 3), (8, 5), (8, 16), (64, 1), (64, 64), (64, 65), (64, 100), (64, 128)])
@pytest.mark.parametrize("adder", ["brent-kung", "sklansky"])
def test_words(adder: str, lane: int, bits: int, pivot: int) -> None:
    ring = Ring(lane)

    async def words(me: Party, x: Wide) -> tuple[Bits, ...]:
        word = await wide.wide_to_bits(me, x, bits)
        return tuple(word.planes(slice(at, at + 64)) for at in range(0, bits, 64))

    x = integers(130, 2 * lane)
    world = World(1, Profile(adder=adder))
    ran = run_at_cost(world, cost_of(wide.wide_to_bits, 130, bits, ring, adder), words, deal(x, ring), pivot=pivot)
    found = [sum(int(one) << (64 * i) for i, one in enumerate(row)) for row in zip(*ran.value, strict=True)]
    assert found == TWINS[wide.wide_to_bits](np.array(x, object), bits=bits).tolist()


@pytest.mark.parametrize("bits", [0, 129])
def test_more_bits_than_there_are_are_refused(bits: int) -> None:
    for protocol in (wide.sign_wide, wide.is_zero_wide, wide.wide_to_bits):
        with pytest.raises(OurFault, match=f"{bits} bits of"):
            World().run(protocol, deal([1], Z64), bits=bits)


@pytest.mark.parametrize(
    ("cost", "rounds", "bytes_per_row"),
    [
        (cost_of(wide.multiply_wide, 6400), 1, 16),
        (cost_of(wide.widen, 6400), 2, 10.7),
        (cost_of(wide.truncate_to_ring, 6400, 20), 1, 2.7),
        (cost_of(wide.truncate_wide, 6400, 32), 2, 9.3),
        (cost_of(wide.floor_to_ring, 6400, 32), 9, 21.8),
        (cost_of(wide.sign_wide, 6400, 128), 9, 46.5),
        (cost_of(wide.is_zero_wide, 6400, 128), 8, 21.2),
        (cost_of(wide.wide_to_bits, 6400, 128), 14, 60.2),
    ],
)
def test_costs_are_those_of_the_cards(cost: Cost, rounds: int, bytes_per_row: float) -> None:
    assert cost.rounds == rounds
    assert cost.bytes_per_server / 6400 == pytest.approx(bytes_per_row, abs=0.06)


# ---- kernels


def test_loops_agree_with_numpy() -> None:
    rng = np.random.default_rng(3)
    rows = kernels_wide.COMPILED_WORDS_MIN
    a, b, c, d = rng.integers(0, 2**64, (4, rows, 2), np.uint64)
    a[:9], b[:5] = 2**64 - 1, 2**64 - 1
    b[5:9] = 0
    twin = np.empty_like(a)
    kernels_wide.add_twin(a, b, Z64, twin)
    assert np.array_equal(kernels_wide.add(a, b, Z64), twin)
    kernels_wide.subtract_twin(b, a, Z64, twin)
    assert np.array_equal(kernels_wide.subtract(b, a, Z64), twin)
    for by in (b, b[:1]):
        assert np.array_equal(kernels_wide.times(a, by, Z64), kernels_wide.times_twin(a, by, Z64))
    for starts in (np.arange(rows), np.array([0, 1, 700, rows - 1])):
        masks = c[: len(starts)], d[: len(starts)]
        twin = np.empty_like(masks[0])
        kernels_wide.dots_twin(a, b, c, d, starts, *masks, Z64, twin)
        assert np.array_equal(kernels_wide.dots((a, b), (c, d), starts, masks, Z64), twin)
