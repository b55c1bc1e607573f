"""Attackers and what they attack: three offices with a register of persons each, an owner's policy as one would write it, and a way to ask.

An attacker gets what a recipient gets from a real run of a study, and what the test says that he knows besides; nothing else. `ask` runs
a study over the offices' rows on shares and opens it with the recipient's key. With `policy=False` the owners have none, so that a study
may leave out the rule under attack.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from accord.node import runtimes
from accord.node.folder import open_folder
from accord.node.session import open_study
from accord.node.setup import make_keys
from accord.release.table import SUPPRESSED
from tests.node.conftest import run_in_threads

OFFICES = ("north", "south", "east")
TOWNS = ("ash", "birch", "cedar", "elm")
JOBS = ("clerk", "driver", "judge", "nurse", "teacher")
COLUMNS = ("office", "person", "town", "job", "age", "ill", "wage")
SEED = 11

POLICY = """
owner = "OFFICE"
version = 1
expires = 2999-12-31
recipients = ["reader", "north", "south", "east"]
purposes = ["to be attacked"]
[tables.persons]
rules = [
  { rule = "minimum_count", minimum = 10 },
  { rule = "minimum_contributors", minimum = 3, unit = "office" },
]
noise = { epsilon = "1" }
[tables.persons.columns]
office = ["aggregated", "after grouping", "join key"]
person = ["aggregated"]
town = ["after grouping", "in conditions", "aggregated", "join key"]
job = ["after grouping", "in conditions", "aggregated", "join key"]
age = ["after grouping", "in conditions", "aggregated"]
ill = ["in conditions", "aggregated"]
wage = ["aggregated"]
"""
COUNT_RULE = '{ rule = "minimum_count", column = "n", minimum = 10 }'
OFFICE_RULE = '{ rule = "minimum_contributors", column = "offices", minimum = 3 }'
RULES = f"rules = [{COUNT_RULE}, {OFFICE_RULE}]"
NO_RULES = 'reason = "the rule under attack is switched off"'

STUDY = """
[study]
name = "attacked"
title = "What an attacker asks"
purpose = "to be attacked"
expires = 2999-12-31
servers = ["north", "south", "east"]
[domains.town]
values = [TOWNS]
[domains.job]
values = ["clerk", "driver", "judge", "nurse", "teacher"]
[domains.office]
values = ["north", "south", "east"]
HISTORY
[tables.persons]
owners = ["north", "south", "east"]
rows_max = 2000
owner_column = "office"
owner_values = { north = "north", south = "south", east = "east" }
columns = [
  { name = "office", kind = "category", domain = "office" },
  { name = "person", kind = "int", low = 0, high = 9999 },
  { name = "town", kind = "category", domain = "town" },
  { name = "job", kind = "category", domain = "job" },
  { name = "age", kind = "int", low = 15, high = 99 },
  { name = "ill", kind = "int", low = 0, high = 1 },
  { name = "wage", kind = "int", low = 0, high = 999999 },
]
[[releases]]
name = "asked"
title = ""
sql = '''SQL'''
recipients = ["RECIPIENT"]
"""


@dataclass(frozen=True)
class Person:
    """One row of an office's register."""

    office: str
    person: int
    town: str
    job: str
    age: int
    ill: int
    wage: int

    @property
    def cells(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in COLUMNS)


@dataclass(frozen=True)
class Register:
    """Everybody, and where studies over them are made."""

    persons: tuple[Person, ...]
    folder: Path
    numbers: itertools.count = field(default_factory=itertools.count)

    def with_rows(self, *more: Person) -> Register:
        return replace(self, persons=(*self.persons, *more))

    def where(self, **wanted) -> list[Person]:
        return [one for one in self.persons if all(getattr(one, name) == value for name, value in wanted.items())]

    def study(self, sql, rules=RULES, *, policy=True, recipient="reader", judged=(), towns=TOWNS, history=""):
        """The study in a folder of its own, with every office's file and policy."""
        place = self.folder / f"study{next(self.numbers)}"
        place.mkdir()
        text = (
            STUDY.replace("SQL", sql)
            .replace("RECIPIENT", recipient)
            .replace("HISTORY", history)
            .replace("TOWNS", ", ".join(f'"{one}"' for one in towns))
        )
        judged = f"judged = [{', '.join(repr(one) for one in judged)}]\n"
        (place / "study.toml").write_text(f"{text}{judged}{rules}\n", encoding="utf-8")
        opened = open_folder(place)
        for office in OFFICES:
            lines = [",".join(map(str, one.cells)) for one in self.where(office=office)]
            file = place / f"{office}.csv"
            file.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")
            opened.party(office).write_data({"persons": file})
            if policy:
                text = POLICY if policy is True else policy
                (opened.party(office).path / "policy.toml").write_text(text.replace("OFFICE", office), encoding="utf-8")
        return open_study(place)

    def ask(self, sql, rules=RULES, **how):
        """What the recipient holds after a run in this process: rows by name, SUPPRESSED where a rule held them back."""
        session = self.study(sql, rules, **how)
        recipient = how.get("recipient", "reader")
        (table,) = session.tables(recipient, session.run("sim:")).values()
        return table.rows()

    def signed(self, *question, **how):
        """The study with everybody's keys and signatures, to be run more than once."""
        session = self.study(*question, **how)
        make_keys(session.folder)
        for party in session.study.approvers:
            session.sign(party)
        return session


def ask_again(session, old, new):
    """The same owners asked another question over the same data: what the reader holds after it is signed and run."""
    path = session.folder.path / "study.toml"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    again = open_study(session.folder.path)
    for party in again.study.approvers:
        again.sign(party)
    return again.tables("reader", again.run("local:"))["asked"].rows()


@pytest.fixture
def servers_in_threads(monkeypatch):
    """Signed runs with real sockets and ledgers, without the start of three interpreters for each."""
    monkeypatch.setattr(runtimes, "run_servers", run_in_threads)


@pytest.fixture
def register(tmp_path):
    """Some 600 persons; each test plants what it attacks."""
    print(f"seed of the register: {SEED}")
    draw = random.Random(SEED)
    persons = [
        Person(
            office=draw.choice(OFFICES),
            person=number,
            town=draw.choice(TOWNS),
            job=draw.choice(("clerk", "driver", "nurse", "teacher")),
            age=draw.randrange(18, 67),
            ill=int(draw.random() < 0.3),
            wage=draw.randrange(20_000, 90_000),
        )
        for number in range(600)
    ]
    return Register(tuple(persons), tmp_path)


def row_of(rows, **key):
    """The only row with this key."""
    (found,) = [row for row in rows if all(row[name] == value for name, value in key.items())]
    return found


def is_held_back(row) -> bool:
    return any(value is SUPPRESSED for value in row.values())
