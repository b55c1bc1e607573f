"""A release in the clear, on mock or pooled data: the oracle of the gate, and what `clear:` shows. Nothing here touches a share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from accord.plan.evaluate import Flags, Plain
from accord.plan.secure_table import PublicColumn
from accord.release.layout import Layout
from accord.release.rule import RowRule, TableRule
from accord.release.spec import ReleaseSpec
from accord.release.table import RELEASED, SUPPRESSED_STATUS, ReleasedTable


def release_in_clear(spec: ReleaseSpec, columns: Mapping[str, Plain]) -> dict[str, ReleasedTable]:
    """What each recipient would get of a plain table, by party. All rows of the table are there; suppressed ones stand behind the others
    where the layout is secret. Noise is left out, and the table says so."""
    rows = len(next(iter(columns.values())).values)
    status = np.where(passes(spec, columns, rows), RELEASED, SUPPRESSED_STATUS).astype(np.uint8)
    columns = _changed(spec, columns)
    if not spec.has_public_rows:
        order = np.argsort(status == SUPPRESSED_STATUS, kind="stable")
        status, columns = status[order], {name: one.take(order) for name, one in columns.items()}
    public = {one.name: PublicColumn.of(one.type, columns[one.name]) for one in spec.shown_in_clear if one.public}
    tables = {}
    for party in spec.parties:
        chosen = spec.rows_for(party, public, rows)
        layout = Layout.of(spec, party, {name: one.take(chosen) for name, one in public.items()}, len(chosen))
        fields = spec.shown_in_clear
        given = {one.name: columns[one.name].take(chosen) for one in fields}
        told = tuple(f"{one}, left out in the clear" for one in layout.sentences) if spec.noise else layout.sentences
        tables[party] = ReleasedTable(spec.name, spec.title, party, fields, status[chosen], given, told, bounds=layout.bounds)
    return tables


def passes(spec: ReleaseSpec, columns: Mapping[str, Plain], rows: int) -> Flags:
    """Which rows of a plain table pass the rules."""
    names = sorted({name for rule in spec.rules for name in rule.columns})
    plain = [{name: None if columns[name].nulls[row] else int(columns[name].values[row]) for name in names} for row in range(rows)]
    row_rules = [rule for rule in spec.rules if isinstance(rule, RowRule)]
    passed = np.array([all(rule.passes(row) for rule in row_rules) for row in plain], np.bool_)
    for rule in spec.rules:
        if isinstance(rule, TableRule):
            passed = rule.plainly(spec.node, columns, passed)
    return passed


def _changed(spec: ReleaseSpec, columns: Mapping[str, Plain]) -> Mapping[str, Plain]:
    """The columns as they are shown."""
    for rule in spec.changes:
        columns = {**columns, **rule.plain(columns, {one.name: one.type for one in spec.node.fields})}
    return columns
