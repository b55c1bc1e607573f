"""What is on record of a run: servers' and owners' evidence, the report made of it, and each way in which it would not hold."""

from __future__ import annotations

import copy
import datetime
import json
import shutil
import sys
from types import SimpleNamespace

import pytest

from accord.base.errors import Refused
from accord.node import evidence, policies
from accord.node import report as reports
from accord.node.compiled import compile_study
from accord.node.folder import open_folder
from accord.node.session import open_study
from accord.release import accounting
from accord.study import report
from accord.study.report_page import page
from tests.node.conftest import OWNERS, SERVERS, TEXT, sign_all, write_data
from tests.node.test_policies import write_policy
from tests.node.test_receipt import receipt_of, restated

NOISED = """
[[releases]]
name = "rows"
title = "Rows by sector, with noise"
sql = "SELECT sector, COUNT(*) AS n FROM wages GROUP BY sector ORDER BY sector"
recipients = ["office"]
noise = { mechanism = "discrete_gaussian", rho = "0.05", delta = "1e-9", unit = { table = "wages" } }
"""
QUOTA = ("[tables.wages]\n", '[quota]\nrho = "1/2"\nepsilon = "2"\ndays = 30\n\n[tables.wages]\n')
MINE = ('reason = "this is made up"', 'reason = "this is made up"\nnoise = { rho = "1" }')


@pytest.fixture(scope="module")
def noted(original, tmp_path_factory):
    """A run with rules, a reason and noise, of which north has a policy with a quota; opened by office, in files."""
    from tests.node import conftest

    folder = shutil.copytree(original, tmp_path_factory.mktemp("noted") / "wages")
    write_data(folder)
    (folder / "study.toml").write_text(TEXT + NOISED)
    write_policy(folder, QUOTA)
    sign_all(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("accord.node.runtimes.run_servers", conftest.run_in_threads)
        outcome = open_study(folder).run("local:")
    session = open_study(folder)
    tables = session.open("office")
    files = {name: folder.parent / f"{name}.csv" for name in tables}
    for name, table in tables.items():
        table.to_csv(files[name])
    found = session.verify()
    made = reports.gather(session.study, found, "office", tables, files, session.folder)
    return SimpleNamespace(folder=folder, session=session, outcome=outcome, found=found, report=made, tables=tables, files=files)


# ---- what servers and owners state


def test_servers_state_laws_losses_and_bounds(noted):
    facts = noted.found.statements[0].facts
    noise = facts["evidence"]["rows"]["noise"]
    assert noise["columns"] == {"n": {"mechanism": "discrete_gaussian", "variance": "10", "sensitivity": 1}}
    assert noise["loses"] == {"rho": "0.05", "delta": "1e-09", "epsilon": "1.8817"}
    assert noise["hides"] == "one row of wages" and noise["recipients"] == ["office"]
    assert facts["evidence"]["rows"]["bounds"] == dict(noted.tables["rows"].error_bounds) == facts["error_bounds"]["rows"]
    assert facts["evidence"]["means"]["bounds"]["mean_wage"] == "exact"


def test_an_owner_keeps_what_it_looked_at_and_signs_its_hash(noted):
    run, stated = noted.outcome.run_id, {one.server: one.facts for one in noted.found.owners}
    assert set(stated) == set(OWNERS)
    for name in OWNERS:
        place = open_folder(noted.folder).party(name)
        part = evidence.read_owners_part(place, run, stated[name]["evidence"])
        assert part["owner"] == name and set(part["versions"]) == {"wages"} and part["once"] == ["high", "rows"]
        assert part["loses"] == {"office": {"epsilon": "0", "rho": "0.05"}}
        assert place.evidence(run).stat().st_mode & 0o777 == 0o600
        assert len(bytes.fromhex(part["salt"])) == 32 and part["salt"] not in receipt_of(noted.folder).read_text()
    north = json.loads(open_folder(noted.folder).party("north").evidence(run).read_text())
    assert north["policy"]["version"] == 1
    assert {one["measure"]: (one["before"], one["after"], one["most"]) for one in north["quota"]} == {
        "rho": ("0", "0.05", "0.5"),
        "epsilon": ("0", "0", "2"),
    }
    assert "quota" not in receipt_of(noted.folder).read_text(), "what an owner allows is no others' business"


def test_a_quota_before_a_run_counts_earlier_runs_and_not_itself(noted, tmp_path):
    folder = open_folder(shutil.copytree(noted.folder, tmp_path / "wages"))
    north, today = folder.party("north"), datetime.date.today()
    law = {"mechanism": "discrete_gaussian", "variance": "5", "sensitivity": 1}
    told = {"recipient": "office", "measure": "rho", "loss": "1/10", "laws": [law]}
    north.ledger().append(policies.SPENT, {"run": "earlier", "study": "", "day": today.isoformat(), "losses": [told]})
    part = evidence.owners_part(noted.session.compiled, north, noted.outcome.run_id, {}, today)
    assert [(one["before"], one["after"]) for one in part["quota"] if one["measure"] == "rho"] == [("0.1", "0.15")]


def test_an_owners_part_that_was_changed_is_found(noted, tmp_path):
    folder = open_folder(shutil.copytree(noted.folder, tmp_path / "wages"))
    path = folder.party("north").evidence(noted.outcome.run_id)
    path.write_text(path.read_text().replace('"after":"0.05"', '"after":"0.01"'))
    with pytest.raises(Refused, match="this is not what its owner looked at for this run"):
        reports.gather(noted.session.study, noted.found, "office", noted.tables, {}, folder)
    path.write_text("{")
    with pytest.raises(Refused, match="this is no evidence, or is damaged"):
        reports.gather(noted.session.study, noted.found, "office", noted.tables, {}, folder)


@pytest.mark.parametrize(
    ("place", "value"),
    [(("loses", "epsilon"), "0.9"), (("loses", "rho"), "0.01"), (("columns", "n", "variance"), "20"), (("columns", "n", "sensitivity"), 2)],
)
def test_a_loss_that_does_not_follow_from_its_law_is_refused_though_all_sign_it(noted, tmp_path, place, value):
    """Three servers that agree to understate: the verifier adds up for itself."""
    folder = shutil.copytree(noted.folder, tmp_path / "wages")
    told = copy.deepcopy(noted.found.statements[0].facts["evidence"])
    *path, last = place
    inner = told["rows"]["noise"]
    for name in path:
        inner = inner[name]
    inner[last] = value
    for server in SERVERS:
        restated(folder, server, evidence=told)
    with pytest.raises(Refused, match="the noise of release rows loses something else than is stated"):
        open_study(folder).verify()


# ---- the report


def test_the_report_counts_what_its_recipient_may_know(noted):
    by_name = {one["release"]: one["counts"] for one in noted.report["releases"]}
    assert by_name == {
        "means": {"rows_released": 2, "rows_suppressed": 1, "rows_absent": 0, "cells_released": 4, "cells_suppressed": 2},
        "rows": {"rows_released": 3, "rows_suppressed": 0, "rows_absent": 0, "cells_released": 3, "cells_suppressed": 0},
    }
    assert report.NOISE_QUESTION in noted.report["questions"]
    reports.require_true(noted.report, noted.found)


def test_a_report_holds_no_figure_and_no_row(noted):
    text = json.dumps({**noted.report, "salt": "", "releases": [{**one, "counts": {}} for one in noted.report["releases"]]})
    figures = {str(row["mean_wage"]) for row in noted.tables["means"].rows()} - {"suppressed"}
    assert figures and not [one for one in figures if one in text]


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda one: one.update(receipt="00" * 32), "this report is of another receipt"),
        (lambda one: one.update(run="another"), "this report is of another receipt"),
        (lambda one: one["releases"][0]["evidence"]["rules"].clear(), "release means: the report says something else than the receipt"),
        (lambda one: one["releases"][1]["evidence"]["noise"]["loses"].update(rho="0"), "release rows: the report says something else"),
        (lambda one: one["releases"][1].update(release="other"), "release other: the report says something else"),
        (lambda one: one["owners"][0]["inputs"].clear(), "owner north: the report says something else"),
        (lambda one: one["owners"][1].update(evidence="00"), "owner south: the report says something else"),
    ],
)
def test_a_report_that_says_something_else_than_the_receipt_is_refused(noted, edit, sentence):
    changed = copy.deepcopy(noted.report)
    edit(changed)
    with pytest.raises(Refused, match=sentence):
        reports.require_true(changed, noted.found)


