"""The declarations of a study: domains, public tables and owners' tables become a catalog."""

from __future__ import annotations

import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from accord.base.errors import Refused
from accord.base.limits import ROWS_MAX
from accord.base.names import column_name, party_name
from accord.data.schema import ColumnSchema, TableSchema
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.nodes import Field, Public
from accord.plan.types import Type
from accord.study.fields import Fields, require_table

_EPOCH = datetime.date(1970, 1, 1)


def read_catalog(fields: Fields) -> Catalog:
    """Takes `domains`, `publics` and `tables` from the study. Raises Refused for what does not fit together."""
    domains: dict[str, tuple[str, ...]] = {}
    publics: dict[str, Public] = {}
    for name, table in fields.take("domains", dict, {}).items():
        publics[name], domains[name] = _domain(column_name(name), Fields(require_table(table, f"[domains.{name}]"), f"[domains.{name}]"))
    for name, table in fields.take("publics", dict, {}).items():
        publics[name] = _public(column_name(name), Fields(require_table(table, f"[publics.{name}]"), f"[publics.{name}]"), domains)
    tables = {}
    for name, table in fields.take("tables", dict).items():
        if name in publics:
            raise Refused(f"{name} is declared twice", where=f"[tables.{name}]", do="give it another name")
        tables[name] = _table(column_name(name), Fields(require_table(table, f"[tables.{name}]"), f"[tables.{name}]"), domains)
    return Catalog(tables, publics)


def _domain(name: str, fields: Fields) -> tuple[Public, tuple[str, ...]]:
    """A domain is a public table: its values, and columns beside them."""
    values = fields.texts("values")
    columns = [ColumnSchema(name, "category", values=values)]
    cells: list[tuple[str, ...]] = [values]
    for column, texts in fields.take("columns", dict, {}).items():
        if not isinstance(texts, list) or len(texts) != len(values):
            raise Refused(
                f"column {column} does not hold one value for each of {len(values)}", where=fields.where, do="list them in the same order"
            )
        columns.append(ColumnSchema(column, "category", values=tuple(dict.fromkeys(texts))))
        cells.append(tuple(texts))
    fields.done()
    rows = tuple(
        tuple(integer_form(schema, value, fields.where) for schema, value in zip(columns, row, strict=True))
        for row in zip(*cells, strict=True)
    )
    return Public(name, _public_fields(columns), rows), values


def _public(name: str, fields: Fields, domains: dict[str, tuple[str, ...]]) -> Public:
    columns = [_column(one, domains) for one in fields.tables("columns")]
    for column in columns:
        if column.kind in ("text", "text key"):
            do = "declare the column a category and list its values"
            raise Refused(
                f"column {column.name} is a {column.kind}", where=fields.where, rule="texts of a public table are categories", do=do
            )
    rows = []
    for at, row in enumerate(fields.take("rows", list)):
        where = f"{fields.where} rows[{at}]"
        if not isinstance(row, list) or len(row) != len(columns):
            raise Refused(f"this row does not hold {len(columns)} values", where=where, rule="one for each column")
        rows.append(tuple(integer_form(schema, value, where) for schema, value in zip(columns, row, strict=True)))
    fields.done()
    return Public(name, _public_fields(columns), tuple(rows))


def _public_fields(columns: list[ColumnSchema]) -> tuple[Field, ...]:
    return tuple(Field(one.name, Type.of(one), public=True) for one in columns)


def _table(name: str, fields: Fields, domains: dict[str, tuple[str, ...]]) -> TableInfo:
    owners = tuple(party_name(owner) for owner in fields.texts("owners"))
    if not owners or len(set(owners)) != len(owners):
        raise Refused("a table needs owners, each named once", where=fields.where)
    schema = TableSchema(name, tuple(_column(one, domains) for one in fields.tables("columns")), fields.texts("unique", []))
    rows_max = _rows_max(fields, owners)
    owner_column, owner_values = _owner_column(fields, schema, owners)
    across = fields.take("unique_across_owners", bool, False)
    if across and not schema.unique:
        do = "declare unique = [the columns that together differ in every row]"
        raise Refused("unique_across_owners without a unique key", where=fields.where, do=do)
    fields.done()
    return TableInfo(schema, owners, rows_max, owner_column, owner_values, across)


