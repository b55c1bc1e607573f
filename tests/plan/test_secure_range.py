"""Joins by time on secret columns, on shares and plainly; plainly also against DuckDB."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import duckdb
import pytest

from accord.base.errors import OurFault, Refused
from accord.plan.facts import walk
from accord.plan.interpret import Table, interpret
from accord.plan.nodes import AsOf, Between, Join, Node
from accord.plan.place import require_placed
from accord.testing.harness import check
from accord.testing.tables import RandomWorld, random_world
from accord.testing.three_ways import Asker, Question, outcome_on_shares
from accord.testing.traces import traffic_shape
from tests.plan.lowering import run, value
from tests.plan.secret_rows import assert_same_rows, chosen, held, random_table

SEEDS = (0, 3, 4)
SIDES = [(True, True), (True, False), (False, True), (False, False)]
KEYS = {"no key": (), "a key": (("a_group", "b_group"),), "two keys": (("a_ok", "b_ok"), ("a_day", "b_day"))}


def points_in_ranges(seed: int, is_left: bool, kind: str = "inner", keys: str = "a key", rows_max: int = 260) -> Join:
    """Points of a nullable number of few values, in ranges of which many end before they start."""
    points, ranges = held("a", "a_", 20), held("b", "b_", 13)
    sides: tuple[Node, Node] = (chosen(points) if seed % 2 else points, chosen(ranges) if seed % 3 else ranges)
    closed = SIDES[seed % 4]
    match, on = Between("a_key", "b_key", "b_id", is_left, closed), KEYS[keys]
    if is_left:
        return Join(*sides, kind, on, rows_max=rows_max, match=match)
    return Join(sides[1], sides[0], kind, tuple((b, a) for a, b in on), rows_max=rows_max, match=match)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("kind", ["inner", "left", "semi", "anti"])
@pytest.mark.parametrize("is_left", [True, False], ids=["points", "ranges"])
def test_points_and_ranges(is_left: bool, kind: str, keys: str, seed: int) -> None:
    assert_same_rows(points_in_ranges(seed, is_left, kind, keys), seed)


@pytest.mark.parametrize("closed", SIDES)
def test_times_of_different_ranges(closed: tuple[bool, bool]) -> None:
    match = Between("a_x", "b_key", "b_x", True, closed)
    assert_same_rows(Join(held("a", "a_", 20), held("b", "b_", 13), "inner", (), rows_max=260, match=match), 1)


@pytest.mark.parametrize("kind", ["inner", "left"])
@pytest.mark.parametrize("is_left", [True, False], ids=["points", "ranges"])
def test_more_points_in_ranges_than_the_bound_are_a_fault(is_left: bool, kind: str) -> None:
    """The bound is of points in ranges, not of rows with one key."""
    tables = {"a": random_table(held("a", "a_", 20), 5), "b": random_table(held("b", "b_", 13), 6)}
    whole = points_in_ranges(0, is_left)
    pairs, met = (interpret(one, inputs=tables).rows for one in (whole, replace(whole, match=None, rows_max=260)))
    assert 3 < pairs < met
    for rows_max in (1, pairs - 1, pairs, pairs + 1):
        _, outcome = run(replace(whole, kind=kind, rows_max=rows_max), tables, 1)
        assert len(outcome.results[0].faults) == 1
        ((sentence, _),) = outcome.results[0].faults
        assert f"b_key <= a_key <= b_id has more than the {rows_max} rows" in sentence
        assert value([one.faults[0][1] for one in outcome.results], 1)[0] == (pairs > rows_max)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("function", ["ge", "gt", "le", "lt"])
@pytest.mark.parametrize("kind", ["inner", "left"])
@pytest.mark.parametrize("keys", KEYS)
def test_the_nearest_row(keys: str, kind: str, function: str, seed: int) -> None:
    left, right = held("a", "a_", 20), held("b", "b_", 13)
    match = AsOf("a_key" if seed % 2 else "a_id", "b_id", function)
    join = Join(chosen(left) if seed % 2 else left, chosen(right) if seed % 3 else right, kind, KEYS[keys], match=match)
    assert_same_rows(join, seed, {"b": "b_id"})


# ---- against DuckDB


def asked(join: Join, tables: dict[str, Table]) -> Counter[tuple[object, ...]]:
    """DuckDB's answer: numbers of rows that meet, of the left side alone for a semi or an anti join."""
    connection = duckdb.connect()
    for name, table in tables.items():
        columns = ", ".join(f"{one} BIGINT" for one in table.columns)
        connection.execute(f"CREATE TABLE {name} (n BIGINT, {columns})")
        for number, row in enumerate(table.tuples(tuple(table.columns))):
            connection.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * (len(row) + 1))})", [number, *row])
    left, right = (one.name for one in join.inputs)  # type: ignore[attr-defined]
    on = [f"{a} = {b}" for a, b in join.on]
    if isinstance(join.match, AsOf):
        sign = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}[join.match.function]
        on.append(f"{join.match.left} {sign} {join.match.right}")
    elif join.match:
        low, high = (">=" if join.match.closed[0] else ">"), ("<=" if join.match.closed[1] else "<")
        on += [f"{join.match.point} {low} {join.match.start}", f"{join.match.point} {high} {join.match.end}"]
    word = {"inner": "JOIN", "left": "LEFT JOIN", "semi": "SEMI JOIN", "anti": "ANTI JOIN"}[join.kind]
    word = ("ASOF " if isinstance(join.match, AsOf) else "") + word
    of = f"{left}.n" if join.is_choice else f"{left}.n, {right}.n"
    return Counter(connection.execute(f"SELECT {of} FROM {left} {word} {right} ON {' AND '.join(on)}").fetchall())


