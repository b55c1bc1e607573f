"""Every party's ledger tells what it took part in, and never what the data are."""

import json

import pytest

from accord.base.errors import Refused
from accord.node.folder import open_folder
from accord.node.session import open_study
from tests.node.conftest import OWNERS, SERVERS


def events(folder, name):
    return [one.event for one in open_folder(folder).party(name).ledger().entries]


def test_what_happened_stands_in_the_ledger_of_who_did_it(done):
    owner_and_server = ["approved", "answered", "shared", "committed", "ran"]
    assert {name: events(done.folder, name) for name in ("north", "south", "helper", "office")} == {
        "north": owner_and_server,
        "south": owner_and_server,
        "helper": ["approved", "committed", "ran"],
        "office": [],
    }


def test_ledgers_name_run_study_and_agreement(done):
    session = open_study(done.folder)
    for name in SERVERS:
        approved, *rest = session.folder.party(name).ledger().entries
        assert approved.facts == session.agreement.document()
        assert {(one.facts["run"], one.facts["study"]) for one in rest} == {(done.outcome.run_id, session.study.digest.hex())}
    (shared,) = session.folder.party("south").ledger().find("shared")
    inputs = session.verify().statements[0].facts["inputs"]
    assert shared.facts["inputs"] == {name: value for name, value in inputs.items() if name.startswith("south")}


def test_no_ledger_holds_data_or_a_hash_that_could_be_tested(done):
    """No cell; nor any of the usual digests of a file."""
    import hashlib

    for name in OWNERS:
        data = (done.folder / f"{name}.csv").read_bytes()
        text = (done.folder / "parties" / name / "ledger.jsonl").read_text()
        cells = {line.rsplit(",", 1)[1] for line in data.decode().splitlines()[1:]} - {""}
        assert not [cell for cell in cells if cell in text]
        for kind in ("md5", "sha1", "sha256", "sha512", "blake2b"):
            assert hashlib.new(kind, data).hexdigest() not in text
        assert open_folder(done.folder).party(name).keys().salt.hex() not in text


def test_two_owners_of_one_file_have_different_versions(study):
    """Versions are keyed: they cannot be compared between owners."""
    from accord.data.commitment import data_version

    place = open_folder(study)
    assert len({data_version(study / "north.csv", place.party(name).keys().salt) for name in OWNERS}) == 2


def test_a_ledger_that_was_changed_stops_the_run(finished, in_threads):
    """An owner whose ledger lost a line does not answer, and the others take back what they began."""
    path = finished / "parties" / "south" / "ledger.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    facts = json.loads(lines[1])
    assert facts["event"] == "answered"
    path.write_text(lines[0] + "".join(lines[2:]))
    for name in OWNERS:
        data = finished / f"{name}.csv"
        data.write_text("\n".join(data.read_text().splitlines()[:-1]) + "\n")
    before = open_folder(finished).runs()
    with pytest.raises(Refused, match=r"ledger.jsonl, line 2: the ledger's chain is broken here"):
        open_study(finished).run("local:")
    assert open_folder(finished).runs() == before
    assert events(finished, "north")[-3:] == ["answered", "shared", "withdrawn"]
