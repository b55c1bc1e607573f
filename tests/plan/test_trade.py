"""The trade reconciliation as SQL: planned at its real size, answered three ways at a small one."""

from __future__ import annotations

import pytest

from accord.data.encode import encode
from accord.data.publics import PublicTable, load_public
from accord.data.read import connect
from accord.frame.oracle import local_field, run_clear
from accord.frame.sql import to_plan
from accord.plan.evaluate import Plain
from accord.plan.facts import walk
from accord.plan.interpret import Table, interpret
from accord.plan.nodes import Field, Input, Public
from accord.plan.place import place
from accord.plan.types import Type
from tests.plan.trade import QUESTIONS, catalog, rows

SMALL = (6, 2, 10**5)


def owners_steps(placed, declared, held):
    """Every input by DuckDB at its owner."""
    tables = {}
    for node in (one for one in walk(placed) if isinstance(one, Input)):
        with connect() as connection:
            columns = tuple(local_field(Field(one.name, Type.of(one))) for one in declared.tables["trade"].schema.columns)
            load_public(connection, "trade", PublicTable(columns, tuple(held["trade"][node.owner].tuples())))
            for name, one in declared.publics.items():
                load_public(connection, name, PublicTable(tuple(map(local_field, one.fields)), one.rows))
            relation = encode(connection, node.name, node.sql, tuple(map(local_field, node.columns)))
        tables[node.name] = Table(
            {one.name: Plain(relation.values[one.name], relation.nulls[one.name]) for one in node.columns}, relation.rows
        )
    return tables


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_three_ways(name: str) -> None:
    declared, held = catalog(*SMALL), rows(*SMALL, seed=7)
    plan = to_plan(QUESTIONS[name], declared)
    placed = place(plan, declared)
    names = tuple(one.name for one in plan.fields)
    clear = run_clear(QUESTIONS[name], declared, held).tuples(names)
    order = list if "ORDER BY" in QUESTIONS[name] else sorted
    assert (
        order(clear)
        == order(interpret(plan, held).tuples(names))
        == order(interpret(placed, inputs=owners_steps(placed, declared, held)).tuples(names))
    )
    assert len(set(clear)) >= 3, "the data reach several outcomes"


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_real_size(name: str) -> None:
    """Twelve ordered pairs, 130 commodities, 13 years: one public grid, eight inputs of one exporter's or importer's cells."""
    declared = catalog()
    placed = place(to_plan(QUESTIONS[name], declared), declared)
    steps = list(walk(placed))
    assert [len(one.rows) for one in steps if isinstance(one, Public)] == [12 * 130 * 13]
    inputs = [one for one in steps if isinstance(one, Input)]
    assert len(inputs) == 8 and {(one.rows, one.slots) for one in inputs} == {(4 * 130 * 13, 1)}
    assert {one.owner: sum(two.owner == one.owner for two in inputs) for one in inputs} == dict.fromkeys(("usa", "nld", "ita", "gbr"), 2)
    for one in inputs:
        secret = [field for field in one.columns if not field.public]
        assert [(field.name, field.type.high) for field in secret] in ([("x", 10**12)], [("m_cif", 10**12)])
        assert sorted(len(values) for _, values in one.keys) == [1, 4, 13, 130]


def test_a_declared_unique_key_bounds_the_sum() -> None:
    """A cell has one report, so that SUM is at most one value; without the key the same question is refused."""
    from dataclasses import replace

    from accord.base.errors import Refused

    declared = catalog()
    info = declared.tables["trade"]
    loose = replace(declared, tables={"trade": replace(info, schema=replace(info.schema, unique=()))})
    with pytest.raises(Refused, match=r"a value could reach 20000000000000000000 .*LEAST"):
        to_plan(QUESTIONS["classes"], loose)
    bounded = QUESTIONS["classes"].replace("SUM(t.value_usd)", "LEAST(SUM(t.value_usd), 1000000000000)")
    with pytest.raises(Refused, match="a value could reach"):
        to_plan(bounded, loose)
    to_plan(bounded.replace("SUM(value_usd)", "LEAST(MAX(value_usd), 1000000000000)"), loose)
