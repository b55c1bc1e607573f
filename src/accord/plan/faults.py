"""What can turn out wrong only while a plan runs, in the words that recipients get: one sentence each, in the clear as on shares."""

from __future__ import annotations

from collections.abc import Sequence

from accord.plan.nodes import Join


def repeated_keys(table: str, columns: Sequence[str]) -> str:
    """Rows of different owners, or of one, with the key that a study promises to be unique."""
    return f"two rows of {table} have the same {' and '.join(columns)}, which the study promises to be unique across its owners"


def too_many_rows(join: Join) -> str:
    """More rows than the declared bound of a join in which neither side's keys are unique."""
    return f"the join on {join.agreement} has more than the {join.rows_max} rows that the study declares for it"
