"""Every protocol carries its card: what anybody learns, what is opened, what it costs; and every source resolves."""

from __future__ import annotations

import ast
import re

from tests.tidy.code import ROOT, File, Function, last_name, python_files

HEADINGS = ("Learns:", "Opens:", "Cost:")
CITATION = re.compile(r"\[([A-Z][A-Za-z+]*\d{2,4}[a-z]?)\]")
BIBLIOGRAPHY = ROOT / "docs" / "references.bib"


def protocols(file: File) -> list[Function]:
    """Public coroutines of a module whose first argument is `me`: one server's text of a protocol."""
    return [
        node
        for node in file.tree.body
        if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_") and node.args.args and node.args.args[0].arg == "me"
    ]


def bad_cards(files: list[File]) -> list[str]:
    """Protocols without a heading of the card, or without a declared cost."""
    wrong = []
    for file in files:
        for node in protocols(file):
            card = ast.get_docstring(node) or ""
            wrong += [f"{file.at(node)} {node.name}: no {heading}" for heading in HEADINGS if heading not in card]
            if not any(isinstance(mark, ast.Call) and last_name(mark.func) == "costs" for mark in node.decorator_list):
                wrong.append(f"{file.at(node)} {node.name}: no @costs(...)")
    return wrong


def docstrings(file: File) -> list[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [ast.get_docstring(node) or "" for node in ast.walk(file.tree) if isinstance(node, documented)]


def citations(files: list[File]) -> dict[str, str]:
    """Every [KEY] in a docstring, and a file that cites it."""
    return {key: file.path for file in files for text in docstrings(file) for key in CITATION.findall(text)}


def unresolved(files: list[File], bibliography: str) -> list[str]:
    known = set(re.findall(r"(?m)^@\w+\{([^,\s]+),", bibliography))
    return sorted(f"{path}: [{key}]" for key, path in citations(files).items() if key not in known)


CARD = '''
@costs(lambda rows: Cost(1, 24 * rows))
async def multiply(me, x, y):
    """Product of two shares [AFLNO16].

    Learns: nobody anything.   Opens: nothing.
    Cost:   1 round.
    """
'''


def test_every_protocol_has_its_card() -> None:
    assert bad_cards(python_files("src/accord/mpc")) == []
    assert not bad_cards([File("a.py", CARD)])
    for heading in HEADINGS:
        assert bad_cards([File("a.py", CARD.replace(heading, ""))]), heading
    assert bad_cards([File("a.py", CARD.replace("@costs(lambda rows: Cost(1, 24 * rows))", ""))])


def test_the_protocols_are_found() -> None:
    """The rule above would hold of nothing: a public coroutine counts, a helper and a method do not."""
    assert [node.name for node in protocols(File("a.py", CARD))] == ["multiply"]
    assert not protocols(File("a.py", "async def _step(me): ...\nasync def drive(runs): ...\n"))
    assert [node.name for file in python_files("src/accord/mpc") for node in protocols(file)], "mpc has no protocol"


def test_every_source_is_in_the_bibliography() -> None:
    bibliography = BIBLIOGRAPHY.read_text(encoding="utf-8")
    assert unresolved(python_files("src"), bibliography) == []
    assert unresolved([File("a.py", CARD)], bibliography.replace("{AFLNO16,", "{XXX16,")) == ["a.py: [AFLNO16]"]
    assert not unresolved([File("a.py", CARD)], bibliography)
