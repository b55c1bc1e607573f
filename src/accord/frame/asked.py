"""Subqueries: what one says of the query around, as columns to join on.

What a subquery says of the query around must be equalities, by which it is grouped, and at most one more comparison in EXISTS or IN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.frame.expressions import Expressions
from accord.frame.joins import apart, with_columns
from accord.frame.places import at
from accord.frame.scopes import outer_columns, subqueries_of
from accord.frame.windows import windows_of
from accord.plan.expression import ColumnRef, Expression
from accord.plan.nodes import Aggregate, Join, Node, Project, Sort
from accord.plan.typing import column, same_form

if TYPE_CHECKING:
    from accord.frame.query import Query

FLIPPED = {"ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
_COMPARED: dict[type[exp.Expr], str] = {exp.NEQ: "ne", exp.LT: "lt", exp.LTE: "le", exp.GT: "gt", exp.GTE: "ge"}
RULE = "equalities with the query around, and one more comparison in EXISTS and IN"
DO = "JOIN the subquery and say the rest in WHERE"


@dataclass
class Asked:
    """A subquery over its own tables, and what it says of the query around.

    equal: an expression around and the column of `node` that equals it. `compared`: function, an expression around, and the column that
    stands on the right of it. `outside` are conditions on the query around alone. `values` are the selected columns.
    """

    node: Node
    values: list[str]
    equal: list[tuple[Expression, str]] = field(default_factory=list)
    compared: list[tuple[str, Expression, str]] = field(default_factory=list)
    outside: list[Expression] = field(default_factory=list)
    is_one_group: bool = False


# ---- what a subquery says of the query around


def asked(query: Query, into: Expressions, tree: exp.Expr, wants_values: bool = True) -> Asked:
    """The subquery, with columns for what it says of the query around. Raises Refused for what cannot be said by keys."""
    if isinstance(tree, exp.Subquery) and not tree.args.get("with_") and not tree.args.get("limit"):
        return asked(query, into, tree.this, wants_values)
    if not outer_columns(tree, tree):
        whole = query.whole(tree, nested=True)
        return Asked(whole, [one.name for one in whole.fields], is_one_group=_is_one_row(whole))
    with at(tree, query.sql):
        refused = [name for name in ("limit", "offset", "distinct", "qualify") if tree.args.get(name)]
        if not isinstance(tree, exp.Select):
            raise Refused("a UNION that refers to the query around", rule=RULE, do=DO)
        if refused and (wants_values or refused != ["distinct"]):
            do = "QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY …) = 1 in a subquery, and JOIN it"
            raise Refused(f"{refused[0].upper()} in a subquery that refers to the query around", do=do)
    return _Correlated(query, into, tree, wants_values).build()


class _Correlated:
    """Builds what is asked by a SELECT that refers to the query around."""

    def __init__(self, query: Query, outer: Expressions, tree: exp.Select, wants_values: bool) -> None:
        from accord.frame.query import Select

        self.outer, self.tree, self.wants_values = outer, tree, wants_values
        self.sql = query.sql
        self.select = Select(query.with_ctes(tree), tree)
        self.made = Asked(self.select.node, [])

    def build(self) -> Asked:
        select, made = self.select, self.made
        for condition in select.correlated:
            with at(condition, self.sql):
                self._read(condition)
        self._require_rest()
        has_keys = bool(self.tree.args.get("group"))
        if windows_of(select.searched):
            raise Refused("a window function in a subquery that refers to the query around", do="compute it in FROM and JOIN it")
        if select.is_grouped and made.compared:
            raise Refused("a grouped subquery that is compared with the query around", rule=RULE, do=DO)
        select.group(tuple(name for _, name in made.equal))
        made.is_one_group = select.is_grouped and not has_keys
        select.choose_groups()
        if self.wants_values:
            self._select_values()
        made.node = select.node
        return made

    def _require_rest(self) -> None:
        """Raises Refused for another part of the subquery that reads the query around."""
        conditions = {id(column) for one in self.select.correlated for column in one.find_all(exp.Column)}
        for one in outer_columns(self.tree, self.tree):
            if id(one) not in conditions:
                with at(one, self.sql):
                    raise Refused(f"{one.sql('duckdb')} is of the query around, outside of the subquery's WHERE", rule=RULE, do=DO)

    def _read(self, node: exp.Expr) -> None:
        """One condition on the query around."""
        if subqueries_of(node):
            raise Refused("a subquery that refers to a query two levels around", rule=RULE, do=DO)
        columns = list(node.find_all(exp.Column))
        outers = outer_columns(node, self.tree)
        if len(outers) == len(columns):
            self.made.outside.append(self.outer.condition(node))
            return
        sides = [(one, bool(outer_columns(one, self.tree))) for one in (node.this, node.expression)] if self._is_comparison(node) else []
        if not sides or sides[0][1] == sides[1][1] or any(is_outer and self._reads_inner(one) for one, is_outer in sides):
            raise Refused("this condition on the query around", rule=RULE, do=DO)
        outer, inner = (one for one, _ in sorted(sides, key=lambda side: not side[1]))
        first, second = same_form(self.outer.translate(outer), self.select.into.translate(inner))
        name = self._column(second)
        if isinstance(node, exp.EQ):
            self.made.equal.append((first, name))
        else:
            function = _COMPARED[type(node)]
            self.made.compared.append((function if outer is node.this else FLIPPED[function], first, name))

    def _is_comparison(self, node: exp.Expr) -> bool:
        return type(node) in (exp.EQ, *_COMPARED)

    def _reads_inner(self, node: exp.Expr) -> bool:
        return len(outer_columns(node, self.tree)) < len(list(node.find_all(exp.Column)))

    def _column(self, expression: Expression) -> str:
        """A column of the subquery's rows for an expression over them."""
        if isinstance(expression, ColumnRef):
            return expression.name
        names = [one.name for one in self.select.node.fields]
        name = fresh_name("asked", names)
        self.select.node = Project(self.select.node, (*((one.name, column(one)) for one in self.select.node.fields), (name, expression)))
        return name

    def _select_values(self) -> None:
        select = self.select
        select.window()
        for one in self.tree.expressions:
            expression = select.into.translate(one.unalias())
            names = [field.name for field in select.node.fields]
            name = fresh_name(f"{one.alias_or_name or 'value'}", names)
            kept = tuple((field.name, column(field)) for field in select.node.fields)
            select.node = Project(select.node, (*kept, (name, expression)))
            self.made.values.append(name)


def _is_one_row(node: Node) -> bool:
    """Whether a table has exactly one row, whatever the data."""
    if isinstance(node, Project | Sort):
        return _is_one_row(node.inputs[0])
    if isinstance(node, Join):
        return node.kind == "cross" and all(_is_one_row(one) for one in node.inputs)
    return isinstance(node, Aggregate) and not node.keys


# ---- joining on


def keyed(node: Node, inner: Node, keys: Sequence[tuple[Expression, str]]) -> tuple[Node, Node, tuple[tuple[str, str], ...]]:
    """Both tables with a column for each key."""
    inner, named = apart(inner, frozenset(one.name for one in node.fields), "asked")
    return with_columns(node, inner, [(first, column(inner.field(named[name]))) for first, name in keys])


def joined(node: Node, inner: Node, keys: Sequence[tuple[Expression, str]]) -> tuple[Node, dict[str, str]]:
    """The table with the columns of `inner`, which has at most one row for the keys; and their new names."""
    inner, named = apart(inner, frozenset(one.name for one in node.fields), "asked")
    left, right, on = with_columns(node, inner, [(first, column(inner.field(named[name]))) for first, name in keys])
    return Join(left, right, "left" if on else "cross", on), named
