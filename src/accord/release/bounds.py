"""How far from the truth each released column can be: what servers state of it before anybody opens it."""

from __future__ import annotations

from decimal import Decimal

from accord.plan.correlated import CORRELATED, correlated
from accord.plan.expression import ColumnRef
from accord.plan.nodes import Field
from accord.release.spec import ReleaseSpec
from accord.release.table import EXACT

COMPUTED = "within the interval beside it in at least 95 of 100 cases (noise)"


def error_bounds(spec: ReleaseSpec) -> dict[str, str]:
    """By column, as the recipient sees it: exact, changed by a rule, or within so much for noise."""
    given = {one.name: _bound(spec, one) for one in spec.released}
    made = {name: given[one.name] if isinstance(one, ColumnRef) else COMPUTED for name, one in spec.formulas}
    return made or given


def _bound(spec: ReleaseSpec, one: Field) -> str:
    if noise := dict(spec.noise).get(one.name):
        return f"±{Decimal(noise.half_width()).scaleb(-one.type.scale):f} in 95 of 100 cases (noise)"
    asked = next((field for field in spec.node.fields if field.name == one.name), one)
    changes = [rule.sentence for rule in spec.changes if one.name in rule.columns or rule.changed(asked) != asked]
    near = [CORRELATED] if one.name in correlated(spec.node) else []
    return "; ".join((*near, *changes)) or EXACT
