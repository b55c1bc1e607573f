"""Three runtimes, one answer; what a run leaves and what it does not; runs that are killed, interrupted, or two at once."""

import fcntl
import os
import re
import signal
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal

import pytest

from accord.base.errors import OurFault, Refused
from accord.node import runtimes
from accord.node.calibrate import Kept
from accord.node.folder import open_folder
from accord.node.forecast import foresee
from accord.node.session import open_study
from accord.plan.clock import Machine, Rate
from accord.release.table import SUPPRESSED
from accord.study.lifecycle import State
from tests.node.conftest import OWNERS, SERVERS, require_nothing_released, sign_all

SECTORS = ("care", "mining", "retail")


def oracle(folder):
    """The releases, computed from the files with Python's own numbers."""
    rows = [line.split(",") for name in OWNERS for line in (folder / f"{name}.csv").read_text().splitlines()[1:]]
    wages = {sector: [Decimal(wage) for _, one, wage in rows if one == sector and wage] for sector in SECTORS}
    counts = {sector: sum(one == sector for _, one, _ in rows) for sector in SECTORS}
    means = [
        {
            "sector": sector,
            "n": counts[sector],
            "mean_wage": (sum(wages[sector]) / len(wages[sector])).quantize(Decimal("1e-6"), ROUND_HALF_UP),
        }
        if counts[sector] >= 5
        else {"sector": sector, "n": SUPPRESSED, "mean_wage": SUPPRESSED}
        for sector in SECTORS
    ]
    high = [{"sector": sector, "high": sum(wages[sector]) > 2500 * len(wages[sector])} for sector in SECTORS]
    own = {owner: [{"region": owner, "n": sum(region == owner for region, _, _ in rows)}] for owner in OWNERS}
    return {
        "north": {"means": means, "high": high, "own": own["north"]},
        "south": {"high": high, "own": own["south"]},
        "office": {"means": means},
    }


def tables(session, outcome):
    return {party: {name: table.rows() for name, table in session.tables(party, outcome).items()} for party in outcome.recipients}


@pytest.mark.parametrize("runtime", ["clear:", "sim:"])
def test_rehearsals_give_what_the_oracle_gives_and_leave_nothing(study, runtime):
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    (study / "approvals" / "north.json").unlink()
    session = open_study(study)
    outcome = session.run(runtime)
    expected = oracle(study)
    assert tables(session, outcome) == expected
    assert any(row["n"] is SUPPRESSED for row in expected["north"]["means"]), "the rule must have something to do"
    assert (outcome.runtime, outcome.receipt) == (runtime, None)
    assert {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}.keys() == before.keys() - {
        study / "approvals" / "north.json"
    }


def test_three_server_processes_give_what_the_oracle_gives(done):
    assert tables(open_study(done.folder), done.outcome) == oracle(done.folder)


def test_the_servers_in_one_process_send_what_three_processes_send(done, study):
    outcome = open_study(study).run("sim:")
    assert (outcome.rounds, outcome.bytes_per_server) == (done.outcome.rounds, done.outcome.bytes_per_server)


def test_rounds_and_bytes_are_those_foretold(done):
    told = done.outcome.foretold
    assert (told.rounds, told.bytes_per_server) == (done.outcome.rounds, done.outcome.bytes_per_server)
    assert 0 < done.outcome.computing_seconds < done.outcome.seconds


def test_what_is_foretold_of_a_run_follows_the_machine(study):
    """Three processes have links, one process does the work of three; nobody who did not measure is told seconds."""
    compiled = open_study(study).compiled
    quick, slow = (Machine({"sign": Rate(step, 0.0)}, step) for step in (0.0, 1.0))
    assert foresee(compiled, None, is_local=True).seconds is None
    assert foresee(compiled, Kept({}, slow, quick), is_local=True).seconds > 10
    assert foresee(compiled, Kept({}, slow, quick), is_local=False).seconds < 1
    assert foresee(compiled, Kept({}, quick, slow), is_local=False).seconds > 10


def test_the_phases_are_told_in_order_by_those_who_are_in_them(done):
    names = list(dict.fromkeys(phase.name for phase in done.phases))
    assert [name for name in names if name != "release"] == ["share", "connect", "compute", "receipt"]
    inputs = len(open_study(done.folder).compiled.inputs)
    assert [(one.done, one.total) for one in done.phases if one.name == "share"] == [(at, inputs) for at in range(inputs + 1)]
    assert {one.who for one in done.phases if one.name == "compute"} == set(SERVERS)
    assert all(0 <= one.done <= one.total for one in done.phases)


def test_a_run_leaves_sealed_parts_statements_and_a_receipt(done):
    place = done.outcome.folder
    left = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    sealed = {f"{party}/{name}.sealed" for party, released in oracle(done.folder).items() for name in released}
    assert left == {"receipt.json", "explanation.txt"} | {
        f"sealed/{server}/{file}" for server in SERVERS for file in (*sealed, "statement.json")
    }
    assert open_folder(done.folder).runs() == [done.outcome.run_id]


def test_nothing_that_a_run_leaves_holds_a_figure(done):
    """Neither an owner's cell nor a released value stands in a sealed part, a statement, a receipt or a ledger."""
    cells = {line.rsplit(",", 1)[1] for name in OWNERS for line in (done.folder / f"{name}.csv").read_text().splitlines()[1:]} - {""}
    means = {str(row["mean_wage"]) for row in oracle(done.folder)["north"]["means"]} - {"suppressed"}
    files = [path for path in (*done.outcome.folder.rglob("*"), *done.folder.glob("parties/*/ledger.jsonl")) if path.is_file()]
    assert len(files) > 20
    for path in files:
        body = path.read_bytes()
        assert not [figure for figure in cells | means if figure.encode() in body], path


