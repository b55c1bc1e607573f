"""Groups by a secret key: rows in the order of the key, where runs of equal keys begin and end, and what is computed over each run.

Results over groups have as many rows as the table: the g-th group in the order of the key is in row g, a flag `present` is set in as many
rows as there are groups, and rows without it mean nothing. Arrangements by one key number its groups alike, whatever orders the rows within
them, so that results of several stand side by side. How many groups there are stays secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from accord.base.ring import Ring
from accord.mpc.bits import all_bits, all_cost, and_bits, and_cost, not_bits, or_bits
from accord.mpc.compare import sign
from accord.mpc.compose import in_blocks, together
from accord.mpc.convert import bit_to_ring, cast_up
from accord.mpc.cost import FREE, Cost, cost_of, costs
from accord.mpc.party import Party, Profile
from accord.mpc.permute import Permutation, gather, turned_from
from accord.mpc.product import multiply
from accord.mpc.rows import every_row, public_column, row_below, rows_between, with_row
from accord.mpc.scan import differences, keep, keep_cost, partition, partition_cost, running_sums
from accord.mpc.share import Bits, Secret, Share
from accord.mpc.shuffle import AnyColumn, shuffle_cost
from accord.mpc.sort import joined_key, sort, sort_cost

S = TypeVar("S", Share, Bits)


def count_ring(rows: int) -> Ring:
    """The narrowest ring that holds every count of up to so many rows."""
    return Ring(max(1, rows.bit_length()))


# ---- runs of equal keys


@dataclass(frozen=True, eq=False, repr=False)
class Arranged(Secret):
    """Rows in the order of a key. `first` and `last` (one plane each): whether a row begins, ends a run of equal keys of valid rows.
    `key`: the keys in their order.

    `by` brings more columns into this order (`permute.gather`), and rows back into theirs (`permute.apply`); None where rows stood so.
    """

    by: Permutation | None
    key: Bits
    first: Bits
    last: Bits
    columns: list[AnyColumn]

    def __repr__(self) -> str:
        return f"<{self.rows} arranged rows>"

    @property
    def rows(self) -> int:
        return self.key.rows


def _after(me: Party, arranged: Arranged, turns: int = 1) -> Party:
    """The step with another pivot than the sort's, if there was one."""
    return me.turned(turns) if arranged.by is None else turned_from(me, arranged.by, turns)


def arrange_cost(rows: int, bits: int, within_bits: int, is_checked: bool, profile: Profile, *kinds: Ring | int) -> Cost:
    runs = bits + is_checked
    return sort_cost(rows, runs + within_bits, profile, runs, *kinds).then(run_ends_cost(rows, bits, is_checked))


@costs(arrange_cost)
async def arrange(
    me: Party, key: Bits, columns: Sequence[AnyColumn] = (), *, valid: Bits | None = None, within: Bits | None = None
) -> Arranged:
    """Rows in the stable order of a key, and where its runs of equal keys begin and end. The columns come in that order.

    `valid` (one plane): rows without it come last and are in no run. `within`: another key, which orders the rows of a run. Keys that may
    be NULL group together if `sort.null_key` made them; key, validity and `within` have 256 bits at most together, wider keys are hashed.

    Learns: every server a uniform permutation of the rows, once a pass of the sort.
    Opens:  the shuffled row numbers, once a pass.
    Cost:   as `sort` of all keys with the key among the columns, then `run_ends`. Facts: rows, bits of the key and of `within`, whether
            rows may be invalid, profile, the ring or width of each column.
    """
    runs = key if valid is None else joined_key([not_bits(me, valid), key])
    whole = runs if within is None else joined_key([runs, within])
    by, (arranged_runs, *arranged) = await sort(me.step("sort"), whole, [runs, *columns])
    assert isinstance(arranged_runs, Bits)
    present = None if valid is None else not_bits(me, arranged_runs.plane(key.width))
    arranged_key = arranged_runs.planes(slice(key.width))
    first, last = await run_ends(me.step("runs"), arranged_key, present)
    return Arranged(by, arranged_key, first, last, arranged)


def run_ends_cost(rows: int, bits: int, is_checked: bool) -> Cost:
    return all_cost(rows, bits + is_checked).then(and_cost(rows, 2) if is_checked else FREE)


