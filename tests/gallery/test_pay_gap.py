"""The pay gap: every figure is the pooled payrolls' own, no small headcount is anywhere, and a hundred employers can take part."""

from __future__ import annotations

import csv
import datetime
import re
import tomllib
from pathlib import Path

import duckdb
import numpy as np
import pytest

from accord.base.errors import Refused
from accord.data.problems import BadData
from accord.gallery.pay_gap import entry, generate, oracle, payrolls, study
from accord.gallery.trade import transcripts
from accord.node.compiled import compile_study
from accord.node.policies import asked_of
from accord.node.runtimes import simulate
from accord.release.table import RELEASED, SUPPRESSED_STATUS
from accord.study import document, policy
from accord.study.policy_check import refusals
from tests.attacks.reconstruct import intervals, narrowest
from tests.gallery.conftest import ROOT

COHORTS = ("arts and museums", "banking", "law")


def quiet(phase):
    pass


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Twenty-two employers in three industries: six, eight and eight of them."""
    return generate.generate(tmp_path_factory.mktemp("made"), 22, cohorts=COHORTS)


@pytest.fixture(scope="module")
def report(made, tmp_path_factory):
    """One signed run in three server processes."""
    session = entry.prepare(made, tmp_path_factory.mktemp("run"))
    for party in session.study.approvers:
        session.sign(party)
    outcome = session.run("local:")
    return entry.Report(outcome, made, session.tables(study.COUNCIL, outcome), oracle.tables(made))


def test_a_seed_gives_the_same_payrolls(made, tmp_path):
    again, other = generate.generate(tmp_path / "a", 22, cohorts=COHORTS), generate.generate(tmp_path / "b", 22, 7, COHORTS)
    texts = [[path.read_text() for path in one.files.values()] for one in (made, again, other)]
    assert texts[0] == texts[1] != texts[2]
    assert sorted(made.cohorts.values()).count("arts and museums") == 6


def test_every_row_shown_is_the_pooled_payrolls_own(report):
    facts = report.json()
    assert facts["matches_oracle"] is True
    assert facts["cells_released"] > 60 and facts["cells_suppressed"] > 60 and facts["rounds"] > 500
    assert facts["gap_cents"] > 5 and Path(facts["receipt"]).is_file()


def test_every_cell_that_fails_a_threshold_is_held_back(report):
    """Counted by hand over the pooled files, not by the oracle: headcounts below 8, and the cohort of six employers."""
    rows = [row for path in report.payrolls.files.values() for row in csv.DictReader(path.open(encoding="utf-8"))]
    for table, first in ((study.RACE_TABLE, "race"), (study.COHORT_TABLE, "cohort")):
        for (name, job, gender), row in report.rows(table).items():
            members = [
                one
                for one in rows
                if name in ("all", one[first] if first == "race" else report.payrolls.cohorts[one["employer"]])
                and job in ("all", one["job"])
                and gender == one["gender"]
            ]
            fails = len(members) < 8 or name == "arts and museums"
            assert not fails or entry.is_suppressed(row), (name, job, gender)


def test_the_oracles_means_and_deviations_are_duckdbs(made):
    truth, unit = oracle.tables(made), study.unit_dollars(made)
    files = [str(path) for path in made.files.values()]
    found = duckdb.sql(f"""
        SELECT race, job, gender, sum(n)::INT, round(sum(pay)::DOUBLE / sum(n), 2), stddev_pop(pay::BIGINT // {unit})
        FROM (SELECT employer, race, job, gender, count(*) AS n, sum(pay) AS pay FROM read_csv({files}) GROUP BY ALL) GROUP BY ALL""")
    for race, job, gender, n, mean, deviation in found.fetchall():
        shown = truth.cells[study.RACE_TABLE][race, job, gender].shown(unit, 2)
        assert shown["n"] == n
        assert float(shown["mean_pay"]) == pytest.approx(mean, abs=0.011)
        assert float(shown["deviation"]) == pytest.approx(deviation, abs=0.0051)


def published(report, gender):
    """What the council holds of one gender's headcounts: both tables, which share the totals by job."""
    cells = {}
    for table in study.TABLES:
        for (first, job, of), row in report.rows(table).items():
            if of == gender:
                key = (table, first, job) if first != study.ALL else ("both", study.ALL, job)
                cells[key] = cells.get(key) if entry.is_suppressed(row) else row["n"]
    return cells


def sums(report):
    """Every total with what it is the sum of: over races, over cohorts, and over jobs in each line."""
    jobs, found = report.payrolls.jobs, []
    for table, firsts in ((study.RACE_TABLE, report.payrolls.races), (study.COHORT_TABLE, report.payrolls.cohort_names)):
        found += [(("both", study.ALL, job), [(table, first, job) for first in firsts]) for job in (*jobs, study.ALL)]
        found += [((table, first, study.ALL), [(table, first, job) for job in jobs]) for first in firsts]
    return [*found, (("both", study.ALL, study.ALL), [("both", study.ALL, job) for job in jobs])]


@pytest.mark.parametrize("gender", payrolls.GENDERS)
def test_no_headcount_held_back_follows_from_those_that_are_shown(report, gender):
    """The attacker solves both tables at once by linear programming. Each headcount that is held back stays open by eight at least, and
    its interval holds the true one."""
    truth = {**report.truth.cells[study.RACE_TABLE], **report.truth.cells[study.COHORT_TABLE]}
    cells = published(report, gender)
    found = intervals(cells, [(total, parts) for total, parts in sums(report) if all(one in cells for one in (total, *parts))])
    assert found and narrowest(found) >= study.WIDTH
    for (_, first, job), (least, most) in found.items():
        n = truth[first, job, gender].n if (first, job, gender) in truth else 0
        assert least - 1e-6 <= n <= most + 1e-6


def test_without_complementary_suppression_the_sums_tell_headcounts(made, tmp_path):
    text = re.sub(r'  \{ rule = "complementary_suppression".*\n', "", study.document(made))
    session = entry.prepare(made, tmp_path, text)
    outcome = session.run("clear:")
    report = entry.Report(outcome, made, session.tables(study.COUNCIL, outcome), oracle.tables(made))
    found = intervals(published(report, "female"), sums(report))
    assert narrowest(found) < 1


def moved(made, folder):
    """Two worlds of the same payrolls, but that of the women in four small cells only six are left, all alike and at one employer: three in
    each of two cells. In the second world they stand in the other two, so that every line adds up to what it did."""
    jobs, races = ("craft workers", "operatives"), ("two or more races", "native hawaiian or pacific islander")
    (job, other_job), (race, other_race) = jobs, races
    squares = ([(job, race), (other_job, other_race)], [(job, other_race), (other_job, race)])
    pair = []
    for at, square in enumerate(squares):
        one = folder / str(at)
        one.mkdir()
        files = {name: one / f"{name}.csv" for name in made.files}
        for name, path in made.files.items():
            with path.open(encoding="utf-8") as file:
                rows = [row for row in csv.reader(file) if not (row[1] in jobs and row[2] in races and row[3] == "female")]
            if name == "employer_001":
                rows += [[name, *cell, "female", "50000", "0", "24"] for cell in square for _ in range(3)]
            with files[name].open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows)
        pair.append(payrolls.Payrolls("moved", files, made.cohorts, dict.fromkeys(made.files, 10_000)))
    return pair


