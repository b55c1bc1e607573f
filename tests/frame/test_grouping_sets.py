"""ROLLUP, CUBE and GROUPING SETS: which groupings they list, what stays public, and that they are no more than several group-bys."""

from __future__ import annotations

import pytest

from accord.base.errors import Refused
from accord.frame.grouping_sets import groupings
from accord.frame.oracle import run_clear
from accord.frame.sql import parse, to_plan
from accord.plan.interpret import interpret
from accord.plan.lower import all_there, public_layouts
from accord.plan.place import place
from tests.plan.worlds import CATALOG, assert_agree, world


def listed(clause: str) -> list[str]:
    tree = parse(f"SELECT a, b, COUNT(*) AS n FROM t GROUP BY {clause}")
    return ["".join(key.name for key in keys) for keys in groupings(tree, "")]


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ("a, b", ["ab"]),
        ("()", [""]),
        ("(a, b), a", ["ab"]),
        ("ROLLUP (a, b)", ["ab", "a", ""]),
        ("ROLLUP ((a, b), c)", ["abc", "ab", ""]),
        ("CUBE (a, b)", ["ab", "a", "b", ""]),
        ("CUBE ((a, b), c)", ["abc", "ab", "c", ""]),
        ("c, ROLLUP (a)", ["ca", "c"]),
        ("ROLLUP (a), CUBE (b)", ["ab", "a", "b", ""]),
        ("GROUPING SETS ((a, b), a, (), ())", ["ab", "a", "", ""]),
        ("GROUPING SETS (ROLLUP (a), CUBE (b), GROUPING SETS (c))", ["a", "", "b", "", "c"]),
        ("a, GROUPING SETS ((a), (b))", ["a", "ab"]),
        ("ROLLUP (2, 1)", ["ba", "b", ""]),
        ("CUBE (a, b, c, d, e, f)", None),
    ],
)
def test_the_groupings_that_are_listed(clause: str, expected: list[str] | None) -> None:
    assert listed(clause) == expected if expected is not None else len(listed(clause)) == 64


@pytest.mark.parametrize(
    "clause", ["CUBE (a, b, c, d, e, f, g)", "CUBE (a, b, c, d), CUBE (e, f, g)", f"CUBE ({', '.join('abcdefghijklmnopqrstu' * 3)})"]
)
def test_too_many_groupings_are_refused_before_they_are_listed(clause: str) -> None:
    with pytest.raises(Refused, match=r"a GROUP BY of \d+ groupings \(rule: at most 64\)"):
        listed(clause)


def test_margins_of_public_keys_lie_on_a_public_grid() -> None:
    """Each grouping's rows lie on the grid of its own keys, and every server knows which row is of which."""
    sql = "SELECT region, shop, GROUPING(region, shop) AS margin, COUNT(*) AS c FROM sales GROUP BY CUBE (region, shop)"
    placed = place(to_plan(sql, CATALOG), CATALOG)
    assert [one.public for one in placed.fields] == [True, True, True, False]
    (layout,) = public_layouts((placed,))
    cells = list(zip(*(layout[name].values.tolist() for name in ("region", "shop", "margin")), strict=True))
    expected = [(a, b, 0) for b in range(3) for a in range(3)] + [(a, 0, 1) for a in range(3)] + [(0, b, 2) for b in range(3)] + [(0, 0, 3)]
    assert sorted(cells) == sorted(expected)
    for name, digit in (("region", 2), ("shop", 1)):
        assert layout[name].nulls.tolist() == [bool(margin & digit) for margin in layout["margin"].values.tolist()]


GRID = """SELECT g.region, g.kind, COALESCE(s.c, 0) AS c
FROM (SELECT COALESCE(region, 'all') AS region, COALESCE(kind, 'all') AS kind FROM factor GROUP BY CUBE (region, kind)) g
LEFT JOIN (SELECT COALESCE(region, 'all') AS region, COALESCE(kind, 'all') AS kind, COUNT(*) AS c
           FROM (SELECT region, COALESCE(kind, 'x') AS kind FROM sales) p GROUP BY CUBE (region, kind)) s
USING (region, kind)"""


def test_a_grid_with_margins_has_all_its_rows() -> None:
    """The form that docs/how-to/margins.md recommends: rules of the whole table can judge it."""
    placed = place(to_plan(GRID, CATALOG), CATALOG)
    assert all_there(placed) and [one.public for one in placed.fields] == [True, True, False]
    assert not all_there(place(to_plan("SELECT region, COUNT(*) AS c FROM sales GROUP BY ROLLUP (region)", CATALOG), CATALOG))
    assert_agree(GRID, 2)
    rows = {(region, kind): c for region, kind, c in run_clear(GRID, CATALOG, world(2)).tuples(("region", "kind", "c"))}
    assert len(rows) == 4 + 3 + 2 + 1


@pytest.mark.parametrize("seed", range(4))
def test_margins_are_what_one_query_for_each_grouping_gives(seed: int) -> None:
    made = "SUM(n) AS t, COUNT(DISTINCT kind) AS k"
    cube = f"SELECT amount, region, GROUPING(amount, region) AS g, {made} FROM sales GROUP BY CUBE (amount, region)"
    each = [
        f"SELECT {amount}, {region}, {g} AS g, {made} FROM sales{by}"
        for amount, region, g, by in (
            ("amount", "region", 0, " GROUP BY amount, region"),
            ("amount", "NULL AS region", 1, " GROUP BY amount"),
            ("NULL AS amount", "region", 2, " GROUP BY region"),
            ("NULL AS amount", "NULL AS region", 3, ""),
        )
    ]
    names = ("amount", "region", "g", "t", "k")
    apart = [row for sql in each for row in interpret(to_plan(sql, CATALOG), world(seed)).tuples(names)]
    together = interpret(to_plan(cube, CATALOG), world(seed)).tuples(names)
    assert sorted(map(repr, together)) == sorted(map(repr, apart))
