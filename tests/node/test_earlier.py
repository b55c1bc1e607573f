"""Releases of the same data that could be subtracted: an attacker's two questions, and what stops the second.

Two offices hold people; one of those in town x is the only carpenter there. Whoever is told the sum over all, and the sum over all but
carpenters of x, has that person's income.
"""

import random
import shutil
from pathlib import Path

import pytest

from accord.base import canonical
from accord.base.errors import Refused
from accord.node import earlier
from accord.node.compiled import compile_study
from accord.node.folder import open_folder
from accord.node.recipient import SEALED
from accord.node.session import open_study
from accord.node.setup import make_keys
from accord.release.seal import open_sealed
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


@pytest.mark.parametrize("sql", [BUT_ONE, INSIDE], ids=["where", "inside"])
def test_the_second_question_is_stopped(people, in_threads, sql):
    """Recipients are told which earlier release it is too close to and nothing else; owners count it."""
    first = ask(people, ALL)
    digest = open_study(people).study.digest.hex()[:8]
    assert opened(people, first)[0]["n"] and first.stops == ()
    second = ask(people, sql, name="again")
    reason = f"the answer is too close to release sums of study incomes ({digest}): groups of theirs differ by fewer than 5 rows of people"
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
    """A third question has four people fewer than the second, whose answer nobody has, and five fewer than the first."""
    ask(people, ALL)
    assert ask(people, BUT_ONE, name="again").stops
    incomes = sorted(one[4] for one in rows() if one[1] >= 30 and one != TARGET)
    third = ask(people, f"{BUT_ONE} AND income > {incomes[3]}", name="third")
    assert third.stops == () and opened(people, third)[0]["n"] == len(incomes) - 4


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
    assert outcome.stops == (
        "releases but_one and sums of this study are too close: groups of theirs differ by fewer than 5 rows of people",
    )
    with pytest.raises(Refused, match=r"releases but_one and sums of this study are too close"):
        open_study(people).run("sim:")


def test_parts_of_one_release_are_compared(people, in_threads):
    """Two rows of one table, of all and of all but one, as well as two tables; but not a total beside its own parts."""
    outcome = ask(people, f"{ALL} UNION ALL {BUT_ONE}")
    assert outcome.stops == ("parts of release sums are too close: groups of theirs differ by fewer than 5 rows of people",)
    assert ask(people, f"{ALL} UNION ALL {ALL.replace('>= 30', '>= 50')}", name="apart").stops == ()
    assert ask(people, BY_TOWN.replace("GROUP BY town", "GROUP BY ROLLUP (town)"), name="margins").stops == ()


def test_the_explanation_says_so(people):
    write_question(people, ALL)
    text = compile_study(document.read(people)).explanation.text
    assert "Where a group differs from one of theirs by fewer than 5 rows of people, nothing is released" in text
    assert "that the answer is too close to an earlier one, and which" in text


def test_the_command_says_why_and_ends_with_3(people, in_threads, accord):
    ask(people, ALL)
    write_question(people, BUT_ONE, name="again")
    assert accord("sign", people, "--all-local", "--yes").code == 0
    said = accord("run", people)
    assert said.code == 3 and "too close to release sums of study incomes" in said.line
    assert "the owners have counted this stop" in said.line
    assert accord("run", people).code == 3
    assert len(open_folder(people).party("north").ledger().find("stopped")) == 1
    opened_ = accord("open", people, "--as", "office")
    assert opened_.code == 3 and "too close to release sums of study incomes" in opened_.line


def test_a_stop_cannot_be_seen_on_the_lines(people, in_threads):
    """Rounds, bytes and the sizes of what is sealed are the same where the second question is stopped and where it is not."""
    shapes = []
    for carpenters in (1, 8):
        folder = shutil.copytree(people, people.with_name(f"people {carpenters}"))
        made = [one for one in rows() if one != TARGET]
        write_people(folder, [*[(900 + at, *TARGET[1:]) for at in range(carpenters)], *made[: 80 - carpenters]])
        ask(folder, ALL)
        outcome = ask(folder, BUT_ONE, name="again")
        sealed = sorted((path.parts[-3:], path.stat().st_size) for path in outcome.folder.rglob("*.sealed"))
        shapes.append((outcome.rounds, outcome.bytes_per_server, sealed))
        assert bool(outcome.stops) == (carpenters == 1)
        assert (outcome.foretold.rounds, outcome.foretold.bytes_per_server) == shapes[-1][:2]
    assert shapes[0] == shapes[1] and len(shapes[0][2]) == 9


# ---- units


