"""A plan as a plain document: the same plan gives the same bytes, and those enter the plan hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from accord.base import canonical
from accord.base.errors import OurFault
from accord.mpc.party import Profile
from accord.plan.expression import AggregateCall, Call, ColumnRef, Expression, Literal, WindowCall
from accord.plan.facts import walk
from accord.plan.nodes import Aggregate, Concatenate, Field, Filter, Input, Join, Limit, Node, Project, Promise, Public, Sort, Window
from accord.plan.noised import Noised
from accord.plan.types import TEXT, Type


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
        return {"step": name, "predicate": expression_document(node.predicate)}
    if isinstance(node, Project):
        return {"step": name, "columns": [[column, expression_document(expression)] for column, expression in node.columns]}
    if isinstance(node, Join):
        return {"step": name, "kind": node.kind, "on": [list(pair) for pair in node.on], **_secret_join(node)}
    if isinstance(node, Aggregate):
        made = [[column, _aggregate(one)] for column, one in node.aggregates]
        secret = {"telling": list(node.telling), "groups_max": node.groups_max} if node.telling else {}
        return {"step": name, "keys": list(node.keys), "aggregates": made, **secret}
    if isinstance(node, Sort):
        return {"step": name, "keys": [[key, descending] for key, descending in node.keys]}
    if isinstance(node, Window):
        order = [[key, descending] for key, descending in node.order]
        return {
            "step": name,
            "partition": list(node.partition),
            "order": order,
            "calls": [[made, _window(one)] for made, one in node.calls],
        }
    if isinstance(node, Limit):
        return {"step": name, "count": node.count, "offset": node.offset}
    if isinstance(node, Concatenate):
        return {"step": name}
    if isinstance(node, Noised):
        noise = [[column, law.document()] for column, law in node.noise]
        return {"step": name, "release": node.release, "noise": noise, **({"threshold": asdict(node.threshold)} if node.threshold else {})}
    if isinstance(node, Promise):
        return {"step": name, "tables": list(node.tables)}
    raise OurFault(f"a {name} in a plan to be signed", do="place the plan first")


def _secret_join(node: Join) -> dict[str, Any]:
    """What only a join on secret columns says."""
    said = {"nulls_agree": node.nulls_agree, "rows_max": node.rows_max, "unique": node.unique, "in_order": node.in_order}
    match = {"match": {"kind": type(node.match).__name__.lower(), **asdict(node.match)}} if node.match else {}
    return {**{name: value for name, value in said.items() if value}, **match}


def _type(type: Type) -> list[Any]:
    bytes_max = [type.bytes_max] if type.kind == TEXT else []
    return [type.kind, type.low, type.high, type.scale, list(type.values), type.nullable, *bytes_max]


def _field(field: Field) -> list[Any]:
    return [field.name, _type(field.type), field.public]


def expression_document(expression: Expression) -> list[Any]:
    """An expression as plain lists; a column is its name."""
    if isinstance(expression, ColumnRef):
        return ["column", expression.name]
    if isinstance(expression, Literal):
        return ["constant", _type(expression.type), expression.value]
    assert isinstance(expression, Call)
    return [expression.function, _type(expression.type), *map(expression_document, expression.arguments)]


def formula_document(expression: Expression) -> dict[str, Any]:
    """An expression with the types of the columns that it reads, which may be shown with wider ones."""
    return {"of": expression_document(expression), "columns": {one.name: _type(one.type) for one in _columns(expression)}}


def read_formula(document: Mapping[str, Any]) -> Expression:
    """The expression of `formula_document`. Raises KeyError, TypeError or ValueError for what is none."""
    return _read_expression(document["of"], {name: _read_type(one) for name, one in document["columns"].items()})


def _columns(expression: Expression) -> list[ColumnRef]:
    if isinstance(expression, Call):
        return [one for argument in expression.arguments for one in _columns(argument)]
    return [expression] if isinstance(expression, ColumnRef) else []


def _read_expression(document: Any, columns: Mapping[str, Type]) -> Expression:
    what, *rest = document
    if what == "column":
        return ColumnRef(columns[rest[0]], rest[0])
    if what == "constant":
        return Literal(_read_type(rest[0]), rest[1])
    return Call(_read_type(rest[0]), what, tuple(_read_expression(one, columns) for one in rest[1:]))


def _read_type(document: list[Any]) -> Type:
    kind, low, high, scale, values, nullable, *bytes_max = document
    return Type(kind, low, high, scale, tuple(values), nullable, *bytes_max)


def _aggregate(call: AggregateCall) -> list[Any]:
    return [call.function, _type(call.type), _argument(call.argument), *_further(call)]


def _further(call: AggregateCall) -> list[Any]:
    return [list(call.quantile)] if call.quantile else [call.rank] if call.rank else []


def _window(call: WindowCall) -> list[Any]:
    return [call.function, _type(call.type), _argument(call.argument), list(call.frame), call.offset]


def _argument(argument: Expression | None) -> list[Any] | None:
    return None if argument is None else expression_document(argument)
