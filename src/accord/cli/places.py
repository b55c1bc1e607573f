"""From what a person names (a study, a run's folder, a receipt) to what is meant."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from accord.base.errors import Refused
from accord.study import document

RUNS = "runs"


class Place(NamedTuple):
    """A study's folder, and one of its runs where a run was named."""

    study: Path
    run: str | None


def locate(path: Path) -> Place:
    """The study that `path` means: its folder or `study.toml`, a folder of one of its runs, or a file in one.

    Raises Refused where there is nothing, or something else.
    """
    if not path.exists():
        raise Refused("there is no such file or folder", where=str(path), do="check the path")
    here = path.resolve()
    for folder in (here, *here.parents):
        if (folder / document.FILE).is_file():
            return Place(_short(folder), _run(here.relative_to(folder).parts, path))
    raise Refused("no study here", where=str(path), do="name a folder that holds a study.toml, or make one with: accord new")


def _run(parts: tuple[str, ...], path: Path) -> str | None:
    if not parts or parts == (document.FILE,):
        return None
    if parts[0] == RUNS and len(parts) > 1:
        return parts[1]
    raise Refused("this is neither a study nor one of its runs", where=str(path), do="name the study's folder, or one under its runs")


def _short(folder: Path) -> Path:
    """Relative to where the person stands, if it lies below: shorter to read and to type."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