@costs(run_ends_cost)
async def run_ends(me: Party, key: Bits, valid: Bits | None = None) -> tuple[Bits, Bits]:
    """Of keys whose equal ones lie side by side: whether a row is the first, and the last, of its run.

    `valid`: rows without it are behind all others, and neither first nor last.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   ⌈log2 bits⌉ rounds and bits − 1 bits a row and server; a bit more of the key, 1 round and 2 bits if rows may be invalid.
            Facts: rows, bits, whether rows may be invalid.
    """
    runs = key if valid is None else joined_key([valid, key])
    same = await in_blocks(all_bits, me.step("same"), not_bits(me, differences(runs)))
    first = with_row(me, not_bits(me, same), 0, True)
    last = with_row(me, row_below(first), key.rows - 1, True)
    if valid is None:
        return first, last
    both = await in_blocks(and_bits, me.step("valid"), Bits.stack([first, last]), Bits.stack([valid, valid]))
    return both.plane(0), both.plane(1)


# ---- linear aggregates


@dataclass(frozen=True, eq=False, repr=False)
class Groups(Secret):
    """One row a group. `counts`: its rows, over `count_ring`; `sums` of columns; `lasts`: columns' values in its last row.

    `by` brings more columns of the arranged rows to where their groups' last rows went (`permute.apply`).
    """

    by: Permutation
    present: Bits
    counts: Share
    sums: list[Share]
    lasts: list[AnyColumn]

    def __repr__(self) -> str:
        return f"<groups of {self.by.rows} rows>"


def aggregate_cost(rows: int, *kinds: Ring | int) -> Cost:
    return partition_cost(rows, 1, count_ring(rows), *kinds)


@costs(aggregate_cost)
async def aggregate(me: Party, arranged: Arranged, sums: Sequence[Share] = (), lasts: Sequence[AnyColumn] = ()) -> Groups:
    """Counts, and sums of columns, over the groups of arranged rows; with each group columns that are alike in all its rows, as its key.

    Sums are modulo their ring. A count of values that are not NULL is a sum of flags (`convert.bit_to_ring`).

    Learns: every server a uniform permutation of the rows.
    Opens:  the shuffled row numbers.
    Cost:   as `partition` of the flag, a count and the columns: 5 rounds. Facts: rows, the ring or width of each column, sums first.
    """
    ring = count_ring(arranged.rows)
    upto = public_column(me, np.arange(1, arranged.rows + 1).astype(ring.dtype), ring)
    totals = [running_sums(one) for one in sums]
    by, moved = await partition(_after(me, arranged), arranged.last, [arranged.last, upto, *totals, *lasts])
    present, counts, *rest = moved
    assert isinstance(present, Bits) and isinstance(counts, Share)
    summed = [differences(one) for one in rest[: len(totals)] if isinstance(one, Share)]
    return Groups(by, present, differences(counts), summed, rest[len(totals) :])


@costs(aggregate_cost)
async def group_counts(me: Party, arranged: Arranged) -> tuple[Bits, Share]:
    """How many rows each group has, over `count_ring`: the flag of groups, and the counts.

    Learns: as `aggregate`.
    Opens:  as `aggregate`.
    Cost:   as `aggregate` of no columns. Facts: rows.
    """
    groups = await aggregate(me, arranged)
    return groups.present, groups.counts


def to_rows_cost(rows: int, *kinds: Ring | int) -> Cost:
    return keep_cost(rows, *kinds).then(shuffle_cost(rows, *kinds)) if kinds else FREE


@costs(to_rows_cost)
async def to_rows(me: Party, groups: Groups, columns: Sequence[S]) -> list[S]:
    """Every arranged row gets its group's value of each column of groups; rows in no group get 0.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as `keep` and a shuffle of the columns. Facts: rows, the ring or width of each column.
    """
    return await over_rows(me.step("back"), groups.by, await keep(me.step("keep"), groups.present, columns))


@costs(shuffle_cost)
async def over_rows(me: Party, by: Permutation, columns: Sequence[S]) -> list[S]:
    """As `to_rows`, of columns that are 0 in rows that are no group; `by` put their groups' last rows there.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   as a shuffle of the columns. Facts: rows, the ring or width of each column.
    """
    moved: list[Any] = await gather(me, by, [_steps_up(one) for one in columns])
    return [sums_from(one) for one in moved]


def _steps_up(x: S) -> S:
    """Row j minus row j + 1: what `sums_from` undoes."""
    return x - row_below(x) if isinstance(x, Share) else x ^ row_below(x)


def sums_from(x: S) -> S:
    """Row j of the result: the sum (of bits: the ⊕) of rows j … to the last. Local."""
    if not x.rows:
        return x
    if isinstance(x, Share):
        parts = (np.cumsum(part[::-1], dtype=x.ring.dtype)[::-1] for part in (x.own, x.next))
        return Share(x.ring, *(x.ring.reduce(np.ascontiguousarray(part)) for part in parts))
    upto = running_sums(x)
    return every_row(rows_between(upto, x.rows - 1, x.rows), x.rows) ^ upto ^ x


# ---- one row of each group


