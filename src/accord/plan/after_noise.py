"""A plan parted where noise goes: what the servers compute and put noise on, and what its recipient computes of that after opening.

An average with noise is the quotient of a sum and a count with noise: whatever is computed from noised values and public ones alone tells
no more than these do [DR14], and on the recipient's machine it costs nothing and loses no digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.plan.above_noise import Chosen, First, Ordered, Step
from accord.plan.bands import QUANTILE
from accord.plan.expression import FUNCTIONS, LOCAL_FUNCTIONS, AggregateCall, Call, ColumnRef, Expression, Literal, columns_of
from accord.plan.facts import with_inputs
from accord.plan.nodes import Aggregate, Field, Filter, Join, Limit, Node, Project, Sort
from accord.plan.rewrite import is_public, substituted
from accord.plan.types import BOOL, DECIMAL, INT
from accord.plan.typing import aggregate, column

Formulas = tuple[tuple[str, Expression], ...]
"""Output columns in order, each of the columns of the table that is released."""
COMPUTED = frozenset(FUNCTIONS) - LOCAL_FUNCTIONS - {"list"}
"""What a recipient's machine computes."""


@dataclass(frozen=True)
class Parted:
    """`node` holds public columns and those that get noise (`noised`); `formulas` make each column of the question of them.

    `above` are the steps that depend on noise, and those above them, in order: they too read columns of `node`. `keeps_all`: no column of
    `node` is left out.
    """

    node: Node
    formulas: Mapping[str, Expression]
    noised: frozenset[str]
    above: tuple[Step, ...] = ()
    keeps_all: bool = False

    @property
    def in_order(self) -> Formulas:
        return tuple(self.formulas.items())

    @property
    def is_plain(self) -> bool:
        """Whether the columns of the question are those that are released, with noise put on at the gate."""
        return not self.above and all(isinstance(one, ColumnRef) and one.name == name for name, one in self.formulas.items())


def parted(node: Node, *, secret_groups: bool = False) -> Parted:
    """The plan parted; where groups are secret, orders and projections come after noise.

    Steps that noise cannot pass stay as they are, for plan/stability.py to refuse.
    """
    if isinstance(node, Aggregate):
        return _of_aggregate(node, secret_groups)
    if is_public(node):
        return _as_it_is(node)
    if isinstance(node, Project):
        return _of_project(node, parted(node.input, secret_groups=secret_groups))
    if isinstance(node, Sort | Filter | Limit):
        return _of_rows(node, parted(node.input, secret_groups=secret_groups), secret_groups)
    if isinstance(node, Join) and any(map(is_public, node.inputs)):
        return _of_join(node)
    return _as_it_is(node)


def trimmed(split: Parted, also: frozenset[str] = frozenset()) -> Parted:
    """The same with the columns that are read alone, and `also` these; no sum has the name of what is computed of it."""
    read = [*split.formulas.values(), *(one for step in split.above for one in _read(step))]
    needed = also.union(*map(columns_of, read))
    taken = {one.name for one in split.node.fields} | set(split.formulas)
    names = {one.name: one.name for one in split.node.fields if one.name in needed}
    for name in sorted(split.noised & set(split.formulas) & set(names)):
        if split.formulas[name] != column(split.node.field(name)):
            names[name] = fresh_name(f"{name}_sum", taken)
            taken.add(names[name])
    made = Project(split.node, tuple((new, column(split.node.field(old))) for old, new in names.items()))
    moved = {old: column(made.field(new)) for old, new in names.items()}
    formulas = {name: substituted(one, moved) for name, one in split.formulas.items()}
    above = tuple(_moved(step, moved) for step in split.above)
    return replace(split, node=made, formulas=formulas, noised=frozenset(names[one] for one in split.noised & set(names)), above=above)


def _moved(step: Step, columns: Mapping[str, Expression]) -> Step:
    if isinstance(step, Chosen):
        return Chosen(substituted(step.predicate, columns))
    return Ordered(tuple((substituted(one, columns), down) for one, down in step.keys)) if isinstance(step, Ordered) else step


