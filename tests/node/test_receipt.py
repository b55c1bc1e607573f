"""The receipt of a real run: it verifies as it is, and no other way."""

import json
import shutil
from dataclasses import replace
from decimal import Decimal

import pytest

import accord
from accord.base import canonical
from accord.base.errors import Refused
from accord.data.commitment import verify_commitment
from accord.node import owner
from accord.node.session import open_study
from accord.release import seal
from accord.release.gate import ReleasePart
from accord.release.rule_counts import MinimumCount
from accord.study import receipt
from accord.study.approval import approve
from accord.study.receipt import PROVES
from tests.node.conftest import OWNERS, SERVERS, write_data


def receipt_of(folder):
    (path,) = folder.glob("runs/*/receipt.json")
    return path


def change(folder, edit):
    """Edit the receipt's document in place."""
    path = receipt_of(folder)
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


def restated(folder, server, kind="statements", **facts):
    """A server, or an owner, states something else of the run, and signs it with its own key."""
    own = open_study(folder).folder.party(server).keys()

    def edit(document):
        for at, one in enumerate(document[kind]):
            if one["server"] == server:
                made = receipt.state(own, {**one["facts"], **facts})
                document[kind][at] = {"server": server, "facts": made.facts, "signature": made.signature.hex()}

    change(folder, edit)


def test_the_receipt_of_a_run_holds(done):
    found = open_study(done.folder).verify()
    assert found.run == done.outcome.run_id
    assert {one.party for one in found.approvals} == {"north", "south", "helper"}
    assert [one.server for one in found.statements] == list(SERVERS)
    document = json.loads(receipt_of(done.folder).read_text())
    assert document["proves"] == PROVES and "does not prove that the servers computed honestly" in PROVES


def test_a_statement_says_what_was_agreed_checked_and_released(done):
    session = open_study(done.folder)
    for one in session.verify().statements:
        facts = one.facts
        assert facts["agreement"] == session.agreement.document()
        assert facts["security"] == "semi-honest"
        assert set(facts["inputs"]) == {one.name for one in session.compiled.inputs}
        assert facts["checks"] == {
            "means": ["a row is shown only where n is at least 5"],
            "high": ["no rule: a yes or no for a whole sector"],
            "own": ["a row is shown only where n is at least 5"],
        }
        assert set(facts["releases"]) == {
            *("means for north", "means for office"),
            *("high for north", "high for south"),
            *("own for north", "own for south"),
        }
        assert facts["error_bounds"]["means"] == {"sector": "exact", "n": "exact", "mean_wage": "exact"}
        assert facts["versions"]["accord"] == accord.__version__
        assert facts["evidence"]["high"]["reason"] == "a yes or no for a whole sector" and facts["evidence"]["high"]["once"]
        (rule,) = facts["evidence"]["means"]["rules"]
        assert rule == {
            "rule": "minimum_count",
            "parameters": {"column": "n", "minimum": 5},
            "sentence": "a row is shown only where n is at least 5",
            "stops": MinimumCount.stops,
            "does_not_stop": MinimumCount.does_not_stop,
        }
    sent = [one.facts["bytes_sent"] for one in session.verify().statements]
    assert sum(sent) // len(sent) == done.outcome.bytes_per_server
    assert max(one.facts["rounds"] for one in session.verify().statements) == done.outcome.rounds


def test_the_receipt_holds_no_figure(done):
    """No cell of a file, no released value."""
    text = receipt_of(done.folder).read_text()
    values = {str(value) for table in open_study(done.folder).open("north").values() for row in table.rows() for value in row.values()}
    cells = {line.rsplit(",", 1)[1] for name in ("north", "south") for line in (done.folder / f"{name}.csv").read_text().splitlines()[1:]}
    assert not [
        cell for cell in (cells | values) - {""} if len(cell) > 5 and cell in text and cell not in ("mining", "retail", "suppressed")
    ]


def swap_approvals(document):
    first, second, *_ = document["approvals"]
    first["signature"], second["signature"] = second["signature"], first["signature"]


def drop_approval(document):
    document["approvals"].pop()


