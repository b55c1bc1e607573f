"""A study's public tables (parameters, declared domains) in the owner's DuckDB, typed as the owner's own are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from accord.data.encode import LocalField
from accord.data.read import quoted
from accord.data.schema import DECIMAL_DIGITS_MAX

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TYPES = {"int": "BIGINT", "date": "DATE", "bool": "BOOLEAN", "category": "VARCHAR", "text": "VARCHAR"}


@dataclass(frozen=True)
class PublicTable:
    """`rows` hold integer forms in the order of `columns`, None for NULL."""

    columns: tuple[LocalField, ...]
    rows: tuple[tuple[int | None, ...], ...]


def load_public(connection: DuckDBPyConnection, name: str, public: PublicTable) -> None:
    """Makes the table: int as BIGINT, decimal as DECIMAL(18 or 19, scale), date as DATE, bool as BOOLEAN, category as VARCHAR."""
    texts = {}
    for index, column in enumerate(public.columns):
        cells = [None if row[index] is None else column.as_text(row[index]) for row in public.rows]  # type: ignore[arg-type]
        texts[f"c{index}"] = np.array([*cells, ""], dtype=object)[:-1]
    casts = ", ".join(f"CAST(c{index} AS {_type(column)}) AS {quoted(column.name)}" for index, column in enumerate(public.columns))
    connection.register("accord_public", texts)
    connection.execute(f"CREATE TABLE {quoted(name)} AS SELECT {casts} FROM accord_public")
    connection.unregister("accord_public")


def _type(column: LocalField) -> str:
    if column.kind != "decimal":
        return _TYPES[column.kind]
    wide = max(abs(column.low), abs(column.high)) >= 10**DECIMAL_DIGITS_MAX
    return f"DECIMAL({DECIMAL_DIGITS_MAX + wide}, {column.scale})"
