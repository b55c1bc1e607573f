"""Random questions of random worlds, each answered three ways; what differs is made small and told with its seed.

    tally = Tally()
    for seed in range(200):
        ask(seed, random.Random, tally)
    print(tally)

Also each rule of placement alone: the plan before and after it gives the same rows. A refusal is no answer and is counted by its rule;
whoever runs this says how many may be refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accord.base.errors import AccordError, Refused
from accord.mpc.cost import Cost
from accord.plan.interpret import Table
from accord.plan.lower import cost
from accord.testing.queries import Queries, Query, shrunk
from accord.testing.tables import Chance, RandomWorld, random_world
from accord.testing.three_ways import Asker, Differs, Question, assert_same, outcome_on_shares
from accord.testing.traces import traffic_shape

SEEDS_A_WORLD = 10
"""So many questions are asked of one world."""

WRONG = (AccordError, AssertionError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What an answer that goes wrong can raise."""


@dataclass
class Tally:
    """What was asked: answers, refusals by their rule, and how often each construct of the grammar was in a question that was answered."""

    answered: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    constructs: Counter[str] = field(default_factory=Counter)
    rows: int = 0

    @property
    def asked(self) -> int:
        return self.answered + self.refused.total()

    def json(self) -> dict[str, Any]:
        """As a report carries it from one process to another."""
        return {"answered": self.answered, "rows": self.rows, "refused": dict(self.refused), "constructs": dict(self.constructs)}

    @staticmethod
    def of(parts: Iterable[Mapping[str, Any]]) -> Tally:
        """Several, added up."""
        whole = Tally()
        for one in parts:
            whole.answered += one["answered"]
            whole.rows += one["rows"]
            whole.refused.update(one["refused"])
            whole.constructs.update(one["constructs"])
        return whole

    def __str__(self) -> str:
        lines = [f"{self.answered} of {self.asked} random questions answered three ways, with {self.rows} rows"]
        lines += [f"refused {count}: {sentence}" for sentence, count in self.refused.most_common()]
        listed = ", ".join(f"{name} {count}" for name, count in sorted(self.constructs.items()) if name and count)
        return "\n".join([*lines, f"constructs: {listed}"])


class Failed(AssertionError):
    """A question that is answered differently, or not at all, made small."""


_askers: dict[str, Asker] = {}


def ask(seed: int, chance: Callable[[str], Chance], tally: Tally) -> None:
    """Asks the question of a seed. `chance` makes a source of chance out of a label. Raises Failed, with what to repeat."""
    asker = _asker(f"world {seed // SEEDS_A_WORLD}", chance)
    queries = Queries(chance(f"query {seed}"))
    query = queries.query()
    try:
        question = Question(query.sql, asker)
        try:
            _ = question.placed
        except Refused as error:
            tally.refused[error.rule or error.what] += 1
            return
        tally.rows += check(question, seed)
    except WRONG as error:
        raise _failed(seed, query, asker.world, error) from error
    tally.answered += 1
    tally.constructs.update({name for name, count in queries.counts.items() if count})


def check(question: Question, seed: int) -> int:
    """Raises Differs unless all answers are the same rows; the number of rows.

    Where data break a bound, recipients are told so, plainly as on shares; the plan as it was asked may break it and the rewritten one not.
    """
    clear, planned, plainly = question.clear(), _told(question.planned), _told(question.plainly)
    shares = _told(lambda: question.on_shares(seed))
    if isinstance(planned, Table):
        assert_same(question, clear, planned, "DuckDB, and the plan")
        for rule, table in question.after_rules().items():
            assert_same(question, planned, table, f"the plan, and the plan after {rule}")
    if isinstance(plainly, Table) and isinstance(shares, Table):
        assert_same(question, clear, plainly, "DuckDB, and the placed plan")
        assert_same(question, plainly, shares, "the placed plan, plainly and on shares")
    elif plainly != shares or isinstance(planned, Table):
        raise Differs(f"{question.sql}\nthe plan {planned}\nthe placed plan {plainly}\nthe servers {shares}")
    return clear.rows


