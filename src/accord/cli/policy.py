"""An owner's policy tried on releases, before anybody is asked to sign: no data is read, nothing is written."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from accord.base.errors import Refused
from accord.cli.ending import REFUSED
from accord.cli.places import locate
from accord.node.compiled import Compiled, compile_study
from accord.node.folder import open_folder
from accord.node.policies import asked_of, judged
from accord.study import document, policy
from accord.study.fields import read_toml
from accord.study.policy import Policy

ALLOWED, DENIED = "allowed", "refused"


def test(file: Path, place: Path, examples: Path | None) -> int:
    """Print a line for each release, below it why it is refused. The exit code is 0 where all is as expected, or allowed."""
    held = policy.read(file)
    study = open_folder(locate(place).study).study()
    expected: dict[str, str] = {}
    if examples is not None:
        study, expected = _with_examples(study, examples)
    lines, verdicts = report(held, compile_study(study), datetime.date.today())
    print("\n".join(lines))
    wrong = [name for name, verdict in verdicts.items() if verdict != expected.get(name, ALLOWED)]
    if wrong and expected:
        print(f"not as expected: {', '.join(wrong)}")
    return REFUSED if wrong else 0


def report(held: Policy, compiled: Compiled, today: datetime.date) -> tuple[list[str], dict[str, str]]:
    """The lines to print, and the verdict on each release that reads the owner's tables, and on the study as a whole."""
    asked = asked_of(compiled, held.owner)
    if not asked.questions:
        raise Refused(f"no release reads a table of {held.owner}", do="name the owner's study, or releases that read its tables")
    lines = [f"{held.title}, on {', '.join(asked.tables)}"]
    verdicts = {}
    for name, refusals in judged(held, asked, today).items():
        verdicts[name] = DENIED if refusals else ALLOWED
        lines += [f"{verdicts[name]:<8} {name}", *(f"  {one}" for one in dict.fromkeys(one.sentence for one in refusals))]
    return lines, verdicts


def _with_examples(study: document.Study, path: Path) -> tuple[document.Study, dict[str, str]]:
    """The study with the releases of another file, each of which may say `expect = "refused"`, and its queries beside them."""
    content: dict[str, Any] = read_toml(path)
    if unknown := set(content) - {"releases", "queries"}:
        do = "write [[releases]] as a study does"
        raise Refused(f"{', '.join(sorted(unknown))} in a file of examples", where=str(path), rule="it holds releases and queries", do=do)
    releases = [dict(one) for one in content.get("releases", [])]
    expected = {str(one.get("name")): str(one.pop("expect", ALLOWED)) for one in releases}
    if wrong := set(expected.values()) - {ALLOWED, DENIED}:
        raise Refused(f"expect = {wrong.pop()!r}", where=str(path), rule=f"{ALLOWED} or {DENIED}")
    queries = {**study.content.get("queries", {}), **content.get("queries", {})}
    return document.parse({**study.content, "queries": queries, "releases": releases}), expected
