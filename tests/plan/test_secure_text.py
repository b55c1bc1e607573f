"""Texts on shares: told apart, chosen, grouped, joined and put in order, by their bytes or by digests."""

from __future__ import annotations

import random

import pytest

from accord.plan.evaluate import Plain
from accord.plan.expression import AggregateCall, Literal
from accord.plan.interpret import Table, interpret
from accord.plan.nodes import Aggregate, Field, Filter, Input, Join, Node, Project, Sort
from accord.plan.types import CATEGORY, INT, TEXT, Type
from accord.plan.typing import call, column, integer, null, text
from accord.testing.three_ways import run_on_shares

TEXTS = ("", "a", "ab", "abc", "b", "ä", "zebra crossing", "zebra crossings")
NUMBER = Field("n", Type(INT, 0, 9))
KIND = Field("kind", Type(CATEGORY, 0, 2, values=("b", "abc", "zebra crossing"), nullable=True))


def shared(name: str, prefix: str = "", bytes_max: int = 15, nullable: bool = True) -> Input:
    fields = (
        Field(f"{prefix}s", Type(TEXT, 0, 0, nullable=nullable, bytes_max=bytes_max)),
        Field(f"{prefix}t", Type(TEXT, 0, 0, bytes_max=bytes_max + 5 if bytes_max else 0)),
        Field(f"{prefix}n", NUMBER.type),
        Field(f"{prefix}kind", KIND.type),
    )
    return Input(name, name, "", (), 16, fields)


def rows(node: Input, seed: int) -> Table:
    chance = random.Random(seed)
    made = []
    for _ in range(node.slots):
        first = None if node.columns[0].type.nullable and chance.random() < 0.2 else chance.choice(TEXTS)
        kind = None if chance.random() < 0.2 else chance.randrange(3)
        made.append((first, chance.choice(TEXTS), chance.randrange(10), kind))
    cells = list(zip(*made, strict=True))
    columns = {one.name: plain(one.type, values) for one, values in zip(node.columns, cells, strict=True)}
    return Table(columns, node.slots)


def plain(type: Type, values: tuple) -> Plain:
    empty = Plain.empty(type, len(values))
    filled = empty.values.copy()
    nulls = empty.nulls.copy()
    for at, value in enumerate(values):
        nulls[at] = value is None
        if value is not None:
            filled[at] = value
    return Plain(filled, nulls)


def agree(node: Node, tables: dict[str, Table], ordered: bool = False) -> None:
    names = tuple(one.name for one in node.fields)
    wanted, got = interpret(node, inputs=tables).tuples(names), run_on_shares(node, tables, 1).tuples(names)
    assert (wanted == got) if ordered else sorted(wanted, key=repr) == sorted(got, key=repr)


@pytest.mark.parametrize("bytes_max", [15, 0])
def test_equality_and_choice(bytes_max: int) -> None:
    node = shared("a", bytes_max=bytes_max)
    s, t, n = (column(node.field(name)) for name in ("s", "t", "n"))
    constant = Literal(Type(TEXT, 0, 0, bytes_max=3), "abc")
    conditions = [call("eq", s, t), call("ne", s, t), call("eq", s, constant), call("ne", constant, t), call("is_null", s)]
    agree(Project(node, tuple((f"c{at}", one) for at, one in enumerate(conditions))), {"a": rows(node, 3)})
    chosen = [call("case", call("gt", n, integer(4)), s, call("gt", n, integer(2)), t, null(s.type)), call("coalesce", s, t)]
    if bytes_max:
        kind = column(node.field("kind"))
        long = Literal(Type(TEXT, 0, 0, bytes_max=30), "a text of more bytes")
        chosen += [call("coalesce", s, kind, text("none")), call("case", call("gt", n, integer(4)), long, s), call("eq", kind, s)]
        agree(Project(node, tuple((f"c{at}", one) for at, one in enumerate(chosen))), {"a": rows(node, 4)})
    else:
        known = tuple((f"c{at}", call("eq", one, t)) for at, one in enumerate(chosen))
        agree(Project(node, known), {"a": rows(node, 4)})


def test_groups_orders_and_joins() -> None:
    left, right = shared("a", "a_"), shared("b", "b_", bytes_max=20, nullable=False)
    tables = {"a": rows(left, 5), "b": rows(right, 6)}
    counted = ("c", AggregateCall("count", None, Type(INT, 0, 16)))
    agree(Aggregate(left, ("a_s",), (counted,)), tables)
    agree(
        Aggregate(left, ("a_s", "a_kind"), (counted, ("d", AggregateCall("count_distinct", column(left.field("a_t")), Type(INT, 0, 16))))),
        tables,
    )
    keys = (("a_s", True), ("a_t", False), ("a_n", True))
    agree(Sort(Project(left, tuple((name, column(left.field(name))) for name, _ in keys)), keys), tables, ordered=True)
    groups = Aggregate(right, ("b_s",), (counted,))
    agree(Join(left, groups, "inner", (("a_s", "b_s"),), unique="right"), tables)
    agree(Join(left, groups, "left", (("a_t", "b_s"),), unique="right"), tables)
    agree(Join(Filter(left, call("gt", column(left.field("a_n")), integer(3))), right, "anti", (("a_s", "b_t"),)), tables)


def test_digests_meet() -> None:
    left, right = shared("a", "a_", bytes_max=0), shared("b", "b_", bytes_max=0)
    join = Join(left, right, "semi", (("a_s", "b_t"),))
    numbers = Project(join, (("a_n", column(join.field("a_n"))), ("a_kind", column(join.field("a_kind")))))
    agree(numbers, {"a": rows(left, 7), "b": rows(right, 8)})
