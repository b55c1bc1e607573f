"""A study's releases against an owner's policy: refusals are values that name rule, owner, place, and the nearest thing that would pass."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from accord.base.errors import Refused
from accord.plan.usage import AFTER_GROUPING, AGGREGATED, AS_INPUT, IN_CONDITIONS, JOIN_KEY, Origin, Usage
from accord.release.accounting import EPSILON, RHO, Law, Loss, together
from accord.release.noise import Noise
from accord.release.rule import Rule
from accord.release.rule_counts import MinimumCount
from accord.study.history import History
from accord.study.policy import NoiseAsked, Policy, Quota, TablePolicy
from accord.study.policy_rules import RuleAsked, asks, is_of_columns, uncovered

STUDY = "the study"
MECHANISMS = {EPSILON: "discrete_laplace", RHO: "discrete_gaussian"}


@dataclass(frozen=True)
class Refusal:
    """Why a policy does not allow something: the `rule` with its owner and version, the `place`, and the `nearest` that would pass."""

    owner: str
    rule: str
    place: str
    reason: str
    nearest: str

    def error(self) -> Refused:
        return Refused(self.reason, where=self.place, rule=self.rule, do=self.nearest)

    @property
    def sentence(self) -> str:
        return str(self.error())


@dataclass(frozen=True)
class Question:
    """One release as policies see it."""

    name: str
    recipients: tuple[str, ...]
    rules: tuple[Rule, ...]
    noise: Noise | None
    usage: Usage
    laws: tuple[Law, ...] = ()
    judged: frozenset[str] = frozenset()

    @property
    def place(self) -> str:
        return f"release {self.name}"

    def loss(self, tables: Iterable[str]) -> Loss | None:
        """What it loses of a unit of some of these tables, by the scales that it draws; None where it has no noise for them."""
        return Loss(self.laws) if self.noise is not None and self.noise.unit.table in tables else None


@dataclass(frozen=True)
class Asked:
    """What a study asks of an owner: its purpose, and the questions that read the owner's `tables`."""

    purpose: str
    purpose_code: str
    tables: tuple[str, ...]
    questions: tuple[Question, ...]
    history: History | None = None


def refusals(policy: Policy, asked: Asked, today: datetime.date) -> tuple[Refusal, ...]:
    """Everything that the policy does not allow, in order; nothing where all is allowed."""
    return tuple(_Check(policy, asked).all(today))


def losses(asked: Asked) -> dict[str, Loss]:
    """What each recipient would be told of the owner's units in one run."""
    found: dict[str, Loss] = {}
    for question in asked.questions:
        if loss := question.loss(asked.tables):
            for recipient in question.recipients:
                found[recipient] = together([found.get(recipient, Loss(())), loss])
    return found


def measure_of(loss: Loss) -> tuple[str, Fraction]:
    """The one figure that says it best: ε where it is pure, else ρ."""
    return (EPSILON, loss.epsilon) if loss.is_pure else (RHO, loss.rho)


def figure(loss: Loss, measure: str) -> Fraction:
    """What counts against a bound: of ε, noise that has a pure one; of ρ, all noise."""
    return loss.epsilon if measure == EPSILON else loss.rho


def bounds_of(quota: Quota, loss: Loss) -> Mapping[str, Fraction]:
    """What a quota allows, by measure. One that names no ρ allows noise without a pure ε nothing."""
    return quota.losses if RHO in quota.losses or loss.is_pure else {RHO: Fraction(0), **quota.losses}