UNITS = HISTORY + 'unit = ["person"]\nrows_max = 2\n'
TWICE = "SELECT COUNT(*) AS n, SUM(income) AS s FROM people WHERE age >= 30 AND NOT (income BETWEEN 0 AND {most})"


def test_units_of_several_rows_are_counted_by_their_rows(people, in_threads):
    """Nine rows can be those of five persons with two rows each, so that they are too few; ten are five persons."""
    incomes = sorted(one[4] for one in rows() if one[1] >= 30)
    ask(people, ALL, history=UNITS)
    assert ask(people, TWICE.format(most=incomes[8]), name="nine", history=UNITS).stops
    assert ask(people, TWICE.format(most=incomes[9]), name="ten", history=UNITS).stops == ()


def test_a_unit_with_more_rows_than_declared_stops_the_run(people, in_threads):
    write_people(people, [(7, *one[1:]) if at < 3 else one for at, one in enumerate(rows())])
    outcome = ask(people, ALL, history=UNITS)
    assert outcome.stops == ("a person has more than the 2 rows of people that the study declares",)


# ---- joins


FIRMS = """
[tables.firms]
owners = ["helper"]
rows_max = 60
unique = ["member"]
columns = [{{ name = "member", kind = "int", low = 0, high = 999 }}, {{ name = "sector", kind = "category", values = ["a", "b"] }}]
"""


def test_masks_with_a_join_on_a_secret_key(people, in_threads):
    """Of the people of sector a, then of those but the target: whose sector only another owner knows."""
    members = [*[one[0] for one in rows()][::2], TARGET[0]]
    lines = [f"{member},{'ab'[at % 3 == 0]}" for at, member in enumerate(dict.fromkeys(members))]
    (people / "firms.csv").write_text("\n".join(["member,sector", *lines]) + "\n")
    assert f"{TARGET[0]},a" in lines
    open_folder(people).party("helper").write_data({"firms": Path("..", "..", "firms.csv")})
    joined = "SELECT COUNT(*) AS n, SUM(income) AS s FROM people JOIN firms ON person = member WHERE sector = 'a' AND age >= 30"
    ask(people, joined, head=HEAD + FIRMS)
    more = f"{joined} AND NOT (town = 'x' AND COALESCE(job, 'nurse') = 'carpenter')"
    assert ask(people, more, head=HEAD + FIRMS, name="again").stops


# ---- what owners state


@pytest.fixture
def stated(people, in_threads):
    """North's statement on one earlier release, for a run of another study."""
    ask(people, ALL)
    write_question(people, BUT_ONE, name="again")
    session = open_study(people)
    north = session.folder.party("north")
    versions = north.ledger().find("shared")[0].facts["versions"]
    return session, north, earlier.state(north, session.compiled, "run-2", versions)


def test_a_statement_names_what_was_answered(stated):
    session, north, encoded = stated
    (answered,) = earlier.read_statement(encoded, "north", "run-2", session.study, north.keys().public)
    assert answered.study.name == "incomes" and answered.tables == {"people": "people"}
    text = encoded.decode()
    assert not any(str(row[4]) in text for row in rows() if row[4] > 2999)


def test_a_statement_that_was_shortened_or_is_of_another_run_is_refused(stated):
    session, north, encoded = stated
    whole = canonical.decode(encoded)
    whole["facts"]["answered"] = []
    for altered, run in ((canonical.encode(whole), "run-2"), (encoded, "run-3")):
        with pytest.raises(
            Refused, match=r"the statement of north on what it answered: it is not signed by its owner, or is for another run"
        ):
            earlier.read_statement(altered, "north", run, session.study, north.keys().public)
    with pytest.raises(Refused, match=r"the statement of north on what it answered: it is damaged; let the owner state it again"):
        earlier.read_statement(b"{}", "north", "run-2", session.study, north.keys().public)


def test_servers_that_know_of_other_answers_do_not_meet(stated):
    """The list of earlier releases is part of what servers compare before they compute."""
    session, north, encoded = stated
    answered = earlier.read_statement(encoded, "north", "run-2", session.study, north.keys().public)
    one, other = earlier.with_history(session.compiled, answered), earlier.with_history(session.compiled)
    assert one.run_digest != other.run_digest and one.plan_digest == other.plan_digest
    assert one.agreement(session.folder.consortium()) == other.agreement(session.folder.consortium())


