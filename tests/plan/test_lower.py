"""clear = secure: questions answered by DuckDB on plain rows and by three servers on shares; and the cost foretold is the one measured."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.frame.oracle import run_clear
from accord.frame.sql import to_plan
from accord.mpc.cost import Cost
from accord.mpc.party import LAN
from accord.plan.evaluate import MEANINGS as PLAIN_MEANINGS
from accord.plan.expression import LOCAL_FUNCTIONS
from accord.plan.facts import walk, with_inputs
from accord.plan.interpret import Table, interpret
from accord.plan.lower import cost, execute_all, node_costs, stand_ins
from accord.plan.nodes import Input, Node, Scan
from accord.plan.place import place, require_placed
from accord.plan.rewrite import expressions_of, functions_of
from accord.plan.secure_calls import count
from accord.plan.secure_expression import MEANINGS
from tests.plan.lowering import run
from tests.plan.worlds import (
    CATALOG,
    REGIONS,
    combined_questions,
    examples,
    grouped_questions,
    input_table,
    row_questions,
    world,
)

SLOTS = 12
MANY = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


# ---- everything on shares: owners share whole rows, and only the region is public


def all_secret(node: Node) -> Node:
    """The plan over inputs that hold the tables as they are, so that nothing is left to owners."""
    if isinstance(node, Scan):
        columns = tuple(replace(field, public=field.name == "region") for field in node.columns)
        return Input(node.table, "all", "", (("region", tuple(range(len(REGIONS)))),), SLOTS, columns)
    return with_inputs(node, tuple(map(all_secret, node.inputs))) if node.inputs else node


def extreme_rows(seed: int) -> Table:
    """Rows of `sales` with ends of ranges, zeros, ties and NULLs; some regions are empty."""
    chance, (names, fields) = random.Random(seed), sales_fields()
    rows = []
    for region in range(len(REGIONS)):
        for _ in range(chance.choice((0, 1, SLOTS))):
            row = []
            for field in fields:
                low, high = field.type.low, field.type.high
                value = chance.choice((low, high, min(max(low, 0), high), chance.randint(low, high)))
                null = field.type.nullable and chance.random() < 0.3
                row.append(region if field.name == "region" else None if null else value)
            rows.append(tuple(row))
    return Table.of(names, rows)


def sales_fields():
    fields = to_plan("SELECT * FROM sales", CATALOG).fields
    return tuple(field.name for field in fields), fields


def agree_on_shares(sql: str, seed: int) -> Cost:
    plan = all_secret(to_plan(sql, CATALOG))
    require_placed(plan)
    foretold = cost(plan)
    rows = extreme_rows(seed)
    inputs = {one.name: rows for one in walk(plan) if isinstance(one, Input)}
    clear = run_clear(sql, CATALOG, {"sales": {"a": rows, "b": rows.take(NONE), "c": rows.take(NONE)}} | others())
    secure, outcome = run(plan, inputs, seed)
    names = tuple(field.name for field in plan.fields)
    wanted, got = Counter(clear.tuples(names)), Counter(secure.tuples(names))
    assert wanted == got, f"{sql}, seed {seed}\nDuckDB {wanted - got}, shares {got - wanted}"
    assert foretold == Cost(outcome.rounds, outcome.bytes_sent), f"{sql}: foretold and measured cost"
    return foretold


NONE = np.zeros(0, np.intp)


def others():
    held = world(0)
    return {name: held[name] for name in ("staff", "shipped")}


FUNCTIONS = {
    "add": "amount + price",
    "subtract": "n - amount",
    "multiply": "amount * price",
    "negate": "-amount",
    "abs": "ABS(amount), ABS(price)",
    "divide": "amount / price, price / amount, amount / n, ROUND(amount / 8, 0), ROUND(amount / 7, 2), 100 / amount, amount / (-6)",
    "floor_divide": "n // 2, (n + 7) // 3, GREATEST(amount, 0) // n, 100 // n, n // 0",
    "round": "ROUND(price, 1), ROUND(amount * price, 0), ROUND(price / 3, 1)",
    "eq": "amount = n, kind = 'x', ok = (n > 1), price = 12.5, amount = 1000",
    "ne": "amount <> n, kind <> 'x', day <> DATE '2024-01-01', ok <> (n > 1)",
    "lt": "amount < price, price < -1, amount < 3, n < 100",
    "le": "amount <= n, price <= amount, amount <= -50",
    "gt": "amount > price, amount > 100, day > DATE '2024-01-02'",
    "ge": "amount >= n, price >= 0.5, amount >= -50",
    "and": "amount > 3 AND ok, ok AND n = 1 AND amount < 50 AND kind = 'y', ok AND NULL",
    "or": "amount > 3 OR ok, ok OR n = 1 OR kind = 'y', ok OR NULL",
    "not": "NOT ok, NOT (amount > 3)",
    "is_null": "amount IS NULL, ok IS NULL, (amount > price) IS NULL, kind IS NOT NULL, (amount / n) IS NULL",
    "case": """CASE WHEN amount > 3 THEN n WHEN ok THEN price ELSE amount END, CASE kind WHEN 'x' THEN 'a' WHEN 'y' THEN 'b' ELSE 'c' END,
        CASE WHEN ok THEN amount > 3 WHEN n = 1 THEN ok END, CASE WHEN n = 0 THEN 1 WHEN n = 1 THEN 2 WHEN n = 2 THEN 3 END""",
    "coalesce": "COALESCE(amount, n), COALESCE(amount, amount / n, price), COALESCE(ok, n > 1), COALESCE(kind, 'z')",
    "least": "LEAST(amount, price), LEAST(amount, 3, n), LEAST(amount, amount / n)",
    "greatest": "GREATEST(amount, price), GREATEST(amount, -3), GREATEST(amount, amount / n, n)",
    "cast": "CAST(price AS BIGINT), CAST(ok AS BIGINT), CAST(amount AS BOOLEAN), CAST(amount AS DECIMAL(12, 2)), COALESCE(kind, region)",
}


OF_SUMS = {"units": "STDDEV(price)", "root": "STDDEV_POP(n)", "correlation": "CORR(amount, n)"}


def test_every_function_has_a_secure_form_and_a_test():
    assert {*FUNCTIONS, *OF_SUMS} == set(MEANINGS) == set(PLAIN_MEANINGS) - LOCAL_FUNCTIONS
    assert set(PLAIN_MEANINGS) >= LOCAL_FUNCTIONS


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions(function):
    names = ", ".join(f"{one} AS c{at}" for at, one in enumerate(split(FUNCTIONS[function])))
    for seed in (0, 1):
        agree_on_shares(f"SELECT {names} FROM sales", seed)


@pytest.mark.parametrize("function", OF_SUMS)
def test_functions_of_sums(function):
    sql = f"SELECT region, {OF_SUMS[function]} AS c FROM sales GROUP BY region"
    assert any(function in functions_of(one) for below in walk(to_plan(sql, CATALOG)) for one in expressions_of(below))
    agree_on_shares(sql, 0)


def split(listed: str) -> list[str]:
    """At the commas outside parentheses."""
    parts, depth = [""], 0
    for letter in listed:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


AGGREGATES = (
    "SUM(amount), SUM(price), SUM(amount * n), SUM(n + 1), SUM(3), SUM((n + 1) * (price + 1)), SUM(amount) FILTER (WHERE ok)",
    "COUNT(*), COUNT(amount), COUNT(ok), COUNT(*) FILTER (WHERE amount > price), COUNT(DISTINCT region)",
    "MIN(amount), MAX(amount), MIN(price), MAX(n), MIN(day), MAX(amount - price), MIN(amount) FILTER (WHERE n = 2)",
    "AVG(amount), AVG(price), AVG(n), AVG(amount) FILTER (WHERE kind = 'x')",
)


@pytest.mark.parametrize("chosen", AGGREGATES)
@pytest.mark.parametrize("keys", ["", "region"])
def test_aggregates(chosen, keys):
    names = ", ".join(f"{one} AS c{at}" for at, one in enumerate(split(chosen)))
    for seed, where in enumerate(("", " WHERE amount > 3", " WHERE price < -1")):
        agree_on_shares(
            f"SELECT {f'{keys}, ' if keys else ''}{names} FROM sales{where}{f' GROUP BY {keys} ORDER BY {keys}' if keys else ''}", seed
        )


def check(sql: str, seed: int) -> None:
    try:
        agree_on_shares(sql, seed)
    except Refused:
        assume(False)


@MANY
@given(sql=row_questions(), seed=st.integers(0, 99))
def test_random_rows(sql, seed):
    check(sql, seed)


@MANY
@given(sql=grouped_questions(), seed=st.integers(0, 99))
def test_random_groups(sql, seed):
    check(sql, seed)


# ---- placed plans: owners do their part first


def agree_when_placed(sql: str, seed: int) -> None:
    plan = place(to_plan(sql, CATALOG), CATALOG)
    inputs = {node.name: input_table(node, seed) for node in walk(plan) if isinstance(node, Input)}
    foretold = cost(plan)
    secure, outcome = run(plan, inputs, seed)
    names = tuple(field.name for field in plan.fields)
    clear = run_clear(sql, CATALOG, world(seed))
    assert Counter(clear.tuples(names)) == Counter(secure.tuples(names)), f"{sql}, seed {seed}"
    assert interpret(plan, inputs=inputs).rows == secure.rows
    assert foretold == Cost(outcome.rounds, outcome.bytes_sent)


@pytest.mark.parametrize("sql", list(examples()))
def test_examples(sql):
    agree_when_placed(sql, 1)


@MANY
@given(sql=combined_questions(), seed=st.integers(0, 5))
def test_random_placed_plans(sql, seed):
    try:
        agree_when_placed(sql, seed)
    except Refused:
        assume(False)


# ---- cost and traffic

WORK = (
    "SELECT region, SUM(amount * n) AS s, MAX(price) AS m, AVG(amount) AS a FROM sales WHERE amount / 3 > n OR kind = 'x' GROUP BY region"
)


def test_blocks_change_neither_result_nor_prediction():
    plan = all_secret(to_plan("SELECT amount / n AS q, GREATEST(amount, price) AS g, ok AND amount > 3 AS b FROM sales", CATALOG))
    rows = extreme_rows(5)
    wide = replace(next(one for one in walk(plan) if isinstance(one, Input)), slots=200)
    plan = with_inputs(plan, (wide,))
    whole, outcome = run(plan, {"sales": rows})
    small = replace(LAN, block_rows=64, blocks_in_flight=3)
    blocks, split_outcome = run(plan, {"sales": rows}, profile=small)
    assert rows.rows and whole.tuples() == blocks.tuples() == interpret(plan, inputs={"sales": rows}).tuples()
    assert cost(plan) == Cost(outcome.rounds, outcome.bytes_sent)
    assert cost(plan, small) == Cost(split_outcome.rounds, split_outcome.bytes_sent)
    assert split_outcome.bytes_sent - outcome.bytes_sent < outcome.bytes_sent // 100, "blocks cost rounds, not bytes"


def test_traffic_has_one_shape_whatever_the_data_are():
    plan = all_secret(to_plan(WORK, CATALOG))
    shapes = []
    for seed in range(4):
        _, outcome = run(plan, {"sales": extreme_rows(seed)}, keep=True)
        shapes.append([[(line.sender, line.receiver, line.path, line.nbytes) for line in one.lines] for one in outcome.traffic])
    assert shapes[0][0] and all(one == shapes[0] for one in shapes)


def test_public_work_costs_nothing():
    assert cost(place(to_plan("SELECT region, rank * 7 / 3 AS r FROM area WHERE rank > 1 ORDER BY region DESC", CATALOG), CATALOG)) == Cost(
        0, 0
    )
    for free in ("price + 3 * n", "-amount", "CAST(amount AS DECIMAL(9, 2))", "n < 100", "NOT ok", "ok IS NULL", "amount IS NULL"):
        assert foretold(f"SELECT {free} AS c FROM sales") == Cost(0, 0), free


def foretold(sql: str) -> Cost:
    return cost(all_secret(to_plan(sql, CATALOG)))


def test_a_comparison_costs_what_its_range_needs():
    assert foretold("SELECT n < 2 AS c FROM sales").bytes * 4 < foretold("SELECT amount * amount * amount < n AS c FROM sales").bytes


def test_sums_of_what_owners_padded_cost_nothing_and_others_one_number_a_group():
    assert foretold("SELECT region, SUM(n) AS s FROM sales GROUP BY region").bytes == valid_groups_bytes()
    dots = foretold("SELECT region, SUM(n + 1) AS s FROM sales GROUP BY region").bytes - valid_groups_bytes()
    assert dots == 3 * 8 * len(REGIONS) * SLOTS + 3 * 8 * len(REGIONS), "valid as numbers, and one dot product a group"


def valid_groups_bytes() -> int:
    """What it costs to know which groups have a row: a tournament of ORs over 36, 18, … bits, each in whole words."""
    return foretold("SELECT region FROM sales GROUP BY region").bytes


def test_equal_subtrees_run_once_and_independent_ones_share_rounds():
    one = all_secret(to_plan(WORK, CATALOG))
    twin = all_secret(to_plan(WORK, CATALOG))
    other = all_secret(to_plan(WORK.replace("n OR", "price OR"), CATALOG))
    assert one == twin and one is not twin
    alone, both, apart = (
        count(lambda me, nodes=nodes: execute_all(me, nodes, stand_ins(nodes)))[1] for nodes in ((one,), (one, twin), (one, other))
    )
    assert both == alone
    assert apart.rounds == max(alone.rounds, cost(other).rounds) and apart.bytes == alone.bytes + cost(other).bytes


def test_the_nodes_costs_add_up_to_the_plans_bytes():
    plan = all_secret(to_plan(WORK, CATALOG))
    steps = node_costs((plan,))
    assert sum(one.cost.bytes for one in steps) == cost(plan).bytes
    assert isinstance(steps[0].node, Input)
    assert steps[-1].rows == len(REGIONS)