class _Check:
    def __init__(self, policy: Policy, asked: Asked) -> None:
        self.policy, self.asked = policy, asked

    def no(self, place: str, reason: str, rule: str, nearest: str) -> Refusal:
        return Refusal(self.policy.owner, f"{self.policy.title}: {rule}", place, reason, nearest)

    def all(self, today: datetime.date) -> Iterator[Refusal]:
        if not self.asked.questions:
            return
        yield from self._study(today)
        for question in self.asked.questions:
            yield from self._question(question)
        yield from self._history()
        yield from self._quota()

    def _study(self, today: datetime.date) -> Iterator[Refusal]:
        policy, asked = self.policy, self.asked
        if today > policy.expires:
            yield self.no(STUDY, f"it is {today}", f"it expired on {policy.expires}", "let its owner write one with a later date")
        if not {_plain(asked.purpose), _plain(asked.purpose_code)} & {_plain(one) for one in policy.purposes}:
            allowed = ", ".join(repr(one) for one in policy.purposes)
            code = f" (code {asked.purpose_code})" if asked.purpose_code else ""
            yield self.no(
                STUDY,
                f"its purpose is {asked.purpose!r}{code}",
                f"its data may serve {allowed}",
                f"write purpose_code = {policy.purposes[0]!r} below [study] if that is what it is for",
            )

    def _question(self, question: Question) -> Iterator[Refusal]:
        for name in (one for one in self.asked.tables if one in question.usage.tables):
            table = self.policy.tables.get(name)
            if table is None:
                known = ", ".join(self.policy.tables) or "no table"
                yield self.no(
                    question.place, f"it reads {name}", f"it names {known}", f"leave {name} out, or let its owner add [tables.{name}]"
                )
                continue
            yield from self._recipients(question, table)
            yield from self._uses(question, table)
            yield from self._judged(question, table)

    def _recipients(self, question: Question, table: TablePolicy) -> Iterator[Refusal]:
        if strangers := [one for one in question.recipients if one not in table.recipients]:
            left = [one for one in question.recipients if one in table.recipients] or list(table.recipients)
            yield self.no(
                question.place,
                f"{_and(strangers)} would receive what follows from {table.name}",
                f"results of {table.name} go to {_and(table.recipients)} alone",
                f"write recipients = {_list(left)}",
            )

    def _uses(self, question: Question, table: TablePolicy) -> Iterator[Refusal]:
        for use in question.usage.uses:
            allowed = table.allowed(use.column)
            if use.table == table.name and use.use not in allowed:
                yield self.no(
                    f"{question.place}, {use.place}",
                    f"{table.name}.{use.column} is used {_USED[use.use]}",
                    f"it {table.sentence_of(use.column)}",
                    _nearest(use.use, use.column, allowed),
                )

    # ---- what judges

    def _judged(self, question: Question, table: TablePolicy) -> Iterator[Refusal]:
        if not table.rules and not table.noise:
            return
        if question.noise:
            yield from self._noised(question, table)
        elif not table.rules:
            yield self.no(question.place, "it has no noise", f"{table.name} asks for {table.judges}", _noise_form(table))
        else:
            for asked in table.rules:
                yield from self._ruled(question, table, asked)

    def _noised(self, question: Question, table: TablePolicy) -> Iterator[Refusal]:
        noise, asked, rule = question.noise, table.noise, f"{table.name} asks for {table.judges}"
        assert noise is not None
        if asked is None:
            yield self.no(question.place, "noise is all that judges it", rule, f"write rules = [{table.rules[0].form('n')}]")
        elif noise.unit.table != table.name:
            reason = f"its noise hides a unit of {noise.unit.table}, none of {table.name}"
            yield self.no(question.place, reason, rule, _noise_form(table))
        elif asked.unit and not (noise.unit.columns and set(noise.unit.columns) <= set(asked.unit)):
            yield self.no(question.place, f"its noise hides {noise.unit.sentence}", rule, _noise_form(table))
        else:
            yield from self._loss(question, asked, rule, _noise_form(table))

    def _loss(self, question: Question, asked: NoiseAsked, rule: str, nearest: str) -> Iterator[Refusal]:
        loss = question.loss(self.asked.tables) or Loss(())
        named = [one for one in asked.losses if one == RHO or loss.is_pure]
        if not any(figure(loss, one) <= asked.losses[one] for one in named):
            measure, value = measure_of(loss)
            yield self.no(question.place, f"its noise has {measure} = {value}", rule, nearest)

    def _ruled(self, question: Question, table: TablePolicy, asked: RuleAsked) -> Iterator[Refusal]:
        rule = f"{table.name} asks for {table.judges}"
        if is_of_columns(asked) and not asks(asked, question.usage, question.judged, table.name):
            return
        named = [one for one in question.rules if isinstance(one, asked.kind)]
        strict = [one for one in named if asked.is_met_by(one)]
        if not strict:
            has = f"its {asked.name} is weaker" if named else f"no {asked.name} judges it"
            yield self.no(question.place, has, rule, f"write rules = [{asked.form(_column_for(asked, question, table))}]")
            return
        for name, reason in uncovered(asked, strict, question.usage, question.judged, table.name):
            yield self.no(f"{question.place}, {name}", reason, rule, f"add {asked.form(name)}")
        if issubclass(asked.kind, MinimumCount):
            yield from self._counted(question, table, asked, [one for one in strict if isinstance(one, MinimumCount)], rule)

    def _counted(
        self, question: Question, table: TablePolicy, asked: RuleAsked, strict: Sequence[MinimumCount], rule: str
    ) -> Iterator[Refusal]:
        """What the rules count must be rows (or units) of the table, in the groups that the values are made of."""
        columns = question.usage.columns
        honest = [one for one in strict if _does_count(columns[one.column], table.name, asked)]
        what = f"different {asked.unit}" if asked.unit else "rows"
        count = f"COUNT(DISTINCT {asked.unit}) AS n" if asked.unit else "COUNT(*) AS n"
        if not honest:
            reason = f"{strict[0].column}, which {asked.name} judges, does not count {what} of {table.name}"
            yield self.no(question.place, reason, rule, f"judge {count}, taken over the rows of {table.name} in the same GROUP BY")
            return
        groupings = frozenset[int]().union(*(columns[one.column].groupings for one in honest))
        for name, origin in columns.items():
            if table.name in origin.row_by_row:
                reason = "no count judges what is released row by row"
                yield self.no(f"{question.place}, {name}", reason, rule, "aggregate it in a GROUP BY")
            elif table.name in origin.tables and not origin.groupings <= groupings:
                reason = f"{honest[0].column} counts another grouping than the one that {name} is made in"
                yield self.no(f"{question.place}, {name}", reason, rule, f"add {count} to that GROUP BY, and a rule that judges it")

    # ---- history

    def _history(self) -> Iterator[Refusal]:
        """Releases under rules are compared, table by table; those with noise are not, which hides differences by itself."""
        asked, given = self.policy.history, self.asked.history
        read = {name for question in self.asked.questions if not question.noise for name in question.usage.tables}
        for name in (one for one in (asked.tables if asked else ()) if one in read and one in self.asked.tables):
            assert asked is not None
            columns, unit = asked.tables[name], given.tables.get(name) if given else None
            nearest = _history_form(name, columns, asked.difference_min)
            if given is None or unit is None:
                yield self.no(STUDY, f"its releases of {name} are not compared with earlier ones", asked.sentence_of(name), nearest)
            elif given.difference_min < asked.difference_min:
                yield self.no(STUDY, f"its difference_min is {given.difference_min}", asked.sentence_of(name), nearest)
            elif columns and not (unit.columns and set(unit.columns) <= set(columns)):
                counted = unit.sentence(name, given.difference_min)
                yield self.no(STUDY, f"groups of two releases differ by at least {counted}", asked.sentence_of(name), nearest)

    # ---- quota

    def _quota(self) -> Iterator[Refusal]:
        """One run alone must fit; what earlier runs took is looked up when data is shared."""
        if self.policy.quota is None:
            return
        for recipient, loss in losses(self.asked).items():
            for measure, most in bounds_of(self.policy.quota, loss).items():
                if (value := figure(loss, measure)) > most:
                    reason = f"{recipient} would be told {measure} = {value} in one run"
                    nearest = f"ask for {measure} of at most {most} in all" if most else f"ask for {MECHANISMS[_other(measure)]}"
                    yield self.no(STUDY, reason, self.policy.quota.sentence, nearest)


