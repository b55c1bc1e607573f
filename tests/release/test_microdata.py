"""Rows that look alike: what is released of people, against choosing levels by hand over the pooled rows; what is no hierarchy."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from itertools import product

import pytest

from accord.base.errors import Refused
from accord.node.folder import open_folder
from accord.node.session import open_study
from accord.node.setup import make_keys
from accord.release.rules import read_rules
from accord.release.table import SUPPRESSED

TOWNS = {"ash": "north", "birch": "north", "cedar": "south", "dill": "south"}
LEVELS = 'age = [1, 10, "all"], town = ["town", "province", "all"], sex = ["sex", "all"]'
STUDY = """
[study]
name = "people"
title = "Rows that look alike"
purpose = "A test of microdata"
expires = 2999-12-31
servers = ["clinic", "hospital", "helper"]

[domains.town]
values = ["ash", "birch", "cedar", "dill"]
[domains.town.columns]
province = ["north", "north", "south", "south"]

[tables.people]
owners = ["clinic", "hospital"]
rows_max = 40
columns = [
  {{ name = "person", kind = "text key" }},
  {{ name = "age", kind = "int", low = 18, high = 99, nullable = true }},
  {{ name = "town", kind = "category", domain = "town", nullable = true }},
  {{ name = "sex", kind = "category", values = ["f", "m"] }},
  {{ name = "illness", kind = "category", values = ["flu", "cold", "burn"] }},
]

