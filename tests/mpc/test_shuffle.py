"""Shuffles: the permutation of three factors, undone, at declared cost; draws without bias; kernels against NumPy."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.limits import SERVERS
from accord.base.ring import Z8, Z16, Z32, Z64, Column, Ring
from accord.mpc import kernels_permute as kernels
from accord.mpc import shuffle as shuffles
from accord.mpc.cost import Cost, cost_of
from accord.mpc.party import Party, Profile
from accord.mpc.shuffle import Factor, Shuffle, draw_factor, draw_shuffle, shuffle, unshuffle
from accord.testing.world import Dealt, World
from accord.wire.local import run_local
from tests.mpc.cases import PIVOTS, ROWS, numbers, run_at_cost, words
from tests.mpc.wide import deal_wide, wide_value, wide_words

RINGS = [Ring(bits) for bits in (1, 5, 8, 13, 16, 20, 32, 37, 64)]
WIDTHS = (1, 7, 8, 33, 63, 64, 65, 130)


async def shuffled(me: Party, *columns: Any) -> Any:
    return tuple(await shuffle(me.step("go"), columns, draw_shuffle(me.step("draw"), columns[0].rows)))


async def there_and_back(me: Party, *columns: Any) -> Any:
    by = draw_shuffle(me.step("draw"), columns[0].rows)
    return tuple(await unshuffle(me.step("back"), await shuffle(me.step("go"), columns, by), by))


def gathered(factor: Factor) -> Column:
    """Which row stands in each row of the result."""
    return factor.spread(np.arange(factor.index.shape[0]))[factor.index]


def whole(drawn: list[Shuffle]) -> Column:
    """The permutation of a shuffle, from what its servers know."""
    pivot = drawn[0].pivot
    factors = (next(one.factors[c % 3] for one in drawn if c % 3 in one.factors) for c in (pivot + 1, pivot, pivot + 2))
    first, second, third = map(gathered, factors)
    return first[second[third]]


def permutation_of(world: World, rows: int, pivot: int) -> Column:
    return whole([draw_shuffle(me.step("draw"), rows) for me in world.parties(pivot)])


@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("rows", ROWS)
def test_a_shuffle_is_its_three_factors(rows: int, pivot: int) -> None:
    """Another world of the same seed draws the same keys: what the servers drew in it, put together, is what happened."""
    x, word = numbers(rows, Z64), words(rows, 37)
    ran = run_at_cost(World(rows), cost_of(shuffle, rows, Z64, 37), shuffled, dealt(x), dealt_bits(word, 37), pivot=pivot)
    expected = permutation_of(World(rows), rows, pivot)
    assert np.array_equal(ran.value[0], Z64.encode(x)[expected])
    assert np.array_equal(ran.value[1], word[expected])


def dealt(x: Column, ring: Ring = Z64) -> Dealt:
    return World(99).deal(x, ring)


def dealt_bits(word: Column, width: int) -> Dealt:
    return World(98).deal_bits(word, width)


@pytest.mark.parametrize("ring", RINGS)
def test_every_ring_comes_back(ring: Ring) -> None:
    for rows, pivot in zip(ROWS, (*PIVOTS, *PIVOTS), strict=True):
        x = numbers(rows, ring)
        ran = run_at_cost(World(rows), cost_of(shuffle, rows, ring), shuffled, x, ring=ring, pivot=pivot)
        assert Counter(ran.value[0].tolist()) == Counter(ring.encode(x).tolist())
        twice = cost_of(shuffle, rows, ring).then(cost_of(unshuffle, rows, ring))
        assert np.array_equal(run_at_cost(World(rows), twice, there_and_back, x, ring=ring, pivot=pivot).value[0], ring.encode(x))


@pytest.mark.parametrize("width", WIDTHS)
def test_words_of_any_width_come_back(width: int) -> None:
    """Wider than 64 bits, planes travel as several words."""
    for rows, pivot in zip(ROWS, (*PIVOTS, *PIVOTS), strict=True):
        column = wide_words(rows, width)
        ran = world_run(rows, there_and_back, deal_wide(World(rows), column, width), pivot=pivot)
        assert wide_value([one[0] for one in ran]) == column
        ran = world_run(rows, shuffled, deal_wide(World(rows), column, width), pivot=pivot)
        assert Counter(wide_value([one[0] for one in ran])) == Counter(column)


def world_run(seed: int, protocol: Any, *columns: Dealt, pivot: int) -> list[Any]:
    """What the servers hold; planes of more than a word have no value in a `Ran`."""
    parties = World(seed).parties(pivot)
    return run_local([protocol(me, *(one.at[me.index] for one in columns)) for me in parties]).results


def test_columns_stay_side_by_side_in_blocks() -> None:
    rows, number = 1003, np.arange(1003)
    for block_rows in (64, 128, 960):
        world = World(5, Profile(block_rows=block_rows, blocks_in_flight=3))
        ran = world.run(shuffled, dealt(number), dealt_bits(number, 10), dealt_bits(number % 2, 1))
        assert np.array_equal(ran.value[0], ran.value[1]) and np.array_equal(ran.value[0] % 2, ran.value[2])
        assert np.array_equal(ran.value[0], permutation_of(World(5, world.profile), rows, 0))
        assert ran.cost.bytes == cost_of(shuffle, rows, Z64, 10, 1).bytes


def test_costs_are_those_of_the_design() -> None:
    assert cost_of(shuffle, 1000, Z64) == Cost(2, 32_000)
    assert cost_of(shuffle, 1000, Z32, 1, 130) == Cost(2, 4 * (4_000 + 125 + 16_250))


def test_pivots_even_the_links_out() -> None:
    """One shuffle loads the link between roles 1 and 2; three of them, each with another pivot, load all links alike."""
    sent = []
    for pivot in PIVOTS:
        ran = World(1).run(shuffled, np.arange(100), pivot=pivot)
        sent.append([one.bytes_sent for one in ran.outcome.traffic])
    assert sent[0] == [800, 1600, 800]
    assert [sum(column) for column in zip(*sent, strict=True)] == [3200] * 3


def test_a_column_of_other_rows_is_refused() -> None:
    async def mixed(me: Party, x: Any, y: Any) -> Any:
        return await shuffle(me, [x, y], draw_shuffle(me.step("draw"), x.rows))

    with pytest.raises(OurFault, match=r"columns of \[2, 1\] rows in a permutation of 2"):
        World().run(mixed, World().deal([1, 2]), World().deal([1]))


def test_no_columns_are_no_messages() -> None:
    async def none(me: Party, x: Any) -> Any:
        return tuple(await shuffle(me, [], draw_shuffle(me.step("draw"), x.rows)))

    assert World().run(none, np.arange(3)).cost == Cost(0, 0)


def test_a_shuffle_opens_once() -> None:
    by = Shuffle(2, 0, {})
    by.spend()
    with pytest.raises(OurFault, match="second permutation opened under one shuffle"):
        by.spend()


def test_secrets_do_not_print() -> None:
    x = World().deal_bits([1, 2, 3], 2).at[0]
    (word,) = shuffles.words_from_bits(x)
    assert repr(word) == "<secret words, 3 rows of 2 bits>"
    assert repr(Shuffle(3, 0, {0: np.arange(3)})) == "<shuffle of 3 rows>"
    with pytest.raises(OurFault):
        bool(word)


# ---- draws


class Taped:
    """Coins that give the words of a tape, and note where they were asked for."""

    def __init__(self, tape: list[int]) -> None:
        self.tape, self.asked = tape, list[tuple[int, int]]()

    def column(self, component: int, ring: Ring, rows: int, path: str, lane: str, row: int) -> Column:
        assert (component, ring, path, lane) == (1, Z32, "draw", "permutation")
        self.asked.append((row, rows))
        given, self.tape = self.tape[:rows], self.tape[rows:]
        return np.array(given, np.uint32)

    def planes(self, *address: Any) -> Column:
        raise AssertionError("a permutation is drawn from words")


def test_both_holders_draw_the_same_and_others_another() -> None:
    parties = [me.step("draw") for me in World(4).parties()]
    drawn = {(me.index, c): gathered(draw_factor(me, c, 500)) for me in parties for c in (me.index, me.right)}
    for c in range(SERVERS):
        assert np.array_equal(drawn[c, c], drawn[(c - 1) % SERVERS, c])
        assert not np.array_equal(drawn[c, c], drawn[(c + 1) % SERVERS, (c + 1) % SERVERS])
        assert np.array_equal(np.sort(drawn[c, c]), np.arange(500))


def test_rejected_words_take_new_addresses() -> None:
    """2^32 mod 3 is 1: the word 0 is rejected for three rows. The draws after it go on where the words before it ended."""
    coins = Taped([0, 0, 0, 1 << 31, 1 << 31])
    drawn = draw_factor(Party(0, coins, "draw"), 1, 3).index
    # The last row stays with row 1 (3/2 of 3 rows), then row 1 with itself (2/2 of 2 rows).
    assert drawn.tolist() == [0, 2, 1]
    assert coins.asked == [(0, 2), (2, 2), (4, 1)]


@pytest.mark.parametrize("size", [2, 3, 5, 7, 1 << 16, 1_000_003, 19_999_999])
def test_every_row_has_as_many_words(size: int) -> None:
    """By counting: the words that bring row j are an interval of floor(2^32 / size), whose ends the loop takes and whose neighbours it
    does not.
    """
    whole = 1 << 32
    for j in {0, 1, size // 2, size - 1}:
        first = -(-(j * whole + whole % size) // size)
        last = -(-(j + 1) * whole // size) - 1
        assert last - first + 1 == whole // size
        assert drawn_row(size, first) == drawn_row(size, last) == j
        assert first == 0 or drawn_row(size, first - 1) in (None, j - 1)


def drawn_row(size: int, word: int) -> int | None:
    """Which row the last of `size` rows changes places with; None for a rejected word."""
    rows = {size - 1: -1}
    after = np.empty(1, np.int64)
    kernels.swap_loop(Sparse(rows), [0], size - 1, [word], after)
    return next((j for j, kept in rows.items() if kept == -1), None) if after[0] == size - 2 else None


class Sparse:
    """A long list of which few entries were touched."""

    def __init__(self, rows: dict[int, int]) -> None:
        self.rows = rows

    def __getitem__(self, at: int) -> int:
        return self.rows.get(at, at)

    def __setitem__(self, at: int, value: int) -> None:
        self.rows[at] = value


def test_permutations_are_uniform() -> None:
    """Of four rows, all 24 as often: chi-squared with 23 degrees of freedom is below 55 but once in 5,000 seeds."""
    (me, *_), draws = World(12).parties(), 12_000
    counts = Counter(draw_factor(me.step(str(i)), 0, 4).index.tobytes() for i in range(draws))
    assert len(counts) == 24
    assert sum((count - draws / 24) ** 2 for count in counts.values()) / (draws / 24) < 55


def test_a_draw_of_many_words_is_a_permutation() -> None:
    """Longer than a block of words, and in runs where rows are many."""
    for rows in (shuffles.DRAWN_WORDS_MAX + 5000, kernels.SPREAD_ROWS_MIN + 5000):
        me, other = (one.step(str(rows)) for one in World(6).parties()[:2])
        factor = draw_factor(me, 1, rows)
        assert (factor.runs is not None) == (rows > kernels.SPREAD_ROWS_MIN)
        drawn = gathered(factor)
        assert np.array_equal(np.sort(drawn), np.arange(rows))
        assert np.array_equal(gathered(draw_factor(other, 1, rows)), drawn)
        assert abs(np.corrcoef(drawn, np.arange(rows))[0, 1]) < 0.02
        assert np.array_equal(gathered(factor.inverse())[drawn], np.arange(rows))


def test_runs_give_every_order_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four rows in runs: all 24 orders as often, as without runs."""
    monkeypatch.setattr(shuffles, "SPREAD_ROWS_MIN", 2)
    (me, *_), draws = World(13).parties(), 12_000
    counts = Counter(gathered(draw_factor(me.step(str(i)), 0, 4)).tobytes() for i in range(draws))
    assert len(counts) == 24
    assert sum((count - draws / 24) ** 2 for count in counts.values()) / (draws / 24) < 55