_USED = {
    JOIN_KEY: "as join key",
    IN_CONDITIONS: "in conditions",
    AGGREGATED: "aggregated",
    AFTER_GROUPING: "to tell groups apart that are released",
    AS_INPUT: "as input, row by row",
}


def _nearest(use: str, column: str, allowed: frozenset[str]) -> str:
    """The form of the question that is next to this one and allowed."""
    if use == AS_INPUT and AGGREGATED in allowed:
        return f"release SUM({column}), AVG({column}) or another aggregate of it"
    if use in (AS_INPUT, IN_CONDITIONS) and AFTER_GROUPING in allowed:
        return f"GROUP BY {column}, and release each group"
    if use == AFTER_GROUPING and AGGREGATED in allowed:
        return f"leave it out of the groups; COUNT(DISTINCT {column}) is allowed"
    if use == AGGREGATED and AFTER_GROUPING in allowed:
        return f"GROUP BY {column} with COUNT(*)"
    if JOIN_KEY in allowed:
        return f"use {column} in JOIN … ON alone"
    if IN_CONDITIONS in allowed:
        return f"use {column} in WHERE alone, with COUNT(*)"
    if AGGREGATED in allowed:
        return f"leave {column} out here; SUM({column}) or AVG({column}) over all rows of a group is allowed"
    return f"leave {column} out" if not allowed else f"leave {column} out here; allowed is {' or '.join(sorted(allowed))}"


def _does_count(origin: Origin, table: str, asked: RuleAsked) -> bool:
    return (table, asked.unit) in origin.distinct if asked.unit else table in origin.counts


def _column_for(asked: RuleAsked, question: Question, table: TablePolicy) -> str:
    """A released column that such a rule is for, if there is one; else one that counts the table's rows."""
    counts = (name for name, one in question.usage.columns.items() if table.name in one.counts)
    return next(iter(asks(asked, question.usage, question.judged, table.name)), next(counts, "n"))


def _noise_form(table: TablePolicy) -> str:
    """The noise as a study writes it."""
    if table.noise is None:
        return "release it under rules, in a study without noise"
    measure, most = next(iter(table.noise.losses.items()))
    columns = f", columns = {_list(table.noise.unit)}, rows_max = …" if table.noise.unit else ""
    return f'write noise = {{ mechanism = "{MECHANISMS[measure]}", {measure} = "{most}", unit = {{ table = "{table.name}"{columns} }} }}'


def _history_form(table: str, unit: Sequence[str], least: int) -> str:
    """The comparison as a study writes it."""
    rows = f" with unit = {_list(unit)} and the most rows_max of one" if unit else ""
    return f"write difference_min = {least} below [history], and [history.tables.{table}]{rows}"


def _other(measure: str) -> str:
    return RHO if measure == EPSILON else EPSILON


def _plain(text: str) -> str | None:
    """A purpose to compare: spaces and letter case do not matter; nothing where there is none."""
    return " ".join(text.split()).casefold() or None


def _list(names: Sequence[str]) -> str:
    """Names as TOML."""
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _and(names: Sequence[str]) -> str:
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])
