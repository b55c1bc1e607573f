"""Window functions: OVER with partition, order and frame becomes Window nodes, one for each partition and order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from accord.base.errors import Refused
from accord.base.limits import ROWS_MAX
from accord.base.names import fresh_name
from accord.frame.expressions import Expressions, average
from accord.frame.measures import one_if
from accord.frame.places import TYPE, at
from accord.plan.catalog import Catalog
from accord.plan.expression import ColumnRef, Expression, WindowCall
from accord.plan.facts import rows_max
from accord.plan.nodes import Node, Project, Window
from accord.plan.typing import NUMBERS, article, call, column, integer, null, windowed

FUNCTIONS: dict[type[Any], str] = {
    exp.RowNumber: "row_number",
    exp.Rank: "rank",
    exp.DenseRank: "dense_rank",
    exp.Lag: "lag",
    exp.Lead: "lead",
    exp.FirstValue: "first_value",
    exp.LastValue: "last_value",
    exp.Sum: "sum",
    exp.Count: "count",
    exp.CountIf: "count_if",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
}
"""The window functions that are accepted."""
NEAREST = {
    exp.Ntile: "compute it of ROW_NUMBER() and COUNT(*) OVER ()",
    exp.PercentRank: "(RANK() OVER (…) - 1) / (COUNT(*) OVER (…) - 1)",
    exp.CumeDist: "COUNT(*) OVER (ORDER BY …) / COUNT(*) OVER ()",
    exp.NthValue: "keep the row with QUALIFY ROW_NUMBER() OVER (…) = n",
    exp.IgnoreNulls: "filter the NULLs away in a subquery first",
}
Frame = tuple[str, int | None, int | None]
Result = Callable[..., Expression]
WHOLE: Frame = ("range", None, None)
RUNNING: Frame = ("range", None, 0)


def windows_of(searched: Sequence[exp.Expr]) -> list[exp.Window]:
    """The distinct windows of some expressions, not those of subqueries."""
    found: list[exp.Window] = []
    for expression in searched:
        for node in expression.find_all(exp.Window):
            if node not in found and node.parent_select is expression.parent_select:
                found.append(node)
    return found


def windowed_rows(node: Node, into: Expressions, catalog: Catalog, tree: exp.Select, searched: Sequence[exp.Expr]) -> Node:
    """The table with a column for each window, which `into` knows from then on."""
    named = {one.this.name.lower(): one for one in tree.args.get("windows") or ()}
    work = _Windows(node, into, catalog)
    for window in windows_of(searched):
        with at(window, into.sql):
            work.add(window, _resolved(window, named))
    return work.built()


def _resolved(window: exp.Window, named: dict[str, exp.Expr]) -> exp.Expr:
    """The OVER clause, or the one of WINDOW that it names."""
    name = window.args.get("alias")
    if not name:
        return window
    found = named.get(name.name.lower())
    if found is None or window.args.get("partition_by") or window.args.get("order") or window.args.get("spec"):
        raise Refused(f"the window {name.name}", rule="OVER names a window of the WINDOW clause, and adds nothing", do="write it out")
    return found


@dataclass
class _Windows:
    """The windows of one SELECT in the making: computed columns first, then calls by partition and order."""

    node: Node
    into: Expressions
    catalog: Catalog
    computed: list[tuple[str, Expression]] = field(default_factory=list)
    groups: dict[tuple[Any, ...], list[tuple[str, str, Expression | None, Frame, int]]] = field(default_factory=dict)
    results: list[tuple[exp.Expr, tuple[str, ...], Result]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def _fresh(self, name: str) -> str:
        fresh = fresh_name(name, {*self.taken, *(one.name for one in self.node.fields)})
        self.taken.add(fresh)
        return fresh

    def _column(self, expression: Expression) -> str:
        """The column that holds an expression; a computed one is made first."""
        if isinstance(expression, ColumnRef):
            return expression.name
        for name, known in self.computed:
            if known == expression:
                return name
        self.computed.append((self._fresh("over"), expression))
        return self.computed[-1][0]

    def add(self, window: exp.Window, over: exp.Expr) -> None:
        """Notes one window, and how its result is made of calls."""
        partition = tuple(dict.fromkeys(self._column(one) for one in self.into.all(over.args.get("partition_by") or [])))
        order = self._order(over)
        function, argument, inner = self._function(window.this)
        frame = _frame(over.args.get("spec"), bool(order))
        calls = self.groups.setdefault((partition, order), [])

        def made(name: str, of: Expression | None = None, offset: int = 1) -> str:
            calls.append((self._fresh(name), name, of, frame, offset))
            return calls[-1][0]

        if function == "avg" and argument is not None:
            of = argument.type
            names = (made("sum", argument), made("count", argument if of.nullable else None))
            self.results.append((window, names, lambda total, count: average(total, count, of)))
        elif function in ("lag", "lead"):
            self.results.append((window, *self._shifted(function, argument, inner, made)))
        else:
            self.results.append((window, (made(function, argument),), _itself))

    def _order(self, over: exp.Expr) -> tuple[tuple[str, bool], ...]:
        keys: list[tuple[str, bool]] = []
        for one in over.args["order"].expressions if over.args.get("order") else ():
            expression = self.into.translate(one.this)
            if one.args.get("nulls_first") and expression.type.nullable:
                keys.append((self._column(call("case", call("is_null", expression), integer(0), integer(1))), False))
            keys.append((self._column(expression), bool(one.args.get("desc"))))
        return tuple(keys)

    def _function(self, node: exp.Expr) -> tuple[str, Expression | None, exp.Expr]:
        """The function, its argument (NULL where FILTER does not hold), and its node."""
        condition = self.into.condition(node.expression.this) if isinstance(node, exp.Filter) else None
        inner = node.this if isinstance(node, exp.Filter) else node
        function = FUNCTIONS.get(type(inner))
        if function is None:
            nearest = NEAREST.get(type(inner), f"use {', '.join(one.upper() for one in FUNCTIONS.values())}")
            name = inner.sql_name() if isinstance(inner, exp.Func) else "IGNORE NULLS"
            raise Refused(f"{name} OVER is not supported", do=nearest)
        if isinstance(inner.this, exp.Distinct):
            raise Refused("DISTINCT in a window is not supported", do="GROUP BY the columns in a subquery first")
        everything = inner.this is None or isinstance(inner.this, exp.Star)
        argument = None if everything else self.into.translate(inner.this)
        if function == "count_if" and argument is not None:
            function, argument = "sum", one_if(argument)
        if function == "count" and argument is not None and not argument.type.nullable:
            argument = None
        if function == "avg" and argument is not None and argument.type.kind not in NUMBERS:
            raise Refused(
                f"AVG of {article(argument.type.kind)}", rule="AVG takes numbers", do="average a CASE that gives each value a number"
            )
        if condition is not None:
            argument = call("case", condition, integer(1) if argument is None else argument, null())
        return function, argument, inner

    def _shifted(self, function: str, argument: Expression | None, node: exp.Expr, made: Any) -> tuple[tuple[str, ...], Result]:
        """LAG and LEAD; a default stands where the row before or after is not there, which a row number tells."""
        offset = node.args.get("offset")
        steps = 1 if offset is None else int(offset.this) if isinstance(offset, exp.Literal) and offset.this.isdigit() else -1
        if steps < 0 or argument is None:
            raise Refused(f"{function.upper()} by something else than a constant number of rows", do="write it as in LAG(x, 1)")
        found = made(function, argument, steps)
        default = node.args.get("default")
        if default is None or isinstance(default, exp.Null):
            return (found,), _itself
        otherwise = self.into.translate(default)
        if not argument.type.nullable:
            return (found,), lambda only: call("coalesce", only, otherwise)
        there = made(function, integer(1), steps)
        return (found, there), lambda only, is_there: call("case", call("is_null", is_there), otherwise, only)

    def built(self) -> Node:
        """The table with all windows; what stands for each is known to `into`."""
        node = self.node
        if self.computed:
            node = Project(node, (*((one.name, column(one)) for one in node.fields), *self.computed))
        for (partition, order), calls in self.groups.items():
            rows = rows_max(node, frozenset(partition), self.catalog)
            made = tuple((name, _call(function, of, rows, frame, offset)) for name, function, of, frame, offset in calls)
            node = Window(node, partition, order, made)
        for window, names, result in self.results:
            with at(window, self.into.sql):
                found = result(*(column(node.field(name)) for name in names))
            window.meta[TYPE] = found.type
            self.into.replaced.insert(0, (window, found))
        return node


def _itself(only: Expression) -> Expression:
    return only


def _call(function: str, of: Expression | None, rows: int, frame: Frame, offset: int) -> WindowCall:
    _, start, end = frame
    most = rows if frame[0] != "rows" or start is None or end is None else min(rows, max(end - start + 1, 0))
    return windowed(function, of, most if function in ("sum", "count") else rows, frame, offset)


def _frame(spec: exp.Expr | None, is_ordered: bool) -> Frame:
    """The frame as offsets; without one, up to the row and its peers, or all of a partition that has no order."""
    if spec is None:
        return RUNNING if is_ordered else WHOLE
    unit = (spec.args.get("kind") or "").lower()
    if unit not in ("rows", "range") or spec.args.get("exclude"):
        raise Refused("this window frame is not supported", rule="ROWS BETWEEN … AND …, RANGE without offsets", do="use ROWS BETWEEN")
    start = _bound(spec.args.get("start"), spec.args.get("start_side"), unit)
    end = _bound(spec.args.get("end") or "CURRENT ROW", spec.args.get("end_side"), unit)
    if start is not None and end is not None and start > end:
        raise Refused("a window frame that ends before it starts", do="write the earlier bound first")
    return unit, start, end


def _bound(bound: Any, side: str | None, unit: str) -> int | None:
    text = bound if isinstance(bound, str) else ""
    if text.upper() == "CURRENT ROW":
        return 0
    if text.upper() == "UNBOUNDED":
        return None
    if unit == "rows" and isinstance(bound, exp.Literal) and bound.this.isdigit():
        return min(int(bound.this), ROWS_MAX) * (-1 if (side or "").upper() == "PRECEDING" else 1)
    raise Refused("this bound of a window frame is not supported", rule="UNBOUNDED, CURRENT ROW, or of ROWS a whole number", do="use ROWS")
