"""Which joins are done where: owners' before the servers', few rows before many, and never other rows."""

from __future__ import annotations

import pytest

from accord.data.schema import ColumnSchema, TableSchema
from accord.frame.sql import to_plan
from accord.plan.aggregate_early import aggregate_early
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.expression import Literal
from accord.plan.facts import walk
from accord.plan.interpret import Table, interpret
from accord.plan.lift import lift_to_owners
from accord.plan.nodes import Aggregate, Filter, Input, Join, Limit, Local, Node, Project, Scan, Sort, Window
from accord.plan.order_joins import order_joins
from accord.plan.place import place
from accord.plan.push_filters import push_filters
from accord.plan.types import BOOL, Type


def table(name: str, owner: str, rows: int, *columns: str, unique: tuple[str, ...] = ()) -> TableInfo:
    schema = TableSchema(name, tuple(ColumnSchema(one, "int", 0, 30_000) for one in columns), unique)
    return TableInfo(schema, (owner,), (rows,))


CATALOG = Catalog(
    {
        "part": table("part", "c", 40, "p", "size", unique=("p",)),
        "line": table("line", "a", 90, "o", "lp", "ls", "qty"),
        "supp": table("supp", "a", 9, "s", "nation", unique=("s",)),
        "orders": table("orders", "b", 50, "ok", "cust", unique=("ok",)),
        "cust": table("cust", "b", 20, "ck", "cn", unique=("ck",)),
    },
    {},
)
HELD = {
    name: {
        info.owners[0]: Table.of(
            tuple(one.name for one in info.schema.columns),
            [tuple((at * (7 + place)) % 11 if place else at % 12 for place, _ in enumerate(info.schema.columns)) for at in range(12)],
        )
    }
    for name, info in CATALOG.tables.items()
}


def local_tables(node: Node) -> set[frozenset[str]]:
    """The tables that are read together by an owner."""
    lifted = lift_to_owners(node, CATALOG)
    return {frozenset(scan.table for scan in walk(one) if isinstance(scan, Scan)) for one in walk(lifted) if isinstance(one, Local)}


def ordered(sql: str) -> Node:
    """The plan after the rule, which gives the rows that it gave before."""
    before = push_filters(to_plan(sql, CATALOG), CATALOG)
    after = order_joins(before, CATALOG)
    names = tuple(one.name for one in before.fields)
    assert [(one.name, one.type) for one in before.fields] == [(one.name, one.type) for one in after.fields]
    rows = [sorted(interpret(one, HELD).tuples(names), key=repr) for one in (before, after)]
    assert rows[0] == rows[1] and rows[0]
    return after


def test_tables_of_one_owner_meet_first() -> None:
    sql = """SELECT qty, size, cust, nation FROM line JOIN part ON p = lp JOIN orders ON ok = o JOIN supp ON s = ls
        JOIN cust ON ck = cust WHERE size + qty > 3"""
    assert local_tables(ordered(sql)) == {frozenset({"line", "supp"}), frozenset({"part"}), frozenset({"orders", "cust"})}


def test_an_equality_between_two_tables_that_a_third_connects() -> None:
    sql = "SELECT qty FROM line JOIN part ON p = lp JOIN orders ON ok = o JOIN supp ON s = ls JOIN cust ON ck = cust AND cn = nation"
    plan = ordered(sql)
    pairs = {pair for one in walk(plan) if isinstance(one, Join) for pair in one.on}
    assert {frozenset(one) for one in pairs} == {
        frozenset(one) for one in (("p", "lp"), ("ok", "o"), ("s", "ls"), ("ck", "cust"), ("cn", "nation"))
    }


@pytest.mark.parametrize(("word", "kind"), [("", "semi"), ("NOT ", "anti")])
def test_a_semi_join_goes_to_the_owner_of_both_sides(word: str, kind: str) -> None:
    """The orders are asked about lines; a line with the same number tells as much, and its owner has both."""
    sql = f"""SELECT qty, cust FROM orders JOIN line ON o = ok JOIN part ON p = lp
        WHERE {word}EXISTS (SELECT 1 FROM line AS l WHERE l.o = ok AND l.qty > 6)"""
    plan = ordered(sql)
    (semi,) = [one for one in walk(lift_to_owners(plan, CATALOG)) if isinstance(one, Join) and one.is_choice]
    assert semi.kind == kind
    assert frozenset({"line"}) in local_tables(plan)
    assert not any(isinstance(one, Join) and one.is_choice for one in walk(place(plan, CATALOG)))