def numbered(join: Join, tables: dict[str, Table]) -> Counter[tuple[object, ...]]:
    """The interpreter's answer to the same: rows are told by columns that differ in each."""
    made = interpret(join, inputs=tables)
    places = []
    for one in join.inputs[: 1 if join.is_choice else 2]:
        names = tuple(field.name for field in one.fields)
        rows = tables[one.name].tuples(names)  # type: ignore[attr-defined]
        assert len(set(rows)) == len(rows)
        places.append([rows.index(row) if any(cell is not None for cell in row) else None for row in made.tuples(names)])
    return Counter(zip(*places, strict=True))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["inner", "left", "semi", "anti"])
def test_plain_ranges_are_duckdbs(kind: str, seed: int) -> None:
    for is_left in (True, False):
        join = replace(points_in_ranges(4 * seed + seed % 4, is_left, kind, list(KEYS)[seed % 3]))
        join = replace(join, left=_bare(join.left), right=_bare(join.right))
        tables = {one.name: random_table(one, seed, f"{one.name}_id") for one in join.inputs}  # type: ignore[attr-defined, arg-type]
        assert numbered(join, tables) == asked(join, tables)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["inner", "left"])
def test_the_plain_nearest_row_is_duckdbs(kind: str, seed: int) -> None:
    for function in ("ge", "gt", "le", "lt"):
        match = AsOf("a_key" if seed % 2 else "a_id", "b_id", function)
        join = Join(held("a", "a_", 20), held("b", "b_", 13), kind, KEYS[list(KEYS)[seed % 2]], match=match)
        tables = {one.name: random_table(one, seed, f"{one.name}_id") for one in join.inputs}  # type: ignore[attr-defined, arg-type]
        assert numbered(join, tables) == asked(join, tables)


def _bare(node: Node) -> Node:
    return node if not node.inputs else node.inputs[0]


# ---- what is refused


