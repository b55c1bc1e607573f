"""A study in the hands of its parties: who signs, what is missing, where it stands, what can be opened."""

import datetime
import shutil
from types import SimpleNamespace

import pytest

from accord.base.errors import Refused
from accord.node import server
from accord.node.history import withdraw
from accord.node.session import open_study
from accord.node.setup import make_keys
from accord.study import consortium, keys
from accord.study.lifecycle import State
from tests.node.conftest import APPROVERS, sign_all, unsigned, write_study

EXPIRED = ("expires = 2999-12-31", "expires = 2020-01-31")


@pytest.fixture
def draft(tmp_path):
    """A study before anybody made keys."""
    unsigned(tmp_path)
    return tmp_path


@pytest.fixture
def offered(study):
    shutil.rmtree(study / "approvals")
    return study


def test_a_study_opens_by_folder_and_by_file(study):
    assert open_study(study / "study.toml").study == open_study(study).study
    with pytest.raises(Refused, match="no study here"):
        open_study(study / "parties")


def test_those_who_have_not_signed_are_named(offered):
    session = open_study(offered)
    assert session.missing() == sorted(APPROVERS)
    for left in (["helper", "south"], ["helper"], []):
        session.sign(next(name for name in APPROVERS if name in session.missing()))
        assert session.missing() == left


def test_signing_twice_counts_once_and_gives_the_same_signature(offered):
    session = open_study(offered)
    assert session.sign("north") == session.sign("north")
    assert session.missing() == ["helper", "south"]
    assert [one.event for one in session.folder.party("north").ledger().entries[-2:]] == ["approved", "approved"]


@pytest.mark.parametrize("party", ["office", "stranger"])
def test_only_owners_and_servers_sign(offered, party):
    with pytest.raises(Refused, match=rf"the signature of {party} is not needed \(rule: every owner and every server signs\)"):
        open_study(offered).sign(party)
    assert not (offered / "approvals").exists()


def test_keys_that_the_consortium_does_not_know_sign_nothing(offered):
    own = open_study(offered).folder.party("south").path
    (own / keys.PRIVATE_FILE).unlink()
    keys.save(keys.generate("south"), own)
    with pytest.raises(Refused, match="the keys here are not those that the consortium has for south; make the consortium anew"):
        open_study(offered).sign("south")
    assert not (offered / "approvals").exists()


def test_a_draft_has_nothing_to_sign(draft):
    session = open_study(draft)
    assert session.state() == State.DRAFT
    with pytest.raises(Refused, match="no keys here"):
        session.sign("north")
    keys.save(keys.generate("north"), session.folder.party("north").path)
    with pytest.raises(Refused, match="this study has no consortium yet; make each party's keys with: accord keys"):
        session.sign("north")


def test_the_states_of_a_study(draft):
    session = open_study(draft)
    make_keys(session.folder)
    assert session.state() == State.OFFERED
    session.sign("north")
    assert session.state() == State.OFFERED
    sign_all(draft)
    assert session.state() == State.SIGNED
    write_study(draft, ('minimum = 5 }]\n\n[[releases]]\nname = "high"', 'minimum = 6 }]\n\n[[releases]]\nname = "high"'))
    assert open_study(draft).state() == State.OFFERED, "a change needs new signatures"


def test_a_study_that_ran_is_done_until_it_is_changed(finished):
    assert open_study(finished).state() == State.DONE
    write_study(finished, ("2500 *", "2600 *"))
    assert open_study(finished).state() == State.OFFERED
    assert sign_all(finished).state() == State.SIGNED, "the old run's receipt is of another study"


def test_a_study_whose_run_failed_says_so(finished):
    session = open_study(finished)
    (run,) = session.folder.runs()
    (session.folder.run(run) / "receipt.json").unlink()
    assert session.state() == State.FAILED, "it was killed"
    withdraw(session.folder.party("north"), run)
    shutil.rmtree(session.folder.run(run))
    assert session.state() == State.FAILED


def test_an_expired_study_is_neither_signed_nor_run(study):
    write_study(study, EXPIRED)
    session = open_study(study)
    sentence = "wages: this study expired on 2020-01-31; offer it anew with a later date; every party signs again"
    with pytest.raises(Refused) as told:
        session.sign("north")
    assert str(told.value) == sentence
    assert session.state() == State.EXPIRED


def test_a_study_that_expires_after_it_was_signed_does_not_run(accord, study, monkeypatch):
    later = SimpleNamespace(date=SimpleNamespace(today=lambda: datetime.date(3000, 1, 1)))
    monkeypatch.setattr(server, "datetime", later)
    said = accord("run", study)
    assert said.code == 3
    assert said.line == "accord: wages: this study expired on 2999-12-31; offer it anew with a later date; every party signs again"
    assert not (study / "runs").exists()


def test_each_recipient_opens_what_is_meant_for_it(done):
    session = open_study(done.folder)
    assert {name: list(session.open(name)) for name in ("north", "south", "office")} == {
        "north": ["means", "high", "own"],
        "south": ["high", "own"],
        "office": ["means"],
    }
    with pytest.raises(Refused, match="this run released nothing to helper; recipients are north, office, south"):
        session.open("helper")


def test_the_newest_run_is_opened_unless_another_is_named(finished):
    """A newer one of which nothing came is none."""
    session = open_study(finished)
    (run,) = session.folder.runs()
    (finished / "runs" / "99991231T000000Z-00000000" / "sealed").mkdir(parents=True)
    assert session.verify().run == run
    assert session.open("office")["means"].rows() == session.open("office", run)["means"].rows()
    with pytest.raises(Refused, match="no such run, or it released nothing"):
        session.open("office", "99991231T000000Z-00000000")


def test_before_a_run_nothing_can_be_opened_or_verified(study):
    for attempt in (lambda session: session.open("north"), lambda session: session.verify()):
        with pytest.raises(Refused, match="this study has released nothing yet; run it with: accord run"):
            attempt(open_study(study))


def test_a_private_key_is_never_shown(study):
    folder = open_study(study).folder
    for name in folder.local_parties():
        own = folder.party(name).keys()
        shown = repr(own) + str(own) + repr(folder.party(name))
        assert own.signing.private_bytes_raw().hex() not in shown
        assert own.salt.hex() not in shown and repr(own.salt) not in shown


def test_servers_of_consortium_and_study_are_the_same_three(study):
    """In the same order: who holds which component follows from it."""
    known = open_study(study).folder.consortium()
    consortium.write(consortium.Consortium(known.parties, known.servers[::-1]), study)
    with pytest.raises(Refused, match=r"consortium and study name other servers \(rule: the same three in the same order\)"):
        sign_all(study).run("local:")
    assert not (study / "runs").exists()
