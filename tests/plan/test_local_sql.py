"""What an owner is asked to run: SQL that a person can read, and that computes exactly what the plan means."""

from __future__ import annotations

from accord.data.publics import PublicTable, load_public
from accord.data.read import connect
from accord.data.schema import ColumnSchema
from accord.frame.oracle import local_field
from accord.plan.interpret import Table, interpret
from accord.plan.local_sql import local_sql
from accord.plan.nodes import Aggregate, Concatenate, Field, Join, Limit, Node, Project, Scan, Sort
from accord.plan.types import DECIMAL, INT, Type
from accord.plan.typing import cast, column, integer
from accord.testing.three_ways import answer

PRICE = Field("price", Type.of(ColumnSchema("price", "decimal", -999, 999, scale=3)))
NUMBER = Field("n", Type(INT, 0, 9))
SCAN = Scan("goods", (PRICE, NUMBER))
ROWS = Table.of(("price", "n"), [(price, at % 3) for at, price in enumerate((-999, -450, -449, -45, 0, 44, 45, 449, 450, 995, 999))])


def agree(node: Node) -> list[tuple]:
    with connect() as connection:
        load_public(connection, "goods", PublicTable(tuple(map(local_field, SCAN.fields)), tuple(ROWS.tuples())))
        found = answer(connection, local_sql(node), node).tuples()
    plain = interpret(node, {"goods": {"a": ROWS}}).tuples()
    assert sorted(plain) == sorted(found)
    return found


def test_a_decimal_is_cast_twice() -> None:
    """To two digits, then to one: what is rounded twice is not what is rounded once."""
    twice = cast(cast(column(PRICE), Type(DECIMAL, scale=2)), Type(DECIMAL, scale=1))
    once = cast(column(PRICE), Type(DECIMAL, scale=1))
    assert agree(Project(SCAN, (("made", twice),))) != agree(Project(SCAN, (("made", once),)))


def test_a_constant_group_key_is_no_place_in_the_list() -> None:
    """GROUP BY 2 would mean the second column."""
    node = Aggregate(Project(SCAN, (("two", integer(2)), ("n", column(NUMBER)))), ("two", "n"), ())
    assert agree(node) and "GROUP BY\n  2" not in local_sql(node)


def test_a_union_names_its_columns_in_one_order() -> None:
    first = Project(SCAN, (("a", column(NUMBER)), ("b", column(PRICE))))
    second = Project(SCAN, (("b", column(PRICE)), ("a", column(NUMBER))))
    agree(Concatenate((first, first)))
    assert "UNION ALL" in local_sql(Concatenate((first, second)))


def test_what_a_person_reads() -> None:
    """One SELECT where one is enough; EXISTS for a semi join; the order before the limit."""
    other = Project(Scan("goods", (NUMBER,)), (("m", column(NUMBER)),))
    chosen = Join(SCAN, other, "semi", (("n", "m"),))
    node = Limit(Sort(chosen, (("price", True),)), 2)
    assert " ".join(local_sql(node).split()) == (
        "SELECT goods.price, goods.n FROM goods WHERE EXISTS( SELECT 1 AS no_column FROM goods AS goods_2 WHERE goods.n = goods_2.n ) "
        "ORDER BY goods.price DESC LIMIT 2"
    )
