"""A key that is unique across owners: what relies on it, when it is checked, and what is told where it is not kept."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from accord.base.errors import Refused
from accord.plan.evaluate import Plain
from accord.plan.facts import rows_max, walk
from accord.plan.interpret import Table
from accord.plan.lower import faults_of
from accord.plan.nodes import Join, Promise, Scan
from accord.plan.place import require_placed
from accord.testing.harness import check
from accord.testing.tables import RandomWorld, random_world
from accord.testing.three_ways import Asker, Question
from tests.plan.lowering import run, value
from tests.plan.secret_rows import held, random_table

JOINED = "SELECT p.name, v.visit FROM people p JOIN visits v ON p.person = v.person"
SENTENCE = "two rows of people have the same person, which the study promises to be unique across its owners"


WIDE = next(seed for seed in range(50) if random_world(random.Random(seed)).catalog.tables["people"].schema.column("person").low < 0)
"""A world whose keys have no public grid."""


def world(across: bool, seed: int = WIDE) -> RandomWorld:
    made = random_world(random.Random(seed))
    info = made.catalog.tables["people"]
    people = replace(info, schema=replace(info.schema, unique=("person",)), unique_across_owners=across)
    catalog = replace(made.catalog, tables={**made.catalog.tables, "people": people})
    return replace(made, catalog=catalog).other_rows(random.Random(seed))


def promises(question: Question) -> list[Promise]:
    return [one for one in walk(question.placed) if isinstance(one, Promise)]


@pytest.fixture
def asker():
    made = Asker(world(True))
    yield made
    made.close()


def test_a_join_relies_on_it(asker: Asker) -> None:
    """Without it the same join needs a bound on its rows, or room for more."""
    (join,) = [one for one in walk(Question(JOINED, asker).placed) if isinstance(one, Join)]
    assert join.unique == "left" and not join.rows_max
    (other,) = [one for one in walk(Question(JOINED, Asker(world(False))).placed) if isinstance(one, Join)]
    assert other.unique == "" and other.rows_max


def test_what_is_known_of_its_rows(asker: Asker) -> None:
    (scan,) = [one for one in walk(Question("SELECT person FROM people", asker).plan) if isinstance(one, Scan)]
    for across, most in ((True, 1), (False, 2)):
        catalog = world(across).catalog
        assert rows_max(scan, frozenset({"person"}), catalog) == most
        assert rows_max(scan, frozenset({"person"}), catalog, "anna") == 1
        assert rows_max(scan, frozenset(), catalog) == 10


@pytest.mark.parametrize(
    ("sql", "is_checked"),
    [
        (JOINED, True),
        ("SELECT person, region FROM people ORDER BY person LIMIT 2", True),
        ("SELECT person, region, COUNT(*) AS n FROM people GROUP BY person, region", True),
        ("SELECT COUNT(*) AS n FROM people WHERE person = 3", True),
        ("SELECT region, COUNT(*) AS n FROM people GROUP BY region", False),
        ("SELECT visit FROM visits", False),
    ],
)
def test_it_is_checked_where_the_key_is_read(sql: str, is_checked: bool, asker: Asker) -> None:
    question = Question(sql, asker)
    assert [one.tables for one in promises(question)] == ([("people",)] if is_checked else [])
    assert faults_of(question.placed) == ((SENTENCE,) if is_checked else ())
    check(question, 1)


def broken(made: RandomWorld) -> RandomWorld:
    """The second owner holds the key of a row of the first, in a row that no question chooses."""
    rows = made.held["people"]["bert"]
    theirs = made.held["people"]["anna"].columns["person"].values[:1]
    columns = {name: Plain(one.values[:1], one.nulls[:1]) for name, one in rows.columns.items()}
    columns["person"] = Plain(theirs, columns["person"].nulls)
    return made.with_rows("people", "bert", Table(columns, 1))


@pytest.mark.parametrize("sql", [JOINED, "SELECT person FROM people ORDER BY person LIMIT 1", f"{JOINED} WHERE p.income > 89"])
def test_a_key_that_repeats_is_told(sql: str) -> None:
    made = next(one for one in (world(True, seed) for seed in range(20)) if all(table.rows for table in one.held["people"].values()))
    for is_broken in (False, True):
        asker = Asker(broken(made) if is_broken else made)
        question = Question(sql, asker)
        if is_broken:
            with pytest.raises(Refused, match=SENTENCE):
                question.plainly()
            with pytest.raises(Refused, match=SENTENCE):
                question.on_shares(1)
        else:
            check(question, 1)
        asker.close()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("names", [("id",), ("key", "day"), ("group", "ok", "sure"), ("x",)], ids="-".join)
def test_fault_bits_are_right(names: tuple[str, ...], seed: int) -> None:
    """Keys of all kinds, NULLs being one value; rows that are not there repeat nothing."""
    main, keys = held("a"), held("b", rows=12)
    chosen = replace(keys, columns=tuple(one for one in keys.columns if one.name in names))
    node = Promise(main, ("b",), (chosen,))
    require_placed(node)
    for unique in ("", chosen.columns[0].name):
        tables = {"a": random_table(main, 2), "b": random_table(chosen, seed, unique)}
        rows = tables["b"].tuples()
        _, outcome = run(node, tables, seed)
        flag = value([one.faults[0][1] for one in outcome.results], 1)
        assert bool(flag[0]) == (len(set(rows)) < len(rows))
