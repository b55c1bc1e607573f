"""A loss is committed before the first byte of a release; whatever breaks then, the same bytes are sent, and nothing is given back."""

from __future__ import annotations

import pytest

from accord.base.errors import PeerFault, Refused
from accord.data.share_out import deal_columns
from accord.node import outgoing, owner, policies, runtimes
from accord.node.folder import open_folder
from accord.node.program import compute
from accord.node.session import open_study
from accord.study import keys
from accord.study.lifecycle import State
from accord.testing.world import World
from accord.wire.local import run_local
from tests.node.conftest import OWNERS, SERVERS, require_nothing_released, sign_all
from tests.node.test_policies import with_noise

NOISY = "1/2"


@pytest.fixture
def noisy(study):
    """A study whose only release has noise, signed by all."""
    with_noise(study, NOISY)
    sign_all(study)
    return study


def events(folder, party):
    return [one.event for one in open_folder(folder).party(party).ledger().entries]


def sealed(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.glob("runs/**/*.sealed")}


def kept(folder):
    return sorted(path.read_bytes() for path in folder.glob("parties/*/outgoing/**/*.sealed"))


def spent(folder, party):
    """What still counts against quotas."""
    ledger = open_folder(folder).party(party).ledger()
    withdrawn = {one.facts["run"] for one in ledger.find("withdrawn")}
    return [one.facts["run"] for one in ledger.find(policies.SPENT) if one.facts["run"] not in withdrawn]


def test_a_server_that_dies_before_it_commits_releases_nothing(noisy, sabotage):
    sabotage("uncommitted", "helper")
    with pytest.raises(PeerFault, match="the server process of helper ended in mid-run"):
        open_study(noisy).run("local:")
    require_nothing_released(noisy, runs=1)
    assert kept(noisy) == [] and [spent(noisy, name) for name in OWNERS] == [[], []]


def test_a_server_that_dies_after_all_committed_has_released(noisy, sabotage):
    """Its part is sent from what it kept: the run is whole, and its receipt holds."""
    sabotage("unsent", "helper")
    outcome = open_study(noisy).run("local:")
    session = open_study(noisy)
    assert session.verify().run == outcome.run_id and session.state() == State.DONE
    assert len(session.open("office")["counts"].rows()) == 3
    assert [spent(noisy, name) for name in OWNERS] == [[outcome.run_id]] * 2
    assert "ran" not in events(noisy, "helper") and events(noisy, "helper")[-1] == "committed"
    assert kept(noisy) == []


def test_a_machine_that_stops_between_commitment_and_release_sends_the_same_bytes_later(noisy, in_threads, monkeypatch):
    """Nothing after the servers' commitment is done, not even what is done when a run ends badly; the next run finishes it."""
    with monkeypatch.context() as stopped:
        stopped.setattr(runtimes, "_settle", lambda *arguments: None)
        stopped.setattr(outgoing, "send", lambda *arguments: None)
        stopped.setattr(runtimes, "_conclude", None)
        with pytest.raises(TypeError):
            open_study(noisy).run("local:")
    (run,) = open_folder(noisy).runs()
    before = kept(noisy)
    assert len(before) == 3 and sealed(noisy) == {}
    assert all(outgoing.has_committed(open_folder(noisy).party(name), run) for name in SERVERS)
    again = open_study(noisy).run("local:")
    assert (again.run_id, again.is_stored) == (run, True)
    assert sorted(sealed(noisy).values()) == before, "no noise is drawn again"
    assert kept(noisy) == [] and open_folder(noisy).runs() == [run]
    assert open_study(noisy).verify().run == run
    assert [spent(noisy, name) for name in OWNERS] == [[run]] * 2
    assert "withdrawn" not in events(noisy, "north")


def test_what_was_committed_to_is_not_given_back_when_the_study_changes(noisy, in_threads, monkeypatch):
    with monkeypatch.context() as stopped:
        stopped.setattr(runtimes, "_settle", lambda *arguments: None)
        stopped.setattr(runtimes, "_conclude", None)
        with pytest.raises(TypeError):
            open_study(noisy).run("local:")
    (run,) = open_folder(noisy).runs()
    text = (noisy / "study.toml").read_text()
    with_noise(noisy, "1/4")
    sign_all(noisy)
    for name in OWNERS:
        path = noisy / f"{name}.csv"
        path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    other = open_study(noisy).run("local:").run_id
    assert other != run and [spent(noisy, name) for name in OWNERS] == [[run, other]] * 2
    assert not (noisy / "runs" / run / "receipt.json").exists()
    (noisy / "study.toml").write_text(text)
    sign_all(noisy)
    with pytest.raises(Refused, match=f"were answered in run {other}"):
        open_study(noisy).run("local:")
    assert (noisy / "runs" / run / "receipt.json").exists(), "the study was put back, and its run is finished first"


def test_a_server_writes_down_what_noise_loses(noisy, in_threads):
    outcome = open_study(noisy).run("local:")
    for name in SERVERS:
        (entry,) = open_folder(noisy).party(name).ledger().find(outgoing.COMMITTED, run=outcome.run_id)
        (one,) = entry.facts["noise"]
        assert (one["release"], one["recipients"], one["loses"]) == ("counts", ["office"], {"epsilon": "0.5"})
        assert one["columns"] == {"n": {"mechanism": "discrete_laplace", "scale": "2", "sensitivity": 1}}
        assert one["hides"] == "one row of wages"


def test_nobody_is_done_before_all_have_committed(original):
    """The servers as three coroutines: each keeps what it is about to release before any of them goes on."""
    session = open_study(original)
    compiled, log = session.compiled, []
    packages = {
        columns.name: deal_columns(columns, owner.package_context(compiled, columns.name, "run"))
        for name in OWNERS
        for columns in owner.local_columns(compiled, session.folder.party(name), lambda _: None)
    }
    encryption = {name: keys.generate(name).public.encryption for name in compiled.study.recipients}

    async def served(me):
        mine = {name: dealt[me.index] for name, dealt in packages.items()}
        await compute(me, compiled, encryption, mine, "run", lambda finished: log.append(("kept", len(finished.sealed))))
        log.append(("done", me.index))

    run_local([served(me) for me in World(3, compiled.profile).parties()])
    assert log[:3] == [("kept", 6)] * 3 and len(log) == 6
