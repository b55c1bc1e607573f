"""The disclosure rules by the names that studies give them, and how they are read from a study."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from accord.base.errors import Refused
from accord.release.rule import Rule
from accord.release.rule_alone import NeverAlone
from accord.release.rule_cell_key import CellKey
from accord.release.rule_coding import BottomCoding, TopCoding
from accord.release.rule_counts import MinimumContributors, MinimumCount, ZeroAndFull
from accord.release.rule_dominance import Dominance, PPercent
from accord.release.rule_extremes import NoExactExtremes
from accord.release.rule_microdata import KAnonymity
from accord.release.rule_models import AtRisk, MaximumLeverage, MinimumDegreesOfFreedom
from accord.release.rule_rounding import Rounding
from accord.release.rule_suppression import ComplementarySuppression

RULES: dict[str, type[Rule]] = {
    one.name: one
    for one in (
        MinimumCount,
        MinimumContributors,
        ZeroAndFull,
        Dominance,
        PPercent,
        NoExactExtremes,
        MinimumDegreesOfFreedom,
        MaximumLeverage,
        AtRisk,
        NeverAlone,
        ComplementarySuppression,
        KAnonymity,
        Rounding,
        TopCoding,
        BottomCoding,
        CellKey,
    )
}

_KINDS: dict[str, tuple[type, str]] = {
    "str": (str, "a text"),
    "int": (int, "a number"),
    "tuple[str, ...]": (list, "columns"),
    "Hierarchies": (dict, "columns with their levels"),
    "Runs": (list, "for each count a list of [noise, number of keys]"),
}
"""What a study may write for a parameter, by its annotation."""


def read_rules(documents: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rules as a study writes them: `{ rule = "minimum_count", column = "n", minimum = 10 }`. Raises Refused for what is no rule."""
    return tuple(_read(document) for document in documents)


def _read(document: Mapping[str, Any]) -> Rule:
    kind = RULES.get(str(document.get("rule")))
    if kind is None:
        raise Refused(f"no rule {document.get('rule')!r}", rule=f"one of {', '.join(RULES)}", do="name one of them")
    parameters = inspect.signature(kind).parameters
    given = {name: value for name, value in document.items() if name != "rule"}
    wanted = {name: _KINDS[str(one.annotation)] for name, one in parameters.items()}
    needed = {name for name, one in parameters.items() if one.default is inspect.Parameter.empty}
    if not needed <= given.keys() <= wanted.keys() or any(type(value) is not wanted[name][0] for name, value in given.items()):
        form = ", ".join(f"{name} = {words}{'' if name in needed else ' (may be left out)'}" for name, (_, words) in wanted.items())
        raise Refused(f"rule {kind.name} with {given}", rule=f"{kind.name} takes {form or 'nothing'}", do="correct the rule")
    return kind(**{name: _frozen(value) for name, value in given.items()})


def _frozen(value: Any) -> Any:
    """Lists and tables as tuples."""
    if isinstance(value, dict):
        return tuple((name, _frozen(one)) for name, one in value.items())
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
