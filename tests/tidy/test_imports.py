"""Rooms import only from rooms above them, and heavy libraries stay out of `import accord`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import pytest

import accord
from tests.tidy.code import ROOMS, ROOT, File, imports, python_files

IMPORT_SECONDS_MAX = 1.0
HEAVY = ("numpy", "numba", "duckdb", "ibis", "sqlglot", "rich", "typer")


def imports_upward(files: list[File]) -> list[str]:
    """Imports of a room from itself downward are upward for the reader: each is named."""
    found = []
    for file in files:
        for node, name in imports(file):
            target = name.split(".")[1] if name.startswith("accord.") else None
            if target in ROOMS and file.room in ROOMS and ROOMS.index(target) > ROOMS.index(file.room):
                found.append(f"{file.at(node)}: {file.room} may not import {name}")
    return found


def imports_of_helpers(files: list[File]) -> list[str]:
    """The gallery and the rooms below cli use neither the published test helpers nor the gallery."""
    return [
        f"{file.at(node)}: imports {name}"
        for file in files
        for node, name in imports(file)
        if (name.startswith("accord.testing") and file.room != "testing")
        or (name.startswith("accord.gallery") and file.room in ROOMS[: ROOMS.index("cli")])
    ]


def unknown_rooms(files: list[File]) -> list[str]:
    return sorted({file.room for file in files if file.room and file.room not in ROOMS} - {"gallery"})


def rooms_that_import_themselves(files: list[File]) -> list[str]:
    """A room's __init__ imports no submodule: what a caller does not name is not loaded."""
    return [
        f"{file.at(node)}: {name}"
        for file in files
        if file.room and file.path.endswith("__init__.py")
        for node, name in imports(file)
        if name.startswith("accord")
    ]


def test_rooms_import_only_from_rooms_above() -> None:
    assert imports_upward(python_files("src")) == []
    assert imports_upward([File("src/accord/base/a.py", "def f():\n    from accord.mpc.share import Share\n")])
    assert imports_upward([File("src/accord/wire/a.py", "from ..mpc import share\n")])
    assert imports_upward([File("src/accord/wire/a.py", "import importlib\nimportlib.import_module('accord.plan.nodes')\n")])
    assert imports_upward([File("src/accord/plan/a.py", "from accord import release\n")])
    assert not imports_upward([File("src/accord/plan/a.py", "from accord.mpc import share\n")])


def test_nothing_imports_the_test_helpers() -> None:
    assert imports_of_helpers(python_files("src", "gallery", "bench")) == []
    assert imports_of_helpers([File("gallery/trade/a.py", "from accord.testing.world import World\n")])
    assert imports_of_helpers([File("src/accord/node/a.py", "import accord.gallery.trade\n")])


def test_every_folder_is_a_room() -> None:
    assert unknown_rooms(python_files("src")) == []
    assert unknown_rooms([File("src/accord/utils/a.py", "")])


def test_a_room_loads_no_module_by_itself() -> None:
    assert rooms_that_import_themselves(python_files("src")) == []
    assert rooms_that_import_themselves([File("src/accord/mpc/__init__.py", "from accord.mpc.share import Share\n")])
    assert rooms_that_import_themselves([File("src/accord/mpc/__init__.py", "from .share import Share\n")])


def test_the_package_refuses_names_it_lacks() -> None:
    with pytest.raises(AttributeError, match="module 'accord' has no attribute 'stduy'"):
        _ = accord.stduy


def loaded_by(statement: str) -> set[str]:
    """The libraries of HEAVY that a fresh Python has loaded after `statement`."""
    program = f"import sys\n{statement}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_accord_is_quick() -> None:
    assert loaded_by("import accord") == set()
    assert loaded_by("import accord.base.ring") == {"numpy"}, "the check must see a loaded library"
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import accord"], cwd=ROOT, check=True)
        seconds.append(time.perf_counter() - started)
    assert statistics.median(seconds) < IMPORT_SECONDS_MAX, seconds
