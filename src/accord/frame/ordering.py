"""ORDER BY and LIMIT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from accord.base.errors import Refused
from accord.base.names import fresh_name
from accord.frame.expressions import Expressions
from accord.frame.places import at, shortened
from accord.plan.expression import Expression
from accord.plan.nodes import Limit, Node, Project, Sort
from accord.plan.typing import call, column, integer

if TYPE_CHECKING:
    from accord.frame.query import Query

Keys = tuple[tuple[str, bool], ...]
Columns = list[tuple[str, Expression]]


def sort_keys(into: Expressions, tree: exp.Select, columns: Columns) -> tuple[Keys, Columns]:
    """The columns to order by, each with whether it descends, and those of them that SELECT does not name."""
    order = tree.args.get("order")
    taken = {name for name, _ in columns}
    made = dict(columns)
    keys: list[tuple[str, bool]] = []
    hidden: Columns = []

    def hide(expression: Expression) -> str:
        hidden.append((fresh_name("order_by", taken), expression))
        taken.add(hidden[-1][0])
        return hidden[-1][0]

    for one in _ordered(order, into.sql):
        name = _output(tree, one.this)
        expression = made[name] if name is not None else _by_aliases(into, tree, made, one.this)
        if one.args.get("nulls_first") and expression.type.nullable:
            keys.append((hide(_is_known(expression)), False))
        keys.append((name if name is not None else hide(expression), bool(one.args.get("desc"))))
    return tuple(keys), hidden


def _ordered(order: exp.Expr | None, sql: str) -> list[exp.Expr]:
    if order is None:
        return []
    for one in order.expressions:
        everything = isinstance(one.this, exp.Column) and one.this.name.upper() == "ALL" and not one.this.table
        if one.args.get("with_fill") or everything or isinstance(one.this, exp.Literal):
            with at(one, sql):
                raise Refused(f"ORDER BY {shortened(one)}", rule="columns and expressions, ASC or DESC", do="name an output column")
    return list(order.expressions)


def _is_known(expression: Expression) -> Expression:
    """0 for NULL, 1 for a value: NULL stands first in its order."""
    return call("case", call("is_null", expression), integer(0), integer(1))


def _by_aliases(into: Expressions, tree: exp.Select, made: dict[str, Expression], by: exp.Expr) -> Expression:
    """An expression to order by, in which SELECT's aliases may stand."""
    named = {name.lower(): expression for name, expression in made.items()}
    for one in by.find_all(exp.Column):
        if not one.table and one.name.lower() in named:
            into.replaced.append((one, named[one.name.lower()]))
    return into.translate(by)


def _output(tree: exp.Query, by: exp.Expr) -> str | None:
    """The output column that ORDER BY means: the same expression, or its name."""
    selected = tree.selects
    named = {one.alias_or_name.lower(): one.alias_or_name for one in selected}
    same = (one.alias_or_name for one in selected if one.unalias() == by)
    return next(same, named.get(by.name.lower()) if isinstance(by, exp.Column) and not by.table else None)


def ordered_set(query: Query, tree: exp.Query, node: Node) -> Node:
    """ORDER BY of a table that is its own SELECT: of a UNION, or of distinct rows. Only output columns can be meant."""
    order = tree.args.get("order")
    keys: list[tuple[str, bool]] = []
    known: Columns = []
    for one in _ordered(order, query.sql):
        names = {field.name.lower(): field.name for field in node.fields}
        name = _output(tree, one.this) or names.get(one.this.name.lower() if isinstance(one.this, exp.Column) else "")
        if name is None or name not in names.values():
            with at(one, query.sql):
                raise Refused(f"ORDER BY {shortened(one)}", rule="output columns, after DISTINCT and UNION", do="name an output column")
        if one.args.get("nulls_first") and node.field(name).type.nullable:
            known.append((fresh_name("order_by", {*names.values(), *(made for made, _ in known)}), _is_known(column(node.field(name)))))
            keys.append((known[-1][0], False))
        keys.append((name, bool(one.args.get("desc"))))
    if not keys:
        return node
    if not known:
        return Sort(node, tuple(keys))
    fields = tuple((one.name, column(one)) for one in node.fields)
    return Project(Sort(Project(node, (*fields, *known)), tuple(keys)), fields)


def limited(query: Query, tree: exp.Query, node: Node) -> Node:
    """LIMIT and OFFSET, of rows in an order."""
    limit, offset = tree.args.get("limit"), tree.args.get("offset")
    if not limit and not offset:
        return node
    clause = limit or offset
    assert clause is not None
    with at(tree, query.sql), at(clause, query.sql):
        if not tree.args.get("order"):
            rule = "which rows remain is settled by an order"
            raise Refused(f"{'LIMIT' if limit else 'OFFSET'} without ORDER BY", rule=rule, do="add ORDER BY before it")
        if not limit:
            raise Refused("OFFSET without LIMIT is not supported", do="say how many rows to keep: LIMIT 10 OFFSET 5")
        options = limit.args.get("limit_options")
        if options and (options.args.get("percent") or options.args.get("with_ties")):
            raise Refused("LIMIT by percent or with ties is not supported", do="write the number of rows: LIMIT 10")
        return Limit(node, _number(limit.args.get("expression") or limit.args.get("count")), _number(offset and offset.expression))


def _number(node: exp.Expr | None) -> int:
    if node is None:
        return 0
    bare = node.unnest()
    if not isinstance(bare, exp.Literal) or bare.is_string or not bare.this.isdigit():
        raise Refused(f"LIMIT {shortened(node)}", rule="a whole number", do="write the number of rows: LIMIT 10")
    return int(bare.this)
