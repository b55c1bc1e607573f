"""Dominance and p percent: on shares, plainly, by hand, and as tau-Argus judges the same rows; at thresholds, with zeros and nothing."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytauargus
import pytest

from accord.base.errors import Refused
from accord.node.session import open_study
from accord.release.rule_dominance import Dominance, PPercent
from accord.release.rules import read_rules
from accord.release.table import SUPPRESSED
from tests.release.asked import FIRMS, REGIONS, asked, study

SQL = "SELECT region, SUM(turnover) AS turnover, COUNT(*) AS n FROM firms GROUP BY region ORDER BY region"


def shown(folder: Path, rows: Any, *rules: Any, sql: str = SQL, low: int = 0) -> dict[str, Any]:
    """The turnover of each region that is shown, both ways alike."""
    tables = asked(folder, rows, sql, rules, low=low)
    clear, secure = ({row["region"]: row["turnover"] for row in one.rows()} for one in tables.values())
    assert clear == secure
    return {region: value for region, value in secure.items() if value is not SUPPRESSED}


def cells(*groups: list[int], firms: Any = FIRMS) -> list[tuple[str, str, int]]:
    """A region for each list of contributions."""
    return [(region, firms[at % len(firms)], one) for region, values in zip(REGIONS, groups, strict=False) for at, one in enumerate(values)]


def dominance(n: int, k: int, **more: Any) -> dict[str, Any]:
    return {"rule": "dominance", "column": "turnover", "n": n, "k": k, **more}


def p_percent(p: int, **more: Any) -> dict[str, Any]:
    return {"rule": "p_percent", "column": "turnover", "p": p, **more}


def test_dominance_at_its_threshold(tmp_path):
    """Exactly k percent passes; a hair more does not."""
    rows = cells([90, 0, 10], [91, 0, 9], [45, 45, 10], [46, 45, 9])
    assert set(shown(tmp_path / "2", rows, dominance(2, 90))) == {"c"}
    assert set(shown(tmp_path / "1", rows, dominance(1, 90))) == {"a", "c", "d"}


def test_p_percent_at_its_threshold(tmp_path):
    """The rest is exactly p percent of the largest, or one below."""
    rows = cells([100, 50, 10], [100, 50, 9], [100, 100, 5, 5], [7, 7])
    assert set(shown(tmp_path, rows, p_percent(10))) == {"a", "c"}


def test_one_contributor_none_and_zeros(tmp_path):
    """One contributor fails; zeros of several, of which nothing is to be told, pass; what has no row is not there."""
    rows = cells([5], [0, 0], [0], [])
    for name, rule in (("dominance", dominance(1, 99)), ("p", p_percent(1))):
        assert shown(tmp_path / name, rows, rule) == {"b": 0, "c": 0}


def test_negative_contributions_count_by_their_size(tmp_path):
    """A gain of 100 beside a loss of 95: the sum is 5, the sizes are 195 and some."""
    rows = cells([100, -95, 0], [-100, 40, 40, 30], [-100, 1], [10, -10])
    assert shown(tmp_path / "p", rows, p_percent(10), low=-1000) == {"b": 10}
    assert shown(tmp_path / "d", rows, dominance(1, 60), low=-1000) == {"a": 5, "b": 10, "d": 0}


def test_a_unit_counts_once(tmp_path):
    """Firm f0 has three rows of 30: each is small, together they are most of the cell."""
    rows = [("a", "f0", 30), ("a", "f0", 30), ("a", "f0", 30), ("a", "f1", 5), ("a", "f2", 5)]
    rows += [("b", firm, 20) for firm in FIRMS]
    assert set(shown(tmp_path / "rows", rows, dominance(1, 80))) == {"a", "b"}
    assert set(shown(tmp_path / "unit", rows, dominance(1, 80, unit="firm"))) == {"b"}
    assert set(
        shown(tmp_path / "both", rows, dominance(1, 80, unit="firm"), p_percent(10), {"rule": "minimum_count", "column": "n", "minimum": 2})
    ) == {"b"}
    counted = "SELECT region, SUM(turnover) AS turnover, COUNT(DISTINCT firm) AS n FROM firms GROUP BY region ORDER BY region"
    assert set(shown(tmp_path / "counted", rows, p_percent(30, unit="firm"), dominance(2, 99), sql=counted)) == {"b"}


def test_nothing_that_is_judged_is_released(tmp_path):
    tables = asked(tmp_path, cells([50, 50, 50]), SQL, [dominance(2, 90), p_percent(10)])
    for table in tables.values():
        assert [one.name for one in table.fields] == ["region", "turnover", "n"]
        assert table.sentences[0] == "a row is shown only where the 2 largest contributions have at most 90 percent of turnover"


def oracle(rows: Any, rule: Any) -> set[str]:
    """The regions that pass, by the textbook's words in plain integers."""
    groups = defaultdict(lambda: defaultdict(int))
    for at, (region, firm, value) in enumerate(rows):
        groups[region][firm if rule.get("unit") else at] += value
    passed = set()
    for region, units in groups.items():
        largest, total = sorted(units.values(), reverse=True), sum(units.values())
        if rule["rule"] == "dominance":
            fails = sum(largest[: rule["n"]]) * 100 > rule["k"] * total
        else:
            fails = (total - sum(largest[:2])) * 100 < rule["p"] * largest[0]
        passed |= set() if fails else {region}
    return passed


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "rule", [dominance(1, 60), dominance(2, 85), dominance(3, 90, unit="firm"), p_percent(15), p_percent(40, unit="firm")], ids=str
)
def test_random_rows_against_the_textbook(tmp_path, rule, seed):
    coins = random.Random(seed)
    rows = [(coins.choice(REGIONS), coins.choice(FIRMS), int(coins.paretovariate(0.8)) % 1000) for _ in range(40)]
    assert set(shown(tmp_path, rows, rule)) == oracle(rows, rule)


