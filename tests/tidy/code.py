"""What the rules about the code look at: files, their syntax trees, the functions and calls in them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ROOMS = ("base", "wire", "mpc", "data", "plan", "release", "stats", "frame", "study", "node", "cli", "testing")
"""A room imports only from rooms before it."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class File:
    """A source file by its path from the root; a sample in a test is one too."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def room(self) -> str | None:
        """Its folder under src/accord, if it is in one."""
        parts = self.path.split("/")
        return parts[2] if parts[:2] == ["src", "accord"] and len(parts) > 3 else None

    @property
    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    def at(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


def python_files(*folders: str) -> list[File]:
    """Every Python file under these folders of the tree, in order."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)
    return [File(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def text_files() -> list[File]:
    """Every text file that is tracked or about to be; without git, every file outside hidden and build folders."""
    return [File(name, text) for name in names() if (text := read_text(ROOT / name)) is not None]


def names() -> list[str]:
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return sorted(name for name in listed.split("\0") if name)
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not {"__pycache__", ".venv", ".mypy_cache", "dist"} & set(path.parts))


def read_text(path: Path) -> str | None:
    """The file's text; None for one that holds bytes or is gone."""
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError):
        return None


def imports(file: File) -> Iterator[tuple[ast.AST, str]]:
    """Every module name that the file imports, wherever the import stands: `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(file, node)
            yield node, base
            yield from ((node, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and called(node) == "import_module":
            yield from ((node, text) for text in strings(node.args))


def absolute(file: File, node: ast.ImportFrom) -> str:
    """The absolute name of the module in a `from` import."""
    if not node.level:
        return node.module or ""
    package = file.path.removeprefix("src/").removesuffix(".py").split("/")
    parent = package[: len(package) - node.level]
    return ".".join([*parent, *([node.module] if node.module else [])])


def calls(file: File, name: str) -> list[ast.Call]:
    """Calls of a function or class by its last name."""
    return [node for node in ast.walk(file.tree) if isinstance(node, ast.Call) and called(node) == name]


def called(call: ast.Call) -> str:
    return last_name(call.func)


def last_name(node: ast.AST) -> str:
    """`b` of `a.b`, `a` of `a`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def strings(nodes: Iterable[ast.AST]) -> list[str]:
    """The literal strings among some expressions."""
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def length(node: Function) -> int:
    """Lines from `def` to the last one."""
    return (node.end_lineno or node.lineno) - node.lineno + 1
