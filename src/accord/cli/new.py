"""A study from the owners' own files: who owns what, a proposed schema, a first question."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from accord.base.errors import Refused
from accord.base.limits import ROWS_MAX, SERVERS
from accord.base.names import party_name
from accord.cli.notes import review
from accord.cli.template import StudyDraft, TableDraft, study_toml
from accord.data.infer import CATEGORY_VALUES_PROPOSED_MAX, Proposal, infer
from accord.data.read import connect, load, open_source, quoted
from accord.data.schema import ColumnSchema
from accord.node.folder import open_folder
from accord.study import document

HELPER = "helper"
PURPOSE = "Say here what the results are for, before anybody signs"
DAYS_VALID = 365


@dataclass(frozen=True)
class Part:
    """One owner's file, its number of rows, and what it proposes."""

    owner: str
    path: Path
    rows: int
    proposal: Proposal

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.proposal.schema.columns]

    def texts(self, column: str) -> set[str]:
        """The distinct filled cells of a column."""
        with connect() as connection:
            load(connection, open_source(self.path), [column], "texts")
            return {
                str(row[0]) for row in connection.execute(f"SELECT DISTINCT {quoted(column)} FROM texts").fetchall() if row[0] is not None
            }


def new(place: Path, owners: list[str], servers: list[str], purpose: str | None) -> None:
    """Make the study's folder. Raises Refused, with nothing written, where the files do not make a study."""
    name = party_name(place.name)
    if place.exists():
        raise Refused("this folder is there already", where=str(place), do="choose another name, or edit its study.toml")
    files = _files(owners)
    parts = [Part(owner, path, open_source(path).rows, infer(path, "proposed")) for owner, path in files.items()]
    draft = StudyDraft(
        name=name,
        purpose=purpose or PURPOSE,
        expires=datetime.date.today() + datetime.timedelta(days=DAYS_VALID),
        owners=list(files),
        servers=_servers(list(files), servers),
        tables=_tables(name, parts),
        files=[path.name for path in files.values()],
    )
    _write(place, draft, parts)
    _say(place, draft, parts)


def _files(owners: Iterable[str]) -> dict[str, Path]:
    """PARTY=FILE of each owner. Raises Refused for another form, a name twice, or fewer than two owners."""
    files: dict[str, Path] = {}
    for text in owners:
        party, sign, path = text.partition("=")
        if not sign or not path:
            raise Refused(f"--owner {text} names no file", rule="--owner PARTY=FILE", do=f"write --owner {party}={party}.csv")
        if party in files:
            raise Refused(f"{party} is named twice", rule="one file for each owner", do="join its files, or add the second table by hand")
        files[party_name(party)] = Path(path)
    if len(files) < 2:
        raise Refused("a study needs two owners or more", do="name each with --owner PARTY=FILE")
    return files


def _servers(owners: Sequence[str], chosen: Sequence[str]) -> list[str]:
    """The chosen three; else the first three owners; else two owners and a helper."""
    servers = [party_name(party) for party in chosen] if chosen else [*owners, HELPER][:SERVERS]
    if len(set(servers)) != SERVERS:
        raise Refused(
            f"{', '.join(servers)} are to compute", rule="three servers, run by three organisations", do="give --server three times"
        )
    return list(servers)


def _tables(name: str, parts: Sequence[Part]) -> list[TableDraft]:
    """One table in parts where all files have the same columns, else one table an owner."""
    if len({frozenset(part.names) for part in parts}) == 1:
        return [_table(_identifier(name), parts)]
    return [_table(_identifier(part.owner), [part]) for part in parts]


def _table(name: str, parts: Sequence[Part]) -> TableDraft:
    columns = [_joined(column, parts) for column in parts[0].names]
    left_out = dict.fromkeys(column for part in parts for column in part.proposal.left_out)
    return TableDraft(name, {part.owner: rows_bound(part.rows) for part in parts}, columns, list(left_out))


