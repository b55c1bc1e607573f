"""Every construct, in the forms that go wrong: the plan run plainly gives DuckDB's answer to the same SQL, on rows with NULLs and ties."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from accord.data.read import connect
from accord.frame.oracle import answered, load_pooled
from accord.frame.sql import to_plan
from accord.plan.interpret import interpret
from accord.plan.nodes import Limit, Node, Project, Sort
from tests.plan.worlds import CATALOG, world

LINES = (Path(__file__).parent / "fixtures" / "constructs.txt").read_text(encoding="utf-8").splitlines()
QUESTIONS = [line for line in LINES if line.startswith(("SELECT", "WITH", "(SELECT"))]
SEEDS = range(4)


@lru_cache(maxsize=len(SEEDS))
def pooled(seed: int) -> Any:
    connection = connect()
    load_pooled(connection, CATALOG, world(seed))
    return connection


def is_ordered(node: Node) -> bool:
    """Whether the question says an order; those above say it down to rows that are equal."""
    return is_ordered(node.input) if isinstance(node, Project) else isinstance(node, Sort | Limit)


@pytest.mark.parametrize("sql", QUESTIONS, ids=lambda sql: sql[:95])
def test_the_plan_gives_duckdbs_answer(sql: str) -> None:
    plan = to_plan(sql, CATALOG)
    names = tuple(one.name for one in plan.fields)
    for seed in SEEDS:
        clear, plain = answered(pooled(seed), sql, CATALOG, {}).tuples(names), interpret(plan, world(seed)).tuples(names)
        assert Counter(clear) == Counter(plain), (
            f"seed {seed}: DuckDB {Counter(clear) - Counter(plain)}, plan {Counter(plain) - Counter(clear)}"
        )
        assert not is_ordered(plan) or clear == plain
