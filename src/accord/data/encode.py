"""From a DuckDB result to exact integers: decimals in units of 10^-scale, dates as days, categories as codes, booleans as 0 and 1.

A text stays one; what is shared of it are its bytes of UTF-8, or where it is only compared a digest of them.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import Refused
from accord.data.problems import BadData, Problem, finding
from accord.data.read import one_row, quoted
from accord.data.rules import EPOCH, enum_type

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_INTEGERS = frozenset(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"))
_RESULT = "accord_result"
OWN_STEP = "the owner's own step"
DIGEST_BYTES = 16
"""Of SHA-256: two texts among 2^32 have the same digest with a chance of 2^-65."""


@dataclass(frozen=True)
class LocalField:
    """One column of a local result, or of a public table. The integer that stands for a value lies in low … high.

    kind: int, decimal, date, category, bool or text; see ColumnSchema for `scale` and `values`. A text has at most `bytes_max` bytes, or
    where that is 0 any number, and a digest stands for it.
    """

    name: str
    kind: str
    low: int = 0
    high: int = 1
    scale: int = 0
    values: tuple[str, ...] = ()
    nullable: bool = False
    bytes_max: int = 0

    def as_text(self, value: int | str) -> str:
        """A value's integer form, or a text, as its owner would write it."""
        if isinstance(value, str):
            return value
        if self.kind == "category":
            return self.values[value] if 0 <= value < len(self.values) else f"no declared value ({value})"
        if self.kind == "decimal":
            return f"{Decimal(value).scaleb(-self.scale):f}"
        if self.kind == "date" and (datetime.date.min - EPOCH).days <= value <= (datetime.date.max - EPOCH).days:
            return (EPOCH + datetime.timedelta(value)).isoformat()
        return str(value)


@dataclass(frozen=True, repr=False)
class Relation:
    """Columns of equal length: int64 values (0 where NULL) or texts as objects ("" where NULL), and NULL flags, by name."""

    rows: int
    values: dict[str, NDArray[Any]]
    nulls: dict[str, NDArray[np.bool_]]


def encode(connection: DuckDBPyConnection, where: str, sql: str, fields: Sequence[LocalField]) -> Relation:
    """Runs the query and encodes each field of its result.

    Raises BadData for a value outside low … high, an undeclared category, or NULL in a column that is not nullable; Refused where the
    result lacks a field or has it in a type that is not exact. Lets DuckDB's errors through.
    """
    stored = {row[0].lower(): row[1] for row in connection.execute(f"DESCRIBE {sql}").fetchall()}
    forms = [f"{_integer_form(where, field, stored)} AS {quoted(field.name)}" for field in fields]
    missing = [f"{quoted(field.name)} IS NULL AS {quoted('null ' + field.name)}" for field in fields]
    listed = ", ".join([*forms, *missing]) or "1 AS no_column"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_RESULT} AS SELECT {listed} FROM ({sql.rstrip().rstrip(';')}\n)")
    _require_declared(connection, where, fields)
    columns = [f"{_plain(field)} AS v{index}" for index, field in enumerate(fields)]
    columns += [f"{quoted('null ' + field.name)} AS n{index}" for index, field in enumerate(fields)]
    arrays = connection.execute(f"SELECT {', '.join(columns) or '1 AS no_column'} FROM {_RESULT}").fetchnumpy()
    rows = int(str(one_row(connection, f"SELECT count(*) FROM {_RESULT}")[0]))
    values: dict[str, NDArray[Any]] = {field.name: np.asarray(arrays[f"v{index}"], _dtype(field)) for index, field in enumerate(fields)}
    return Relation(rows, values, {field.name: np.asarray(arrays[f"n{index}"], np.bool_) for index, field in enumerate(fields)})


def _plain(field: LocalField) -> str:
    name = quoted(field.name)
    return f"coalesce({name}, '')" if field.kind == "text" else f"CAST(coalesce({name}, 0) AS BIGINT)"


def _dtype(field: LocalField) -> type:
    return object if field.kind == "text" else np.int64


def text_bytes(texts: Iterable[str], bytes_max: int) -> NDArray[np.bytes_]:
    """Texts as they are shared: `bytes_max` bytes of UTF-8, zeros behind the end; where that is 0 the first 16 bytes of SHA-256.

    The digest of an empty text, which stands for NULL, is 0.
    """
    encoded = [one.encode() for one in texts]
    if bytes_max:
        return np.array(encoded, f"S{bytes_max}")
    return np.array([hashlib.sha256(one).digest()[:DIGEST_BYTES] if one else b"" for one in encoded], f"S{DIGEST_BYTES}")