def test_a_left_join_goes_to_the_owner_of_both_sides() -> None:
    sql = """SELECT SUM(qty) AS q FROM line JOIN part ON p = lp
        WHERE qty < (SELECT AVG(l.qty) FROM line AS l WHERE l.lp = p) AND size > 0"""
    placed = place(to_plan(sql, CATALOG), CATALOG)
    assert [one.kind for one in walk(placed) if isinstance(one, Join)] == ["inner"]
    ordered(sql)


def test_what_cannot_change_places_stays() -> None:
    """A bound is that of the join as it was written; what stands above a limit or a group-by is no part of the joins below."""
    bounded = "SELECT line.qty FROM line JOIN part ON p = lp JOIN /*+ rows_max(700) */ orders ON cust = o JOIN supp ON s = ls"
    before = push_filters(to_plan(bounded, CATALOG), CATALOG)
    assert any(isinstance(one, Join) and one.rows_max == 700 for one in walk(before))
    assert [one.on for one in walk(order_joins(before, CATALOG)) if isinstance(one, Join)][-1] == (
        [one.on for one in walk(before) if isinstance(one, Join)][-1]
    )
    for sql in (
        "SELECT qty, size FROM (SELECT * FROM line ORDER BY o, lp, ls, qty LIMIT 5) JOIN part ON p = lp JOIN supp ON s = ls",
        "SELECT n, size FROM (SELECT lp, COUNT(*) AS n FROM line GROUP BY lp) JOIN part ON p = lp JOIN supp ON s = n",
    ):
        plan = ordered(sql)
        assert [type(one) for one in walk(plan) if isinstance(one, Limit | Aggregate | Sort)]


def test_conditions_that_read_no_column_stay() -> None:
    """They belong to no table, and hold of none."""
    joined = push_filters(to_plan("SELECT qty, nation FROM line JOIN part ON p = lp JOIN supp ON s = ls", CATALOG), CATALOG)
    assert isinstance(joined, Project)
    never = Filter(joined.input, Literal(Type(BOOL), 0))
    after = order_joins(Project(never, joined.columns), CATALOG)
    assert interpret(joined, HELD).rows and not interpret(after, HELD).rows
    assert local_tables(after) == {frozenset({"line", "supp"}), frozenset({"part"})}


def test_an_order_that_is_no_better_stays_as_it_was_written() -> None:
    plan = push_filters(to_plan("SELECT qty, size FROM line JOIN supp ON s = ls JOIN part ON p = lp", CATALOG), CATALOG)
    assert order_joins(plan, CATALOG) == plan


def test_one_owner_limits_ranks_and_unites_alone() -> None:
    first = "(SELECT o, qty FROM line ORDER BY qty DESC, o LIMIT 4)"
    placed = place(to_plan(f"SELECT ok, qty FROM orders JOIN {first} ON o = ok", CATALOG), CATALOG)
    assert not any(isinstance(one, Limit) for one in walk(placed))
    assert {one.rows for one in walk(placed) if isinstance(one, Input) and one.owner == "a"} == {4}
    ranked = "SELECT size, r FROM part JOIN (SELECT lp, RANK() OVER (PARTITION BY ls ORDER BY qty) AS r FROM line) ON lp = p"
    assert not any(isinstance(one, Window) for one in walk(place(to_plan(ranked, CATALOG), CATALOG)))
    both = "SELECT size FROM part JOIN (SELECT lp AS k FROM line UNION SELECT s FROM supp) ON k = p"
    placed = place(to_plan(both, CATALOG), CATALOG)
    assert [one.owner for one in walk(placed) if isinstance(one, Input)].count("a") == 1


