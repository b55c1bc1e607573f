"""The documentation speaks of what is there: its links, the paths it quotes, the sources it cites."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from tests.tidy.code import ROOT, File, text_files
from tests.tidy.test_cards import BIBLIOGRAPHY, CITATION

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
QUOTED_PATH = re.compile(r"`((?:src|tests|docs|gallery|bench)/[\w./-]*)`")


def pages() -> list[File]:
    return [file for file in text_files() if file.path.endswith(".md")]


def exists(path: str) -> bool:
    return (ROOT / path).exists()


def dead_links(files: list[File], is_there: Callable[[str], bool] = exists) -> list[str]:
    """Links to a file of the tree that is not there."""
    return [
        f"{file.path}: {target}"
        for file in files
        for target in LINK.findall(file.text)
        if not target.startswith(("http:", "https:", "mailto:", "#"))
        if not is_there(str(PurePosixPath(file.path).parent / target.split("#")[0]))
    ]


def dead_paths(files: list[File], is_there: Callable[[str], bool] = exists) -> list[str]:
    """Paths in back quotes, from the root of the tree, that are not there."""
    return [f"{file.path}: {path}" for file in files for path in QUOTED_PATH.findall(file.text) if not is_there(path)]


def unknown_sources(files: list[File], bibliography: str) -> list[str]:
    return [f"{file.path}: [{key}]" for file in files for key in CITATION.findall(file.text) if f"{{{key}," not in bibliography]


def test_links_lead_somewhere() -> None:
    assert dead_links(pages()) == []
    page = File("docs/a.md", "[the tour](tour.md#rings) and [a site](https://example.org) and [below](#words)")
    assert dead_links([page], lambda path: False) == ["docs/a.md: tour.md#rings"]
    assert not dead_links([page], lambda path: path == "docs/tour.md")


def test_quoted_paths_are_there() -> None:
    assert dead_paths(pages()) == []
    assert dead_paths([File("docs/a.md", "see `src/accord/nowhere.py`")]) == ["docs/a.md: src/accord/nowhere.py"]


def test_cited_sources_are_in_the_bibliography() -> None:
    bibliography = BIBLIOGRAPHY.read_text(encoding="utf-8")
    assert unknown_sources(pages(), bibliography) == []
    assert unknown_sources([File("docs/a.md", "as in [Nobody99]")], bibliography) == ["docs/a.md: [Nobody99]"]
