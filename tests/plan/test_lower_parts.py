"""Parts of lowering on their own: exact quotients at the ends of their ranges, joins, empty tables, flags, layouts, flow."""

from __future__ import annotations

from collections import Counter
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.base.errors import OurFault, Refused
from accord.base.ring import Z64
from accord.mpc.cost import Cost
from accord.mpc.share import Bits
from accord.plan.evaluate import Plain
from accord.plan.expression import AggregateCall
from accord.plan.interpret import Table, interpret
from accord.plan.lower import cost, distinct
from accord.plan.nodes import Aggregate, Concatenate, Field, Filter, Input, Join, Project, Public, Scan, Sort
from accord.plan.secure_arithmetic import _recoded
from accord.plan.secure_flags import all_of, any_of, as_bits, before_each, both, difference, negation
from accord.plan.secure_flow import Step, flow
from accord.plan.secure_join import matches
from accord.plan.secure_quotient import DIVIDED_MAX, Range, floor_by_constant, floor_quotient, rounded_by_constant, rounded_quotient
from accord.plan.secure_table import VALID, PublicColumn, SecureTable, grid, input_parts, join_bits, take_bits
from accord.plan.types import BOOL, CATEGORY, INT, Type
from accord.plan.typing import aggregate, call, column, integer
from accord.testing.world import World
from tests.plan.lowering import run, value

WORLD = World(3)


def reconstructed(held):
    return value(held, held[0].rows)


# ---- quotients


def half_up(numerator: int, denominator: int) -> int:
    """By the decimal module, with digits to spare."""
    return int((Decimal(numerator) / Decimal(denominator)).quantize(Decimal(1), ROUND_HALF_UP))


EDGES = (0, 1, -1, 2, 3, 7, -7, 49, 50, 51, -50, 999, 1000, 2**20, 2**31 - 1, -(2**31), 2**40 + 1, -(2**40))


