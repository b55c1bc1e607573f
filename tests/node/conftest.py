"""A small signed study of two owners and a helper, made once; each test does as it likes with a copy."""

import dataclasses
import os
import random
import shutil
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from accord.base.errors import AccordError
from accord.cli.main import main
from accord.node import processes, runtimes, server
from accord.node.folder import open_folder
from accord.node.runtimes import Outcome
from accord.node.session import open_study
from accord.node.setup import make_keys

TEXT = """
[study]
name = "wages"
title = "Wages by sector"
purpose = "A test of whole runs"
expires = 2999-12-31
servers = ["north", "south", "helper"]

[party_values]
north = "north"
south = "south"

[tables.wages]
owners = ["north", "south"]
rows_max = 60
owner_column = "region"
owner_values = { north = "north", south = "south" }
columns = [
  { name = "region", kind = "category", values = ["north", "south"] },
  { name = "sector", kind = "category", values = ["care", "mining", "retail"] },
  { name = "wage", kind = "decimal", scale = 2, low = "0.00", high = "9999.99", nullable = true },
]

[[releases]]
name = "means"
title = "Mean wage by sector"
sql = "SELECT sector, COUNT(*) AS n, AVG(wage) AS mean_wage FROM wages GROUP BY sector ORDER BY sector"
recipients = ["north", "office"]
rules = [{ rule = "minimum_count", column = "n", minimum = 5 }]

[[releases]]
name = "high"
title = "Where the mean wage is high"
sql = "SELECT sector, SUM(wage) > 2500 * COUNT(wage) AS high FROM wages GROUP BY sector ORDER BY sector"
recipients = ["north", "south"]
once = true
reason = "a yes or no for a whole sector"

[[releases]]
name = "own"
title = "How many rows your region has"
sql = "SELECT region, COUNT(*) AS n FROM wages GROUP BY region ORDER BY region"
recipients = { columns = ["region"] }
rules = [{ rule = "minimum_count", column = "n", minimum = 5 }]
"""

OWNERS = ("north", "south")
SERVERS = ("north", "south", "helper")
APPROVERS = SERVERS
SEED = 7
ROWS = 40
SABOTEUR = Path(__file__).parent / "saboteur"


def write_data(folder, seed=SEED):
    """Each owner's file: forty rows; three in all in mining, one wage missing. Returns the rows, for oracles."""
    print(f"seed of the data: {seed}")
    coins = random.Random(seed)
    rows = []
    for owner in OWNERS:
        lines = ["region,sector,wage"]
        for row in range(ROWS):
            sector = "mining" if owner == "north" and row < 3 else coins.choice(("care", "retail"))
            wage = "" if row == 11 else f"{coins.randrange(150_000, 400_000) / 100:.2f}"
            lines.append(f"{owner},{sector},{wage}")
        (folder / f"{owner}.csv").write_text("\n".join(lines) + "\n")
        rows += [line.split(",") for line in lines[1:]]
    return rows


def write_study(folder, *changes):
    """The study's text with each (old, new) replaced, once and for certain."""
    text = TEXT
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "study.toml").write_text(text)


def sign_all(folder):
    session = open_study(folder)
    for party in session.study.approvers:
        session.sign(party)
    return session


def unsigned(folder):
    write_data(folder)
    write_study(folder)
    place = open_folder(folder)
    for owner in OWNERS:
        place.party(owner).write_data({"wages": Path("..", "..", f"{owner}.csv")})
    return place


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    make_keys(unsigned(folder))
    sign_all(folder)
    return folder


@pytest.fixture
def study(original, tmp_path):
    """The folder of a study that all have signed, to do with as one likes."""
    return shutil.copytree(original, tmp_path / "wages")


class Done(NamedTuple):
    """A run that took place: its folder, what it was, and the phases that it told."""

    folder: Path
    outcome: Outcome
    phases: list


@pytest.fixture(scope="session")
def done(original, tmp_path_factory):
    """One run on three server processes over TLS, to be read only."""
    folder = shutil.copytree(original, tmp_path_factory.mktemp("done") / "wages")
    phases = []
    return Done(folder, open_study(folder).run("local:", phases.append), phases)


@pytest.fixture
def finished(done, tmp_path):
    """A copy of that run's study, to do with as one likes."""
    return shutil.copytree(done.folder, tmp_path / "wages")


@pytest.fixture
def in_threads(monkeypatch):
    """`local:` with its servers as threads of this process: the same code, sockets and TLS, without the start of three interpreters."""
    monkeypatch.setattr(runtimes, "run_servers", run_in_threads)


def run_in_threads(jobs, progress, kept_open=()):
    said, failures = {}, []

    def serve(job):
        try:
            said[job.party] = server.serve(job)
        except AccordError as error:
            failures.append(error)

    jobs = [dataclasses.replace(job, listener=os.dup(job.listener)) for job in jobs]
    threads = [threading.Thread(target=serve, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise min(failures, key=processes._remoteness)
    return [said[job.party] for job in jobs]


@pytest.fixture
def sabotage(monkeypatch, tmp_path):
    """Make the server process of one party misbehave (see saboteur/); gives the file with its process number."""

    def arrange(kind, party):
        note = tmp_path / "process"
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(SABOTEUR), *filter(None, [os.environ.get("PYTHONPATH")])]))
        monkeypatch.setenv("SABOTAGE", f"{kind}:{party}:{note}")
        return note

    return arrange


class Said(NamedTuple):
    """What a call of the command left."""

    code: int
    out: str
    err: str

    @property
    def line(self):
        """The error: the last line on standard error, after those that tell the phases."""
        return self.err.splitlines()[-1]


@pytest.fixture
def accord(capsys, monkeypatch):
    """Call the command."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def call(*arguments):
        capsys.readouterr()
        code = main([str(one) for one in arguments])
        return Said(code, *capsys.readouterr())

    return call


def require_nothing_released(folder, runs=None):
    """No sealed part, no receipt, no input lies anywhere, and every party's ledger says that each run that it took part in released
    nothing. `runs`: how many an owner was part of."""
    left = [path for path in (folder / "runs").rglob("*") if path.is_file()]
    assert left == []
    place = open_folder(folder)
    for name in place.local_parties():
        ledger = place.party(name).ledger()
        began = {one.facts["run"] for one in ledger.entries if one.event in ("answered", "shared", "ran")}
        assert began == {one.facts["run"] for one in ledger.find("withdrawn")}
        assert not list(place.party(name).path.glob("openings/*"))
        if runs is not None and name in OWNERS:
            assert len(began) == runs
