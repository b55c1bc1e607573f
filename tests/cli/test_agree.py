"""Keys, explanation, signatures and status, as the people who use them see them."""

import re
import stat

import pytest

from accord.node.session import open_study
from tests.cli.conftest import SOUTH


@pytest.fixture
def ready(accord, wages):
    """A study whose parties all have keys."""
    assert accord("keys", "wages").code == 0
    return wages


def test_keys_of_all_parties_are_made_and_named(accord, wages):
    said = accord("keys", "wages")
    assert (said.code, said.err) == (0, "")
    head, *rows, last = map(str.rstrip, said.out.splitlines())
    assert head.split()[:2] == ["party", "key"]
    for party, row in zip(("helper", "north", "south"), rows, strict=True):
        assert re.fullmatch(rf"{party} +([0-9a-f]{{4}} ){{3}}[0-9a-f]{{4}} +wages/parties/{party}/keys.private.json", row)
        assert stat.S_IMODE((wages / "parties" / party / "keys.private.json").stat().st_mode) == 0o600
    assert last == "written: wages/consortium.toml, who takes part and with which public keys; everybody signs it with the study"


def test_keys_are_made_once(accord, ready):
    before = (ready / "consortium.toml").read_bytes()
    assert accord("keys", "wages").code == 0
    assert (ready / "consortium.toml").read_bytes() == before


def test_keys_of_one_party_wait_for_the_others(accord, wages):
    said = accord("keys", "wages", "north")
    assert said.code == 3
    assert "accord: south has made no keys yet; run: accord keys" in said.line or "accord: helper has made no keys" in said.line
    assert [line.split()[0] for line in said.out.splitlines()] == ["party", "north"]
    assert (wages / "parties" / "north" / "keys.private.json").is_file()
    assert not (wages / "consortium.toml").exists()


def test_keys_of_a_stranger_are_refused(accord, wages):
    said = accord("keys", "wages", "nort")
    assert (said.code, said.line) == (3, "accord: nort is no party of this study; it names north, south, helper")


def test_the_explanation_speaks_plainly(accord, wages):
    """What an officer must find: purpose, whose data, who gets what under which rule, what follows, what is public, the cost."""
    said = accord("explain", "wages")
    assert (said.code, said.err) == (0, "")
    assert said.out.rstrip() == open_study(wages).explanation.text.rstrip()
    words = [
        "say here what the results are for",
        "north",
        "south",
        "helper",
        "at least 10",
        "a marker",
        "takes away its own rows",
        "rounds",
    ]
    text = " ".join(said.out.lower().split())
    assert [one for one in words if one not in text] == []


def test_a_question_that_cannot_be_planned_is_refused_in_one_line(accord, wages):
    path = wages / "study.toml"
    path.write_text(path.read_text().replace("AVG(wage) AS mean_wage", "MODE(wage) AS mean_wage"))
    said = accord("explain", "wages")
    assert (said.code, said.out) == (3, "")
    assert "MODE" in said.line.upper()


def test_a_damaged_study_names_its_line(accord, wages):
    path = wages / "study.toml"
    path.write_text(path.read_text().replace('name = "wages"', "name = wages"))
    said = accord("explain", "wages")
    assert said.code == 3
    assert said.line.startswith("accord: wages/study.toml: this is not TOML: ") and "line 6" in said.line


def test_signing_shows_the_explanation_and_asks(accord, ready):
    said = accord("sign", "wages", "--party", "north", answer="yes\n")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(open_study(ready).explanation.text.rstrip())
    agreement = open_study(ready).agreement
    for value in agreement.document().values():
        assert " ".join(value[at : at + 4] for at in range(0, 16, 4)) in said.out
    assert re.search(r"north +owns wages, computes, receives by_sector +([0-9a-f]{4} ?){4}", said.out)
    assert "Do you agree, for north? Type yes to sign: " in said.out
    assert said.out.endswith("signed by north\nnot yet signed by helper and south\n")
    assert [one.party for one in open_study(ready).folder.approvals()] == ["north"]


@pytest.mark.parametrize("answer", ["", "\n", "no\n", "y\n", "yes please\n"])
def test_anything_but_yes_signs_nothing(accord, ready, answer):
    said = accord("sign", "wages", "--all-local", answer=answer)
    assert said.code == 3
    assert said.line == "accord: not signed: the answer was not yes; nothing was written; sign when you agree"
    assert not (ready / "approvals").exists()