@pytest.mark.parametrize("divisor", [1, 2, 3, 7, 8, 10, 100, 999, 1024, 10**6, 2**31 - 1])
@pytest.mark.parametrize("up", [1, 100])
def test_division_by_a_constant_rounds_half_away(divisor, up):
    halves = [divisor * odd // (2 * up) for odd in (1, 3, -1, -3)]
    numbers = [*EDGES, *halves, *(one + 1 for one in halves)]
    of = Range(min(numbers), max(numbers))
    ran = WORLD.run(rounded_by_constant, numbers, of=of, up=up, divisor=divisor)
    assert ran.signed.tolist() == [half_up(one * up, divisor) for one in numbers]


@pytest.mark.parametrize("high", [2**20, 2**30, 2**32 - 1, 2**45, 2**60])
@pytest.mark.parametrize("divisor", [1, 4, 5, 12345, 2**19 - 1])
def test_floors_by_a_constant(high, divisor):
    numbers = sorted({0, 1, divisor - 1, divisor, divisor + 1, high // 2, high - 1, high})
    ran = WORLD.run(floor_by_constant, numbers, high=high, divisor=divisor)
    assert ran.value.tolist() == [one // divisor for one in numbers]


DIVISIONS = [
    (Range(-1000, 1000), Range(1, 50), 100, 1),
    (Range(0, 10**6), Range(-7, 7), 1, 10),
    (Range(-(2**50), 2**50), Range(64, 2**20), 10**4, 1),  # whole part and remainder apart
    (Range(-(2**55), -1), Range(-3, -1), 1, 1),
]


@pytest.mark.parametrize(("a", "b", "up", "down"), DIVISIONS)
def test_quotients_of_secrets_round_half_away(a, b, up, down):
    tops = [a.low, a.high, (a.low + a.high) // 2, a.low // 3, *(one for one in (0, 1, -1, 5, 15, 25) if a.low <= one <= a.high)]
    bottoms = [one for one in (b.low, b.high, 1, 2, 3, -2, 100, 999) if b.low <= one <= b.high and one]
    over, under = zip(*product(tops, bottoms), strict=True)
    ran = WORLD.run(lambda me, x, y: rounded_quotient(me, x, a, y, b, up, down), over, under)
    assert ran.signed.tolist() == [half_up(x * up, y * down) for x, y in zip(over, under, strict=True)]


def test_a_quotient_does_not_depend_on_the_coins():
    over, under = [12345, -77, 10**9, 5] * 8, [7, 3, 10**4, 2] * 8
    runs = {
        tuple(World(seed).run(lambda me, x, y: rounded_quotient(me, x, Range(-100, 10**9), y, Range(2, 10**4), 100, 1), over, under).signed)
        for seed in range(8)
    }
    assert len(runs) == 1


def test_a_quotient_out_of_reach_is_refused_with_what_to_do():
    with pytest.raises(Refused, match="fewer decimals"):
        WORLD.run(lambda me, x, y: floor_quotient(me, x, DIVIDED_MAX, y, 9), [5], [3])


def test_recoding_keeps_the_text():
    codes = [4, 0, 1, 7, 2, 3]
    ran = WORLD.run(_recoded, list(range(6)), codes=codes)
    assert ran.value.tolist() == codes


# ---- flags


@given(st.data())
@settings(max_examples=20)
def test_flags_of_every_kind_agree_with_plain_logic(data):
    rows = data.draw(st.integers(1, 70))
    kinds = data.draw(st.lists(st.sampled_from(["constant", "public", "secret"]), min_size=1, max_size=5))
    plain = [np.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows))) for _ in kinds]
    plain = [np.full(rows, one[0]) if kind == "constant" else one for kind, one in zip(kinds, plain, strict=True)]
    dealt = [WORLD.deal_bits(one, 1) for one in plain]

    def flags(me):
        forms = {"constant": lambda at: bool(plain[at][0]), "public": lambda at: plain[at], "secret": lambda at: dealt[at].at[me.index]}
        return [forms[kind](at) for at, kind in enumerate(kinds)]

    async def protocol(me):
        given_flags = flags(me)
        (pair,) = await both(me.step("pair"), (given_flags[0], given_flags[-1]))
        before = await before_each(me.step("before"), given_flags)
        ends = [await all_of(me.step("all"), given_flags), await any_of(me.step("any"), given_flags), pair]
        ends += [difference(me, given_flags[0], given_flags[-1]), negation(me, given_flags[0]), *before]
        return tuple(as_bits(me, one, rows) for one in ends)

    got = [one.astype(bool).tolist() for one in WORLD.run(protocol).value]
    every, some = np.logical_and.reduce(plain), np.logical_or.reduce(plain)
    prefixes = [np.logical_and.reduce(plain[:at]) if at else np.ones(rows, bool) for at in range(len(plain) + 1)]
    wanted = [every, some, plain[0] & plain[-1], plain[0] ^ plain[-1], ~plain[0], *prefixes]
    assert got == [one.tolist() for one in wanted]


# ---- tables by hand


def table_of(names: str, *rows: tuple[int | None, ...]) -> Table:
    return Table.of(tuple(names.split()), list(rows))


def leaf(name: str, key: str, values: range, slots: int, *fields: Field) -> Input:
    return Input(name, "a", "", ((key, tuple(values)),), slots, (Field(key, Type(INT, values[0], values[-1]), True), *fields))


LEFT = leaf("left", "k", range(4), 2, Field("x", Type(INT, -5, 5, nullable=True)), Field("f", Type(BOOL, nullable=True)))
RIGHT = leaf("right", "j", range(1, 5), 3, Field("y", Type(INT, -9, 9)), Field("g", Type(BOOL)))


def rows_for(node: Input, counts: list[int], seed: int) -> Table:
    chance = np.random.default_rng(seed)
    rows = []
    for key, count in zip(node.keys[0][1], counts, strict=True):
        for _ in range(count):
            null = node is LEFT and chance.random() < 0.4
            rows.append(
                (key, None if null else int(chance.integers(-5, 6)), None if null and chance.random() < 0.5 else int(chance.integers(0, 2)))
            )
    return Table.of(tuple(field.name for field in node.fields), rows)


def agree(node, **inputs: Table) -> Table:
    secure, outcome = run(node, inputs)
    names = tuple(field.name for field in node.fields)
    assert Counter(secure.tuples(names)) == Counter(interpret(node, inputs=inputs).tuples(names))
    assert cost(node) == Cost(outcome.rounds, outcome.bytes_sent)
    return secure


@given(st.lists(st.integers(0, 2), min_size=4, max_size=4), st.lists(st.integers(0, 3), min_size=4, max_size=4), st.integers(0, 99))
@settings(max_examples=15)
def test_joins_with_several_partners_of_which_any_may_be_missing(left, right, seed):
    tables = {"left": rows_for(LEFT, left, seed), "right": rows_for(RIGHT, right, seed + 1)}
    for kind in ("inner", "left"):
        joined = Join(LEFT, RIGHT, kind, (("k", "j"),))
        agree(joined, **tables)
        summed = aggregate("sum", column(joined.field("y")), 20, keyed=False)
        counted = aggregate("count", column(joined.field("g")), 20)
        agree(Aggregate(joined, (), (("s", summed), ("c", counted))), **tables)


def test_joins_with_public_tables():
    names = Type(CATEGORY, 0, 1, 0, ("b", "a"))
    public = Public("p", (Field("j", Type(INT, 0, 9), True), Field("w", Type(INT, 0, 9, nullable=True), True)), ((1, 5), (1, None), (3, 7)))
    left = rows_for(LEFT, [2, 1, 2, 1], 4)
    for kind in ("inner", "left", "cross"):
        agree(Join(LEFT, public, kind, () if kind == "cross" else (("k", "j"),)), left=left)
    other = Public("q", (Field("n", names, True),), ((0,), (1,)))
    agree(Sort(Join(LEFT, other, "cross", ()), (("n", False),)), left=left)


def test_keys_with_null_or_another_scale_or_domain_meet_what_they_should():
    def public(values, type):
        plain = Plain(np.array([one or 0 for one in values]), np.array([one is None for one in values]))
        return PublicColumn.of(type, plain)

    def met(a, b):
        left, right = SecureTable(len(a.values), {"a": a}), SecureTable(len(b.values), {"b": b})
        node = Join(Public("l", (Field("a", a.type, True),), ()), Public("r", (Field("b", b.type, True),), ()), "inner", (("a", "b"),))
        return list(zip(*(one.tolist() for one in matches(node, left, right)), strict=True))

    ints, tenths = Type(INT, 0, 9, nullable=True), Type("decimal", 0, 90, 1)
    assert met(public([1, None, 2], ints), public([None, 2, 2, 1], ints)) == [(0, 3), (2, 1), (2, 2)]
    assert met(public([1, 2], ints), public([20, 5], tenths)) == [(1, 0)]
    first, second = Type(CATEGORY, 0, 2, 0, ("x", "y", "z")), Type(CATEGORY, 0, 1, 0, ("z", "x"))
    assert met(public([0, 1, 2], first), public([0, 1], second)) == [(0, 1), (2, 0)]


def test_tables_without_rows():
    never = call("gt", column(LEFT.field("k")), integer(9))
    empty, left = Filter(LEFT, never), rows_for(LEFT, [1, 2, 0, 1], 2)
    x = column(LEFT.field("x"))
    parts = [("s", "sum"), ("n", "count"), ("low", "min"), ("high", "max")]
    calls = tuple((name, aggregate(function, x, 9, keyed=False)) for name, function in parts)
    assert agree(Aggregate(empty, (), calls), left=left).tuples() == [(None, 0, None, None)]
    assert agree(Aggregate(empty, ("k",), calls), left=left).rows == 0
    assert agree(Sort(Project(empty, (("k", column(LEFT.field("k"))),)), (("k", True),)), left=left).rows == 0
    assert agree(Concatenate((empty, LEFT)), left=left).rows == 4
    other = Filter(RIGHT, call("gt", column(RIGHT.field("j")), integer(9)))
    tables = {"left": left, "right": rows_for(RIGHT, [1, 1, 1, 1], 3)}
    assert agree(Join(LEFT, other, "left", (("k", "j"),)), **tables).rows == 4
    assert agree(Join(LEFT, other, "inner", (("k", "j"),)), **tables).rows == 0
    assert agree(Join(empty, RIGHT, "left", (("k", "j"),)), **tables).rows == 0


def test_sorting_puts_null_last_and_texts_by_their_letters():
    type = Type(CATEGORY, 0, 2, 0, ("pear", "apple", "Zebra"), nullable=True)
    public = Public("p", (Field("t", type, True), Field("n", Type(INT, 0, 9), True)), ((0, 1), (None, 2), (1, 3), (2, 4), (1, 5)))
    for descending, wanted in ((False, [4, 3, 5, 1, 2]), (True, [1, 3, 5, 4, 2])):
        table, _ = run(Sort(public, (("t", descending),)), {})
        assert table.columns["n"].values.tolist() == wanted


def test_extremes_of_the_widest_range():
    top = 2**61
    wide = leaf("wide", "k", range(2), 5, Field("x", Type(INT, -top, top)))
    rows = table_of("k x", (0, top), (0, -top), (0, 0), (0, top), (1, -top))
    calls = tuple((f, AggregateCall(f, column(wide.field("x")), Type(INT, -top, top))) for f in ("min", "max"))
    assert sorted(agree(Aggregate(wide, ("k",), calls), wide=rows).tuples(("k", "min", "max"))) == [(0, -top, top), (1, -top, -top)]


# ---- layouts and machinery


def test_the_grid_counts_its_last_key_fastest():
    node = Input("i", "a", "", (("a", (7, 8)), ("b", (1, 2, 3))), 2, (Field("a", Type(INT, 7, 8), True), Field("b", Type(INT, 1, 3), True)))
    keys = grid(node)
    wanted = [(a, b) for a in (7, 8) for b in (1, 2, 3) for _ in range(2)]
    assert list(zip(keys["a"].tolist(), keys["b"].tolist(), strict=True)) == wanted
    assert [part.name for part in input_parts(node)] == [VALID]


def test_input_parts_are_narrow():
    parts = {part.name: (part.kind, part.width) for part in input_parts(LEFT)}
    assert parts == {"x": ("ring", 64), "x?null": ("bits", 1), "f": ("bits", 1), "f?null": ("bits", 1), VALID: ("bits", 1)}


@given(st.lists(st.integers(1, 130), min_size=1, max_size=4), st.integers(0, 2**32))
@settings(max_examples=20)
def test_bits_are_taken_and_joined_at_any_row(sizes, seed):
    chance = np.random.default_rng(seed)
    plain = [chance.integers(0, 2, size).astype(bool) for size in sizes]
    dealt = [WORLD.deal_bits(one, 1) for one in plain]
    whole = [join_bits([one.at[i] for one in dealt]) for i in range(3)]
    assert reconstructed(whole).tolist() == np.concatenate(plain).tolist()
    rows = chance.integers(0, sum(sizes), 90)
    assert reconstructed([take_bits(one, rows) for one in whole]).tolist() == np.concatenate(plain)[rows].tolist()
    assert all(isinstance(one, Bits) for one in whole)


def test_equal_nodes_are_one_and_others_are_not():
    def scan(table="t"):
        return Scan(table, (Field("a", Type(INT, 0, 9)),))

    def filtered(bound, table="t"):
        node = scan(table)
        return Filter(node, call("lt", column(node.field("a")), integer(bound)))

    assert len(distinct((filtered(3), filtered(3)))) == 2
    assert len(distinct((filtered(3), filtered(4)))) == 3
    assert len(distinct((filtered(3), filtered(3, "u")))) == 4


def test_a_plan_that_is_not_placed_is_our_fault():
    with pytest.raises(OurFault, match="place the plan first"):
        cost(Scan("t", (Field("a", Type(INT, 0, 9)),)))


def test_a_flow_begins_each_step_as_soon_as_it_can():
    async def rounds(me, label, count, *before):
        for at in range(count):
            await me.step(f"{label}.{at}").swap(Z64.zeros(1), Z64)
        return (label, *before)

    async def protocol(me):
        steps = [
            Step((), lambda: rounds(me, "long", 5)),
            Step((), lambda: rounds(me, "short", 1)),
            Step((1,), lambda one: rounds(me, "after", 3, one)),
            Step((0, 2), lambda one, other: rounds(me, "last", 2, one[0], other[0])),
            Step((3,), lambda one: rounds(me, "free", 0, one[0])),
        ]
        return await flow(steps)

    ran = WORLD.run(protocol)
    assert ran.outcome.rounds == 7
    assert ran.held[0][2] == ("after", ("short",)) and ran.held[0][3] == ("last", "long", "after") and ran.held[0][4] == ("free", "last")


def test_decimals_used_here_round_as_asked():
    """The oracle of this file is itself looked at."""
    assert [half_up(one, 2) for one in (1, -1, 3, -3, 2)] == [1, -1, 2, -2, 1]
    assert int(Decimal("2.5").quantize(Decimal(1), ROUND_DOWN)) == 2