def test_a_shuffle_in_runs_moves_columns_together() -> None:
    rows = kernels.SPREAD_ROWS_MIN + 100
    number = np.arange(rows)
    ran = World(5).run(shuffled, dealt(number), dealt_bits(number, 18))
    assert np.array_equal(ran.value[0], ran.value[1])
    assert np.array_equal(ran.value[0], permutation_of(World(5), rows, 0))
    assert np.array_equal(World(6).run(there_and_back, dealt(number)).value[0], number)


# ---- kernels


BIG = kernels.COMPILED_WORDS_MIN + 77
RANDOM = np.random.default_rng(8)


@pytest.mark.parametrize("runs", [1, 7, BIG])
def test_swaps_agree_with_lists_and_stay_in_their_runs(runs: int) -> None:
    """In three draws as in one; some of many runs are empty."""
    run = np.sort(RANDOM.integers(0, runs, BIG))
    starts = kernels.run_starts(run, runs)
    drawn = RANDOM.integers(0, 1 << 32, BIG, np.uint32)
    one, two, ends = np.arange(BIG, dtype=np.uint32), np.arange(BIG, dtype=np.uint32), np.empty(2, np.int64)
    kernels.swap_twin(two, starts, BIG - 1, drawn, ends[1:])
    ends[0] = BIG - 1
    for part in np.array_split(drawn, 3):
        kernels.compiled(kernels.swap_loop)(one, starts, int(ends[0]), part, ends[:1])
    assert np.array_equal(one, two) and max(ends) < 1
    assert np.array_equal(run[one], run) and np.array_equal(np.sort(one), np.arange(BIG))
    assert runs == BIG or not np.array_equal(one, np.arange(BIG))


