"""Releases with noise: every row of the public layout is shown, off the truth by what three servers drew, and nothing else is computed."""

from __future__ import annotations

import ast
import inspect
from fractions import Fraction

import numpy as np
import pytest

from accord.base.errors import Refused
from accord.plan.evaluate import Plain
from accord.plan.nodes import Project
from accord.plan.typing import column
from accord.release import gate, private, samplers
from accord.release.clear import release_in_clear
from accord.release.noise import GAUSSIAN, LAPLACE, ColumnNoise, Noise, Unit, read_noise
from accord.release.rules import MinimumCount
from accord.release.samplers import Words
from accord.release.spec import ReleaseSpec
from tests.release.offices import CELLS, cell, combined, gated, opened

COUNTS = Project(CELLS, tuple((name, column(CELLS.field(name))) for name in ("seller", "buyer", "n", "total")))
NOISE = (("n", ColumnNoise(LAPLACE, Fraction(1, 2), 1)), ("total", ColumnNoise(GAUSSIAN, Fraction(1, 100), 50)))
BARE = Project(CELLS, (("n", column(CELLS.field("n"))),))
CELL = cell(0, 1, 7, total=-12_345)


def spec(noise=NOISE, node=COUNTS, **changes):
    return ReleaseSpec("cells", node, ("usa",), noise=noise, **changes)


def drawn(rows):
    """What the three servers draw with the keys 0, 1 and 2."""
    keys = [bytes([server]) * 16 for server in range(3)]
    return {name: sum(noise.share(Words(key, f"cells/{name}"), rows) for key in keys).view(np.int64) for name, noise in NOISE}


@pytest.fixture
def known_keys(monkeypatch):
    keys = iter(range(1000))
    monkeypatch.setattr(gate.secrets, "token_bytes", lambda size: bytes([next(keys) % 3]) * size)


def test_every_row_is_shown_with_the_noise_of_three_servers(known_keys):
    """Rows that nobody has too: they count 0 and a half-empty layout says nothing of who is there."""
    table, noise = opened(spec(), [CELL]), drawn(9)
    assert (table.status == 2).all() and table.suppressed == 0
    wanted = np.array([0, 7, *[0] * 7]) + noise["n"]
    assert [row["n"] for row in table.rows()] == wanted.tolist()
    totals = np.array([0, -12_345, *[0] * 7]) + noise["total"]
    assert [int(row["total"].scaleb(2)) for row in table.rows()] == totals.tolist()
    assert len(set(noise["total"].tolist())) > 5


def test_what_is_opened_but_the_values_is_the_same_for_all_data():
    """Two planes of ones; no plane of NULLs."""
    for rows in ([], [CELL], [cell(1, 2, 3, total=None)]):
        sums, parities = combined([one["usa"] for one in gated(spec(), rows).results])
        assert parities[:2].tolist() == [0x1FF, 0x1FF] and len(sums) == 2 + 2 * 9


def test_the_recipient_is_told_how_far_off_it_can_be():
    table = opened(spec(), [CELL])
    assert table.error_bounds["seller"] == "exact"
    assert table.error_bounds["n"] == f"±{NOISE[0][1].half_width()} in 95 of 100 cases (noise)"
    assert "±" in table.error_bounds["total"] and "." in table.error_bounds["total"]
    assert "noise of discrete laplace, scale 2" in str(table) and "columns exact" in str(table)


def test_two_runs_draw_anew_and_one_server_knows_a_third():
    tables = [opened(spec(), [CELL]) for _ in range(2)]
    assert tables[0].rows() != tables[1].rows()
    one, other = (private.shares(spec(), 9, bytes([server]) * 16) for server in range(2))
    assert one.keys() == other.keys() == {2, 3}
    assert not np.array_equal(one[2], other[2]) and not np.array_equal(one[2], one[3])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rules": (MinimumCount("n", 3),)}, "rules on a release with noise"),
        ({"node": BARE, "noise": NOISE[:1]}, "rows with noise and without a public column"),
        ({"noise": NOISE[:1]}, "total would be secret and without noise"),
    ],
)
def test_values_without_noise_and_rules_on_values_are_refused(changes, sentence):
    with pytest.raises(Refused, match=sentence):
        spec(**changes)


