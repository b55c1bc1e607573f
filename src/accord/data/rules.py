"""What a cell of each kind may be: as SQL that DuckDB runs over a whole column, and as a sentence for the person who must mend it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from accord.base.errors import Refused
from accord.data.problems import nearest
from accord.data.read import Source, literal, quoted
from accord.data.schema import ColumnSchema

GOOD, EMPTY, MALFORMED, OUTSIDE, FOREIGN = range(5)
"""Verdicts on a cell: fine; NULL where none may be; no value of the kind; beyond the bounds; not this owner's constant."""

EPOCH = datetime.date(1970, 1, 1)
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")
_TEXTS = ("VARCHAR", "ENUM")
_STORED = {
    "int": (_INTEGERS, "an integer type"),
    "decimal": ((*_INTEGERS, "DECIMAL"), "DECIMAL or an integer type"),
    "date": (("DATE",), "DATE"),
    "category": (_TEXTS, "text"),
    "bool": (("BOOLEAN",), "BOOLEAN"),
    "text": (_TEXTS, "text"),
    "text key": (_TEXTS, "text"),
}


@dataclass(frozen=True)
class ColumnSql:
    """One column in DuckDB: its typed `value`, and `verdict`, a small integer a row (see GOOD …)."""

    value: str
    verdict: str


def column_sql(source: Source, column: ColumnSchema, constant: str | None = None) -> ColumnSql:
    """The SQL that reads and judges a column of the loaded file. `constant`: the only text that a category may hold here.

    Raises Refused for a Parquet column of a type that cannot hold the kind exactly.
    """
    cell = quoted(column.name)
    form, value = _text_sql(column, cell) if source.is_text else _stored_sql(source, column, cell)
    outside = _outside(column, value)
    verdict = f"CASE WHEN {cell} IS NULL THEN {GOOD if column.nullable else EMPTY} WHEN NOT coalesce({form}, false) THEN {MALFORMED}"
    verdict += f" WHEN coalesce({outside}, true) THEN {OUTSIDE}" if outside else ""
    verdict += f" WHEN {cell} <> {literal(constant)} THEN {FOREIGN}" if constant is not None else ""
    return ColumnSql(value, f"{verdict} ELSE {GOOD} END")


def _text_sql(column: ColumnSchema, cell: str) -> tuple[str, str]:
    """Whether a text is one of the kind's spellings, and its value. Patterns come first: DuckDB's casts alone accept ' 7' and '1e3'."""
    if column.kind == "int":
        return f"regexp_full_match({cell}, '-?(0|[1-9][0-9]*)')", f"TRY_CAST({cell} AS BIGINT)"
    if column.kind == "decimal":
        point = rf"(\.[0-9]{{1,{column.scale}}})?" if column.scale else ""
        return f"regexp_full_match({cell}, '-?(0|[1-9][0-9]*){point}')", f"TRY_CAST({cell} AS DECIMAL({column.digits}, {column.scale}))"
    if column.kind == "date":
        value = f"TRY_CAST({cell} AS DATE)"
        return f"(regexp_full_match({cell}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') AND {value} IS NOT NULL)", value
    if column.kind == "bool":
        return f"(lower({cell}) IN ('true', 'false', '1', '0'))", f"(lower({cell}) IN ('true', '1'))"
    return _member(column, cell), cell


def _stored_sql(source: Source, column: ColumnSchema, cell: str) -> tuple[str, str]:
    """The same for a typed Parquet column."""
    stored = source.type_of(column.name)
    accepted, spelled = _STORED[column.kind]
    if stored.split("(")[0] not in accepted:
        raise Refused(
            f"column {column.name} is stored as {stored}",
            where=source.name,
            rule=f"a column of kind {column.kind} is stored as {spelled}, so that every value is exact",
            do="write the Parquet file again with that type",
        )
    if column.kind == "int":
        return "true", f"TRY_CAST({cell} AS BIGINT)"
    if column.kind == "decimal":
        value = f"TRY_CAST({cell} AS DECIMAL({column.digits}, {column.scale}))"
        return f"coalesce({value} = {cell}, TRY_CAST({cell} AS DECIMAL(38, {column.scale})) = {cell})", value
    if column.kind in ("date", "bool"):
        return "true", cell
    return _member(column, f"CAST({cell} AS VARCHAR)"), f"CAST({cell} AS VARCHAR)"


def _member(column: ColumnSchema, text: str) -> str:
    if column.kind == "category":
        return f"TRY_CAST({text} AS {enum_type(column.values)}) IS NOT NULL"
    if column.kind == "text":
        return f"({text} <> '' AND strlen({text}) <= {column.bytes_max} AND NOT contains({text}, chr(0)))"
    at_most = f" AND length({text}) <= {column.characters_max}" if column.characters_max else ""
    return f"({text} <> ''{at_most})"


def enum_type(values: tuple[str, ...]) -> str:
    """DuckDB's type of exactly these texts; `enum_code` of one is its place among them."""
    return f"ENUM({', '.join(literal(value) for value in values)})"


def _outside(column: ColumnSchema, value: str) -> str:
    if column.kind == "int":
        return f"{value} NOT BETWEEN {column.low} AND {column.high}"
    if column.kind == "decimal":
        most = 10**column.digits - 1
        low, high = (units_sql(min(max(bound, -most), most), column.scale, column.digits) for bound in (column.low, column.high))
        return f"{value} NOT BETWEEN {low} AND {high}"
    if column.kind == "date":
        return f"({value} - DATE '1970-01-01') NOT BETWEEN {column.low} AND {column.high}"
    return ""


