"""Tests of the tests: small named damages to Accord, each with the tests that must catch it.

`sabotage.toml` lists them. A `Workshop` is a copy of the tree in a temporary folder; it does one damage at a time to the copy, runs the
named tests there, and undoes it. A damage is caught where every named test passes without it and fails with it, by an assertion or by a
refusal of Accord's own: a damage that only breaks an import has shown nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from accord.base.errors import OurFault

LIST = Path(__file__).with_name("sabotage.toml")
HOST = Path(__file__).with_name("sabotage_host.py")
COPIED = ("src", "tests", "docs", "gallery", "bench", "pyproject.toml", "constraints.txt", "dev")
"""What tests read of the tree."""
LEFT_OUT = (
    *("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "NUMBA_CACHE_DIR"),
)
SECOND_NS = 10**9


@dataclass(frozen=True)
class Damage:
    """`old` stands so many `times` in `file` (from the tree's root) and becomes `new`; `breaks` says in one sentence what is lost.

    `tests`: pytest ids, the quickest that catch it. `slow`: they take more than a few seconds.
    """

    name: str
    room: str
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    times: int = 1
    slow: bool = False

    def applied(self, text: str) -> str:
        """The damaged text. Raises OurFault where the old text is not there, or stands more often than it should."""
        if text.count(self.old) != self.times or self.old == self.new:
            raise OurFault(
                f"damage {self.name!r} is stale: its old text stands there {text.count(self.old)} times",
                where=self.file,
                rule=f"{self.times} times",
                do="write down the line as it is now",
            )
        return text.replace(self.old, self.new)


class Verdict(StrEnum):
    """What became of a damage."""

    CAUGHT = "caught"
    SURVIVED = "survived: a test that must catch it passes"
    BROKEN = "broken: a test ends without a verdict"
    UNFIT = "unfit: a test fails without any damage"


@dataclass(frozen=True)
class Judgement:
    """`said`: for each test, what it said of the damage, or why it says nothing."""

    verdict: Verdict
    said: tuple[str, ...]


@dataclass(frozen=True)
class Ran:
    """One run of one test id: how many cases passed, what ended the others, and whether each of these is a verdict."""

    test: str
    passed: int
    failures: tuple[tuple[str, bool], ...]

    @property
    def is_clean(self) -> bool:
        return self.passed > 0 and not self.failures

    @property
    def caught(self) -> bool:
        return bool(self.failures) and all(verdict for _, verdict in self.failures)

    @property
    def said(self) -> str:
        return f"{self.test}: {'; '.join(said for said, _ in self.failures) or f'{self.passed} passed'}"


def damages(path: Path = LIST) -> tuple[Damage, ...]:
    """The published list. Raises OurFault where two damages have one name."""
    listed = tuple(_damage(one) for one in tomllib.loads(path.read_text(encoding="utf-8"))["damage"])
    if twice := [name for name, count in Counter(one.name for one in listed).items() if count > 1]:
        raise OurFault(f"two damages are named {twice[0]!r}", where=path.name, do="give each a name of its own")
    return listed


def _damage(document: dict[str, Any]) -> Damage:
    return Damage(**{**document, "tests": tuple(document["tests"])})


@dataclass
class Workshop:
    """A copy of the tree at `root`, as a context manager. Its undamaged tests run once each and are remembered."""

    root: Path
    _folder: tempfile.TemporaryDirectory[str] = field(init=False, repr=False)
    _host: subprocess.Popen[str] = field(init=False, repr=False)
    _undamaged: dict[str, Ran] = field(init=False, default_factory=dict, repr=False)
    _damages: int = field(init=False, default=0, repr=False)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="sabotage-")
        self.tree = Path(self._folder.name) / "tree"
        copy_tree(self.root, self.tree)
        self._host = subprocess.Popen(
            [sys.executable, "-P", str(HOST)],
            cwd=self.tree,
            env=_environment(self.tree / "src"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._host.communicate()
        self._folder.cleanup()

    def judge(self, damage: Damage) -> Judgement:
        """Do the damage, run its tests, undo it. Raises OurFault for a stale damage."""
        unfit = [sound.said for test in damage.tests if not (sound := self.undamaged(test)).is_clean]
        if unfit:
            return Judgement(Verdict.UNFIT, tuple(unfit))
        path = self.tree / damage.file
        before, stamp = path.read_text(encoding="utf-8"), path.stat()
        try:
            path.write_text(damage.applied(before), encoding="utf-8")
            # Compiled files are told by time and size: no damaged file may look like the sound one, or like another damaged one.
            self._damages += 1
            os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + self._damages * SECOND_NS))
            ran = [self.run(test) for test in damage.tests]
        finally:
            path.write_text(before, encoding="utf-8")
            os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        return Judgement(_verdict(ran), tuple(one.said for one in ran))

    def undamaged(self, test: str) -> Ran:
        """The test's run on the sound tree."""
        if test not in self._undamaged:
            self._undamaged[test] = self.run(test)
        return self._undamaged[test]

    def run(self, test: str) -> Ran:
        """One test id on the tree as it stands."""
        folder = Path(self._folder.name)
        report, log = folder / "report.json", folder / "log.txt"
        report.unlink(missing_ok=True)
        assert self._host.stdin is not None and self._host.stdout is not None
        self._host.stdin.write(json.dumps({"test": test, "report": str(report), "log": str(log)}) + "\n")
        self._host.stdin.flush()
        code = self._host.stdout.readline().strip()
        if not report.is_file():
            last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:] if log.is_file() else []
            return Ran(test, 0, ((f"it ended with code {code or 'none'} {' '.join(last)}", False),))
        found = json.loads(report.read_text(encoding="utf-8"))
        failures = tuple((one["said"], one["verdict"]) for one in found["failures"])
        if not failures and not found["passed"]:
            failures = (("no such test", False),)
        return Ran(test, found["passed"], failures)


def _verdict(ran: list[Ran]) -> Verdict:
    if any(one.is_clean for one in ran):
        return Verdict.SURVIVED
    return Verdict.CAUGHT if all(one.caught for one in ran) else Verdict.BROKEN


def copy_tree(root: Path, to: Path) -> None:
    """The parts of the tree that tests read, with times and compiled files, so that nothing sound is compiled again."""
    to.mkdir()
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, to / name)
        elif (root / name).is_file():
            shutil.copy2(root / name, to / name)


def _environment(source: Path) -> dict[str, str]:
    """The damaged package first on the path, compiled files beside their sources, one thread; no traces of the tests that run us."""
    kept = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    return {**kept, "PYTHONPATH": str(source), "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
