"""The largest contributions to sums: plainly, placed, on shares, and counted by hand from the rows; what a rule cannot be told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from accord.base.errors import OurFault, Refused
from accord.frame.sql import to_plan
from accord.mpc.cost import Cost
from accord.plan.expression import AggregateCall
from accord.plan.facts import walk
from accord.plan.interpret import interpret
from accord.plan.largest import Contributions, largest, with_largest
from accord.plan.lower import cost
from accord.plan.nodes import Aggregate, Input, Node
from accord.plan.outline import outline
from accord.plan.place import place
from accord.plan.typing import call, column
from tests.plan.lowering import run
from tests.plan.secret_rows import assert_same_rows, chosen, held
from tests.plan.worlds import CATALOG, input_table, world

SEEDS = (1, 2, 5)
RANKS = 3
Row = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """A question; the column that is judged; what it sums of each row of its table, and by which columns."""

    sql: str
    table: str
    keys: tuple[str, ...]
    value: Callable[[Row], int | None]
    unit: str = ""
    is_there: Callable[[Row], bool] = lambda row: True


def amount(row: Row) -> int | None:
    return row["amount"]


def price(row: Row) -> int:
    return row["price"]


AREA = "SELECT a.region, COALESCE(s, 0) AS s FROM area a LEFT JOIN ({}) b USING (region)"
BY_AMOUNT = "SELECT region, SUM(amount) AS s FROM sales GROUP BY region"
BY_REGION = "SELECT region, SUM(price) AS s FROM sales WHERE n > 1 GROUP BY region"
QUESTIONS = {
    "public groups of several owners": Question(
        "SELECT region, SUM(pay) AS s, COUNT(*) AS c FROM staff GROUP BY region", "staff", ("region",), lambda row: row["pay"]
    ),
    "contributions that may be negative": Question(BY_AMOUNT, "sales", ("region",), amount),
    "some rows, in order": Question(f"{BY_REGION} ORDER BY s", "sales", ("region",), price, is_there=lambda row: row["n"] > 1),
    "all rows": Question("SELECT SUM(amount) AS s FROM sales", "sales", (), amount),
    "a key that may be NULL": Question("SELECT kind, SUM(amount) AS s, MAX(n) AS m FROM sales GROUP BY kind", "sales", ("kind",), amount),
    "a secret key": Question("SELECT pay, SUM(grade) AS s FROM staff GROUP BY pay", "staff", ("pay",), lambda row: row["grade"]),
    "groups of one owner each": Question(
        "SELECT shop, region, SUM(price) AS s FROM sales GROUP BY 1, 2", "sales", ("shop", "region"), price
    ),
    "a public grid": Question(AREA.format(BY_REGION), "sales", ("region",), price, is_there=lambda row: row["n"] > 1),
    "beside a count of different owners": Question(
        "SELECT region, SUM(amount) AS s, COUNT(DISTINCT shop) AS k FROM sales GROUP BY region", "sales", ("region",), amount
    ),
    "beside a count of different values": Question(
        "SELECT region, SUM(pay) AS s, COUNT(DISTINCT grade) AS k FROM staff GROUP BY region", "staff", ("region",), lambda row: row["pay"]
    ),
    "by a unit": Question(
        "SELECT region, SUM(amount) AS s, COUNT(*) AS c, AVG(price) AS p FROM sales GROUP BY region", "sales", ("region",), amount, "n"
    ),
    "by a unit that may be NULL": Question(BY_AMOUNT, "sales", ("region",), amount, "kind"),
    "by owners": Question(
        "SELECT region, SUM(amount) AS s, COUNT(DISTINCT shop) AS k FROM sales GROUP BY region", "sales", ("region",), amount, "shop"
    ),
    "by a unit, beside its count": Question(
        "SELECT region, SUM(price) AS s, COUNT(DISTINCT day) AS k, MIN(n) AS m FROM sales GROUP BY region",
        "sales",
        ("region",),
        price,
        "day",
    ),
}


def asked(question: Question) -> tuple[Node, Contributions]:
    wanted = Contributions(("first", "second", "third"), "sizes", question.unit)
    return with_largest(to_plan(question.sql, CATALOG), "s", wanted, CATALOG), wanted


def by_hand(question: Question, seed: int) -> dict[tuple[Any, ...], list[int]]:
    """For each group the sizes of its contributions, the largest first."""
    groups: dict[Any, dict[Any, list[int]]] = defaultdict(lambda: defaultdict(list))
    for owner, table in world(seed)[question.table].items():
        names = tuple(table.columns)
        for at, values in enumerate(table.tuples(names)):
            row = dict(zip(names, values, strict=True))
            if question.is_there(row):
                value = question.value(row)
                who = row[question.unit] if question.unit else (owner, at)
                groups[tuple(row[key] for key in question.keys)][who] += [] if value is None else [value]
    return {key: sorted((abs(sum(one)) for one in units.values() if one), reverse=True) for key, units in groups.items()}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_every_way_tells_the_contributions(name: str, seed: int) -> None:
    question = QUESTIONS[name]
    plan, wanted = asked(question)
    placed = place(plan, CATALOG)
    inputs = {node.name: input_table(node, seed) for node in walk(placed) if isinstance(node, Input)}
    secure, outcome = run(placed, inputs, seed)
    assert cost(placed) == Cost(outcome.rounds, outcome.bytes_sent)
    expected, names = by_hand(question, seed), tuple(one.name for one in plan.fields)
    answers = [interpret(plan, world(seed)), interpret(placed, inputs=inputs), secure]
    assert len({tuple(sorted(one.tuples(names), key=repr)) for one in answers}) == 1
    for row in answers[0].tuples((*question.keys, *wanted.ranks, wanted.total)):
        *largest_ones, total = ([0 if one is None else one for one in row])[len(question.keys) :]
        sizes = expected.get(row[: len(question.keys)], [])
        assert largest_ones == [*sizes, *[0] * RANKS][:RANKS], f"seed {seed}"
        assert total == sum(sizes)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_question_stays_as_it_was(name: str) -> None:
    """Its own columns come first, as they were, and with their values; which of them are public too."""
    question = QUESTIONS[name]
    before, (after, _) = to_plan(question.sql, CATALOG), asked(question)
    own = tuple(one.name for one in before.fields)
    assert after.fields[: len(own)] == before.fields
    values = [sorted(interpret(plan, world(2)).tuples(own), key=repr) for plan in (before, after)]
    assert values[0] == values[1]
    if not question.unit:
        layouts = [[one.public for one in place(plan, CATALOG).fields[: len(own)]] for plan in (before, after)]
        assert layouts[0] == layouts[1], "the layout that was public stays public"


def test_owners_send_their_largest_and_not_their_rows() -> None:
    placed = place(asked(QUESTIONS["public groups of several owners"])[0], CATALOG)
    inputs = [one for one in walk(placed) if isinstance(one, Input)]
    assert [(one.slots, [name for name, _ in one.keys]) for one in inputs] == [(1, ["region"])] * 2
    assert "MAX(staff.pay, 2)" in inputs[0].sql and "LARGEST(LIST(" in outline(placed)


def test_a_second_rule_finds_what_the_first_added() -> None:
    plan, wanted = asked(QUESTIONS["some rows, in order"])
    assert with_largest(plan, "s", wanted, CATALOG) == plan
    more = with_largest(plan, "s", Contributions((*wanted.ranks, "fourth"), "sizes"), CATALOG)
    assert [one.name for one in more.fields] == [*(one.name for one in plan.fields), "fourth"]
    unit, wanted = asked(QUESTIONS["by a unit"])
    assert with_largest(unit, "s", wanted, CATALOG) == unit


def test_rows_and_units_beside_each_other() -> None:
    """A rule about units, and then one about rows."""
    question = QUESTIONS["by a unit"]
    plan, _ = asked(question)
    both = with_largest(plan, "s", Contributions(("one", "two"), "by_rows"), CATALOG)
    rows = Question(question.sql, "sales", ("region",), amount)
    for seed in SEEDS:
        placed = place(both, CATALOG)
        inputs = {node.name: input_table(node, seed) for node in walk(placed) if isinstance(node, Input)}
        secure, _ = run(placed, inputs, seed)
        for key, one, two, total in secure.tuples(("region", "one", "two", "by_rows")):
            sizes = [*by_hand(rows, seed)[(key,)], 0, 0]
            assert (one, two, total or 0) == (sizes[0], sizes[1], sum(sizes))


@pytest.mark.parametrize("seed", (0, 1, 3, 4))
@pytest.mark.parametrize("keys", [("key",), ("group", "day"), ()], ids=("key", "group-day", "all"))
def test_secret_groups_with_ties_and_extremes(keys: tuple[str, ...], seed: int) -> None:
    node = chosen(held("a")) if seed % 2 else held("a")
    sizes = call("abs", column(node.field("x")))
    calls = [("m", AggregateCall("max", sizes, sizes.type.as_nullable()))]
    calls += [(f"x{rank}", largest(sizes, rank)) for rank in range(1, 5)]
    calls += [(f"p{rank}", largest(column(node.field("price")), rank)) for rank in (1, 2)]
    assert_same_rows(Aggregate(node, keys, tuple(calls)), seed)


@pytest.mark.parametrize(
    ("sql", "name", "unit", "words"),
    [
        ("SELECT region, AVG(amount) AS s FROM sales GROUP BY region", "s", "", "which is no SUM of rows"),
        ("SELECT region, SUM(amount) * 2 AS s FROM sales GROUP BY region", "s", "", "which is no SUM of rows"),
        ("SELECT region, MAX(amount) AS s FROM sales GROUP BY region", "s", "", "which is no SUM of rows"),
        ("SELECT amount AS s FROM sales", "s", "", "which is no SUM of rows"),
        (BY_AMOUNT, "region", "", "which is no aggregate of rows"),
        (BY_AMOUNT, "t", "", "no column 't'"),
        (BY_AMOUNT, "s", "firm", "'firm', which the rows that are aggregated do not have"),
        (BY_AMOUNT, "s", "region", "by which the rows are grouped"),
        ("SELECT region, SUM(amount) AS s, MEDIAN(n) AS m FROM sales GROUP BY region", "s", "day", "beside a rule with unit = 'day'"),
        ("SELECT region, SUM(amount) AS s, MAX(n) AS first FROM sales GROUP BY region", "s", "", "a column first in the question"),
    ],
)
def test_what_a_rule_cannot_be_told_is_refused(sql: str, name: str, unit: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        with_largest(to_plan(sql, CATALOG), name, Contributions(("first", "second"), "sizes", unit), CATALOG)


def test_only_sizes_have_a_largest() -> None:
    plan = to_plan("SELECT amount, region FROM sales", CATALOG)
    for name in ("amount", "region"):
        with pytest.raises(OurFault):
            largest(column(plan.field(name)), 1)
