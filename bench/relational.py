"""Groups and joins on secret keys between three processes on loopback: seconds, bytes and rounds, as `bench.mpc` has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from accord.base.limits import SERVERS
from accord.base.ring import Z64, Column
from accord.mpc.bits import planes_from_column
from accord.mpc.cost import Cost, cost_of, costs
from accord.mpc.group import Chosen, Groups, aggregate, arrange, group_median
from accord.mpc.join import Joined, join_pk_fk
from accord.mpc.join_many import Paired, join_many
from accord.mpc.party import LAN, Party
from accord.mpc.share import Bits, Share
from bench import mpc
from bench.golden import Suite
from bench.mpc import SEED, Case, Order

KEY_BITS = 64
ROWS_A_GROUP = 10
GROUP_KEY_BITS = 32
VALUE_BITS = 32

# ---- what is measured


def group_by_sum_cost(rows: int) -> Cost:
    ordered = cost_of(arrange, rows, GROUP_KEY_BITS, 0, False, LAN, Z64)
    return ordered.then(cost_of(aggregate, rows, Z64, GROUP_KEY_BITS))


@costs(group_by_sum_cost)
async def group_by_sum(me: Party, key: Bits, value: Share) -> Groups:
    """SELECT key, count(*), sum(value) GROUP BY key."""
    arranged = await arrange(me.step("arrange"), key, [value])
    (value_in_order,) = arranged.columns
    assert isinstance(value_in_order, Share)
    return await aggregate(me.step("aggregate"), arranged, [value_in_order], [arranged.key])


def median_cost(rows: int) -> Cost:
    ordered = cost_of(arrange, rows, GROUP_KEY_BITS, VALUE_BITS, False, LAN, Z64)
    return ordered.then(cost_of(group_median, rows, False, Z64))


@costs(median_cost)
async def medians(me: Party, key: Bits, word: Bits, value: Share) -> Chosen:
    """SELECT median(value) GROUP BY key, the value as a number and as a word."""
    arranged = await arrange(me.step("arrange"), key, [value], within=word)
    (value_in_order,) = arranged.columns
    assert isinstance(value_in_order, Share)
    return await group_median(me.step("median"), arranged, value_in_order)


@costs(lambda rows: cost_of(join_pk_fk, rows, rows, KEY_BITS, LAN, Z64, Z64))
async def two_column_join(me: Party, left: Bits, valid: Bits, x: Share, y: Share, right: Bits, right_valid: Bits) -> Joined:
    """SELECT r.*, l.x, l.y FROM r JOIN l USING (key), the left keys being unique."""
    return await join_pk_fk(me, left, valid, [x, y], right, right_valid)


@costs(lambda rows: cost_of(join_many, rows, rows, KEY_BITS, LAN, 2 * rows, (Z64,), (Z64,)))
async def bounded_join(me: Party, left: Bits, valid: Bits, x: Share, right: Bits, right_valid: Bits, y: Share) -> Paired:
    """SELECT l.x, r.y FROM l JOIN r USING (key), about one pair a row in room for two."""
    return await join_many(me, left, valid, [x], right, right_valid, [y], 2 * left.rows)


# ---- on what


class Dealer:
    """One server's shares of seeded columns: all servers draw the same and keep their own parts."""

    def __init__(self, rows: int, index: int) -> None:
        self.random, self.at, self.rows = np.random.default_rng([SEED, rows]), (index, (index + 1) % SERVERS), rows

    def share(self, values: Column) -> Share:
        first, second = (self.random.integers(0, 1 << 64, self.rows, np.uint64) for _ in range(2))
        parts = [first, second, Z64.encode(values) - first - second]
        return Share(Z64, *(parts[i] for i in self.at))

    def bits(self, values: Column, width: int) -> Bits:
        planes = planes_from_column(values.astype(np.uint64), width)
        first, second = (self.random.integers(0, 1 << 64, planes.shape, np.uint64) for _ in range(2))
        parts = [first, second, planes ^ first ^ second]
        return Bits(self.rows, *(parts[i] for i in self.at))

    def below(self, bound: int) -> Column:
        return self.random.integers(0, bound, self.rows)


def grouped_columns(rows: int, index: int) -> list[Any]:
    deal = Dealer(rows, index)
    return [deal.bits(deal.below(max(1, rows // ROWS_A_GROUP)) * 3331, GROUP_KEY_BITS), deal.share(deal.below(1 << 20))]


def ranked_columns(rows: int, index: int) -> list[Any]:
    deal = Dealer(rows, index)
    value = deal.below(1 << VALUE_BITS)
    return [deal.bits(deal.below(max(1, rows // ROWS_A_GROUP)) * 3331, GROUP_KEY_BITS), deal.bits(value, VALUE_BITS), deal.share(value)]


def spread_keys(numbers: Column) -> Column:
    """Keys of 64 bits, different ones of different numbers."""
    return numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def looked_up_columns(rows: int, index: int) -> list[Any]:
    """Half of the right rows match."""
    deal = Dealer(rows, index)
    left, right, all_valid = deal.random.permutation(2 * rows)[:rows], deal.below(2 * rows), deal.bits(np.ones(rows), 1)
    columns = [deal.share(left), deal.share(deal.below(1 << 20))]
    return [deal.bits(spread_keys(left), KEY_BITS), all_valid, *columns, deal.bits(spread_keys(right), KEY_BITS), all_valid]


def paired_columns(rows: int, index: int) -> list[Any]:
    deal = Dealer(rows, index)
    left, right, all_valid = deal.below(rows), deal.below(rows), deal.bits(np.ones(rows), 1)
    keys = [deal.bits(spread_keys(one), KEY_BITS) for one in (left, right)]
    return [keys[0], all_valid, deal.share(left), keys[1], all_valid, deal.share(right)]


BIG = Case("join_pk_fk_big", two_column_join, 1_000_000, 0, whole=True, dealt=looked_up_columns)
CASES = (
    Case("group_by_sum", group_by_sum, 1_000_000, 0, whole=True, dealt=grouped_columns),
    Case("group_median", medians, 1_000_000, 0, whole=True, dealt=ranked_columns),
    Case("join_pk_fk", two_column_join, 100_000, 0, whole=True, dealt=looked_up_columns),
    BIG,
    Case("join_many", bounded_join, 100_000, 0, whole=True, dealt=paired_columns),
)
"""Rows of a join are those of each table."""


SWEEP_ROWS = (10**4, 10**5, 10**6)


def orders() -> list[Order]:
    """Every case at its own rows and fewer, for the report; a million rows once."""
    sizes = [(case, rows) for case in CASES for rows in SWEEP_ROWS if rows == case.rows or (rows < case.rows and case != BIG)]
    return [Order(case, rows, 1 if rows >= 10**6 else 3) for case, rows in sizes]


def declared(case: Case, rows: int) -> Cost:
    price: Callable[[int], Cost] = case.protocol.cost  # type: ignore[attr-defined]
    return price(rows)


def measure(orders: Sequence[Order], link: str) -> Iterator[dict[str, Any]]:
    """As `bench.mpc.measure`; the rounds are those of all rows in one block, as declared: some grow with the logarithm of the rows."""
    for one, line in zip(orders, mpc.measure(orders, link), strict=True):
        yield {**line, "rounds": declared(one.case, one.rows).rounds}


SUITE = Suite("relational", CASES, lambda case, rows: declared(case, rows).rounds)
