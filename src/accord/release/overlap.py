"""What stops a whole run: that a release is too close to an earlier one, as checks on shares find it. No server learns whether one does.

The checks' results are a release of their own, to the owners alone, who count it; and faults of every other release, so that nothing is
released where one is set and its recipients learn which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from accord.mpc.share import Bits
from accord.plan.catalog import Catalog
from accord.plan.expression import Literal
from accord.plan.nodes import Concatenate, Node, Project
from accord.plan.overlap import CLOSE
from accord.plan.place import place
from accord.plan.secure_table import SecretColumn, SecureTable, take_bits
from accord.plan.types import CATEGORY, Type
from accord.plan.typing import column
from accord.release.spec import ReleaseSpec

HISTORY = "history.close"
"""The checks' own release: a name that no study can give."""
COMPARED = "compared"


@dataclass(frozen=True)
class Check:
    """One thing that stops a run: the sentence that recipients and owners get, and a plan, not yet placed, of one row with the column
    CLOSE."""

    sentence: str
    node: Node


def watch(checks: Sequence[Check], owners: tuple[str, ...], catalog: Catalog) -> ReleaseSpec:
    """The checks as a release to the owners: one row each, in order."""
    kind = Type(CATEGORY, 0, len(checks) - 1, 0, tuple(one.sentence for one in checks))
    rows = [Project(one.node, ((COMPARED, Literal(kind, at)), (CLOSE, column(one.node.field(CLOSE))))) for at, one in enumerate(checks)]
    node = place(Concatenate(tuple(rows)), catalog)
    reason = f"owners learn of a run that was stopped why it was: {'; or '.join(kind.values)}"
    return ReleaseSpec(HISTORY, node, owners, reason=reason, title="What stopped the run")


def stopped(specs: Sequence[ReleaseSpec], tables: Sequence[SecureTable]) -> list[SecureTable]:
    """The tables of releases, those under rules with a fault for each check of the run. What has noise hides differences by itself."""
    faults = [fault for spec, table in zip(specs, tables, strict=True) if spec.name == HISTORY for fault in _faults(table)]
    return [
        table if spec.name == HISTORY or spec.noise else replace(table, faults=(*table.faults, *faults))
        for spec, table in zip(specs, tables, strict=True)
    ]


def _faults(table: SecureTable) -> list[tuple[str, Bits]]:
    sentences, flags = table.public(COMPARED), table.columns[CLOSE]
    assert isinstance(flags, SecretColumn) and isinstance(flags.value, Bits)
    told = [sentences.type.values[code] for code in sentences.values.tolist()]
    return [(sentence, take_bits(flags.value, np.array([at]))) for at, sentence in enumerate(told)]
