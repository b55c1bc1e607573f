"""Groups of two releases that are close: the plan of nodes beside plain sets of row numbers, unplaced, placed and on shares."""

import random
from collections import defaultdict
from itertools import combinations_with_replacement, product

import numpy as np
import pytest

from accord.base.errors import Refused
from accord.data.schema import ColumnSchema, TableSchema
from accord.frame.sql import to_plan
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.interpret import Table, interpret
from accord.plan.lower import cost
from accord.plan.masks import groupings
from accord.plan.overlap import CLOSE, close, crowded
from accord.plan.place import place
from accord.testing.tables import RandomWorld
from accord.testing.three_ways import Asker, outcome_on_shares, run_on_shares

TOWNS, JOBS, SECTORS = ("x", "y", "z"), ("clerk", "nurse"), ("care", "mining")
PEOPLE = TableSchema(
    "people",
    (
        ColumnSchema("person", "int", 0, 99),
        ColumnSchema("age", "int", 0, 99),
        ColumnSchema("town", "category", values=TOWNS),
        ColumnSchema("job", "category", values=JOBS, nullable=True),
        ColumnSchema("income", "int", 0, 10**6),
    ),
)
FIRMS = TableSchema("firms", (ColumnSchema("member", "int", 0, 99), ColumnSchema("sector", "category", values=SECTORS)), ("member",))
CATALOG = Catalog({"people": TableInfo(PEOPLE, ("north", "south"), (30, 30)), "firms": TableInfo(FIRMS, ("registry",), (40,))}, {})
SEED = 11


class Drawn:
    """Rows of people, twenty a side, half of them with a firm."""

    def __init__(self, seed):
        coins = random.Random(seed)
        self.people = [
            (at, coins.randrange(25, 40), coins.randrange(3), coins.choice((0, 1, None)), coins.randrange(5)) for at in range(40)
        ]
        self.firms = {at: coins.randrange(2) for at in range(40) if coins.random() < 0.5}
        held = Table.of(tuple(one.name for one in PEOPLE.columns), self.people)
        registry = Table.of(("member", "sector"), list(self.firms.items()))
        sides = {"north": held.take(np.arange(20)), "south": held.take(np.arange(20, 40))}
        self.world = RandomWorld(CATALOG, {"people": sides, "firms": {"registry": registry}})


def question(sql, keys, *masks):
    """SQL with COUNT(*) AS n, and independently: a row's keys, and for each mask whether it holds a row."""
    return sql, keys, masks


def in_care(drawn, row):
    return drawn.firms.get(row[0]) == 0


QUESTIONS = {
    "older": question("SELECT COUNT(*) AS n FROM people WHERE age >= 30", lambda d, r: (), lambda d, r: r[1] >= 30),
    "but few": question(
        "SELECT COUNT(*) AS n FROM people WHERE age >= 30 AND NOT (town = 'x' AND COALESCE(job, 'nurse') = 'clerk')",
        lambda d, r: (),
        lambda d, r: r[1] >= 30 and not (r[2] == 0 and r[3] == 0),
    ),
    "towns": question(
        "SELECT town, COUNT(*) AS n FROM people WHERE age >= 31 GROUP BY town", lambda d, r: (r[2],), lambda d, r: r[1] >= 31
    ),
    "jobs": question("SELECT town, job, COUNT(*) AS n FROM people GROUP BY town, job", lambda d, r: (r[2], r[3]), lambda d, r: True),
    "inside": question(
        "SELECT town, COUNT(*) AS n, SUM(CASE WHEN age > 33 THEN income END) AS s FROM people GROUP BY town",
        lambda d, r: (r[2],),
        lambda d, r: True,
        lambda d, r: r[1] > 33,
        lambda d, r: r[1] <= 33,
    ),
    "below": question(
        "SELECT SUM(n) AS n, SUM(s) AS s FROM (SELECT town, COUNT(*) AS n, SUM(income) AS s FROM people WHERE job = 'nurse' GROUP BY town)",
        lambda d, r: (),
        lambda d, r: r[3] == 1,
    ),
    "incomes": question("SELECT income, COUNT(*) AS n FROM people GROUP BY income", lambda d, r: (r[4],), lambda d, r: True),
    "care": question("SELECT COUNT(*) AS n FROM people JOIN firms ON person = member WHERE sector = 'care'", lambda d, r: (), in_care),
    "sectors": question(
        "SELECT sector, COUNT(*) AS n FROM people LEFT JOIN firms ON person = member GROUP BY sector",
        lambda d, r: (d.firms.get(r[0]),),
        lambda d, r: True,
    ),
    "members": question(
        "SELECT town, COUNT(*) AS n FROM people WHERE person IN (SELECT member FROM firms) GROUP BY town",
        lambda d, r: (r[2],),
        lambda d, r: r[0] in d.firms,
    ),
    "no members": question(
        "SELECT COUNT(*) AS n FROM people WHERE NOT EXISTS (SELECT 1 FROM firms WHERE member = person)",
        lambda d, r: (),
        lambda d, r: r[0] not in d.firms,
    ),
}


