"""A plan as an outline, a step a line; and what each rule of placement made of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from accord.plan.catalog import Catalog
from accord.plan.nodes import Input, Local, Node, Public, Scan
from accord.plan.place import RULES, place
from accord.plan.steps import sentence


@dataclass(frozen=True)
class Rewriting:
    """One rule that changed a plan: its name, what it is for in a sentence, and the plan before and after."""

    rule: str
    purpose: str
    before: Node
    after: Node

    @property
    def text(self) -> str:
        """For people who want to see why a plan is as it is."""
        return f"{self.rule}: {self.purpose}\n\nbefore\n{outline(self.before, 1)}after\n{outline(self.after, 1)}"


def rewritings(node: Node, catalog: Catalog) -> tuple[Rewriting, ...]:
    """The rules that change a plan when it is placed, in order. Raises Refused where it cannot be placed."""
    made: list[Rewriting] = []
    last = [node]

    def hear(rule: str, after: Node) -> None:
        if after != last[-1]:
            made.append(Rewriting(rule, _PURPOSES[rule], last[-1], after))
        last.append(after)

    place(node, catalog, hear)
    return tuple(made)


def _purpose(module: str) -> str:
    """What a rule's own file says of it first."""
    said = (sys.modules[module].__doc__ or "").split("\n\n")[0].removeprefix("Rule: ")
    return " ".join(said.split())


_PURPOSES = {rule.__name__: _purpose(rule.__module__) for rule in RULES}


def outline(node: Node, depth: int = 0) -> str:
    """The plan from its result down, a step a line; public columns carry a star."""
    columns = ", ".join(f"{one.name}{'*' if one.public else ''}" for one in node.fields)
    lines = f"{'  ' * depth}{type(node).__name__}{_what(node)} -> {columns}\n"
    if isinstance(node, Input):
        lines += "".join(f"{'  ' * depth}  | {line}\n" for line in node.sql.splitlines())
    return lines + "".join(outline(one, depth + 1) for one in node.inputs)


def _what(node: Node) -> str:
    if isinstance(node, Scan):
        return f" {node.table}"
    if isinstance(node, Public):
        return f" of {len(node.rows)} rows" if node.name.startswith("public_") else f" {node.name}"
    if isinstance(node, Input):
        keys = " × ".join(f"{name} {list(values)}" for name, values in node.keys)
        return f" of {node.owner}: {keys or 'no key'}, {node.slots} rows each"
    if isinstance(node, Local):
        return ""
    return f": {sentence(node, ['it', 'the other'] if len(node.inputs) < 3 else [f'part {at + 1}' for at, _ in enumerate(node.inputs)])}"