def test_nothing_that_is_opened_depends_on_a_headcount_below_eight(made, tmp_path):
    """Two worlds that differ in headcounts of 0 and 3 alone: the council opens the same tables, in which those rows hold nothing at all,
    and no message of the run differs in shape or in law. The chi-squared statistic has 255 degrees of freedom: above 400 its chance is
    below 10^-8."""
    heard, tables = [], []
    for at, one in enumerate(moved(made, tmp_path)):
        session = entry.prepare(one, tmp_path / f"run{at}")
        outcome, keys = simulate(session.folder, session.compiled, f"moved-{at}", quiet, keep=True)
        heard.append([line for one in outcome.traffic for line in one.lines if line.receiver == transcripts.SERVER])
        tables.append(opened(outcome, keys))
    statistic, freedom = transcripts._chi_squared(np.stack([transcripts._counts(lines) for lines in heard]))
    found = transcripts.Comparison(heard[0], heard[1], statistic, freedom, 0.0)
    assert found.same_shape and found.statistic < 400
    assert len(tables[0]) == 6
    for name, first in tables[0].items():
        assert first.rows() == tables[1][name].rows()
        for column in (one for one in first.fields if not one.public):
            assert not first.columns[column.name].values[first.status == SUPPRESSED_STATUS].any()
            assert first.columns[column.name].values[first.status == RELEASED].any()


