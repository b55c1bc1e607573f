"""Rules about ends of what rows have, about models that few rows fit, and about tails of curves."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.plan.interpret import Table
from accord.plan.nodes import Field, Input
from accord.plan.types import DECIMAL, INT, Type
from accord.release.gate import judge
from accord.release.rule_counts import MinimumCount
from accord.release.rule_models import AtRisk, MaximumLeverage, MinimumDegreesOfFreedom
from accord.release.rules import read_rules
from accord.release.table import SUPPRESSED
from accord.testing.world import World
from accord.wire.local import run_local
from tests.plan.lowering import deal, value
from tests.release.asked import asked
from tests.release.offices import GRID, cell, gated, spec
from tests.release.test_rules import shown

PLACES = list(product(range(3), range(3)))
ROWS = [("a", "f0", 10), ("a", "f1", 20), ("b", "f0", 30), ("b", "f1", 40)]
NO_EXTREMES = {"rule": "no_exact_extremes"}


# ---- no exact extremes


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ("MAX(turnover) AS x", "x is MAX of rows"),
        ("MIN(turnover) AS x", "x is MIN of rows"),
        ("MAX(turnover) * 2 + 1 AS x", "x is MAX of rows"),
        ("SUM(turnover) - MAX(turnover) AS x", "x is MAX of rows"),
        ("CASE WHEN COUNT(*) > 3 THEN MAX(turnover) ELSE 0 END AS x", "x is MAX of rows"),
        ("QUANTILE_DISC(turnover, 1.0) AS x", r"x is QUANTILE_DISC\(…, 1\) of rows"),
        ("QUANTILE_DISC(turnover, 0.0) AS x", r"x is QUANTILE_DISC\(…, 0\) of rows"),
        ("MAX(ABS(turnover)) AS x", "x is MAX of rows"),
        ("ROUND(AVG(turnover), 0) AS m, MAX(firm) AS x", "x is MAX of rows"),
    ],
)
def test_an_exact_end_is_refused(tmp_path, select, words):
    with pytest.raises(Refused, match=f"release cells: the released column {words}"):
        asked(tmp_path, ROWS, f"SELECT region, {select} FROM firms GROUP BY region", [NO_EXTREMES])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT MAX(x) AS x FROM (SELECT region, MAX(turnover) AS x FROM firms GROUP BY region)",
        "SELECT region, x FROM (SELECT DISTINCT region, FIRST_VALUE(turnover) OVER (PARTITION BY region ORDER BY key) AS x FROM firms)",
        "SELECT region, MAX(turnover) AS x FROM firms GROUP BY region UNION ALL SELECT region, COUNT(*) AS x FROM firms GROUP BY region",
        "SELECT a.region, x FROM (SELECT region, COUNT(*) AS n FROM firms GROUP BY region) a "
        "JOIN (SELECT region AS r, MAX(turnover) AS x FROM firms GROUP BY region) b ON a.region = b.r",
    ],
)
def test_an_exact_end_is_found_wherever_it_comes_from(tmp_path, sql):
    with pytest.raises(Refused, match="the released column x is"):
        asked(tmp_path, ROWS, sql, [NO_EXTREMES])


@pytest.mark.parametrize(
    ("select", "rules"),
    [
        ("SUM(turnover) AS x, COUNT(*) AS n, AVG(turnover) AS m", []),
        ("QUANTILE_DISC(turnover, 0.95) AS x, MEDIAN(turnover) AS m", []),
        ("MAX(turnover) // 10 AS x", []),
        ("MAX(turnover) > 25 AS x", []),
        ("MAX(turnover) AS x", [{"rule": "rounding", "on": ["x"], "base": 10}]),
        ("MAX(turnover) AS x", [{"rule": "top_coding", "column": "x", "limit": 25}]),
    ],
)
def test_what_is_no_exact_end_is_allowed(tmp_path, select, rules):
    tables = asked(tmp_path, ROWS, f"SELECT region, {select} FROM firms GROUP BY region", [NO_EXTREMES, *rules])
    assert sorted(map(repr, tables["clear:"].rows())) == sorted(map(repr, tables["sim:"].rows()))


def test_an_end_of_sums_is_nobodys_own(tmp_path):
    asked(tmp_path, ROWS, "SELECT MAX(s) AS x FROM (SELECT region, SUM(turnover) AS s FROM firms GROUP BY region)", [NO_EXTREMES])


def test_what_is_judged_and_not_released_may_be_an_exact_end(tmp_path):
    sql = "SELECT region, SUM(turnover) AS s, MAX(turnover) AS most FROM firms GROUP BY region"
    rules = [NO_EXTREMES, {"rule": "minimum_count", "column": "most", "minimum": 25}]
    with pytest.raises(Refused, match="most is MAX of rows"):
        asked(tmp_path / "shown", ROWS, sql, rules)
    for table in asked(tmp_path / "judged", ROWS, sql, rules, judged=["most"]).values():
        assert {row["region"]: row["s"] for row in table.rows()} == {"a": SUPPRESSED, "b": 70}


# ---- models


@pytest.mark.parametrize(("parameters", "minimum"), [(4, 10), (1, 1), (30, 20)])
def test_degrees_of_freedom_at_the_minimum(parameters, minimum):
    counts = [0, parameters, parameters + minimum - 1, parameters + minimum, 100]
    rows = [cell(*place, n) for place, n in zip(PLACES, counts, strict=False)]
    assert shown([MinimumDegreesOfFreedom("n", parameters, minimum)], rows) == [n >= parameters + minimum for n in counts]


def test_leverage_at_the_maximum():
    """Its own table: a share of 1 with six digits, and NULL, which does not pass."""
    fields = (Field("row", Type(INT, 0, 4), True), Field("h", Type(DECIMAL, 0, 10**6, 6, (), True)))
    node = Input("fits", "usa", "", (("row", tuple(range(5))),), 1, fields)
    rule = MaximumLeverage("h", 50)
    rule.require_applies(node)
    expected = [True, True, False, False, False]
    values = [0, 500_000, 500_001, 10**6, None]
    assert [rule.passes({"h": one}) for one in values] == expected

    world = World(1)
    held = deal(world, node, {"fits": Table.of(("row", "h"), list(enumerate(values)))})
    judged = run_local([judge(me, node, [rule], held[me.index]["fits"]) for me in world.parties()]).results
    assert value([flag for flag, _ in judged], 5).tolist() == expected


def test_what_is_no_leverage_or_model_is_refused():
    with pytest.raises(Refused, match="a share of 1 with 6 digits"):
        spec(MaximumLeverage("total", 50))
    leverage = {"rule": "maximum_leverage", "column": "h", "maximum_percent": 100}
    for document in (leverage, {"rule": "minimum_degrees_of_freedom", "column": "n", "model_parameters": 0}):
        with pytest.raises(Refused, match="1 to"):
            read_rules([document])


# ---- at risk


@given(st.lists(st.integers(0, 12), min_size=9, max_size=9), st.booleans())
@settings(max_examples=25)
def test_a_curve_ends_where_few_are_left(counts, by_seller):
    """Three curves of three times, or one of nine; what comes after the end stays held back, whatever it counts."""
    rows = [cell(*place, n) for place, n in zip(PLACES, counts, strict=True)]
    expected, curves = [], [counts[0:3], counts[3:6], counts[6:9]] if by_seller else [counts]
    for curve in curves:
        end = next((at for at, n in enumerate(curve) if n < 5), len(curve))
        expected += [at < end for at in range(len(curve))]
    assert shown([AtRisk("n", 5, ("seller",) if by_seller else ())], rows, GRID) == expected


def test_other_rules_hold_back_their_own_rows_alone():
    counts, parts = [9, 8, 7, 6, 6, 6, 6, 1, 9], [1, 0, 1, 1, 1, 1, 1, 1, 1]
    rows = [cell(*place, n, part) for place, n, part in zip(PLACES, counts, parts, strict=True)]
    assert shown([AtRisk("n", 5), MinimumCount("part", 1)], rows, GRID) == [True, False, True, True, True, True, True, False, False]


def test_curves_are_public_and_all_there():
    with pytest.raises(Refused, match="rows may be absent"):
        spec(AtRisk("n", 5))
    with pytest.raises(Refused, match="curves by part, which is secret"):
        spec(AtRisk("n", 5, ("part",)), node=GRID)
    with pytest.raises(Refused, match="at least 1"):
        AtRisk("n", 0)


def test_the_cost_of_curves_is_foretold_and_the_traffic_has_one_shape():
    one, shapes = spec(AtRisk("n", 5, ("seller",)), node=GRID), []
    for rows in ([], [cell(*place, 7) for place in PLACES]):
        outcome = gated(one, rows, keep=True)
        shapes.append([[(line.receiver, line.path, line.nbytes) for line in each.lines] for each in outcome.traffic])
    assert shapes[0] == shapes[1]
