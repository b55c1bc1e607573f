"""Server processes that do not do what they should: the error names the cause, notes keep what was said, nothing stays behind."""

import contextlib
import subprocess
import sys

import pytest

from accord.base.errors import OurFault, PeerFault, Refused
from accord.node import processes, runtimes
from accord.node.job import Job, Phase, Said, encode
from accord.node.session import open_study
from tests.node.conftest import require_nothing_released

NAMES = ("north", "south", "helper")
WAIT = "import sys; sys.stdin.readline(); import threading; threading.Event().wait()"


def says(*lines, code=0):
    """A program that reads its job, says these lines and ends."""
    body = b"".join(line if isinstance(line, bytes) else encode(line) for line in lines)
    return f"import sys, os; sys.stdin.readline(); sys.stdout.buffer.write({body!r}); sys.stdout.flush(); os._exit({code})"


FINE = says(Said("end", rounds=3, bytes_sent=70))
BLAMED = says(Said("error", blame="PeerFault", error="it closed the connection", where="server 2 (helper)"), code=1)


@pytest.fixture
def run(monkeypatch):
    """Run three little programs in place of servers; afterwards none of them lives."""
    popen = subprocess.Popen
    started = []

    def play(*programs, progress=lambda phase: None):
        waiting = iter(programs)

        def start(_, **options):
            program = next(waiting)
            if isinstance(program, OSError):
                raise program
            started.append(popen([sys.executable, "-I", "-S", "-c", program], **options))
            return started[-1]

        monkeypatch.setattr(processes.subprocess, "Popen", start)
        jobs = [Job("study", name, "run", ("a:1", "b:2", "c:3"), "in", "out") for name in NAMES]
        return processes.run_servers(jobs, progress)

    yield play
    assert all(one.returncode is not None for one in started)


def test_three_that_end_well_are_heard_in_order(run):
    phases = []
    ends = [says(Said("phase", "compute", 1, 2), Said("end", rounds=at)) for at in range(3)]
    assert [one.rounds for one in run(*ends, progress=phases.append)] == [0, 1, 2]
    assert sorted(phases) == [Phase("compute", 1, 2, name) for name in sorted(NAMES)]


@pytest.mark.parametrize(
    ("blame", "kind", "where", "sentence"),
    [
        ("Refused", Refused, "study.toml", "server south, study.toml: it is wrong (rule: r); d"),
        ("Refused", Refused, "", "server south: it is wrong (rule: r); d"),
        ("PeerFault", PeerFault, "server 0 (north)", "south about server 0 (north): it is wrong (rule: r); d"),
        ("OurFault", OurFault, "", "server south: it is wrong (rule: r); d"),
        ("SystemExit", PeerFault, "", "server south: it is wrong (rule: r); d"),
    ],
)
def test_an_error_comes_over_as_it_was(run, blame, kind, where, sentence):
    error = says(Said("error", blame=blame, error="it is wrong", where=where, rule="r", do="d"), code=1)
    with pytest.raises(kind) as told:
        run(FINE, error, FINE)
    assert (type(told.value), str(told.value)) == (kind, sentence)


def test_a_death_is_told_before_what_others_say_of_it(run):
    """They notice that it is gone, and may say so first."""
    with pytest.raises(PeerFault, match=r"the server process of helper ended in mid-run \(exit code 9\)"):
        run(BLAMED, BLAMED, says(code=9))


def test_a_refusal_ends_the_run_at_once(run):
    """Also where the two others would wait for ever."""
    with pytest.raises(Refused, match=r"^server north: no$"):
        run(says(Said("error", blame="Refused", error="no"), code=1), WAIT, WAIT)


def test_the_others_are_given_a_moment_and_then_ended(run, monkeypatch):
    monkeypatch.setattr(processes, "STOP_TIMEOUT_SECONDS", 0.2)
    with pytest.raises(PeerFault, match="north about server 2"):
        run(BLAMED, WAIT, WAIT)


def test_servers_that_say_nothing_any_more_are_ended(run, monkeypatch):
    monkeypatch.setattr(processes, "STUDY_TIMEOUT_SECONDS", 0.2)
    with pytest.raises(PeerFault, match="the servers said nothing any more"):
        run(WAIT, WAIT, WAIT)


def test_an_end_without_a_word_is_a_fault_whatever_the_exit_code(run):
    with pytest.raises(PeerFault, match=r"the server process of south ended in mid-run \(exit code 0\)"):
        run(FINE, says(), FINE)


def test_noise_is_kept_for_those_who_debug(run):
    noise = b"".join(b"line %d\n" % at for at in range(100)) + b"\xff\xfe\n"
    with pytest.raises(PeerFault) as told:
        run(FINE, FINE, says(noise, code=1))
    notes = told.value.__notes__
    assert notes[-2:] == ["line 99", "\ufffd\ufffd"] and len(notes) == processes.NOISE_LINES_MAX
    assert "line" not in str(told.value)


def test_where_one_cannot_be_started_those_before_it_are_ended(run):
    with pytest.raises(BlockingIOError):
        run(WAIT, WAIT, BlockingIOError("no more processes"))


def test_an_interrupted_listener_ends_its_servers(run):
    def interrupt(phase):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(WAIT, says(Said("phase", "compute", 0, 1)), WAIT, progress=interrupt)


def test_a_server_that_prints_noise_and_dies(accord, study, sabotage):
    """One line for everybody, the noise with --debug."""
    sabotage("noise", "north")
    said = accord("--debug", "run", study)
    assert said.code == 4
    assert said.line.startswith("accord: the server process of north ended in mid-run (exit code 7) (rule: any fault aborts")
    assert "numbers that nobody expected" in said.err and "MemoryError" in said.err
    require_nothing_released(study, runs=1)


def test_servers_that_do_not_read_their_job(study, sabotage, monkeypatch):
    sabotage("deaf", "all")
    with pytest.raises(PeerFault, match=r"the server process of \w+ ended in mid-run \(exit code 3\)") as told:
        open_study(study).run("local:")
    assert not hasattr(told.value, "__notes__")
    require_nothing_released(study, runs=1)
    assert runtimes.is_running(open_study(study).folder) is False


def test_servers_of_one_machine_share_its_cores(monkeypatch):
    for cores, threads in ((None, "1"), (2, "1"), (3, "1"), (12, "4")):
        monkeypatch.setattr(processes.os, "cpu_count", lambda cores=cores: cores)
        assert processes.environment(3)["OPENBLAS_NUM_THREADS"] == threads
        monkeypatch.setenv(processes.CORES, processes.environment(3)[processes.CORES])
        with processes.block_pool() or contextlib.nullcontext() as pool:
            assert (pool._max_workers if pool else 1) == int(threads)
    monkeypatch.delenv(processes.CORES)
    with processes.block_pool() as pool:
        assert pool._max_workers == 12, "a server with the machine to itself"
    assert processes.ALLOCATOR.items() <= processes.environment(1).items()
