"""The cost foretold of steps on secret rows is the one measured, whether the rows are one block or several."""

from __future__ import annotations

import numpy as np
import pytest

from accord.mpc.cost import Cost
from accord.plan.evaluate import Plain
from accord.plan.interpret import Table
from accord.plan.lower import cost
from accord.plan.nodes import Aggregate, Input, Join, Node, Sort
from tests.plan.lowering import run
from tests.plan.secret_rows import held
from tests.plan.test_secure_group import calls


def filled(node: Input) -> Table:
    chance = np.random.default_rng(1)
    columns = {
        one.name: Plain(
            chance.integers(one.type.low, one.type.high + 1, node.rows),
            chance.random(node.rows) < 0.2 if one.type.nullable else np.zeros(node.rows, np.bool_),
        )
        for one in node.columns
    }
    return Table(columns, node.rows)


def steps(rows: int) -> dict[str, Node]:
    left, right = held("a", rows=rows), held("b", "b_", rows // 4)
    return {
        "group": Aggregate(left, ("id", "key"), calls(left, ("sum", "price"), ("count", None))),
        "least": Aggregate(left, ("id",), calls(left, ("min", "price"), ("max", "x"))),
        "sort": Sort(left, (("x", False),)),
        "semi": Join(left, right, "semi", (("day", "b_day"),)),
    }


@pytest.mark.parametrize(("name", "rows"), [("group", 1_500), ("least", 1_500), ("sort", 1_500), ("semi", 1_500), ("semi", 40_000)])
def test_foretold_is_measured(name: str, rows: int) -> None:
    node = steps(rows)[name]
    tables = {"a": filled(held("a", rows=rows)), "b": filled(held("b", "b_", rows // 4))}
    _, outcome = run(node, tables)
    foretold, measured = cost(node), Cost(outcome.rounds, outcome.bytes_sent)
    assert foretold.bytes == measured.bytes
    assert abs(foretold.rounds - measured.rounds) <= 0.02 * measured.rounds