def test_a_study_says_what_noise_it_wants():
    read = read_noise({"mechanism": "discrete_gaussian", "rho": "0.25", "unit": {"table": "visits", "columns": ["person"], "rows_max": 5}})
    assert read == Noise(GAUSSIAN, Fraction(1, 4), Unit("visits", ("person",), 5))
    assert read.of_column(10, 2) == ColumnNoise(GAUSSIAN, Fraction(1, 8), 10)
    assert "of which 5 count" in read.unit.sentence


UNIT = {"table": "visits"}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"mechanism": "uniform", "epsilon": "1", "unit": UNIT}, "noise of 'uniform'"),
        ({"mechanism": LAPLACE, "rho": "1", "unit": UNIT}, "takes epsilon and unit"),
        ({"mechanism": LAPLACE, "epsilon": 1, "unit": UNIT}, "epsilon = 1"),
        ({"mechanism": LAPLACE, "epsilon": "0", "unit": UNIT}, "above 0"),
        ({"mechanism": LAPLACE, "epsilon": "much", "unit": UNIT}, "epsilon = 'much'"),
        ({"mechanism": LAPLACE, "epsilon": "1", "unit": "visits"}, "unit = 'visits'"),
        ({"mechanism": LAPLACE, "epsilon": "1", "unit": {**UNIT, "columns": ["person"]}}, "how many rows"),
        ({"mechanism": LAPLACE, "epsilon": "1", "unit": {**UNIT, "rows_max": 0}}, "how many rows"),
    ],
)
def test_noise_that_is_none_is_refused(document, sentence):
    with pytest.raises(Refused, match=sentence) as refusal:
        read_noise(document)
    assert refusal.value.do


@pytest.mark.parametrize(("mechanism", "loss", "sensitivity"), [(LAPLACE, 1, 70_000), (GAUSSIAN, 10, 1)])
def test_noise_whose_law_would_not_hold_is_refused_with_the_nearest_form(mechanism, loss, sensitivity):
    with pytest.raises(Refused) as refusal:
        ColumnNoise(mechanism, Fraction(loss), sensitivity)
    assert refusal.value.do


def test_no_float_is_on_the_path_of_noise():
    """Neither a constant, nor a name of one, nor arithmetic of NumPy that could make one."""
    tree = ast.parse(inspect.getsource(samplers))
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, float)]
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }
    assert not constants
    assert not names & {"float", "float64", "sqrt", "exp", "log", "random", "mean"}


def test_a_column_that_no_unit_reaches_gets_no_noise():
    noise = ColumnNoise(LAPLACE, Fraction(1), 0)
    assert not noise.share(Words(bytes(16), "none"), 5).any() and noise.half_width() == 0


def test_a_table_in_the_clear_says_that_it_has_no_noise():
    plain = {name: Plain(np.array([1]), np.array([False])) for name in ("seller", "buyer", "n", "total")}
    table = release_in_clear(spec(), plain)["usa"]
    assert table.rows()[0]["n"] == 1 and all("left out in the clear" in one for one in table.sentences)


def test_noise_is_part_of_what_is_signed():
    """Another loss is another sentence in the plan's hash and on the page that is signed."""
    louder = (("n", ColumnNoise(LAPLACE, Fraction(1, 4), 1)), NOISE[1])
    assert spec(louder).sentences != spec().sentences


def test_parts_alone_are_uniform(known_keys):
    """Each server's part of a value is masked by fresh coins: of 200 cells' top bits about half are set."""
    outcome = gated(spec(), [CELL])
    tops = [np.frombuffer(one["usa"].payload[16:], "<u8") >> np.uint64(63) for one in outcome.results]
    assert 15 < sum(int(part.sum()) for part in tops) < 39
