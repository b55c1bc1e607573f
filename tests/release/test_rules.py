"""Rules on both sides of their thresholds, on shares, plainly, and by hand; what a study may write; where a rule does not apply."""

from __future__ import annotations

import re
import tomllib
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.mpc.cost import Cost
from accord.plan.evaluate import Plain
from accord.plan.interpret import Table
from accord.plan.nodes import Field, Public
from accord.plan.types import INT, Type
from accord.release.clear import passes
from accord.release.gate import cost
from accord.release.rule_alone import NeverAlone
from accord.release.rule_counts import MinimumContributors, MinimumCount, ZeroAndFull
from accord.release.rule_rounding import Rounding
from accord.release.rules import RULES, read_rules
from accord.release.spec import ReleaseSpec
from accord.release.table import RELEASED
from tests.release.offices import BY_OFFICE, CELLS, GRID, NAMES, cell, opened, spec

PLACES = list(product(range(3), range(3)))


def shown(rules, rows, node=CELLS) -> list[bool]:
    """Which rows are released, on shares; the plain form must say the same."""
    one = spec(*rules, node=node)
    table = opened(one, rows)
    plain = passes(one, Table.of(NAMES, list(rows)).columns, len(rows))
    there = table.status[table.status > 0]
    assert (there == RELEASED).tolist() == plain.tolist()
    return plain.tolist()


@pytest.mark.parametrize("rule", [MinimumCount, MinimumContributors])
@pytest.mark.parametrize("minimum", [1, 3, 10])
def test_a_minimum_is_met_at_the_minimum(rule, minimum):
    counts = [0, minimum - 1, minimum, minimum + 1, 100]
    rows = [cell(*place, n) for place, n in zip(PLACES, counts, strict=False)]
    assert shown([rule("n", minimum)], rows) == [n >= minimum for n in counts]


def test_zero_and_full_are_held_back():
    cases = [(0, 10), (1, 10), (9, 10), (10, 10), (None, 10), (0, 0), (1, 1), (1, 2)]
    rows = [cell(*place, whole, part) for place, (part, whole) in zip(PLACES, cases, strict=False)]
    wanted = [False, True, True, False, False, False, False, True]
    assert shown([ZeroAndFull("part", "n")], rows) == wanted


@given(st.lists(st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 4))), min_size=9, max_size=9), st.integers(1, 4))
@settings(max_examples=10)
def test_all_rules_must_pass(cells, minimum):
    rows = [cell(*place, n, part) for place, (n, part) in zip(PLACES, cells, strict=True)]
    rules = [MinimumCount("n", minimum), ZeroAndFull("part", "n"), MinimumContributors("part", 2)]
    wanted = [n >= minimum and part is not None and 0 < part < n and part >= 2 for n, part in cells]
    assert shown(rules, rows) == wanted


@pytest.mark.parametrize("gaps", [[], [0], [4], [8], [3, 4], [0, 8], list(range(9))])
def test_one_gap_is_never_alone(gaps):
    rows = [cell(*place, 0 if at in gaps else 5) for at, place in enumerate(PLACES)]
    wanted = {at for at in range(9) if at in gaps}
    if len(gaps) == 1:
        wanted.add((gaps[0] + 1) % 9)
    assert shown([MinimumCount("n", 1), NeverAlone()], rows, GRID) == [at not in wanted for at in range(9)]


def test_never_alone_needs_rows_that_are_all_there():
    with pytest.raises(Refused, match="rows may be absent"):
        spec(MinimumCount("n", 1), NeverAlone())
    with pytest.raises(Refused, match="each recipient gets its own rows"):
        spec(MinimumCount("n", 1), NeverAlone(), recipients=BY_OFFICE)


def test_rules_are_read_from_a_study():
    documents = [
        {"rule": "minimum_count", "column": "n", "minimum": 10},
        {"rule": "minimum_contributors", "column": "n", "minimum": 3},
        {"rule": "zero_and_full", "part": "part", "whole": "n"},
        {"rule": "never_alone"},
        {"rule": "rounding", "on": ["n", "total"], "base": 5},
    ]
    rules = (MinimumCount("n", 10), MinimumContributors("n", 3), ZeroAndFull("part", "n"), NeverAlone(), Rounding(("n", "total"), 5))
    assert read_rules(documents) == rules


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"rule": "minimum"}, "one of minimum_count"),
        ({}, "no rule None"),
        ({"rule": "minimum_count", "column": "n"}, "minimum = a number"),
        ({"rule": "minimum_count", "column": "n", "minimum": "3"}, "minimum = a number"),
        ({"rule": "minimum_count", "column": "n", "minimum": True}, "minimum = a number"),
        ({"rule": "minimum_count", "column": "n", "minimum": 0}, "at least 1"),
        ({"rule": "zero_and_full", "part": "a", "whole": "b", "more": 1}, "takes part"),
        ({"rule": "never_alone", "column": "n"}, "takes nothing"),
    ],
)
def test_what_is_no_rule_is_refused(document, words):
    with pytest.raises(Refused, match=words):
        read_rules([document])


EXAMPLES: dict[str, Any] = {
    "minimum_count": ("n", 3),
    "minimum_contributors": ("n", 3),
    "zero_and_full": ("part", "n"),
    "dominance": ("total",),
    "p_percent": ("total",),
    "no_exact_extremes": (),
    "minimum_degrees_of_freedom": ("n", 4),
    "maximum_leverage": ("total", 50),
    "at_risk": ("n",),
    "never_alone": (),
    "rounding": (("n",), 5),
    "top_coding": ("n", 5),
    "bottom_coding": ("n", 5),
    "cell_key": ("n", "key", (((-1, 64), (0, 128), (1, 64)),)),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_rule_says_what_it_stops_and_what_not(name):
    one = RULES[name](*EXAMPLES[name])
    assert one.sentence[0].islower() and one.stops and one.does_not_stop
    assert all(name in one.sentence for name in one.columns if name not in one.adds)


def test_rules_apply_to_integers_of_the_table_only():
    with pytest.raises(Refused, match="no column 'm'"):
        spec(MinimumCount("m", 3))
    with pytest.raises(Refused, match="which is of kind decimal"):
        spec(MinimumCount("total", 3))


def test_a_rule_costs_nothing_where_servers_know_what_it_reads():
    known = Public("known", (Field("n", Type(INT, 0, 9), True),), ((2,), (5,)))
    assert cost([ReleaseSpec("known", known, ("usa",), (MinimumCount("n", 3),))]) == Cost(0, 0)
    assert cost([spec(MinimumCount("n", 3))]).rounds > cost([spec(reason="why")]).rounds > 0


def test_plain_passes_need_no_more_than_the_judged_columns():
    columns = {"n": Plain(np.array([2, 3]), np.zeros(2, bool))}
    assert passes(spec(MinimumCount("n", 3)), columns, 2).tolist() == [False, True]


def test_the_page_of_rules_says_what_can_be_written():
    """Each rule that the page shows is one as it stands there, but for the table of cell keys, which is cut short."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "rules.md").read_text(encoding="utf-8")
    written = re.findall(r"`({ rule = [^`]*})`", page)
    names = {tomllib.loads(f"one = {text}")["one"]["rule"] for text in written if "…" not in text}
    assert {*names, "cell_key"} == set(EXAMPLES)
    assert all(read_rules([tomllib.loads(f"one = {text}")["one"]]) for text in written if "…" not in text)
