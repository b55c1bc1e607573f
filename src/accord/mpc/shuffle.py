"""Shuffles: secret columns in an order that no server knows, in two rounds and four elements a row [AFO+21].

Three permutations are composed, each known to the two servers that share a pair key; every server lacks one. The same text
undoes a shuffle, with roles turned around and permutations inverted. In a way through the permutations, role A takes part in the first
and the second, B in the first and the third, C in the second and the third.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from accord.base.errors import OurFault
from accord.base.limits import SERVERS
from accord.base.ring import Z8, Z32, Column, Ring
from accord.mpc.bits import column_from_planes, planes_from_column
from accord.mpc.compose import in_blocks, together
from accord.mpc.cost import Cost, costs
from accord.mpc.kernels_permute import (
    ADD,
    SPREAD_ROWS_MIN,
    SUBTRACT,
    XOR,
    gather_masked,
    inverted,
    is_permutation,
    pack,
    run_starts,
    scatter,
    spread,
    swap_rows,
    unpack,
)
from accord.mpc.open import open_uniform
from accord.mpc.party import Party
from accord.mpc.share import Bits, Secret, Share
from accord.mpc.summands import Summands

WORD_BITS = 64
DRAWN_WORDS_MAX = 1 << 15
"""Words of one draw for a permutation: 128 KiB, which stay in a core's cache."""
RUNS_MAX = 256

# ---- a permutation that no server knows


@dataclass(frozen=True, eq=False, repr=False)
class Factor:
    """A permutation in two steps that each stay in the cache: rows go to runs, and change places within their runs.

    `runs` says to which run each row goes (uint8), None for one run of all rows; `index` gives the row of the runs, end to end, that
    stands in each row of the result (uint32).
    """

    runs: Column | None
    starts: Column
    index: Column

    def spread(self, column: Column) -> Column:
        """The first step: then row k of the result is row `index[k]`."""
        return column if self.runs is None else spread(column, self.runs, self.starts)

    def inverse(self, taken: Column | None = None) -> Factor:
        """The permutation undone, in one step; of row `taken[k]` in place of row k."""
        return Factor(None, self.starts[:1], self._back if taken is None else taken[self._back])

    @cached_property
    def _back(self) -> Column:
        numbers = np.arange(self.index.shape[0], dtype=np.uint32)
        return inverted(self.spread(numbers)[self.index])


@dataclass(eq=False, repr=False)
class Shuffle:
    """A uniform permutation of `rows` rows, of which each server knows two of three factors.

    Factor c is known to the servers that hold component c; factor `pivot` + 1 comes first, then `pivot`, then `pivot` + 2. Any number of
    columns may go through it, but one permutation only may be opened under it: the quotient of two would be known.
    """

    rows: int
    pivot: int
    factors: dict[int, Factor]
    is_spent: bool = False

    def __repr__(self) -> str:
        return f"<shuffle of {self.rows} rows>"

    def spend(self) -> None:
        """Take the one opening; raises OurFault the second time."""
        if self.is_spent:
            raise OurFault("a second permutation opened under one shuffle", rule="the quotient of two would be known", do="draw another")
        self.is_spent = True


def draw_shuffle(me: Party, rows: int) -> Shuffle:
    """A fresh shuffle: local. Role 0 says least in it; who calls turns the pivot from one shuffle to the next."""
    return Shuffle(rows, me.pivot, {component: draw_factor(me, component, rows) for component in (me.index, me.right)})


def draw_factor(me: Party, component: int, rows: int) -> Factor:
    """A uniform permutation known to the two holders of a component.

    Every row goes to a uniform run, every run is shuffled: so every order is as likely as any other [Rao61]. How many words that takes
    depends on the words, which both holders draw alike: each draw has an address of its own, the number of words drawn before it.
    """
    index, drawn, last = np.arange(rows, dtype=np.uint32), 0, rows - 1
    runs = draw_runs(me, component, rows) if rows >= SPREAD_ROWS_MIN else None
    starts = np.zeros(1, np.int64) if runs is None else run_starts(runs, RUNS_MAX)
    while last > 0:
        count = min(last, DRAWN_WORDS_MAX)
        words = me.coins.column(component % SERVERS, Z32, count, me.path, "permutation", drawn)
        last, drawn = swap_rows(index, starts, last, words), drawn + count
    return Factor(runs, starts, index)


def draw_runs(me: Party, component: int, rows: int) -> Column:
    """A uniform run for every row."""
    draws = ((start, min(4 * DRAWN_WORDS_MAX, rows - start)) for start in range(0, rows, 4 * DRAWN_WORDS_MAX))
    return np.concatenate([me.coins.column(component % SERVERS, Z8, count, me.path, "runs", start) for start, count in draws])


