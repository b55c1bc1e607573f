"""What rules show otherwise: rounded, coded, with a cell's own noise; against plain arithmetic, at the ends, and as its reader is told."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from accord.base.errors import Refused
from accord.mpc.cost import Cost
from accord.mpc.party import Party
from accord.node.session import open_study
from accord.plan.interpret import Table, interpret
from accord.plan.lower import stand_ins
from accord.plan.secure_calls import count
from accord.plan.secure_table import SecretColumn, SecureTable
from accord.plan.types import INT, Type
from accord.release.clear import release_in_clear
from accord.release.gate import protect
from accord.release.rule_cell_key import CellKey
from accord.release.rule_coding import BottomCoding, TopCoding
from accord.release.rule_counts import MinimumCount
from accord.release.rule_rounding import Rounding, nearest
from accord.release.rules import read_rules
from accord.release.seal import open_sealed
from accord.release.table import SUPPRESSED
from accord.testing.world import World
from tests.release.asked import FIRMS, REGIONS, asked, study
from tests.release.offices import CELLS, GRID, NAMES, cell, gated, key, opened, sealed, spec

PLACES = list(product(range(3), range(3)))
COUNTS = [0, 1, 2, 3, 7, 8, 50, 99, 100]
TOTALS = [0, 1, -1, 250, -250, 749, -751, 10**9, -(10**9)]


def shown(rule: Any, name: str, values: list[int | None], seed: int = 0, node: Any = CELLS) -> list[Any]:
    """The integer forms of a column as the recipient has it."""
    pairs = zip(PLACES, values, strict=True)
    rows = [cell(*place, **({name: value} if name == "n" else {"n": 5, name: value})) for place, value in pairs]
    table = opened(spec(rule, node=node), rows, seed=seed)
    column = table.columns[name]
    return [None if null else int(value) for value, null in zip(column.values, column.nulls, strict=True)]


# ---- rounding


@pytest.mark.parametrize("base", [2, 3, 5, 10, 100])
def test_the_nearest_multiple(base):
    expected = [(2 * one + base) // (2 * base) * base for one in COUNTS]
    assert shown(Rounding(("n",), base), "n", COUNTS) == expected


@pytest.mark.parametrize("base", [2, 5, 7])
def test_decimals_of_both_signs_and_null(base):
    """Halves go away from zero; a base of 5 is 5.00."""
    values = [*TOTALS[:-1], None]
    expected = [None if one is None else int(np.sign(one)) * ((2 * abs(one) + base * 100) // (base * 200)) * base * 100 for one in values]
    assert shown(Rounding(("total",), base), "total", values) == expected
    assert nearest(np.array([250, -250, 249]), 500).tolist() == [500, -500, 0]


def test_at_random_is_next_below_or_above_and_right_on_average():
    rule, values = Rounding(("n",), 5, "random"), [0, 5, 100, 1, 2, 3, 4, 11, 99]
    found = [shown(rule, "n", values, seed=seed) for seed in range(60)]
    for place, value in enumerate(values):
        seen = {one[place] for one in found}
        low = value // 5 * 5
        assert seen <= {low, low + 5 * (value % 5 > 0)} and (value % 5 == 0 or len(seen) == 2), value
    for place, value in enumerate(values):
        up = sum(one[place] > value for one in found)
        chance = value % 5 / 5
        assert abs(up - 60 * chance) <= 4 * (60 * chance * (1 - chance)) ** 0.5, f"{value}: {up} of 60 went up"


def test_every_recipient_has_the_same_random_figures():
    one = spec(Rounding(("n",), 7, "random"), recipients=("usa", "nld"))
    parts = gated(one, [cell(*place, 10 + at) for at, place in enumerate(PLACES)]).results
    tables = [open_sealed([part.blob for part in sealed(parts, party)], key(party)) for party in ("usa", "nld")]
    assert tables[0].rows() == tables[1].rows()


def test_what_is_judged_stays_as_it_was_and_what_is_held_back_stays_so():
    rows = [cell(0, 0, 9), cell(1, 1, 10), cell(2, 2, 13)]
    table = opened(spec(MinimumCount("n", 10), Rounding(("n",), 10)), rows)
    assert [row["n"] for row in table.rows()] == [SUPPRESSED, 10, 10]


def test_the_reader_is_told_how_far_it_is_off():
    rules = (Rounding(("n",), 5), Rounding(("total",), 5, "random"), TopCoding("since", 100))
    with pytest.raises(Refused, match="since, which is of kind date"):
        spec(*rules)
    table = opened(spec(*rules[:2]), [cell(0, 0, 12, total=1234)])
    assert table.error_bounds["n"] == "±2, rounded to 5" and table.error_bounds["total"] == "±4.99, rounded to 5 at random"
    assert table.error_bounds["part"] == "exact" and "n: ±2, rounded to 5" in str(table)
    assert "all other columns exact" in str(table)


@pytest.mark.parametrize("seed", range(5))
def test_a_controlled_line_adds_up(seed):
    """Nine cells of one line and their total: each within one base, exact multiples as they are, zeros zero."""
    coins = random.Random(seed)
    values = [coins.choice([0, 5, 10, coins.randint(0, 100)]) for _ in PLACES]
    rule = Rounding(("n",), 5, "controlled", ("seller", "buyer"))
    made = shown(rule, "n", values, seed=seed, node=GRID)
    for before, after in zip(values, made, strict=True):
        assert after % 5 == 0 and abs(after - before) < 5 and (before % 5 or after == before)
    sums = np.cumsum(made) - np.cumsum(values)
    assert (abs(sums) < 5).all(), "every total of cells that stand side by side is within one base"


def test_margins_are_the_sums_of_what_is_shown():
    """Office ita stands for all: rows and columns of a table of two by two with its margins, as far as the rule can know."""
    inner = {(0, 0): 12, (0, 1): 3, (1, 0): 8, (1, 1): 21}
    rule = Rounding(("n",), 5, "controlled", ("seller", "buyer"), "ita")
    for seed in range(8):
        values = [inner.get(place, 90) for place in PLACES]
        made = dict(zip(PLACES, shown(rule, "n", values, seed=seed, node=GRID), strict=True))
        assert all(abs(made[place] - value) < 5 for place, value in inner.items())
        for place in (0, 1):
            assert made[place, 2] == made[place, 0] + made[place, 1] and made[2, place] == made[0, place] + made[1, place]
            assert abs(made[place, 2] - inner[place, 0] - inner[place, 1]) < 5, "a row's total is within one base"
        assert made[2, 2] == sum(made[place] for place in inner) and abs(made[2, 2] - 44) < 5
    rows = [cell(*place, n) for place, n in zip(PLACES, values, strict=True)]
    plain = release_in_clear(spec(rule, node=GRID), _grid(rows))["usa"]
    there = {(int(a), int(b)): int(n) for a, b, n in zip(*(plain.columns[name].values for name in ("seller", "buyer", "n")), strict=True)}
    assert there[2, 2] == sum(there[place] for place in inner) and abs(there[2, 2] - 44) < 5


def _grid(rows: Any) -> Any:
    return interpret(GRID, inputs={"cells": Table.of(NAMES, rows)}).columns


def test_the_line_starts_at_random_so_that_no_cell_is_wrong_on_average():
    rule = Rounding(("n",), 5, "controlled", ("seller", "buyer"))
    values = [1, 2, 3, 4, 0, 1, 1, 1, 7]
    found = [shown(rule, "n", values, seed=seed, node=GRID) for seed in range(60)]
    means = np.mean(found, axis=0)
    assert (abs(means - values) <= 4 * 2.5 / 60**0.5).all(), means
    assert len({tuple(one) for one in found}) > 1


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rounding(("n",), 5, "controlled", ("n",)), "controlled rounding over n"),
        (Rounding(("n",), 5, "controlled", ("seller",)), "controlled rounding over seller"),
        (Rounding(("seller",), 5), "seller, which is a public key"),
        (Rounding((), 5), "of no column"),
    ],
)
def test_where_rounding_does_not_apply(rule, words):
    with pytest.raises(Refused, match=words):
        spec(rule)
    with pytest.raises(Refused, match="total = 'all' for seller"):
        spec(Rounding(("n",), 5, "controlled", ("seller",), "all"), node=GRID)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"on": ["n"], "base": 1}, "2 to"),
        ({"on": ["n"], "base": 1 << 30}, "2 to"),
        ({"on": ["n"], "base": 5, "how": "up"}, "nearest, random or controlled"),
        ({"on": ["n"], "base": 5, "dimensions": ["a"]}, "dimensions without controlled rounding"),
        ({"on": ["n"], "base": 5, "how": "controlled"}, "dimensions without controlled rounding"),
        ({"on": "n", "base": 5}, "on = columns"),
    ],
)
def test_roundings_that_cannot_be(document, words):
    with pytest.raises(Refused, match=words):
        read_rules([{"rule": "rounding", **document}])


# ---- coding


def test_beyond_the_limit_is_the_limit():
    assert shown(TopCoding("n", 8), "n", COUNTS) == [min(one, 8) for one in COUNTS]
    assert shown(BottomCoding("n", 8), "n", COUNTS) == [max(one, 8) for one in COUNTS]
    values = [*TOTALS[:-1], None]
    assert shown(TopCoding("total", 2), "total", values) == [None if one is None else min(one, 200) for one in values]
    assert shown(BottomCoding("total", 3), "total", values) == [None if one is None else max(one, 300) for one in values]
    table = opened(spec(TopCoding("n", 8)), [cell(0, 0, 9)])
    assert table.error_bounds["n"] == "exact, but above 8 shown as 8" and table.sentences == ("n above 8 is shown as 8",)


# ---- cell keys

TABLE = (((-1, 64), (0, 64), (1, 128)), ((-2, 32), (0, 160), (1, 32), (2, 32)), ((-3, 16), (-1, 48), (0, 128), (1, 48), (3, 16)))
DOCUMENT = {"rule": "cell_key", "column": "n", "key": "key", "table": [[list(run) for run in one] for one in TABLE]}


def looked_up(rows: Any) -> dict[Any, int]:
    """By hand, by group: the count and the table's word for it."""
    counts, keys = Counter(row[0] for row in rows), Counter()
    for row in rows:
        keys[row[0]] += row[3]
    found = {}
    for region, number in counts.items():
        noises = [noise for noise, keys_of in TABLE[min(number, 3) - 1] for _ in range(keys_of)]
        found[region] = number + noises[keys[region] % 256]
    return found