[[releases]]
name = "rows"
title = "People who look alike"
sql = "SELECT {person}age, town, sex, illness FROM people"
recipients = ["office"]
rules = [{{ rule = "k_anonymity", {rule} }}]
"""


def made(folder, rule, rows):
    study = folder / "people"
    study.mkdir()
    text = STUDY.format(rule=rule, person="person, " if 'unit = "person"' in rule else "")
    (study / "study.toml").write_text(text)
    opened = open_folder(study)
    for at, owner in enumerate(("clinic", "hospital")):
        path = folder / f"{owner}.csv"
        lines = [",".join("" if value is None else str(value) for value in row) for row in rows[at::2]]
        path.write_text("person,age,town,sex,illness\n" + "".join(f"{line}\n" for line in lines))
        opened.party(owner).write_data({"people": path.resolve()})
    make_keys(opened)
    session = open_study(study)
    for party in session.study.approvers:
        session.sign(party)
    return session


def opened(session, runtime):
    """The rows that are shown, and how many are not."""
    rows = session.tables("office", session.run(runtime))["rows"].rows()
    shown = Counter(tuple(row.values()) for row in rows if SUPPRESSED not in row.values())
    return shown, len(rows) - sum(shown.values())


# ---- by hand


def age_at(age, level):
    if level == 2:
        return 18, 99
    return (None, None) if age is None else (age, age) if level == 0 else (age // 10 * 10, age // 10 * 10 + 9)


def town_at(town, level):
    return "all" if level == 2 else town if level == 0 or town is None else TOWNS[town]


def told(row, choice):
    _, age, town, sex, _ = row
    return (*age_at(age, choice[0]), town_at(town, choice[1]), sex if choice[2] == 0 else "all")


def by_hand(rows, k, percent, l_diversity=1, by_person=False):
    order = sorted(product(range(3), range(3), range(2)), key=lambda one: (Fraction(one[0] + one[1], 2) + one[2], one))
    for choice in order:
        groups = {}
        for row in rows:
            groups.setdefault(told(row, choice), []).append(row)
        good = {
            key
            for key, held in groups.items()
            if (len({row[0] for row in held}) if by_person else len(held)) >= k and len({row[4] for row in held}) >= l_diversity
        }
        lost = sum(len(held) for key, held in groups.items() if key not in good)
        if lost * 100 <= percent * len(rows):
            shown = [row for row in rows if told(row, choice) in good]
            return Counter((*told(row, choice), row[4]) for row in shown), lost, choice
    return Counter(), len(rows), None


def people(seed, size, persons):
    coins = random.Random(seed)
    return [
        (
            f"p{coins.randrange(persons)}",
            coins.choice([None, *range(20, 60)]) if coins.random() < 0.3 else coins.choice([21, 24, 33, 38]),
            coins.choice([None, *TOWNS]) if coins.random() < 0.2 else coins.choice(["ash", "cedar"]),
            coins.choice("fm"),
            coins.choice(["flu", "cold", "burn"]),
        )
        for _ in range(size)
    ]


CASES = [
    (3, 5, "", 1, False, 40),
    (2, 20, 'sensitive = "illness", l_diversity = 2', 2, False, 40),
    (3, 10, 'unit = "person"', 1, True, 40),
    (2, 0, 'unit = "person", sensitive = "illness", l_diversity = 3', 3, True, 30),
    (4, 50, "", 1, False, 7),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_first_choice_of_levels_that_loses_few_enough(tmp_path, case):
    k, percent, more, l_diversity, by_person, size = CASES[case]
    rows = people(case, size, 12)
    rule = f"k = {k}, suppressed_percent_max = {percent}, quasi_identifiers = {{ {LEVELS} }}" + (f", {more}" if more else "")
    expected, lost, choice = by_hand(rows, k, percent, l_diversity, by_person)
    assert choice not in (None, (0, 0, 0)), "the case would show nothing"
    session = made(tmp_path, rule, rows)
    assert opened(session, "clear:") == (expected, lost)
    assert opened(session, "sim:") == (expected, lost)


def test_nothing_is_shown_where_no_choice_will_do(tmp_path):
    rows = people(7, 6, 12)
    session = made(tmp_path, f"k = 7, suppressed_percent_max = 50, quasi_identifiers = {{ {LEVELS} }}", rows)
    assert by_hand(rows, 7, 50)[2] is None
    assert opened(session, "sim:") == opened(session, "clear:") == (Counter(), 6)


def test_nobody_is_there(tmp_path):
    session = made(tmp_path, f"k = 3, quasi_identifiers = {{ {LEVELS} }}", [])
    assert opened(session, "sim:") == opened(session, "clear:") == (Counter(), 0)


# ---- bad input


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("k = 1, quasi_identifiers = { age = [1] }", "k is at least 2"),
        ("k = 3, quasi_identifiers = {}", "without what it needs"),
        ('k = 3, quasi_identifiers = { age = [1] }, sensitive = "illness"', "l_diversity goes with sensitive"),
        ("k = 3, quasi_identifiers = { age = [5, 12] }", "12 is none of 5"),
        ('k = 3, quasi_identifiers = { age = ["all", 5] }', '"all" last'),
        ("k = 3, quasi_identifiers = { age = [0] }", "widths of bands"),
        ('k = 3, quasi_identifiers = { town = ["province", "town"] }', "town is not by province"),
        ('k = 3, quasi_identifiers = { town = ["country"] }', "'country' is none"),
        ('k = 3, quasi_identifiers = { age = [1], person = ["all"] }, unit = "person"', "person in two roles"),
        ("k = 3, quasi_identifiers = { height = [1] }", "no column 'height'"),
        ('k = 3, quasi_identifiers = { age = [1] }, unit = "age"', "age in two roles"),
        ('k = 3, quasi_identifiers = { age = [1, 2, 4, 8, 16, 32, "all"], town = ["town", "province", "all"], sex = ["sex", "all"], '
         'illness = ["illness", "all"] }', "84 choices of levels"),
        ("k = 3, suppressed_percent_max = 100, quasi_identifiers = { age = [1] }", "from 0 to 99"),
    ],
)  # fmt: skip
def test_what_is_no_such_rule_is_refused(tmp_path, rule, words):
    with pytest.raises(Refused, match=words):
        made(tmp_path, rule, [])


def test_a_rule_reads_as_it_is_written():
    (rule,) = read_rules([{"rule": "k_anonymity", "k": 5, "quasi_identifiers": {"age": [1, "all"]}}])
    assert rule.quasi_identifiers == (("age", (1, "all")),) and "at least 5 rows look alike" in rule.sentence
