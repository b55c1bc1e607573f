"""Window functions over secret columns, on shares and plainly. Equal rows stand in one order both ways: sorts are stable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accord.base.errors import Refused
from accord.plan.expression import WindowCall
from accord.plan.lower import cost
from accord.plan.nodes import Field, Input, Node, Sort, Window
from accord.plan.place import require_placed
from accord.plan.types import CATEGORY, INT, TEXT, Type
from accord.plan.typing import column
from tests.plan.secret_rows import assert_same_rows, chosen, held

FRAMES = (
    ("range", None, 0),
    ("range", 0, None),
    ("range", 0, 0),
    ("range", None, None),
    ("rows", None, 0),
    ("rows", 0, None),
    ("rows", -2, 1),
    ("rows", 1, 3),
    ("rows", -3, -2),
    ("rows", None, 2),
    ("rows", -1, None),
    ("rows", None, -1),
    ("rows", 2, None),
    ("rows", 0, 0),
)
ORDER = (("day", True), ("key", False))


def over(node: Node, frame: tuple[str, int | None, int | None], *functions: tuple[str, str | None]) -> tuple[tuple[str, WindowCall], ...]:
    made = []
    for at, (function, name) in enumerate(functions):
        argument = None if name is None else column(node.field(name))
        of = Type(INT, 0, 24) if argument is None or function == "count" else argument.type.as_nullable()
        if function == "sum":
            assert argument is not None
            of = Type(of.kind, 24 * min(of.low, 0), 24 * of.high, of.scale, nullable=True)
        made.append((f"c{at}", WindowCall(function, argument, of, frame)))
    return tuple(made)


@pytest.mark.parametrize("seed", (0, 1, 3))
@pytest.mark.parametrize("partition", [(), ("group",), ("ok", "sure")], ids="-".join)
def test_ranks_and_shifts(partition: tuple[str, ...], seed: int) -> None:
    node = chosen(held("a")) if seed else held("a")
    ranks = [(name, WindowCall(name, None, Type(INT, 1, 24))) for name in ("row_number", "rank", "dense_rank")]
    shifts = [
        (f"{function}_{name}_{offset}", WindowCall(function, column(node.field(name)), node.field(name).type.as_nullable(), offset=offset))
        for function, name, offset in (
            ("lag", "x", 1),
            ("lead", "ok", 1),
            ("lag", "ok", 3),
            ("lead", "x", 2),
            ("lead", "id", 40),
            ("lag", "key", 0),
        )
    ]
    assert_same_rows(Window(node, partition, ORDER, (*ranks, *shifts)), seed)


@pytest.mark.parametrize("seed", (0, 3))
@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_frames(frame: tuple[str, int | None, int | None], seed: int) -> None:
    node = chosen(held("a")) if seed else held("a")
    functions = (("sum", "x"), ("sum", "price"), ("count", None), ("count", "key"), ("first_value", "key"), ("last_value", "ok"))
    assert_same_rows(Window(node, ("group",), ORDER, over(node, frame, *functions)), seed)


@pytest.mark.parametrize("seed", (0, 3))
@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_least_and_greatest(frame: tuple[str, int | None, int | None], seed: int) -> None:
    node = chosen(held("a")) if seed else held("a")
    assert_same_rows(Window(node, ("group",), ORDER, over(node, frame, ("min", "x"), ("max", "price"), ("max", "key"))), seed)


WIDE = [
    ("rows", start, end)
    for start, end in [(-1, 0), (-6, 0), (-7, 0), (-8, 0), (-9, 5), (0, 7), (-40, 40), (2, 9), (-13, -4), (-99, -90), (30, 40)]
]


@pytest.mark.parametrize("frame", WIDE, ids=str)
def test_moving_frames_of_any_width(frame: tuple[str, int | None, int | None]) -> None:
    """By doubling, within partitions and over all rows; wider than a partition and than the table."""
    node = held("a")
    for seed, partition in ((3, ()), (0, ("group",)), (1, ("ok",)), (2, ("group",))):
        assert_same_rows(Window(node, partition, ORDER, over(node, frame, ("min", "x"), ("max", "price"))), seed)


def test_a_wide_frame_costs_a_pass_for_each_doubling() -> None:
    node = held("a")

    def rounds(start: int, end: int) -> int:
        return cost(Window(node, ("group",), ORDER, over(node, ("rows", start, end), ("max", "x")))).rounds

    assert 0 < rounds(-15, 0) - rounds(-7, 0) <= 14
    assert rounds(-20, 20) < 2 * rounds(-20, 0)


def test_no_order() -> None:
    node = chosen(held("a"))
    assert_same_rows(Window(node, ("day",), (), over(node, ("range", None, None), ("sum", "x"), ("count", None))), 0)
    assert_same_rows(Window(node, (), (), over(node, ("range", None, 0), ("max", "x"), ("count", None))), 0)


def test_what_servers_cannot_order_is_refused() -> None:
    many = tuple(sorted((str(number) for number in range(2000)), key=len))
    fields = (Field("digest", Type(TEXT)), Field("many", Type(CATEGORY, 0, 1999, values=many)))
    texts = Input("texts", "a", "", (), 4, fields)
    for name, reason in (("digest", "a text of unbounded length"), ("many", "a category of 2000 values.*alphabetical")):
        with pytest.raises(Refused, match=reason):
            require_placed(Sort(texts, ((name, False),)))
        with pytest.raises(Refused, match=reason):
            require_placed(Window(texts, (), ((name, True),), ()))
    require_placed(Sort(replace(texts, columns=(Field("many", Type(CATEGORY, 0, 1999, values=tuple(sorted(many)))),)), (("many", False),)))
