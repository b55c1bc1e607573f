"""What keeps a secret in: coins from labelled streams, openings by permit or by argument, no prints, no catch-alls."""

from __future__ import annotations

import ast
import re

import pytest

from tests.tidy.code import ROOT, File, calls, imports, last_name, python_files, strings

GATE = "src/accord/release/gate.py"
OPENINGS = ROOT / "docs" / "openings.md"
ARGUMENT_WORDS_MIN = 12
NETWORK_MODULES = {"socket", "ssl", "socketserver", "selectors", "asyncio", "http"}
NETWORK_FILES = re.compile(r"src/accord/(wire/tcp\w*\.py|wire/tls\w*\.py|node/http\w*\.py)")


def weak_coins(files: list[File]) -> list[str]:
    """Uses of `random` or of NumPy's generators: none is a cryptographic stream, none is addressed by a label."""
    modules = [f"{file.at(node)}: {name}" for file in files for node, name in imports(file) if is_weak(name)]
    attributes = [
        f"{file.at(node)}: np.random"
        for file in files
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Attribute) and node.attr == "random" and last_name(node.value) in ("np", "numpy")
    ]
    return modules + attributes


def is_weak(module: str) -> bool:
    return module.split(".")[0] == "random" or module.startswith("numpy.random")


def stray_network(files: list[File]) -> list[str]:
    """Sockets and TLS outside the files that are for them."""
    return [
        f"{file.at(node)}: {name}"
        for file in files
        if not NETWORK_FILES.fullmatch(file.path)
        for node, name in imports(file)
        if name.split(".")[0] in NETWORK_MODULES
    ]


def stray_permits(files: list[File]) -> list[str]:
    """Permits made, or their maker renamed, outside the gate."""
    outside = [file for file in files if file.path != GATE]
    made = [file.at(call) for file in outside for call in calls(file, "Permit")]
    renamed = [
        file.at(node)
        for file in outside
        for node in ast.walk(file.tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == "Permit" and alias.asname not in (None, "Permit")
    ]
    return made + renamed


def openings(files: list[File]) -> dict[str, str]:
    """The reason of every call of `open_uniform`, and where it stands. A reason that is not literal text reads as `?`."""
    found = {}
    for file in files:
        for call in calls(file, "open_uniform"):
            given = [keyword.value for keyword in call.keywords if keyword.arg == "reason"]
            texts = strings(given or call.args)
            found[texts[-1] if texts else f"? at {file.at(call)}"] = file.path
    return found


def register(text: str) -> dict[str, str]:
    """Reason to argument: the headings of level three under `## Uniform values`, and what stands under each."""
    section = re.split(r"(?m)^## ", text.split("## Uniform values", 1)[-1])[0]
    entries = re.split(r"(?m)^### ", section)[1:]
    return {entry.split("\n", 1)[0].strip(): entry.partition("\n")[2].strip() for entry in entries}


def unregistered(files: list[File], text: str) -> list[str]:
    """Openings without an entry, entries without an opening, entries that name another file or argue nothing."""
    called, entries = openings(files), register(text)
    wrong = [f"{path}: {reason!r} is not in docs/openings.md" for reason, path in called.items() if reason not in entries]
    wrong += [f"docs/openings.md: nothing opens {reason!r}" for reason in entries if reason not in called]
    for reason in called.keys() & entries.keys():
        if called[reason] not in entries[reason] or len(entries[reason].split()) < ARGUMENT_WORDS_MIN:
            wrong.append(f"docs/openings.md: {reason!r} must name `{called[reason]}` and argue why the value is uniform")
    return wrong


def catch_alls(files: list[File]) -> list[str]:
    """Handlers that would hide a cause: bare, or of the two roots of all errors."""
    handlers = [
        file.at(node)
        for file in files
        for node in ast.walk(file.tree)
        if isinstance(node, ast.ExceptHandler) and (node.type is None or catches_all(node.type))
    ]
    return handlers + [file.at(call) for file in files for call in calls(file, "suppress") if any(map(catches_all, call.args))]


def catches_all(node: ast.AST) -> bool:
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(last_name(kind) in ("Exception", "BaseException") for kind in kinds)


def prints(files: list[File]) -> list[str]:
    return [file.at(call) for file in files if file.room != "cli" for call in calls(file, "print") if isinstance(call.func, ast.Name)]


SRC = "src/accord/mpc/a.py"


@pytest.mark.parametrize(
    "text",
    [
        "import random\n",
        "import numpy as np\nx = np.random.default_rng(1)\n",
        "from numpy import random\n",
        "from numpy.random import PCG64\n",
    ],
)
def test_weak_coins_are_seen(text: str) -> None:
    assert weak_coins([File(SRC, text)])


def test_coins_come_from_labelled_streams() -> None:
    assert weak_coins(python_files("src")) == []
    assert not weak_coins([File(SRC, "import secrets\nx = secrets.token_bytes(16)\n")])


def test_sockets_stand_in_the_files_that_are_for_them() -> None:
    assert stray_network(python_files("src")) == []
    assert stray_network([File(SRC, "def f():\n    import asyncio\n")])
    assert stray_network([File("src/accord/wire/frame.py", "from ssl import SSLContext\n")])
    assert not stray_network([File("src/accord/wire/tcp.py", "import socket\nimport ssl\n")])


def test_only_the_gate_makes_permits() -> None:
    assert stray_permits(python_files("src", "gallery", "bench")) == []
    assert stray_permits([File("src/accord/plan/lower.py", "from accord.mpc import reveal\nreveal.Permit('x')\n")])
    assert stray_permits([File("src/accord/plan/lower.py", "from accord.mpc.reveal import Permit as P\nP('x')\n")])
    assert not stray_permits([File(GATE, "Permit('x')\n"), File(SRC, "def open_result(me, x, permit: Permit): ...\n")])


def test_every_uniform_opening_is_argued() -> None:
    assert unregistered(python_files("src"), OPENINGS.read_text(encoding="utf-8")) == []
    opening = File(SRC, "async def f(me, x):\n    return await open_uniform(me, x, reason='x plus a mask')\n")
    argument = f"In `{SRC}`. The mask is a fresh uniform value that no server knows, so that the sum is uniform whatever x is."
    entry = f"## Uniform values\n\n### x plus a mask\n\n{argument}\n"
    assert not unregistered([opening], entry)
    assert unregistered([opening], "## Uniform values\n\n## Declared leaks\n")
    assert unregistered([], entry)
    assert unregistered([opening], entry.replace(SRC, "elsewhere.py"))
    assert unregistered([opening], f"## Uniform values\n\n### x plus a mask\n\n`{SRC}`\n")
    assert unregistered([File(SRC, "async def f(me, x, why):\n    return await open_uniform(me, x, why)\n")], entry)


def test_no_cause_is_swallowed() -> None:
    assert catch_alls(python_files("src")) == []
    for clause in ("except:", "except Exception:", "except BaseException as e:", "except (OSError, Exception):"):
        assert catch_alls([File(SRC, f"try:\n    f()\n{clause}\n    pass\n")]), clause
    assert catch_alls([File(SRC, "with contextlib.suppress(Exception):\n    f()\n")])
    assert not catch_alls([File(SRC, "try:\n    f()\nexcept OSError:\n    pass\n")])


def test_only_the_command_prints() -> None:
    assert prints(python_files("src")) == []
    assert prints([File(SRC, "def f(share):\n    print(share.own)\n")])
    assert not prints([File("src/accord/cli/main.py", "print('done')\n")])
