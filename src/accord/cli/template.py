"""A new study as commented TOML, for a statistician to read and edit."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from accord.data.schema import ColumnSchema

MINIMUM_COUNT = 10
NOTES = {
    "int": "what a value can be, rounded out: narrow the bounds by what you know, not by the data",
    "decimal": "what a value can be, rounded out: narrow the bounds by what you know, not by the data",
    "date": "what a day can be, rounded out: narrow the bounds by what you know, not by the data",
    "category": "every party reads these values: add what others may have, take out what points to someone",
    "bool": "true or false",
    "text": "may be released as it is written, at most so many bytes of UTF-8; a text key, if it is only compared",
    "text key": "joined and grouped by, never released: what is shared, split, is a digest",
}
_EPOCH = datetime.date(1970, 1, 1)


@dataclass(frozen=True)
class TableDraft:
    """A proposed table. `rows_max` names its owners; `left_out` are columns of the files that have no name for SQL."""

    name: str
    rows_max: Mapping[str, int]
    columns: Sequence[ColumnSchema]
    left_out: Sequence[str]


@dataclass(frozen=True)
class StudyDraft:
    """A proposed study; `files` are the names of the files that it was made from."""

    name: str
    purpose: str
    expires: datetime.date
    owners: Sequence[str]
    servers: Sequence[str]
    tables: Sequence[TableDraft]
    files: Sequence[str]


def study_toml(draft: StudyDraft) -> str:
    """The whole document."""
    blocks = [_head(draft)]
    blocks += [_table(table) for table in draft.tables]
    blocks += [_release(table, draft.owners, alone=len(draft.tables) == 1) for table in draft.tables]
    return "\n\n".join(blocks) + "\n"


def _head(draft: StudyDraft) -> str:
    helpers = [party for party in draft.servers if party not in draft.owners]
    lines = [
        f"# The study {draft.name}: whose data, which question, who gets the answer, under which rules.",
        f"# Proposed by `accord new` from {', '.join(draft.files)}. Read every line and change what is not meant: all owners and",
        "# servers sign this file. Comments and spaces may change later; a changed value needs all signatures anew.",
        "",
        "[study]",
        f"name = {_text(draft.name)}",
        f"title = {_text(draft.name.replace('-', ' ').replace('_', ' ').capitalize())}",
        "# What the results are for. People sign for this purpose, so say it in one honest sentence.",
        f"purpose = {_text(draft.purpose)}",
        "# The last day on which it may run.",
        f"expires = {draft.expires.isoformat()}",
        "# Three organisations that compute. No one of them alone learns anything; two that put their shares together would learn all.",
        f"servers = {_texts(draft.servers)}",
    ]
    if helpers:
        lines += [f"# {' and '.join(helpers)}: owns no data and only computes. Let it be an organisation that sides with no owner."]
    return "\n".join(lines)


def _table(table: TableDraft) -> str:
    owners = list(table.rows_max)
    whose = f"{', '.join(owners)} each hold rows of this one table." if len(owners) > 1 else f"The table of {owners[0]}."
    bounds = ", ".join(f"{owner} = {rows}" for owner, rows in table.rows_max.items())
    lines = [
        f"# {whose}",
        f"[tables.{table.name}]",
        f"owners = {_texts(owners)}",
        "# Public: everybody may know that there are at most so many rows. Each owner fills up to it, so the true number stays hidden.",
        f"rows_max = {{ {bounds} }}",
        "# Public too: names, kinds, bounds and categories. Leave out columns that no question needs.",
        "columns = [",
    ]
    for column in table.columns:
        lines += [f"  # {NOTES[column.kind]}", f"  {column_toml(column)},"]
    lines += [f"  # {_text(name)} is left out: rename it in the file's header to use it" for name in table.left_out]
    return "\n".join([*lines, "]"])


def _release(table: TableDraft, recipients: Sequence[str], alone: bool) -> str:
    by = next((column for column in table.columns if column.kind == "category"), None)
    number = next((column for column in table.columns if column.kind in ("int", "decimal")), None)
    name = "_".join([*([] if alone else [table.name]), *(["by", by.name] if by else ["total"])]).lower()
    title = f"How many{f', and mean {number.name},' if number else ''} by {by.name}" if by else "How many in all"
    lines = [
        "# A question in SQL, who gets the answer, and the rules that are judged under encryption before anything is released.",
        "[[releases]]",
        f"name = {_text(name)}",
        f"title = {_text(title)}",
        'sql = """',
        *_sql(table.name, by, number),
        '"""',
        f"recipients = {_texts(recipients)}",
        f"notes = [{_text(_subtraction(len(table.rows_max), number))}]",
        f"# A row that counts fewer than {MINIMUM_COUNT} is suppressed: its recipients see that it is, and nothing else.",
        f'rules = [{{ rule = "minimum_count", column = "n", minimum = {MINIMUM_COUNT} }}]',
    ]
    return "\n".join(lines)


def _subtraction(owners: int, number: ColumnSchema | None) -> str:
    """What the signers should weigh: every owner of the table gets the result too."""
    figures = "count and mean" if number else "count"
    whose = {
        1: f"the recipients learn each released {figures} of one owner",
        2: f"a recipient that takes away its own rows knows the other's {figures}",
    }
    told = whose.get(owners, f"a recipient that takes away its own rows knows the {figures} of all the others together")
    return f"Of every row that is released, {told}. Raise the minimum, or name another recipient, if that is too much."


def _sql(table: str, by: ColumnSchema | None, number: ColumnSchema | None) -> list[str]:
    columns = [*([by.name] if by else []), "COUNT(*) AS n", *([f"AVG({number.name}) AS mean_{number.name}"] if number else [])]
    grouped = [f"GROUP BY {by.name}", f"ORDER BY {by.name}"] if by else []
    return [f"SELECT {', '.join(columns)}", f"FROM {table}", *grouped]


def column_toml(column: ColumnSchema) -> str:
    """One column as an inline table that `accord.study` reads back as the same column."""
    parts = [f"name = {_text(column.name)}", f"kind = {_text(column.kind)}"]
    if column.kind == "category":
        parts.append(f"values = {_texts(column.values)}")
    if column.kind == "decimal":
        parts += [f"scale = {column.scale}"] + ([f"precision = {column.precision}"] if column.precision else [])
    if column.kind in ("int", "decimal", "date"):
        parts += [f"low = {_bound(column, column.low)}", f"high = {_bound(column, column.high)}"]
    if column.kind == "text":
        parts.append(f"bytes_max = {column.bytes_max}")
    if column.kind == "text key" and column.characters_max:
        parts.append(f"characters_max = {column.characters_max}")
    if column.nullable:
        parts.append("nullable = true")
    return f"{{ {', '.join(parts)} }}"


def _bound(column: ColumnSchema, value: int) -> str:
    if column.kind == "date":
        return _text((_EPOCH + datetime.timedelta(days=value)).isoformat())
    return str(value) if column.kind == "int" else _text(f"{Decimal(value).scaleb(-column.scale):f}")


def _text(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's too, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _texts(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"