def _joined(name: str, parts: Sequence[Part]) -> ColumnSchema:
    """The narrowest column that holds what each owner's does. Raises Refused for kinds that do not go together."""
    proposed = [part.proposal.schema.column(name) for part in parts]
    columns = [column for column in proposed if column.kind != "text key"] or proposed
    if len(columns) < len(proposed):
        columns = _with_texts(columns, [part for part, column in zip(parts, proposed, strict=True) if column.kind == "text key"])
    if {column.kind for column in columns} == {"int", "decimal"}:
        columns = [replace(column, kind="decimal") for column in columns]
    if len({column.kind for column in columns}) > 1:
        kinds = ", ".join(f"{column.kind} in {part.path.name}" for column, part in zip(proposed, parts, strict=True))
        raise Refused(f"column {name} is {kinds}", rule="one table has one kind for each column", do="make the files alike")
    return _widened(columns, nullable=any(column.nullable for column in proposed))


def _with_texts(columns: list[ColumnSchema], parts: Sequence[Part]) -> list[ColumnSchema]:
    """Where other owners' cells are texts without a kind: none at all, or more of a category's values, or the column is text for all."""
    name = columns[0].name
    texts = sorted(set().union(*(part.texts(name) for part in parts)))
    if not texts:
        return columns
    values = sorted({*texts, *(value for column in columns for value in column.values)})
    if all(column.kind == "category" for column in columns) and len(values) <= CATEGORY_VALUES_PROPOSED_MAX:
        return [ColumnSchema(name, "category", values=tuple(values))]
    return [*columns, *(part.proposal.schema.column(name) for part in parts)]


def _widened(columns: Sequence[ColumnSchema], nullable: bool) -> ColumnSchema:
    """Columns of one kind, as one that holds all."""
    scale = max(column.scale for column in columns)
    steps = [10 ** (scale - column.scale) for column in columns]
    low = min(column.low * step for column, step in zip(columns, steps, strict=True))
    high = max(column.high * step for column, step in zip(columns, steps, strict=True))
    return replace(
        columns[0],
        low=low,
        high=high,
        scale=scale,
        precision=len(str(max(-low, high))) if columns[0].kind == "decimal" else 0,
        values=tuple(sorted({value for column in columns for value in column.values})),
        characters_max=max(column.characters_max for column in columns),
        nullable=nullable,
    )


def rows_bound(rows: int) -> int:
    """A round public bound with room to grow: the next of 10, 20, 50, 100, 200, 500, …"""
    bounds = (int(f"{lead}{'0' * zeros}") for zeros in range(1, 9) for lead in (1, 2, 5))
    return min(next(bound for bound in bounds if bound >= rows), ROWS_MAX)


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _write(place: Path, draft: StudyDraft, parts: Sequence[Part]) -> None:
    place.mkdir(parents=True)
    (place / document.FILE).write_text(study_toml(draft), encoding="utf-8")
    folder = open_folder(place)
    owned: Mapping[str, str] = {owner: table.name for table in draft.tables for owner in table.rows_max}
    for part in parts:
        party = folder.party(part.owner)
        relative = os.path.relpath(part.path.resolve(), party.path.resolve())
        party.write_data({owned[part.owner]: Path(relative)})
    folder.study()


def _say(place: Path, draft: StudyDraft, parts: Sequence[Part]) -> None:
    print(f"written: {place / document.FILE}, a proposal to read and edit before anybody signs")
    print("what the files showed (on this screen alone; of the data, the study holds nothing but the categories):")
    for note, shown in _notes(parts).items():
        print(f"  {', '.join(shown)}: {note}")
    print(f"owners and recipients: {', '.join(draft.owners)}; servers: {', '.join(draft.servers)}")
    if HELPER in draft.servers and HELPER not in draft.owners:
        print(f"{HELPER} stands for a third organisation that only computes: choose one that sides with no owner")
    print(f"next: accord keys {place}")


def _notes(parts: Sequence[Part]) -> dict[str, list[str]]:
    """Each thing to review, and the columns of which files it is about."""
    notes: dict[str, list[str]] = {}
    for part in parts:
        kinds = {column.name: column.kind for column in part.proposal.schema.columns}
        for column in part.proposal.notes:
            texts = part.texts(column) if kinds.get(column) in ("text key", "category") else set()
            notes.setdefault(review(part.proposal, column, texts), []).append(f"{part.path.name} {column}")
    return notes
