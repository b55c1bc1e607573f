"""Keys, consortium, ledger and receipt as files: they come back as they went, and damage is named."""

import dataclasses
import stat
from pathlib import Path

import pytest

from accord.base.errors import Refused
from accord.study import consortium as consortiums
from accord.study import keys, receipt
from accord.study.approval import Agreement, approve
from accord.study.ledger import Ledger
from accord.study.lifecycle import TRANSITIONS, Event, State, after


def test_keys_come_back_and_are_never_overwritten(tmp_path):
    made = keys.generate("alpha")
    path = keys.save(made, tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.load(tmp_path).public == made.public
    with pytest.raises(Refused, match="keys are there already"):
        keys.save(keys.generate("alpha"), tmp_path)
    assert made.salt.hex() not in repr(made)


def test_a_damaged_key_file_is_refused_without_showing_it(tmp_path):
    path = keys.save(keys.generate("alpha"), tmp_path)
    secret = keys.load(tmp_path).salt.hex()
    path.write_text(path.read_text().replace('"signing"', '"sining"'))
    with pytest.raises(Refused, match="this key file is damaged") as refusal:
        keys.load(tmp_path)
    assert secret not in str(refusal.value)


def test_a_consortium_comes_back(tmp_path, consortium):
    consortiums.write(consortium, tmp_path)
    assert consortiums.read(tmp_path).digest() == consortium.digest()


def test_a_consortium_with_a_short_key_is_refused(tmp_path, consortium):
    path = consortiums.write(consortium, tmp_path)
    path.write_text(path.read_text().replace(consortium.parties["beta"].signing.hex(), "abcd"))
    with pytest.raises(Refused, match=r"consortium.toml parties\[1\]: signing is no key"):
        consortiums.read(tmp_path)


def test_every_part_of_a_consortium_changes_its_hash(consortium):
    """Keys, places and certificates are signed with the study: none can be exchanged after."""
    alpha, first = consortium.parties["alpha"], consortium.servers[0]
    changed = [
        dataclasses.replace(consortium, parties={**consortium.parties, "alpha": dataclasses.replace(alpha, signing=b"k" * 32)}),
        dataclasses.replace(consortium, parties={**consortium.parties, "alpha": dataclasses.replace(alpha, encryption=b"k" * 32)}),
        dataclasses.replace(consortium, parties={**consortium.parties, "delta": keys.generate("delta").public}),
        dataclasses.replace(consortium, servers=(dataclasses.replace(first, address="10.0.0.1:9"), *consortium.servers[1:])),
        dataclasses.replace(consortium, servers=(dataclasses.replace(first, certificate=b"c" * 32), *consortium.servers[1:])),
        dataclasses.replace(consortium, servers=consortium.servers[::-1]),
    ]
    digests = {one.digest() for one in (consortium, *changed)}
    assert len(digests) == 1 + len(changed)


def test_a_ledger_grows_and_comes_back(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.append("approved", {"study": "ab"})
    ledger.append("ran", {"study": "ab", "run": "1"})
    again = Ledger(tmp_path)
    assert [one.event for one in again.entries] == ["approved", "ran"]
    assert again.head == ledger.head
    assert [one.number for one in again.find("ran", study="ab")] == [1]


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: [lines[0].replace(b"ab", b"ac"), *lines[1:]],
        lambda lines: lines[1:],
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [lines[0], lines[2]],
        lambda lines: [lines[0], b"{}", lines[2]],
        lambda lines: [lines[0], lines[1][:-3], lines[2]],
    ],
)
def test_a_changed_missing_or_swapped_line_breaks_the_chain(tmp_path, damage):
    ledger = Ledger(tmp_path)
    for number in range(3):
        ledger.append("ran", {"study": "ab", "run": str(number)})
    ledger.path.write_bytes(b"\n".join(damage(ledger.path.read_bytes().splitlines())) + b"\n")
    with pytest.raises(Refused, match="the ledger's chain is broken here"):
        Ledger(tmp_path)


@pytest.fixture
def signed(party_keys, consortium):
    agreement = Agreement(b"s" * 32, consortium.digest(), b"p" * 32, b"e" * 32)
    said = {"run": "r1", "agreement": agreement.document(), "inputs": {"wages.alpha": "00"}}
    facts = {**said, "receipt": 2, "owners": ["alpha"], "checks": ["minimum_count"], "evidence": {"loses": "1"}}
    statements = tuple(receipt.state(party_keys[place.party], facts) for place in consortium.servers)
    owners = (receipt.state(party_keys["alpha"], {**said, "evidence": "00"}),)
    return receipt.Receipt("r1", agreement, tuple(approve(one, agreement) for one in party_keys.values()), statements, owners)


@pytest.fixture
def required(consortium):
    return dict(consortium.parties)


