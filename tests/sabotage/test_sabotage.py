"""Tests of the tests: every published damage to Accord is caught by the test that it names; and the workshop that does them is right."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from accord.base.errors import OurFault
from accord.testing.sabotage import Damage, Verdict, Workshop, damages
from tests.tidy.code import ROOMS, ROOT

DAMAGES = damages()
DAMAGES_MIN = 100
DAMAGED = {*ROOMS, "gallery"} - {"stats"}
"""`stats` has no code yet."""
NO_FLOORS = {"sabotage", "bench"}
"""Tests of tests, and of what only measures."""


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    with Workshop(ROOT) as made:
        yield made


def case(damage: Damage) -> object:
    return pytest.param(damage, id=f"{damage.room}, {damage.name}", marks=pytest.mark.slow if damage.slow else ())


@pytest.mark.parametrize("damage", [case(damage) for damage in DAMAGES])
def test_the_named_test_catches_it(damage: Damage, workshop: Workshop) -> None:
    judged = workshop.judge(damage)
    assert judged.verdict is Verdict.CAUGHT, "\n".join((f"{damage.name}: {judged.verdict}", damage.breaks, *judged.said))


# ---- the list


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_damage_fits_its_file_and_says_what_it_breaks(damage: Damage) -> None:
    text = damage.applied((ROOT / damage.file).read_text(encoding="utf-8"))
    ast.parse(text)
    assert damage.file.startswith((f"src/accord/{damage.room}/", f"{damage.room}/")) and damage.tests
    assert damage.breaks.endswith(".") and len(damage.breaks.split()) >= 6


def test_every_room_and_every_floor_is_damaged() -> None:
    by_room = Counter(damage.room for damage in DAMAGES)
    by_floor = Counter(test.split("/")[1] for damage in DAMAGES for test in damage.tests)
    print("damages by room:", dict(by_room), "caught by the tests of:", dict(by_floor))
    assert len(DAMAGES) >= DAMAGES_MIN
    assert set(by_room) == DAMAGED
    floors = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("test_*.py"))}
    assert floors - set(by_floor) - NO_FLOORS == set(), "a floor that catches nothing tests nothing"


def test_no_damage_is_listed_twice() -> None:
    assert len({(damage.file, damage.old, damage.new) for damage in DAMAGES}) == len(DAMAGES)


# ---- the workshop

CODE = "LIMIT = 5\n\n\ndef fits(number):\n    return number <= LIMIT\n"
TESTS = """
import pytest
from toy import fits


def test_inside():
    assert fits(5)


def test_outside():
    assert not fits(6)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_small(number):
    assert fits(number)


def test_late():
    from toy import LIMIT

    assert LIMIT == 5


def test_wrong():
    assert fits(7)
"""


@pytest.fixture(scope="module")
def toyshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A tree of one module and its tests."""
    root: Path = tmp_path_factory.mktemp("toy")
    (root / "src").mkdir()
    (root / "src" / "toy.py").write_text(CODE)
    (root / "tests").mkdir()
    (root / "tests" / "test_toy.py").write_text(TESTS)
    with Workshop(root) as made:
        yield made


def toy(old: str, new: str, *tests: str, times: int = 1) -> Damage:
    return Damage("toy", "toy", "It breaks.", "src/toy.py", old, new, tuple(f"tests/test_toy.py::{test}" for test in tests), times)


@pytest.mark.parametrize(
    ("damage", "verdict"),
    [
        (toy("<=", "<", "test_inside"), Verdict.CAUGHT),
        (toy("LIMIT = 5", "LIMIT = 6", "test_outside"), Verdict.CAUGHT),
        (toy("LIMIT", "TOP", "test_late", times=2), Verdict.BROKEN),
        (toy("LIMIT = 5", "LIMIT = 2", "test_small"), Verdict.CAUGHT),
        (toy("LIMIT = 5", "LIMIT = 6", "test_inside"), Verdict.SURVIVED),
        (toy("LIMIT = 5", "LIMIT = 6", "test_outside", "test_small"), Verdict.SURVIVED),
        (toy("LIMIT = 5", "LIMIT = (", "test_inside"), Verdict.BROKEN),
        (toy("LIMIT = 5", "import nowhere", "test_inside"), Verdict.BROKEN),
        (toy("LIMIT = 5", "LIMIT = 'five'", "test_inside"), Verdict.BROKEN),
        (toy("LIMIT = 5", "import os; os._exit(1)", "test_inside"), Verdict.BROKEN),
        (toy("LIMIT = 5", "LIMIT = 6", "test_wrong"), Verdict.UNFIT),
        (toy("LIMIT = 5", "LIMIT = 6", "test_nothing"), Verdict.UNFIT),
    ],
)
def test_a_damage_is_judged_by_what_its_tests_say(damage: Damage, verdict: Verdict, toyshop: Workshop) -> None:
    judged = toyshop.judge(damage)
    assert judged.verdict is verdict, judged.said
    assert (toyshop.tree / "src" / "toy.py").read_text() == CODE, "the damage is undone"


@pytest.mark.parametrize("old", ["LIMIT", "limit", "LIMIT = 5"])
def test_a_stale_damage_is_said_to_be_stale(old: str, toyshop: Workshop) -> None:
    with pytest.raises(OurFault, match="is stale: its old text stands there"):
        toyshop.judge(toy(old, "LIMIT = 5", "test_inside"))


def test_two_damages_of_one_name_are_refused(tmp_path: Path) -> None:
    one = "[[damage]]\nname = 'a'\nroom = 'mpc'\nbreaks = ''\nfile = ''\nold = ''\nnew = ''\ntests = []\n"
    (tmp_path / "list.toml").write_text(one * 2)
    with pytest.raises(OurFault, match="two damages are named 'a'"):
        damages(tmp_path / "list.toml")