def test_rows_are_spread_in_their_order() -> None:
    runs = RANDOM.integers(0, 256, BIG).astype(np.uint8)
    starts, column = kernels.run_starts(runs, 256), RANDOM.integers(0, 1 << 60, BIG)
    twin = np.empty_like(column)
    kernels.spread_twin(column, runs, starts, twin)
    assert np.array_equal(kernels.spread(column, runs, starts), twin)
    assert np.array_equal(twin, np.concatenate([column[runs == run] for run in range(256)]))


@pytest.mark.parametrize("ring", [Z8, Z16, Ring(20), Z32, Ring(49), Z64])
def test_moves_agree_with_numpy(ring: Ring) -> None:
    source, mask = (ring.encode(RANDOM.integers(0, 1 << 63, BIG)) for _ in range(2))
    index = RANDOM.permutation(BIG).astype(np.uint32)
    for sign in (kernels.ADD, kernels.SUBTRACT, kernels.XOR):
        twin = np.empty_like(source)
        kernels.gather_twin(source, index, mask, sign, ring.mask, twin)
        assert np.array_equal(kernels.gather_masked(source, index, mask, sign, ring), twin)
        plain = {kernels.ADD: source[index] + mask, kernels.SUBTRACT: source[index] - mask, kernels.XOR: source[index] ^ mask}
        assert np.array_equal(twin, ring.reduce(plain[sign]))
    out, twin = np.empty_like(source), np.empty_like(source)
    kernels.scatter(index, source, out)
    kernels.scatter_twin(index, source, twin)
    assert np.array_equal(out, twin) and np.array_equal(out[index], source)
    assert np.array_equal(kernels.inverted(index)[index], np.arange(BIG))


@pytest.mark.parametrize("rows", [5, BIG])
def test_what_is_no_permutation_is_seen(rows: int) -> None:
    column = RANDOM.permutation(rows).astype(np.uint32)
    assert kernels.is_permutation(column)
    for at, value in ((0, column[1]), (rows - 1, rows), (3, (1 << 32) - 1)):
        damaged = column.copy()
        damaged[at] = value
        assert not kernels.is_permutation(damaged)


@pytest.mark.parametrize("bits", range(1, 65))
def test_packing_agrees_with_the_ring(bits: int) -> None:
    ring = Ring(bits)
    column = ring.encode(RANDOM.integers(0, 1 << 64, BIG, np.uint64))
    column[:2] = 0, ring.mask
    wire = kernels.pack(column, ring)
    assert np.array_equal(wire, ring.pack(column))
    assert np.array_equal(kernels.unpack(wire, ring, BIG), column)
