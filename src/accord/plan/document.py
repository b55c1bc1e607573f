"""A plan as a plain document: the same plan gives the same bytes, and those enter the plan hash."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from accord.base import canonical
from accord.base.errors import OurFault
from accord.mpc.party import Profile
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression, Literal
from accord.plan.facts import walk
from accord.plan.nodes import Aggregate, Concatenate, Field, Filter, Input, Join, Node, Project, Public, Sort
from accord.plan.types import Type


def plan_document(node: Node, profile: Profile) -> dict[str, Any]:
    """The placed plan: its steps, inputs first, each naming its inputs by number; and the profile that all servers agree on."""
    steps = list(walk(node))
    numbers = {id(one): number for number, one in enumerate(steps)}
    return {
        "profile": asdict(profile),
        "steps": [{"inputs": [numbers[id(below)] for below in one.inputs], **_step(one)} for one in steps],
        "columns": [_field(one) for one in node.fields],
    }


def _step(node: Node) -> dict[str, Any]:
    name = type(node).__name__.lower()
    if isinstance(node, Public):
        rows = canonical.digest("public rows", repr(node.rows).encode()).hex()
        return {"step": name, "columns": [_field(one) for one in node.columns], "rows": len(node.rows), "digest": rows}
    if isinstance(node, Input):
        return {
            "step": name,
            "name": node.name,
            "owner": node.owner,
            "sql": node.sql,
            "keys": [[key, list(values)] for key, values in node.keys],
            "slots": node.slots,
            "columns": [_field(one) for one in node.columns],
        }
    if isinstance(node, Filter):
        return {"step": name, "predicate": _expression(node.predicate)}
    if isinstance(node, Project):
        return {"step": name, "columns": [[column, _expression(expression)] for column, expression in node.columns]}
    if isinstance(node, Join):
        return {"step": name, "kind": node.kind, "on": [list(pair) for pair in node.on]}
    if isinstance(node, Aggregate):
        return {"step": name, "keys": list(node.keys), "aggregates": [[column, _aggregate(one)] for column, one in node.aggregates]}
    if isinstance(node, Sort):
        return {"step": name, "keys": [[key, descending] for key, descending in node.keys]}
    if isinstance(node, Concatenate):
        return {"step": name}
    raise OurFault(f"a {name} in a plan to be signed", do="place the plan first")


def _type(type: Type) -> list[Any]:
    return [type.kind, type.low, type.high, type.scale, list(type.values), type.nullable]


def _field(field: Field) -> list[Any]:
    return [field.name, _type(field.type), field.public]


def _expression(expression: Expression) -> list[Any]:
    if isinstance(expression, ColumnRef):
        return ["column", expression.name]
    if isinstance(expression, Literal):
        return ["constant", _type(expression.type), expression.value]
    assert isinstance(expression, Call)
    return [expression.function, _type(expression.type), *map(_expression, expression.arguments)]


def _aggregate(call: AggregateCall) -> list[Any]:
    return [call.function, _type(call.type), None if call.argument is None else _expression(call.argument)]