def ask_traffic(seed: int, chance: Callable[[str], Chance]) -> int:
    """The number of messages of a seed's question; 0 where it is refused, or asks servers nothing.

    Raises Differs unless each message is as long, of the same step and at the same time whatever the rows are, and rounds and bytes are
    those foretold.
    """
    asker = _asker(f"world {seed // SEEDS_A_WORLD}", chance)
    query = Queries(chance(f"query {seed}")).query()
    other = Asker(asker.world.other_rows(chance(f"other rows {seed}")))
    try:
        first, second = Question(query.sql, asker), Question(query.sql, other)
        try:
            _ = first.placed
        except Refused:
            return 0
        outcomes = [outcome_on_shares(one.placed, one.inputs, seed + at, keep=True) for at, one in enumerate((first, second))]
    finally:
        other.close()
    shapes = [traffic_shape(one) for one in outcomes]
    if shapes[0] != shapes[1]:
        apart = next(pair for pair in zip(*shapes, strict=False) if pair[0] != pair[1]) if len(shapes[0]) == len(shapes[1]) else "number"
        raise Differs(f"seed {seed}: {query.sql}\nmessages tell of the rows: {apart}")
    measured, foretold = Cost(outcomes[0].rounds, outcomes[0].bytes_sent), cost(first.placed)
    if measured != foretold:
        raise Differs(f"seed {seed}: {query.sql}\nforetold {foretold}, measured {measured}")
    return len(shapes[0])


def _told(answer: Callable[[], Table]) -> Table | str:
    """The rows; or what the recipients are told instead, where data break a promise."""
    try:
        return answer()
    except Refused as error:
        return error.what


def _asker(label: str, chance: Callable[[str], Chance]) -> Asker:
    """The world of a label; only the last one is kept open."""
    if label not in _askers:
        for one in _askers.values():
            one.close()
        _askers.clear()
        _askers[label] = Asker(random_world(chance(label)))
    return _askers[label]


# ---- making it small


def _failed(seed: int, query: Query, world: RandomWorld, error: Exception) -> Failed:
    """The failure with the smallest question and the fewest rows that fail in the same way."""
    kind = type(error)
    query = shrunk(query, lambda smaller: _fails(smaller, world, seed, kind))
    world = fewer_rows(world, lambda smaller: _fails(query, smaller, seed, kind), lambda table: table in query.sql)
    rows = [
        f"  {table} of {owner}: {held.tuples()}"
        for table, parts in world.held.items()
        for owner, held in parts.items()
        if table in query.sql
    ]
    told = _failure(query, world, seed) or error
    return Failed("\n".join([f"seed {seed}: {type(told).__name__}: {told}", query.sql, *rows]))


def _fails(query: Query, world: RandomWorld, seed: int, kind: type[Exception]) -> bool:
    return type(_failure(query, world, seed)) is kind


def _failure(query: Query, world: RandomWorld, seed: int) -> Exception | None:
    """What goes wrong with a question; a refusal to plan it is nothing wrong."""
    asker = Asker(world)
    try:
        question = Question(query.sql, asker)
        try:
            _ = question.placed
        except AccordError:
            return None
        check(question, seed)
    except WRONG as error:
        return error
    finally:
        asker.close()
    return None


def fewer_rows(world: RandomWorld, fails: Callable[[RandomWorld], bool], among: Callable[[str], bool] = lambda _: True) -> RandomWorld:
    """The world without each row that is not needed to fail, of the tables `among` all."""
    for table, parts in world.held.items():
        for owner in parts if among(table) else ():
            at = 0
            while at < world.held[table][owner].rows:
                rows = world.held[table][owner].tuples()
                names = tuple(world.held[table][owner].columns)
                smaller = world.with_rows(table, owner, Table.of(names, [*rows[:at], *rows[at + 1 :]]))
                if fails(smaller):
                    world = smaller
                else:
                    at += 1
    return world
