"""What a study declares that a question can be asked of: owners' tables, public tables, domains."""

from __future__ import annotations

from dataclasses import dataclass

from accord.base.errors import Refused
from accord.data.schema import TableSchema
from accord.plan.nodes import Public


@dataclass(frozen=True)
class TableInfo:
    """A table that one or several owners hold, each its own rows.

    `rows_max` is each owner's public bound on its rows, in the order of `owners`. `owner_column`, where declared, is a category column
    whose value is the same in all of an owner's rows; `owner_values` gives that value for each owner. `unique_across_owners`: the study
    promises that the unique key differs between rows of different owners too, which servers check (`plan/promises.py`).
    """

    schema: TableSchema
    owners: tuple[str, ...]
    rows_max: tuple[int, ...]
    owner_column: str | None = None
    owner_values: tuple[str, ...] = ()
    unique_across_owners: bool = False

    @property
    def promises_unique(self) -> bool:
        """Whether the unique key of all owners' rows together is a promise that nobody can check alone."""
        return self.unique_across_owners and len(self.owners) > 1 and self.owner_column not in self.schema.unique


@dataclass(frozen=True)
class Catalog:
    """Tables by name."""

    tables: dict[str, TableInfo]
    publics: dict[str, Public]

    def table(self, name: str) -> TableInfo | Public:
        """Raises Refused for a name that the study does not declare."""
        found = self.tables.get(name) or self.publics.get(name)
        if found is None:
            known = ", ".join(sorted({*self.tables, *self.publics}))
            raise Refused(f"no table {name!r} in this study; it declares {known}")
        return found
