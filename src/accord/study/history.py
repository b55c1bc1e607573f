"""What a study says of releases that were answered before: how far apart groups must be, and what counts as one unit of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accord.base.errors import Refused
from accord.base.names import column_name
from accord.plan.catalog import Catalog
from accord.study.fields import Fields, require_table


@dataclass(frozen=True)
class Unit:
    """Whose presence a difference would tell: all rows, at most `rows_max`, that agree on `columns`; without columns, a row."""

    columns: tuple[str, ...] = ()
    rows_max: int = 1

    def sentence(self, table: str, number: int) -> str:
        """So many units of a table, in words."""
        return f"{number} {' and '.join(self.columns)} of {table}" if self.columns else f"{number} rows of {table}"


@dataclass(frozen=True)
class History:
    """Two releases of the tables named are not both given where groups of theirs differ by fewer than `difference_min` units."""

    difference_min: int
    tables: Mapping[str, Unit]

    @property
    def sentence(self) -> str:
        """What its releases' readers and approvers are told."""
        units = " or ".join(unit.sentence(table, self.difference_min) for table, unit in self.tables.items())
        return (
            "It is compared, on shares, with the study's other releases and with earlier ones of the same data. Where a group "
            f"differs from one of theirs by fewer than {units}, nothing is released, and it may tell its recipients and the owners "
            "that the answer is too close to an earlier one, and which: owners count such stops and limit them."
        )

    def rows_min(self, table: str) -> int:
        """Groups with so many rows apart differ by enough units: a unit has at most `rows_max` of them."""
        return self.difference_min * self.tables[table].rows_max


def read_history(fields: Fields, catalog: Catalog) -> History | None:
    """Takes `history` from the study; None where there is none. Raises Refused for what does not fit the study's tables."""
    is_set, document = fields.has("history"), fields.take("history", dict, {})
    if not is_set:
        return None
    inner = Fields(document, "[history]")
    least = at_least_two(inner)
    tables = {name: _unit(name, one, catalog) for name, one in inner.take("tables", dict, {}).items()}
    inner.done()
    if not tables:
        raise Refused("no table is named", where="[history]", rule="releases are compared table by table", do="add [history.tables.NAME]")
    return History(least, tables)


def at_least_two(fields: Fields) -> int:
    """The `difference_min`. Raises Refused below 2: groups that differ, differ by one."""
    least = fields.take("difference_min", int)
    if least < 2:
        raise Refused(f"difference_min = {least}", where=fields.where, rule="2 or more units", do="write difference_min = 10")
    return least


def _unit(name: str, document: object, catalog: Catalog) -> Unit:
    where = f"[history.tables.{name}]"
    fields = Fields(require_table(document, where), where)
    unit = Unit(tuple(column_name(one) for one in fields.texts("unit", [])), fields.take("rows_max", int, 1))
    fields.done()
    if name not in catalog.tables:
        known = ", ".join(catalog.tables)
        raise Refused(f"{name} is no owner's table of this study", where=where, rule=f"one of {known}", do="name one of them")
    for column in unit.columns:
        catalog.tables[name].schema.column(column)
    if unit.rows_max < 1 or (unit.rows_max > 1 and not unit.columns):
        do = 'write unit = ["person"] and the most rows that a person can have'
        raise Refused(
            f"rows_max = {unit.rows_max}", where=where, rule="the rows of one unit: 1 or more, and 1 where a row is the unit", do=do
        )
    return unit
