"""What an owner's policy asks of the comparison with earlier releases, and what people read where a study does not say it."""

import copy
import datetime
import tomllib

import pytest

from accord.base.errors import Refused
from accord.cli.main import main
from accord.node.compiled import compile_study
from accord.node.policies import asked_of
from accord.study import document, policy
from accord.study.policy_check import refusals
from accord.study.policy_told import told
from tests.study.test_policy import FIXTURES, POLICY, STUDY

TODAY = datetime.date(2027, 1, 1)
ASKED = '[history]\ndifference_min = 10\nstopped_max = 3\ntables = { claims = ["person"] }\n\n[quota]'
GIVEN = {"difference_min": 10, "tables": {"claims": {"unit": ["person"]}}}


def asking(text=ASKED):
    return policy.parse(tomllib.loads(POLICY.replace("[quota]", text)))


def study(history=None):
    content = copy.deepcopy(STUDY)
    if history is not None:
        content["history"] = history
    return compile_study(document.parse(content))


def refused(history=None, text=ASKED):
    return [str(one.error()) for one in refusals(asking(text), asked_of(study(history), "insurer"), TODAY)]


def test_a_study_that_says_as_much_is_allowed():
    assert refused(GIVEN) == []
    assert refused({**GIVEN, "difference_min": 12}) == []


@pytest.mark.parametrize(
    ("history", "what"),
    [
        (None, "its releases of claims are not compared with earlier ones"),
        ({"difference_min": 10, "tables": {"visits": {}}}, "its releases of claims are not compared with earlier ones"),
        ({**GIVEN, "difference_min": 9}, "its difference_min is 9"),
        ({"difference_min": 10, "tables": {"claims": {}}}, "groups of two releases differ by at least 10 rows of claims"),
        ({"difference_min": 10, "tables": {"claims": {"unit": ["firm"]}}}, "groups of two releases differ by at least 10 firm of claims"),
    ],
)
def test_a_study_that_says_less_is_refused(history, what):
    rule = "policy of insurer, version 3: groups of two releases of claims differ by at least 10 different person, or not at all"
    nearest = 'write difference_min = 10 below [history], and [history.tables.claims] with unit = ["person"] and the most rows_max of one'
    assert refused(history) == [f"the study: {what} (rule: {rule}); {nearest}"]


def test_a_table_of_which_rows_are_the_unit_takes_any():
    rows = ASKED.replace('["person"]', "[]")
    assert refused({"difference_min": 10, "tables": {"claims": {}}}, rows) == refused(GIVEN, rows) == []


def test_the_owner_reads_what_it_asks():
    text = told(asking(), asked_of(study(GIVEN), "insurer"))
    assert "- History: groups of two releases of claims differ by at least 10 different person, or not at all." in text
    assert "After 3 runs that were stopped for it, no more are begun over one version of the data." in text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ASKED.replace("= 10", "= 1"), r"difference_min = 1 \(rule: 2 or more units\)"),
        (ASKED.replace("stopped_max = 3", "stopped_max = 0"), "stopped_max = 0, 1 tables .*stopped_max is 1 or more"),
        (ASKED.replace("claims =", "claim ="), r"claim is no table of this policy; add \[tables.claim\]"),
        (ASKED.replace("stopped_max", "stoped_max"), "'stoped_max' is no field of this table; did you mean stopped_max?"),
        (ASKED.replace('["person"]', '"person"'), r"claims = 'person' \(rule: claims is a list\)"),
    ],
)
def test_a_history_that_says_nothing_is_refused(text, why):
    with pytest.raises(Refused, match=why):
        asking(text)


def test_policy_test_says_so(tmp_path, capsys):
    (tmp_path / "study.toml").write_text((FIXTURES / "study.toml").read_text())
    (tmp_path / "policy.toml").write_text(POLICY.replace("[quota]", ASKED))
    arguments = ["policy", "test", str(tmp_path / "policy.toml"), "--study", str(tmp_path)]
    assert main(arguments) == 3
    assert "its releases of claims are not compared with earlier ones" in capsys.readouterr().out
    with (tmp_path / "study.toml").open("a") as file:
        file.write('\n[history]\ndifference_min = 10\n[history.tables.claims]\nunit = ["person"]\n')
    assert main(arguments) == 0
