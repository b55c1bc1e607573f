"""Releases of the same data that could be subtracted: an attacker's two questions, and what stops the second.

Two offices hold people; one of those in town x is the only carpenter there. Whoever is told the sum over all, and the sum over all but
carpenters of x, has that person's income.
"""

import random
from pathlib import Path

import pytest

from accord.base.errors import Refused
from accord.node import earlier
from accord.node.compiled import compile_study
from accord.node.folder import open_folder
from accord.node.session import open_study
from accord.node.setup import make_keys
from accord.study import document

HEAD = """
[study]
name = "{name}"
title = "Incomes"
purpose = "A test of what can be subtracted"
expires = 2999-12-31
servers = ["north", "south", "helper"]

[tables.people]
owners = ["north", "south"]
rows_max = 60
columns = [
  {{ name = "person", kind = "int", low = 0, high = 999 }},
  {{ name = "age", kind = "int", low = 0, high = 99 }},
  {{ name = "town", kind = "category", values = ["x", "y"] }},
  {{ name = "job", kind = "category", values = ["carpenter", "clerk", "nurse"], nullable = true }},
  {{ name = "income", kind = "int", low = 0, high = 9999 }},
]
"""
HISTORY = """
[history]
difference_min = 5
[history.tables.people]
"""
RELEASE = """
[[releases]]
name = "{name}"
title = "Sum of incomes"
sql = '''{sql}'''
recipients = ["office"]
rules = [{{ rule = "minimum_count", column = "n", minimum = 5 }}]
"""
ALL = "SELECT COUNT(*) AS n, SUM(income) AS s FROM people WHERE age >= 30"
BUT_ONE = "SELECT COUNT(*) AS n, SUM(income) AS s FROM people WHERE age >= 30 AND NOT (town = 'x' AND COALESCE(job, 'nurse') = 'carpenter')"
BY_TOWN = "SELECT town, COUNT(*) AS n, SUM(income) AS s FROM people WHERE age >= 30 GROUP BY town"
INSIDE = (
    "SELECT COUNT(*) AS n, SUM(CASE WHEN town = 'x' AND COALESCE(job, 'nurse') = 'carpenter' THEN 0 ELSE income END) AS s "
    "FROM people WHERE age >= 30"
)
OWNERS = ("north", "south")
TARGET = (7, 40, "x", "carpenter", 4321)


def write_question(folder, sql, name="incomes", history=HISTORY, head=HEAD, release="sums"):
    (folder / "study.toml").write_text(head.format(name=name) + history + RELEASE.format(name=release, sql=sql))


def rows(seed=3):
    """All people: forty a side; the target is the one carpenter of town x."""
    print(f"seed of the data: {seed}")
    coins = random.Random(seed)
    made = []
    for at in range(80):
        town = coins.choice("xy")
        job = coins.choice(("clerk", "nurse", "") if town == "x" else ("carpenter", "clerk", "nurse", ""))
        made.append((100 + at, coins.randrange(20, 70), town, job, coins.randrange(1000, 9000)))
    return [*made[:39], TARGET, *made[40:]]


def write_people(folder, people):
    for at, owner in enumerate(OWNERS):
        lines = [",".join(map(str, one)) for one in people[at * 40 : at * 40 + 40]]
        (folder / f"{owner}.csv").write_text("\n".join(["person,age,town,job,income", *lines]) + "\n")


@pytest.fixture(scope="session")
def signed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_people(folder, rows())
    write_question(folder, ALL)
    place = open_folder(folder)
    for owner in OWNERS:
        place.party(owner).write_data({"people": Path("..", "..", f"{owner}.csv")})
    make_keys(place)
    return folder


@pytest.fixture
def people(signed, tmp_path):
    import shutil

    return shutil.copytree(signed, tmp_path / "people")


def ask(folder, sql, **more):
    """Sign and run a question."""
    write_question(folder, sql, **more)
    session = open_study(folder)
    for party in session.study.approvers:
        session.sign(party)
    return session.run("local:")


