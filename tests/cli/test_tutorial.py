"""The tutorial tells the truth: its files are written, its commands run as they stand, what it shows is what is printed.

Three server processes over TLS compute; the opened figures are compared with plain Python on the pooled files.
"""

import csv
import os
import re
import subprocess
import sys
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

import pytest

from tests.tidy.code import ROOT

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"`(\w+\.csv)`[^\n]*\n\n```csv\n(.*?)```", PAGE, re.DOTALL))
SESSIONS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
WORDS = ("new", "keys", "explain", "sign", "run", "open")


class Step(NamedTuple):
    """One command, what the page says it prints, and what a person types meanwhile (after `: `)."""

    command: str
    shown: str

    @property
    def typed(self):
        return "".join(f"{answer}\n" for answer in re.findall(r"Type \w+ to sign: (\w+)$", self.shown, re.MULTILINE))


def steps():
    found = []
    for session in SESSIONS:
        command, _, shown = session.partition("\n")
        assert command.startswith("$ "), session
        while command.endswith("\\"):
            more, _, shown = shown.partition("\n")
            command = f"{command[:-1].rstrip()} {more.strip()}"
        found.append(Step(command.removeprefix("$ "), shown))
    return found


def pattern(shown):
    """The page's text as a pattern: … stands for anything, and what a person typed is not printed."""
    text = re.sub(r"(Type \w+ to sign: )\w+$", r"\1", shown.strip(), flags=re.MULTILINE)
    lines = [re.escape(line.rstrip()).replace("…", ".*?") for line in text.splitlines()]
    return "\n".join(lines)


def plain(text):
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the page's files and an `accord` on the path."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    command = folder / "bin" / "accord"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m accord "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def told(place):
    """Every command of the page, run in order as it stands."""
    environment = {**os.environ, "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    return [
        (step, subprocess.run(step.command, shell=True, cwd=place, env=environment, input=step.typed, capture_output=True, text=True))
        for step in steps()
    ]


def test_six_commands_lead_to_the_result():
    words = [step.command.split()[1] for step in steps()]
    assert tuple(words[: len(WORDS)]) == WORDS
    assert set(FILES) == {"north.csv", "south.csv"}


def test_every_command_prints_what_the_page_shows(told):
    for step, done in told:
        assert done.returncode == 0, f"{step.command}: {done.stderr}"
        assert re.fullmatch(pattern(step.shown), plain(done.stderr + done.stdout), re.DOTALL), (
            f"{step.command} printed\n{done.stderr}{done.stdout}\nbut the page shows\n{step.shown}"
        )


def expected():
    """Count and exact mean by sector, where ten or more are counted."""
    wages = defaultdict(list)
    for text in FILES.values():
        for row in csv.DictReader(text.splitlines()):
            wages[row["sector"]].append(Decimal(row["wage"]))
    step = Decimal(1).scaleb(-6)
    return {
        sector: (len(some), (sum(some) / len(some)).quantize(step, ROUND_HALF_UP)) for sector, some in wages.items() if len(some) >= 10
    }, {sector for sector, some in wages.items() if len(some) < 10}


def test_the_opened_figures_are_those_of_the_pooled_files(told, place):
    right, suppressed = expected()
    assert right and suppressed, "the page shows both a released and a suppressed row"
    rows = list(csv.DictReader((place / "wages.csv").read_text().splitlines()))
    assert {row["sector"] for row in rows} == {*right, *suppressed}
    for row in rows:
        if row["sector"] in right:
            assert (int(row["n"]), Decimal(row["mean_wage"])) == right[row["sector"]]
        else:
            assert not row["n"].isdigit() and row["n"] == row["mean_wage"]


def test_no_server_kept_a_value(told, place):
    """Nothing under the runs holds a cell of the files, in text."""
    cells = {row["wage"] for text in FILES.values() for row in csv.DictReader(text.splitlines())}
    kept = b"".join(path.read_bytes() for path in (place / "wages" / "runs").rglob("*") if path.is_file())
    assert kept and not [cell for cell in cells if cell.encode() in kept]
