"""Rule: inner joins are done in the order that leaves most of them to owners, and the fewest rows to the servers.

SQL names tables in any order. Tables of one owner, and public ones, are joined first where a condition connects them; what is left is
joined two at a time, the pair with the smallest bound on its rows first. Semi, anti and left joins change no other rows: they stand where
they can be an owner's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from accord.plan.catalog import Catalog
from accord.plan.expression import Call, ColumnRef, Expression, columns_of
from accord.plan.facts import rows_max, walk, with_inputs
from accord.plan.lift import lift_step
from accord.plan.nodes import Filter, Join, Local, Node, Project
from accord.plan.rewrite import conjuncts, equated, filtered, is_public
from accord.plan.typing import column

Names = frozenset[str]
Equal = Mapping[str, Names]


def order_joins(node: Node, catalog: Catalog) -> Node:
    """Joins that one step stands between, or whose columns have one name, keep their order; so do all where no other is cheaper."""
    return _Order(node, catalog).rebuilt(node)


@dataclass
class _Block:
    """Inner joins without their order: the tables, columns computed of one of them, conditions; and the semi, anti and left joins, which
    need only some columns of the left to be there."""

    leaves: list[Node] = field(default_factory=list)
    computed: list[list[tuple[str, Expression]]] = field(default_factory=list)
    conditions: list[Expression] = field(default_factory=list)
    choices: list[Join] = field(default_factory=list)

    @property
    def names(self) -> Names:
        """Every column."""
        of_leaves = [frozenset(one.name for one in leaf.fields) for leaf in self.leaves]
        of_choices = [frozenset(one.name for one in choice.right.fields) for choice in self.choices if not choice.is_choice]
        return frozenset(name for made in self.computed for name, _ in made).union(*of_leaves, *of_choices)

    def with_leaf(self, node: Node) -> _Block:
        return _Block([*self.leaves, node], [*self.computed, []], self.conditions, self.choices)

    def joined(self, other: _Block) -> _Block | None:
        """Both blocks, unless a column of one has the name of another's."""
        if self.names & other.names:
            return None
        return _Block(
            self.leaves + other.leaves, self.computed + other.computed, self.conditions + other.conditions, self.choices + other.choices
        )

    def projected(self, node: Project) -> _Block | None:
        """The block with a projection's computed columns, unless one is made of several tables or takes another's name."""
        computed = [list(one) for one in self.computed]
        for name, expression in node.columns:
            if isinstance(expression, ColumnRef) and expression.name == name:
                continue
            read = columns_of(expression)
            at = next((at for at, _ in enumerate(self.leaves) if read and read <= frozenset(f.name for f in self.leaves[at].fields)), None)
            if at is None or name in self.names:
                return None
            computed[at].append((name, expression))
        return _Block(self.leaves, computed, self.conditions, self.choices)


@dataclass(frozen=True)
class _Part:
    """A table made so far; `lifted` is what owners would do of it."""

    node: Node
    lifted: Node

    @property
    def names(self) -> Names:
        return frozenset(one.name for one in self.node.fields)

    @property
    def is_local(self) -> bool:
        return isinstance(self.lifted, Local) or is_public(self.lifted)


@dataclass
class _Left:
    """What of a block is left to do; `equal` holds in every row that is left in the end."""

    conditions: list[Expression]
    choices: list[Join]
    equal: Equal

    def within(self, names: Names) -> list[Expression]:
        """The conditions that read these columns alone."""
        return [one for one in self.conditions if columns_of(one) and columns_of(one) <= names]

    def settle(self, names: Names) -> list[Expression]:
        """Takes those conditions away."""
        mine = self.within(names)
        self.conditions = [one for one in self.conditions if one not in mine]
        return mine