def test_a_receipt_comes_back_and_verifies(tmp_path, signed, consortium, required):
    receipt.write(signed, tmp_path / "receipt.json")
    receipt.verify(receipt.read(tmp_path / "receipt.json"), consortium, required)


def _with_facts(one, **facts):
    return dataclasses.replace(one, facts={**one.facts, **facts})


def _re_signed(one, party_keys, **facts):
    return receipt.state(party_keys[one.server], {**one.facts, **facts})


def test_an_altered_statement_is_named(signed, consortium, required):
    altered = dataclasses.replace(signed, statements=(_with_facts(signed.statements[0], run="r2"), *signed.statements[1:]))
    with pytest.raises(Refused, match="the statement of alpha is not signed by it, or was altered"):
        receipt.verify(altered, consortium, required)


@pytest.mark.parametrize(
    "facts", [{"run": "r2"}, {"inputs": {}}, {"checks": []}, {"evidence": {"loses": "0"}}, {"owners": []}, {"receipt": 1}]
)
def test_a_server_that_states_something_else_is_named(signed, consortium, required, party_keys, facts):
    other = dataclasses.replace(signed, statements=(*signed.statements[:2], _re_signed(signed.statements[2], party_keys, **facts)))
    with pytest.raises(Refused, match="gamma states another"):
        receipt.verify(other, consortium, required)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"run": "r2"}, r"alpha states another run than this receipt \(rule: owners and servers speak of one run\)"),
        ({"agreement": {}}, "alpha states another agreement"),
        ({"inputs": {"wages.alpha": "01"}}, "owners and servers state different inputs"),
    ],
)
def test_an_owner_that_states_something_else_is_named(signed, consortium, required, party_keys, facts, sentence):
    other = dataclasses.replace(signed, owners=(_re_signed(signed.owners[0], party_keys, **facts),))
    with pytest.raises(Refused, match=sentence):
        receipt.verify(other, consortium, required)


def test_an_owners_statement_is_signed_and_cannot_be_left_out(signed, consortium, required):
    with pytest.raises(Refused, match="the statement of alpha is not signed by it, or was altered"):
        receipt.verify(dataclasses.replace(signed, owners=(_with_facts(signed.owners[0], evidence="01"),)), consortium, required)
    with pytest.raises(Refused, match="the owners' statements are not all here"):
        receipt.verify(dataclasses.replace(signed, owners=()), consortium, required)


def test_a_receipt_is_not_taken_for_an_earlier_version(signed, consortium, required):
    """Version 1 has no owners' statements: who leaves them out cannot say that it is one. A later version is not known here."""
    with pytest.raises(Refused, match="alpha states another version than this receipt"):
        receipt.verify(dataclasses.replace(signed, owners=(), version=1), consortium, required)
    with pytest.raises(Refused, match=r"this receipt is of version 3 \(rule: versions 1 to 2 are known here\)"):
        receipt.verify(dataclasses.replace(signed, version=3), consortium, required)


@pytest.mark.parametrize("version", [1, 2])
def test_receipts_of_every_version_hold(version):
    """Golden files: what each version's own release wrote."""
    folder = Path(__file__).parent / "fixtures" / "receipts" / str(version)
    parties = consortiums.read(folder)
    found = receipt.read(folder / "receipt.json")
    assert found.version == version
    receipt.verify(found, parties, {name: parties.keys_of(name) for name in ("north", "south", "helper")})


def test_a_receipt_of_another_consortium_is_refused(signed, consortium, required):
    moved = (dataclasses.replace(consortium.servers[0], address="127.0.0.1:9"), *consortium.servers[1:])
    with pytest.raises(Refused, match="this receipt is of another consortium"):
        receipt.verify(signed, dataclasses.replace(consortium, servers=moved), required)


def test_a_receipt_without_all_approvals_is_refused(signed, consortium, required):
    with pytest.raises(Refused, match="not signed by gamma"):
        receipt.verify(dataclasses.replace(signed, approvals=signed.approvals[:2]), consortium, required)


def test_two_statements_of_one_server_do_not_make_three(signed, consortium, required):
    doubled = dataclasses.replace(signed, statements=(signed.statements[0], signed.statements[0], signed.statements[2]))
    with pytest.raises(Refused, match="three servers' statements are not all here"):
        receipt.verify(doubled, consortium, required)


def test_a_file_that_is_no_receipt_is_refused(tmp_path):
    path = tmp_path / "receipt.json"
    path.write_text("{}")
    with pytest.raises(Refused, match="no receipt, or is damaged"):
        receipt.read(path)


def test_the_life_cycle_refuses_what_is_not_in_its_table():
    for state in State:
        for event in Event:
            if event in TRANSITIONS[state]:
                assert after(state, event) is TRANSITIONS[state][event]
            else:
                with pytest.raises(Refused, match=f"a study that is {state} cannot"):
                    after(state, event)


def test_a_changed_study_must_be_offered_anew():
    assert after(State.SIGNED, Event.CHANGE) is State.DRAFT