def units_sql(units: int, scale: int, digits: int) -> str:
    """A decimal literal from units of 10^-scale."""
    return f"CAST('{Decimal(units).scaleb(-scale):f}' AS DECIMAL({digits}, {scale}))"


def bound_text(column: ColumnSchema, bound: int) -> str:
    """A bound as people write it."""
    if column.kind == "decimal":
        return f"{Decimal(bound).scaleb(-column.scale):f}"
    if column.kind == "date" and (datetime.date.min - EPOCH).days <= bound <= (datetime.date.max - EPOCH).days:
        return (EPOCH + datetime.timedelta(bound)).isoformat()
    return str(bound)


def declared(column: ColumnSchema) -> str:
    """What the schema says of a column, in words."""
    null = " or empty" if column.nullable else ""
    return f"{_FORMS[column.kind](column)}{_range(column)}{null}"


def _range(column: ColumnSchema) -> str:
    if column.kind not in ("int", "decimal", "date"):
        return ""
    return f" from {bound_text(column, column.low)} to {bound_text(column, column.high)}"


_FORMS: dict[str, Callable[[ColumnSchema], str]] = {
    "int": lambda _: "an integer",
    "decimal": lambda column: f"a number with at most {column.digits} digits, {column.scale} of them after the point,",
    "date": lambda _: "a date, YYYY-MM-DD,",
    "category": lambda column: f"one of {len(column.values)} declared values",
    "bool": lambda _: "true, false, 1 or 0",
    "text": lambda column: f"a text of at most {column.bytes_max} bytes of UTF-8 and no NUL character",
    "text key": lambda column: f"a text of at most {column.characters_max} characters" if column.characters_max else "a text",
}


def sentence(column: ColumnSchema, verdict: int, value: str | None, constant: str | None) -> tuple[str, str]:
    """The rule that a cell breaks, and what to do about it."""
    if verdict == EMPTY:
        return "the column is not nullable", "fill the cell in, or have the study declare the column nullable"
    if verdict == OUTSIDE:
        return declared(column), "correct it, or have the study declare wider bounds"
    if verdict == FOREIGN:
        return f"every row of this owner holds {constant!r}", "leave out other owners' rows, or correct the cell"
    return declared(column), _remedy(column, value or "")


def _remedy(column: ColumnSchema, value: str) -> str:
    """What to do about a text that is no value of its kind."""
    if column.kind in ("category", "text", "text key"):
        return _text_remedy(column, value)
    for pattern, remedy in _HINTS[column.kind]:
        if re.fullmatch(pattern, value):
            return remedy
    return _PLAIN[column.kind]


def _text_remedy(column: ColumnSchema, value: str) -> str:
    if value == "":
        return "write NULL where there is no value"
    if column.kind == "text":
        return "take out the NUL character" if "\0" in value else "shorten it, or have the study declare more bytes"
    if column.kind == "text key":
        return "shorten it, or have the study declare more characters"
    near = nearest(value, column.values)
    return f"did you mean {near!r}?" if near else "use a declared value, or have the study declare this one"


_COMMON_HINTS = (
    (r"\s+.*|.*\s+", "take out the space around it"),
    (r"(?i)nan|n/?a|null|none|nil|inf|-|\.|\\N|#N/A", "leave the cell empty where there is no value"),
)
_NUMBER_HINTS = (
    *_COMMON_HINTS,
    (r"\+.*", "leave out the plus sign"),
    (r"(?i)-?[0-9.,]+e[+-]?[0-9]+", "write the number out in full, without an exponent"),
    (r"-?[0-9]{1,3}(,[0-9]{3}){2,}(\.[0-9]*)?|-?[0-9]{1,3}([ '’_\u00a0\u202f][0-9]{3})+", "write it without thousands separators"),
    (r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?", "write it without a comma: no thousands separators, and a point before decimals"),
)
_HINTS: dict[str, tuple[tuple[str, str], ...]] = {
    "int": (
        *_NUMBER_HINTS,
        (r"-?0[0-9]+", "leave out the leading zeros; a code that needs them is a category or a text key"),
        (r"-?[0-9]+[.,][0-9]*", "round it in your own export, or have the study declare the column a decimal"),
    ),
    "decimal": (
        *_NUMBER_HINTS,
        (r"-?[0-9]+,[0-9]*", "write a point before the decimals, not a comma"),
        (r"-?0[0-9]+(\.[0-9]*)?", "leave out the leading zeros; a code that needs them is a category or a text key"),
        (r"-?[0-9]*\.|-?\.[0-9]+", "write digits before and after the point"),
        (r"-?[0-9]+\.[0-9]+", "round it in your own export, or have the study declare more digits after the point"),
    ),
    "date": (
        *_COMMON_HINTS,
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "correct it: the calendar has no such day"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].*", "leave out the time of day"),
    ),
    "bool": _COMMON_HINTS,
}
_PLAIN = {
    "int": "write digits only, with - in front where negative",
    "decimal": "write digits with a point before the decimals, with - in front where negative",
    "date": "write it as 2024-03-31",
    "bool": "write true or false",
}
