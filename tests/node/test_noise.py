"""Studies with noise from their text to an opened table: averages, thresholds, the largest groups, and groups that no list names."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import pytest

from accord.base.errors import Refused
from accord.cli.results import open_result
from accord.frame.sql import to_plan
from accord.node.folder import open_folder
from accord.node.losses import lost
from accord.node.noise import noised_plan
from accord.node.session import Session
from accord.node.setup import make_keys
from accord.plan.noised import _require_few
from accord.release.accounting import loss_of
from accord.release.noise import DELTA, ColumnNoise

STUDY = """
[study]
name = "visits"
title = "Visits"
purpose = "Count visits, and hide each person"
expires = 2027-12-31
servers = ["a", "b", "c"]
[domains.ward]
values = ["east", "north", "west"]
[tables.visits]
owners = ["a", "b"]
rows_max = 90
columns = [
  { name = "person", kind = "int", low = 0, high = 999 },
  { name = "ward", kind = "category", domain = "ward" },
  { name = "drug", kind = "text", bytes_max = 8 },
  { name = "age", kind = "int", low = 0, high = 100 },
]
[[releases]]
name = "visits"
title = "Visits"
sql = '''
SQL'''
recipients = ["c"]
noise = { mechanism = "discrete_laplace", NOISE, unit = { table = "visits", columns = ["person"], rows_max = 2 } }
"""
GRID = "ward LEFT JOIN (SELECT ward, AVG(age) AS mean, COUNT(*) AS n FROM visits GROUP BY ward) AS v USING (ward)"
EPSILON = 'epsilon = "20"'
WARDS = ("east",) * 7 + ("west",) * 3 + ("north",)
DRUGS = ("aspirin",) * 6 + ("codeine",) * 3


def rows_of(owner):
    """Eighty people with a row each, others at the other owner; at the first one person alone has a drug that nobody else has, thrice."""
    first = 0 if owner == "a" else 100
    rows = [(first + at, WARDS[at % 11], DRUGS[at % 9], 20 + at % 50) for at in range(80)]
    return rows + [(999, "east", "secret", 90)] * (3 if owner == "a" else 0)


def session(folder, sql, noise=EPSILON):
    study = folder / "study"
    study.mkdir(parents=True)
    (study / "study.toml").write_text(STUDY.replace("SQL", sql).replace("NOISE", noise), encoding="utf-8")
    opened = open_folder(study)
    for owner in "ab":
        lines = ["person,ward,drug,age", *(",".join(map(str, row)) for row in rows_of(owner))]
        (folder / f"{owner}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        opened.party(owner).write_data({"visits": folder / f"{owner}.csv"})
    make_keys(opened)
    return Session(opened)


def released(folder, sql, noise=EPSILON, runtime="sim:"):
    asked = session(folder, sql, noise)
    for party in asked.study.approvers:
        asked.sign(party)
    outcome = asked.run(runtime, lambda phase: None)
    (table,) = asked.tables("c", outcome).values()
    return table


def counted(place):
    """Rows and ages by a column's values, at most two rows of a person."""
    taken, rows, ages = Counter(), Counter(), Counter()
    for owner in "ab":
        for row in rows_of(owner):
            taken[row[0]] += 1
            if taken[row[0]] <= 2:
                rows[row[place]] += 1
                ages[row[place]] += row[3]
    return rows, ages


def test_an_average_with_noise_has_an_interval_and_its_sums(tmp_path):
    table = released(tmp_path, f"SELECT ward, v.mean, v.n FROM {GRID}", 'epsilon = "8"')
    rows, ages = counted(1)
    for row, sums in zip(table.rows_with_intervals(), table.basis.rows(), strict=True):
        assert row["mean_low"] - 1 <= ages[row["ward"]] / rows[row["ward"]] <= row["mean_high"] + 1
        assert row["mean"] == min(max(row["mean"], 0), 100)
        assert abs(sums["n"] - rows[row["ward"]]) < 25 and abs(sums["mean_sum"] - ages[row["ward"]]) < 1500
    assert len(table.rows()) == 3 and table.error_bounds["n"].startswith("±")


def test_the_sums_behind_an_average_are_shown_on_demand(tmp_path, capsys):
    asked = session(tmp_path, f"SELECT ward, v.mean FROM {GRID}")
    for party in asked.study.approvers:
        asked.sign(party)
    asked.run("local:", lambda phase: None)
    shown = []
    for sums in (False, True):
        open_result(asked.folder.path, "c", None, sums=sums)
        shown.append(capsys.readouterr().out)
    assert "mean_low" in shown[0] and "mean_low" not in shown[1]
    assert "mean_sum" in shown[1].splitlines()[2] and "mean_sum" not in shown[0].splitlines()[2]


