"""What a study's plan hash and agreement cover: each thing that servers do, and the text that people were shown."""

from __future__ import annotations

import hashlib

import pytest

from accord.base import canonical
from accord.node.compiled import compile_study
from accord.node.session import open_study
from accord.study import document
from tests.node.conftest import write_study


def compiled(folder, *changes):
    write_study(folder, *changes)
    return compile_study(document.read(folder))


@pytest.mark.parametrize(
    "change",
    [
        ('column = "n", minimum = 5 }]\n\n[[releases]]\nname = "high"', 'column = "n", minimum = 6 }]\n\n[[releases]]\nname = "high"'),
        ('["north", "office"]', '["north", "south"]'),
        ('recipients = { columns = ["region"] }', 'recipients = ["north"]'),
        ("2500 *", "2501 *"),
        ('GROUP BY sector ORDER BY sector"\nrecipients = ["north", "office"]', 'GROUP BY sector"\nrecipients = ["north", "office"]'),
        ("rows_max = 60", "rows_max = 61"),
        ('high = "9999.99"', 'high = "9999.98"'),
        ('servers = ["north", "south", "helper"]', 'profile = "wan"\nservers = ["north", "south", "helper"]'),
    ],
    ids=["rule", "recipients", "rows to parties", "question", "order", "rows", "bounds", "profile"],
)
def test_the_plan_digest_covers(tmp_path, change):
    before = compiled(tmp_path).plan_digest
    assert compiled(tmp_path).plan_digest == before, "the same study has the same plan everywhere"
    assert compiled(tmp_path, change).plan_digest != before


def test_words_that_change_nothing_that_is_done_leave_the_plan(tmp_path):
    before = compiled(tmp_path)
    after = compiled(tmp_path, ("A test of whole runs", "Another purpose"))
    assert before.plan_digest == after.plan_digest and before.study.digest != after.study.digest


def test_the_agreement_holds_the_hash_of_the_text_that_is_shown(study):
    session = open_study(study)
    text = session.explanation.text.encode()
    assert b"mean_wage" in text
    expected = hashlib.sha256(b"accord/1/explanation" + len(text).to_bytes(8, "big") + text).digest()
    assert session.agreement.explanation == expected == canonical.digest("explanation", text)
    assert session.agreement.study == session.study.digest and session.agreement.plan == session.compiled.plan_digest
