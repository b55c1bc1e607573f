"""How far one unit can move a query's result: the sensitivity that noise is scaled by [McSherry09].

A unit is one row of a table, or at most so many of its rows. Rows that it adds or takes away are followed through the plan; where that
cannot be bounded from public facts, the plan is refused with the nearest form.
"""

from __future__ import annotations

from accord.base.errors import Refused
from accord.base.limits import ROWS_MAX
from accord.base.names import fresh_name
from accord.plan.after_noise import is_zero
from accord.plan.catalog import Catalog
from accord.plan.expression import Call, ColumnRef, Expression, WindowCall, columns_of
from accord.plan.facts import rows_max
from accord.plan.nodes import Aggregate, AsOf, Concatenate, Filter, Join, Limit, Node, Project, Public, Scan, Sort, Window
from accord.plan.rewrite import bottom_up, is_public
from accord.plan.types import INT, Type
from accord.plan.typing import call, column, integer


def sensitivities(node: Node, table: str, unit_rows: int, catalog: Catalog) -> dict[str, int]:
    """For each column that depends on the table: the most that one unit changes all its rows together, in units of its last digit.

    Columns that follow from public tables and group-by keys alone are left out. Raises Refused for what has no bound.
    """
    return _Bounds(table, unit_rows, catalog).of_columns(node)


def limited(node: Node, table: str, columns: tuple[str, ...], unit_rows: int) -> Node:
    """The plan over at most `unit_rows` rows of the table for each combination of these columns; the plan itself where there are none.

    Which rows of a unit are taken does not matter to the bound. Raises Refused for a column that the table lacks.
    """
    if not columns:
        return node

    def step(one: Node) -> Node:
        if not isinstance(one, Scan) or one.table != table:
            return one
        name = fresh_name("unit_row", {field.name for field in one.fields})
        numbered = Window(one, columns, (), ((name, WindowCall("row_number", None, Type(INT, 1, ROWS_MAX))),))
        kept = Filter(numbered, call("le", column(numbered.field(name)), integer(unit_rows)))
        return Project(kept, tuple((field.name, column(field)) for field in one.fields))

    return bottom_up(node, step)


class _Bounds:
    def __init__(self, table: str, unit_rows: int, catalog: Catalog) -> None:
        self.table, self.unit_rows, self.catalog = table, unit_rows, catalog

    def of_columns(self, node: Node) -> dict[str, int]:
        if isinstance(node, Aggregate):
            return {name: self._of_aggregate(node, name) for name, _ in node.aggregates}
        if isinstance(node, Sort):
            below = self.of_columns(node.input)
            if told := [name for name, _ in node.keys if name in below]:
                do = "order by public columns, and the rest after opening"
                raise Refused(f"ORDER BY {told[0]}, which has noise", rule="an order would tell what noise hides", do=do)
            return below
        if isinstance(node, Filter) and not columns_of(node.predicate) & frozenset(below := self.of_columns(node.input)):
            return below
        if isinstance(node, Project):
            below = self.of_columns(node.input)
            found = {name: _through(name, expression, below) for name, expression in node.columns}
            return {name: bound for name, bound in found.items() if bound is not None}
        if isinstance(node, Join) and node.kind in ("inner", "left", "cross"):
            return self._of_join(node)
        if isinstance(node, Concatenate):
            return self._of_parts([self.of_columns(part) for part in node.parts])
        if is_public(node):
            return {}
        raise _unbounded(type(node).__name__)

    def _of_aggregate(self, node: Aggregate, name: str) -> int:
        call, rows = dict(node.aggregates)[name], self.changes(node.input)
        if call.function == "count":
            return rows
        if call.function != "sum" or call.argument is None:
            first = "release it by itself: its GROUP BY joined with public tables alone"
            do = first if call.function == "quantile_disc" else "SUM(LEAST(x, a bound))"
            raise Refused(f"noise on {call.function.upper()}", rule="noise goes on SUM and COUNT", do=do)
        return rows * max(abs(call.argument.type.low), abs(call.argument.type.high))

    def _of_join(self, node: Join) -> dict[str, int]:
        """Sums that are joined with public tables: each is there once for each public row that it meets."""
        place = next((at for at, side in enumerate(node.inputs) if is_public(side)), None)
        if place is None:
            raise _unbounded("a JOIN of sums with a table that is not public")
        copies = rows_max(node.inputs[place], frozenset(pair[place] for pair in node.on), self.catalog)
        below = self.of_columns(node.inputs[1 - place])
        if told := [pair[1 - place] for pair in node.on if pair[1 - place] in below]:
            raise _unbounded(f"a JOIN on {told[0]}, which has noise")
        return {name: copies * bound for name, bound in below.items()}

    @staticmethod
    def _of_parts(parts: list[dict[str, int]]) -> dict[str, int]:
        """Of rows one after the other: a unit changes those of each part."""
        names = dict.fromkeys(name for part in parts for name in part)
        return {name: sum(part.get(name, 0) for part in parts) for name in names}

    # ---- rows

    def changes(self, node: Node) -> int:
        """At most so many rows are added and taken away, together."""
        if isinstance(node, Scan):
            return self.unit_rows if node.table == self.table else 0
        if isinstance(node, Public):
            return 0
        if isinstance(node, Filter | Project | Sort):
            return self.changes(node.inputs[0])
        if isinstance(node, Concatenate):
            return sum(self.changes(part) for part in node.parts)
        if isinstance(node, Aggregate | Limit):
            return 2 * self.changes(node.inputs[0])
        if isinstance(node, Join):
            return self._joined(node)
        if not any(self.changes(below) for below in node.inputs):
            return 0
        raise _unbounded(type(node).__name__)

    def _joined(self, node: Join) -> int:
        """Each changed row meets at most so many of the other side; of an outer side, what it meets may gain or lose its NULLs."""
        if isinstance(node.match, AsOf) and self.changes(node.right):
            raise _unbounded("an ASOF JOIN with the unit's table")
        total = 0
        for place, side in enumerate(node.inputs):
            if changed := self.changes(side):
                other = node.inputs[1 - place]
                meets = max(rows_max(other, frozenset(pair[1 - place] for pair in node.on), self.catalog), 1)
                total += changed * meets * (1 if node.kind in ("inner", "cross") else 2)
        return total


def _through(name: str, expression: Expression, below: dict[str, int]) -> int | None:
    """The bound of a computed column: passed on, or with 0 in place of NULL; None where it does not depend on the table."""
    if isinstance(expression, Call) and expression.function == "coalesce" and is_zero(expression.arguments[-1]):
        expression = expression.arguments[0]
    if isinstance(expression, ColumnRef):
        return below.get(expression.name)
    if columns_of(expression) & frozenset(below):
        raise Refused(
            f"noise on {name}, which is computed from sums",
            rule="noise goes on SUM and COUNT themselves",
            do="release these, and compute after opening",
        )
    return None


def _unbounded(what: str) -> Refused:
    return Refused(
        f"noise above {what}",
        rule="one unit's effect on the result follows from public bounds",
        do="release a GROUP BY of SUM and COUNT over the unit's table, joined with public tables alone",
    )