@dataclass(frozen=True, eq=False, repr=False)
class Chosen(Secret):
    """Columns' values in one row of each group. `known`: whether the group has a value that counts at all."""

    present: Bits
    known: Bits
    columns: list[AnyColumn]

    def __repr__(self) -> str:
        return f"<values of {self.present.rows} groups>"


def group_extremes_cost(rows: int, is_counted: bool, *kinds: Ring | int) -> Cost:
    top = _top_cost(rows) if is_counted else FREE
    return top.then(partition_cost(rows, 1, 1, *kinds).beside(partition_cost(rows, 1, 1, *kinds)))


@costs(group_extremes_cost)
async def group_extremes(
    me: Party, arranged: Arranged, columns: Sequence[AnyColumn], *, counted: Bits | None = None
) -> tuple[Chosen, Chosen]:
    """Columns' values in the first and in the last row of each group: its least and greatest where `within` ordered them.

    `counted` (one plane, in arranged order): rows that count, before all others of their group, as values before NULLs; None for all rows.

    Learns: every server two uniform permutations of the rows.
    Opens:  the shuffled row numbers, twice.
    Cost:   two `partition`s of two flags and the columns, at the same time; 2 rounds and 3 bits a row and server for `counted`.
            Facts: rows, whether there is `counted`, the ring or width of each column.
    Needs:  `counted` 0 in rows that are not valid.
    """
    last = arranged.last if counted is None else await _top(me.step("top"), arranged, counted)
    least, greatest = await together(
        _chosen(_after(me.step("first"), arranged, 1), arranged.first, counted, columns),
        _chosen(_after(me.step("last"), arranged, 2), last, counted, columns),
    )
    return least, greatest


async def _chosen(me: Party, flag: Bits, counted: Bits | None, columns: Sequence[AnyColumn]) -> Chosen:
    """The columns in the rows with the flag, one a group."""
    known = flag if counted is None else counted
    _, moved = await partition(me, flag, [flag, known, *columns])
    assert isinstance(moved[0], Bits) and isinstance(moved[1], Bits)
    return Chosen(moved[0], moved[1], moved[2:])


def _top_cost(rows: int) -> Cost:
    return and_cost(rows, 2).then(and_cost(rows, 1))


async def _top(me: Party, arranged: Arranged, upto: Bits) -> Bits:
    """The last row of each group in which `upto` is set, which is so in its first rows only; its first row if there is none."""
    ends = Bits.stack([arranged.first, not_bits(me, row_below(upto))])
    either = await in_blocks(or_bits, me.step("either"), Bits.stack([upto, arranged.last]), ends)
    top: Bits = await in_blocks(and_bits, me.step("both"), either.plane(0), either.plane(1))
    return top


# ---- quantiles


def quantile_ring(rows: int, q: Fraction) -> Ring:
    """Where ranks are compared: q's denominator times a row number, with room for a difference of two and a sign."""
    return Ring((2 * q.denominator * (rows + 1)).bit_length() + 1)


def _ranked_cost(rows: int, q: Fraction, is_counted: bool) -> Cost:
    ring = quantile_ring(rows, q)
    counts = cost_of(bit_to_ring, rows, ring) if is_counted else FREE
    ends = partition_cost(rows, 1, *[ring] * (1 + is_counted))
    return counts.then(ends).then(to_rows_cost(rows, ring)).then(cost_of(sign, rows, ring.bits)).then(_top_cost(rows))


async def _ranked(me: Party, arranged: Arranged, q: Fraction, is_discrete: bool, counted: Bits | None) -> tuple[Bits, Share]:
    """The flag of the row of each group's quantile or before it, and a number in every row: how far the quantile is from it, times b.

    For q = a / b and c rows that count, row r of a group has the number a (c − 1) − b r, or a c − 1 − b r if discrete: at least 0 up to
    the row of the flag, and below b in it. Rows in no group have −b r − 1.
    """
    ring, (a, b), rows = quantile_ring(arranged.rows, q), (q.numerator, q.denominator), arranged.rows
    numbers = np.arange(rows + 1).astype(ring.dtype)
    ends = public_column(me, numbers[1:], ring)
    upto = ends if counted is None else running_sums(await in_blocks(bit_to_ring, me.step("counted"), counted, ring=ring))
    columns: list[AnyColumn] = [arranged.last, ends]
    ends_me = _after(me.step("ends"), arranged)
    by, moved = await partition(ends_me, arranged.last, columns if counted is None else [*columns, upto])
    present, stops, counts = moved[0], moved[1], differences(moved[-1])  # type: ignore[type-var]
    assert isinstance(present, Bits) and isinstance(stops, Share) and isinstance(counts, Share)
    starts = stops - differences(stops)
    # One more than the number of row 0, so that 0 stands for no group.
    above = counts.times(a) + starts.times(b) + public_column(me, ring.encode(np.full(rows, 1 - (1 if is_discrete else a))), ring)
    groups = Groups(by, present, counts, [], [])
    (number,) = await to_rows(me.step("rows"), groups, [above])
    number = number - public_column(me, ring.reduce(numbers[:-1] * ring.dtype.type(b) + ring.dtype.type(1)), ring)
    reached = not_bits(me, await in_blocks(sign, me.step("sign"), number, bits=ring.bits))
    return await _top(me.step("top"), arranged, reached), number


