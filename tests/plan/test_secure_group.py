"""Groups by secret keys, on shares and plainly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accord.plan.expression import AggregateCall
from accord.plan.nodes import Aggregate, Node
from accord.plan.types import BOOL, INT, Type
from accord.plan.typing import aggregate, call, column, integer
from tests.plan.secret_rows import assert_same_rows, chosen, held

SEEDS = (0, 1, 3)


def calls(node: Node, *wanted: tuple[str, str | None], keyed: bool = True) -> tuple[tuple[str, AggregateCall], ...]:
    made = []
    for at, (function, name) in enumerate(wanted):
        argument = None if name is None else column(node.field(name))
        if function in ("bool_and", "bool_or"):
            assert argument is not None
            one = AggregateCall(function, argument, Type(BOOL, nullable=argument.type.nullable or not keyed))
        elif function == "count_distinct":
            one = AggregateCall(function, argument, Type(INT, 0, 24))
        elif function.startswith("quantile"):
            assert argument is not None
            share = (1, 2) if function == "quantile" else (9, 10)
            one = AggregateCall("quantile_disc", argument, argument.type.as_nullable(argument.type.nullable or not keyed), share)
        else:
            one = aggregate(function, argument, 24, keyed)
        made.append((f"c{at}", one))
    return tuple(made)


LINEAR = (("sum", "x"), ("count", None), ("count", "x"), ("sum", "price"), ("bool_and", "ok"), ("bool_or", "ok"), ("bool_or", "sure"))
ORDERED = (("min", "x"), ("max", "x"), ("min", "day"), ("count_distinct", "group"), ("count_distinct", "id"), ("quantile", "x"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("keys", [("key",), ("group", "day"), ("key", "group", "ok", "x")], ids="-".join)
def test_sums_and_counts(keys: tuple[str, ...], seed: int) -> None:
    node = chosen(held("a")) if seed % 2 else held("a")
    assert_same_rows(Aggregate(node, keys, calls(node, *LINEAR)), seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("keys", [("key",), ("group", "day")], ids="-".join)
def test_orders_of_values(keys: tuple[str, ...], seed: int) -> None:
    node = chosen(held("a")) if seed % 2 else held("a")
    assert_same_rows(Aggregate(node, keys, calls(node, *ORDERED, ("count", None), ("sum", "x"))), seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_distinct_rows(seed: int) -> None:
    node = chosen(held("a"))
    assert_same_rows(Aggregate(node, ("key", "group"), ()), seed)


@pytest.mark.parametrize("seed", (0, 1, 3, 5))
def test_no_keys(seed: int) -> None:
    node = chosen(held("a"))
    wanted = (("count_distinct", "key"), ("quantile", "x"), ("quantile90", "price"), ("sum", "x"), ("count", None), ("bool_and", "ok"))
    assert_same_rows(Aggregate(node, (), calls(node, *wanted, keyed=False)), seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_computed_arguments(seed: int) -> None:
    node = chosen(held("a"))
    argument = call("case", call("gt", column(node.field("price")), integer(20)), column(node.field("x")), column(node.field("id")))
    same = ("c", aggregate("min", integer(7), 24))
    assert_same_rows(Aggregate(node, ("day",), (("s", aggregate("sum", argument, 24)), ("m", aggregate("max", argument, 24)), same)), seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("keys", [(), ("day",)], ids=("all", "day"))
def test_truths_over_public_groups(keys: tuple[str, ...], seed: int) -> None:
    """Which rows could form a group is known to all, whether they are there is not."""
    public = tuple(replace(one, public=one.name == "day") for one in held("a").columns)
    laid_out = replace(held("a", rows=6), keys=(("day", (19_000, 19_001, 19_002)),), columns=public)
    for node in (laid_out, chosen(laid_out)):
        wanted = calls(node, ("bool_and", "ok"), ("bool_or", "ok"), ("bool_and", "sure"), ("bool_or", "sure"), keyed=bool(keys))
        assert_same_rows(Aggregate(node, keys, wanted), seed)