def test_a_text_that_is_missing_stops_the_owner(stated):
    session, north, _ = stated
    versions = north.ledger().find("shared")[0].facts["versions"]
    (path,) = (north.path / "answered").iterdir()
    path.unlink()
    with pytest.raises(Refused, match=r"the text of a study that was answered is missing or damaged .*restore the file"):
        earlier.state(north, session.compiled, "run-2", versions)


def test_after_so_many_stops_an_owner_answers_no_more(stated, monkeypatch):
    session, north, _ = stated
    versions = north.ledger().find("shared")[0].facts["versions"]
    monkeypatch.setattr(earlier, "STOPPED_MAX", 2)
    for run in ("run-3", "run-4"):
        earlier.state(north, session.compiled, "run-5", versions)
        north.ledger().append("stopped", {"run": run, "study": "", "versions": versions, "reasons": ["too close"]})
    with pytest.raises(Refused, match=r"the ledger of north: 2 runs over these data were stopped .*after 2 the owner answers no more"):
        earlier.state(north, session.compiled, "run-5", versions)
    earlier.state(north, session.compiled, "run-5", {"people": "0" * 64})


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("high = 9999 }", "high = 9998 }", r"it declared people.income otherwise than this study .*declare it as it was declared before"),
        ('["north", "south"]\nrows_max', '["north"]\nrows_max', "it read people of north, south, and this study has it of north"),
    ],
)
def test_an_earlier_release_that_cannot_be_compared_is_a_refusal(stated, people, old, new, why):
    session, north, encoded = stated
    text = (people / "study.toml").read_text()
    assert text.count(old) == 1
    (people / "study.toml").write_text(text.replace(old, new))
    answered = earlier.read_statement(encoded, "north", "run-2", session.study, north.keys().public)
    with pytest.raises(Refused, match=why):
        earlier.with_history(open_study(people).compiled, answered)


def test_too_many_earlier_releases_are_a_refusal(stated, monkeypatch):
    session, north, encoded = stated
    answered = earlier.read_statement(encoded, "north", "run-2", session.study, north.keys().public)
    monkeypatch.setattr(earlier, "EARLIER_RELEASES_MAX", 0)
    with pytest.raises(Refused, match=r"1 earlier releases are of the same data .*a release is compared with at most 0"):
        earlier.with_history(session.compiled, answered)


# ---- the study's text


@pytest.mark.parametrize(
    ("history", "why"),
    [
        ("[history]\ndifference_min = 1\n[history.tables.people]", r"difference_min = 1 \(rule: 2 or more units\)"),
        ("[history]\ndifference_min = 5", "no table is named .*add \\[history.tables.NAME\\]"),
        ("[history]\ndifference_min = 5\n[history.tables.peple]", "peple is no owner's table of this study"),
        ("[history]\ndifference_min = 5\n[history.tables.people]\nrows_max = 3", "rows_max = 3 .*1 where a row is the unit"),
        ('[history]\ndifference_min = 5\n[history.tables.people]\nunit = ["pers"]', "no column 'pers' in table people"),
    ],
)
def test_a_history_that_does_not_fit_is_refused(people, history, why):
    write_question(people, ALL, history=history + "\n")
    with pytest.raises(Refused, match=why):
        document.read(people)


def test_a_release_that_cannot_be_compared_is_refused_before_anybody_signs(people):
    write_question(people, "SELECT COUNT(*) AS n FROM people a JOIN people b ON a.person = b.person")
    with pytest.raises(Refused, match=r"release sums: it reads people twice in one GROUP BY .*leave people out of"):
        compile_study(document.read(people))


def test_noise_is_compared_with_nothing(people, in_threads):
    """It hides differences by itself, and the owner's quota counts it: what stops the run does not stop it."""
    noised = RELEASE.format(name="noised", sql=BUT_ONE.replace(", SUM(income) AS s", "")).replace(
        'rules = [{ rule = "minimum_count", column = "n", minimum = 5 }]',
        'noise = { mechanism = "discrete_laplace", epsilon = "1", unit = { table = "people" } }',
    )
    ask(people, ALL)
    outcome = ask(people, BUT_ONE, name="again", history=HISTORY + noised)
    assert len(outcome.stops) == 1 and "of this study" not in outcome.stops[0]
    session, keys = open_study(people), open_folder(people).party("office").keys()
    sealed = [(outcome.folder / SEALED / one / "office" / "noised.sealed").read_bytes() for one in session.study.servers]
    assert list(open_sealed(sealed, keys.encryption).rows())
    assert list(session.open("office", only="noised")["noised"].rows())
    with pytest.raises(Refused, match="too close"):
        session.open("office")
    with pytest.raises(Refused, match="released no other to office"):
        session.open("office", only="other")
