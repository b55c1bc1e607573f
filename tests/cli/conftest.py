"""The command as a person meets it: arguments in, two streams and an exit code out."""

import sys
from typing import NamedTuple

import pytest

from accord.cli.main import main

NORTH = "sector,wage\nretail,1949.14\ncare,2867.50\ncare,2444.94\nretail,2565.10\n"
SOUTH = "sector,wage\ncare,2411.05\nretail,2089.07\nmining,3736.88\n"


class Said(NamedTuple):
    """What a call of the command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def line(self):
        """The one line of an error."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


@pytest.fixture
def accord(capsys, monkeypatch, tmp_path):
    """Call `accord` in a fresh folder; `answer` is what the person types."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def call(*arguments, answer=""):
        typed = tmp_path / "typed"
        typed.write_text(answer)
        with typed.open() as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            code = main([str(one) for one in arguments])
        typed.unlink()
        return Said(code, *capsys.readouterr())

    return call


@pytest.fixture
def files(tmp_path):
    """Two owners' files of the same shape."""
    for name, text in (("north.csv", NORTH), ("south.csv", SOUTH)):
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def wages(accord, files):
    """A fresh study of two owners."""
    said = accord("new", "wages", "--owner", "north=north.csv", "--owner", "south=south.csv")
    assert said.code == 0, said.err
    return files / "wages"
