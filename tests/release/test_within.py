"""Noise within the plan: rows are chosen, ordered and cut by what three servers drew, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from accord.base.errors import OurFault, Refused
from accord.plan.above_noise import Chosen, First, Ordered, above, retyped
from accord.plan.evaluate import Plain, evaluate
from accord.plan.interpret import Table
from accord.plan.lower import execute
from accord.plan.nodes import Project, Window
from accord.plan.noised import Noised, Threshold
from accord.plan.typing import call, column, integer, quotient
from accord.release.gate import cost, release
from accord.release.noise import GAUSSIAN, LAPLACE, ColumnNoise
from accord.release.seal import open_sealed
from accord.release.spec import ReleaseSpec
from accord.testing.world import World
from accord.wire.local import run_local
from tests.plan.lowering import deal
from tests.release.offices import CELLS, NAMES, OFFICES, cell, key, sealed

COUNTS = Project(CELLS, tuple((name, column(CELLS.field(name))) for name in ("seller", "buyer", "n", "total")))
LAWS = (("n", ColumnNoise(LAPLACE, Fraction(1, 2), 1)), ("total", ColumnNoise(GAUSSIAN, Fraction(1, 100), 50)))
CLOUD = Noised(COUNTS, "cells", LAWS)
N, TOTAL = column(CLOUD.field("n")), column(CLOUD.field("total"))
FORMULAS = tuple((one.name, column(one)) for one in CLOUD.fields)
ROWS = [cell(0, 1, 40, total=500), cell(1, 1, 35, total=-10), cell(2, 0, 90, total=None), cell(2, 2, 3, total=7)]


def run(node, rows, seed=0):
    """The three servers' parts, with the keys 0, 1 and 2 for what they draw alone."""
    spec = ReleaseSpec("cells", node, ("usa",), noise=LAWS)

    async def released(me, inputs):
        return await release(me.step("gate"), spec, await execute(me.step("plan"), node, inputs))

    world = World(seed)
    held = deal(world, CELLS, {"cells": Table.of(NAMES, list(rows))})
    own = (replace(me, own=bytes([me.index]) * 16) for me in world.parties())
    return spec, run_local([released(me, held[me.index]) for me in own])


def opened(node, rows):
    parts = run(node, rows)[1].results
    return open_sealed([part.blob for part in sealed(parts)], key("usa"))


def noisy(rows):
    """Every pair's count and total with the noise of the three keys, in plain integers."""
    drawn = {name: sum(np.array(law.drawn(bytes([at]) * 16, f"cells/{name}", 9)).view(np.int64) for at in range(3)) for name, law in LAWS}
    found = {(row[0], row[1]): (row[2], row[4] or 0) for row in rows}
    pairs = [(seller, buyer) for seller in range(3) for buyer in range(3)]
    sums = [(pair, *found.get(pair, (0, 0))) for pair in pairs]
    return [(*pair, n + int(drawn["n"][at]), total + int(drawn["total"][at])) for at, (pair, n, total) in enumerate(sums)]


def shown(table):
    return [(OFFICES.index(row["seller"]), OFFICES.index(row["buyer"]), row["n"], int(row["total"].scaleb(2))) for row in table.rows()]


def test_the_k_largest_by_noised_counts():
    node = above(CLOUD, [Ordered(((N, True),)), First(3, 0)], FORMULAS)
    wanted = sorted(noisy(ROWS), key=lambda row: -row[2])[:3]
    assert shown(opened(node, ROWS)) == wanted


def test_rows_whose_noised_count_reaches_a_bound():
    """Rows that nobody has are chosen by their noise alone."""
    node = above(CLOUD, [Chosen(call("ge", N, integer(4)))], FORMULAS)
    assert shown(opened(node, ROWS)) == [row for row in noisy(ROWS) if row[2] >= 4]
    empty = above(CLOUD, [Chosen(call("ge", N, integer(1)))], FORMULAS)
    assert shown(opened(empty, [])) == [row for row in noisy([]) if row[2] >= 1] != []


def test_an_order_by_a_quotient_and_a_public_key():
    """A count that noise made 0 or less divides nothing: NULL, which stands last."""
    mean = quotient(column(COUNTS.field("total")), column(COUNTS.field("n")), 4)
    node = above(CLOUD, [Ordered(((mean, True), (column(CLOUD.field("buyer")), False)))], FORMULAS)
    rank = {row: (row[2] <= 0, -Fraction(row[3], row[2]) if row[2] > 0 else 0, OFFICES[row[1]]) for row in noisy(ROWS)}
    assert [row for row in shown(opened(node, ROWS)) if row[2] > 0] == sorted((row for row in rank if row[2] > 0), key=rank.get)
    assert all(row[2] <= 0 for row in shown(opened(node, ROWS))[sum(row[2] > 0 for row in rank) :])