def _integer_form(where: str, field: LocalField, stored: dict[str, str]) -> str:
    """SQL for the integer (HUGEINT) that stands for a value, or a text; NULL for NULL, and for a category that is not declared."""
    name = quoted(field.name)
    if field.name.lower() not in stored:
        raise Refused(f"the study's SQL gives no column {field.name!r}; it gives {', '.join(stored)}", where=where)
    kind = stored[field.name.lower()]
    if kind == '"NULL"':
        return f"CAST({name} AS {'VARCHAR' if field.kind == 'text' else 'HUGEINT'})"
    decimal = _DECIMAL.fullmatch(kind)
    scale = int(decimal.group(2)) if decimal else 0
    if field.kind in ("int", "decimal") and (decimal or kind in _INTEGERS) and scale <= field.scale:
        wide = f"CAST({name} AS DECIMAL(38, {scale}))" if decimal else f"CAST({name} AS HUGEINT)"
        factor = f"CAST({10**field.scale} AS DECIMAL({field.scale + 1}, 0))" if decimal else f"CAST({10**field.scale} AS HUGEINT)"
        return f"CAST({wide} * {factor} AS HUGEINT)"
    if field.kind == "date" and kind == "DATE":
        return f"CAST({name} - DATE '1970-01-01' AS HUGEINT)"
    if field.kind == "category" and kind.split("(")[0] in ("VARCHAR", "ENUM"):
        return f"CAST(enum_code(TRY_CAST(CAST({name} AS VARCHAR) AS {enum_type(field.values)})) AS HUGEINT)"
    if field.kind == "text" and kind.split("(")[0] in ("VARCHAR", "ENUM"):
        return f"CAST({name} AS VARCHAR)"
    if field.kind == "bool" and kind == "BOOLEAN":
        return f"CAST({name} AS HUGEINT)"
    declared = f"decimal with {field.scale} digits after the point" if field.kind == "decimal" else field.kind
    raise Refused(
        f"the study's SQL computes column {field.name} as {kind}, declared is {declared}",
        where=where,
        rule="what is shared is exact",
        do="CAST it in the study's SQL",
    )


def _require_declared(connection: DuckDBPyConnection, where: str, fields: Sequence[LocalField]) -> None:
    """Every value in low … high, every text of its length, NULL only where nullable."""
    if not fields:
        return
    found = one_row(connection, f"SELECT {', '.join(_facts(field) for field in fields)} FROM {_RESULT}")
    for at, field in enumerate(fields):
        nulls, strange, lowest, highest = found[4 * at : 4 * at + 4]
        if nulls and not field.nullable:
            rule, do = "the column is not nullable", "fill the value in, or have the study declare the column nullable"
            raise BadData(where, [Problem(OWN_STEP, field.name, finding(None), rule, do)], {field.name: int(str(nulls))})
        if strange:
            raise BadData(where, [_outside(field, lowest, highest)], {field.name: int(str(strange))})


def _facts(field: LocalField) -> str:
    """Of one column, as SQL: how many NULLs, how many values that are not declared, the least and the greatest value or length."""
    name, missing = quoted(field.name), quoted("null " + field.name)
    low, high = (0, len(field.values) - 1) if field.kind == "category" else (field.low, field.high)
    outside, value = f"NOT {missing} AND coalesce({name} NOT BETWEEN {low} AND {high}, true)", name
    if field.kind == "text":
        value = f"strlen({name})"
        outside = f"contains({name}, chr(0))" + (f" OR {value} > {field.bytes_max}" if field.bytes_max else "")
    return f"count(*) FILTER ({missing}), count(*) FILTER ({outside}), min({value}), max({value})"


def _outside(field: LocalField, lowest: object, highest: object) -> Problem:
    if field.kind == "category":
        rule, do = f"one of {len(field.values)} declared values", "have the study declare every value that its SQL makes"
        return Problem(OWN_STEP, field.name, "holds a value that is not declared", rule, do)
    if field.kind == "text":
        rule = f"at most {field.bytes_max} bytes of UTF-8 and no NUL character" if field.bytes_max else "no NUL character in a text"
        do = "correct the data, or have the study declare more bytes"
        return Problem(OWN_STEP, field.name, f"holds texts of up to {highest} bytes, or a NUL character", rule, do)
    reaches = int(str(highest)) if int(str(highest)) > field.high else int(str(lowest))
    rule = f"from {field.as_text(field.low)} to {field.as_text(field.high)}"
    do = "correct the data, or have the study declare wider bounds"
    return Problem(OWN_STEP, field.name, f"reaches {field.as_text(reaches)}", rule, do)
