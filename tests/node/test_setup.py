"""Keys: made once, never overwritten, each on its party's machine."""

import shutil

import pytest

from accord.base.errors import Refused
from accord.node.folder import open_folder
from accord.node.session import open_study
from accord.node.setup import identity, make_keys
from accord.study import keys
from tests.node.conftest import SERVERS, sign_all, unsigned, write_study

PARTIES = ["helper", "north", "office", "south"]


@pytest.fixture
def draft(tmp_path):
    return unsigned(tmp_path / "wages") if (tmp_path / "wages").mkdir() is None else None


def private(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "parties" in path.parts}


def test_every_party_gets_keys_and_servers_certificates(draft):
    made = make_keys(draft)
    assert draft.local_parties() == PARTIES == sorted(made.parties)
    assert [place.party for place in made.servers] == list(SERVERS)
    assert len({place.address for place in made.servers}) == 3
    for place in made.servers:
        assert place.certificate == identity(draft.party(place.party)).fingerprint
    assert not (draft.party("office").path / "tls.pem").exists()
    assert draft.consortium() == made
    for name in PARTIES:
        assert made.keys_of(name) == draft.party(name).keys().public
        assert draft.party(name).path.stat().st_mode & 0o777 == 0o700


def test_keys_are_never_overwritten(study):
    before = private(study), (study / "consortium.toml").read_bytes()
    make_keys(open_folder(study))
    make_keys(open_folder(study), ["north", "helper"])
    assert (private(study), (study / "consortium.toml").read_bytes()) == before
    assert open_study(study).missing() == []
    with pytest.raises(Refused, match="keys are there already"):
        keys.save(keys.generate("north"), open_folder(study).party("north").path)


def test_a_party_that_comes_later_gets_keys_and_the_others_keep_theirs(study):
    before = private(study)
    write_study(study, ('["north", "office"]', '["north", "office", "ministry"]'))
    known = open_folder(study).consortium()
    made = make_keys(open_folder(study))
    assert set(made.parties) - set(known.parties) == {"ministry"}
    assert {name: made.keys_of(name) for name in known.parties} == known.parties and made.servers == known.servers
    assert before.items() <= private(study).items()


def test_on_another_machine_a_party_makes_its_own_keys_only(study):
    """North's machine has the study and the consortium, and no other party's folder. A new recipient lives there too."""
    known = open_folder(study).consortium()
    for name in ("south", "helper", "office"):
        shutil.rmtree(study / "parties" / name)
    write_study(study, ('["north", "office"]', '["north", "office", "ministry"]'))
    made = make_keys(open_folder(study))
    assert open_folder(study).local_parties() == ["ministry", "north"]
    assert {name: made.keys_of(name) for name in known.parties} == known.parties
    assert made.servers == known.servers, "addresses and certificates stay"
    assert open_study(study).sign("north")
    with pytest.raises(Refused, match="no keys here"):
        open_study(study).sign("south")


def test_keys_that_lie_elsewhere_are_not_replaced_by_mistake(study):
    shutil.rmtree(study / "parties" / "south")
    before = (study / "consortium.toml").read_bytes()
    with pytest.raises(Refused) as told:
        make_keys(open_folder(study), ["south"])
    assert str(told.value) == (
        f"{study / 'consortium.toml'}: south has keys already, on another machine; let south sign there; to replace its keys, "
        "take its entry out of this file first"
    )
    assert (study / "consortium.toml").read_bytes() == before
    assert not (study / "parties" / "south").exists()


def test_before_all_have_keys_there_is_no_consortium(draft):
    with pytest.raises(Refused, match=r"^south has made no keys yet; run: accord keys STUDY south, on its machine"):
        make_keys(draft, ["north"])
    assert draft.local_parties() == ["north", "south"] and not (draft.path / "consortium.toml").exists()
    own = draft.party("north").keys().public
    assert make_keys(draft).keys_of("north") == own


def test_a_stranger_gets_no_keys(draft):
    with pytest.raises(Refused, match="nort is no party of this study; it names north, south, helper, office"):
        make_keys(draft, ["nort"])
    assert not (draft.path / "parties" / "nort").exists()


def test_new_keys_void_the_signatures(study):
    """A party that lost its key makes another: everybody signs again."""
    own = open_folder(study).party("south").path
    (own / keys.PRIVATE_FILE).unlink()
    text = (study / "consortium.toml").read_text()
    (study / "consortium.toml").unlink()
    assert make_keys(open_folder(study)) and (study / "consortium.toml").read_text() != text
    assert open_study(study).missing() == ["helper", "north", "south"]
    assert sign_all(study).missing() == []