def argus_unsafe(rows: Any, rule: str, folder: Path) -> set[str]:
    """The regions that tau-Argus finds unsafe, before it suppresses others to protect them."""
    microdata = {"region": [row[0] for row in rows], "turnover": [float(row[2]) for row in rows]}
    folder.mkdir()
    made = pytauargus.protect(microdata, ["region"], "turnover", safety_rules=rule, suppress="OPT(1)", decimals=0, workdir=str(folder))
    return {row["region"] for row in made.tables[0].rows if row["status"] == "U"} & set(REGIONS)


@pytest.mark.parametrize("seed", range(6))
def test_as_tau_argus_judges(tmp_path, seed, monkeypatch):
    """Three rules on skewed microdata; cells on the threshold itself are left out, where its floating point may say either."""
    monkeypatch.chdir(tmp_path)  # where its solvers leave their logs
    coins = random.Random(100 + seed)
    rows = [(coins.choice(REGIONS), coins.choice(FIRMS), 1 + int(coins.paretovariate(0.7)) % 1000) for _ in range(24)]
    for at, (ours, theirs) in enumerate(((dominance(1, 60), "NK(1,60)"), (dominance(2, 75), "NK(2,75)"), (p_percent(30), "P(30,1)"))):
        regions = {row[0] for row in rows}
        assert regions - oracle(rows, ours) == argus_unsafe(rows, theirs, tmp_path / f"argus{at}"), theirs
    assert set(shown(tmp_path / "ours", rows, p_percent(30))) == oracle(rows, p_percent(30))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (dominance(0, 90), "n = 0.*n is 1 to 8"),
        (dominance(2, 100), "k = 100.*k is 1 to 99"),
        (p_percent(0), "p = 0.*p is 1 to 100"),
        ({"rule": "dominance", "column": "turnover", "k": "90"}, "k = a number"),
    ],
)
def test_parameters_that_say_nothing_are_refused(rule, words):
    with pytest.raises(Refused, match=words):
        read_rules([rule])


def test_defaults_are_acros():
    assert read_rules([{"rule": "dominance", "column": "t"}, {"rule": "p_percent", "column": "t"}]) == (
        Dominance("t", 2, 90),
        PPercent("t", 10),
    )


@pytest.mark.parametrize(
    ("sql", "rule", "words"),
    [
        (SQL, {**dominance(2, 90), "column": "n"}, "n, which is no SUM of rows"),
        (SQL.replace("SUM", "AVG"), p_percent(10), "release cells: .*turnover, which is no SUM of rows"),
        (SQL, p_percent(10, unit="owner"), "'owner', which the rows that are aggregated do not have"),
        (SQL.replace("SUM(turnover)", "SUM(turnover * 1000000000000)"), p_percent(10), "a value could reach"),
    ],
)
def test_what_cannot_be_judged_is_refused(tmp_path, sql, rule, words):
    with pytest.raises(Refused, match=words):
        open_study(study(tmp_path, cells([1]), sql, [rule])).run("sim:")
