"""SQL expressions of sqlglot's tree become typed plan expressions. One table says what is accepted, one what is nearest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlglot import exp

from accord.base.errors import Refused
from accord.frame.dates import DATES, is_interval, moved
from accord.frame.places import TYPE, at, copy_types, shortened
from accord.frame.ratios import divided_total
from accord.frame.texts import TEXTS
from accord.plan.expression import Call, ColumnRef, Expression, Literal
from accord.plan.types import BOOL, DATE, DECIMAL, INT, TEXT, Type
from accord.plan.typing import CONDITION, DIVIDE_DIGITS, article, boolean, call, cast, decimal, integer, null, quotient, text

Columns = Mapping[tuple[str, str], Expression]
"""(table alias, column), both in lower case, to the expression that it stands for."""


class Expressions:
    """Translates the expressions of one SELECT.

    `columns` says what its names mean; `replaced` pairs whole subtrees (group keys, aggregates) with what stands for them, and
    `equated` maps a column on the NULL side of an outer join to the one that it was joined on.
    """

    def __init__(
        self,
        columns: Columns,
        parameters: Mapping[str, str | int],
        sql: str,
        replaced: Sequence[tuple[exp.Expr, Expression]] = (),
        equated: Mapping[str, str] | None = None,
        grouped: bool = False,
    ) -> None:
        self.columns, self.parameters, self.sql, self.grouped = columns, parameters, sql, grouped
        self.equated = equated or {}
        self.replaced = list(replaced)

    def translate(self, node: exp.Expr) -> Expression:
        """The typed expression. Raises Refused with the place in the SQL."""
        with at(node, self.sql):
            found = self._replacement(node) or self._built(node)
        node.meta[TYPE] = found.type
        return found

    def condition(self, node: exp.Expr) -> Expression:
        """As `translate`, for WHERE, HAVING and ON."""
        found = self.translate(node)
        if isinstance(found, Literal) and found.value is None:
            return null(Type(BOOL))
        if found.type.kind != BOOL:
            with at(node, self.sql):
                raise Refused(f"{article(found.type.kind)} as a condition", rule=CONDITION, do="compare it with a value")
        return found

    def all(self, nodes: Sequence[exp.Expr]) -> list[Expression]:
        return [self.translate(one) for one in nodes]

    def _replacement(self, node: exp.Expr) -> Expression | None:
        for original, stands in self.replaced:
            if original == node:
                copy_types(original, node)
                return stands
        return None

    def _built(self, node: exp.Expr) -> Expression:
        accepted = _accepted(node)
        if accepted is None:
            raise refusal(node)
        found = accepted(self, node)
        return call("not", found) if node.args.get("negate") else found

    def resolve(self, table: str, name: str) -> tuple[str, Expression]:
        """What a column name stands for, and the table that it is of. Of columns that a join equates, the one that is never NULL."""
        found = [(alias, one) for (alias, column), one in self.columns.items() if column == name.lower() and table.lower() in ("", alias)]
        names = {_name(one) for _, one in found}
        found = [(alias, one) for alias, one in found if self.equated.get(_name(one)) not in names]
        if self.grouped:
            raise Refused(
                f"column {name} is neither grouped nor aggregated",
                rule="after GROUP BY only its keys and aggregates remain",
                do=f"add {name} to GROUP BY, or take MIN({name})",
            )
        if len(found) != 1:
            known = ", ".join(dict.fromkeys(column for _, column in self.columns))
            raise Refused(f"{'no column' if not found else 'more than one column'} {name!r} here", do=f"the columns are {known}")
        return found[0]


Translation = Callable[[Expressions, Any], Expression]


def _name(expression: Expression) -> str:
    return expression.name if isinstance(expression, ColumnRef) else ""


def _accepted(node: exp.Expr) -> Translation | None:
    return next((ACCEPTED[kind] for kind in type(node).__mro__ if kind in ACCEPTED), None)


def refusal(node: exp.Expr) -> Refused:
    """The refusal of a construct, with the nearest form."""
    node = node.this if isinstance(node, exp.IgnoreNulls | exp.Filter) else node
    for kind, (what, nearest) in NEAREST.items():
        if isinstance(node, kind):
            return Refused(f"{what} is not supported", do=nearest)
    name = node.name if isinstance(node, exp.Anonymous) else node.key.upper()
    return Refused(f"{name} is not supported: {shortened(node)}", do="docs/reference/sql.md lists what is")


# ---- leaves


def _column(into: Expressions, node: exp.Expr) -> Expression:
    alias, found = into.resolve(node.table if isinstance(node, exp.Column) else "", node.name)
    if isinstance(node, exp.Column) and not node.table:
        node.set("table", exp.to_identifier(alias))
    return found


def _literal(_: Expressions, node: exp.Literal) -> Expression:
    if node.is_string:
        return text(node.this)
    try:
        number = Decimal(node.this)
    except ArithmeticError:
        raise Refused(f"{node.this} is no number") from None
    exponent = number.as_tuple().exponent
    if "e" in node.this.lower() or not isinstance(exponent, int):
        raise Refused(f"the floating-point constant {node.this}", rule="numbers are integers and decimals", do="write its digits out")
    if "." not in node.this:
        return integer(int(number))
    return decimal(int(number.scaleb(-exponent)), -exponent)


def _parameter(into: Expressions, node: exp.Expr) -> Expression:
    name = node.name
    if name not in into.parameters:
        known = ", ".join(f":{one}" for one in into.parameters) or "none"
        raise Refused(f"no value for :{name}", rule=f"given are {known}", do="name a parameter that is given, as in :recipient")
    value = into.parameters[name]
    return integer(value) if isinstance(value, int) else text(value)


def _cast(into: Expressions, node: exp.Cast) -> Expression:
    argument, target = into.translate(node.this), _target(node.to)
    if target.kind == INT and isinstance(argument, Call) and argument.function == "floor_divide":
        return argument
    return cast(argument, target)


def _target(to: exp.DataType) -> Type:
    kinds = exp.DataType.Type
    if to.this in (kinds.INT, kinds.BIGINT, kinds.SMALLINT, kinds.TINYINT, kinds.INT128):
        return Type(INT)
    if to.this in (kinds.DECIMAL,):
        sizes = [int(one.name) for one in to.expressions]
        return Type(DECIMAL, scale=sizes[1] if len(sizes) > 1 else 0 if sizes else 3)
    if to.this == kinds.BOOLEAN:
        return Type(BOOL)
    if to.this == kinds.DATE:
        return Type(DATE)
    if to.this in (kinds.VARCHAR, kinds.TEXT):
        return Type(TEXT, 0, 0)
    floating = to.this in (kinds.DOUBLE, kinds.FLOAT)
    nearest = "use DECIMAL(18, 4): results are exact" if floating else "use CASE to say which value becomes which"
    raise Refused(f"CAST to {to.sql('duckdb')}", rule="BIGINT, DECIMAL(p, s), BOOLEAN, DATE and VARCHAR", do=nearest)


# ---- calls


def _binary(function: str) -> Translation:
    return lambda into, node: call(function, into.translate(node.this), into.translate(node.expression))


def _unary(function: str) -> Translation:
    return lambda into, node: call(function, into.translate(node.this))


def _many(function: str) -> Translation:
    return lambda into, node: call(function, *into.all([node.this, *node.expressions]))


def _connected(function: str) -> Translation:
    """AND and OR, flat: a long chain is one call."""
    return lambda into, node: call(function, *into.all(list(node.flatten())))


def _is(into: Expressions, node: exp.Is) -> Expression:
    what = into.translate(node.this)
    if isinstance(node.expression, exp.Null):
        return call("is_null", what)
    if isinstance(node.expression, exp.Not) and isinstance(node.expression.this, exp.Null):
        return call("not", call("is_null", what))
    if isinstance(node.expression, exp.Boolean):
        held = what if node.expression.this else call("not", what)
        return call("coalesce", held, boolean(False))
    raise Refused("IS with something else than NULL, TRUE or FALSE", do="compare with =")


def _added(function: str) -> Translation:
    """+ and -, of numbers, of dates, and of a date and an INTERVAL."""
    sign = 1 if function == "add" else -1

    def translate(into: Expressions, node: exp.Binary) -> Expression:
        if is_interval(node.expression):
            return moved(into, node.this, node.expression, sign)
        if is_interval(node.this) and sign == 1:
            return moved(into, node.expression, node.this, sign)
        return call(function, into.translate(node.this), into.translate(node.expression))

    return translate


def _between(into: Expressions, node: exp.Between) -> Expression:
    if node.args.get("symmetric"):
        raise Refused("BETWEEN SYMMETRIC is not supported", do="write the smaller bound first")
    value, low, high = into.all([node.this, node.args["low"], node.args["high"]])
    return call("and", call("ge", value, low), call("le", value, high))


def _in(into: Expressions, node: exp.In) -> Expression:
    if node.args.get("query") or node.args.get("unnest") or node.args.get("field"):
        raise refusal(node)
    value = into.translate(node.this)
    equal = [call("eq", value, one) for one in into.all(node.expressions)]
    return call("or", *equal) if len(equal) > 1 else equal[0]


def _case(into: Expressions, node: exp.Case) -> Expression:
    arguments = []
    for one in node.args["ifs"]:
        condition = into.translate(one.this)
        arguments += [call("eq", into.translate(node.this), condition) if node.this else condition, into.translate(one.args["true"])]
    otherwise = node.args.get("default")
    return call("case", *arguments, into.translate(otherwise) if otherwise else null())


def _if(into: Expressions, node: exp.If) -> Expression:
    otherwise = node.args.get("false")
    return call("case", into.translate(node.this), into.translate(node.args["true"]), into.translate(otherwise) if otherwise else null())


def _coalesce(into: Expressions, node: exp.Coalesce) -> Expression:
    arguments = into.all([node.this, *node.expressions])
    names = {one.name for one in arguments if isinstance(one, ColumnRef)}
    kept = [one for one in arguments if not (isinstance(one, ColumnRef) and into.equated.get(one.name) in names)]
    return call("coalesce", *kept)


def _nullif(into: Expressions, node: exp.Nullif) -> Expression:
    left, right = into.translate(node.this), into.translate(node.expression)
    return call("case", call("eq", left, right), null(), left)


def _round(into: Expressions, node: exp.Round) -> Expression:
    """Of a quotient, one rounding: its range is judged at the decimals that are asked for."""
    decimals = node.args.get("decimals")
    digits = into.translate(decimals) if decimals else integer(0)
    inner = node.this.unnest()
    if isinstance(inner, exp.Div) and isinstance(digits, Literal) and isinstance(digits.value, int) and 0 <= digits.value <= DIVIDE_DIGITS:
        return quotient(into.translate(inner.this), into.translate(inner.expression), digits.value)
    return call("round", into.translate(node.this), digits)


def _floor(into: Expressions, node: exp.Floor) -> Expression:
    inner = node.this.unnest()
    if not isinstance(inner, exp.Div):
        raise Refused("FLOOR of something else than a quotient", do="use x // y of integers, or ROUND(x, digits)")
    return call("floor_divide", into.translate(inner.this), into.translate(inner.expression))


def average(total: Expression, count: Expression, of: Type) -> Expression:
    """SUM / COUNT as an average of values of type `of`: between the least and the greatest of them."""
    unit = 10**DIVIDE_DIGITS
    return quotient(total, count, of.scale + DIVIDE_DIGITS, (of.low * unit, of.high * unit))


ACCEPTED: dict[type[Any], Translation] = {
    exp.Column: _column,
    exp.TableColumn: _column,
    exp.Literal: _literal,
    exp.Boolean: lambda _, node: boolean(node.this),
    exp.Null: lambda _, node: null(),
    exp.Placeholder: _parameter,
    exp.Parameter: _parameter,
    exp.Paren: lambda into, node: into.translate(node.this),
    exp.Add: _added("add"),
    exp.Sub: _added("subtract"),
    exp.Mul: _binary("multiply"),
    exp.Div: divided_total,
    exp.IntDiv: _binary("floor_divide"),
    exp.Neg: _unary("negate"),
    exp.Abs: _unary("abs"),
    exp.EQ: _binary("eq"),
    exp.NEQ: _binary("ne"),
    exp.LT: _binary("lt"),
    exp.LTE: _binary("le"),
    exp.GT: _binary("gt"),
    exp.GTE: _binary("ge"),
    exp.Between: _between,
    exp.In: _in,
    exp.And: _connected("and"),
    exp.Or: _connected("or"),
    exp.Not: _unary("not"),
    exp.Is: _is,
    exp.Case: _case,
    exp.If: _if,
    exp.Coalesce: _coalesce,
    exp.Nullif: _nullif,
    exp.Least: _many("least"),
    exp.Greatest: _many("greatest"),
    exp.Round: _round,
    exp.Floor: _floor,
    exp.Cast: _cast,
    **TEXTS,
    **DATES,
}
"""sqlglot's node to its translation; a node of a subclass counts as its parent."""

