"""Rows of people, released no more exactly than that k of them look alike [Sweeney02], with l different sensitive values [MKGV07].

Every choice of levels is tried on shares: how many rows look alike at these levels, how many of them too few. The first choice, in a public
order that begins with the most exact, that leaves no more than a public share of rows to be suppressed is the one that recipients see.
Neither the counts nor the choice are opened to servers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

from accord.base.errors import Refused
from accord.base.limits import LEVEL_CHOICES_MAX
from accord.base.names import fresh_name
from accord.plan.catalog import Catalog
from accord.plan.expression import Expression
from accord.plan.facts import rows_max
from accord.plan.nodes import Aggregate, Concatenate, Join, Node, Project, Window
from accord.plan.typing import aggregate, call, column, integer, null, windowed
from accord.release.hierarchies import Hierarchies, levels_of, vectors
from accord.release.rule import RowRule

PASSES = "k_anonymous"
_WHOLE = ("range", None, None)


@dataclass(frozen=True)
class KAnonymity(RowRule):
    """Rows of the question, with `quasi_identifiers` told at the most exact levels at which k rows look alike.

    Rows in smaller groups are suppressed, at most `suppressed_percent_max` of all; where no choice of levels does with that, all are. With
    `sensitive`, a group also has at least `l_diversity` different values of that column (NULL is one). With `unit`, k counts different
    values of that column (persons, not rows), which itself is not released.
    """

    k: int
    quasi_identifiers: Hierarchies
    suppressed_percent_max: int = 5
    sensitive: str = ""
    l_diversity: int = 1
    unit: str = ""

    name: ClassVar[str] = "k_anonymity"
    stops: ClassVar[str] = "finding a person's row by what is known of that person from elsewhere: age, place, sex"
    does_not_stop: ClassVar[str] = (
        "learning what all rows of a group share or nearly share, what an attacker knows who holds several of a group's rows himself, or "
        "what the choice of levels tells"
    )

    def __post_init__(self) -> None:
        if self.k < 2 or self.l_diversity < 1 or not 0 <= self.suppressed_percent_max < 100:
            rule = "k is at least 2, l_diversity at least 1, suppressed_percent_max from 0 to 99"
            raise Refused(f"{self.name} with {self.parameters}", rule=rule, do="correct the rule")
        if not self.quasi_identifiers or (self.l_diversity > 1) != bool(self.sensitive):
            do = "list the columns by which a person may be known; name sensitive and an l_diversity of at least 2 together, or neither"
            raise Refused(
                f"{self.name} without what it needs", rule="quasi_identifiers with levels; l_diversity goes with sensitive", do=do
            )
        if self.choices > LEVEL_CHOICES_MAX:
            rule = f"at most {LEVEL_CHOICES_MAX} choices of levels are tried"
            raise Refused(f"{self.choices} choices of levels", rule=rule, do="leave levels out; each column's levels multiply the others'")

    @property
    def choices(self) -> int:
        """How many choices of levels there are."""
        return prod(len(levels) for _, levels in self.quasi_identifiers)

    @property
    def sentence(self) -> str:
        known = ", ".join(name for name, _ in self.quasi_identifiers)
        diverse = f" and have at least {self.l_diversity} different values of {self.sensitive}" if self.sensitive else ""
        of = f"rows of different {self.unit}" if self.unit else "rows"
        return (
            f"{known} are told only so exactly that at least {self.k} {of} look alike{diverse}; at most {self.suppressed_percent_max} % of "
            f"rows are suppressed for that ({PASSES})"
        )

    @property
    def columns(self) -> tuple[str, ...]:
        return (PASSES,)

    @property
    def adds(self) -> tuple[str, ...]:
        return (PASSES,)

    def prepared(self, plan: Node, catalog: Catalog) -> Node:
        return _Question(self, plan, catalog).answered()

    def condition(self, node: Node) -> Expression:
        return call("eq", column(node.field(PASSES)), integer(1))

    def passes(self, row: Mapping[str, int | None]) -> bool:
        return row[PASSES] == 1


class _Question:
    """A question whose rows are to look alike."""

    def __init__(self, rule: KAnonymity, plan: Node, catalog: Catalog) -> None:
        self.rule, self.plan = rule, plan
        self.rows = max(rows_max(plan, frozenset(), catalog), 1)
        self.taken = {one.name for one in plan.fields} | {PASSES}
        self._require_columns()
        self.levels = [levels_of(plan.field(name), names, catalog) for name, names in rule.quasi_identifiers]

    def _require_columns(self) -> None:
        rule, names = self.rule, [name for name, _ in self.rule.quasi_identifiers]
        self.plan.require(frozenset([*names, *filter(None, (rule.sensitive, rule.unit))]))
        if PASSES in {one.name for one in self.plan.fields}:
            raise Refused(f"a column named {PASSES}", rule=f"{rule.name} makes one of this name", do="give it another name with AS")
        if {rule.sensitive, rule.unit} & set(names) or (rule.unit and rule.unit == rule.sensitive):
            do = "take it out of quasi_identifiers: what is generalised is not counted apart"
            raise Refused(f"{rule.sensitive or rule.unit} in two roles", rule="a column is quasi-identifier, sensitive or unit", do=do)

    def answered(self) -> Node:
        """The rows, told at the first choice of levels that loses few enough of them, and which of them pass."""
        leveled = self._with_levels()
        chosen = self._chosen(leveled, vectors([len(one) for one in self.levels]))
        return self._judged(self._told(Join(leveled, chosen, "cross", ())))

    def _with_levels(self) -> Node:
        """The question with each quasi-identifier's levels as columns beside it."""
        columns: list[tuple[str, Expression]] = [(one.name, column(one)) for one in self.plan.fields]
        self.keys: list[list[str | None]] = []
        for (name, _), levels in zip(self.rule.quasi_identifiers, self.levels, strict=True):
            self.keys.append([None if level.key is None else self._named(f"{name}_level") for level in levels])
            columns += [(key, level.key) for key, level in zip(self.keys[-1], levels, strict=True) if key and level.key is not None]
        return Project(self.plan, tuple(columns))

    def _lost(self, node: Node, choice: tuple[int, ...], number: int) -> Node:
        """One row: the choice's number, and how many rows are in groups of its keys that fail."""
        keys = tuple(key for at, level in enumerate(choice) if (key := self.keys[at][level]) is not None)
        groups, rows, failing = self._groups(node, keys)
        held = Project(groups, (("lost", call("case", failing, rows, integer(0))),))
        total = Aggregate(held, (), (("lost", aggregate("sum", column(held.field("lost")), self.rows, keyed=False)),))
        return Project(total, (("choice", integer(number)), ("lost", call("coalesce", column(total.field("lost")), integer(0)))))

    def _groups(self, node: Node, keys: tuple[str, ...]) -> tuple[Node, Expression, Expression]:
        """The groups of these keys, with how many rows each has, and whether it fails.

        Different values are counted by grouping by them first: where all keys have public domains, that needs no sort.
        """
        rule, counted = self.rule, ("rows", aggregate("count", None, self.rows))
        if rule.unit:
            distinct = [
                (name, aggregate("count_distinct", column(node.field(name)), self.rows)) for name in (rule.unit, rule.sensitive) if name
            ]
            groups = Aggregate(node, keys, (counted, *((f"{name} values", one) for name, one in distinct)))
            alike, different = f"{rule.unit} values", f"{rule.sensitive} values"
        elif rule.sensitive:
            parts = Aggregate(node, (*keys, rule.sensitive), (counted,))
            total = aggregate("sum", column(parts.field("rows")), self.rows)
            groups = Aggregate(parts, keys, (("rows", replace(total, type=counted[1].type)), ("values", counted[1])))
            alike, different = "rows", "values"
        else:
            groups, alike, different = Aggregate(node, keys, (counted,)), "rows", ""
        failing = call("lt", column(groups.field(alike)), integer(rule.k))
        if rule.sensitive:
            failing = call("or", failing, call("lt", column(groups.field(different)), integer(rule.l_diversity)))
        return groups, column(groups.field("rows")), failing

    def _chosen(self, leveled: Node, choices: Sequence[tuple[int, ...]]) -> Node:
        """One row: whether a choice loses few enough rows, and for each level whether it is the first such choice's, or else the last."""
        lost = Concatenate(tuple(self._lost(leveled, choice, number) for number, choice in enumerate(choices)))
        present = Aggregate(leveled, (), (("present", aggregate("count", None, self.rows)),))
        beside = Join(lost, present, "cross", ())
        most = call("multiply", column(beside.field("present")), integer(self.rule.suppressed_percent_max))
        few = call("le", call("multiply", column(beside.field("lost")), integer(100)), most)
        numbers = Project(beside, (("choice", call("case", few, column(beside.field("choice")), null())),))
        first = Aggregate(numbers, (), (("choice", aggregate("min", column(numbers.field("choice")), len(choices), keyed=False)),))
        number = call("coalesce", column(first.field("choice")), integer(len(choices) - 1))
        found = call("case", call("is_null", column(first.field("choice"))), integer(0), integer(1))
        chosen = Project(first, (("number", number), (PASSES, found)))
        flags: list[tuple[str, Expression]] = [(PASSES, column(chosen.field(PASSES)))]
        self.flags: list[list[str]] = []
        for at, (name, _) in enumerate(self.rule.quasi_identifiers):
            self.flags.append([self._named(f"{name}_is_level") for _ in self.levels[at]])
            for level, flag in enumerate(self.flags[-1]):
                of = [call("eq", column(chosen.field("number")), integer(place)) for place, one in enumerate(choices) if one[at] == level]
                flags.append((flag, call("or", *of) if len(of) > 1 else of[0]))
        return Project(chosen, tuple(flags))

    def _told(self, node: Node) -> Node:
        """The rows, each column at the level that was chosen."""
        generalised = {name: self._shown(node, at) for at, (name, _) in enumerate(self.rule.quasi_identifiers)}
        columns = []
        for one in self.plan.fields:
            columns += generalised.get(one.name, [(one.name, column(one))])
        self.shown = tuple(shown[0][0] for shown in generalised.values())
        return Project(node, (*columns, (PASSES, column(node.field(PASSES)))))

    def _shown(self, node: Node, at: int) -> list[tuple[str, Expression]]:
        levels, flags = self.levels[at], [column(node.field(one)) for one in self.flags[at]]
        named = [[level.shown[place] for level in levels] for place in range(len(levels[0].shown))]
        return [(forms[0][0], _first(flags[:-1], [value for _, value in forms[:-1]], forms[-1][1])) for forms in named]

    def _judged(self, node: Node) -> Node:
        """The rows as they are told, and which of them look like enough others."""
        rule, released = self.rule, [one for one in node.fields if one.name not in (PASSES, self.rule.unit)]
        node, enough = self._counted(node, rule.unit, rule.k)
        conditions = [call("eq", column(node.field(PASSES)), integer(1)), enough]
        if rule.sensitive:
            node, enough = self._counted(node, rule.sensitive, rule.l_diversity)
            conditions.append(enough)
        passes = call("case", call("and", *conditions), integer(1), integer(0))
        return Project(node, (*((one.name, column(one)) for one in released), (PASSES, passes)))

    def _counted(self, node: Node, of: str, least: int) -> tuple[Node, Expression]:
        """The rows, and whether those that look like a row have so many different values of a column (NULL is one), or are so many."""
        count = windowed("count", None, self.rows, _WHOLE)
        if of:
            numbered = Window(node, (*self.shown, of), (), ((self._named("number"), windowed("row_number", None, self.rows)),))
            is_first = call("case", call("eq", column(numbered.fields[-1]), integer(1)), integer(1), integer(0))
            node = Project(numbered, (*((one.name, column(one)) for one in node.fields), (self._named("is_first"), is_first)))
            total = windowed("sum", column(node.fields[-1]), self.rows, _WHOLE)
            count = replace(total, type=count.type)
        node = Window(node, self.shown, (), ((self._named("alike"), count),))
        return node, call("ge", column(node.fields[-1]), integer(least))

    def _named(self, name: str) -> str:
        name = fresh_name(name, self.taken)
        self.taken.add(name)
        return name


def _first(conditions: Sequence[Expression], values: Sequence[Expression], otherwise: Expression) -> Expression:
    """The value of the first condition that holds."""
    return call("case", *(part for pair in zip(conditions, values, strict=True) for part in pair), otherwise)