# ---- words: bits side by side


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Words(Secret):
    """A boolean secret column with the bits of a row side by side, in elements of `ring`: x = x0 ⊕ x1 ⊕ x2."""

    ring: Ring
    own: Column
    next: Column

    def __repr__(self) -> str:
        return f"<secret words, {self.rows} rows of {self.ring.bits} bits>"

    @property
    def rows(self) -> int:
        return int(self.own.shape[0])

    def __getitem__(self, rows: slice) -> Words:
        return Words(self.ring, self.own[rows], self.next[rows])


def words_from_bits(b: Bits) -> list[Words]:
    """The planes of a row as words of at most 64 bits, lowest planes first: local."""
    words = []
    for low in range(0, b.width, WORD_BITS):
        part = b.planes(slice(low, low + WORD_BITS))
        ring = Ring(part.width)
        words.append(Words(ring, *(column_from_planes(planes, b.rows).astype(ring.dtype, copy=False) for planes in (part.own, part.next))))
    return words


def bits_from_words(words: Sequence[Words]) -> Bits:
    """The inverse: local."""
    parts = [Bits(one.rows, *(planes_from_column(part, one.ring.bits) for part in (one.own, one.next))) for one in words]
    return parts[0] if len(parts) == 1 else Bits.stack(parts)


AnyColumn = Share | Bits | Words

# ---- one way through the three permutations


@dataclass(frozen=True)
class Way:
    """Through a shuffle or back: roles as server numbers, and the permutations that this server knows.

    `place`: where row k of the result goes; None leaves it in place.
    """

    shuffle: Shuffle
    a: int
    b: int
    c: int
    first: Factor | None
    second: Factor | None
    third: Factor | None
    place: Column | None = None

    @property
    def rows(self) -> int:
        return self.shuffle.rows

    @property
    def ab(self) -> int:
        return shared_component(self.a, self.b)

    @property
    def ac(self) -> int:
        return shared_component(self.a, self.c)

    @property
    def bc(self) -> int:
        return shared_component(self.b, self.c)


def shared_component(server: int, other: int) -> int:
    """The component that both hold."""
    return other if (server + 1) % SERVERS == other else server


def way_through(shuffle: Shuffle, place: Column | None = None) -> Way:
    a, b, c = ((shuffle.pivot + role) % SERVERS for role in range(SERVERS))
    first, second, third = (shuffle.factors.get(component) for component in (b, a, c))
    return Way(shuffle, a, b, c, first, second, third, place)


def way_back(shuffle: Shuffle, taken: Column | None = None) -> Way:
    """The shuffle undone. `taken`: which row stands in row k before that; None for row k itself."""
    c, b, a = ((shuffle.pivot + role) % SERVERS for role in range(SERVERS))
    first, second, third = (shuffle.factors.get(component) for component in (a, c, b))
    return Way(shuffle, a, b, c, first and first.inverse(taken), second and second.inverse(), third and third.inverse())


@dataclass(eq=False, repr=False)
class Load:
    """One column under way.

    `part`: role A's summand of it or role B's, later what a server has of it last; `opens`: at the end all are told it.
    """

    ring: Ring
    is_xor: bool
    part: Column | None
    opens: bool = False

    def masked(self, index: Column, mask: Column, sign: int) -> Column:
        """The rows of the part at `index`, under a mask."""
        assert self.part is not None
        return gather_masked(self.part, index, mask, XOR if self.is_xor else sign, self.ring)

    def all_masked(self, me: Party, factor: Factor, component: int, lane: str, sign: int) -> Column:
        """A whole permutation of the part, under a mask: block by block, so that coins stay in the cache."""
        assert self.part is not None
        self.part = factor.spread(self.part)
        size, whole = max(1, me.profile.block_size(self.part.shape[0])), np.empty_like(self.part)
        for start in range(0, whole.shape[0], size):
            here = factor.index[start : start + size]
            mask = me.from_row(me.row + start, me.pivot).mask(component, self.ring, here.shape[0], lane)
            whole[start : start + size] = self.masked(here, mask, sign)
        return whole

    def room(self, rows: int) -> Any:
        """What will hold the result: row numbers in clear, or the two components."""
        if self.opens:
            return np.empty(rows, np.uint32)
        own, after = np.empty(rows, self.ring.dtype), np.empty(rows, self.ring.dtype)
        return Words(self.ring, own, after) if self.is_xor else Share(self.ring, own, after)


