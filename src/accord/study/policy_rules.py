"""What an owner's policy asks of each kind of rule beyond its parameters: that it reads, or changes, the columns that it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from accord.plan.usage import Form, Origin, Usage
from accord.release.rule import ChangeRule, Rule
from accord.release.rule_cell_key import CellKey
from accord.release.rule_counts import MinimumContributors, MinimumCount
from accord.release.rule_dominance import ContributionRule
from accord.release.rule_rounding import Rounding
from accord.release.rules import RULES


@dataclass(frozen=True)
class RuleAsked:
    """A rule that must judge: its name, the bounds on its parameters, and of which column the different values are who contributes."""

    name: str
    bounds: tuple[tuple[str, int], ...] = ()
    unit: str = ""

    @property
    def kind(self) -> type[Rule]:
        return RULES[self.name]

    @property
    def sentence(self) -> str:
        bounds = [f"{name} {'at most' if self.is_most(name) else 'at least'} {value}" for name, value in self.bounds]
        of = f" of different {self.unit}" if self.unit else ""
        return f"{self.name}{of}{' with ' if bounds else ''}{', '.join(bounds)}"

    def is_most(self, parameter: str) -> bool:
        """Whether a rule with a smaller parameter is the stricter one."""
        return parameter in self.kind.stricter_below or parameter.startswith("maximum") or parameter.endswith("_max")

    def is_met_by(self, rule: Rule) -> bool:
        """Whether a study's rule is of this kind and no weaker."""
        if not isinstance(rule, self.kind) or (issubclass(self.kind, ContributionRule) and getattr(rule, "unit", "") != self.unit):
            return False
        given: Mapping[str, int] = {name: getattr(rule, name) for name, _ in self.bounds}
        return all(given[name] <= bound if self.is_most(name) else given[name] >= bound for name, bound in self.bounds)

    def form(self, column: str) -> str:
        """The rule as a study writes it."""
        parts = [f'rule = "{self.name}"']
        if issubclass(self.kind, MinimumCount | MinimumContributors | ContributionRule | CellKey):
            parts.append(f'column = "{column}"')
        if issubclass(self.kind, Rounding):
            parts.append(f'on = ["{column}"]')
        parts += [f"{name} = {value}" for name, value in self.bounds]
        if self.unit and issubclass(self.kind, ContributionRule):
            parts.append(f'unit = "{self.unit}"')
        return f"{{ {', '.join(parts)} }}"


def asks(asked: RuleAsked, usage: Usage, judged: frozenset[str], table: str) -> dict[str, str]:
    """The released columns that a rule must be for, each with what is said where none is; a rule of rows is for none in particular."""
    shown = {name: origin for name, origin in usage.columns.items() if name not in judged}
    sums = {name for name, origin in shown.items() if _summed(origin, table)}
    counts = {name for name, origin in shown.items() if table in origin.counts}
    if issubclass(asked.kind, ContributionRule):
        return {name: f"no {asked.name} judges the sum that {name} is made of" for name in shown if name in sums}
    if issubclass(asked.kind, Rounding):
        return {name: f"{name} is not rounded so" for name in shown if name in sums | counts}
    return {name: f"{name} has no noise of its cell" for name in shown if name in counts} if issubclass(asked.kind, CellKey) else {}


def is_of_columns(asked: RuleAsked) -> bool:
    """Whether such a rule is for certain columns: where a release has none of them, nothing is asked."""
    return issubclass(asked.kind, ContributionRule | Rounding | CellKey)


def uncovered(asked: RuleAsked, rules: Sequence[Rule], usage: Usage, judged: frozenset[str], table: str) -> Iterator[tuple[str, str]]:
    """The released columns that no such rule is for, each with the reason. `rules` are those that meet what is asked."""
    for name, reason in asks(asked, usage, judged, table).items():
        origin = usage.columns[name]
        of = _summed(origin, table)
        judges = [usage.columns[one.column] for one in rules if isinstance(one, ContributionRule)]
        changed = any(isinstance(one, ChangeRule) and name in one.shows for one in rules)
        if not changed and not any(of <= _summed(one, table) and origin.groupings <= one.groupings for one in judges):
            yield name, reason


def _summed(origin: Origin, table: str) -> frozenset[str]:
    """The columns of a table whose values it aggregates; of a count none."""
    if table in origin.counts:
        return frozenset()
    return frozenset(column for (of, column), form in origin.forms.items() if of == table and form is Form.AGGREGATE)