def _rows_max(fields: Fields, owners: tuple[str, ...]) -> tuple[int, ...]:
    given = fields.any("rows_max")
    bounds = given if isinstance(given, dict) else dict.fromkeys(owners, given)
    if set(bounds) != set(owners):
        raise Refused("rows_max does not name each owner once", where=fields.where, do="give one number, or one for each owner")
    for owner in owners:
        if not isinstance(bounds[owner], int) or not 1 <= bounds[owner] <= ROWS_MAX:
            raise Refused(
                f"rows_max = {bounds[owner]!r} for {owner}",
                where=fields.where,
                rule=f"1 to {ROWS_MAX}",
                do="declare a public bound on its rows",
            )
    return tuple(bounds[owner] for owner in owners)


def _owner_column(fields: Fields, schema: TableSchema, owners: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    if not fields.has("owner_column"):
        return None, ()
    column = schema.column(fields.take("owner_column", str))
    values = fields.take("owner_values", dict)
    if set(values) != set(owners) or not set(values.values()) <= set(column.values) or len(set(values.values())) != len(owners):
        raise Refused(
            "owner_values does not give each owner a declared value of its own",
            where=fields.where,
            rule=f"one of {', '.join(column.values[:8])} for each of {', '.join(owners)}",
        )
    return column.name, tuple(values[owner] for owner in owners)


def _column(fields: Fields, domains: dict[str, tuple[str, ...]]) -> ColumnSchema:
    name, kind = fields.take("name", str), fields.take("kind", str)
    values = _category_values(fields, domains) if kind == "category" else ()
    scale = fields.take("scale", int, 0) if kind == "decimal" else 0
    precision = fields.take("precision", int, 18) if kind == "decimal" else 0
    low, high = (_bound(fields, bound, kind, scale) for bound in ("low", "high")) if kind in ("int", "decimal", "date") else (0, 0)
    characters_max = fields.take("characters_max", int, 255) if kind == "text key" else 0
    bytes_max = fields.take("bytes_max", int) if kind == "text" else 0
    nullable = fields.take("nullable", bool, False)
    fields.done()
    return ColumnSchema(name, kind, low, high, precision, scale, values, characters_max, nullable, bytes_max)


def _category_values(fields: Fields, domains: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    if not fields.has("domain"):
        return fields.texts("values")
    domain = fields.take("domain", str)
    if domain not in domains:
        raise Refused(f"no domain {domain!r}", where=fields.where, do=f"declared are {', '.join(domains) or 'none'}")
    return domains[domain]


def _bound(fields: Fields, name: str, kind: str, scale: int) -> int:
    value = fields.any(name)
    if value is None:
        raise Refused(
            f"{name} is missing", where=fields.where, rule=f"a column of kind {kind} declares low and high", do="declare what it can be"
        )
    schema = ColumnSchema("bound", kind, -(1 << 61), 1 << 61, 18, scale)
    return integer_form(schema, value, f"{fields.where} {name}") or 0


def integer_form(column: ColumnSchema, value: Any, where: str) -> int | None:
    """The integer that stands for a value on shares (see plan.types.Type); None for an empty text of a nullable column.

    Raises Refused where the value is none of the column's.
    """
    if value == "" and column.nullable:
        return None
    try:
        return _exact(column, value)
    except (ValueError, InvalidOperation, TypeError) as error:
        raise Refused(
            f"{value!r} in column {column.name}", where=where, rule=f"the column is of kind {column.kind}", do="correct the value"
        ) from error


def _exact(column: ColumnSchema, value: Any) -> int:
    if column.kind == "category":
        return column.values.index(value)
    if column.kind == "date":
        return (datetime.date.fromisoformat(value) - _EPOCH).days
    if column.kind == "bool" and isinstance(value, bool):
        return int(value)
    if column.kind == "int" and type(value) is int:
        number = value
    elif column.kind == "decimal" and type(value) in (int, str):
        scaled = Decimal(value).scaleb(column.scale)
        number = int(scaled)
        if number != scaled:
            raise ValueError(value)
    else:
        raise TypeError(value)
    if not column.low <= number <= column.high:
        raise ValueError(value)
    return number
