"""Compiled loops outlive the package that they were compiled for: an install over it finds them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from accord.mpc.kernels import cache_folder
from tests.tidy.code import ROOT

RUN = """
import os, numpy as np
from accord.mpc.kernels import compiled, fold_loop, fold_planes
fold_planes(np.zeros((1, 4096), np.uint64), np.zeros(1, np.intp), np.ones((1, 4096), np.uint64), 1)
stats = compiled(fold_loop).stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""
NEEDED = ("__init__.py", "base", "mpc/__init__.py", "mpc/kernels.py")


def install(site: Path) -> None:
    """As pip does: what was there goes, its caches among it, and new files are written."""
    shutil.rmtree(site, ignore_errors=True)
    for name in NEEDED:
        source, target = ROOT / "src" / "accord" / name, site / "accord" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, target)


def hits_and_misses(site: Path, cache: Path) -> tuple[int, int]:
    settings = {"PYTHONPATH": str(site), "XDG_CACHE_HOME": str(cache), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", RUN], env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    hits, misses = map(int, done.stdout.split())
    return hits, misses


def test_an_install_finds_what_the_one_before_has_compiled(tmp_path: Path) -> None:
    site, cache = tmp_path / "site-packages", tmp_path / "cache"
    for expected in ((0, 1), (1, 0)):
        install(site)
        assert hits_and_misses(site, cache) == expected
    assert list((cache / "accord" / "kernels").rglob("*.nbc"))
    assert not list(site.rglob("*.nbc"))
    kernels = site / "accord" / "mpc" / "kernels.py"
    kernels.write_text(kernels.read_text(encoding="utf-8") + "\n# another release\n", encoding="utf-8")
    assert hits_and_misses(site, cache) == (0, 1), "machine code of another source"


def test_a_source_tree_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder("/opt/accord/src/accord/mpc/kernels.py") == ""
    assert cache_folder("/usr/lib/python3/dist-packages/accord/mpc/kernels.py") == str(Path("/somewhere/accord/kernels"))
