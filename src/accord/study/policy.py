"""An owner's policy: `policy.toml` beside its data says what may be done with it, by whom, for what, under which rules and until when.

The owner writes it, raises its version with every change, and signs its hash together with each study. What the policy does not name is not
allowed: a column that nobody decided about is never used.
"""

from __future__ import annotations

import datetime
import difflib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from accord.base import canonical
from accord.base.errors import Refused
from accord.base.limits import STOPPED_MAX
from accord.base.names import column_name, party_name
from accord.plan.usage import AS_INPUT, JOIN_KEY, USES
from accord.release.accounting import EPSILON, RHO
from accord.release.rule import Rule
from accord.release.rule_counts import MinimumContributors
from accord.release.rule_dominance import ContributionRule
from accord.release.rules import RULES
from accord.study.document import plain
from accord.study.fields import Fields, read_toml, require_table
from accord.study.history import at_least_two
from accord.study.policy_rules import RuleAsked

FILE = "policy.toml"
NEVER = "never"
LOSSES = (EPSILON, RHO)
"""What noise loses: a bound on ε counts noise with a pure one, a bound on ρ counts all noise."""


@dataclass(frozen=True)
class NoiseAsked:
    """Noise that will do: the most that a release may lose, by measure, and the columns of the unit that it must hide (none: a row)."""

    losses: Mapping[str, Fraction]
    unit: tuple[str, ...]

    @property
    def sentence(self) -> str:
        most = " or ".join(f"{name} at most {value}" for name, value in self.losses.items())
        return f"noise with {most} that hides {'all rows of one ' + ', '.join(self.unit) if self.unit else 'a row'}"


@dataclass(frozen=True)
class Quota:
    """The most that one recipient may be told in `days` days; what is older is given back."""

    losses: Mapping[str, Fraction]
    days: int

    @property
    def sentence(self) -> str:
        most = " and ".join(f"{name} = {value}" for name, value in self.losses.items())
        return f"in any {self.days} days one recipient is told at most {most}"


@dataclass(frozen=True)
class HistoryAsked:
    """How far apart groups of two releases must be: by so many units of each table named (a row, or what agrees on its columns). After
    `stopped_max` runs over one version of the data that were stopped, no more are begun."""

    difference_min: int
    stopped_max: int
    tables: Mapping[str, tuple[str, ...]]

    def sentence_of(self, table: str) -> str:
        """What is asked of a table, in words."""
        unit = f"different {' and '.join(self.tables[table])}" if self.tables[table] else "rows"
        return f"groups of two releases of {table} differ by at least {self.difference_min} {unit}, or not at all"


@dataclass(frozen=True)
class TablePolicy:
    """One table: the uses allowed of each column, who may get results, and what must judge a release: all `rules`, or `noise`.

    `reason` says why nothing needs to judge, where there are neither.
    """

    name: str
    columns: Mapping[str, frozenset[str]]
    recipients: tuple[str, ...]
    rules: tuple[RuleAsked, ...]
    noise: NoiseAsked | None
    reason: str

    def allowed(self, column: str) -> frozenset[str]:
        """The uses of a column; none where the policy does not name it. Who may see values may also count, choose and group by them."""
        found = self.columns.get(column, frozenset())
        return found | (frozenset(USES) - {JOIN_KEY}) if AS_INPUT in found else found

    def sentence_of(self, column: str) -> str:
        """What is allowed of a column, in words."""
        if column not in self.columns:
            near = difflib.get_close_matches(column, self.columns, 1)
            return f"does not name {self.name}.{column}, so it is never used" + (f" (it names {near[0]})" if near else "")
        uses = [one for one in USES if one in self.columns[column]]
        return f"allows of {self.name}.{column}: {' or '.join(uses) or 'nothing'}"

    @property
    def judges(self) -> str:
        """What must judge, in words."""
        rules = " and ".join(one.sentence for one in self.rules)
        return ", or ".join(one for one in (rules, self.noise.sentence if self.noise else "") if one) or f"no rule: {self.reason}"


@dataclass(frozen=True)
class Policy:
    """A checked policy. `content` is the plain parsed document."""

    owner: str
    version: int
    expires: datetime.date
    recipients: tuple[str, ...]
    purposes: tuple[str, ...]
    quota: Quota | None
    tables: Mapping[str, TablePolicy]
    content: dict[str, Any] = field(repr=False)
    history: HistoryAsked | None = None

    @cached_property
    def digest(self) -> bytes:
        """The hash of the parsed content: spaces and comments may differ. 32 bytes."""
        return canonical.digest("policy", canonical.encode(self.content))

    @property
    def title(self) -> str:
        return f"policy of {self.owner}, version {self.version}"


def read(path: Path) -> Policy:
    """The policy of a file. Raises Refused with the place of the first thing that is wrong."""
    return parse(read_toml(path), str(path.name))


def parse(document: dict[str, Any], where: str = FILE) -> Policy:
    """A policy from its parsed TOML."""
    content = plain(document, where)
    fields = Fields(content, where)
    recipients = _parties(fields)
    owner, version, expires = party_name(fields.take("owner", str)), _positive(fields, "version"), _date(fields)
    purposes = _some(fields, "purposes", "the purposes, or their codes, that the data may serve")
    quota, history, tables = _quota(fields), _history(fields), fields.take("tables", dict)
    fields.done()
    held = {name: _table(name, one, recipients, where) for name, one in tables.items()}
    for name in history.tables if history else ():
        if name not in held:
            raise Refused(f"{name} is no table of this policy", where=f"{where} [history]", do=f"add [tables.{name}]")
    return Policy(owner, version, expires, recipients, purposes, quota, held, content, history)