_JOINED = "put it in FROM or WITH and JOIN it"

NEAREST: dict[type[Any], tuple[str, str]] = {
    exp.Window: ("a window function here", "compute it in SELECT or QUALIFY, or in a subquery first"),
    exp.Subquery: ("a subquery here", _JOINED),
    exp.Select: ("a subquery here", _JOINED),
    exp.SetOperation: ("a subquery here", _JOINED),
    exp.Exists: ("EXISTS here", _JOINED),
    exp.In: ("IN with a subquery here", _JOINED),
    exp.All: ("a comparison with ALL of a subquery", "compare with its MIN or MAX: x >= (SELECT MAX(y) FROM t)"),
    exp.Any: ("a comparison with ANY of a subquery", "write IN for =, or compare with its MIN or MAX: x > (SELECT MIN(y) FROM t)"),
    exp.Mod: ("% (remainder)", "write x - x // y * y"),
    exp.RegexpLike: ("a regular expression", "use LIKE, STARTS_WITH or CONTAINS"),
    exp.SimilarTo: ("SIMILAR TO", "use LIKE, STARTS_WITH or CONTAINS"),
    exp.NullSafeEQ: ("IS NOT DISTINCT FROM", "write a = b OR (a IS NULL AND b IS NULL)"),
    exp.NullSafeNEQ: ("IS DISTINCT FROM", "write a <> b OR (a IS NULL) <> (b IS NULL)"),
    exp.ArraySlice: ("ARRAY_SLICE", "SUBSTRING(x, start, length), in Ibis x.substr(start, length)"),
    exp.Bracket: ("an element or a slice in brackets", "SUBSTRING(x, start, length)"),
    exp.Tuple: ("a row of several columns here", "write one condition for each column, or GROUP BY them in a subquery"),
    exp.Interval: ("an INTERVAL here", "add it to a date, as in day + INTERVAL 3 MONTH"),
    exp.CurrentDate: ("CURRENT_DATE", "write the date as a constant, or as a parameter: a study gives the same answer every day"),
    exp.ArrayAgg: ("ARRAY_AGG", "take SUM, COUNT, MIN, MAX or AVG"),
    exp.GroupConcat: ("STRING_AGG", "GROUP BY the text too"),
    exp.ApproxQuantile: ("APPROX_QUANTILE", "QUANTILE_DISC(x, 0.9) is exact"),
    exp.AnyValue: ("ANY_VALUE", "take MIN or MAX, which do not depend on the order of rows"),
    exp.First: ("FIRST", "take MIN or MAX, which do not depend on the order of rows"),
    exp.Mode: ("MODE", "GROUP BY the value, ORDER BY COUNT(*) DESC LIMIT 1"),
    exp.ArgMax: ("MAX_BY", "keep the first row of each group with QUALIFY ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) = 1"),
    exp.ArgMin: ("MIN_BY", "keep the first row of each group with QUALIFY ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) = 1"),
    exp.Grouping: ("GROUPING without GROUP BY", "GROUP BY ROLLUP (…), CUBE (…) or GROUPING SETS (…)"),
    exp.AggFunc: ("this aggregate, or an aggregate here", "use those of docs/reference/sql.md, in SELECT or HAVING, not inside each other"),
    exp.Sqrt: ("SQRT", "release the square; the recipient finishes the arithmetic"),
    exp.Pow: ("a power", "write x * x"),
    exp.Rand: ("RANDOM", "nothing here is random"),
}
"""What people write that is refused, in words, and the nearest supported form."""