class _Order:
    def __init__(self, node: Node, catalog: Catalog) -> None:
        self.catalog = catalog
        self.uses = Counter(id(below) for one in walk(node) for below in one.inputs)
        self.done: dict[int, tuple[Node, Node]] = {}
        self.lifted: dict[int, tuple[Node, Node]] = {}

    def rebuilt(self, node: Node) -> Node:
        if id(node) not in self.done:
            self.done[id(node)] = (node, self._rebuilt(node))
        return self.done[id(node)][1]

    def _rebuilt(self, node: Node) -> Node:
        block = self._gathered(node, top=True)
        if block is None or len(block.leaves) + len(block.choices) < 3:
            return with_inputs(node, tuple(self.rebuilt(one) for one in node.inputs))
        parts = {id(one): self.rebuilt(one) for one in (*block.leaves, *(choice.right for choice in block.choices))}
        before, after = _replaced(node, parts), self._ordered(block, parts)
        if self._weight(after) >= self._weight(before):
            return before
        names = [one.name for one in after.fields]
        wanted = [one.name for one in node.fields]
        return after if names == wanted else Project(after, tuple((name, column(after.field(name))) for name in wanted))

    # ---- what may change places

    def _gathered(self, node: Node, top: bool = False) -> _Block | None:
        """The block that ends in a node; of the node alone where it is no join, or used twice. None: names meet."""
        found = self._inner(node) if top or self.uses[id(node)] <= 1 else None
        return found if top or found is not None else _Block().with_leaf(node)

    def _inner(self, node: Node) -> _Block | None:
        if isinstance(node, Filter) and (below := self._gathered(node.input)):
            return replace(below, conditions=[*below.conditions, *conjuncts(node.predicate)])
        if isinstance(node, Project) and isinstance(node.input, Join | Project | Filter) and (below := self._gathered(node.input)):
            return below.projected(node) if len(below.leaves) > 1 else None
        if (
            isinstance(node, Join)
            and (node.is_choice or node.kind == "left")
            and not (node.rows_max or node.match)
            and (below := self._gathered(node.left))
        ):
            meets = not node.is_choice and below.names & {one.name for one in node.right.fields}
            return None if meets else replace(below, choices=[*below.choices, node])
        if isinstance(node, Join) and node.kind in ("inner", "cross") and not (node.rows_max or node.match):
            left, right = self._gathered(node.left), self._gathered(node.right)
            both = left.joined(right) if left and right else None
            pairs = [equated(node, pair) for pair in node.on]
            return replace(both, conditions=[*both.conditions, *pairs]) if both else None
        return None

    # ---- the new order

    def _ordered(self, block: _Block, nodes: Mapping[int, Node]) -> Node:
        left = _Left(list(block.conditions), [replace(one, right=nodes[id(one.right)]) for one in block.choices], _equal(block.conditions))
        parts = []
        for at, leaf in enumerate(block.leaves):
            node = nodes[id(leaf)]
            if block.computed[at]:
                node = Project(node, (*((one.name, column(one)) for one in node.fields), *block.computed[at]))
            parts.append(self._conditioned(node, left))
        parts = self._chosen(parts, left, local=True)
        while len(parts) > 1:
            first, second, joined = self._next(parts, left)
            if not joined.is_local:
                parts = self._chosen(parts, left, local=False)
                joined = self._join(parts[first], parts[second], left)
            left.settle(joined.names)
            parts = [*parts[:first], joined, *(one for at, one in enumerate(parts) if at > first and at != second)]
            parts = self._chosen(parts, left, local=True)
        (whole,) = self._chosen(parts, left, local=False)
        return filtered(whole.node, left.conditions)

    def _chosen(self, parts: list[_Part], left: _Left, local: bool) -> list[_Part]:
        """The tables after the semi, anti and left joins that apply to one of them; with `local` only those that are then its owner's."""
        for choice in list(left.choices):
            for at, part in enumerate(parts):
                made = self._choice(choice, part, left.equal)
                if made is not None and (made.is_local or not local):
                    parts = [*parts[:at], self._conditioned(made.node, left), *parts[at + 1 :]]
                    left.choices.remove(choice)
                    break
        return parts

    def _choice(self, choice: Join, part: _Part, equal: Equal) -> _Part | None:
        """A semi, anti or left join of a table that has its columns, or others that equal them in the end."""
        on = []
        for name, other in choice.on:
            here = [name] if name in part.names else sorted(equal.get(name, frozenset()) & part.names)
            if not here:
                return None
            on.append((here[0], other))
        return self._part(replace(choice, left=part.node, on=tuple(on)))

    def _conditioned(self, node: Node, left: _Left) -> _Part:
        """The table after the conditions on it alone."""
        return self._part(filtered(node, left.settle(frozenset(one.name for one in node.fields))))

    def _next(self, parts: list[_Part], left: _Left) -> tuple[int, int, _Part]:
        """The two tables to join now: connected before apart, an owner's before the servers', few rows before many."""
        best: tuple[tuple[bool, bool, int, int, int], _Part] | None = None
        for first in range(len(parts)):
            for second in range(first + 1, len(parts)):
                joined = self._join(parts[first], parts[second], left)
                last = joined.node.input if isinstance(joined.node, Filter) else joined.node
                apart = not (isinstance(last, Join) and last.on)
                rank = (apart, not joined.is_local, rows_max(joined.node, frozenset(), self.catalog), first, second)
                if best is None or rank < best[0]:
                    best = (rank, joined)
        assert best is not None
        return best[0][3], best[0][4], best[1]

    def _join(self, first: _Part, second: _Part, left: _Left) -> _Part:
        """Both joined on the equalities between them, with the other conditions that they settle."""
        on, rest = [], []
        for one in left.within(first.names | second.names):
            pair = _pair(one, first.names, second.names)
            if pair:
                on.append(pair)
            else:
                rest.append(one)
        return self._part(filtered(Join(first.node, second.node, "inner" if on else "cross", tuple(dict.fromkeys(on))), rest))

    def _part(self, node: Node) -> _Part:
        return _Part(node, self._lift(node))

    def _lift(self, node: Node) -> Node:
        if id(node) not in self.lifted:
            self.lifted[id(node)] = (node, lift_step(with_inputs(node, tuple(map(self._lift, node.inputs))), self.catalog))
        return self.lifted[id(node)][1]

    def _weight(self, node: Node) -> int:
        """The rows that joins on shares take in and give, at most."""
        weight, seen = 0, set()
        waiting = [self._lift(node)]
        while waiting:
            one = waiting.pop()
            if isinstance(one, Local) or id(one) in seen:
                continue
            seen.add(id(one))
            waiting += one.inputs
            if isinstance(one, Join) and not is_public(one):
                weight += sum(rows_max(table, frozenset(), self.catalog) for table in (one, *one.inputs))
        return weight


def _pair(condition: Expression, lefts: Names, rights: Names) -> tuple[str, str] | None:
    """The columns that a condition equates across two tables."""
    if not (isinstance(condition, Call) and condition.function == "eq"):
        return None
    names = [one.name for one in condition.arguments if isinstance(one, ColumnRef)]
    if len(names) < 2 or frozenset(names) <= lefts or frozenset(names) <= rights:
        return None
    return (names[0], names[1]) if names[0] in lefts else (names[1], names[0])


def _equal(conditions: list[Expression]) -> Equal:
    """For each column the others that equal it in every row that is left."""
    classes: dict[str, Names] = {}
    for one in conditions:
        names = [side.name for side in one.arguments if isinstance(side, ColumnRef)] if isinstance(one, Call) else []
        if isinstance(one, Call) and one.function == "eq" and len(names) == 2:
            whole = frozenset(names).union(*(classes.get(name, frozenset()) for name in names))
            classes.update(dict.fromkeys(whole, whole))
    return classes


def _replaced(node: Node, parts: Mapping[int, Node]) -> Node:
    """The same joins over other tables."""
    if id(node) in parts:
        return parts[id(node)]
    return with_inputs(node, tuple(_replaced(one, parts) for one in node.inputs))