def test_thresholds_and_the_largest_groups(tmp_path):
    """At a loss of 20 the noise on a count is a few rows at most: north has 14, west 43."""
    table = released(tmp_path, f"SELECT ward, v.n FROM {GRID} WHERE v.n >= 30 ORDER BY v.n DESC LIMIT 2")
    assert [row["ward"] for row in table.rows()] == ["east", "west"]
    rows, _ = counted(1)
    assert all(abs(row["n"] - rows[row["ward"]]) < 12 for row in table.rows())


def test_groups_that_no_list_names_are_shown_where_many_units_have_them(tmp_path):
    """One person's drug is not; the threshold and its chance stand in what is signed and opened."""
    sql = "SELECT drug, COUNT(*) AS n, AVG(age) AS mean FROM visits GROUP BY drug ORDER BY drug"
    halves = "SELECT drug, COUNT(*) / 2 AS count FROM visits GROUP BY drug"
    assert session(tmp_path / "halves", halves, f'{EPSILON}, delta = "1e-9"').compiled.specs[0].within.threshold.count == "count_sum"
    table = released(tmp_path, sql, f'{EPSILON}, delta = "1e-9"')
    rows, ages = counted(2)
    assert [row["drug"] for row in table.rows()] == ["aspirin", "codeine"]
    for row in table.rows():
        assert abs(row["n"] - rows[row["drug"]]) < 12 and abs(float(row["mean"]) - ages[row["drug"]] / rows[row["drug"]]) < 25
    assert any("a chance of at most 1/2,000,000,000" in one for one in table.sentences)


QUANTILES = GRID.replace("AVG(age) AS mean", "QUANTILE_DISC(age, 0.5) AS m, QUANTILE_DISC(age, 0.9) AS q")


def test_quantiles_with_noise_are_read_off_counts_that_lose_as_much_as_is_asked(tmp_path):
    """Three parts: the count, the blocks, the cells; of 15 each, noise on a count is a row at most, mostly."""
    asked = session(tmp_path, f"SELECT ward, v.m, v.q, v.n FROM {QUANTILES}", 'epsilon = "15"')
    (told,) = lost(asked.compiled)
    assert told.loss.told(told.delta) == {"epsilon": "15"} and len(told.laws) == 3
    assert {law.size for law in told.laws.values()} == {Fraction(2, 5)}, "two rows of a unit, by a third of the loss"
    for party in asked.study.approvers:
        asked.sign(party)
    (table,) = asked.tables("c", asked.run("sim:", lambda phase: None)).values()
    ages = ages_by_ward()
    for row in table.rows_with_intervals():
        values = sorted(ages[row["ward"]])
        for name, share in (("m", 0.5), ("q", 0.9)):
            true = values[math.ceil(share * len(values)) - 1]
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"] and 20 <= true <= 90
        assert abs(row["m"] - values[len(values) // 2]) < 25
    assert any("101 cells, each 1 wide" in one for one in table.sentences) and "m_cell_050" in table.basis.columns
    text = asked.compiled.explanation.text
    assert text.count("more counts of bands, of which a row is in one at most") == 2


@pytest.mark.parametrize(
    ("noise", "told"),
    [
        ({"mechanism": "discrete_gaussian", "rho": "0.125"}, {"rho": "0.125"}),
        ({"mechanism": "discrete_laplace", "epsilon": "4", "sampling": "joint"}, {"epsilon": "4"}),
    ],
)
def test_quantiles_with_other_noise_lose_as_much_as_is_asked(tmp_path, noise, told):
    sql = f"SELECT ward, v.m FROM {QUANTILES}"
    catalog = session(tmp_path, sql).study.catalog
    unit = {"table": "visits", "columns": ["person"], "rows_max": 2}
    loss = loss_of(one for _, one in noised_plan(to_plan(sql, catalog), {**noise, "unit": unit}, catalog).noise)
    assert told.items() <= loss.told(DELTA).items() and len(loss.laws) == 2


def test_quantiles_of_groups_that_no_list_names(tmp_path):
    sql = "SELECT drug, COUNT(*) AS n, QUANTILE_DISC(age, 0.5) AS m FROM visits GROUP BY drug ORDER BY drug"
    table = released(tmp_path, sql, f'{EPSILON}, delta = "1e-9"')
    assert [row["drug"] for row in table.rows()] == ["aspirin", "codeine"]
    assert all(row["m_low"] <= row["m"] <= row["m_high"] and 20 <= row["m"] <= 70 for row in table.rows_with_intervals())


def ages_by_ward():
    """Of at most two rows of a person."""
    taken, ages = Counter(), {}
    for owner in "ab":
        for person, ward, _, age in rows_of(owner):
            taken[person] += 1
            if taken[person] <= 2:
                ages.setdefault(ward, []).append(age)
    return ages


def test_the_explanation_says_what_is_chosen_by_noise(tmp_path):
    asked = session(tmp_path, "SELECT drug, COUNT(*) AS n FROM visits GROUP BY drug", f'{EPSILON}, delta = "1e-9"')
    text = asked.compiled.explanation.text
    assert "rows are chosen and ordered by values with noise" in text and "each server adds noise that it alone knows" in text
    assert "groups whose n with noise is below" in text and "every row is shown" not in text


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELECT drug, COUNT(*) AS n FROM visits GROUP BY drug", "drug would be secret and without noise"),
        ("SELECT drug, COUNT(*) AS n FROM visits GROUP BY drug HAVING COUNT(*) > 9", "drug would be secret and without noise"),
        ("SELECT ward, COUNT(*) AS n, RANK() OVER (ORDER BY COUNT(*)) AS r FROM visits GROUP BY ward", "noise above Window"),
        ("SELECT ward, QUANTILE_DISC(age, 0.9) AS q FROM visits GROUP BY ROLLUP (ward)", "noise on QUANTILE_DISC.*release it by itself"),
        ("SELECT MEDIAN(age) AS m FROM visits", "noise on MEDIAN"),
        (f"SELECT ward, v.m FROM {QUANTILES} ORDER BY v.m", "chosen or ordered by a quantile with noise"),
        ("SELECT ward, MAX(age) AS m FROM visits GROUP BY ward HAVING COUNT(*) > 3", "noise on MAX"),
        ("SELECT ward, age FROM visits WHERE age > 90", "noise above"),
    ],
)
def test_what_noise_cannot_hide_is_refused_with_the_nearest_form(tmp_path, sql, sentence):
    with pytest.raises(Refused, match=sentence) as refusal:
        session(tmp_path, sql).compiled  # noqa: B018
    assert refusal.value.do