def _table(name: str, document: Any, recipients: tuple[str, ...], where: str) -> TablePolicy:
    place = f"{where} [tables.{name}]"
    fields = Fields(require_table(document, place), place)
    table = TablePolicy(
        name=column_name(name),
        columns={column_name(one): _uses(uses, one, place) for one, uses in fields.take("columns", dict, {}).items()},
        recipients=_parties(fields) if fields.has("recipients") else recipients,
        rules=tuple(_rule(one) for one in fields.tables("rules", [])),
        noise=_noise(fields),
        reason=fields.take("reason", str, ""),
    )
    fields.done()
    if not table.rules and not table.noise and not table.reason:
        raise Refused(
            f"nothing says what must judge a release of {name}",
            where=place,
            rule="a table asks for rules, for noise, or says why it needs none",
            do='add rules = [{ rule = "minimum_count", minimum = 10 }], or reason = "…"',
        )
    for one in table.rules:
        if one.unit and one.unit not in table.columns:
            raise Refused(f"{one.name} counts {one.unit}, which this table does not name", where=place, do="name the column below columns")
    return table


def _uses(value: Any, column: str, where: str) -> frozenset[str]:
    texts = [value] if isinstance(value, str) else value
    known = isinstance(texts, list) and all(one in (*USES, NEVER) for one in texts)
    if not known or not texts or (NEVER in texts and len(texts) > 1):
        raise Refused(
            f"{column} = {value!r}",
            where=where,
            rule=f"{NEVER}, or a list of {', '.join(USES)}",
            do='write what is allowed, as ["aggregated"]',
        )
    return frozenset(texts) - {NEVER}


def _rule(fields: Fields) -> RuleAsked:
    name = fields.take("rule", str)
    if name not in RULES:
        raise Refused(f"no rule {name!r}", where=fields.where, rule=f"one of {', '.join(RULES)}", do="name one of them")
    kind = RULES[name]
    unit = column_name(fields.take("unit", str)) if kind is MinimumContributors or _has_unit(kind, fields) else ""
    bounds = tuple(_bounds(kind, fields))
    fields.done()
    return RuleAsked(name, bounds, unit)


def _has_unit(kind: type[Rule], fields: Fields) -> bool:
    return issubclass(kind, ContributionRule) and fields.has("unit")


def _bounds(kind: type[Rule], fields: Fields) -> Iterator[tuple[str, int]]:
    """What is asked of a rule's numbers: what the policy says, else what the rule says that it takes by itself."""
    for name, parameter in inspect.signature(kind).parameters.items():
        if parameter.annotation != "int" or name in kind.told_by_study:
            continue
        if parameter.default is inspect.Parameter.empty or fields.has(name):
            yield name, fields.take(name, int)
        elif name in kind.asked_by_default:
            yield name, parameter.default


def _noise(fields: Fields) -> NoiseAsked | None:
    if not fields.has("noise"):
        return None
    inner = Fields(fields.take("noise", dict), f"{fields.where} noise")
    asked = NoiseAsked(_losses(inner), inner.texts("unit", []))
    inner.done()
    return asked


def _history(fields: Fields) -> HistoryAsked | None:
    is_set, document = fields.has("history"), fields.take("history", dict, {})
    if not is_set:
        return None
    inner = Fields(document, f"{fields.where} [history]")
    least, most = at_least_two(inner), inner.take("stopped_max", int, STOPPED_MAX)
    units = Fields(inner.take("tables", dict), f"{inner.where} tables")
    tables = {column_name(name): tuple(column_name(one) for one in units.texts(name)) for name in units.names}
    inner.done()
    if most < 1 or not tables:
        rule = "stopped_max is 1 or more, and tables names those that are compared"
        raise Refused(
            f"stopped_max = {most}, {len(tables)} tables", where=inner.where, rule=rule, do='write tables = { people = ["person"] }'
        )
    return HistoryAsked(least, most, tables)


def _quota(fields: Fields) -> Quota | None:
    is_set, document = fields.has("quota"), fields.take("quota", dict, {})
    if not is_set:
        return None
    inner = Fields(document, f"{fields.where} [quota]")
    quota = Quota(_losses(inner), _positive(inner, "days"))
    inner.done()
    return quota


def _losses(fields: Fields) -> dict[str, Fraction]:
    losses = {name: _fraction(fields, name) for name in LOSSES if fields.has(name)}
    if not losses:
        raise Refused("no loss is named", where=fields.where, rule=f"{' or '.join(LOSSES)}, as text", do='write epsilon = "1"')
    return losses


def _fraction(fields: Fields, name: str) -> Fraction:
    text = fields.take(name, str)
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if value <= 0:
        raise Refused(f"{name} = {text!r}", where=fields.where, rule="text, a number above 0", do=f'write {name} = "1"')
    return value


def _parties(fields: Fields) -> tuple[str, ...]:
    return tuple(party_name(one) for one in _some(fields, "recipients", "who may receive results"))


def _some(fields: Fields, name: str, what: str) -> tuple[str, ...]:
    found = fields.texts(name)
    if not found:
        raise Refused(f"{name} is empty", where=fields.where, rule=f"it names {what}", do="name them; what is not named is not allowed")
    return found


def _positive(fields: Fields, name: str) -> int:
    value = fields.take(name, int)
    if value < 1:
        raise Refused(f"{name} = {value}", where=fields.where, rule="1 or more", do="write a whole number")
    return value


def _date(fields: Fields) -> datetime.date:
    text = fields.take("expires", str)
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise Refused(f"expires = {text}", where=fields.where, rule="a day as 2027-12-31") from error