def test_the_first_rows_of_one_owner_are_released_in_order() -> None:
    placed = place(to_plan("SELECT qty, o FROM line ORDER BY qty DESC, o LIMIT 4", CATALOG), CATALOG)
    assert isinstance(placed, Sort) and isinstance(placed.input, Input)


def test_conditions_go_below_windows_and_unions_but_not_below_what_they_ask() -> None:
    ranked = "(SELECT ls, qty, RANK() OVER (PARTITION BY ls ORDER BY qty) AS r FROM line)"
    plan = push_filters(to_plan(f"SELECT qty FROM {ranked} WHERE ls = 3 AND qty > 2", CATALOG), CATALOG)
    below, above = (one for one in walk(plan) if isinstance(one, Filter))
    assert any(isinstance(one, Window) for one in walk(above.input)) and not any(isinstance(one, Window) for one in walk(below.input))
    union = "(SELECT o AS k FROM line UNION ALL SELECT ok FROM orders)"
    plan = push_filters(to_plan(f"SELECT k FROM {union} WHERE k > 2", CATALOG), CATALOG)
    assert len([one for one in walk(plan) if isinstance(one, Filter)]) == 2
    outer = "SELECT qty FROM line RIGHT JOIN orders ON o = ok WHERE cust > 2 AND COALESCE(qty, 9) > 5"
    before = to_plan(outer, CATALOG)
    rows = [sorted(interpret(one, HELD).tuples(), key=repr) for one in (before, push_filters(before, CATALOG))]
    assert rows[0] == rows[1]


# ---- group-bys before joins


@pytest.mark.parametrize(
    ("sql", "left"),
    [
        ("SELECT ok, SUM(qty) AS s, COUNT(*) AS n, MAX(ls) AS m FROM orders JOIN line ON o = ok GROUP BY ok", 0),
        ("SELECT o, AVG(qty) AS s FROM line JOIN orders ON o = ok WHERE cust > 1 GROUP BY o", 0),
        ("SELECT cust, SUM(qty) AS s, COUNT(qty) AS n, MIN(qty) AS m FROM orders JOIN line ON o = ok GROUP BY cust", 1),
        ("SELECT size, SUM(l.qty + l.ls) AS s FROM part JOIN line AS l ON l.lp = p GROUP BY size", 1),
    ],
)
def test_an_owner_adds_up_before_the_join(sql: str, left: int) -> None:
    """What is left on shares is one row for each row of the other table, and no group-by where that is the group."""
    plan = place(to_plan(sql, CATALOG), CATALOG)
    assert all(one.unique for one in walk(plan) if isinstance(one, Join))
    assert len([one for one in walk(plan) if isinstance(one, Aggregate)]) == left
    before = to_plan(sql, CATALOG)
    rows = [sorted(interpret(one, HELD).tuples(), key=repr) for one in (before, aggregate_early(before, CATALOG))]
    assert rows[0] == rows[1] and rows[0] and aggregate_early(before, CATALOG) != before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT qty, SUM(ls) AS s FROM orders JOIN line ON o = ok GROUP BY qty",
        "SELECT cust, SUM(qty + cust) AS s FROM orders JOIN line ON o = ok GROUP BY cust",
        "SELECT cust, SUM(qty) AS s FROM orders JOIN line ON o = ok WHERE qty > cust GROUP BY cust",
        "SELECT cust, COUNT(DISTINCT qty) AS s FROM orders JOIN line ON o = ok GROUP BY cust",
        "SELECT o, SUM(cust) AS s FROM orders JOIN line ON o = ok GROUP BY o",
        "SELECT SUM(qty) AS s, COUNT(*) AS n FROM orders JOIN line ON o = ok",
        "SELECT ok, SUM(qty) AS s FROM orders LEFT JOIN line ON o = ok GROUP BY ok",
        "SELECT nation, SUM(qty) AS s FROM supp JOIN line ON s = ls GROUP BY nation",
    ],
)
def test_what_is_not_the_same_added_up_before_is_added_up_after(sql: str) -> None:
    plan = push_filters(to_plan(sql, CATALOG), CATALOG)
    assert aggregate_early(plan, CATALOG) == plan