def other_study(document):
    document["agreement"]["study"] = "0" * 64


def other_plan(document):
    document["agreement"]["plan"] = "0" * 64


def other_explanation(document):
    document["agreement"]["explanation"] = "0" * 64


def other_run(document):
    document["run"] = "20200101T000000Z-00000000"


def other_fact(document):
    document["statements"][1]["facts"]["rounds"] += 1


def other_commitment(document):
    releases = document["statements"][2]["facts"]["releases"]
    releases["means for north"] = "0" * 64


def fewer_facts(document):
    del document["statements"][0]["facts"]["checks"]["means"]


def one_statement_twice(document):
    document["statements"][2] = document["statements"][1]


def exchanged_names(document):
    first, second, _ = document["statements"]
    first["server"], second["server"] = second["server"], first["server"]


def no_signature(document):
    document["statements"][0]["signature"] = "00" * 64


def later_version(document):
    document["approvals"][0]["protocol"] = "2"


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (swap_approvals, "the approval of helper is signed with the key of north (rule: one key counts once); let helper sign"),
        (drop_approval, "not signed by south (rule: every owner and every server signs)"),
        (other_study, "this receipt is of another study or consortium"),
        (other_plan, "the approval of helper, north, south is not for this study as it stands"),
        (other_explanation, "the explanation that was signed is another"),
        (other_run, "north states another run than this receipt (rule: the three statements agree)"),
        (other_fact, "the statement of south is not signed by it, or was altered"),
        (other_commitment, "the statement of helper is not signed by it, or was altered"),
        (fewer_facts, "the statement of north is not signed by it, or was altered"),
        (one_statement_twice, "the three servers' statements are not all here (rule: one signed statement of each server)"),
        (exchanged_names, "the statement of south is not signed by it, or was altered"),
        (no_signature, "the statement of north is not signed by it, or was altered"),
        (later_version, "the approval of helper is of protocol version 2, we run 1"),
    ],
)
def test_a_receipt_that_was_tampered_with_does_not_hold(finished, edit, sentence):
    change(finished, edit)
    with pytest.raises(Refused) as told:
        open_study(finished).verify()
    assert sentence in str(told.value)


def test_a_receipt_of_another_plan_does_not_hold_though_all_signed_it(finished):
    """Whatever all sign: one version compiles a study to one plan."""
    session = open_study(finished)
    other = replace(session.agreement, plan=bytes(32))
    for server in SERVERS:
        restated(finished, server, agreement=other.document())
    for owner_name in OWNERS:
        restated(finished, owner_name, "owners", agreement=other.document())

    def signed_anew(document):
        document["agreement"] = other.document()
        document["approvals"] = [approve(session.folder.party(name).keys(), other).document() for name in session.study.approvers]

    change(finished, signed_anew)
    with pytest.raises(Refused, match="this receipt is of another plan"):
        open_study(finished).verify()


@pytest.mark.parametrize(
    ("facts", "what"),
    [({"run": "another"}, "run"), ({"inputs": {}}, "inputs"), ({"checks": {}}, "checks"), ({"agreement": {}}, "agreement")],
)
def test_servers_that_sign_different_things_are_named(finished, facts, what):
    restated(finished, "helper", **facts)
    with pytest.raises(Refused, match=rf"helper states another {what} than this receipt \(rule: the three statements agree\)"):
        open_study(finished).verify()


def sealed_part(folder, server="north", recipient="north", release="means"):
    (path,) = folder.glob(f"runs/*/sealed/{server}/{recipient}/{release}.sealed")
    return path


def test_the_sealed_part_of_another_run_is_refused(finished, in_threads, tmp_path):
    """Two runs on different data: a part of the one put into the other."""
    first = open_study(finished).verify().run
    write_data(finished, seed=8)
    second = open_study(finished).run("local:").run_id
    for server in SERVERS:
        shutil.copy(*(finished / "runs" / run / "sealed" / server / "north" / "means.sealed" for run in (second, first)))
    with pytest.raises(Refused, match=f"this release is of another run \\(rule: run {first}\\); open the parts of that one"):
        open_study(finished).open("north", first)
    assert open_study(finished).open("north", second)["means"].rows()


