"""The report as a document: what a checker's signature covers, and a page that is text, whatever others wrote into a study."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from accord.base.errors import Refused
from accord.study import keys, report
from accord.study.report import APPROVED, OutputApproval
from accord.study.report_page import page

GOLDEN = Path(__file__).parent / "fixtures" / "report"
VOID = {"meta", "br"}


@pytest.fixture
def told():
    """A report as a run wrote it: three releases, one with a rule, two with noise, an owner with a quota and one without."""
    return report.read(GOLDEN / "out.report.json")


@pytest.fixture
def checker():
    return keys.generate("north")


def signed(told, by, **changes):
    made = OutputApproval(report.digest(told), "north", "A. Example", "2027-03-01", APPROVED)
    return replace(made.signed(by), **changes)


def test_a_report_comes_back_as_it_was_written(told, tmp_path):
    report.write(told, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (GOLDEN / "out.report.json").read_bytes()
    assert report.is_report(tmp_path / "again.json") and not report.is_report(GOLDEN / "out.report.html")


def test_the_page_is_as_reviewed(told):
    assert page(told) == (GOLDEN / "out.report.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Which tags a page has, how they nest, and what it would fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.fetched, self.words = [], set(), [], []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "href", "action", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_fetches_nothing_and_runs_nothing(told):
    tags = Tags()
    tags.feed(page(told))
    assert tags.open == [] and tags.fetched == []
    assert not tags.seen & {"script", "iframe", "img", "link", "object", "form", "b2"}
    assert "url(" not in page(told) and "@import" not in page(told)


@pytest.mark.parametrize("place", ["title", "purpose", "recipient", "note", "rule"])
def test_what_others_wrote_stays_text(told, place):
    evil = "</td><script>alert(1)</script>"
    if place == "recipient":
        told["recipient"] = evil
    elif place in ("title", "purpose"):
        told["study"][place] = evil
    elif place == "note":
        told["releases"][0]["evidence"]["notes"] = [evil]
    else:
        told["releases"][0]["evidence"]["rules"][0]["sentence"] = evil
    tags = Tags()
    tags.feed(page(told))
    assert "script" not in tags.seen and any(evil in words for words in tags.words)


def test_the_page_says_what_counts(told):
    text = re.sub(r"<[^>]+>", " ", page(told))
    for words in (
        "a row is shown only where n is at least 5",
        "subtracting two releases, or two rows, that differ by one person",
        "which is ε = 1.8817 at δ = 1e-09",
        "but for a chance of 1 in 1,000,000,000",
        "±8 in 95 of 100 cases (noise)",
        "is told to nobody",
        "does not prove that the servers computed honestly",
        *told["questions"],
    ):
        assert words in text
    assert report.digest(told).hex() in text.replace(" ", "")


# ---- signatures


def test_a_checkers_signature_holds_for_this_report_alone(told, checker):
    made = signed(told, checker)
    made.require_signed(told, checker.public)
    told["releases"][0]["counts"]["rows_suppressed"] = 0
    with pytest.raises(Refused, match=r"what A\. Example of north signed is another report"):
        made.require_signed(told, checker.public)


@pytest.mark.parametrize(
    "change", [{"checker": "B"}, {"day": "2027-03-02"}, {"verdict": "declined"}, {"remark": "x"}, {"report": bytes(32)}]
)
def test_every_word_of_an_approval_is_signed(told, checker, change):
    with pytest.raises(Refused, match="the approval of north is not signed by it, or was altered"):
        signed(told, checker, **change).require_signed(told, checker.public)


def test_another_partys_key_does_not_sign_for_it(told, checker):
    with pytest.raises(Refused, match="is not signed by it"):
        signed(told, checker).require_signed(told, keys.generate("south").public)


def test_an_approval_comes_back(told, checker, tmp_path):
    made = signed(told, checker)
    made.write(tmp_path / "one.json")
    assert OutputApproval.read(tmp_path / "one.json") == made
    damaged = json.loads((tmp_path / "one.json").read_text()) | {"more": "x"}
    (tmp_path / "one.json").write_text(json.dumps(damaged))
    with pytest.raises(Refused, match="this file is no approval of an output, or is damaged"):
        OutputApproval.read(tmp_path / "one.json")


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda one: one.update(kind="letter"), "no output report, or is damaged"),
        (lambda one: one.update(releases={}), "no output report, or is damaged"),
        (lambda one: one.update(salt=0.5), "no output report, or is damaged"),
        (lambda one: one.update(version=2), r"this report is of version 2 \(rule: version 1 is known here\)"),
    ],
)
def test_what_is_no_report_is_refused(told, tmp_path, edit, sentence):
    edit(told)
    (tmp_path / "one.json").write_text(json.dumps(told))
    with pytest.raises(Refused, match=sentence):
        report.read(tmp_path / "one.json")
