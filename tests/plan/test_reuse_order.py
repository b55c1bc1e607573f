"""Steps that need no sort, since the rows stand in order: what says so is true, what they give is right, and what it saves is counted."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from accord.data.schema import ColumnSchema, TableSchema
from accord.frame.sql import to_plan
from accord.mpc.party import LAN
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.expression import AggregateCall, ColumnRef
from accord.plan.facts import walk
from accord.plan.lower import cost, node_costs
from accord.plan.nodes import Aggregate, Filter, Join, Limit, Node, Project, Sort
from accord.plan.place import place
from accord.plan.reuse_order import reuse_order
from accord.plan.steps import sentence
from accord.plan.types import INT, Type
from accord.plan.typing import call, column, integer
from accord.testing.harness import check
from accord.testing.tables import random_world
from accord.testing.three_ways import Asker, Question
from tests.plan.secret_rows import assert_same_rows, chosen, held

SEEDS = (0, 3, 5, 6)


def counted(node: Node, *keys: str) -> Aggregate:
    """Groups with a count and a sum."""
    summed = next(one.name for one in node.fields if one.name.endswith("price"))
    total = AggregateCall("sum", column(node.field(summed)), Type("decimal", 0, 5_000 * 500, 2, nullable=True))
    return Aggregate(node, keys, (("n", AggregateCall("count", None, Type(INT, 0, 500))), ("total", total)))


def below(name: str) -> Node:
    """Tables whose rows stand in order, in ways of their own; what is there is not always in front."""
    left, right = held("a", "a_", 24), held("b", "b_", 13)
    join = Join(left, right, "inner", (("a_key", "b_id"),), unique="right", in_order=True)
    turned = Join(right, left, "inner", (("b_id", "a_key"),), unique="left", in_order=True)
    many = Join(left, right, "inner", (("a_key", "b_key"),), rows_max=312)
    by_two = Sort(chosen(left), (("a_key", True), ("a_day", False)))
    made: dict[str, Node] = {
        "join": join,
        "join the other way": turned,
        "chosen after a join": Filter(join, call("lt", column(join.field("b_price")), integer(30))),
        "many to many": many,
        "sort": by_two,
        "sort and choice": Filter(by_two, call("gt", column(by_two.field("a_id")), integer(9))),
        "renamed": Project(join, tuple((one.name.replace("a_key", "k_key"), column(one)) for one in join.fields)),
        "kept by another join": Join(by_two, right, "left", (("a_id", "b_id"),), unique="right"),
        "semi": Join(by_two, right, "semi", (("a_id", "b_id"),)),
    }
    return made[name]


NAMES = (
    "join",
    "join the other way",
    "chosen after a join",
    "many to many",
    "sort",
    "sort and choice",
    "renamed",
    "kept by another join",
    "semi",
)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_groups_of_rows_that_stand_side_by_side(name: str, seed: int) -> None:
    node = below(name)
    key = "k_key" if name == "renamed" else "a_key"
    made = counted(node, key)
    assert_same_rows(made, seed, {"b": "b_id"})
    assert _sorts(made) == 0
    assert _sorts(counted(node, "a_price" if "a_price" in [one.name for one in node.fields] else "b_price")) == 1


def _sorts(node: Aggregate) -> int:
    """How many sorts the group-by does."""
    return int("arrange" in node_costs((node,), LAN)[-1].work.done)


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_of_groups(seed: int) -> None:
    """The inner groups stand in the order of their keys, the first one first: so do the groups of the outer keys."""
    inner = counted(held("a", "a_", 24), "a_key", "a_day", "a_ok")
    for keys in (("a_key",), ("a_key", "a_day")):
        outer = Aggregate(inner, keys, (("groups", AggregateCall("count", None, Type(INT, 0, 24))),))
        assert_same_rows(outer, seed)
        assert _sorts(outer) == 0
    other = Aggregate(inner, ("a_day",), (("groups", AggregateCall("count", None, Type(INT, 0, 24))),))
    assert_same_rows(other, seed)
    assert _sorts(other) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_only_the_first_columns_of_an_order_stand_together(seed: int) -> None:
    by_two = below("sort")
    made = counted(by_two, "a_day")
    assert_same_rows(made, seed)
    assert _sorts(made) == 1 and _sorts(counted(by_two, "a_day", "a_key")) == 0


def test_a_least_value_needs_a_sort_of_its_own() -> None:
    join = below("join")
    least = AggregateCall("min", ColumnRef(join.field("a_price").type, "a_price"), join.field("a_price").type)
    assert_same_rows(Aggregate(join, ("a_key",), (("least", least),)), 3, {"b": "b_id"})


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_lost_of_an_order_is_sorted_again(seed: int) -> None:
    """A limit, a computed column of the same name: nothing is said to stand in order that does not."""
    by_two = below("sort")
    shifted = call("add", column(by_two.field("a_id")), integer(0))
    renamed = Project(by_two, (("a_key", shifted), ("a_price", column(by_two.field("a_price")))))
    assert_same_rows(counted(renamed, "a_key"), seed)
    assert_same_rows(counted(Limit(by_two, 9, 2), "a_key"), seed)


# ---- the rule


def table(name: str, owners: tuple[str, ...], rows: int, unique: tuple[str, ...], *columns: str) -> TableInfo:
    made = tuple(ColumnSchema(one, "int", 0, 60_000) for one in columns)
    return TableInfo(TableSchema(name, made, unique), owners, (rows,) * len(owners), unique_across_owners=bool(unique))


CATALOG = Catalog(
    {
        "orders": table("orders", ("a", "b"), 500, ("ok",), "ok", "cust", "day"),
        "line": table("line", ("c", "d"), 2_000, (), "o", "qty", "price"),
        "huge": table("huge", ("a",), 900_000, ("h",), "h", "w"),
    },
    {},
)
ASKED = "SELECT ok, day, SUM(price * qty) AS s, COUNT(*) AS n FROM orders JOIN line ON ok = o WHERE cust < 9 GROUP BY ok, day"


@pytest.mark.parametrize(
    ("sql", "marked"),
    [
        (ASKED, 1),
        ("SELECT o, SUM(qty) AS s FROM line JOIN orders ON o = ok WHERE day > qty GROUP BY o", 1),
        ("SELECT cust, SUM(qty) AS s FROM line JOIN orders ON o = ok GROUP BY cust", 0),
        ("SELECT o, qty, COUNT(*) AS s FROM line JOIN orders ON o = ok GROUP BY o, qty", 0),
        ("SELECT o, MIN(qty + day) AS s FROM line JOIN orders ON o = ok GROUP BY o", 0),
        ("SELECT ok, COUNT(qty) AS s FROM orders LEFT JOIN line ON o = ok GROUP BY ok", 0),
        ("SELECT o, SUM(w + qty) AS s FROM line JOIN huge ON o = h GROUP BY o", 0),
    ],
)
def test_which_joins_leave_their_order(sql: str, marked: int) -> None:
    joins = [one for one in walk(place(to_plan(sql, CATALOG), CATALOG)) if isinstance(one, Join) and one.in_order]
    assert len(joins) == marked
    for one in joins:
        assert sentence(one, ["x", "y"]).endswith("; those that do come first, in this order, which the next step need not sort again")


def test_what_it_saves() -> None:
    """Less than the join and the sort, more than nothing: a fifth of the bytes of this question, and a sort's rounds."""
    placed = place(to_plan(ASKED, CATALOG), CATALOG)
    plain = _unmarked(placed)
    assert reuse_order(plain, CATALOG) == placed
    saved, whole = cost(placed, LAN), cost(plain, LAN)
    assert saved.rounds < whole.rounds - 15 and saved.bytes < 0.95 * whole.bytes