@pytest.mark.parametrize("seed", range(4))
def test_each_cell_has_its_own_noise_in_every_table(tmp_path, seed):
    coins = random.Random(seed)
    rows = [(coins.choice(REGIONS), coins.choice(FIRMS), 1, coins.randrange(256)) for _ in range(coins.choice([6, 20]))]
    tables = asked(tmp_path / "region", rows, "SELECT region, COUNT(*) AS n FROM firms GROUP BY region", [DOCUMENT])
    for table in tables.values():
        assert {row["region"]: row["n"] for row in table.rows()} == looked_up(rows)
        assert [one.name for one in table.fields] == ["region", "n"] and table.error_bounds["n"] == "−3 to +3, cell key"
    counted = "SELECT region, COUNT(DISTINCT firm) AS firms, COUNT(*) AS n FROM firms WHERE turnover = 1 GROUP BY region"
    for table in asked(tmp_path / "again", rows, counted, [DOCUMENT]).values():
        assert {row["region"]: row["n"] for row in table.rows()} == looked_up(rows), "the same cells in another table"


def test_noise_of_every_key_and_count():
    """On shares, each count from 0 past the last list at each key at which a run ends or begins."""
    rule = CellKey("n", "key", TABLE)
    keys = sorted({0, 255, *(sum(number for _, number in one[:at]) + off for one in TABLE for at in range(1, len(one)) for off in (-1, 0))})
    assert [rule.noise(0, key) for key in keys] == [0] * len(keys)
    pairs = [(number, key + 256 * turns) for number in range(6) for key in keys for turns in (0, 1, 1000)]
    type = Type(INT, 0, 1 << 20)

    async def run(me: Party, counts: Any, sums: Any) -> Any:
        table = SecureTable(len(pairs), {"n": SecretColumn(type, counts), "n_cell_key": SecretColumn(type, sums)})
        return (await rule.change(me, replace(table))).columns["n"].value

    made = World(2).run(run, [one for one, _ in pairs], [key for _, key in pairs]).value
    assert made.tolist() == [number + rule.noise(number, key) for number, key in pairs]


