"""Which keys are laid out in public, which are shared secret, and what secret steps learn of them at plan time."""

from __future__ import annotations

from dataclasses import replace

from accord.frame.sql import to_plan
from accord.plan.catalog import Catalog
from accord.plan.facts import walk
from accord.plan.nodes import Aggregate, Input, Join, Node, Sort
from accord.plan.place import place
from tests.plan.worlds import CATALOG


def only(sql: str, kind: type[Node], catalog: Catalog = CATALOG) -> Node:
    (node,) = [one for one in walk(place(to_plan(sql, catalog), catalog)) if isinstance(one, kind)]
    return node


def test_keys_with_few_values_that_are_never_null_are_public() -> None:
    public = only("SELECT region, COUNT(*) AS c FROM sales GROUP BY region", Aggregate)
    assert isinstance(public, Aggregate) and public.is_public and not public.telling
    for key in ("kind", "amount", "amount + price", "ok"):
        secret = only(f"SELECT {key} AS k, COUNT(*) AS c FROM sales GROUP BY {key}", Aggregate)
        assert isinstance(secret, Aggregate) and not secret.is_public
        assert not any(one.public for one in secret.fields) and secret.telling == secret.keys


def test_an_order_by_a_computed_value_is_secret() -> None:
    sort = only("SELECT region, SUM(amount) AS s FROM sales GROUP BY region ORDER BY s DESC", Sort)
    assert isinstance(sort, Sort) and not sort.is_public and not any(one.public for one in sort.fields)
    assert isinstance(sort.input, Aggregate) and sort.input.is_public


def test_a_grid_much_larger_than_the_rows_is_not_made() -> None:
    few = "SELECT price, day, n, COUNT(*) AS c FROM sales GROUP BY price, day, n"
    node = place(to_plan(few, CATALOG), CATALOG)
    assert all(not one.keys and one.rows <= 12 for one in walk(node) if isinstance(one, Input))
    rows = {name: replace(info, rows_max=(10_000,) * len(info.owners)) for name, info in CATALOG.tables.items()}
    many = place(to_plan(few, replace(CATALOG, tables=rows)), replace(CATALOG, tables=rows))
    assert all(one.rows == 5_001 * 4 * 4 for one in walk(many) if isinstance(one, Input))


def test_a_step_that_asks_for_too_much_leaves_others_public() -> None:
    sql = """WITH s AS (SELECT region, price, SUM(n) AS n FROM sales GROUP BY region, price)
        SELECT region, SUM(n) AS n FROM s GROUP BY region"""
    outer, inner = reversed([one for one in walk(place(to_plan(sql, CATALOG), CATALOG)) if isinstance(one, Aggregate)])
    assert isinstance(inner, Aggregate) and isinstance(outer, Aggregate)
    assert inner.is_public == outer.is_public


def test_a_join_learns_which_of_its_sides_are_unique() -> None:
    groups = "(SELECT amount, COUNT(*) AS c FROM sales GROUP BY amount) g"
    one = only(f"SELECT pay, c FROM staff t JOIN {groups} ON t.pay = g.amount", Join)
    other = only(f"SELECT pay, c FROM {groups} LEFT JOIN staff t ON t.pay = g.amount", Join)
    neither = only("SELECT pay, price FROM staff t JOIN sales s ON t.pay = s.amount", Join)
    assert isinstance(one, Join) and isinstance(other, Join) and isinstance(neither, Join)
    assert (one.unique, other.unique, neither.unique) == ("right", "left", "")
    assert neither.rows_max == 12 * 28 and one.rows_max == 0


def test_a_group_by_is_bounded_by_what_its_keys_can_be() -> None:
    node = only("SELECT kind, ok, COUNT(*) AS c FROM sales WHERE price > 3 GROUP BY kind, ok", Aggregate)
    assert isinstance(node, Aggregate) and node.groups_max == 9
