"""Public tables computed at plan time: as DuckDB computes them, named by what they hold, and never too large."""

from __future__ import annotations

import pytest

from accord.base.errors import Refused
from accord.base.limits import PUBLIC_ROWS_MAX
from accord.data.schema import ColumnSchema
from accord.frame.oracle import run_clear
from accord.frame.sql import to_plan
from accord.plan.catalog import Catalog
from accord.plan.nodes import Public
from accord.plan.place import place
from tests.plan.worlds import public

SIDE = ColumnSchema("x", "int", 0, 9_999)


def table(rows: int) -> Catalog:
    return Catalog(
        {}, {"t": public("t", (SIDE, ColumnSchema("y", "int", 0, 9, nullable=True)), tuple((at, at % 3 or None) for at in range(rows)))}
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a.x, b.x AS other, a.y + b.y AS s FROM t a CROSS JOIN t b WHERE a.x < b.x",
        "SELECT y, COUNT(*) AS n, SUM(x) AS s, MIN(x) AS low, AVG(x) AS m FROM t GROUP BY y",
        "SELECT a.x, b.y FROM t a LEFT JOIN (SELECT x, y FROM t WHERE x > 2) b ON a.x = b.x",
        "SELECT x / 3 AS third, x // 2 AS half, CASE WHEN y IS NULL THEN 'none' ELSE 'some' END AS k FROM t ORDER BY x DESC",
        "SELECT SUM(y) AS s, COUNT(y) AS n FROM t WHERE x > 100",
    ],
)
def test_folded_as_duckdb_computes(sql: str) -> None:
    catalog = table(9)
    if "third" in sql:
        sql = sql.replace("SELECT x / 3", "SELECT x, x / 3")
    placed = place(to_plan(sql, catalog), catalog)
    assert isinstance(placed, Public) and all(one.public for one in placed.fields)
    clear = run_clear(sql, catalog, {}).tuples()
    assert list(placed.rows) == clear if "ORDER BY" in sql else sorted(placed.rows, key=repr) == sorted(clear, key=repr)


def test_named_by_what_they_hold() -> None:
    one, same, other = (place(to_plan(f"SELECT x + {add} AS x FROM t", table(9)), table(9)) for add in ("1", "(2 - 1)", "2"))
    assert isinstance(one, Public) and isinstance(same, Public) and isinstance(other, Public)
    assert one == same and one.name != other.name


def test_too_large_is_refused_before_it_is_made() -> None:
    side = int(PUBLIC_ROWS_MAX**0.5) + 1
    with pytest.raises(Refused, match=f"a public table of up to {side * side} rows"):
        place(to_plan("SELECT a.x, b.x AS z FROM t a CROSS JOIN t b", table(side)), table(side))
    place(to_plan("SELECT a.x, b.y FROM t a JOIN t b ON a.x = b.x", table(side)), table(side))
    with pytest.raises(Refused, match=f"the public table t has {PUBLIC_ROWS_MAX + 1} rows"):
        Public("t", (), ((),) * (PUBLIC_ROWS_MAX + 1))
