"""`accord gallery` and `accord demo`: what is found, how it is run, what is printed."""

import importlib
import json
import sys

import pytest

import accord as package

ENTRY = '''
"""A system for these tests: it multiplies six by seven, or by what the data file says."""

from dataclasses import dataclass

DESCRIPTION = "Six times something, and back"


@dataclass
class Report:
    product: int
    right: bool
    receipt: str

    def json(self):
        return {"matches_oracle": self.right, "product": self.product, "receipt": self.receipt}

    def print(self, console):
        console.print(f"the product is {self.product}")


def run(data, folder, runtime, progress):
    factor = int(data.read_text()) if data else 7
    for done in range(3):
        progress(("compute", done + 1, 3, runtime))
    (folder / "receipt.json").write_text("{}")
    return Report(6 * factor, factor != 13, str(folder / "receipt.json"))
'''

TOLD = """

from pathlib import Path

from accord.node.forecast import Foreseen
from accord.node.runtimes import Outcome

Report.outcome = Outcome("r", "local:", Path(), 3.0, 9, 2000, None, (), computing_seconds=0.25, foretold=Foreseen(8, 1000, 0.5))
"""

DEMO = """

def demo(console, folder, progress):
    console.print(f"watch: {run(None, folder, 'sim:', progress).product}")
    return 0
"""


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """A gallery of two systems in the place of the real one."""
    root = tmp_path / "root"
    for name, text in (("", ""), ("sixes", ENTRY), ("shown", ENTRY + DEMO), ("told", ENTRY + TOLD)):
        folder = root / "gallery" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text('"""Here."""\n')
        if name:
            (folder / "entry.py").write_text(text)
    for name in [name for name in sys.modules if name.startswith("accord.gallery")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(package, "__path__", [str(root), *package.__path__])
    monkeypatch.delattr(package, "gallery", raising=False)
    importlib.invalidate_caches()
    yield root
    for name in [name for name in sys.modules if name.startswith("accord.gallery")]:
        del sys.modules[name]


def test_the_list_names_each_system(accord, toys):
    said = accord("gallery", "list")
    assert (said.code, said.err) == (0, "")
    assert [line.split(maxsplit=1) for line in map(str.rstrip, said.out.splitlines())] == [
        ["name", "what it is"],
        ["shown", "Six times something, and back"],
        ["sixes", "Six times something, and back"],
        ["told", "Six times something, and back"],
    ]


def test_a_run_prints_for_a_person_and_its_phases_beside(accord, toys):
    said = accord("gallery", "run", "sixes")
    assert said == (0, "the product is 42\n", "… compute on shares\n")


def test_as_json_it_prints_one_object_and_nothing_else(accord, toys, tmp_path):
    (tmp_path / "factor").write_text("8")
    said = accord("gallery", "run", "sixes", "--data", "factor", "--runtime", "sim:", "--json")
    assert (said.code, said.err, said.out.count("\n")) == (0, "", 1)
    facts = json.loads(said.out)
    assert facts["matches_oracle"] is True
    assert facts["product"] == 48
    assert (tmp_path / facts["receipt"]).is_file(), "the receipt stays where the person can find it"


def test_a_run_of_servers_is_told_beside_what_was_foretold(accord, toys):
    said = accord("gallery", "run", "told")
    assert [line.split() for line in said.out.splitlines()[-4:]] == [
        ["cost", "foretold", "measured"],
        ["rounds", "8", "9"],
        ["sent", "by", "each", "server", "1.0", "kB", "2.0", "kB"],
        ["computing", "0.5", "s", "0.25", "s"],
    ]
    facts = json.loads(accord("gallery", "run", "told", "--json").out)
    assert facts["foretold"] == {"rounds": 8, "bytes_per_server": 1000, "computing_seconds": 0.5}
    assert facts["computing_seconds"] == 0.25


def test_two_runs_have_folders_of_their_own(accord, toys):
    receipts = {json.loads(accord("gallery", "run", "sixes", "--json").out)["receipt"] for _ in range(2)}
    assert len(receipts) == 2


def test_a_result_that_is_not_the_oracles_fails(accord, toys, tmp_path):
    (tmp_path / "factor").write_text("13")
    said = accord("gallery", "run", "sixes", "--data", "factor", "--json")
    assert (said.code, json.loads(said.out)["matches_oracle"]) == (1, False)


def test_what_is_not_there_is_refused_with_what_is(accord, toys):
    assert accord("gallery", "run", "tade")[::2] == (3, "accord: the gallery has no 'tade'; it has shown, sixes, told\n")
    assert accord("gallery", "run", "sixes", "--data", "no.csv")[::2] == (
        3,
        "accord: no.csv: there is no such file or folder; check the path\n",
    )


def test_a_demonstration_is_shown(accord, toys):
    assert accord("demo", "shown") == (0, "watch: 42\n", "… compute on shares\n")
    assert accord("demo", "sixes").line == "accord: sixes has no demonstration; run it with: accord gallery run sixes"


def test_the_checkout_has_the_gallery(accord):
    said = accord("gallery", "list")
    assert said.code == 0
    assert "trade" in [line.split()[0] for line in said.out.splitlines()]