def test_counts_under_a_condition_have_the_keys_of_what_they_count(tmp_path):
    rows = [("a", "f0", turnover, 100) for turnover in (1, 1, 5)] + [("b", "f0", 5, 7)]
    sql = "SELECT region, COUNT(*) FILTER (WHERE turnover < 3) AS n FROM firms GROUP BY region"
    for table in asked(tmp_path, rows, sql, [DOCUMENT]).values():
        wanted = {"a": 2 + CellKey("n", "key", TABLE).noise(2, 200), "b": 0}
        assert {row["region"]: row["n"] for row in table.rows()} == wanted


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([], "such a table"),
        ([[[0, 1.5]]], "such a table"),
        ([[[0, 100]]], "100 keys"),
        ([[[0, 256]], [[0, 128]]], "128, 256 keys"),
        ([[[-2, 128], [0, 128]]], "noise of -2, 0 for a count of 1"),
        ([[[1, 128], [0, 128]]], "noise of 1, 0"),
        ([[[0, 2]]] * 1024, "1024 counts"),
    ],
)
def test_tables_that_say_nothing(table, words):
    with pytest.raises(Refused, match=words):
        read_rules([{**DOCUMENT, "table": table}])


@pytest.mark.parametrize(
    ("sql", "key", "words"),
    [
        ("SELECT region, SUM(turnover) AS n FROM firms GROUP BY region", "key", "n, which is no COUNT of rows"),
        ("SELECT region, COUNT(*) AS n FROM firms GROUP BY region", "secret", "'secret', which the rows that are aggregated do not have"),
        ("SELECT region, COUNT(*) AS n FROM firms GROUP BY region", "region", "record keys in region"),
        ("SELECT region, COUNT(*) AS n, MAX(key) AS n_cell_key FROM firms GROUP BY region", "key", "a column n_cell_key in the question"),
    ],
)
def test_keys_that_cannot_be_had(tmp_path, sql, key, words):
    with pytest.raises(Refused, match=words):
        asked(tmp_path, [("a", "f0", 1, 1)], sql, [{**DOCUMENT, "key": key}])


