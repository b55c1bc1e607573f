"""Relational nodes. A node is frozen, knows its columns and their types, and checks itself when made.

A plan begins as Scan, Public, Filter, Project, Join, Aggregate, Window, Sort, Limit and Concatenate. Placement gathers what one owner can
do alone under `Local`, then replaces it by `Input` leaves (the owner's own SQL) and `Concatenate`; what remains above them runs on shares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from accord.base.errors import OurFault, Refused
from accord.base.limits import DOMAIN_CELLS_MAX, PUBLIC_ROWS_MAX, ROWS_MAX
from accord.plan.expression import AggregateCall, Expression, WindowCall, columns_of
from accord.plan.types import Type, hull

Names = frozenset[str]


@dataclass(frozen=True)
class Field:
    """One output column. `public` columns are part of the layout that every server knows; the others are secret.

    Before placement `public` says that a value comes from public tables alone; where rows are an owner's, placement decides.
    """

    name: str
    type: Type
    public: bool = False


@dataclass(frozen=True)
class Node:
    """A table. `fields` are its columns in order."""

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        raise OurFault(f"{type(self).__name__} declares no columns")

    def field(self, name: str) -> Field:
        for one in self.fields:
            if one.name == name:
                return one
        raise Refused(f"no column {name!r}; this table has {', '.join(one.name for one in self.fields)}")

    def require(self, names: frozenset[str]) -> None:
        """Raises Refused for a name that is no column."""
        for name in sorted(names):
            self.field(name)

    @property
    def inputs(self) -> tuple[Node, ...]:
        return ()


@dataclass(frozen=True)
class Scan(Node):
    """All rows of a declared table, of all its owners."""

    table: str
    columns: tuple[Field, ...]

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return self.columns


@dataclass(frozen=True)
class Public(Node):
    """A table whose rows stand in the study: parameters, and declared domains. `rows` hold integer forms (see Type), None for NULL."""

    name: str
    columns: tuple[Field, ...]
    rows: tuple[tuple[int | None, ...], ...]

    def __post_init__(self) -> None:
        if len(self.rows) > PUBLIC_ROWS_MAX:
            raise Refused(
                f"the public table {self.name} has {len(self.rows)} rows",
                rule=f"at most {PUBLIC_ROWS_MAX}: they stand in the signed plan",
                do="declare smaller domains, or let an owner hold the table",
            )

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return self.columns


@dataclass(frozen=True)
class Filter(Node):
    """Rows for which the predicate is true."""

    input: Node
    predicate: Expression

    def __post_init__(self) -> None:
        self.input.require(columns_of(self.predicate))

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return self.input.fields

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input,)


@dataclass(frozen=True)
class Project(Node):
    """Columns computed row by row."""

    input: Node
    columns: tuple[tuple[str, Expression], ...]

    def __post_init__(self) -> None:
        for _, expression in self.columns:
            self.input.require(columns_of(expression))

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        public = frozenset(one.name for one in self.input.fields if one.public)
        return tuple(Field(name, expression.type, columns_of(expression) <= public) for name, expression in self.columns)

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input,)


UNORDERED = ("sum", "count", "min", "max", "bool_and", "bool_or", "largest")
"""Aggregates over public groups need no sort of their rows."""
JOINS = ("inner", "left", "right", "full", "cross", "semi", "anti")


@dataclass(frozen=True)
class Between:
    """That a point of one side lies in a range of the other. `is_left`: the point is the left side's, start and end the right one's.

    `closed`: whether the start, and the end, is part of the range. A range that ends before it starts has no point.
    """

    point: str
    start: str
    end: str
    is_left: bool
    closed: tuple[bool, bool] = (True, True)

    @property
    def names(self) -> tuple[Names, Names]:
        """The columns that it reads of each side."""
        sides = frozenset({self.point}), frozenset({self.start, self.end})
        return sides if self.is_left else sides[::-1]

    @property
    def text(self) -> str:
        low, high = ("<=" if one else "<" for one in self.closed)
        return f"{self.start} {low} {self.point} {high} {self.end}"


@dataclass(frozen=True)
class AsOf:
    """That of the right rows which agree with a left one it meets only the nearest in time.

    `function` says how the left time compares with the right one: "ge" and "gt" for the last that is not later, that is earlier; "le" and
    "lt" for the first that is not earlier, that is later. No two right rows that agree have one time.
    """

    left: str
    right: str
    function: str

    @property
    def names(self) -> tuple[Names, Names]:
        """The columns that it reads of each side."""
        return frozenset({self.left}), frozenset({self.right})

    @property
    def is_backward(self) -> bool:
        return self.function in ("ge", "gt")

    @property
    def text(self) -> str:
        sign = {"ge": "<=", "gt": "<", "le": ">=", "lt": ">"}[self.function]
        return f"the {'last' if self.is_backward else 'first'} {self.right} {sign} {self.left}"


@dataclass(frozen=True)
class Join(Node):
    """Rows of two tables that agree on columns.

    kind: one of JOINS. `on` pairs a left with a right column; NULL agrees with nothing, unless `nulls_agree` (INTERSECT, EXCEPT). The
    output holds all columns of the left, then all of the right; names must not meet. A semi join holds the left rows that meet a right
    one, an anti join those that meet none, each once and with the left columns alone. The unmatched side of an outer join is NULL, and
    which rows are unmatched is secret: its columns are no longer public.
    `rows_max` bounds the rows of a join on secret columns in which neither side's are unique; 0 where none is declared. More rows than
    that are no silent loss: the run's recipients are told, and nothing is released. `unique`, which placement fills in for a join on
    secret columns, names the sides ("left", "right", "both") in which no two rows agree on them.
    `in_order`, which placement fills in too, says that the rows that meet come first and in the order of the columns, for a step above.
    `match` says what else has to hold of two rows that meet: NULL again meets nothing. Servers sort to find such rows.
    """

    left: Node
    right: Node
    kind: str
    on: tuple[tuple[str, str], ...]
    nulls_agree: bool = False
    rows_max: int = 0
    unique: str = ""
    match: Between | AsOf | None = None
    in_order: bool = False

    def __post_init__(self) -> None:
        if self.kind not in JOINS:
            raise Refused(f"a {self.kind} join", rule=", ".join(JOINS))
        self.left.require(self.compared[0])
        self.right.require(self.compared[1])
        both = {one.name for one in self.left.fields} & {one.name for one in self.right.fields}
        if both and not self.is_choice:
            raise OurFault(f"both sides of a join name {', '.join(sorted(both))}")

    @property
    def is_choice(self) -> bool:
        """Whether it chooses left rows and adds no column."""
        return self.kind in ("semi", "anti")

    @property
    def compared(self) -> tuple[Names, Names]:
        """The columns of each side that decide which rows meet."""
        further = self.match.names if self.match else (frozenset[str](), frozenset[str]())
        return frozenset(a for a, _ in self.on) | further[0], frozenset(b for _, b in self.on) | further[1]

    @property
    def agreement(self) -> str:
        """When two rows meet, in a few words."""
        pairs = [f"{left} = {right}" for left, right in self.on]
        return " and ".join([*pairs, self.match.text] if self.match else pairs)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        if self.is_public:
            return self._all_fields
        stays = {one.name for one in self.left.fields} if self.keeps_left else set[str]()
        return tuple(replace(one, public=one.public and one.name in stays) for one in self._all_fields)

    @property
    def keeps_left(self) -> bool:
        """Whether each left row is one row of the result, in its place, so that what is public of it stays so whatever it meets."""
        return self.kind == "left" and self.unique in ("right", "both")

    @property
    def is_public(self) -> bool:
        """Whether every server can tell which rows could meet: then rows keep the layout that is known to all."""
        return not self.match and all(self.left.field(a).public and self.right.field(b).public for a, b in self.on)

    @property
    def _all_fields(self) -> tuple[Field, ...]:
        if self.is_choice:
            return self.left.fields
        outer_left, outer_right = self.kind in ("right", "full"), self.kind in ("left", "full")
        sides = ((self.left, outer_left), (self.right, outer_right))
        return tuple(
            Field(one.name, one.type.as_nullable(one.type.nullable or outer), one.public and not outer)
            for side, outer in sides
            for one in side.fields
        )

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.left, self.right)


@dataclass(frozen=True)
class Aggregate(Node):
    """One row for each combination of the keys' values that has rows (one row in all where there are no keys).

    Placement fills in for secret keys: `telling`, those from which the others follow, and `groups_max`, the most groups that there can be,
    0 for as many as rows.
    """

    input: Node
    keys: tuple[str, ...]
    aggregates: tuple[tuple[str, AggregateCall], ...]
    telling: tuple[str, ...] = ()
    groups_max: int = 0

    def __post_init__(self) -> None:
        self.input.require(frozenset(self.keys))
        for _, call in self.aggregates:
            if call.argument is not None:
                self.input.require(columns_of(call.argument))

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        keys = [self.input.field(key) for key in self.keys]
        return tuple(replace(one, public=one.public and self.is_public) for one in keys) + tuple(
            Field(name, call.type) for name, call in self.aggregates
        )

    @property
    def is_public(self) -> bool:
        """Whether every server can tell which rows could form a group, and the aggregates need no other order of the rows."""
        return all(self.input.field(key).public for key in self.keys) and all(call.function in UNORDERED for _, call in self.aggregates)

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input,)


@dataclass(frozen=True)
class Window(Node):
    """The rows as they are, with one more column for each call, computed over the rows that agree on the `partition` columns (NULLs agree)
    and in the order of `order` (True means descending; NULL stands last either way, as in Sort)."""

    input: Node
    partition: tuple[str, ...]
    order: tuple[tuple[str, bool], ...]
    calls: tuple[tuple[str, WindowCall], ...]

    def __post_init__(self) -> None:
        self.input.require(frozenset(self.partition) | {name for name, _ in self.order})
        for _, call in self.calls:
            if call.argument is not None:
                self.input.require(columns_of(call.argument))

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return _hidden(self.input.fields) + tuple(Field(name, call.type) for name, call in self.calls)

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input,)


@dataclass(frozen=True)
class Sort(Node):
    """Rows in the order of some columns; True means descending. A category is ordered by its text, NULL stands last."""

    input: Node
    keys: tuple[tuple[str, bool], ...]

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return self.input.fields if self.is_public else _hidden(self.input.fields)

    @property
    def is_public(self) -> bool:
        """Whether every server knows the order."""
        return all(self.input.field(name).public for name, _ in self.keys)

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input,)


@dataclass(frozen=True)
class Limit(Node):
    """The first `count` rows, after `offset` others, in the order that the Sort below gives."""

    input: Node
    count: int
    offset: int = 0

    def __post_init__(self) -> None:
        if self.count < 0 or self.offset < 0:
            raise Refused(f"LIMIT {self.count} OFFSET {self.offset}", rule="neither is negative", do="write the numbers of rows")

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return _hidden(self.input.fields)

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input,)


@dataclass(frozen=True)
class Promise(Node):
    """The rows as they are, while no two rows of any of `keys` agree on all columns: the study promises it of the tables of these names.

    Rows that do are no error of the question: the run's recipients are told, and nothing is released.
    """

    input: Node
    tables: tuple[str, ...]
    keys: tuple[Node, ...]

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return self.input.fields

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input, *self.keys)


@dataclass(frozen=True)
class Several(Node):
    """Plans that are placed together, so that steps which they share stay shared. It has no rows of its own, and no placed plan has it."""

    parts: tuple[Node, ...]

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return ()

    @property
    def inputs(self) -> tuple[Node, ...]:
        return self.parts


@dataclass(frozen=True)
class Local(Node):
    """What each owner computes alone on its own rows; the rows of all owners together. A placed plan has none left."""

    input: Node

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return self.input.fields

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input,)


@dataclass(frozen=True)
class Input(Node):
    """What one owner computes alone and shares: the boundary from LOCAL to SECURE.

    The owner runs `sql` (DuckDB, over its own tables and the study's public tables) and lays the result on a public grid: every
    combination of the key columns' public values, the last key fastest, each with `slots` rows. Missing rows are padded and not
    valid; a key combination with more than `slots` rows is refused. Key columns are public; the rest is shared with a null bit where
    nullable; one `valid` bit a row says which rows are real.
    """

    name: str
    owner: str
    sql: str
    keys: tuple[tuple[str, tuple[int, ...]], ...]
    slots: int
    columns: tuple[Field, ...]

    def __post_init__(self) -> None:
        if self.rows > min(ROWS_MAX, DOMAIN_CELLS_MAX if self.keys else ROWS_MAX):
            raise Refused(
                f"the grid of {self.name} has {self.rows} rows",
                rule=f"at most {DOMAIN_CELLS_MAX} cells, {ROWS_MAX} rows",
                do="declare smaller domains, or group by fewer keys",
            )

    @property
    def rows(self) -> int:
        return prod(len(values) for _, values in self.keys) * self.slots

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return self.columns


@dataclass(frozen=True)
class Concatenate(Node):
    """The rows of several tables with the same columns, in the same form but for their ranges, one after the other."""

    parts: tuple[Node, ...]

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        every = zip(*(one.fields for one in self.parts), strict=True)
        return tuple(Field(alike[0].name, hull([one.type for one in alike]), all(one.public for one in alike)) for alike in every)

    @property
    def inputs(self) -> tuple[Node, ...]:
        return self.parts


def _hidden(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """The columns of rows of which no server can tell which is which."""
    return tuple(replace(one, public=False) for one in fields)
