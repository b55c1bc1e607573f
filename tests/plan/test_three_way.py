"""clear = rewritten = secure: random questions over random tables, each answered by DuckDB, by every stage of the plan, and on shares.

The first seed is ACCORD_SEED (0 where it is not set). Repeat one question with: python -m tests.plan.test_three_way SEED
"""

from __future__ import annotations

import os
import random
import sys

import numpy as np
import pytest

from accord.testing.harness import Failed, Tally, ask, ask_traffic, fewer_rows
from accord.testing.queries import Combined, Queries, Select, shrunk
from accord.testing.tables import random_world

FIRST = int(os.environ.get("ACCORD_SEED", "0"))
BLOCK, BLOCKS, BLOCKS_SLOW = 20, 10, 105
ANSWERED_SHARE_MIN = 0.9


def run(first: int, count: int) -> Tally:
    tally = Tally()
    for seed in range(first, first + count):
        ask(seed, random.Random, tally)
    return tally


def check(block: int, record_property) -> None:
    """Fails where too few questions have an answer; the tally is added up at the end of the tests."""
    tally = run(FIRST + block * BLOCK, BLOCK)
    record_property("questions", tally.json())
    assert tally.answered >= ANSWERED_SHARE_MIN * tally.asked, str(tally)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_questions(block: int, record_property) -> None:
    check(block, record_property)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(BLOCKS, BLOCKS_SLOW))
def test_many_random_questions(block: int, record_property) -> None:
    check(block, record_property)


def same_traffic(seeds: range) -> None:
    assert sum(ask_traffic(seed, random.Random) > 0 for seed in seeds) > len(seeds) // 2


def test_messages_tell_nothing_of_the_rows() -> None:
    """Of random plans: the same messages whatever the rows are, as many and as long as foretold."""
    same_traffic(range(FIRST, FIRST + 15))


@pytest.mark.slow
def test_messages_of_many_plans_tell_nothing_of_the_rows() -> None:
    same_traffic(range(FIRST + 15, FIRST + 300))


def test_every_construct_is_asked() -> None:
    """Two hundred questions leave out hardly a construct that the generator knows."""
    queries = [Queries(random.Random(f"query {seed}")) for seed in range(FIRST, FIRST + BLOCK * BLOCKS)]
    for one in queries:
        one.query()
    often = {name for one in queries for name, count in one.counts.items() if count and name}
    rest = {name for seed in range(2_000) for name in _constructs(seed)}
    assert len(rest - often) <= 3, sorted(rest - often)
    assert len(rest) > 70


def _constructs(seed: int) -> set[str]:
    queries = Queries(random.Random(f"other {seed}"))
    queries.query()
    return {name for name, count in queries.counts.items() if count and name}


def test_a_failing_question_is_made_small() -> None:
    long = Select(("a.person AS c0", "b.pay AS c1"), "people AS a", ("JOIN jobs AS b ON a.person = b.person",), ("a.income > 3", "b.full"))
    assert shrunk(long, lambda one: "b.full" in one.sql) == Select(("b.pay AS c1",), "people AS a", (), ("b.full",))
    both = Combined(long, long, "UNION")
    assert shrunk(both, lambda one: "pay" in one.sql).sql == "SELECT b.pay AS c1 FROM people AS a"


def test_rows_that_do_not_matter_are_left_out() -> None:
    world = random_world(random.Random("rows"))
    smaller = fewer_rows(world, lambda one: one.held["jobs"]["bert"].rows >= 1)
    assert {(name, owner): table.rows for name, held in smaller.held.items() for owner, table in held.items() if table.rows} == {
        ("jobs", "bert"): 1
    }


def test_a_wrong_answer_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that loses a row of each join is found, and told by a question with one join and few rows."""
    from accord.plan import interpret as plain
    from accord.plan.interpret_join import join
    from accord.plan.nodes import Join

    monkeypatch.setitem(plain._STEPS, Join, lambda node, left, right: _without_last(join(node, left, right)))
    with pytest.raises(Failed, match=r"(?s)seed \d+: Differs.*only the first has") as failed:
        run(FIRST, BLOCK * 5)
    assert str(failed.value).count(" JOIN ") + str(failed.value).count("SELECT") <= 6


def _without_last(table):
    return table.take(np.arange(max(table.rows - 1, 0)))


if __name__ == "__main__":
    print(run(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
