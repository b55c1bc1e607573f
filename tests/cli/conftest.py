"""The command as a person meets it: arguments in, two streams and an exit code out."""

import shutil
import sys
from typing import NamedTuple

import pytest

from accord.cli.main import main
from tests.cli import page

NORTH = "sector,wage\nretail,1949.14\ncare,2867.50\ncare,2444.94\nretail,2565.10\n"
SOUTH = "sector,wage\ncare,2411.05\nretail,2089.07\nmining,3736.88\n"


def write_files(folder):
    for name, text in (("north.csv", NORTH), ("south.csv", SOUTH)):
        (folder / name).write_text(text)


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
    write_files(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def proposed(tmp_path_factory):
    """A study of two owners as `accord new` writes it, made once."""
    folder = tmp_path_factory.mktemp("proposed")
    write_files(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "excepthook", sys.excepthook)
        assert main(["new", "wages", "--owner", "north=north.csv", "--owner", "south=south.csv"]) == 0
    return folder / "wages"


@pytest.fixture
def wages(files, proposed):
    """That study beside its owners' files."""
    return shutil.copytree(proposed, files / "wages")


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory):
    """The folder in which the tutorial is played."""
    return tmp_path_factory.mktemp("tutorial")


@pytest.fixture(scope="session")
def told(tutorial):
    """Every command of the tutorial with what it left: a run on three server processes among them."""
    return page.run_all(tutorial)