# ---- costs


@pytest.mark.parametrize("rule", [Rounding(("n", "total"), 5), Rounding(("n",), 5, "random"), TopCoding("n", 8)], ids=lambda one: one.name)
def test_the_cost_is_foretold_and_the_traffic_has_one_shape(rule):
    one, shapes = spec(rule), []
    for rows in ([cell(0, 0, 9, total=77)], [], [cell(*place, 7) for place in PLACES]):
        outcome = gated(one, rows, keep=True)
        assert count(lambda me: protect(me, one, stand_ins((CELLS,))["cells"]))[1] == Cost(outcome.rounds, outcome.bytes_sent)
        shapes.append([[(line.receiver, line.path, line.nbytes) for line in each.lines] for each in outcome.traffic])
    assert shapes[0] == shapes[1] == shapes[2]


def test_what_is_signed_says_how_far_figures_are_off(tmp_path):
    """The explanation calls nothing exact that a rule shows otherwise, and no rule of columns a rule that holds rows back."""
    rules = [
        {"rule": "minimum_count", "column": "n", "minimum": 3},
        {"rule": "no_exact_extremes"},
        {"rule": "rounding", "on": ["n"], "base": 5},
    ]
    folder = study(tmp_path, [("a", "f0", 1)], "SELECT region, COUNT(*) AS n, SUM(turnover) AS s FROM firms GROUP BY region", rules)
    text = open_study(folder).explanation.text
    assert "n, ±2, rounded to 5; s, exactly, between" in text
    assert (
        "  Rule: n is shown rounded to the nearest multiple of 5.\n" in text and "which rows failed.\n  Rule: no least or greatest" in text
    )
    assert (
        "Every released number is exact: integers and decimals, quotients rounded half away from zero, but for cells.n, see their rules."
        in text
    )