def test_one_part_of_another_recipient_is_refused(finished):
    shutil.copy(sealed_part(finished, recipient="office"), sealed_part(finished))
    with pytest.raises(Refused, match="this key does not open it: it is sealed to office"):
        open_study(finished).open("north")


def test_a_part_that_was_sealed_anew_is_not_the_one_in_the_receipt(finished):
    """Whoever knows a result could seal another to its recipient under the same names; the servers' commitments tell."""
    session = open_study(finished)
    keys = session.folder.party("north").keys()
    (before,) = [row for row in session.open("north")["means"].rows() if row["sector"] == "care"]
    path = sealed_part(finished, server="south")
    opened = seal._open(path.read_bytes(), keys.encryption)
    payload = bytearray(opened.payload)
    payload[16] ^= 1  # behind two planes of 8 bytes stands n of the first row
    part = ReleasePart("means", "north", opened.layout, bytes(payload))
    path.write_bytes(seal.seal(part, opened.binding, keys.public.encryption).blob)
    blobs = [sealed_part(finished, server=server).read_bytes() for server in SERVERS]
    forged = seal.open_sealed(blobs, keys.encryption, session.study.digest.hex(), opened.binding.run).rows()
    assert abs(forged[0]["n"] - before["n"]) == 1, "the three parts alone would give another figure"
    with pytest.raises(Refused) as told:
        session.open("north")
    assert str(told.value) == (
        "server 1's part of means is not the one that it committed to (rule: the receipt holds the commitment of each part); "
        "ask the servers for their parts of this run again"
    )


def test_the_same_part_sealed_anew_has_another_commitment(finished):
    """Commitments hide: equal parts have different ones."""
    keys = open_study(finished).folder.party("north").keys()
    opened = seal._open(sealed_part(finished).read_bytes(), keys.encryption)
    again = [seal.seal(ReleasePart("means", "north", opened.layout, opened.payload), opened.binding, keys.public.encryption) for _ in "ab"]
    assert len({opened.commitment, *(one.commitment for one in again)}) == 3


def test_an_owner_can_show_what_it_put_in(finished):
    """With the opening that it kept; other data do not fit, and the opening stands in no file that others see."""
    session = open_study(finished)
    found = session.verify()
    inputs = found.statements[0].facts["inputs"]
    place = session.folder.party("south")
    path = place.openings(found.run)
    assert path.stat().st_mode & 0o777 == 0o600
    openings = canonical.decode(path.read_bytes().rstrip())
    columns = {one.name: one for one in owner.local_columns(session.compiled, place, lambda _: None)}
    assert set(openings) == set(columns) == {name for name in inputs if name.startswith("south")}
    for name, opening in openings.items():
        verify_commitment(columns[name], bytes.fromhex(inputs[name]), bytes.fromhex(opening))
        for file in finished.rglob("*"):
            assert file == path or not file.is_file() or opening not in file.read_text(errors="replace")
    text = (finished / "south.csv").read_text()
    wage = text.splitlines()[1].rsplit(",", 1)[1]
    (finished / "south.csv").write_text(text.replace(wage, str(Decimal(wage) + Decimal("0.01")), 1))
    other = {one.name: one for one in owner.local_columns(session.compiled, place, lambda _: None)}
    changed = 0
    for name, opening in openings.items():
        if any((other[name].values[column] != columns[name].values[column]).any() for column in columns[name].values):
            changed += 1
            with pytest.raises(Refused, match="these are not the committed columns"):
                verify_commitment(other[name], bytes.fromhex(inputs[name]), bytes.fromhex(opening))
    assert changed == 2


def test_a_receipt_needs_the_explanation_that_was_signed(finished):
    kept = receipt_of(finished).with_name("explanation.txt")
    assert "WHO LEARNS WHAT" in kept.read_text()
    kept.write_text(kept.read_text().replace("exactly", "roughly", 1))
    with pytest.raises(Refused, match="the explanation that was signed is another"):
        open_study(finished).verify()
    kept.unlink()
    open_study(finished).verify()