def groups(drawn, name, rows_min):
    """Every group that its readers can form, as a set of row numbers."""
    _, keys, masks = QUESTIONS[name]
    cells = defaultdict(set)
    for row in drawn.people:
        if masks[0](drawn, row):
            cells[keys(drawn, row)].add(row[0])
    told = {key: cell for key, cell in cells.items() if len(cell) >= rows_min}
    found = set()
    count = len(next(iter(cells), ()))
    for mask in masks:
        for kept in {
            tuple(range(count)),
            (),
            *((at,) for at in range(count)),
            *(tuple(x for x in range(count) if x != at) for at in range(count)),
        }:
            margin = defaultdict(set)
            for key, cell in told.items():
                margin[tuple(key[at] for at in kept)] |= {one for one in cell if mask(drawn, drawn.people[one])}
            found |= {frozenset(one) for one in margin.values()}
    return found


def is_close(drawn, first, second, least, rows_min):
    """Independently of the plan: some two groups meet, differ, and by fewer than so many rows."""
    pairs = product(groups(drawn, first, rows_min), groups(drawn, second, rows_min))
    return any(one & other and 0 < len(one ^ other) < least for one, other in pairs)


def grouping(name, rows_min=1):
    (found,) = groupings(to_plan(QUESTIONS[name][0], CATALOG, {}), "people", {"n": rows_min})
    return found


def told(node, drawn, seed=None):
    """What the check says: as it was asked, or by its owners' steps and plainly, or on shares."""
    if seed is None:
        table = interpret(node, drawn.world.held)
    else:
        placed = place(node, CATALOG)
        inputs = Asker(drawn.world).inputs(placed)
        table = interpret(placed, inputs=inputs) if seed == 0 else run_on_shares(placed, inputs, seed)
    assert table.rows == 1
    return bool(table.columns[CLOSE].values[0])


PAIRS = list(combinations_with_replacement(QUESTIONS, 2))
LOCAL = ("older", "but few", "towns", "jobs", "inside", "below")


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_it_says_what_sets_of_rows_say(first, second):
    """For every least difference up to twenty, with and without a rule that holds small groups back."""
    drawn = Drawn(SEED)
    for rows_min in (1, 6):
        one, two = grouping(first, rows_min), grouping(second, rows_min)
        said = [told(close(one, two, least, CATALOG), drawn) for least in range(1, 21)]
        assert said == [is_close(drawn, first, second, least, rows_min) for least in range(1, 21)]


def test_the_cases_are_both():
    """The questions above are close to each other at some distances and not at others."""
    drawn = Drawn(SEED)
    found = [is_close(drawn, a, b, 9, 1) for a, b in PAIRS]
    assert 10 < sum(found) < len(found) - 10


@pytest.mark.parametrize("least", [2, 9])
@pytest.mark.parametrize(("first", "second"), [*product(LOCAL, LOCAL[:3]), ("older", "incomes"), ("care", "towns"), ("sectors", "members")])
def test_on_shares_it_says_the_same(first, second, least):
    for seed in (SEED, SEED + 1):
        drawn = Drawn(seed)
        node = close(grouping(first, 2), grouping(second, 2), least, CATALOG)
        expected = is_close(drawn, first, second, least, 2)
        assert told(node, drawn, 0) == told(node, drawn, seed) == expected


