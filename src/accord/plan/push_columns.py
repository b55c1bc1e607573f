"""Rule: what is computed of one owner's columns above a join, group-by or window is computed by that owner, below.

Functions of texts and the parts of dates (LOCAL_FUNCTIONS) have no other place. Of the rest, what would cost the servers a protocol
moves too: the owner computes it for nothing, and often shares one column in place of several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.plan.catalog import Catalog
from accord.plan.evaluate import Plain, evaluate
from accord.plan.expression import LOCAL_FUNCTIONS, Call, ColumnRef, Expression, Literal, columns_of
from accord.plan.facts import walk, with_inputs
from accord.plan.fold_constants import folded
from accord.plan.nodes import Aggregate, Concatenate, Filter, Join, Limit, Local, Node, Project, Several, Sort, Window
from accord.plan.rewrite import expressions_of, functions_of, is_public, substituted, with_expressions
from accord.plan.types import TEXT, Type
from accord.plan.typing import column

COSTLY = frozenset(("multiply", "divide", "floor_divide", "round", "abs", "case", "least", "greatest"))
COSTLY_CONDITIONS = frozenset(("eq", "ne", "lt", "le", "gt", "ge", "and", "or"))


def push_columns(node: Node, _: Catalog) -> Node:
    """Rows and the plan's columns stay as they are. Needs: owners' steps are gathered under Local."""
    return _Columns(node).rebuilt()


def require_local_functions(node: Node) -> None:
    """Raises Refused for a function of LOCAL_FUNCTIONS that no owner can compute alone."""
    for one in walk(node):
        for expression in expressions_of(one):
            for function in sorted(functions_of(expression) & LOCAL_FUNCTIONS):
                names = ", ".join(sorted(_read_by(expression, function)))
                raise Refused(
                    f"{function.upper()} of {names}, which the servers compute and no owner has",
                    rule="functions of texts and parts of dates are computed by one owner, of its own columns",
                    do="apply it to the columns of one table, before they are joined with others' or aggregated",
                )


def _read_by(expression: Expression, function: str) -> frozenset[str]:
    """The columns that a function within an expression reads."""
    if not isinstance(expression, Call):
        return frozenset()
    if expression.function == function:
        return columns_of(expression)
    return frozenset().union(*(_read_by(one, function) for one in expression.arguments))


def _is_worthwhile(expression: Call) -> bool:
    functions = functions_of(expression)
    if functions & LOCAL_FUNCTIONS or TEXT in (expression.type.kind, *(one.kind for one in _types(expression).values())):
        return True
    if expression.function == "multiply":
        return not any(isinstance(one, Literal) for one in expression.arguments)
    return expression.function in COSTLY | COSTLY_CONDITIONS


def is_null_of_nulls(expression: Expression) -> bool:
    """Whether an expression is NULL where all columns that it reads are, as in the rows of an outer join that meet none."""
    nothing = {name: Plain.empty(type, 1) for name, type in _types(expression).items()}
    return bool(evaluate(expression, nothing, 1).nulls[0])


def _types(expression: Expression) -> Mapping[str, Type]:
    if isinstance(expression, ColumnRef):
        return {expression.name: expression.type}
    found: dict[str, Type] = {}
    for one in expression.arguments if isinstance(expression, Call) else ():
        found.update(_types(one))
    return found


class _Columns:
    def __init__(self, node: Node) -> None:
        self.whole = node
        self.taken = {field.name for one in walk(node) for field in one.fields}
        self.added: dict[int, dict[Expression, tuple[str, tuple[str, ...]]]] = {}
        """For each node, what is computed there: its name, and what it is called in each input."""
        self.keys: dict[int, list[str]] = {}
        """For each group-by, what its keys tell and it passes on as keys of its own."""
        self.settled: dict[int, dict[Expression, Expression]] = {}
        self.done: dict[int, Node] = {}

    def rebuilt(self) -> Node:
        above = _above_local(self.whole)
        for one in above:
            if one.inputs and not isinstance(one, Local):
                self.settled[id(one)] = {whole: self._settled(one.inputs[0], whole) for whole in expressions_of(one)}
        return self._rebuilt(self.whole) if isinstance(self.whole, Several) else self._exactly(self.whole)

    # ---- what goes where

    def _settled(self, below: Node, expression: Expression) -> Expression:
        """The expression over a table that has some of it computed already."""
        if not isinstance(expression, Call) or not columns_of(expression):
            return expression
        if not is_public(below) and _is_worthwhile(expression) and self._lands(below, expression):
            return ColumnRef(expression.type, self._asked(below, expression))
        arguments = tuple(self._settled(below, one) for one in expression.arguments)
        same = all(new is old for new, old in zip(arguments, expression.arguments, strict=True))
        return expression if same else replace(expression, arguments=arguments)

    def _place(self, node: Node, expression: Expression) -> tuple[tuple[Node, Expression], ...] | None:
        """The inputs of which a node's expression can be asked, and how it is written there; None where it cannot be."""
        if isinstance(node, Filter | Sort | Limit):
            return ((node.input, expression),)
        if isinstance(node, Project):
            return ((node.input, folded(substituted(expression, dict(node.columns)))),)
        if isinstance(node, Window):
            own = columns_of(expression) <= {one.name for one in node.input.fields}
            return ((node.input, expression),) if own else None
        if isinstance(node, Aggregate):
            tells = bool(functions_of(expression) & LOCAL_FUNCTIONS) and columns_of(expression) <= frozenset(node.keys)
            return ((node.input, expression),) if tells else None
        if isinstance(node, Concatenate):
            return tuple((one, expression) for one in node.parts)
        return self._side(node, expression) if isinstance(node, Join) else None

    def _side(self, node: Join, expression: Expression) -> tuple[tuple[Node, Expression]] | None:
        for side, outer in ((node.left, ("right", "full")), (node.right, ("left", "full"))):
            if columns_of(expression) <= {one.name for one in side.fields}:
                return ((side, expression),) if node.kind not in outer or is_null_of_nulls(expression) else None
        return None

    def _lands(self, node: Node, expression: Expression) -> bool:
        """Whether owners, or public tables, can compute it below."""
        if isinstance(node, Local) or is_public(node):
            return True
        places = self._place(node, expression)
        return places is not None and all(
            not columns_of(one) or (isinstance(one, Call) and self._lands(below, one)) for below, one in places
        )

    def _asked(self, node: Node, expression: Expression) -> str:
        """The name of a node's column that is the expression, which is made where it is not there."""
        added = self.added.setdefault(id(node), {})
        if expression in added:
            return added[expression][0]
        if isinstance(node, Local) or is_public(node):
            return self._made(node, expression, ())
        places = self._place(node, expression)
        assert places is not None
        names = tuple(self._asked(below, one) for below, one in places if columns_of(one))
        if isinstance(node, Project | Concatenate):
            return self._made(node, expression, names)
        added[expression] = (names[0], names)
        if isinstance(node, Aggregate):
            self.keys.setdefault(id(node), []).append(names[0])
        return names[0]

    def _made(self, node: Node, expression: Expression, names: tuple[str, ...]) -> str:
        name = fresh_name("computed", self.taken)
        self.taken.add(name)
        self.added[id(node)][expression] = (name, names)
        return name

    # ---- the plan with it

    def _rebuilt(self, node: Node) -> Node:
        if id(node) not in self.done:
            self.done[id(node)] = self._with_added(node)
        return self.done[id(node)]

    def _with_added(self, node: Node) -> Node:
        added = self.added.get(id(node), {})
        if isinstance(node, Local) or is_public(node):
            return _computing(node, [(name, expression) for expression, (name, _) in added.items()])
        if isinstance(node, Several):
            return with_inputs(node, tuple(self._exactly(one) for one in node.parts))
        if isinstance(node, Concatenate):
            return self._concatenated(node)
        inputs = tuple(self._rebuilt(one) for one in node.inputs)
        made = with_expressions(node, self.settled.get(id(node), {}), inputs)
        if isinstance(made, Project) and added:
            passed = ((name, self._passed(node, one, inputs[0], below)) for one, (name, below) in added.items())
            return Project(inputs[0], (*made.columns, *passed))
        if isinstance(made, Aggregate) and id(node) in self.keys:
            return replace(made, keys=(*made.keys, *dict.fromkeys(self.keys[id(node)])))
        return made

    def _passed(self, node: Node, expression: Expression, below: Node, names: tuple[str, ...]) -> Expression:
        """What a projection passes on: a column that was made below, or a constant."""
        ((_, asked),) = self._place(node, expression) or ()
        return column(below.field(names[0])) if names else asked

    def _exactly(self, node: Node) -> Node:
        """The node with the columns that it had, and no others."""
        made = self._rebuilt(node)
        names = [one.name for one in node.fields]
        same = names == [one.name for one in made.fields]
        return made if same else Project(made, tuple((name, column(made.field(name))) for name in names))

    def _concatenated(self, node: Concatenate) -> Node:
        added = self.added.get(id(node), {}).values()
        parts = []
        for at, one in enumerate(node.parts):
            made = self._rebuilt(one)
            names = [(field.name, field.name) for field in node.fields] + [(name, below[at]) for name, below in added]
            same = [new for new, _ in names] == [field.name for field in made.fields]
            parts.append(made if same and not added else Project(made, tuple((new, column(made.field(old))) for new, old in names)))
        return with_inputs(node, tuple(parts))


def _computing(node: Node, columns: list[tuple[str, Expression]]) -> Node:
    if not columns:
        return node
    below = node.input if isinstance(node, Local) else node
    made = Project(below, (*((one.name, column(one)) for one in below.fields), *columns))
    return Local(made) if isinstance(node, Local) else made


def _above_local(node: Node) -> list[Node]:
    """Every node that is not below a local one."""
    found: dict[int, Node] = {}

    def visit(one: Node) -> None:
        if id(one) not in found:
            found[id(one)] = one
            for below in () if isinstance(one, Local) else one.inputs:
                visit(below)

    visit(node)
    return list(found.values())
