"""Complementary suppression: on shares as plainly, against an attacker with linear programmes, beside an optimum, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest

from accord.base.errors import Refused
from accord.plan.nodes import Field, Public
from accord.plan.types import CATEGORY, INT, Type
from accord.release.clear import passes
from accord.release.gate import cost
from accord.release.rule_suppression import ComplementarySuppression
from accord.release.rules import MinimumCount
from accord.release.spec import ReleaseSpec
from accord.release.suppression_plain import suppressed
from tests.release.margins import Attacker, Margins, fewest, grid_of_shape, with_totals

SHAPES = [(4,), (1,), (3, 4), (1, 5), (1, 1), (5, 4), (2, 3, 2), (1, 2, 1)]
MINIMUM = 10


def rule_of(margins, columns=("n",), **how):
    return ComplementarySuppression(margins.dimensions, columns, total="all", **{"primaries_max": 1000, **({"width": 5} | how)})


def spec_of(margins, rule):
    return ReleaseSpec("cells", margins.node, ("usa",), (MinimumCount("n", MINIMUM), rule))


def draws(shape, seed):
    """Tables of every kind: dense, sparse, skewed, empty."""
    draw = np.random.default_rng([seed, *shape])
    print(f"seed {seed}")
    yield draw.integers(0, 60, shape)
    yield draw.integers(0, 100, shape) * (draw.random(shape) < 0.3)
    yield np.floor(draw.lognormal(3.5, 1.5, shape)).astype(np.int64)
    yield np.zeros(shape, np.int64)


# ---- on shares as plainly


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", [{"width": 5}, {"width": 0, "width_percent": 20}])
def test_shares_say_what_the_definition_says(shape, how):
    """The plain form looks at every corner of every box; shares look only at those that can fall short."""
    margins = Margins(shape)
    for seed, inner in enumerate(draws(shape, 3)):
        n, pay = with_totals(inner), with_totals(inner * 7 % 23)
        rule = rule_of(margins, ("n", "pay"), **how)
        table = margins.table(n, pay)
        passed, broken, _ = margins.judged([MinimumCount("n", MINIMUM), rule], table, seed)
        plain = passes(spec_of(margins, rule), table.columns, n.size)
        assert passed.tolist() == plain.tolist(), (seed, n)
        assert not any(broken.values())


def test_kept_totals_are_in_no_box():
    """They go where they fail themselves; and all cells go where one that failed has no box without them."""
    shape = (3, 4)
    margins, seen = Margins(shape), set()
    only_totals_are_large = np.array([[4, 50, 50, 50]] * 3)
    for seed, inner in enumerate([*draws(shape, 3), only_totals_are_large, np.full(shape, 50)]):
        n = with_totals(inner)
        rule = rule_of(margins, kept=("d0",))
        table = margins.table(n)
        passed, _, _ = margins.judged([MinimumCount("n", MINIMUM), rule], table, seed)
        assert passed.tolist() == passes(spec_of(margins, rule), table.columns, n.size).tolist(), n
        shown, totals = passed.reshape(n.shape), n[-1] >= MINIMUM
        assert not passed.any() or (shown[-1] == totals).all()
        seen.add((bool(passed.any()), bool(passed.all())))
    assert seen == {(False, False), (True, False), (True, True)}


def test_what_is_said_does_not_depend_on_the_data():
    margins = Margins((4, 5))
    rules = [MinimumCount("n", MINIMUM), rule_of(margins, primaries_max=9)]
    outcomes = [margins.judged(rules, margins.table(with_totals(inner)))[2] for inner in draws((4, 5), 5)]
    assert len({(one.rounds, one.bytes_sent) for one in outcomes}) == 1


@pytest.mark.parametrize("shape", [(3,), (4, 5), (2, 2, 2)])
def test_the_cost_is_foretold(shape):
    margins = Margins(shape)
    rule = rule_of(margins, width=0, width_percent=10, primaries_max=7)
    spec = ReleaseSpec("cells", margins.node, ("usa",), (MinimumCount("n", MINIMUM), rule))
    _, _, outcome = margins.judged(spec.rules, margins.table(with_totals(np.full(shape, 9))))
    alone = ReleaseSpec("cells", margins.node, ("usa",), (MinimumCount("n", MINIMUM),))
    assert outcome.rounds < cost([spec]).rounds < outcome.rounds + cost([alone]).rounds + 10
    assert 0 < cost([spec]).bytes - outcome.bytes_sent < cost([alone]).bytes + 1000


# ---- the attacker


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("how", "needed"), [({"width": 5}, lambda value: 5), ({"width_percent": 30}, lambda value: value * 30 // 100 + 1)])
def test_no_interval_is_narrower_than_the_width(shape, how, needed):
    grid = grid_of_shape([one + 1 for one in shape])
    for inner in draws(shape, 7):
        values = with_totals(inner).reshape(-1)
        failed = values < MINIMUM
        held = suppressed(grid, [values], failed, needed)
        widths = dict(zip(np.flatnonzero(held), Attacker(grid, values, held).widths(), strict=True))
        wanted = [needed(int(values[cell])) if failed[cell] else 5 if "width" in how else 1 for cell in widths]
        assert all(width > want - 1e-6 for width, want in zip(widths.values(), wanted, strict=True)), (values, widths)


def test_the_attack_succeeds_without_the_rule():
    """A single gap in a row of sums is what is missing of its total."""
    inner = np.full((4, 4), 50)
    inner[1, 2] = 3
    values = with_totals(inner).reshape(-1)
    grid = grid_of_shape((5, 5))
    failed = values < MINIMUM
    assert Attacker(grid, values, failed).widths() == [0]
    held = suppressed(grid, [values], failed, lambda value: 5)
    assert held.sum() == 4 and min(Attacker(grid, values, held).widths()) >= 5


def test_both_columns_hold_at_once():
    """A cell that is large in one column and small in the other protects nothing in the other."""
    count, pay = np.full((4, 4), 50), np.full((4, 4), 50)
    count[1, 1] = 3
    pay[1, 0] = pay[0, 0] = pay[1, 1] = 1
    columns, grid = [with_totals(one).reshape(-1) for one in (count, pay)], grid_of_shape((5, 5))
    failed = columns[0] < MINIMUM
    held, alone = (suppressed(grid, one, failed, lambda value: 5) for one in (columns, columns[:1]))
    assert all(width > 5 - 1e-6 for one in columns for width in Attacker(grid, one, held).widths())
    assert min(Attacker(grid, columns[1], alone).widths()) < 5


@pytest.mark.parametrize("kind", ["dense", "skewed", "counts"])
def test_suppresses_few_more_than_the_optimum(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where its solvers leave their logs
    draw = np.random.default_rng([17, len(kind)])
    ratios = []
    for shape in [(6, 6), (8, 6), (5, 9), (4, 12)] * 3:
        if kind == "counts":
            inner = draw.poisson(40 * np.outer(draw.gamma(1, 1, shape[0]), draw.gamma(1, 1, shape[1])))
        else:
            inner = draw.integers(0, 200, shape) if kind == "dense" else np.floor(draw.lognormal(4, 1.5, shape)).astype(np.int64)
        values = with_totals(inner).reshape(-1)
        failed = values < MINIMUM
        if not failed.any():
            continue
        grid = grid_of_shape([one + 1 for one in shape])
        mine = suppressed(grid, [values], failed, lambda value: 5).sum()
        ratios.append(mine / fewest(grid, values, failed, lambda value: 5, tmp_path))
    print(f"suppressed cells over tau-Argus's optimum: {sorted(round(float(one), 2) for one in ratios)}")
    assert len(ratios) >= 8 and np.mean(ratios) < 1.25 and max(ratios) <= 1.5


# ---- what is found broken


def test_too_many_that_fail_and_totals_that_are_no_sums_release_nothing():
    margins = Margins((3, 3))
    inner = np.full((3, 3), 50)
    inner[0, :2] = 1
    rule = rule_of(margins, primaries_max=1)
    many, uneven = rule.promises
    _, broken, _ = margins.judged([MinimumCount("n", MINIMUM), rule], margins.table(with_totals(inner)))
    assert broken == {many: True, uneven: False}
    odd = with_totals(inner)
    odd[3, 0] += 1
    for columns, wanted in ((("n",), True), (("pay",), False)):
        rule = rule_of(margins, columns)
        _, broken, _ = margins.judged([MinimumCount("n", MINIMUM), rule], margins.table(odd, with_totals(inner)))
        assert list(broken.values()) == [False, wanted]
    with pytest.raises(Refused, match="more than 1 cells"):
        passes(spec_of(margins, rule_of(margins, primaries_max=1)), margins.table(with_totals(inner)).columns, 16)
    with pytest.raises(Refused, match="are not the sums"):
        passes(spec_of(margins, rule_of(margins)), margins.table(odd).columns, 16)


def test_as_many_as_the_bound_are_no_fault():
    margins = Margins((3, 3))
    inner = np.full((3, 3), 50)
    inner[0, :2] = 1
    _, broken, _ = margins.judged([MinimumCount("n", MINIMUM), rule_of(margins, primaries_max=2)], margins.table(with_totals(inner)))
    assert not any(broken.values())


# ---- where it does not apply


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"dimensions": ()}, "over 0 dimensions"),
        ({"dimensions": ("a", "b", "c", "d")}, "over 4 dimensions"),
        ({"dimensions": ("a", "a")}, "each once"),
        ({"columns": ()}, "of no column"),
        ({"width": 0}, "either a width or a width_percent"),
        ({"width_percent": 3}, "either a width or a width_percent"),
        ({"width": -1, "width_percent": 3}, "either a width or a width_percent"),
        ({"primaries_max": 0}, "primaries_max"),
        ({"kept": ("b",)}, "keeps totals over b"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(how, words):
    with pytest.raises(Refused, match=words):
        ComplementarySuppression(**({"dimensions": ("a",), "columns": ("n",), "width": 5} | how))


def test_what_is_no_grid_with_totals_is_refused():
    margins = Margins((3, 3))
    for how, words in (
        ({"total": ""}, "d0 has no total"),
        ({"total": "whole"}, "d0 has no total"),
        ({"dimensions": ("d0", "n")}, "over n, which is secret"),
        ({"dimensions": ("d0",)}, ""),
        ({"columns": ("d0",)}, "of kind category"),
    ):
        given = {"dimensions": margins.dimensions, "columns": ("n",), "total": "all", "width": 5} | how
        if not words:
            spec_of(margins, ComplementarySuppression(**given))  # a table for each value of d1
            continue
        with pytest.raises(Refused, match=words):
            spec_of(margins, ComplementarySuppression(**given))
    office = Type(CATEGORY, 0, 2, 0, ("a", "b", "all"))
    for rows, words in (
        ([(0, 0), (0, 2), (1, 0), (2, 0), (2, 2)], "1 places of the grid"),
        ([(0, 0), (0, 0), (0, 2), (2, 0), (2, 2)], "several rows are alike"),
        ([(2, 2)], "nothing beside it"),
    ):
        fields = (Field("a", office, True), Field("b", office, True), Field("n", Type(INT, 0, 9), True))
        node = Public("grid", fields, tuple((*row, 5) for row in rows))
        with pytest.raises(Refused, match=words):
            ReleaseSpec("cells", node, ("usa",), (ComplementarySuppression(("a", "b"), ("n",), "all", 5),))


def test_values_that_do_not_fit_are_refused():
    margins = Margins((3, 3))
    with pytest.raises(Refused, match="fit into 63 bits"):
        spec_of(margins, rule_of(margins, width=0, width_percent=1 << 45))
