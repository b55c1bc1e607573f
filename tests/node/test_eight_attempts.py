"""Eight attempts to get at a result that one may not have: eight clear errors, nothing released, an exit code that is not zero."""

import dataclasses
import os
import signal

import pytest

from accord.base.errors import PeerFault, Refused
from accord.node import processes, runtimes, server
from accord.node.folder import open_folder
from accord.node.session import open_study
from accord.node.setup import identity, make_keys
from accord.study import keys
from accord.study.approval import Approval
from accord.wire.tls import make_identity
from tests.node.conftest import TEXT, require_nothing_released, run_in_threads

REFUSED, PEER_FAILED = 3, 4
COVERS = "(rule: a signature covers study, consortium, plan and explanation, by the party's own key)"


@pytest.mark.parametrize("changed", ["minimum = 5", "2500 *", '"office"', "A test of whole runs"])
def test_1_a_study_changed_by_one_byte_after_signing(accord, study, changed):
    """In a rule, a tolerance, a recipient's name, the purpose."""
    old, new = {"minimum = 5": ("5", "4"), "2500 *": ("5", "6"), '"office"': ("e", "y")}.get(changed, ("w", "W"))
    text = TEXT.replace(changed, changed.replace(old, new, 1), 1)
    assert len(text) == len(TEXT) and sum(a != b for a, b in zip(text, TEXT, strict=True)) == 1
    (study / "study.toml").write_text(text)
    if changed == '"office"':
        make_keys(open_folder(study))
    said = accord("run", study)
    assert (said.code, said.out) == (REFUSED, "")
    assert said.line == (
        f"accord: the approval of helper, north, south is not for this study as it stands {COVERS}; "
        "whoever changed it must offer it again; each party then reads and signs anew"
    )
    require_nothing_released(study, runs=0)


def test_1_spaces_and_comments_are_no_change(study):
    (study / "study.toml").write_text("# read me\n" + TEXT.replace(" = ", "   =  ", 9))
    assert open_study(study).missing() == []


def test_1_a_server_sees_for_itself_that_the_study_was_changed(study, monkeypatch):
    """Where the one who starts the servers does not look, they do: the study is changed when the owners have shared."""

    def change_then_start(*arguments):
        (study / "study.toml").write_text(TEXT.replace("minimum = 5", "minimum = 1", 1))
        return run_in_threads(*arguments)

    monkeypatch.setattr(runtimes, "run_servers", change_then_start)
    with pytest.raises(Refused, match=r"^the approval of helper, north, south is not for this study as it stands"):
        open_study(study).run("local:")
    require_nothing_released(study, runs=1)


def test_2_a_missing_signature(accord, study):
    (study / "approvals" / "south.json").unlink()
    said = accord("run", study)
    assert (said.code, said.out) == (REFUSED, "")
    assert said.line == "accord: not signed by south (rule: every owner and every server signs); sign with: accord sign"
    require_nothing_released(study, runs=0)


def test_3_one_key_signing_twice(accord, study):
    """North makes south's approval with its own key."""
    session = open_study(study)
    signature = session.folder.party("north").keys().sign(session.agreement.message())
    session.folder.add_approval(Approval("south", signature))
    said = accord("run", study)
    assert (said.code, said.out) == (REFUSED, "")
    assert said.line == (
        "accord: the approval of south is signed with the key of north (rule: one key counts once); let south sign with its own key"
    )
    require_nothing_released(study, runs=0)


def test_3_two_parties_with_one_key(accord, study):
    """North gives its own key to south's name in the consortium, and signs for both."""
    place = open_folder(study)
    known = place.consortium()
    path = study / "consortium.toml"
    text = path.read_text()
    for field in ("signing", "encryption"):
        text = text.replace(getattr(known.keys_of("south"), field).hex(), getattr(known.keys_of("north"), field).hex())
    path.write_text(text)
    said = accord("run", study)
    assert (said.code, said.out) == (REFUSED, "")
    assert said.line == "accord: north and south have the same key (rule: one key counts once); make a key for each party"
    require_nothing_released(study, runs=0)


def other_certificate(study, party):
    """Gives a party a TLS key that nobody signed for."""
    folder = open_folder(study).party(party)
    for path in (identity(folder).certificate_file, identity(folder).key_file):
        path.unlink()
    make_identity(party, folder.path)
    return identity(folder)


def test_4_a_wrong_certificate(accord, study):
    """A server refuses to begin with another certificate than the one that was signed."""
    own = other_certificate(study, "helper")
    said = accord("run", study)
    assert said.code == REFUSED
    assert said.line == (
        f"accord: server helper, {own.certificate_file}: our certificate is not the one that the consortium has for helper; "
        "use the key that was announced, or announce the new one"
    )
    require_nothing_released(study, runs=1)