def opened(folder, outcome, release="sums"):
    return list(open_study(folder).open("office", outcome.run_id)[release].rows())


def test_without_the_rule_the_difference_is_one_persons_income(people, in_threads):
    first = opened(people, ask(people, ALL, history=""))
    second = opened(people, ask(people, BUT_ONE, history=""))
    assert first[0]["s"] - second[0]["s"] == TARGET[-1]
    assert first[0]["n"] - second[0]["n"] == 1


@pytest.mark.parametrize("sql", [BUT_ONE, INSIDE])
def test_the_second_question_is_stopped(people, in_threads, sql):
    """Recipients are told which earlier release it is too close to and nothing else; owners count it."""
    first = ask(people, ALL)
    digest = open_study(people).study.digest.hex()[:8]
    assert opened(people, first)[0]["n"] and first.stops == ()
    second = ask(people, sql, name="again")
    reason = (
        f"the answer is too close to release sums of study incomes ({digest}): groups of theirs differ by fewer than 5 rows of people"
    )
    assert second.stops == (reason,)
    with pytest.raises(Refused) as told:
        opened(people, second)
    assert reason in str(told.value)
    for owner in OWNERS:
        (entry,) = open_folder(people).party(owner).ledger().find("stopped")
        assert entry.facts["run"] == second.run_id and entry.facts["reasons"] == [reason]
    assert "history.close" in str(open_study(people).verify(second.run_id).statements[0].facts["checks"])
    again = open_study(people).run("local:")
    assert again.is_stored and again.stops == second.stops


def test_what_was_stopped_is_no_answer(people, in_threads):
    """A third question may be close to the second, whose answer nobody has."""
    ask(people, ALL)
    assert ask(people, BUT_ONE, name="again").stops
    close_to_second = BUT_ONE.replace("age >= 30", "age >= 45")
    third = ask(people, close_to_second, name="third")
    assert third.stops == () and opened(people, third)[0]["n"] == sum(one[1] >= 45 and one[2:4] != ("x", "carpenter") for one in rows())


def test_the_order_of_the_two_does_not_matter(people, in_threads):
    ask(people, BUT_ONE)
    assert ask(people, ALL, name="again").stops


def test_rows_of_an_earlier_table_are_added_up(people, in_threads):
    """All people by town, then all but one: no town's figure is asked for, and the towns' sum gives it."""
    assert ask(people, BY_TOWN).stops == ()
    assert ask(people, BUT_ONE, name="again").stops


def test_far_groups_and_the_same_group_are_answered(people, in_threads):
    ask(people, ALL)
    same = ask(people, ALL.replace("SUM(income)", "SUM(person)"), name="same")
    assert same.stops == () and opened(people, same)[0]["n"] == sum(one[1] >= 30 for one in rows())
    far = ask(people, ALL.replace(">= 30", ">= 50"), name="far")
    assert far.stops == ()
    assert ask(people, BY_TOWN, name="towns").stops == ()


def test_new_data_are_another_matter(people, in_threads):
    ask(people, ALL)
    write_people(people, rows(seed=4))
    assert ask(people, BUT_ONE, name="again").stops == ()


def test_two_releases_of_one_study_are_compared(people, in_threads):
    more = RELEASE.format(name="but_one", sql=BUT_ONE)
    outcome = ask(people, ALL, history=HISTORY + more)
    assert outcome.stops == ("releases but_one and sums of this study are too close: groups of theirs differ by fewer than 5 rows of people",)
    with pytest.raises(Refused, match="releases but_one and sums of this study are too close"):
        open_study(people).run("sim:")


def test_the_explanation_says_so(people):
    write_question(people, ALL)
    text = compile_study(document.read(people)).explanation.text
    assert "Where a group differs from one of theirs by fewer than 5 rows of people, nothing is released" in text
    assert "that the answer is too close to an earlier one, and which" in text
