"""Joins on secret columns, on shares and plainly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accord.base.errors import Refused
from accord.plan.interpret import interpret
from accord.plan.nodes import Field, Filter, Input, Join, Node, Public
from accord.plan.place import require_placed
from accord.plan.typing import boolean
from tests.plan.lowering import run, value
from tests.plan.secret_rows import FIELDS, assert_same_rows, chosen, held, random_table

SEEDS = (0, 3)


def sides(seed: int) -> tuple[Node, Node]:
    left, right = held("a", "a_", 20), held("b", "b_", 13)
    return (chosen(left) if seed % 2 else left), (chosen(right) if seed % 3 else right)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["inner", "left"])
@pytest.mark.parametrize("unique", ["left", "right", "both"])
@pytest.mark.parametrize("name", ["key", "id"])
def test_one_side_is_unique(name: str, unique: str, kind: str, seed: int) -> None:
    left, right = sides(seed)
    join = Join(left, right, kind, ((f"a_{name}", f"b_{name}"),), unique=unique)
    alone = {owner: f"{owner}_{name}" for owner, side in (("a", "left"), ("b", "right")) if unique in (side, "both")}
    assert_same_rows(join, seed, alone)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["semi", "anti"])
@pytest.mark.parametrize("nulls_agree", [False, True])
@pytest.mark.parametrize("names", [("key",), ("group", "ok"), ("x", "price", "day", "group")], ids="-".join)
def test_rows_that_meet_any_or_none(names: tuple[str, ...], nulls_agree: bool, kind: str, seed: int) -> None:
    left, right = sides(seed)
    join = Join(left, right, kind, tuple((f"a_{name}", f"b_{name}") for name in names), nulls_agree=nulls_agree)
    assert_same_rows(join, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_keys_of_several_columns_and_of_different_ranges(seed: int) -> None:
    left, right = sides(seed)
    join = Join(left, right, "inner", (("a_key", "b_id"), ("a_day", "b_day")), unique="right")
    assert_same_rows(join, seed, {"b": "b_id"})


def test_a_join_whose_rows_nobody_bounds_is_refused() -> None:
    left, right = sides(0)
    join = Join(left, right, "inner", (("a_key", "b_key"),))
    with pytest.raises(Refused, match=r"a JOIN on a_key = b_key, which is secret.*make one side unique"):
        require_placed(join)
    require_placed(replace(join, unique="left"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["inner", "left"])
@pytest.mark.parametrize("rows_max", [100, 260, 1000])
def test_many_to_many(rows_max: int, kind: str, seed: int) -> None:
    """With room for all pairs: the bound is what they could be, or nearly so."""
    left, right = sides(seed)
    join = Join(left, right, kind, (("a_group", "b_group"), ("a_ok", "b_ok")), rows_max=rows_max)
    assert_same_rows(join, seed)


@pytest.mark.parametrize("kind", ["inner", "left"])
def test_more_rows_than_the_bound_are_a_fault(kind: str) -> None:
    left, right = held("a", "a_", 20), held("b", "b_", 13)
    tables = {"a": random_table(left, 0), "b": random_table(right, 0)}
    for rows_max in (1, 2, 40, 259):
        join = Join(left, right, kind, (("a_day", "b_day"),), rows_max=rows_max)
        pairs = interpret(replace(join, kind="inner", rows_max=1000), inputs=tables).rows
        _, outcome = run(join, tables, 1)
        ((sentence, _),) = outcome.results[0].faults
        assert "a_day = b_day" in sentence and str(rows_max) in sentence
        flag = value([one.faults[0][1] for one in outcome.results], 1)
        assert flag[0] == (pairs > rows_max), (pairs, rows_max)
    assert pairs > 2


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["semi", "anti"])
def test_choices_by_public_columns(kind: str, seed: int) -> None:
    """Which rows could meet is known to all, whether they are there is not."""
    right = Public("days", (Field("b_day", FIELDS[3].type, True),), ((19_001,), (19_002,)))
    secret = held("b", "b_", 13)
    for other in (right, by_day(secret), chosen(by_day(secret)), Filter(right, boolean(False))):
        assert_same_rows(Join(by_day(held("a", "a_", 8)), other, kind, (("a_day", "b_day"),)), seed)


def by_day(node: Input) -> Input:
    """The rows laid out by their days."""
    name = next(one.name for one in node.columns if one.name.endswith("day"))
    columns = tuple(replace(one, public=one.name == name) for one in node.columns)
    return replace(node, keys=((name, (19_000, 19_001, 19_002)),), columns=columns)
