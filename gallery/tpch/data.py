"""The benchmark's rows: made by `tpchgen-cli`, a command of the Python package of that name, or given as files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from accord.base.errors import PeerFault, Refused
from accord.gallery.tpch.tables import tables

GENERATOR = "tpchgen-cli"
NAMES = tuple(tables(1))


def make(folder: Path, scale: float) -> dict[str, Path]:
    """Every table as Parquet in `folder`, made if missing; the same rows for the same scale. Raises Refused without the generator."""
    command = _command()
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run([command, "parquet", "-s", f"{scale:g}", "-o", str(folder)], capture_output=True, text=True, check=False)
    if made.returncode:
        raise PeerFault(f"{GENERATOR} ended with {made.returncode}: {made.stderr.strip()[-200:]}", do="try it by itself")
    return given(folder)


def _command() -> str:
    """Beside this Python, or on the path."""
    beside = Path(sys.executable).with_name(GENERATOR)
    found = str(beside) if beside.exists() else shutil.which(GENERATOR)
    if found is None:
        raise Refused(
            f"{GENERATOR} is not installed", rule="it makes the benchmark's rows", do='install "accord[tpch]", or give files with --data'
        )
    return found


def given(folder: Path) -> dict[str, Path]:
    """Files of the eight tables, `<table>.parquet` or `<table>.csv`. Raises Refused for a missing one."""
    found = {}
    for name in NAMES:
        paths = [path for path in (folder / f"{name}.parquet", folder / f"{name}.csv") if path.is_file()]
        if not paths:
            raise Refused(f"there is no {name}.parquet or {name}.csv", where=str(folder), rule="one file a table", do="put it there")
        found[name] = paths[0]
    return found
