"""What owners compute for the servers, what is no longer computed at all, and what is refused since nobody could."""

from __future__ import annotations

from collections import Counter

import pytest

from accord.base.errors import Refused
from accord.data.schema import ColumnSchema, TableSchema
from accord.frame.sql import to_plan
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.expression import LOCAL_FUNCTIONS, Literal
from accord.plan.facts import walk
from accord.plan.fold_constants import fold_constants, folded
from accord.plan.interpret import Table, interpret
from accord.plan.nodes import Field, Filter, Input, Node
from accord.plan.place import place
from accord.plan.push_columns import is_null_of_nulls, require_local_functions
from accord.plan.rewrite import expressions_of, functions_of
from accord.plan.types import INT, Type
from accord.plan.typing import call, column, integer
from accord.testing.harness import check
from accord.testing.tables import RandomWorld
from accord.testing.three_ways import Asker, Question

CATALOG = Catalog(
    {
        "people": TableInfo(
            TableSchema(
                "people",
                (
                    ColumnSchema("id", "int", 0, 40_000),
                    ColumnSchema("name", "text", bytes_max=6, nullable=True),
                    ColumnSchema("born", "date", 0, 20_000),
                    ColumnSchema("income", "int", 0, 99),
                ),
                ("id",),
            ),
            ("a",),
            (6,),
        ),
        "jobs": TableInfo(
            TableSchema(
                "jobs", (ColumnSchema("id", "int", 0, 40_000), ColumnSchema("pay", "int", 0, 99), ColumnSchema("since", "date", 0, 20_000))
            ),
            ("b",),
            (6,),
        ),
    },
    {},
)
HELD = {
    "people": {
        "a": Table.of(("id", "name", "born", "income"), [(1, "anna", 3, 7), (2, None, 400, 8), (3, "bo", 9_000, 9), (5, "", 19_999, 0)])
    },
    "jobs": {"b": Table.of(("id", "pay", "since"), [(1, 5, 700), (1, 9, 5), (3, 2, 12_345), (4, 4, 31), (4, 9, 0)])},
}
JOINED = "people JOIN jobs ON people.id = jobs.id"


def placed(sql: str) -> Node:
    """The placed plan, after all three ways agree on its rows."""
    asker = Asker(RandomWorld(CATALOG, HELD))
    try:
        question = Question(sql, asker)
        check(question, 1)
        return question.placed
    finally:
        asker.close()


def functions_on_shares(node: Node) -> Counter[str]:
    return Counter(function for one in walk(node) for expression in expressions_of(one) for function in functions_of(expression))


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT YEAR(born) AS y, MONTH(since) AS m FROM {JOINED}",
        f"SELECT SUM(CASE WHEN name LIKE '%n%' THEN pay ELSE 0 END) AS s FROM {JOINED}",
        f"SELECT pay FROM {JOINED} WHERE name LIKE 'a%' OR pay > 3",
        f"SELECT UPPER(name) AS n, COUNT(*) AS c FROM {JOINED} GROUP BY UPPER(name)",
        f"SELECT pay, RANK() OVER (ORDER BY YEAR(born)) AS r FROM {JOINED}",
        "SELECT SUBSTRING(name, 1, 2) AS n, pay FROM people LEFT JOIN jobs ON people.id = jobs.id",
        "SELECT YEAR(since) AS y, income FROM people LEFT JOIN jobs ON people.id = jobs.id",
        "SELECT YEAR(since) AS y FROM people FULL JOIN jobs ON people.id = jobs.id",
        "SELECT LENGTH(name) AS n FROM people RIGHT JOIN jobs ON people.id = jobs.id WHERE pay > 4",
        "SELECT name || '!' AS n FROM (SELECT name, income FROM people UNION ALL SELECT name, id FROM people) WHERE income < 9",
        "SELECT income, EXTRACT(YEAR FROM born) AS y FROM people WHERE EXISTS (SELECT 1 FROM jobs WHERE jobs.id = people.id)",
        f"""WITH j AS (SELECT people.id AS i, born, since, pay FROM {JOINED})
        SELECT YEAR(x.born) AS a, YEAR(y.since) AS b FROM j x JOIN /*+ rows_max(99) */ j y ON x.i = y.pay""",
    ],
)
def test_functions_of_texts_and_dates_are_computed_by_their_owner(sql: str) -> None:
    assert not frozenset(functions_on_shares(placed(sql))) & LOCAL_FUNCTIONS


