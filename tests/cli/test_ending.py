"""Every command ends with a code and at most one line: for its user, for a script, for who reads a log."""

import os
import re
import resource
import subprocess
import sys

import pytest
import typer

from accord import __version__
from accord.base.errors import OurFault, PeerFault, Refused
from accord.cli import ending
from tests.tidy.code import ROOT

HELP_SECONDS_MAX = 0.5


def app_that(action):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    app.command("act")(action)
    return app


def raising(error):
    def act() -> None:
        raise error

    return app_that(act)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (Refused("no", where="a.csv", rule="r", do="mend it"), 3, "accord: a.csv: no (rule: r); mend it\n"),
        (PeerFault("beta went away"), 4, "accord: beta went away\n"),
        (OurFault("a rule was broken"), 1, "accord: a rule was broken\n"),
        (Refused("cells:\n  line 2\n  line 3"), 3, "accord: cells:\n  line 2\n  line 3\n"),
        (Refused("one cell\n  line 2"), 3, "accord: one cell: line 2\n"),
        (
            FileNotFoundError(2, "No such file or directory", "x.csv"),
            1,
            "accord: x.csv: no such file or directory; check the path and its permissions\n",
        ),
        (KeyboardInterrupt(), 130, "accord: interrupted; nothing more was done\n"),
    ],
)
def test_each_kind_of_error_has_its_code_and_one_line(capsys, monkeypatch, error, code, line):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    assert ending.run(raising(error), ["act"]) == code
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize("arguments", [["--debug", "act"], ["act", "--debug"]])
def test_debug_adds_the_trace_wherever_it_stands(capsys, arguments):
    assert ending.run(raising(Refused("no")), arguments) == 3
    said = capsys.readouterr().err
    assert said.startswith("Traceback") and said.endswith("accord: no\n")


def test_a_command_may_choose_its_code(capsys, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def act() -> int:
        return 1

    assert ending.run(app_that(act), ["act"]) == 1
    assert capsys.readouterr() == ("", "")


def test_a_bug_is_one_line_that_holds_no_data(capsys):
    try:
        {}["the secret 4711"]
    except KeyError as error:
        ending.unexpected(type(error), error, error.__traceback__)
    line = capsys.readouterr().err
    assert re.fullmatch(
        r"accord: unexpected KeyError in test_ending.py, line \d+: this is a bug in Accord, .* call again with --debug .*\n", line
    )
    assert "4711" not in line


def test_a_bug_in_the_command_ends_with_that_line():
    program = "import accord.cli.places as p, sys; p.locate = lambda path: {}['4711']; from accord.cli.main import main; sys.exit(main())"
    plain = subprocess.run([sys.executable, "-c", program, "explain", "."], cwd=ROOT, capture_output=True, text=True)
    assert (plain.returncode, plain.stdout) == (1, "")
    assert plain.stderr.startswith("accord: unexpected KeyError in ") and plain.stderr.count("\n") == 1
    traced = subprocess.run([sys.executable, "-c", program, "explain", ".", "--debug"], cwd=ROOT, capture_output=True, text=True)
    assert traced.returncode == 1 and "Traceback" in traced.stderr and "KeyError: '4711'" in traced.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["rnu"], "accord: No such command 'rnu'. Did you mean 'run'?; see: accord --help"),
        (["run"], "accord: Missing argument 'STUDY'; see: accord run --help"),
        (["run", "x", "--runtim", "sim:"], "accord: No such option: --runtim (Possible options: --runtime); see: accord run --help"),
        (["open", "x"], "accord: Missing option '--as'; see: accord open --help"),
        (["gallery", "rum"], "accord: No such command 'rum'. Did you mean 'run'?; see: accord gallery --help"),
    ],
)
def test_a_wrong_call_says_so_in_one_line(accord, arguments, line):
    said = accord(*arguments)
    assert (said.code, said.out, said.line) == (2, "", line)


def test_the_version(accord):
    assert accord("--version") == (0, f"accord {__version__}\n", "")


def test_alone_it_shows_what_it_can_do(accord):
    said = accord()
    assert said.code == 0
    for word in ("new", "check", "keys", "explain", "sign", "run", "open", "verify", "status", "gallery", "demo"):
        assert re.search(rf"│ {word} ", said.out), word
    assert "3 refused by a" in said.out


def process(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "accord", *arguments], cwd=ROOT, capture_output=True, text=True, **options)


def processor_seconds():
    """What ended children have used: unlike the clock, it does not count what else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_is_quick_and_plain_in_a_pipe():
    seconds = []
    for _ in range(3):
        before = processor_seconds()
        said = process("--help", env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "60"})
        seconds.append(processor_seconds() - before)
    assert (said.returncode, said.stderr) == (0, "")
    assert "\x1b" not in said.stdout
    assert max(map(len, said.stdout.splitlines())) <= 60
    assert min(seconds) < HELP_SECONDS_MAX, seconds
    loaded = process_loads("accord.cli.main")
    assert not loaded & {"numpy", "duckdb", "ibis", "numba", "sqlglot"}, loaded


def process_loads(module):
    program = f"import sys, {module}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())


def test_a_closed_pipe_is_quiet():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run([sys.executable, "-m", "accord", "--help"], cwd=ROOT, stdout=closed, stderr=subprocess.PIPE, text=True)
    assert done.stderr == ""


def test_a_stream_without_unicode_is_no_error():
    said = process("--help", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (said.returncode, said.stderr) == (0, "")
