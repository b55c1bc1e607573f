"""The gallery: published systems, each a package `accord.gallery.NAME` (an underscore for each hyphen) whose module `entry` runs it.

In the wheel the gallery is installed inside `accord`; in a checkout it stands beside `src`, and is made importable under the same name.
"""

from __future__ import annotations

import datetime
import importlib
import json
import pkgutil
import re
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast

import accord
from accord.base.errors import Refused
from accord.cli.results import show_costs
from accord.cli.screen import Phases, console, grid

if TYPE_CHECKING:
    from rich.console import Console

    from accord.node.runtimes import Outcome


class Report(Protocol):
    """What a run of the gallery gives back; its `outcome`, where it was one run, is told beside what was foretold."""

    def json(self) -> dict[str, Any]:
        """Plain facts: `matches_oracle`, `seconds`, `rounds`, `bytes_per_server`, `receipt` and what else there is to say."""

    def print(self, console: Console) -> None:
        """The same for a person."""


class Entry(Protocol):
    """The module `accord.gallery.NAME.entry`.

    `demo(console, folder, progress)` is there where the system can be watched; it writes `with progress:` around each run, since a
    moving bar and other text do not go together, and may return an exit code.
    """

    DESCRIPTION: str

    def run(self, data: Path | None, folder: Path, runtime: str, progress: Phases) -> Report:
        """Run the study in `folder`, on `data` or on made-up data, and compare with the oracle."""


def show() -> None:
    """Name each system with its one sentence."""
    console().print(grid(("name", "what it is"), [(name, entry(name).DESCRIPTION) for name in names()]))


def run(name: str, data: Path | None, runtime: str, as_json: bool) -> int:
    """Run one. Returns 0 where the result is the oracle's."""
    chosen = entry(name)
    if data and not data.exists():
        raise Refused("there is no such file or folder", where=str(data), do="check the path")
    with Phases(quiet=as_json) as progress:
        report = chosen.run(data, fresh_folder(name), runtime, progress)
    outcome: Outcome | None = getattr(report, "outcome", None)
    facts = report.json()
    if as_json:
        print(json.dumps({**facts, **(outcome.foretold_facts() if outcome else {})}, default=str))
    else:
        report.print(console())
        if outcome:
            show_costs(outcome)
    return 0 if facts["matches_oracle"] else 1


def demo(name: str) -> int:
    """Show one happening."""
    chosen = entry(name)
    shown = getattr(chosen, "demo", None)
    if shown is None:
        raise Refused(f"{name} has no demonstration", do=f"run it with: accord gallery run {name}")
    code = shown(console(), fresh_folder(name), Phases())
    return code if isinstance(code, int) else 0


def names() -> list[str]:
    """The systems that are there."""
    _find()
    gallery = importlib.import_module("accord.gallery")
    packages = [one.name for one in pkgutil.iter_modules(gallery.__path__) if one.ispkg]
    return sorted(one.replace("_", "-") for one in packages if find_spec(f"accord.gallery.{one}.entry"))


def entry(name: str) -> Entry:
    """The module that runs a system. Raises Refused for a name that is not there."""
    if name not in names():
        raise Refused(f"the gallery has no {name!r}", do=f"it has {', '.join(names())}")
    return cast(Entry, importlib.import_module(f"accord.gallery.{name.replace('-', '_')}.entry"))


def module(package: str, name: str) -> ModuleType:
    """A module of a package of the gallery."""
    _find()
    return importlib.import_module(f"accord.gallery.{package}.{name}")


def fresh_folder(name: str) -> Path:
    """A new folder where the caller stands, named after the system and the time."""
    stamp = re.sub(r"\D", "", datetime.datetime.now().isoformat(timespec="seconds"))
    for number in range(1, 100):
        folder = Path(f"accord-{name}") / (stamp if number == 1 else f"{stamp}-{number}")
        if not folder.exists():
            folder.mkdir(parents=True)
            return folder
    raise Refused("too many runs in one second", where=str(folder))


def _find() -> None:
    """In a checkout: `accord.gallery` is the folder beside `src`."""
    root = Path(accord.__file__).resolve().parents[2]
    if (root / "gallery" / "__init__.py").is_file() and str(root) not in accord.__path__:
        accord.__path__.append(str(root))