def test_sealed_parts_have_the_same_size_whatever_the_figures(finished, in_threads):
    """Of equal recipients and of two runs: other data, other suppressed rows, the same sizes."""
    first = open_study(finished).verify().run
    for name in OWNERS:
        path = finished / f"{name}.csv"
        lines = path.read_text().replace("mining", "care").splitlines()
        path.write_text("\n".join(lines[:-7]) + "\n")
    second = open_study(finished).run("local:").run_id

    def sizes(run):
        place = finished / "runs" / run / "sealed"
        return {path.relative_to(place): path.stat().st_size for path in place.rglob("*.sealed")}

    assert sizes(first) == sizes(second)


def test_private_folders_are_for_their_party_alone(done):
    for folder in (done.folder / "parties").iterdir():
        assert folder.stat().st_mode & 0o777 == 0o700
        for path in folder.rglob("*private*"):
            assert path.stat().st_mode & 0o777 == 0o600


def test_an_unknown_runtime_is_refused(study):
    with pytest.raises(Refused, match=r"no runtime 'fast:' \(rule: one of clear:, sim:, local:\)"):
        open_study(study).run("fast:")


def test_a_run_takes_the_study_as_it_stands(study, in_threads):
    """A session that was opened before a change does not run what it remembers."""
    session = open_study(study)
    assert session.compiled
    text = (study / "study.toml").read_text()
    (study / "study.toml").write_text(text.replace("minimum = 5", "minimum = 4", 1))
    with pytest.raises(Refused, match="is not for this study as it stands"):
        session.run("local:")
    sign_all(study)
    outcome = session.run("local:")
    assert open_study(study).verify().run == outcome.run_id


@pytest.mark.parametrize("runtime", ["clear:", "sim:", "local:"])
def test_an_owner_whose_file_is_missing_is_told(accord, study, runtime):
    """And a party.toml that names none, or is not there."""
    (study / "south.csv").unlink()
    said = accord("run", study, "--runtime", runtime)
    assert said.code == 3
    assert said.line.startswith(f"accord: there is no file 'south.csv' in {study}; ")
    require_nothing_released(study)
    party = study / "parties" / "south" / "party.toml"
    for write in (lambda: party.write_text("[data]\n"), party.unlink):
        write()
        said = accord("run", study, "--runtime", runtime)
        assert said.code == 3
        assert said.line == f'accord: {party}: south has named no file for table wages; add wages = "FILE" below [data]'
    require_nothing_released(study)


def test_a_fault_of_our_own_releases_nothing_either(study, monkeypatch):
    """Whatever ends a run: here a full disk when the receipt is written, and a bug."""
    for error in (OSError(28, "No space left on device"), ZeroDivisionError("a bug"), OurFault("another")):

        def fail(*_, error=error):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(runtimes, "run_servers", fail)
            with pytest.raises(type(error)):
                open_study(study).run("local:")
    require_nothing_released(study, runs=3)


def start(study):
    """`accord run` as a process of its own, when its servers compute."""
    process = subprocess.Popen([sys.executable, "-m", "accord", "run", str(study)], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "compute on shares" in line:
            return process
    pytest.fail(f"it never computed: exit code {process.wait()}")


def is_alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_interrupted_run_leaves_nothing(study, sabotage):
    """Ctrl-C when a server computes: no process, no result, the next run may begin."""
    note = sabotage("hang", "helper")
    process = start(study)
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert process.wait() == 130
    assert said.splitlines()[-1] == "accord: interrupted; nothing more was done"
    assert not is_alive(int(note.read_text()))
    require_nothing_released(study, runs=1)
    assert open_study(study).state() == State.FAILED


def test_a_killed_run_is_undone_by_the_next(study, sabotage, in_threads):
    """kill -9 of the command: while a server of it lives nobody runs anything; then the next run clears up and answers."""
    note = sabotage("hang", "helper")
    process = start(study)
    session = open_study(study)
    (run,) = session.folder.runs()
    assert session.state() == State.RUNNING
    for _ in "as long as the command lives", "and its servers":
        with pytest.raises(Refused) as told:
            session.run("local:")
        assert str(told.value) == f"{study}: a run of this study is under way (rule: one at a time); wait until it has ended"
        process.kill()
        process.wait()
    os.kill(int(note.read_text()), signal.SIGKILL)
    with (study / runtimes.LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the last server of the killed command has ended
    assert session.state() == State.FAILED
    outcome = session.run("local:")
    assert session.folder.runs() == [outcome.run_id]
    assert session.state() == State.DONE
    for name in OWNERS:
        ledger = session.folder.party(name).ledger()
        assert [one.facts["run"] for one in ledger.find("withdrawn")] == [run]
        assert not session.folder.party(name).openings(run).exists()
    assert tables(session, outcome) == oracle(study)


def test_run_ids_sort_by_age():
    made = [runtimes.new_run_id() for _ in range(200)]
    assert made == sorted(made) and len(set(made)) == 200
    assert all(re.fullmatch(r"[0-9TZ.]+-[0-9a-f]{8}", one) for one in made)