def test_groups_of_one_row_each_are_no_group_by() -> None:
    """Of several owners, too: unique keys tell that no two rows share a group. On a public grid they stay on it."""
    tables = {
        "orders": table("orders", ("a",), 500, ("ok",), "ok", "cust"),
        "custs": table("custs", ("b",), 300, ("c",), "c", "age"),
        "line": table("line", ("c",), 2_000, (), "o", "qty"),
    }
    sql = "SELECT ok, SUM(qty) AS s FROM orders JOIN custs ON cust = c JOIN line ON ok = o WHERE age > 3 GROUP BY ok"
    placed = place(to_plan(sql, Catalog(tables, {})), Catalog(tables, {}))
    assert not any(isinstance(one, Aggregate) for one in walk(placed))
    both = replace(tables["orders"], owners=("a", "d"), rows_max=(500, 500), unique_across_owners=False)
    several = Catalog({**tables, "orders": both}, {})
    assert any(isinstance(one, Aggregate) for one in walk(place(to_plan(sql, several), several))), "nobody promises it"


def _unmarked(node: Node) -> Node:
    from accord.plan.rewrite import bottom_up

    return bottom_up(node, lambda one: replace(one, in_order=False) if isinstance(one, Join) else one)


@pytest.mark.parametrize("seed", (3, 4, 7, 9, 12))
def test_questions_three_ways(seed: int) -> None:
    asker = Asker(random_world(random.Random(f"world {seed}")))
    try:
        for sql in (
            "SELECT v.person, COUNT(*) AS n, SUM(v.cost) AS c FROM visits v "
            "JOIN people p ON v.person = p.person WHERE p.income > 3 GROUP BY v.person",
            "SELECT j.person, COUNT(j.pay) AS n FROM jobs j JOIN (SELECT person, COUNT(*) AS c FROM visits GROUP BY person) v "
            "ON j.person = v.person GROUP BY j.person",
            "SELECT person, COUNT(*) AS days FROM (SELECT person, day, COUNT(*) AS n FROM visits GROUP BY person, day) GROUP BY person",
            "SELECT region, COUNT(*) AS n, COUNT(DISTINCT person) AS p FROM people GROUP BY region",
        ):
            check(Question(sql, asker), seed)
    finally:
        asker.close()