def discrete_quantile_cost(rows: int, q: Fraction, is_counted: bool, *kinds: Ring | int) -> Cost:
    return _ranked_cost(rows, q, is_counted).then(partition_cost(rows, 1, 1, *kinds))


@costs(discrete_quantile_cost)
async def group_quantile_discrete(
    me: Party, arranged: Arranged, columns: Sequence[AnyColumn], q: Fraction, *, counted: Bits | None = None
) -> Chosen:
    """Columns' values in the row of each group's quantile: the first, as `within` orders them, up to which q of the rows lie or more.

    SQL's PERCENTILE_DISC. `counted` as in `group_extremes`; 0 ≤ q ≤ 1.

    Learns: every server two uniform permutations of the rows.
    Opens:  the shuffled row numbers, twice.
    Cost:   two `partition`s, the second with the columns, `to_rows` and a `sign` of a number below q's denominator times the rows.
            Facts: rows, q, whether there is `counted`, the ring or width of each column.
    Needs:  `counted` 0 in rows that are not valid.
    """
    flag, _ = await _ranked(me.step("rank"), arranged, q, True, counted)
    return await _chosen(_after(me.step("choose"), arranged, 2), flag, counted, columns)


def quantile_cost(rows: int, q: Fraction, is_counted: bool, ring: Ring) -> Cost:
    if q.denominator == 1:
        return _ranked_cost(rows, q, is_counted).then(partition_cost(rows, 1, 1, ring))
    rest = _rest_ring(q, ring)
    chosen = _ranked_cost(rows, q, is_counted).then(partition_cost(rows, 1, 1, ring, ring, rest))
    return chosen.then(cost_of(cast_up, rows, rest, ring)).then(cost_of(multiply, rows, ring))


def _rest_ring(q: Fraction, ring: Ring) -> Ring:
    """Of a number below q's denominator, to be cast to the other ring."""
    return Ring(min(q.denominator.bit_length() + 1, ring.bits))


@costs(quantile_cost)
async def group_quantile(me: Party, arranged: Arranged, value: Share, q: Fraction, *, counted: Bits | None = None) -> Chosen:
    """q's denominator times the quantile of a value over each group, exact: between two rows it lies on the line through both.

    SQL's PERCENTILE_CONT: rank q (c − 1) of c rows. `value` is in arranged order, which `within` made that of its numbers; `counted` as in
    `group_extremes`; 0 ≤ q ≤ 1.

    Learns: every server two uniform permutations of the rows.
    Opens:  the shuffled row numbers, twice.
    Cost:   two `partition`s, the second with two columns of the ring and a number, `to_rows` and a `sign` of such a number, a cast and a
            product. Facts: rows, q, whether there is `counted`, the ring.
    Needs:  `counted` 0 in rows that are not valid; q's denominator times the value in the ring.
    """
    flag, number = await _ranked(me.step("rank"), arranged, q, False, counted)
    if q.denominator == 1:
        return await _chosen(_after(me.step("choose"), arranged, 2), flag, counted, [value])
    step = row_below(value) - value
    chosen = await _chosen(
        _after(me.step("choose"), arranged, 2), flag, counted, [value, step, number.cast_down(_rest_ring(q, value.ring))]
    )
    low, step, rest = (one for one in chosen.columns if isinstance(one, Share))
    part = await in_blocks(_part, me.step("part"), rest, step)
    return Chosen(chosen.present, chosen.known, [low.times(q.denominator) + part])


async def _part(me: Party, rest: Share, step: Share) -> Share:
    return await multiply(me.step("product"), await cast_up(me.step("cast"), rest, step.ring), step)


@costs(lambda rows, is_counted, ring: quantile_cost(rows, Fraction(1, 2), is_counted, ring))
async def group_median(me: Party, arranged: Arranged, value: Share, *, counted: Bits | None = None) -> Chosen:
    """Twice the median of a value over each group: the sum of the two rows in the middle, or twice the one.

    Learns: as `group_quantile`.
    Opens:  as `group_quantile`.
    Cost:   as `group_quantile`. Facts: rows, whether there is `counted`, the ring.
    Needs:  `counted` 0 in rows that are not valid; twice the value in the ring.
    """
    return await group_quantile(me, arranged, value, Fraction(1, 2), counted=counted)