def load_of(me: Party, way: Way, x: Share | Words, *, opens: bool = False) -> Load:
    """A replicated column as a load: A's part is the sum of its two components, B's the third."""
    is_xor, part = isinstance(x, Words), None
    if me.index == way.a:
        part = x.own ^ x.next if is_xor else x.ring.reduce(x.own + x.next)
    elif me.index == way.b:
        part = x.own if way.bc == way.b else x.next
    return Load(x.ring, is_xor, part, opens)


@dataclass(frozen=True)
class Span:
    """Rows `start` … `stop` − 1, for `in_blocks`: what it slices."""

    start: int
    stop: int

    @property
    def rows(self) -> int:
        return self.stop - self.start

    def __getitem__(self, rows: slice) -> Span:
        return Span(self.start + rows.start, self.start + rows.stop)


# ---- costs


def column_bytes(rows: int, kind: Ring | int) -> int:
    """Wire bytes of one column: a Share's over its ring, or words of so many bits, packed to the bit."""
    if isinstance(kind, Ring):
        return kind.nbytes(rows)
    return sum(Ring(min(WORD_BITS, kind - low)).nbytes(rows) for low in range(0, kind, WORD_BITS))


def shuffle_cost(rows: int, *kinds: Ring | int) -> Cost:
    return travel_cost(rows, *kinds)


def travel_cost(rows: int, *kinds: Ring | int, opens: Ring | int | None = None) -> Cost:
    """Of columns, and of one more that is opened."""
    return Cost(2, 4 * sum(column_bytes(rows, kind) for kind in kinds) + (6 * column_bytes(rows, opens) if opens else 0))


# ---- under way


@costs(travel_cost)
async def travel(me: Party, way: Way, loads: Sequence[Load]) -> list[Any]:
    """Every load through the permutations, in the same two rounds: a Share or Words of each, or the column that is opened.

    If a load opens, it is the first one, a permutation, and the others are put where it says. Raises OurFault if it is none.

    Learns: nobody anything, but every server what is opened.
    Opens:  the load that says so, behind the shuffle, which is spent with it.
    Cost:   2 rounds, 4 elements a row of a load, 6 of one that opens, all servers together. Facts: rows, the ring or width of each load,
            that of the one that opens.
    """
    if loads[0].opens:
        way.shuffle.spend()
    across, steps = me.step("across"), range(len(loads))
    if me.index == way.a:
        assert way.first is not None and way.second is not None
        for i, load in zip(steps, loads, strict=True):
            load.part = way.second.spread(load.all_masked(across.step(f"column.{i}"), way.first, way.ab, "first", ADD))
    elif me.index == way.b:
        assert way.first is not None
        for load in loads:
            assert load.part is not None
            load.part = way.first.spread(load.part)
    heard = [np.empty(0 if me.index == way.a else way.rows, load.ring.dtype) for load in loads]
    await in_blocks(_across, across, Span(0, way.rows), way=way, loads=loads, heard=heard)
    for i, load in zip(steps, loads, strict=True):
        load.part = None if me.index == way.a else heard[i]
        if me.index == way.c:
            assert way.second is not None
            load.part = load.all_masked(across.step(f"column.{i}"), way.second, way.ac, "second", SUBTRACT)
        if way.third is not None and load.part is not None:
            load.part = way.third.spread(load.part)
    results = [load.room(way.rows) for load in loads]
    await in_blocks(_home, me.step("home"), Span(0, way.rows), way=way, loads=loads, results=results)
    if loads[0].opens and not is_permutation(results[0]):
        raise OurFault(NO_PERMUTATION)
    return results


NO_PERMUTATION = "an opened column is not a permutation of its rows"


async def _across(me: Party, span: Span, way: Way, loads: Sequence[Load], heard: Sequence[Column]) -> None:
    steps = (me.step(f"column.{i}") for i in range(len(loads)))
    await together(*(_cross(one, span, way, load, into) for one, load, into in zip(steps, loads, heard, strict=True)))


async def _cross(me: Party, span: Span, way: Way, load: Load, heard: Column) -> None:
    """Of the first two permutations A has done both to its part and tells B; B does the first to its part and tells C."""
    here, ring = slice(span.start, span.stop), load.ring
    if me.index == way.a:
        assert way.second is not None
        sent = load.masked(way.second.index[here], me.mask(way.ac, ring, span.rows, "second"), ADD)
        await me.exchange({way.b: pack(sent, ring)}, {})
    elif me.index == way.b:
        assert way.first is not None
        sent = load.masked(way.first.index[here], me.mask(way.ab, ring, span.rows, "first"), SUBTRACT)
        wire = await me.exchange({way.c: pack(sent, ring)}, {way.a: ring.nbytes(span.rows)})
        heard[here] = unpack(wire[way.a], ring, span.rows)
    else:
        wire = await me.exchange({}, {way.b: ring.nbytes(span.rows)})
        heard[here] = unpack(wire[way.b], ring, span.rows)