def test_what_costs_servers_a_protocol_is_computed_by_the_owner_where_it_has_all_of_it() -> None:
    node = placed(f"SELECT income * income AS square, CASE WHEN pay > 3 THEN income END AS i, income * pay AS both FROM {JOINED}")
    used = functions_on_shares(node)
    assert used["multiply"] == 1 and used["case"] == 1 and not used["gt"]
    inputs = {
        one.owner: [(field.name.split("_")[0], field.type.kind) for field in one.columns] for one in walk(node) if isinstance(one, Input)
    }
    assert ("computed", "int") in inputs["a"] and ("computed", "bool") in inputs["b"]


def test_what_is_not_null_of_nulls_stays_above_an_outer_join() -> None:
    """COALESCE of a column that an unmatched row lacks is no column of its table."""
    sql = "SELECT COALESCE(pay, 77) > 9 AS p FROM people LEFT JOIN jobs ON people.id = jobs.id"
    assert functions_on_shares(placed(sql))["coalesce"] == 1
    maybe = field(0, 9, nullable=True)
    assert is_null_of_nulls(call("gt", maybe, integer(3))) and is_null_of_nulls(call("add", maybe, maybe))
    assert not is_null_of_nulls(call("coalesce", maybe, integer(3))) and not is_null_of_nulls(call("is_null", maybe))


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        (f"SELECT YEAR(m) AS y FROM (SELECT pay, MAX(born) AS m FROM {JOINED} GROUP BY pay)", "YEAR of m"),
        (f"SELECT MONTH(born + pay) AS y FROM {JOINED}", "MONTH of born, pay"),
    ],
)
def test_what_no_owner_can_compute_is_refused(sql: str, what: str) -> None:
    with pytest.raises(Refused, match=f"{what}, which the servers compute and no owner has .*one owner, of its own columns"):
        place(to_plan(sql, CATALOG), CATALOG)
    require_local_functions(place(to_plan("SELECT YEAR(born) AS y FROM people", CATALOG), CATALOG))


# ---- constants


def field(low: int, high: int, nullable: bool = False):
    return column(Field("pay", Type(INT, low, high, nullable=nullable)))


@pytest.mark.parametrize(
    ("function", "low", "high", "value"),
    [
        ("lt", 0, 4, 1), ("lt", 5, 9, 0), ("lt", 4, 5, None),
        ("le", 0, 5, 1), ("le", 6, 9, 0), ("le", 5, 6, None),
        ("gt", 6, 9, 1), ("gt", 0, 5, 0), ("gt", 5, 6, None),
        ("ge", 5, 9, 1), ("ge", 0, 4, 0), ("ge", 4, 5, None),
        ("eq", 0, 4, 0), ("eq", 6, 9, 0), ("eq", 5, 5, None),
        ("ne", 0, 4, 1), ("ne", 6, 9, 1), ("ne", 4, 6, None),
    ],
)  # fmt: skip
def test_ranges_decide_comparisons_with_five(function: str, low: int, high: int, value: int | None) -> None:
    made = folded(call(function, field(low, high), integer(5)))
    assert (made.value if isinstance(made, Literal) else None) == value
    nullable = call(function, field(low, high, nullable=True), integer(5))
    assert folded(nullable) is nullable


def test_what_always_holds_is_dropped_and_what_never_does_stays() -> None:
    plan = fold_constants(to_plan("SELECT pay FROM jobs WHERE pay < 100 AND (pay > 3 OR 1 = 1)", CATALOG), CATALOG)
    assert not any(isinstance(one, Filter) for one in walk(plan))
    never = fold_constants(to_plan("SELECT pay FROM jobs WHERE pay > 99 AND since > DATE '1970-01-01'", CATALOG), CATALOG)
    (only,) = [one for one in walk(never) if isinstance(one, Filter)]
    assert interpret(never, HELD).rows == 0 and isinstance(only, Filter)
    assert placed("SELECT pay, pay > 200 AS never FROM jobs WHERE pay < 5 OR pay > 150").fields[1].type.kind == "bool"
