"""What may stand in a tracked file: no address to download from, no path of one machine, nothing unfinished."""

from __future__ import annotations

import ast
import re

import pytest

from tests.tidy.code import ROOT, File, python_files, text_files

REGISTRIES = ("pypi", "pythonhosted", "npmjs", "crates.io", "conda", "artifactory", "nexus", "devpi", "registry", "simple/", "mirror")
ADDRESS = re.compile(r"https?://[^\s\"'<>)\]]+")
INDEX_OPTION = re.compile(r"--(?:extra-)?index-" + r"url|--find-" + r"links|--trusted-" + r"host")
MACHINE_PATH = re.compile(r"(?<![\w./:-])/(?:home|Users|root|work|tmp|mnt)/\w")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|NotImplemented" + r"Error)\b")
UNRUN = re.compile(r"\bmark\.(?:skip|xfail)|pytest\.(?:skip|xfail|importor" + r"skip)\(")
LIMITS = "src/accord/base/limits.py"


def addresses(files: list[File]) -> list[str]:
    """Addresses of package registries, and options that would name one."""
    hosts = [f"{file.path}: {url}" for file in files for url in ADDRESS.findall(file.text) if any(word in url for word in REGISTRIES)]
    return hosts + [f"{file.path}: {option}" for file in files for option in INDEX_OPTION.findall(file.text)]


def matching(files: list[File], pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{file.path}:{number}: {found.group()}"
        for file in files
        for number, line in enumerate(file.text.splitlines(), 1)
        if (found := pattern.search(line))
    ]


def loose_pins(text: str) -> list[str]:
    """Requirements without a hash or an exact version, and addresses."""
    entries = re.sub(r"\\\n", " ", text).splitlines()
    pins = [entry for entry in entries if entry and not entry.lstrip().startswith("#")]
    return [entry.split()[0] for entry in pins if "==" not in entry or "--hash=sha256:" not in entry or "//" in entry or "@" in entry]


def unused_limits(limits: File, files: list[File]) -> list[str]:
    """Names of limits.py that no other file of the package uses."""
    assigned = [node.targets if isinstance(node, ast.Assign) else [node.target] for node in limits.tree.body if is_assignment(node)]
    bounds = {target.id for targets in assigned for target in targets if isinstance(target, ast.Name)}
    used = {node.id for file in files for node in ast.walk(file.tree) if isinstance(node, ast.Name)}
    used |= {node.attr for file in files for node in ast.walk(file.tree) if isinstance(node, ast.Attribute)}
    return sorted(bounds - used)


def is_assignment(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign | ast.AnnAssign)


@pytest.fixture(scope="module")
def tree() -> list[File]:
    return text_files()


def test_no_file_names_a_place_to_download_from(tree: list[File]) -> None:
    assert addresses(tree) == []
    assert addresses([File("a.toml", "https" + "://py" + "pi.org/simple")])
    assert addresses([File("a.txt", "--index-" + "url x")])
    assert not addresses([File("a.md", "https://www.rfc-editor.org/rfc/rfc9180")])


def test_no_file_names_a_path_of_one_machine(tree: list[File]) -> None:
    assert matching(tree, MACHINE_PATH) == []
    assert matching([File("a.py", "open('" + "/ho" + "me/anna/trade.csv')")], MACHINE_PATH)
    assert not matching([File("a.md", "see ../shared/data and https://example.org/home/x and src/work/x")], MACHINE_PATH)


def test_nothing_is_unfinished(tree: list[File]) -> None:
    assert matching([file for file in tree if not file.path.endswith((".csv", ".txt"))], UNFINISHED) == []
    assert matching([File("a.py", "raise NotImplemented" + "Error")], UNFINISHED)


def test_no_test_is_skipped(tree: list[File]) -> None:
    tests = [file for file in tree if file.path.startswith("tests/")]
    assert tests
    assert matching(tests, UNRUN) == []
    assert matching([File("tests/a.py", "@pytest.ma" + "rk.skipif(True)")], UNRUN)


def test_pins_are_exact_and_hashed() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "numpy==" in text
    assert loose_pins(text) == []
    assert loose_pins("numpy>=2 \\\n    --hash=sha256:00\n") == ["numpy>=2"]
    assert loose_pins("numpy==2.0\n") == ["numpy==2.0"]


def test_every_limit_is_used() -> None:
    files = python_files("src")
    limits = next(file for file in files if file.path == LIMITS)
    assert unused_limits(limits, [file for file in files if file.path != LIMITS]) == []
    assert unused_limits(File(LIMITS, "ROWS_MAX = 5\n"), [File("a.py", "x = 1\n")]) == ["ROWS_MAX"]
    assert not unused_limits(File(LIMITS, "ROWS_MAX: int = 5\n"), [File("a.py", "assert n < ROWS_MAX\n")])