def test_4_an_impostor_that_does_not_look_is_refused_by_its_peers(study, in_threads, monkeypatch):
    own = other_certificate(study, "helper")
    connect = server.connect

    def shameless(index, addresses, mine, binding, attempts, **options):
        if binding.servers[index].name == "helper":
            claimed = (*binding.servers[:2], binding.servers[2]._replace(fingerprint=own.fingerprint))
            binding = dataclasses.replace(binding, servers=claimed)
        return connect(index, addresses, mine, binding, attempts, **options)

    monkeypatch.setattr(server, "connect", shameless)
    with pytest.raises(PeerFault) as told:
        open_study(study).run("local:")
    assert str(told.value).startswith("server 2 (helper): its certificate is not the one in the consortium (rule: fingerprint ")
    assert str(told.value).endswith("; ask this party which key it uses")
    require_nothing_released(study, runs=1)


def test_5_a_peer_of_another_version(accord, study, sabotage):
    """One server runs a later release: what the others signed means nothing to it, and it says why."""
    sabotage("version", "south")
    said = accord("run", study)
    assert said.code == REFUSED
    assert said.line == (
        "accord: server south: the approval of helper is of protocol version 1, we run 2 (rule: all parties run the same); "
        "install the same release everywhere, then sign anew"
    )
    require_nothing_released(study, runs=1)


def test_5_versions_are_compared_when_servers_meet(study, in_threads, monkeypatch):
    """Also where everything else fits."""
    connect = server.connect

    def later(index, addresses, mine, binding, attempts, **options):
        binding = dataclasses.replace(binding, version=2) if index == 1 else binding
        return connect(index, addresses, mine, binding, attempts, **options)

    monkeypatch.setattr(server, "connect", later)
    with pytest.raises(PeerFault, match=r"server \d .*: it runs protocol version \d, we run \d; install the same release everywhere"):
        open_study(study).run("local:")
    require_nothing_released(study, runs=1)


def test_6_a_bad_cell(accord, study):
    """Row, column, rule and what to do; nothing is shared, and no ledger says that it was."""
    path = study / "south.csv"
    lines = path.read_text().splitlines()
    assert lines[5].startswith("south,")
    lines[5] = f"{lines[5].rsplit(',', 1)[0]},12.345"
    path.write_text("\n".join(lines) + "\n")
    said = accord("run", study)
    assert (said.code, said.out) == (REFUSED, "")
    assert said.line == (
        "accord: south.csv: 1 cell breaks the schema: line 6, column wage: holds '12.345' (rule: a number with at most 18 digits, "
        "2 of them after the point, from 0.00 to 9999.99 or empty); round it in your own export, or have the study declare more digits "
        "after the point"
    )
    require_nothing_released(study)
    assert not open_folder(study).party("south").ledger().find("shared")


def test_7_a_server_killed_in_mid_run(accord, study, sabotage, monkeypatch):
    """kill -9 when it has announced that it computes. (It waits for that: nothing else would make sure that it is not done by then.)"""
    note = sabotage("hang", "helper")
    started = processes.run_servers
    killed = []

    def watch(jobs, progress, kept_open=()):
        def kill(phase):
            progress(phase)
            if (phase.name, phase.who) == ("compute", "helper") and not killed:
                killed.append(int(note.read_text()))
                os.kill(killed[0], signal.SIGKILL)

        return started(jobs, kill, kept_open)

    monkeypatch.setattr(runtimes, "run_servers", watch)
    said = accord("run", study)
    assert killed
    assert said.code == PEER_FAILED
    assert said.line == (
        "accord: the server process of helper ended in mid-run (killed by signal 9) (rule: any fault aborts; nothing was released); "
        "run again: a new attempt takes new keys"
    )
    require_nothing_released(study, runs=1)


def test_8_a_result_opened_with_the_wrong_key(accord, finished):
    """South's key opens nothing of north's, nor does a new key under north's name."""
    session = open_study(finished)
    wrong = session.folder.party("south").keys()
    with pytest.raises(Refused) as told:
        session.open("north", keys=wrong)
    sentence = "release means, server 0: this key does not open it: it is sealed to north, or was altered; use the key of north"
    assert str(told.value).startswith(sentence)
    own = session.folder.party("north").path
    (own / keys.PRIVATE_FILE).unlink()
    keys.save(keys.generate("north"), own)
    said = accord("open", finished, "--as", "north", "--csv", finished / "out.csv")
    assert (said.code, said.out) == (REFUSED, "")
    assert said.line.startswith(f"accord: {sentence}")
    assert not list(finished.glob("out*"))