def opened(outcome, keys):
    from accord.node.runtimes import _open

    return _open(outcome.results, study.COUNCIL, keys[study.COUNCIL].encryption)


def test_a_user_brings_a_folder(made, tmp_path):
    with (tmp_path / "employers.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("employer", "cohort"), *made.cohorts.items()])
    for name, path in made.files.items():
        (tmp_path / f"{name}.csv").write_text(path.read_text())
    given = entry.read(tmp_path, tmp_path / "unused")
    assert (given.cohorts, given.rows_max) == (made.cohorts, made.rows_max)
    (tmp_path / "employer_003.csv").unlink()
    with pytest.raises(Refused, match=r"no employer_003\.csv"):
        entry.read(tmp_path, tmp_path / "unused")


def test_a_payroll_that_breaks_the_form_is_told_with_its_line(made, tmp_path):
    files = dict(made.files)
    files["employer_002"] = tmp_path / "bad.csv"
    files["employer_002"].write_text(made.files["employer_002"].read_text() + "employer_002,managers,white,female,1e5,0,10\n")
    session = entry.prepare(payrolls.Payrolls("bad", files, made.cohorts, made.rows_max), tmp_path / "run")
    with pytest.raises(BadData, match="without an exponent"):
        session.run("clear:")


def test_an_employer_has_a_size_class_and_not_a_size():
    assert [payrolls.size_class("a", staff) for staff in (0, 50, 51, 10_000)] == [50, 50, 250, 10_000]
    with pytest.raises(Refused, match="at most 10,000 rows"):
        payrolls.size_class("a", 10_001)


def test_the_explanation_says_that_employers_rows_stay_with_them(made, tmp_path):
    session = entry.prepare(made, tmp_path)
    text = session.explanation.text
    told = [set(re.split(r"[ ,.]+", line)) for line in text.splitlines() if line.startswith("- Each of 22 owners shares ")]
    assert len(told) == 3 and {one.name for one in session.compiled.inputs} <= set.union(*told)
    assert "a row is shown only where n is at least 8" in text
    assert "at least 8 contribute to it (employers)" in text
    assert "no row of it leaves its owner" in text


def test_the_example_policy_allows_the_study_and_no_choice_by_pay(made):
    held = policy.read(ROOT / "gallery" / "pay_gap" / "policy.toml")
    text = study.document(made)
    assert refused(held, text) == []
    chosen = text.replace(
        "GROUP BY s.employer, j.job_line, r.race_line", "WHERE s.pay > 100000 GROUP BY s.employer, j.job_line, r.race_line"
    )
    assert any("staff.pay is used in conditions" in one for one in refused(held, chosen))


def refused(held, text):
    asked = asked_of(compile_study(document.parse(tomllib.loads(text))), "employer_001")
    return [one.sentence for one in refusals(held, asked, datetime.date(2027, 1, 1))]


@pytest.mark.slow
def test_a_hundred_employers_take_part(tmp_path):
    """The embedded data whole, over sockets."""
    report = entry.run(None, tmp_path, "local:", quiet)
    facts = report.json()
    assert facts["matches_oracle"] is True
    assert facts["employers"] == 116 and facts["cohorts"] == 13 and facts["cells_released"] > 400
