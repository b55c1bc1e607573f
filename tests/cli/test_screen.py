"""What is printed on a terminal and in a pipe: complete, readable, without control codes where nobody sees them."""

import io
import sys

import pytest

from accord.cli import screen


class Terminal(io.StringIO):
    """A terminal, as far as a program can tell."""

    encoding = "utf-8"

    def isatty(self):
        return True


def told(progress):
    for name in ("check", "share", "compute"):
        for done in range(4):
            for who in ("alpha", "beta"):
                progress((name, done, 3, who))


def test_in_a_pipe_each_phase_is_one_line(capsys):
    with screen.Phases() as progress:
        told(progress)
    assert capsys.readouterr() == ("", "… check the owners' files\n… check the files, split into shares\n… compute on shares\n")


def test_quiet_is_quiet(capsys):
    with screen.Phases(quiet=True) as progress:
        told(progress)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_each_phase_is_a_bar_that_fills(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with screen.Phases() as progress:
        told(progress)
        assert progress.bar is not None
        assert [task.completed for task in progress.bar.tasks] == [1.0, 1.0, 1.0]
    assert "compute on shares" in terminal.getvalue()


def test_a_bar_never_goes_back(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with screen.Phases() as progress:
        progress(("compute", 3, 4, "alpha"))
        progress(("compute", 1, 4, "beta"))
        assert progress.bar.tasks[0].completed == pytest.approx(0.75)
        assert progress.bar.tasks[0].fields["who"] == "beta"


def test_a_table_in_a_pipe_is_never_cut_and_holds_no_markup(capsys):
    long = "x" * 300
    screen.console().print(screen.grid(("[red]head", "n"), [(long, "1"), ("[bold]b[/bold]", "20")], right=("n",)))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [f"{'[red]head':<300}    n", f"{long}    1", f"{'[bold]b[/bold]':<300}   20"]


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (5 * 10**12, "5000.0 GB")])
def test_amounts_are_for_people(size, text):
    assert screen.amount(size) == text


def test_a_text_wraps_on_a_terminal_and_nowhere_else(monkeypatch, capsys):
    text = "HEAD\n- " + "word " * 30 + "\n    SELECT x\n"
    screen.show_text(text)
    assert capsys.readouterr().out == text.rstrip() + "\n"
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    screen.show_text(text)
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= 40
    assert [lines[0], lines[-1]] == ["HEAD", "    SELECT x"]
    assert lines[1].startswith("- word") and all(line.startswith("  word") for line in lines[2:-1])
    assert terminal.getvalue().split() == text.split(), "wrapping changes no word"
