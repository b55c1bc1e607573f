"""What the rules of placement share: rebuilding expressions, and telling what is public."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from accord.plan.expression import Call, ColumnRef, Expression
from accord.plan.facts import walk, with_inputs
from accord.plan.nodes import Local, Node, Public
from accord.plan.typing import call

Step = Callable[[Node], Node]


def bottom_up(node: Node, step: Step, below_local: bool = True) -> Node:
    """The plan with `step` applied to every node whose inputs are done; a node that is used twice stays one."""
    done: dict[int, tuple[Node, Node]] = {}

    def visit(one: Node) -> Node:
        if id(one) not in done:
            inputs = one.inputs if isinstance(one, Local) and not below_local else tuple(visit(below) for below in one.inputs)
            done[id(one)] = (one, step(with_inputs(one, inputs)))
        return done[id(one)][1]

    return visit(node)


def substituted(expression: Expression, columns: Mapping[str, Expression]) -> Expression:
    """The expression with columns replaced by name."""
    if isinstance(expression, ColumnRef):
        return columns.get(expression.name, expression)
    if isinstance(expression, Call):
        return replace(expression, arguments=tuple(substituted(one, columns) for one in expression.arguments))
    return expression


def conjuncts(predicate: Expression) -> list[Expression]:
    """The conditions that a predicate joins with AND."""
    if isinstance(predicate, Call) and predicate.function == "and":
        return [part for argument in predicate.arguments for part in conjuncts(argument)]
    return [predicate]


def conjunction(parts: Sequence[Expression]) -> Expression:
    return parts[0] if len(parts) == 1 else call("and", *parts)


def is_public(node: Node) -> bool:
    """Whether a plan reads public tables alone."""
    return all(isinstance(one, Public) for one in walk(node) if not one.inputs)
