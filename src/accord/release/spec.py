"""One release as it is to be carried out: a placed plan, who gets which rows of it, and the rules that judge them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import Refused
from accord.plan.after_noise import Formulas
from accord.plan.correlated import CORRELATED, correlated
from accord.plan.expression import ColumnRef
from accord.plan.facts import walk
from accord.plan.lower import all_there, faults_of, rows_of
from accord.plan.nodes import Field, Filter, Limit, Node, Project, Sort
from accord.plan.noised import Noised
from accord.plan.secure_table import PublicColumn
from accord.plan.steps import expression_text
from accord.plan.types import CATEGORY, TEXT
from accord.release.noise import ColumnNoise
from accord.release.rule import ChangeRule, Rule, TableRule


@dataclass(frozen=True)
class ByColumns:
    """Each row goes to the parties that its values in these public category columns name; `parties` pairs a value with its party."""

    columns: tuple[str, ...]
    parties: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReleaseSpec:
    """A release. `recipients` are parties that get every row, or ByColumns. `judged` columns are read by rules and not released.

    `noise` makes it a private release: all its columns are public or noised, all rows of its public layout are shown, and no rule looks at
    a value; `losing` says what that promises. Noise that goes on within the plan (plan/noised.py) may choose rows. `formulas`, where there
    are any, make the columns that recipients see of those that they are given (plan/after_noise.py). Raises Refused where a rule does not
    apply, nobody would receive anything, or there is no rule, no noise and no written reason.
    """

    name: str
    node: Node
    recipients: tuple[str, ...] | ByColumns
    rules: tuple[Rule, ...] = ()
    judged: tuple[str, ...] = ()
    reason: str = ""
    title: str = ""
    noise: tuple[tuple[str, ColumnNoise], ...] = ()
    losing: str = ""
    formulas: Formulas = ()

    def __post_init__(self) -> None:
        where = f"release {self.name}"
        if not self.rules and not self.reason and not self.noise:
            raise Refused("no rules and no reason", where=where, do="add a rule, or write why none is needed")
        if self.noise:
            self._require_private(where)
        for name in self.judged:
            self.node.field(name)
        if unread := set(self.judged) - {name for rule in self.rules for name in rule.columns}:
            raise Refused(f"no rule reads {', '.join(sorted(unread))}", where=where, do="release it, or leave it out")
        if not self.released or any(one.type.kind == TEXT and not one.type.bytes_max for one in self.released):
            do = "select what is to be shown; a column that is to be shown as it is written is a text with its bytes_max"
            raise Refused("a release needs columns, none of them text keys", where=where, do=do)
        for rule in self.rules:
            rule.require_applies(self.node)
        self._require_recipients(where)
        self._require_all_there(where)

    def _require_recipients(self, where: str) -> None:
        if not isinstance(self.recipients, ByColumns):
            if not self.recipients:
                raise Refused("nobody would receive it", where=where, do="name its recipients")
            return
        for name in self.recipients.columns:
            field = self.node.field(name)
            if not field.public or field.type.kind != CATEGORY:
                raise Refused(
                    f"recipients by {name}, which is {'secret' if not field.public else field.type.kind}",
                    where=where,
                    rule="who gets a row is public: a category that is a key",
                    do="group by the column that names the party",
                )
        if self._table_rules:
            raise Refused("a rule of the whole table, where each recipient gets its own rows", where=where, do="name the recipients")

    def _require_all_there(self, where: str) -> None:
        if self._table_rules and not all_there(self.node):
            raise Refused(
                f"rule {self._table_rules[0].name} on a table whose rows may be absent",
                where=where,
                rule="all rows of the table are there",
                do="begin the query with the public grid of its keys and LEFT JOIN the rest to it",
            )

    def _require_private(self, where: str) -> None:
        rule = "what is shown of a release with noise depends on noised or public values alone"
        if self.rules or self.judged:
            do = "release one table with noise and another with rules"
            raise Refused("rules on a release with noise", where=where, rule=rule, do=do)
        if self.within:
            self._require_from_noise(where, rule)
            return
        if secret := [one.name for one in self.node.fields if not one.public and one.name not in dict(self.noise)]:
            do = 'begin with the public grid of their domains, or add delta = "1e-9" to the noise, which shows groups from a threshold on'
            raise Refused(f"{', '.join(secret)} would be secret and without noise", where=where, rule=rule, do=do)
        if not self.has_public_rows and rows_of(self.node) > 1:
            raise Refused("rows with noise and without a public column", where=where, rule=rule, do="release the key of each row too")
        if broken := faults_of(self.node):
            raise Refused(f"noise on a table that tells whether {broken[0]}", where=where, rule=rule, do="sum without that join")

    def _require_from_noise(self, where: str, rule: str) -> None:
        """Of noise within the plan: nothing stands above it but what reads it, and it says which secret groups are shown."""
        node = self.node
        while not isinstance(node, Noised):
            if not isinstance(node, Project | Filter | Sort | Limit):
                raise Refused(f"{type(node).__name__} above noise", where=where, rule=rule, do="release it by itself")
            node = node.input
        if dict(node.noise) != dict(self.noise):
            raise Refused("other noise than that which goes on", where=where, rule=rule, do="compile the study again")
        if broken := faults_of(self.node):
            raise Refused(f"noise on a table that tells whether {broken[0]}", where=where, rule=rule, do="sum without that join")

    @cached_property
    def within(self) -> Noised | None:
        """The step that puts noise on within the plan; None where it goes on as parts are sent."""
        return next((one for one in walk(self.node) if isinstance(one, Noised)), None)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What holds values back, for people."""
        rules = tuple(rule.sentence for rule in self.rules)
        noise = (*(f"{name}: {text}" for name, text in self.noise_told if text), *self.made, *filter(None, [self.hiding, self.losing]))
        return rules or noise or (f"no rule: {self.reason}",)

    @property
    def noise_told(self) -> tuple[tuple[str, str], ...]:
        """Each noised column with its sentence, for people; a family is told at its first column, and nothing at its others."""
        sizes, seen, told = Counter(one.family for _, one in self.noise), set[str](), list[tuple[str, str]]()
        for name, one in self.noise:
            alike = f", as have {sizes[one.family] - 1} more counts of bands, of which a row is in one at most" if one.family else ""
            told.append((name, "" if one.family in seen else f"{one.sentence}{alike}"))
            seen |= {one.family} - {""}
        return tuple(told)

    @property
    def _table_rules(self) -> list[TableRule]:
        return [rule for rule in self.rules if isinstance(rule, TableRule)]

    @property
    def changes(self) -> list[ChangeRule]:
        """The rules that show columns otherwise, in order."""
        return [rule for rule in self.rules if isinstance(rule, ChangeRule)]

    @property
    def released(self) -> tuple[Field, ...]:
        """The columns that recipients see, in order."""
        noised, shown = dict(self.noise), [one for one in self.node.fields if one.name not in self.judged]
        for rule in self.changes:
            shown = [rule.changed(one) for one in shown]
        return tuple(replace(one, type=one.type.as_noised()) if one.name in noised else one for one in shown)

    @property
    def shown_in_clear(self) -> tuple[Field, ...]:
        """The columns of the question itself, which are computed in the clear at once."""
        given = {one.name: one for one in self.released}
        made = (replace(given[one.name], name=name) if isinstance(one, ColumnRef) else Field(name, one.type) for name, one in self.formulas)
        return tuple(made) or self.released

    @property
    def hiding(self) -> str:
        """Which groups noise leaves out, for people."""
        return self.within.threshold.sentence if self.within and self.within.threshold else ""

    @property
    def made(self) -> tuple[str, ...]:
        """What recipients compute after opening, for people."""
        computed = ((name, one) for name, one in self.formulas if not isinstance(one, ColumnRef))
        return tuple(f"{name}: computed after opening as {expression_text(one)}, within the range of {name}" for name, one in computed)

    @property
    def bounds(self) -> dict[str, str]:
        """How far columns can be from the truth that are made of correlations, or that rules show otherwise, for their reader."""
        fields = {one.name: one for one in self.node.fields if one.name not in self.judged}
        shown = [(rule, name) for rule in self.changes for name in rule.shows if name in fields]
        found = {name: [CORRELATED] for name in fields if name in correlated(self.node)}
        for rule, name in shown:
            found.setdefault(name, []).append(rule.bound(fields[name]))
        return {name: "; ".join(texts) for name, texts in found.items()}

    @property
    def has_public_rows(self) -> bool:
        """Whether the table lies on a public layout: its rows stand where their public columns say."""
        return any(one.public for one in self.node.fields)

    @property
    def is_ordered(self) -> bool:
        """Whether the rows stand in an order that the question asks for."""
        node = self.node
        while isinstance(node, Project | Filter | Limit):
            node = node.input
        return isinstance(node, Sort) and bool(node.keys)

    @property
    def parties(self) -> tuple[str, ...]:
        """Everybody who may receive some row."""
        if isinstance(self.recipients, ByColumns):
            return tuple(dict.fromkeys(party for _, party in self.recipients.parties))
        return self.recipients

    def rows_for(self, party: str, public: Mapping[str, PublicColumn], rows: int) -> NDArray[np.intp]:
        """The numbers of the rows that a party gets, from public columns alone."""
        if not isinstance(self.recipients, ByColumns):
            return np.arange(rows if party in self.recipients else 0)
        mine = {value for value, name in self.recipients.parties if name == party}
        chosen = np.zeros(rows, np.bool_)
        for name in self.recipients.columns:
            column = public[name]
            codes = [code for code, value in enumerate(column.type.values) if value in mine]
            chosen |= np.isin(column.values, codes) & ~column.nulls
        return np.flatnonzero(chosen)
