"""Whether a group of one release differs from a group of another by so few rows that subtracting the two would tell them: a plan of nodes.

It is placed, priced and run as any other plan, so that an owner does alone what it can, and no mask is opened. Rows are counted in the
cells that the keys of both releases make; from these follows how many rows two groups have apart: n_g + n_h − 2 n_gh. Groups are those of
the GROUP BY, and their sums over all values of some of its keys, which whoever has the release can form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from accord.plan.catalog import Catalog
from accord.plan.expression import AggregateCall, Expression, Literal
from accord.plan.facts import rows_max, table_info
from accord.plan.masks import Grouping, lay, never_null
from accord.plan.nodes import Aggregate, Concatenate, Field, Filter, Join, Node, Project, Scan
from accord.plan.types import INT, Type
from accord.plan.typing import aggregate, boolean, call, column, integer

CLOSE = "close"
"""The one column of a check's one row."""
ALL = "all_rows"
"""A key that is the same in all rows: the whole is a group like any other."""
Names = tuple[str, ...]


def scan_of(table: str, catalog: Catalog) -> Scan:
    """All declared columns of an owner's table."""
    return Scan(table, tuple(Field(one.name, Type.of(one)) for one in table_info(catalog, table).schema.columns))


def close(first: Grouping, second: Grouping, least: int, catalog: Catalog) -> Node:
    """One row with the column CLOSE: whether some group of the first and some group of the second, which meet, have rows apart and fewer
    than `least` of them."""
    cells = _cells(first, second, catalog)
    pairs = product(_margins(cells.first), _margins(cells.second), cells.counts)
    return any_of([_pairs(cells, mine, theirs, counts, least) for mine, theirs, counts in pairs])


def crowded(table: str, unit: Names, unit_rows: int, catalog: Catalog) -> Node | None:
    """One row with the column CLOSE: whether a unit has more rows of a table than is said of it; None where the declarations say so."""
    scan = scan_of(table, catalog)
    rows = rows_max(scan, frozenset(), catalog)
    if rows_max(scan, frozenset(unit), catalog) <= unit_rows:
        return None
    counted = Aggregate(scan, unit, (("n", aggregate("count", None, rows)),))
    return any_of([Project(counted, ((CLOSE, call("gt", column(counted.field("n")), integer(unit_rows))),))])


def any_of(tests: Sequence[Node]) -> Node:
    """One row with the column CLOSE: whether it is true in some row of some table."""
    rows = tests[0] if len(tests) == 1 else Concatenate(tuple(tests))
    found = Aggregate(rows, (), ((CLOSE, aggregate("bool_or", column(rows.field(CLOSE)), 1, keyed=False)),))
    return Project(found, ((CLOSE, call("coalesce", column(found.field(CLOSE)), boolean(False))),))


# ---- the cells of both


@dataclass(frozen=True)
class _Cells:
    """How many rows each cell has: of each pair of masks in the first, in the second, in both. A group that is held back has none.

    `first` and `second` are the keys of each, every key as the columns that it takes.
    """

    node: Node
    rows: int
    first: tuple[Names, ...]
    second: tuple[Names, ...]
    counts: tuple[tuple[str, str, str], ...]


