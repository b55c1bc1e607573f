"""The attacker who solves: what each suppressed cell can be at least and at most, by linear programming over all that was published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import highspy

ALL = "all"
Cell = tuple[str, ...]


def lines(cells: Iterable[Cell]) -> list[tuple[Cell, list[Cell]]]:
    """Each total with the cells that it is the sum of, one dimension at a time."""
    present, found = set(cells), []
    dimensions = range(len(next(iter(present))))
    values = [sorted({cell[at] for cell in present} - {ALL}) for at in dimensions]
    for at in dimensions:
        if not any(cell[at] == ALL for cell in present):
            continue
        for rest in product(*([*values[one], ALL] for one in dimensions if one != at)):
            line = [(*rest[:at], value, *rest[at:]) for value in (*values[at], ALL)]
            if all(cell in present for cell in line):
                found.append((line[-1], line[:-1]))
    return found


def intervals(published: Mapping[Cell, int | None], sums: Sequence[tuple[Cell, Sequence[Cell]]]) -> dict[Cell, tuple[float, float]]:
    """The least and the greatest value of each cell that was held back (None), where no cell is negative and all sums hold."""
    solver = highspy.Highs()
    solver.silent()
    ceiling = 2 * sum(value for value in published.values() if value is not None) + 10**6
    hidden = {cell: solver.addVariable(0, ceiling) for cell, value in published.items() if value is None}
    for total, parts in sums:
        left = sum(published[one] or 0 for one in parts) - (published[total] or 0)
        unknown = [hidden[one] for one in parts if one in hidden]
        if total in hidden:
            unknown.append(-1 * hidden[total])
        if unknown:
            solver.addConstr(sum(unknown[1:], start=1 * unknown[0]) == -left)
    return {cell: (_solve(solver, one, least=True), _solve(solver, one, least=False)) for cell, one in hidden.items()}


def _solve(solver: highspy.Highs, variable: object, *, least: bool) -> float:
    (solver.minimize if least else solver.maximize)(1 * variable)
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return solver.getInfo().objective_function_value


def narrowest(found: Mapping[Cell, tuple[float, float]]) -> float:
    return min(most - least for least, most in found.values())
