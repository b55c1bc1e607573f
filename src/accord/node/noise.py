"""A question with noise, before and after it is placed: what is summed, which noise goes where, and what stands above it.

Noise goes on at the gate, as each server sends its part, where nothing depends on it. It goes on within the plan where it is drawn on
shares (`sampling = "joint"`), where rows are chosen or ordered by it, or where groups have keys that no list names: of these only such
are shown that reach a threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from accord.base.errors import Refused
from accord.plan.above_noise import Step, above
from accord.plan.after_noise import Formulas, Parted, counted, parted, trimmed
from accord.plan.bands import counted_in_bands
from accord.plan.catalog import Catalog
from accord.plan.expression import columns_of
from accord.plan.families import families
from accord.plan.nodes import Node, Project
from accord.plan.noised import Noised, Threshold
from accord.plan.place import place
from accord.plan.stability import limited, sensitivities
from accord.release.noise import ColumnNoise, Noise, read_noise
from accord.release.thresholds import least_count

THRESHOLD_PART = Fraction(1, 2)
"""Of a study's δ, for groups that one unit alone makes; the rest is for turning losses into an ε."""


@dataclass(frozen=True)
class NoisedPlan:
    """`unplaced` is what noise goes on, each unit held to its number of rows; `formulas` make the question's columns of the released ones.

    `is_within`: the noise goes on within the plan, below the `steps`.
    """

    unplaced: Node
    noise: tuple[tuple[str, ColumnNoise], ...]
    formulas: Formulas
    is_within: bool = False
    steps: tuple[Step, ...] = ()
    threshold: Threshold | None = None

    def whole(self, placed: Node, release: str) -> Node:
        """The placed plan with its noise, where that goes on within it, and the steps above."""
        if not self.is_within:
            return placed
        laws = dict(self.noise)
        if self.threshold is None and (hidden := [one.name for one in placed.fields if not one.public and one.name not in laws]):
            rule = "what is shown of a release with noise depends on noised or public values alone"
            do = 'begin with the public grid of their domains, or add delta = "1e-9" to the noise, which shows groups from a threshold on'
            raise Refused(f"{', '.join(hidden)} would be secret and without noise", rule=rule, do=do)
        return above(Noised(placed, release, self.noise, self.threshold), self.steps, self.formulas)


def noised_plan(question: Node, document: Mapping[str, Any], catalog: Catalog) -> NoisedPlan:
    """The question with the noise that its release asks for. Raises Refused for what noise cannot hide."""
    noise, question = read_noise(document), counted_in_bands(question, catalog)
    split = parted(question)
    split = trimmed(split) if split.above else split
    made = _with_noise(split, noise, catalog)
    if "delta" not in document or not split.noised or not _secret_keys(made.unplaced, split, catalog):
        return made
    whole, rows = counted(question, sum(catalog.tables[noise.unit.table].rows_max))
    split = trimmed(parted(whole, secret_groups=True), frozenset({rows}))
    assert isinstance(split.node, Project)
    count = next(name for name, one in split.node.columns if columns_of(one) == {rows})
    made = _with_noise(split, noise, catalog)
    delta = noise.delta * THRESHOLD_PART
    least = least_count(dict(made.noise)[count], delta)
    laws = tuple((one, replace(law, delta=law.delta + delta) if one == count else law) for one, law in made.noise)
    threshold = Threshold(count, least, _shown(delta))
    return replace(made, noise=laws, is_within=True, threshold=threshold, formulas=split.in_order)


def _with_noise(split: Parted, noise: Noise, catalog: Catalog) -> NoisedPlan:
    bounds = sensitivities(split.node, noise.unit.table, noise.unit.rows_max, catalog)
    shared = families(split.node)
    parts = len({shared.get(name, name) for name in bounds})
    columns = tuple((name, noise.of_column(bound, parts, shared.get(name, ""))) for name, bound in bounds.items())
    unplaced = limited(split.node, noise.unit.table, noise.unit.columns, noise.unit.rows_max)
    is_shown = split.is_plain and not noise.sampling
    return NoisedPlan(unplaced, columns, () if is_shown else split.in_order, bool(split.above) or bool(noise.sampling), split.above)


def _secret_keys(unplaced: Node, split: Parted, catalog: Catalog) -> bool:
    """Whether servers would not know which groups there can be."""
    return any(not one.public and one.name not in split.noised for one in place(unplaced, catalog).fields)


def _shown(delta: Fraction) -> str:
    """δ as it is written."""
    return f"{delta.numerator}/{delta.denominator}" if delta.numerator != 1 else f"1/{delta.denominator:,}"
