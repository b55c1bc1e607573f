"""A room stays liveable: short functions, modules that fit a reading, a paragraph at the door."""

from __future__ import annotations

import ast
import statistics

from tests.tidy.code import File, length, python_files

FUNCTION_LINES_MAX = 60
FUNCTION_LINES_MEDIAN_MAX = 10
FUNCTION_LINES_P90_MAX = 35
MODULE_LINES_MAX = 500
ROOM_WORDS_MIN = 15


def long_functions(files: list[File]) -> list[str]:
    return [
        f"{file.at(node)} {node.name}: {length(node)} lines"
        for file in files
        for node in file.functions
        if length(node) > FUNCTION_LINES_MAX
    ]


def long_modules(files: list[File]) -> list[str]:
    counted = ((file.path, file.text.count("\n")) for file in files)
    return [f"{path}: {lines} lines" for path, lines in counted if lines > MODULE_LINES_MAX]


def heavy_middle(files: list[File]) -> list[str]:
    """The median and the 90th percentile of function lengths, where they are over the budget."""
    lengths = [length(node) for file in files for node in file.functions]
    if len(lengths) < 2:
        return []
    median, p90 = statistics.median(lengths), statistics.quantiles(lengths, n=10)[-1]
    over = [f"median {median} lines"] if median > FUNCTION_LINES_MEDIAN_MAX else []
    return over + ([f"90th percentile {p90} lines"] if p90 > FUNCTION_LINES_P90_MAX else [])


def unexplained_rooms(files: list[File]) -> list[str]:
    """Every room's __init__ says in a title and one paragraph what lives here, what must not, what it may import."""
    rooms = {file.room for file in files if file.room}
    explained = {file.room for file in files if file.room and file.path == f"src/accord/{file.room}/__init__.py" and explains(file)}
    return sorted(rooms - explained)


def explains(file: File) -> bool:
    text = ast.get_docstring(file.tree) or ""
    return len(text.split()) >= ROOM_WORDS_MIN and text.count("\n\n") <= 1 and "import" in text


def test_functions_are_short() -> None:
    assert long_functions(python_files("src", "gallery", "bench")) == []
    body = "    x = 1\n"
    assert long_functions([File("a.py", "def f():\n" + body * FUNCTION_LINES_MAX)])
    assert not long_functions([File("a.py", "async def f():\n" + body * (FUNCTION_LINES_MAX - 1))])


def test_modules_are_short() -> None:
    assert long_modules(python_files("src", "gallery", "bench")) == []
    assert long_modules([File("a.py", "x = 1\n" * (MODULE_LINES_MAX + 1))])
    assert not long_modules([File("a.py", "x = 1\n" * MODULE_LINES_MAX)])


def test_most_functions_are_very_short() -> None:
    assert heavy_middle(python_files("src")) == []
    eleven = "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MEDIAN_MAX
    forty = "def f():\n" + "    x = 1\n" * 40
    assert heavy_middle([File("a.py", eleven * 3)]) == ["median 11 lines"]
    assert heavy_middle([File("a.py", "def f():\n    pass\n" * 8 + forty * 2)]) == ["90th percentile 41.0 lines"]


def test_every_room_says_what_it_is() -> None:
    assert unexplained_rooms(python_files("src")) == []
    assert unexplained_rooms([File("src/accord/mpc/share.py", "")])
    assert unexplained_rooms([File("src/accord/mpc/__init__.py", '"""Protocols."""\n')])
    paragraph = "Protocols on shares live here; no file, clock or socket does. It may import base and wire, and nothing else of Accord."
    assert not unexplained_rooms([File("src/accord/mpc/__init__.py", f'"""{paragraph}"""\n')])
