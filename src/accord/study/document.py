"""The study document: `study.toml` read, checked and turned into canonical bytes.

The document says which inputs, which questions, which releases to whom under which rules, for what purpose and until when. Its hash is
over the parsed content, so spaces and comments may differ; a changed value may not.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from accord.base import canonical
from accord.base.errors import Refused
from accord.base.limits import SERVERS
from accord.base.names import column_name, party_name
from accord.plan.catalog import Catalog
from accord.study.declarations import read_catalog
from accord.study.fields import Fields, read_toml, require_table
from accord.study.history import History, read_history

FILE = "study.toml"
SECURITY = ("semi-honest",)
PROFILES = ("lan", "wan")


@dataclass(frozen=True)
class ReleaseText:
    """One release as written: a question, who gets it, and under which rules.

    Either `recipients` names parties that get all rows, or `recipient_columns` names category columns: each row goes to the parties that
    `party_values` maps its values to. `judged` columns are used by the rules and not released. `once`: each cell is answered once per data
    version, as is every release with `noise` (release/noise.py reads it). `reason` must say why, where there are no rules and no noise.
    """

    name: str
    title: str
    sql: str
    recipients: tuple[str, ...]
    recipient_columns: tuple[str, ...]
    judged: tuple[str, ...]
    rules: tuple[dict[str, Any], ...]
    once: bool
    reason: str
    noise: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """A checked study. `content` is the plain parsed document; `purpose_code` is what owners' policies may know the purpose by; `history`
    says how its releases are compared with earlier ones."""

    name: str
    title: str
    purpose: str
    expires: datetime.date
    security: str
    profile: str
    servers: tuple[str, ...]
    catalog: Catalog
    party_values: dict[str, str]
    queries: dict[str, str]
    releases: tuple[ReleaseText, ...]
    content: dict[str, Any]
    purpose_code: str = ""
    history: History | None = None

    @cached_property
    def encoded(self) -> bytes:
        """The canonical bytes."""
        return canonical.encode(self.content)

    @cached_property
    def digest(self) -> bytes:
        return canonical.digest("study", self.encoded)

    @property
    def owners(self) -> tuple[str, ...]:
        """Every party that owns a table, in the order of the tables."""
        return tuple(dict.fromkeys(owner for table in self.catalog.tables.values() for owner in table.owners))

    @property
    def parties(self) -> tuple[str, ...]:
        """Everybody that the study names: owners, servers, recipients."""
        return tuple(dict.fromkeys([*self.owners, *self.servers, *self.recipients]))

    @property
    def approvers(self) -> tuple[str, ...]:
        """Whose approval a run needs: every owner and every server."""
        return tuple(dict.fromkeys([*self.owners, *self.servers]))

    @property
    def recipients(self) -> tuple[str, ...]:
        """Every party that some release may reach."""
        named = [party for release in self.releases for party in release.recipients]
        rows = list(self.party_values.values()) if any(release.recipient_columns for release in self.releases) else []
        return tuple(dict.fromkeys([*named, *rows]))

    def require_unexpired(self, today: datetime.date) -> None:
        """Raises Refused after the last day."""
        if today > self.expires:
            raise Refused(
                f"this study expired on {self.expires}", where=self.name, do="offer it anew with a later date; every party signs again"
            )


def read(folder: Path) -> Study:
    """The study of a folder. Raises Refused with the place of the first thing that is wrong."""
    return parse(read_toml(folder / FILE))


def parse(document: dict[str, Any]) -> Study:
    """A study from its parsed TOML."""
    content = plain(document, FILE)
    fields = Fields(content, FILE)
    head = Fields(fields.take("study", dict), "[study]")
    party_values: dict[str, str] = {value: party_name(party) for value, party in _texts(fields, "party_values").items()}
    queries = {column_name(name): sql for name, sql in _texts(fields, "queries").items()}
    catalog = read_catalog(fields)
    history = read_history(fields, catalog)
    releases = tuple(_release(one) for one in fields.tables("releases"))
    fields.done()
    study = Study(
        name=party_name(head.take("name", str)),
        title=head.take("title", str),
        purpose=head.take("purpose", str),
        expires=_date(head),
        security=_choice(head, "security", SECURITY, "active security is a later tier; only semi-honest is built"),
        profile=_choice(head, "profile", PROFILES, "choose the profile of your links"),
        servers=_servers(head),
        catalog=catalog,
        party_values=party_values,
        queries=queries,
        releases=releases,
        content=content,
        purpose_code=head.take("purpose_code", str, ""),
        history=history,
    )
    head.done()
    _require_releases(study)
    return study


def _release(fields: Fields) -> ReleaseText:
    recipients = fields.any("recipients")
    columns: tuple[str, ...] = ()
    if isinstance(recipients, dict):
        inner = Fields(recipients, f"{fields.where} recipients")
        columns, recipients = inner.texts("columns"), []
        inner.done()
    if not isinstance(recipients, list) or not (recipients or columns):
        raise Refused(
            "nobody would receive this release", where=fields.where, do='write recipients = ["party", …] or {columns = ["column", …]}'
        )
    release = ReleaseText(
        name=party_name(fields.take("name", str)),
        title=fields.take("title", str),
        sql=fields.take("sql", str),
        recipients=tuple(party_name(str(party)) for party in recipients),
        recipient_columns=columns,
        judged=fields.texts("judged", []),
        rules=tuple(require_table(rule, f"{fields.where} rules") for rule in fields.take("rules", list, [])),
        once=fields.take("once", bool, False) or fields.has("noise"),
        reason=fields.take("reason", str, ""),
        noise=fields.take("noise", dict, {}),
        notes=fields.texts("notes", []),
    )
    fields.done()
    if not release.rules and not release.reason and not release.noise:
        raise Refused(
            f"release {release.name} has no disclosure rule",
            where=fields.where,
            rule="a release without rules says why",
            do='add a rule, such as {rule = "minimum_count", column = "n", minimum = 10}, or reason = "…"',
        )
    return release


def _require_releases(study: Study) -> None:
    names = [release.name for release in study.releases]
    if not names:
        raise Refused("this study releases nothing", where=FILE, do="add a [[releases]] table")
    if twice := {name for name in names if names.count(name) > 1}:
        raise Refused(f"two releases are named {', '.join(sorted(twice))}", where=FILE, do="give each a name of its own")
    if any(release.recipient_columns for release in study.releases) and not study.party_values:
        raise Refused("rows go to parties by column, but no value names a party", where=FILE, do='add [party_values] with VALUE = "party"')


def _texts(fields: Fields, name: str) -> dict[str, str]:
    table = fields.take(name, dict, {})
    for key, value in table.items():
        if not isinstance(value, str):
            raise Refused(f"{key} = {value!r}", where=f"[{name}]", rule="text")
    return table


def _date(head: Fields) -> datetime.date:
    text = head.take("expires", str)
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise Refused(f"expires = {text}", where=head.where, rule="a day as 2027-12-31") from error


def _choice(head: Fields, name: str, allowed: tuple[str, ...], hint: str) -> str:
    value = head.take(name, str, allowed[0])
    if value not in allowed:
        raise Refused(f"{name} = {value!r}", where=head.where, rule=f"one of {', '.join(allowed)}", do=hint)
    return value


def _servers(head: Fields) -> tuple[str, ...]:
    servers = tuple(party_name(one) for one in head.texts("servers"))
    if len(servers) != SERVERS or len(set(servers)) != SERVERS:
        raise Refused(
            f"servers = {', '.join(servers) or 'nobody'}",
            where=head.where,
            rule="three servers, run by three organisations",
            do="name a third party that only computes, if there are two",
        )
    return servers


def plain(value: Any, where: str) -> Any:
    """The parsed TOML with dates as text. Raises Refused for floats: a decimal has no one binary spelling."""
    if isinstance(value, dict):
        return {key: plain(inner, f"{where} {key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner, where) for inner in value]
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, float):
        raise Refused(f"{value} is a float", where=where, rule="decimals are written as text", do=f'write "{value}"')
    if not isinstance(value, str | int | bool):
        raise Refused(f"{value} is of no kind that a study holds", where=where, rule="text, integers, days, true or false")
    return value
