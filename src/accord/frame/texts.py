"""Functions of texts: what SQL calls them, and what each becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from accord.base.errors import Refused
from accord.plan.expression import Expression
from accord.plan.literals import is_null
from accord.plan.typing import call, integer, text

if TYPE_CHECKING:
    from accord.frame.expressions import Expressions, Translation


def _like(into: Expressions, node: exp.Like) -> Expression:
    return call("like", into.translate(node.this), into.translate(node.expression))


def _ilike(into: Expressions, node: exp.ILike) -> Expression:
    return call("like", call("lower", into.translate(node.this)), call("lower", into.translate(node.expression)))


def _escape(into: Expressions, node: exp.Escape) -> Expression:
    """LIKE … ESCAPE '!'."""
    like = node.this
    if not isinstance(like, exp.Like):
        raise Refused("ESCAPE with something else than LIKE", do="write LOWER(x) LIKE 'a%' ESCAPE '!'")
    found = call("like", *into.all([like.this, like.expression, node.expression]))
    return call("not", found) if like.args.get("negate") else found


def _substring(into: Expressions, node: exp.Substring) -> Expression:
    places = [node.args[name] for name in ("start", "length") if node.args.get(name)]
    return call("substring", into.translate(node.this), *into.all(places))


def _end(into: Expressions, node: exp.Left | exp.Right) -> Expression:
    """LEFT(x, n) and RIGHT(x, n) as SUBSTRING."""
    length = node.expression
    if not isinstance(length, exp.Literal) or length.is_string or int(length.this) < 1:
        raise Refused(f"{node.key.upper()} with a number that is no positive constant", do="write the number, as in LEFT(x, 2)")
    places = (integer(1), integer(int(length.this))) if isinstance(node, exp.Left) else (integer(-int(length.this)),)
    return call("substring", into.translate(node.this), *places)


def _trim(into: Expressions, node: exp.Trim) -> Expression:
    if node.args.get("position") in ("LEADING", "TRAILING"):
        raise Refused("TRIM of one end is not supported", do="TRIM(x) takes away the spaces of both ends")
    letters = [node.expression] if node.expression else []
    return call("trim", *into.all([node.this, *letters]))


def _concat(into: Expressions, node: exp.Concat) -> Expression:
    """CONCAT passes over NULL; || does not."""
    parts = [one for one in into.all(node.expressions) if not is_null(one)]
    return call("concat", *(call("coalesce", one, text("")) if one.type.nullable else one for one in parts))


def _joined(into: Expressions, node: exp.DPipe) -> Expression:
    return call("concat", into.translate(node.this), into.translate(node.expression))


def _pair(function: str) -> Translation:
    return lambda into, node: call(function, into.translate(node.this), into.translate(node.expression))


def _single(function: str) -> Translation:
    return lambda into, node: call(function, into.translate(node.this))


TEXTS: dict[type[Any], Translation] = {
    exp.Like: _like,
    exp.ILike: _ilike,
    exp.Escape: _escape,
    exp.Substring: _substring,
    exp.Left: _end,
    exp.Right: _end,
    exp.Upper: _single("upper"),
    exp.Lower: _single("lower"),
    exp.Trim: _trim,
    exp.Length: _single("length"),
    exp.Concat: _concat,
    exp.DPipe: _joined,
    exp.StartsWith: _pair("starts_with"),
    exp.Contains: _pair("contains"),
}
