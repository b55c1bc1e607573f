"""The script ./dev: what it prints, when it makes .venv again, and how it fails."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from tests.tidy.code import ROOT

WORDS = ("demo", "test", "check", "bench", "docs")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with the script, its pins and its description, at a path with a space, and no .venv."""
    folder = tmp_path / "a tree"
    (folder / "src").mkdir(parents=True)
    for name in ("dev", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def run(tree: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(tree / "dev"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, **environment})


def load(tree: Path) -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_loader("dev", SourceFileLoader("dev", str(tree / "dev")))
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_no_word_prints_help_and_a_wrong_one_fails(tree: Path) -> None:
    silent, wrong = run(tree), run(tree, "dmeo")
    assert (silent.returncode, wrong.returncode) == (0, 2)
    assert all(f"./dev {word}" in silent.stdout for word in WORDS)
    assert not (tree / ".venv").exists()


def test_set_up_is_redone_when_a_pin_changes_or_it_was_interrupted(tree: Path) -> None:
    script = load(tree)
    assert not script.is_ready()
    script.PYTHON.parent.mkdir(parents=True)
    script.PYTHON.touch()
    assert not script.is_ready(), "a .venv without its stamp was interrupted"
    script.STAMP.write_text(script.fingerprint())
    assert script.is_ready()
    with script.PINS.open("a") as pins:
        pins.write("\n")
    assert not script.is_ready()


def test_the_command_starts_at_a_path_with_a_space(tree: Path) -> None:
    package = tree / "src" / "accord" / "cli"
    package.mkdir(parents=True)
    (package / "main.py").write_text("import sys\n\ndef main():\n    print('ran', *sys.argv[1:])\n    return 3\n")
    script = load(tree)
    script.make_venv()
    script.install_project()
    done = subprocess.run([str(script.VENV / "bin" / "accord"), "demo"], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("ran demo\n", 3)


def test_a_failed_download_is_one_sentence(tree: Path) -> None:
    done = run(tree, "check", PIP_NO_INDEX="1", PIP_FIND_LINKS="", PIP_NO_CACHE_DIR="1")
    assert done.returncode == 1
    assert done.stderr.startswith("dev: the packages could not be installed: No matching distribution found")
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1
    assert not load(tree).is_ready()


def test_an_old_python_is_told_so(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = load(tree)
    monkeypatch.setattr(script.sys, "version_info", (3, 10, 4))
    with pytest.raises(script.Stop, match=r"needs Python 3\.11 or newer"):
        script.main(["test"])


def test_a_python_without_venv_is_told_so(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = load(tree)
    monkeypatch.setattr(script.sys, "executable", shutil.which("false"))
    with pytest.raises(script.Stop, match="install its venv module"):
        script.make_venv()
