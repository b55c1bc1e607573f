"""Tables with totals; who attacks them, with two linear programmes a cell; and tau-Argus, which suppresses as few cells as it can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import highspy
import numpy as np
import pytauargus

from accord.mpc.bits import bools_from_planes
from accord.plan.interpret import Table
from accord.plan.lower import execute
from accord.plan.nodes import Field, Input, Join, Project, Public
from accord.plan.types import CATEGORY, INT, Type
from accord.plan.typing import call, column, integer
from accord.release.gate import judge
from accord.release.rule import Rule
from accord.release.suppression_grid import Grid
from accord.testing.world import World
from accord.wire.local import run_local
from tests.plan.lowering import deal

HIGH = 10**6
COLUMNS = ("n", "pay")


def with_totals(inner):
    """The table with its sums at the end of each dimension."""
    for axis in range(inner.ndim):
        inner = np.concatenate([inner, inner.sum(axis=axis, keepdims=True)], axis=axis)
    return inner


def grid_of_shape(shape) -> Grid:
    return Grid(tuple(shape), np.arange(int(np.prod(shape))))


class Margins:
    """A question whose rows are a public grid with totals, of two columns of counts, and tables as answers to it."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(one + 1 for one in shape)
        self.dimensions = tuple(f"d{at}" for at in range(len(shape)))
        types = [Type(CATEGORY, 0, one, 0, (*(f"v{at}" for at in range(one)), "all")) for one in shape]
        keys = tuple(Field(name, type, True) for name, type in zip(self.dimensions, types, strict=True))
        domains = tuple((name, tuple(range(size))) for name, size in zip(self.dimensions, self.shape, strict=True))
        self.cells = Input("cells", "usa", "", domains, 1, (*keys, *(Field(name, Type(INT, 0, HIGH)) for name in COLUMNS)))
        grid = Public("grid", tuple(replace(one, name=f"g{at}") for at, one in enumerate(keys)), tuple(product(*map(range, self.shape))))
        both = Join(grid, self.cells, "left", tuple((f"g{at}", name) for at, name in enumerate(self.dimensions)))
        counts = tuple((name, call("coalesce", column(both.field(name)), integer(0))) for name in COLUMNS)
        self.node = Project(both, (*((name, column(both.field(f"g{at}"))) for at, name in enumerate(self.dimensions)), *counts))

    def table(self, n, pay=None) -> Table:
        rows = zip(product(*map(range, self.shape)), n.reshape(-1).tolist(), (n if pay is None else pay).reshape(-1).tolist(), strict=True)
        return Table.of((*self.dimensions, *COLUMNS), [(*place, *counts) for place, *counts in rows])

    def judged(self, rules: Sequence[Rule], table: Table, seed: int = 0):
        """On shares: which rows pass, which promises are broken, and the outcome of the run."""
        world = World(seed)
        held = deal(world, self.cells, {"cells": table})

        async def run(me):
            return await judge(me.step("judge"), self.node, rules, await execute(me.step("plan"), self.node, held[me.index]))

        outcome = run_local([run(me) for me in world.parties()])
        passed = _opened([one for one, _ in outcome.results])
        broken = {
            sentence: bool(_opened([faults[at][1] for _, faults in outcome.results])[0])
            for at, (sentence, _) in enumerate(outcome.results[0][1])
        }
        return passed, broken, outcome


def _opened(parts):
    return bools_from_planes(np.bitwise_xor.reduce([one.own for one in parts])[0], parts[0].rows)


class Attacker:
    """What sums and published cells leave open of each suppressed one, none being below 0: by HiGHS."""

    def __init__(self, grid: Grid, values, suppressed) -> None:
        self.solver = highspy.Highs()
        self.solver.setOptionValue("output_flag", False)
        self.cells = np.flatnonzero(suppressed)
        number = {int(cell): at for at, cell in enumerate(self.cells)}
        for _ in self.cells:
            self.solver.addVar(0, highspy.kHighsInf)
        for parts, totals in grid.sums:
            for row, total in zip(parts, totals, strict=True):
                signed = [(int(cell), 1) for cell in row] + [(int(total), -1)]
                open_ = [(number[cell], sign) for cell, sign in signed if suppressed[cell]]
                known = -sum(sign * int(values[cell]) for cell, sign in signed if not suppressed[cell])
                if open_:
                    at, factors = zip(*open_, strict=True)
                    self.solver.addRow(known, known, len(at), np.array(at, np.int32), np.array(factors, np.float64))

    def widths(self) -> list[float]:
        """How far each suppressed cell can be told: its largest value less its smallest."""
        return [
            self._extreme(at, highspy.ObjSense.kMaximize) - self._extreme(at, highspy.ObjSense.kMinimize) for at in range(len(self.cells))
        ]

    def _extreme(self, cell, sense) -> float:
        self.solver.changeColCost(cell, 1)
        self.solver.changeObjectiveSense(sense)
        self.solver.run()
        unbounded = self.solver.getModelStatus() in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible)
        found = np.inf if unbounded else self.solver.getInfo().objective_function_value
        self.solver.changeColCost(cell, 0)
        return found


def fewest(grid: Grid, values, failed, needed, folder: Path) -> int:
    """How many cells tau-Argus suppresses at its optimum, all weighing the same, for intervals as wide as `needed` for each value."""
    lines = ["0", str(grid.cells)]
    for cell, (value, fails) in enumerate(zip(values.tolist(), failed.tolist(), strict=True)):
        below = min(value, needed(value) / 2) if fails else 0
        above = needed(value) - below if fails else 0
        lines.append(f"{cell} {value} 1 {'u' if fails else 's'} 0 {2 * int(values.max()) + 100} {below} {above} 0")
    sums = [(row, total) for parts, totals in grid.sums for row, total in zip(parts, totals, strict=True)]
    lines.append(str(len(sums)))
    lines += [f"0 {len(row) + 1} : {total} (-1) " + " ".join(f"{one} (1)" for one in row) for row, total in sums]
    (folder / "JJ.IN").write_text("\n".join(lines) + "\n", encoding="utf-8")
    out = folder / "JJ.OUT"
    assert pytauargus.HiTaSCtrl().full_jj(in_file_jj=str(folder / "JJ.IN"), out_file=str(out), max_time=1) == 0
    return int(failed.sum()) + len(out.read_text(encoding="utf-8").split())