def test_traffic_is_the_same_for_all_data_and_as_foretold():
    node = above(CLOUD, [Chosen(call("gt", N, integer(10))), Ordered(((N, True),)), First(2, 1)], FORMULAS)
    spec, first = run(node, ROWS)
    outcomes = [first, run(node, [], seed=5)[1], run(node, [cell(a, b, 100, total=10**9) for a in range(3) for b in range(3)], seed=6)[1]]
    assert len({(one.rounds, one.bytes_sent) for one in outcomes}) == 1
    assert {len(part["usa"].payload) for one in outcomes for part in one.results} == {len(first.results[0]["usa"].payload)}
    foretold = cost([spec])
    assert foretold.rounds - 2 <= first.rounds <= foretold.rounds and foretold.bytes <= first.bytes_sent


def test_columns_have_room_for_three_draws():
    field = CLOUD.field("n").type
    assert (field.low, field.high, field.nullable) == (-3 * LAWS[0][1].reach, 100 + 3 * LAWS[0][1].reach, False)
    assert retyped(quotient(N, N, 2), {one.name: one for one in CLOUD.fields}).type.nullable


def test_draws_beyond_their_reach_are_the_end():
    class Far(ColumnNoise):
        def share(self, words, rows):
            return np.array([10**6, -(10**6), 3], np.int64).view(np.uint64)

    far = Far(LAPLACE, Fraction(1), 1)
    assert far.drawn(bytes(16), "far", 3).view(np.int64).tolist() == [far.reach, -far.reach, 3]


def test_quotients_by_what_noise_made_negative_are_null():
    mean = retyped(quotient(column(COUNTS.field("n")), column(COUNTS.field("n")), 2), {one.name: one for one in CLOUD.fields})
    values = Plain(np.array([-4, 0, 5]), np.zeros(3, np.bool_))
    assert evaluate(mean, {"n": values}, 3).nulls.tolist() == [True, True, False]


def test_groups_that_are_secret_need_a_threshold():
    bare = Project(CELLS, (("n", column(CELLS.field("n"))), ("word", column(CELLS.field("word")))))
    with pytest.raises(OurFault, match="without a threshold"):
        Noised(bare, "cells", LAWS[:1])
    assert Noised(bare, "cells", LAWS[:1], Threshold("n", 5, "1/100")).has_secret_rows


@pytest.mark.parametrize("least", [18, 30])
def test_secret_groups_are_shown_from_a_threshold_on(least):
    """By their noised counts; rows that nobody has are never shown, whatever their noise."""
    bare = Project(CELLS, tuple((name, column(CELLS.field(name))) for name in ("n", "word")))
    law = LAWS[:1]
    node = above(Noised(bare, "cells", law, Threshold("n", least, "1/100")), [Ordered(((N, True),))], FORMULAS[2:3])
    spec = ReleaseSpec("cells", node, ("usa",), noise=law)
    rows = [cell(0, 0, 40, word=1), cell(0, 1, 20, word=2), cell(1, 1, 1, word=3)]
    world = World(3)
    held = deal(world, CELLS, {"cells": Table.of(NAMES, rows)})

    async def released(me):
        return await release(me.step("gate"), spec, await execute(me.step("plan"), node, held[me.index]))

    parts = run_local([released(replace(me, own=bytes([me.index]) * 16)) for me in world.parties()]).results
    table = open_sealed([part.blob for part in sealed(parts)], key("usa"))
    drawn = sum(law[0][1].drawn(bytes([at]) * 16, "cells/n", 9).view(np.int64) for at in range(3))
    counts = [n + int(drawn[at]) for at, n in ((0, 40), (1, 20), (4, 1))]
    assert [row["n"] for row in table.rows()] == sorted((one for one in counts if one >= least), reverse=True)


def test_what_stands_above_noise_reads_it_alone():
    other = Window(CLOUD, ("seller",), (), ())
    with pytest.raises(Refused, match="Window above noise"):
        ReleaseSpec("cells", other, ("usa",), noise=LAWS)
    with pytest.raises(Refused, match="other noise than that which goes on"):
        ReleaseSpec("cells", CLOUD, ("usa",), noise=LAWS[:1])