def _cells(first: Grouping, second: Grouping, catalog: Catalog) -> _Cells:
    scan = scan_of(first.table, catalog)
    rows = rows_max(scan, frozenset(), catalog)
    one = lay(first, scan, catalog)
    two = lay(second, one.rows, catalog)
    keys: dict[Expression, str] = {}
    mine, theirs = (tuple(tuple(_named(part, keys) for part in _without_null(key)) for key in side.keys) for side in (one, two))
    masks = {**{f"first_{at}": mask for at, mask in enumerate(one.masks)}, **{f"second_{at}": mask for at, mask in enumerate(two.masks)}}
    counts = tuple((f"first_{at}", f"second_{to}", f"both_{at}_{to}") for at, to in product(range(len(one.masks)), range(len(two.masks))))
    masks.update({both: call("and", masks[left], masks[right]) for left, right, both in counts})
    numbers = {name: call("case", mask, integer(1), integer(0)) for name, mask in masks.items()}
    read = call("or", one.masks[0], two.masks[0])
    kept = two.rows if isinstance(read, Literal) else Filter(two.rows, read)
    made = Project(kept, ((ALL, integer(0)), *((name, key) for key, name in keys.items()), *numbers.items()))
    cells: Node = Aggregate(made, (ALL, *keys.values()), tuple((name, _sum(made, name, rows)) for name in masks))
    cells = _released(cells, sum(mine, (ALL,)), first.rows_min, "first", rows)
    cells = _released(cells, sum(theirs, (ALL,)), second.rows_min, "second", rows)
    return _Cells(cells, rows, mine, theirs, counts)


def _named(key: Expression, keys: dict[Expression, str]) -> str:
    """The column of a key; two that are alike are one."""
    return keys.setdefault(key, f"key_{len(keys)}")


def _without_null(key: Expression) -> tuple[Expression, ...]:
    """A key as columns that are never NULL: a value, and whether it is one."""
    return (never_null(key, key.type.as_nullable(False)), call("is_null", key)) if key.type.nullable else (key,)


def _released(cells: Node, keys: Names, least: int, whose: str, rows: int) -> Node:
    """The cells without the rows of groups that have fewer than `least`."""
    if least <= 1:
        return cells
    counted = Aggregate(cells, keys, (("n", _sum(cells, f"{whose}_0", rows)),))
    told = Project(
        counted,
        (*((f"of_{key}", column(counted.field(key))) for key in keys), ("told", call("ge", column(counted.field("n")), integer(least)))),
    )
    joined = Join(cells, told, "inner", tuple((key, f"of_{key}") for key in keys))
    flag = column(joined.field("told"))

    def kept(one: Field) -> Expression:
        is_theirs = one.name.startswith((f"{whose}_", "both_"))
        return call("case", flag, column(one), integer(0)) if is_theirs else column(one)

    return Project(joined, tuple((one.name, kept(one)) for one in cells.fields))


# ---- pairs of groups


def _margins(keys: tuple[Names, ...]) -> list[Names]:
    """The keys of groups: all of them, none, each alone, and all but each."""
    chosen = [keys, (), *((one,) for one in keys), *(keys[:at] + keys[at + 1 :] for at in range(len(keys)))]
    return list(dict.fromkeys(sum(one, (ALL,)) for one in chosen))


def _pairs(cells: _Cells, mine: Names, theirs: Names, counts: tuple[str, str, str], least: int) -> Node:
    """For every two groups that could meet, whether they do and are close."""
    union = tuple(dict.fromkeys((*mine, *theirs)))
    here = [name for name, keys in zip(counts, (mine, theirs, union), strict=True) if set(keys) == set(union)]
    table: Node = Aggregate(cells.node, union, tuple((name, _sum(cells.node, name, cells.rows)) for name in here))
    for name, keys in zip(counts, (mine, theirs), strict=False):
        if name not in here:
            summed = Aggregate(cells.node, keys, ((name, _sum(cells.node, name, cells.rows)),))
            side = Project(summed, (*((f"of_{name}_{key}", column(summed.field(key))) for key in keys), (name, column(summed.field(name)))))
            table = Join(table, side, "inner", tuple((key, f"of_{name}_{key}") for key in keys))
    first, second, both = (column(table.field(name)) for name in counts)
    apart = call("subtract", call("add", first, second), call("multiply", integer(2), both))
    meets = call("gt", both, integer(0))
    is_close = call("and", meets, call("gt", apart, integer(0)), call("lt", apart, integer(least)))
    return Project(table, ((CLOSE, is_close),))


def _sum(node: Node, name: str, rows: int) -> AggregateCall:
    """The sum of numbers of different rows of the table: never more than it has."""
    return AggregateCall("sum", column(node.field(name)), Type(INT, 0, rows))