def test_the_owners_part_in_a_report_is_the_owners(noted):
    changed = copy.deepcopy(noted.report)
    changed["owners"][0]["part"]["quota"][0]["after"] = "9"
    with pytest.raises(Refused, match="owner north: the report says something else"):
        reports.require_true(changed, noted.found)


def test_the_files_beside_a_report_are_those_that_were_checked(noted, tmp_path):
    for file in noted.files.values():
        shutil.copy(file, tmp_path)
    place = tmp_path / "out.report.json"
    assert [one.name for one in reports.files_beside(noted.report, place)] == ["means.csv", "rows.csv"]
    (tmp_path / "rows.csv").unlink()
    assert [one.name for one in reports.files_beside(noted.report, place)] == ["means.csv"]
    (tmp_path / "means.csv").write_text((tmp_path / "means.csv").read_text().replace("suppressed", "1"))
    with pytest.raises(Refused, match=r"means.csv: this is not the table that the report is about"):
        reports.files_beside(noted.report, place)


def test_a_receipt_without_evidence_has_no_report(noted):
    facts = {name: value for name, value in noted.found.statements[0].facts.items() if name != "evidence"}
    found = SimpleNamespace(run="r", statements=[SimpleNamespace(facts=facts)])
    with pytest.raises(Refused, match="this run's receipt holds no evidence to report"):
        reports.gather(noted.session.study, found, "office", noted.tables, {}, noted.session.folder)


def test_a_study_with_noise_is_refused_where_nobody_can_account_for_it(noted, monkeypatch):
    monkeypatch.setitem(sys.modules, "opendp.combinators", None)
    accounting._opendp.cache_clear()
    try:
        with pytest.raises(Refused) as told:
            compile_study(noted.session.study)
    finally:
        accounting._opendp.cache_clear()
    assert str(told.value) == (
        "release rows: noise cannot be accounted for on this machine (rule: what noise loses is computed by OpenDP, which is not "
        "installed); install Accord with its extra: accord[dp]"
    )


def test_a_comparison_with_earlier_releases_is_in_the_report(noted):
    facts = noted.found.statements[0].facts
    watched = [SimpleNamespace(server="north", facts={**facts, "checks": {**facts["checks"], "history": ["compared with a"]}})]
    found = SimpleNamespace(run=noted.found.run, statements=watched, owners=noted.found.owners, digest=noted.found.digest)
    made = reports.gather(noted.session.study, found, "office", noted.tables, noted.files, noted.session.folder)
    assert made["compared"] == ["compared with a"] and "Compared with earlier releases: compared with a" in page(made)
    with pytest.raises(Refused, match="its checks against earlier releases: the report says something else"):
        reports.require_true({**made, "compared": []}, found)