def counted(node: Node, rows: int) -> tuple[Node, str]:
    """The plan whose groups also count their rows, of which there are at most so many, and the name of that count.

    Raises Refused for what is no GROUP BY with conditions, columns and an order above it.
    """
    if isinstance(node, Aggregate):
        known = next((name for name, call in node.aggregates if call.function == "count" and call.argument is None), "")
        if known:
            return node, known
        name = fresh_name("rows", {one.name for one in node.fields})
        return replace(node, aggregates=(*node.aggregates, (name, aggregate("count", None, rows)))), name
    if isinstance(node, Project | Sort | Filter | Limit):
        below, name = counted(node.input, rows)
        return with_inputs(node, (below,)), name
    raise Refused(
        f"groups that no list names, in {type(node).__name__}",
        rule="noise and a threshold go right above their GROUP BY",
        do="group by declared domains, or release the groups by themselves",
    )


def _as_it_is(node: Node) -> Parted:
    return Parted(node, {one.name: column(one) for one in node.fields}, frozenset())


def _of_aggregate(node: Aggregate, keeps_all: bool) -> Parted:
    """Each aggregate once: a loss that is parted among fewer columns is less noise on each."""
    once: dict[AggregateCall, str] = {}
    for name, call in node.aggregates:
        once.setdefault(call, name)
    made = Aggregate(node.input, node.keys, tuple((name, call) for call, name in once.items()))
    keys = {name: column(made.field(name)) for name in node.keys}
    return Parted(
        made, keys | {name: column(made.field(once[call])) for name, call in node.aggregates}, frozenset(once.values()), keeps_all=keeps_all
    )


def _of_rows(node: Sort | Filter | Limit, below: Parted, secret_groups: bool) -> Parted:
    """Rows chosen or ordered by columns without noise are so below it, what depends on noise above it, with all that follows."""
    step = _step(node, below.formulas)
    read = frozenset().union(*map(columns_of, _read(step)))
    if not below.noised:
        return _as_it_is(node)
    if below.above or isinstance(node, Limit) or read & below.noised or (secret_groups and isinstance(node, Sort)):
        return replace(below, above=(*below.above, step))
    made = Filter(below.node, step.predicate) if isinstance(step, Chosen) else Sort(below.node, _keys(step))
    return replace(below, node=made)


def _step(node: Sort | Filter | Limit, formulas: Mapping[str, Expression]) -> Step:
    if isinstance(node, Filter):
        return Chosen(substituted(node.predicate, formulas))
    return First(node.count, node.offset) if isinstance(node, Limit) else Ordered(tuple((formulas[name], down) for name, down in node.keys))


def _read(step: Step) -> list[Expression]:
    return [step.predicate] if isinstance(step, Chosen) else [one for one, _ in step.keys] if isinstance(step, Ordered) else []


def _keys(step: Step) -> tuple[tuple[str, bool], ...]:
    """Of an order by columns."""
    assert isinstance(step, Ordered)
    return tuple((one.name, down) for one, down in step.keys if isinstance(one, ColumnRef))


def _of_join(node: Join) -> Parted:
    """Sums joined with a public table; columns that only formulas read get names that the other side has not."""
    place = next(at for at, side in enumerate(node.inputs) if not is_public(side))
    below, other = parted(node.inputs[place]), node.inputs[1 - place]
    if below.above or any(columns_of(below.formulas[pair[place]]) & below.noised for pair in node.on):
        return _as_it_is(node)
    taken = {one.name for one in other.fields} | set(below.formulas)
    names = {one.name: one.name if one.name in below.formulas else fresh_name(one.name, taken) for one in below.node.fields}
    side = Project(below.node, tuple((names[one.name], column(one)) for one in below.node.fields))
    sides = (side, other) if place == 0 else (other, side)
    joined = Join(sides[0], sides[1], node.kind, node.on, node.nulls_agree, node.rows_max, node.unique)
    moved = {old: column(joined.field(new)) for old, new in names.items()}
    formulas: dict[str, Expression] = {one.name: column(one) for one in joined.fields if one.name in {field.name for field in node.fields}}
    formulas |= {name: substituted(one, moved) for name, one in below.formulas.items()}
    return Parted(joined, {one.name: formulas[one.name] for one in node.fields}, frozenset(names[one] for one in below.noised))