def test_secret_groups_within_a_join_are_refused(tmp_path):
    sql = "SELECT v.drug, v.n FROM (SELECT drug, COUNT(*) AS n FROM visits GROUP BY drug) v CROSS JOIN (SELECT 'x' AS x FROM ward) w"
    with pytest.raises(Refused):
        session(tmp_path, sql, f'{EPSILON}, delta = "1e-9"').compiled  # noqa: B018


def test_in_the_clear_noise_and_threshold_are_left_out_and_told(tmp_path):
    sql = "SELECT drug, COUNT(*) AS n FROM visits GROUP BY drug HAVING COUNT(*) > 2 ORDER BY n DESC"
    table = released(tmp_path, sql, f'{EPSILON}, delta = "1e-9"', "clear:")
    assert [row["drug"] for row in table.rows()] == ["aspirin", "codeine", "secret"]
    assert all("left out in the clear" in one for one in table.sentences)


def test_noise_that_nobody_knows_has_the_variance_of_its_law(tmp_path):
    """Drawn on shares; the explanation says so, where it is cut, and what that costs in δ."""
    sql = f"SELECT ward, v.n FROM {GRID}"
    table = released(tmp_path / "joint", sql, 'epsilon = "2", sampling = "joint"')
    rows, _ = counted(1)
    assert all(abs(row["n"] - rows[row["ward"]]) < 25 for row in table.rows()) and len(table.rows()) == 3
    (told,) = (one for one in table.sentences if one.startswith("n: "))
    assert "drawn on shares so that nobody knows any of it, cut at ±" in told
    law = table.noise["n"]
    assert law.half_width() <= ColumnNoise(law.mechanism, law.loss, law.sensitivity).half_width() and 0 < law.delta < Fraction(1, 10**14)


@pytest.mark.parametrize(
    ("noise", "sentence"),
    [
        ('epsilon = "1", sampling = "alone"', "may take delta and sampling = 'joint'"),
        ('rho = "1", sampling = "joint"', "takes epsilon and unit"),
    ],
)
def test_other_sampling_is_refused(tmp_path, noise, sentence):
    with pytest.raises(Refused, match=sentence):
        session(tmp_path, f"SELECT ward, v.n FROM {GRID}", noise).compiled  # noqa: B018


def test_too_many_coins_are_refused():
    with pytest.raises(Refused, match="coins of noise drawn on shares") as refusal:
        _require_few(1 << 25)
    assert refusal.value.do