def test_an_owner_counts_alone_what_it_can():
    """Where conditions are an owner's own and keys have few values, servers see cells and no rows."""
    placed = place(close(grouping("but few"), grouping("jobs"), 5, CATALOG), CATALOG)
    assert cost(placed).bytes < 100_000


def test_traffic_is_the_same_for_any_data():
    node = place(close(grouping("care"), grouping("towns"), 5, CATALOG), CATALOG)
    sizes = []
    for seed in (1, 2):
        drawn = Drawn(seed)
        outcome = outcome_on_shares(node, Asker(drawn.world).inputs(node), 5)
        sizes.append((outcome.rounds, outcome.bytes_sent))
    assert sizes[0] == sizes[1]


def test_a_unit_with_more_rows_than_declared_is_found():
    drawn = Drawn(SEED)
    most = max(sum(row[4] == income for row in drawn.people) for income in range(5))
    for rows, expected in ((most - 1, True), (most, False)):
        node = crowded("people", ("income",), rows, CATALOG)
        assert told(node, drawn) == told(node, drawn, 0) == told(node, drawn, 3) == expected
    assert crowded("firms", ("member",), 1, CATALOG) is None


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT age, town FROM people", "rows of people reach the release one by one"),
        ("SELECT COUNT(*) AS n FROM people a JOIN people b ON a.person = b.person", "it reads people twice in one GROUP BY"),
        ("SELECT COUNT(*) AS n FROM people JOIN firms ON age = member JOIN people b ON b.person = member", "it reads people twice"),
        ("SELECT sector, COUNT(*) AS n FROM firms JOIN people ON sector = 'care' AND age = member GROUP BY sector", ""),
        (
            "SELECT town, COUNT(*) AS n FROM (SELECT *, RANK() OVER (ORDER BY income) AS r FROM people) WHERE r < 3 GROUP BY town",
            "a Window",
        ),
        ("SELECT COUNT(*) AS n FROM people JOIN firms ON age BETWEEN member AND member + 1", "people cannot be followed through its"),
        ("SELECT COUNT(*) AS n FROM (SELECT * FROM people ORDER BY income LIMIT 3)", "a Limit below its GROUP BY"),
    ],
)
def test_what_cannot_be_followed_is_refused(sql, why):
    if not why:
        assert groupings(to_plan(sql, CATALOG, {}), "people", {})
        return
    with pytest.raises(Refused, match=why) as told_:
        groupings(to_plan(sql, CATALOG, {}), "people", {})
    assert "releases are compared where each row of people stands behind one group" in str(told_.value)


def test_a_row_that_meets_several_is_refused():
    sql = "SELECT COUNT(*) AS n FROM firms JOIN people ON member = age"
    (found,) = groupings(to_plan(sql, CATALOG, {}), "firms", {})
    with pytest.raises(Refused, match="a row of firms can meet several rows in its join on member"):
        close(found, found, 5, CATALOG)


def test_too_many_conditions_inside_are_refused():
    sums = ", ".join(f"COUNT(*) FILTER (WHERE age > {age}) AS n{age}" for age in range(5))
    (found,) = groupings(to_plan(f"SELECT {sums} FROM people", CATALOG, {}), "people", {})
    with pytest.raises(Refused, match="its sums and counts have 5 conditions of their own"):
        close(found, found, 5, CATALOG)


@pytest.mark.parametrize("way", ["CUBE (town, job)", "GROUPING SETS ((town, job), (town), (job), ())"])
def test_margins_that_are_asked_for_are_groupings_each(way):
    """Each with its minimum; compared with another release, a margin is a group like any other."""
    drawn = Drawn(SEED)
    found = groupings(to_plan(f"SELECT town, job, COUNT(*) AS n FROM people GROUP BY {way}", CATALOG, {}), "people", {"n": 6})
    assert sorted(one.node.keys for one in found) == [(), ("job",), ("town",), ("town", "job")]
    assert {one.rows_min for one in found} == {6}
    for least in (2, 9):
        said = [told(close(one, grouping("older", 6), least, CATALOG), drawn) for one in found if one.node.keys != ("job",)]
        assert any(said) == is_close(drawn, "jobs", "older", least, 6)
