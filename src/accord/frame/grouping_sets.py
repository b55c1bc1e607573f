"""Several groupings of one GROUP BY: what ROLLUP, CUBE and GROUPING SETS list, and GROUPING, which tells their rows apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from math import prod

from sqlglot import exp

from accord.base.errors import Refused
from accord.base.limits import GROUPINGS_MAX
from accord.frame.places import at, copy_types

Keys = list[exp.Expr]


def groupings(tree: exp.Select, sql: str) -> list[Keys]:
    """The keys of each grouping that GROUP BY asks for: one grouping for a plain list. Columns of SELECT stand for their places."""
    group = tree.args["group"]
    with at(tree, sql), at(group, sql):
        if odd := [name for name, value in group.args.items() if value and name not in ("expressions", "all")]:
            raise Refused(f"GROUP BY … {odd[0].replace('_', ' ').upper()} is not supported", do="GROUP BY ROLLUP (a, b)")
        each = [_listed(tree, one) for one in group.expressions]
        _require_few(prod(map(len, each)))
        return [distinct([key for keys in chosen for key in keys]) for chosen in product(*each)]


def _require_few(count: int) -> None:
    if count > GROUPINGS_MAX:
        do = "list those that you need with GROUPING SETS"
        raise Refused(f"a GROUP BY of {count} groupings", rule=f"at most {GROUPINGS_MAX}", do=do)


def _listed(tree: exp.Select, element: exp.Expr) -> list[Keys]:
    """The groupings of one element of GROUP BY, whose keys join those of each of the others."""
    if isinstance(element, exp.GroupingSets):
        return [keys for one in element.expressions for keys in _listed(tree, one)]
    if not isinstance(element, exp.Rollup | exp.Cube):
        return [_keys(tree, element)]
    parts = [_keys(tree, one) for one in element.expressions]
    longest_first = range(len(parts), -1, -1)
    if isinstance(element, exp.Rollup):
        chosen: list[Sequence[Keys]] = [parts[:length] for length in longest_first]
    else:
        _require_few(1 << len(parts))
        chosen = [few for length in longest_first for few in combinations(parts, length)]
    return [[key for part in one for key in part] for one in chosen]


def _keys(tree: exp.Select, element: exp.Expr) -> Keys:
    """The keys of a column, an expression, a place in SELECT, or several of them in parentheses."""
    if isinstance(element, exp.Tuple):
        return [key for one in element.expressions for key in _keys(tree, one)]
    bare = element.unnest()
    if not isinstance(bare, exp.Literal) or bare.is_string or not bare.this.isdigit():
        return [bare]
    place, columns = int(bare.this), tree.expressions
    if not 1 <= place <= len(columns):
        rule = f"a number is the place of a column of SELECT, which has {len(columns)}"
        raise Refused(f"GROUP BY {place}", rule=rule, do="name the column")
    key: exp.Expr = columns[place - 1].unalias().copy()
    element.replace(key)
    return [key]


def distinct(keys: Keys) -> Keys:
    """Each key once."""
    return [key for at, key in enumerate(keys) if key not in keys[:at]]


# ---- GROUPING


def told_apart(searched: Sequence[exp.Expr]) -> list[exp.Grouping]:
    """The distinct GROUPING(…) in some expressions of a SELECT; not those of subqueries."""
    found: list[exp.Grouping] = []
    for one in searched:
        for node in one.find_all(exp.Grouping):
            if node not in found and node.parent_select is one.parent_select:
                found.append(node)
    return found


def grouping_number(node: exp.Grouping, keys: Keys, missing: Sequence[bool], aliases: Sequence[tuple[exp.Expr, str]]) -> int:
    """What GROUPING(…) is in the rows of one grouping: a binary digit for each of its columns, 1 where the grouping lacks it.

    `missing` says so of each of `keys`. Raises Refused for a column that is no key.
    """
    number = 0
    for one in node.expressions:
        meant = _meant(one.unnest(), aliases)
        place = next((at for at, key in enumerate(keys) if key == meant), None)
        if place is None:
            what, do = f"GROUPING of {one.sql('duckdb')}", "add it to GROUP BY ROLLUP or CUBE"
            raise Refused(what, rule="it asks of keys of this GROUP BY", do=do)
        if meant is not one.unnest():
            meant = meant.copy()
            one.replace(meant)
        copy_types(keys[place], meant)
        number = 2 * number + missing[place]
    return number


def _meant(node: exp.Expr, aliases: Sequence[tuple[exp.Expr, str]]) -> exp.Expr:
    """What an alias of SELECT stands for; anything else itself."""
    if not isinstance(node, exp.Column) or node.table:
        return node
    return next((one.unnest() for one, alias in aliases if alias.lower() == node.name.lower()), node)