def _of_project(node: Project, below: Parted) -> Parted:
    """Columns that read none with noise are computed by the servers, as is one with NULL as 0; the rest becomes formulas."""
    wanted = {name: substituted(expression, below.formulas) for name, expression in node.columns}
    if below.above or below.keeps_all:
        return replace(below, formulas={name: _computable(name, one) for name, one in wanted.items()})
    carried = _Carried(below, {name for name, _ in node.columns})
    for name, expression in wanted.items():
        if not columns_of(expression) & below.noised:
            carried.columns[name] = expression
        elif (bare := _bare(expression)) is not None and bare not in carried.names:
            carried.columns[name], carried.names[bare] = expression, name
    computed = {name: carried.formula(name, expression) for name, expression in wanted.items() if name not in carried.columns}
    made = Project(below.node, tuple(carried.columns.items()))
    formulas = {name: computed[name] if name in computed else column(made.field(name)) for name in wanted}
    return Parted(made, formulas, frozenset(carried.names[old] for old in below.noised if old in carried.names))


class _Carried:
    """The columns that a projection carries up: `names` says where each column below stands."""

    def __init__(self, below: Parted, taken: set[str]) -> None:
        self.below, self.taken = below, taken
        self.columns: dict[str, Expression] = {}
        self.names: dict[str, str] = {}

    def formula(self, name: str, expression: Expression) -> Expression:
        """The expression over carried columns; those that it lacks are carried too."""
        _computable(name, expression)
        for read in sorted(columns_of(expression)):
            if read not in self.names:
                self.names[read] = fresh_name(_own_name(self.below.node, read, self.taken), self.taken)
                self.taken.add(self.names[read])
                self.columns[self.names[read]] = column(self.below.node.field(read))
        moved = {old: column(Field(new, self.below.node.field(old).type)) for old, new in self.names.items()}
        return substituted(expression, moved)


def _own_name(node: Node, name: str, taken: set[str]) -> str:
    """The column's name; of a sum that stands behind an average of its name, one that says so."""
    return f"{name}_sum" if name in taken else name


def _bare(expression: Expression) -> str | None:
    """The column that an expression is, but for 0 in place of NULL."""
    if isinstance(expression, Call) and expression.function == "coalesce" and is_zero(expression.arguments[-1]):
        expression = expression.arguments[0]
    return expression.name if isinstance(expression, ColumnRef) else None


def is_zero(expression: Expression) -> bool:
    return isinstance(expression, Literal) and expression.value == 0


def _computable(name: str, expression: Expression) -> Expression:
    """The expression: a column, a quantile, or what a recipient's machine computes. Raises Refused for anything else."""
    if isinstance(expression, Call) and expression.function != QUANTILE:
        _require_computed(name, expression)
    return expression


def _require_computed(name: str, expression: Expression) -> None:
    """Raises Refused for what a recipient's machine does not compute."""
    if isinstance(expression, Call):
        for one in expression.arguments:
            _require_computed(name, one)
    known = not isinstance(expression, Call) or expression.function in COMPUTED
    if not known or expression.type.kind not in (INT, DECIMAL, BOOL):
        what = expression.function.upper() if isinstance(expression, Call) and not known else f"a {expression.type.kind}"
        raise Refused(
            f"{name}, which is computed with {what} from what has noise",
            rule="the recipient computes numbers from noised numbers: sums, products, quotients, comparisons, CASE",
            do="release the numbers, and compute the rest after opening",
        )