def test_all_local_parties_sign_at_once(accord, ready):
    said = accord("sign", "wages", "--all-local", answer="YES\n")
    assert "for north, south and helper?" in said.out
    assert said.out.endswith("everybody has signed; run it with: accord run wages --runtime local:\n")
    assert open_study(ready).missing() == []


def test_signing_unread_says_so(accord, ready):
    said = accord("sign", "wages", "--party", "north", "--party", "south", "--yes")
    assert said.code == 0
    assert said.line == "accord: warning: signing unread for north and south: nobody was shown what is computed and who learns it"
    assert said.out == "signed by north\nsigned by south\nnot yet signed by helper\n"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "who signs?; name one of north, south and helper with --party, or give --all-local for all whose keys are here"),
        (
            ("--party", "north", "--all-local"),
            "who signs?; name one of north, south and helper with --party, or give --all-local for all whose keys are here",
        ),
        (("--party", "west"), "west is not asked to sign this study (rule: it asks its owners and servers: north, south and helper)"),
    ],
)
def test_who_signs_must_be_clear(accord, ready, options, line):
    said = accord("sign", "wages", *options)
    assert (said.code, said.out, said.line) == (3, "", f"accord: {line}")


def test_without_keys_nobody_signs(accord, wages):
    said = accord("sign", "wages", "--party", "helper")
    assert (said.code, said.line) == (
        3,
        "accord: the keys of helper are not on this machine; let helper sign where they are, or make them with: accord keys",
    )


def test_a_change_after_signing_is_seen(accord, ready):
    accord("sign", "wages", "--all-local", answer="yes\n")
    path = ready / "study.toml"
    path.write_text(path.read_text().replace("minimum = 10", "minimum = 9"))
    said = accord("status", "wages")
    assert "offered" in said.out
    assert [line.split()[-1] for line in said.out.splitlines()[2:]] == ["no"] * 3
    assert accord("run", "wages", "--runtime", "local:").line == (
        "accord: the approval of helper, north, south is not for this study as it stands (rule: a signature covers study, consortium, plan "
        "and explanation, by the party's own key); whoever changed it must offer it again; each party then reads and signs anew"
    )


def test_the_status_names_who_is_missing(accord, wages):
    draft = accord("status", "wages")
    assert (draft.code, draft.err) == (0, "")
    assert draft.out.startswith("Wages: draft, may run until 20")
    accord("keys", "wages")
    accord("sign", "wages", "--party", "south", "--yes")
    said = accord("status", "wages")
    assert said.out.startswith("Wages: offered, may run until 20")
    assert [re.split(r" {2,}", line.strip()) for line in said.out.splitlines()[1:]] == [
        ["party", "part", "keys here", "signed"],
        ["north", "owns wages, computes, receives by_sector", "yes", "no"],
        ["south", "owns wages, computes, receives by_sector", "yes", "yes"],
        ["helper", "computes", "yes", "no"],
    ]


def test_the_study_may_be_named_by_its_file_or_from_inside(accord, ready, monkeypatch):
    by_file = accord("status", "wages/study.toml")
    monkeypatch.chdir(ready)
    assert accord("status", ".") == by_file


def test_what_is_no_study_is_refused(accord, files):
    said = accord("explain", "wages")
    assert (said.code, said.line) == (3, "accord: wages: there is no such file or folder; check the path")
    (files / "empty").mkdir()
    said = accord("explain", "empty")
    assert said.line == "accord: empty: no study here; name a folder that holds a study.toml, or make one with: accord new"
    assert (files / "south.csv").read_text() == SOUTH, "a command that only reads changes no file"


def test_seconds_stand_below_what_would_be_signed(accord, wages, monkeypatch, tmp_path):
    """With a calibration that is there, nothing is measured, and the signed text comes first, unchanged."""
    from accord.node import calibrate
    from accord.plan.clock import Machine, Rate

    machine = Machine({"sign": Rate(1e-3, 1e-9)}, 1e-4)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(calibrate, "here", lambda: machine)
    monkeypatch.setattr(calibrate, "apart", lambda: machine)
    calibrate.calibration()
    said = accord("explain", "wages", "--seconds")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(open_study(wages).explanation.text.rstrip())
    assert "not signed" in said.out and re.search(r"all, and release +\d+ +[\d.]+ k?B +[\d.]+ m?s +[\d.]+ m?s", said.out)


def test_the_rules_that_made_the_plan_are_shown_on_demand(accord, wages):
    said = accord("explain", "wages", "--rules")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(open_study(wages).explanation.text.rstrip())
    assert "CAME ABOUT, not signed" in said.out and "lift_to_owners: what one owner can do alone moves to the owner" in said.out
