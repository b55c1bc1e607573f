"""The tutorial page taken apart: its files, its commands, what it says they print."""

import os
import re
import subprocess
import sys
from typing import NamedTuple

from tests.tidy.code import ROOT

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"`(\w+\.csv)`[^\n]*\n\n```csv\n(.*?)```", PAGE, re.DOTALL))
SESSIONS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)


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


def run_all(folder):
    """Write the page's files into a folder and run every command in order, as it stands."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    command = folder / "bin" / "accord"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m accord "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    options = {"shell": True, "cwd": folder, "env": {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "src")}}
    return [(step, subprocess.run(step.command, input=step.typed, capture_output=True, text=True, **options)) for step in steps()]
