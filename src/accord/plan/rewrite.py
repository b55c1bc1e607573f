"""What the rules of placement share: rebuilding expressions, and telling what is public."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from accord.plan.expression import Call, ColumnRef, Expression
from accord.plan.facts import walk, with_inputs
from accord.plan.nodes import Aggregate, Filter, Join, Local, Node, Project, Public, Window
from accord.plan.typing import call, column

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


def functions_of(expression: Expression) -> frozenset[str]:
    """The functions that an expression calls."""
    if not isinstance(expression, Call):
        return frozenset()
    return frozenset({expression.function}).union(*(functions_of(one) for one in expression.arguments))


def expressions_of(node: Node) -> tuple[Expression, ...]:
    """What a node computes of its input's columns."""
    if isinstance(node, Filter):
        return (node.predicate,)
    if isinstance(node, Project):
        return tuple(expression for _, expression in node.columns)
    if isinstance(node, Aggregate):
        return tuple(call.argument for _, call in node.aggregates if call.argument is not None)
    return tuple(call.argument for _, call in node.calls if call.argument is not None) if isinstance(node, Window) else ()


def with_expressions(node: Node, changed: Mapping[Expression, Expression], inputs: tuple[Node, ...]) -> Node:
    """The node over other inputs, with others in place of the expressions that it computes."""
    if all(changed[one] is one for one in expressions_of(node)):
        return with_inputs(node, inputs)
    if isinstance(node, Filter):
        return Filter(inputs[0], changed[node.predicate])
    if isinstance(node, Project):
        return Project(inputs[0], tuple((name, changed[expression]) for name, expression in node.columns))
    if isinstance(node, Aggregate):
        made = ((name, call if call.argument is None else replace(call, argument=changed[call.argument])) for name, call in node.aggregates)
        return replace(node, input=inputs[0], aggregates=tuple(made))
    assert isinstance(node, Window)
    calls = ((name, call if call.argument is None else replace(call, argument=changed[call.argument])) for name, call in node.calls)
    return replace(node, input=inputs[0], calls=tuple(calls))


def filtered(node: Node, conditions: Sequence[Expression]) -> Node:
    """The rows of a table for which all conditions are true."""
    return Filter(node, conjunction(conditions)) if conditions else node


def equated(join: Join, pair: tuple[str, str]) -> Expression:
    """A pair of a join's columns as a condition."""
    return call("eq", column(join.left.field(pair[0])), column(join.right.field(pair[1])))


def is_public(node: Node) -> bool:
    """Whether a plan reads public tables alone."""
    return all(isinstance(one, Public) for one in walk(node) if not one.inputs)
