"""The example policy of an office: it allows the study of the gallery, and not the same study once a report goes into a cell as it is."""

import datetime
import tomllib
from dataclasses import replace

from accord.gallery.trade import study as trade
from accord.gallery.trade.parameters import DEFAULT
from accord.node.compiled import compile_study
from accord.node.policies import asked_of
from accord.study import document, policy
from accord.study.policy_check import refusals
from tests.gallery.conftest import ROOT

SMALL = replace(DEFAULT, years=(2018,), total_years=(2016,))
TODAY = datetime.date(2027, 1, 1)


def refused(text):
    held = policy.read(ROOT / "gallery" / "trade" / "policy.toml")
    asked = asked_of(compile_study(document.parse(tomllib.loads(text))), "usa")
    assert {one.name for one in asked.questions} >= {"cells", "totals"}
    return [one.sentence for one in refusals(held, asked, TODAY)]


def test_it_allows_the_study():
    assert refused(trade.document(SMALL)) == []


def test_it_does_not_allow_reports_one_by_one():
    text = trade.document(SMALL)
    old = "MAX(value_usd) AS x\nFROM trade WHERE flow = 'export' GROUP BY reporter, partner, commodity, year"
    assert text.count(old) == 1
    said = refused(text.replace(old, "value_usd AS x\nFROM trade WHERE flow = 'export'"))
    assert any("release cells, the released column class: trade.value_usd is used as input, row by row" in one for one in said)