def test_kinds_that_servers_do_not_know() -> None:
    join = points_in_ranges(0, True)
    with pytest.raises(OurFault, match="a cross join on b_key <= a_key <= b_id"):
        require_placed(replace(join, kind="cross"))
    with pytest.raises(OurFault, match=r"a semi join on the last b_id <= a_id"):
        require_placed(replace(join, kind="semi", match=AsOf("a_id", "b_id", "ge")))
    with pytest.raises(OurFault, match="not in one form"):
        require_placed(replace(join, match=Between("a_price", "b_key", "b_id", True)))


def test_points_in_ranges_need_a_bound() -> None:
    with pytest.raises(Refused, match=r"a JOIN on a_group = b_group and b_key <= a_key <= b_id.*bound the rows"):
        require_placed(points_in_ranges(0, True, rows_max=0))
    require_placed(points_in_ranges(0, True, "semi", rows_max=0))


# ---- whole questions

GROUPS = "(SELECT person, MAX(income) AS most FROM people GROUP BY person)"
QUESTIONS = {
    "a condition on what is nearest": f"SELECT v.visit, g.most FROM visits v ASOF JOIN {GROUPS} g ON v.visit >= g.person WHERE g.most > 20",
    "the nearest of all owners": f"SELECT a.region, g.person AS p FROM areas a ASOF LEFT JOIN {GROUPS} g ON a.rank <= g.person",
    "an equality above the nearest": f"SELECT v.visit FROM visits v ASOF JOIN {GROUPS} g ON v.visit > g.person WHERE v.person = g.most - 1",
    "counted points": "SELECT p.person, COUNT(*) AS n, SUM(v.cost) AS c FROM people p JOIN /*+ rows_max(140) */ visits v "
    "ON v.visit >= p.person AND v.visit < p.income GROUP BY p.person",
    "points with public ranges": "SELECT v.visit, a.region FROM visits v JOIN /*+ rows_max(140) */ areas a "
    "ON v.person BETWEEN a.rank AND a.rank + 1",
    "nobody near": "SELECT p.person, p.name FROM people p ANTI JOIN visits v "
    "ON p.person = v.person AND v.day BETWEEN p.born AND p.born + 9",
    "equal keys and more": "SELECT p.person, v.visit FROM people p LEFT JOIN /*+ rows_max(140) */ visits v "
    "ON p.badge = v.badge AND v.day > p.born AND v.day <= p.born + 300 AND v.cost > 0",
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_questions_three_ways(name: str, seed: int) -> None:
    asker = Asker(random_world(random.Random(f"world {seed}")))
    try:
        check(Question(QUESTIONS[name], asker), seed)
    finally:
        asker.close()


def test_only_servers_find_the_nearest_of_several_owners() -> None:
    """A public row has one nearest row, whoever holds it: no owner can tell."""
    world = random_world(random.Random("world 0"))
    placed = Question("SELECT a.region, p.income FROM areas a ASOF JOIN people p ON a.rank <= p.person", Asker(_unique(world))).placed
    assert any(isinstance(one, Join) and one.match for one in walk(placed))


def _unique(world: RandomWorld) -> RandomWorld:
    """The world in which no two people, of whatever owner, have one number."""
    info = world.catalog.tables["people"]
    people = replace(info, schema=replace(info.schema, unique=("person",)), unique_across_owners=True)
    return replace(world, catalog=replace(world.catalog, tables={**world.catalog.tables, "people": people}))


@pytest.mark.parametrize("name", ["counted points", "nobody near", "a condition on what is nearest"])
def test_messages_tell_nothing_of_the_rows(name: str) -> None:
    world = random_world(random.Random("world 3"))
    shapes = []
    for seed in (1, 2):
        asker = Asker(world.other_rows(random.Random(seed)))
        question = Question(QUESTIONS[name], asker)
        shapes.append(traffic_shape(outcome_on_shares(question.placed, question.inputs, seed, keep=True)))
        asker.close()
    assert shapes[0] == shapes[1] and shapes[0]
