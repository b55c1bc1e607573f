"""Rule: a condition moves below joins, projections, windows and group-bys to the one table that it reads, for its owner to apply."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from accord.base.names import fresh_name
from accord.plan.catalog import Catalog
from accord.plan.expression import LOCAL_FUNCTIONS, Call, ColumnRef, Expression, columns_of
from accord.plan.facts import walk, with_inputs
from accord.plan.nodes import Aggregate, AsOf, Concatenate, Filter, Join, Node, Project, Promise, Several, Sort, Window
from accord.plan.rewrite import conjuncts, filtered, functions_of, substituted
from accord.plan.typing import column

Names = frozenset[str]


def push_filters(node: Node, _: Catalog) -> Node:
    """A condition stays where it computes on derived columns, reads the NULL side of an outer join, or where a table is used twice.

    One that equates the sides of an inner join becomes a pair of its columns; what it computes of one side is computed there.
    """
    return _Push(node).pushed(node, [])


class _Push:
    def __init__(self, node: Node) -> None:
        self.uses = Counter(id(below) for one in walk(node) for below in one.inputs)
        self.done: dict[int, tuple[Node, Node]] = {}

    def pushed(self, node: Node, pending: list[Expression]) -> Node:
        """The node with the pending conditions applied as far down as they go."""
        if self.uses[id(node)] > 1:
            if id(node) not in self.done:
                self.done[id(node)] = (node, self._through(node, []))
            return filtered(self.done[id(node)][1], pending)
        return self._through(node, pending)

    def _through(self, node: Node, pending: list[Expression]) -> Node:
        if isinstance(node, Filter):
            return self.pushed(node.input, [*conjuncts(node.predicate), *pending])
        if isinstance(node, Join):
            return self._join(node, pending)
        if isinstance(node, Several):
            return Several(tuple(self.pushed(one, []) for one in node.parts))
        if isinstance(node, Concatenate):
            return Concatenate(tuple(self.pushed(one, pending) for one in node.parts))
        if isinstance(node, Promise):
            return with_inputs(node, (self.pushed(node.input, pending), *(self.pushed(one, []) for one in node.keys)))
        here, below = _split(node, pending)
        if len(node.inputs) != 1:
            return filtered(node, pending)
        return filtered(with_inputs(node, (self.pushed(node.inputs[0], below),)), here)

    def _join(self, node: Join, pending: list[Expression]) -> Node:
        lefts, rights = (frozenset(one.name for one in side.fields) for side in (node.left, node.right))
        # Of an as-of join, another choice of right rows would make others the nearest.
        is_inner, taken = node.kind in ("inner", "cross") and not isinstance(node.match, AsOf), set(lefts | rights)
        to_left, to_right, here, on = [], [], [], []
        computed: tuple[list[tuple[str, Expression]], list[tuple[str, Expression]]] = ([], [])
        for one in pending:
            if columns_of(one) <= lefts and node.kind not in ("right", "full"):
                to_left.append(one)
            elif columns_of(one) <= rights and (is_inner or node.kind == "right"):
                to_right.append(one)
            elif is_inner and (sides := _equality(one, lefts, rights)):
                on.append((_named(sides[0], computed[0], taken), _named(sides[1], computed[1], taken)))
            else:
                here.append(one)
        pairs = tuple(dict.fromkeys((*node.on, *on)))
        kind = "inner" if node.kind == "cross" and pairs else node.kind
        left, right = (
            _with(self.pushed(side, own), made) for side, own, made in zip(node.inputs, (to_left, to_right), computed, strict=True)
        )
        joined: Node = replace(node, left=left, right=right, kind=kind, on=pairs)
        if computed[0] or computed[1]:
            joined = Project(joined, tuple((one.name, column(joined.field(one.name))) for one in node.fields))
        return filtered(joined, here)


def _split(node: Node, pending: list[Expression]) -> tuple[list[Expression], list[Expression]]:
    """The conditions that stay above a node, and those that go below it."""
    if isinstance(node, Sort):
        return [], pending
    if isinstance(node, Aggregate | Window):
        keys = frozenset(node.keys if isinstance(node, Aggregate) else node.partition)
        return _apart(pending, [bool(keys) and columns_of(one) <= keys for one in pending])
    if isinstance(node, Project):
        plain = {name: expression for name, expression in node.columns if not isinstance(expression, Call)}
        local = {name: expression for name, expression in node.columns if functions_of(expression) & LOCAL_FUNCTIONS}
        here, below = _apart(pending, [columns_of(one) <= frozenset(plain | local) for one in pending])
        return here, [substituted(one, plain | local) for one in below]
    return pending, []


def _apart(pending: list[Expression], goes: list[bool]) -> tuple[list[Expression], list[Expression]]:
    return [one for one, go in zip(pending, goes, strict=True) if not go], [one for one, go in zip(pending, goes, strict=True) if go]


def _equality(one: Expression, lefts: Names, rights: Names) -> tuple[Expression, Expression] | None:
    """The sides of a condition that equates something of the left table with something of the right."""
    if not (isinstance(one, Call) and one.function == "eq"):
        return None
    for first, second in (one.arguments, one.arguments[::-1]):
        if columns_of(first) and columns_of(second) and columns_of(first) <= lefts and columns_of(second) <= rights:
            return first, second
    return None


def _named(side: Expression, computed: list[tuple[str, Expression]], taken: set[str]) -> str:
    """The column that holds one side of an equality; a computed one gets a name."""
    if isinstance(side, ColumnRef):
        return side.name
    name = fresh_name("on", taken)
    taken.add(name)
    computed.append((name, side))
    return name


def _with(node: Node, computed: list[tuple[str, Expression]]) -> Node:
    return Project(node, (*((one.name, column(one)) for one in node.fields), *computed)) if computed else node