async def _home(me: Party, span: Span, way: Way, loads: Sequence[Load], results: Sequence[Any]) -> None:
    """B and C do the third permutation to their parts, and share or open what comes out."""
    steps = [(me.step(f"column.{i}"), load) for i, load in enumerate(loads)]
    runs = (_opened(step, span, way, load) if load.opens else _shared(step, span, way, load) for step, load in steps)
    parts, here = await together(*runs), slice(span.start, span.stop)
    place = None if way.place is None else way.place[here]
    for load, part, result in zip(loads, parts, results, strict=True):
        if load.opens:
            result[here] = part
            place = result[here]
            if place.size and int(place.max()) >= way.rows:
                raise OurFault(NO_PERMUTATION)
        elif place is None:
            result.own[here], result.next[here] = part
        else:
            scatter(place, part[0], result.own)
            scatter(place, part[1], result.next)


async def _opened(me: Party, span: Span, way: Way, load: Load) -> Column:
    """Both parts under a mask of B and C that A lacks: A alone could match them with what it sent."""
    part = None
    if me.index != way.a:
        assert way.third is not None
        mask = me.mask(way.bc, load.ring, span.rows, "third")
        part = load.masked(way.third.index[span.start : span.stop], mask, ADD if me.index == way.b else SUBTRACT)
    summands = Summands(load.ring, span.rows, (way.b, way.c), part, load.is_xor)
    return await open_uniform(me, summands, reason="a permutation behind a shuffle")


async def _shared(me: Party, span: Span, way: Way, load: Load) -> tuple[Column, Column]:
    """The two components: those of A are fresh coins, the third is what B and C tell each other under them."""
    ring, fresh = load.ring, {}
    for component in {way.ab, way.ac} & {me.index, me.right}:
        fresh[component] = me.mask(component, ring, span.rows, "fresh")
    if me.index == way.a:
        await me.exchange({}, {})
        return fresh[me.index], fresh[me.right]
    assert way.third is not None
    (component, mask), peer = *fresh.items(), way.c if me.index == way.b else way.b
    sent = load.masked(way.third.index[span.start : span.stop], mask, SUBTRACT)
    wire = await me.exchange({peer: pack(sent, ring)}, {peer: ring.nbytes(span.rows)})
    other = unpack(wire[peer], ring, span.rows)
    last = sent ^ other if load.is_xor else ring.reduce(sent + other)
    return (mask, last) if component == me.index else (last, mask)


# ---- protocols


@costs(shuffle_cost)
async def shuffle(me: Party, columns: Sequence[AnyColumn], by: Shuffle) -> list[AnyColumn]:
    """The columns, each of the shuffle's rows, in its order [AFO+21].

    Learns: nobody anything; what role 1 and role 2 see is masked by coins of a pair that they are not in.
    Opens:  nothing.
    Cost:   2 rounds whatever the number of columns, 4 elements a row and column, all servers together. Facts: rows, and the ring or
            width of each column.
    """
    return await moved(me, way_through(by), columns)


@costs(shuffle_cost)
async def unshuffle(me: Party, columns: Sequence[AnyColumn], by: Shuffle) -> list[AnyColumn]:
    """The shuffle undone.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `shuffle`. Facts: rows, and the ring or width of each column.
    """
    return await moved(me, way_back(by), columns)


@costs(shuffle_cost)
async def moved(me: Party, way: Way, columns: Sequence[AnyColumn]) -> list[AnyColumn]:
    """Columns of any kind along a way.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `shuffle`. Facts: rows, and the ring or width of each column.
    """
    if not columns:
        return []
    return unpacked(columns, await travel(me, way, [load_of(me, way, one) for one in packed(way.rows, columns)]))


def packed(rows: int, columns: Sequence[AnyColumn]) -> list[Share | Words]:
    """Columns as they travel: bits as words. Raises OurFault for a column of other rows."""
    if any(column.rows != rows for column in columns):
        raise OurFault(f"columns of {[column.rows for column in columns]} rows in a permutation of {rows}", do="align the rows")
    return [one for column in columns for one in (words_from_bits(column) if isinstance(column, Bits) else [column])]


def unpacked(columns: Sequence[AnyColumn], moved: Sequence[Share | Words]) -> list[AnyColumn]:
    """The inverse: columns of the kinds of `columns`."""
    results, at = list[AnyColumn](), 0
    for column in columns:
        count = (column.width + WORD_BITS - 1) // WORD_BITS if isinstance(column, Bits) else 1
        part = moved[at : at + count]
        results.append(bits_from_words([one for one in part if isinstance(one, Words)]) if isinstance(column, Bits) else part[0])
        at += count
    return results
