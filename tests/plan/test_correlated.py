"""Columns that are made of correlations are known, wherever they are computed, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from accord.frame.sql import to_plan
from accord.plan.correlated import correlated
from accord.plan.place import place
from tests.plan.worlds import CATALOG

R = "SELECT region, CORR(n, price) AS r, STDDEV(n) AS s, COUNT(*) AS c FROM sales GROUP BY region"
CASES = {
    R: {"r"},
    "SELECT CORR(n, price) * 100 AS p, AVG(n) AS a FROM sales": {"p"},
    "SELECT shop, CORR(n, price) AS r, AVG(n) AS a FROM sales GROUP BY shop": {"r"},
    f"SELECT MAX(r) AS most, SUM(c) AS c FROM ({R}) AS t": {"most"},
    f"SELECT a.rank, t.r + 1 AS q, t.s FROM area AS a JOIN ({R}) AS t USING (region) ORDER BY q": {"q"},
    "SELECT region, CORR(n, price) AS r FROM sales GROUP BY ROLLUP (region)": {"r"},
    "SELECT region, STDDEV(n) AS s, VAR_POP(n) AS v, COVAR_POP(n, price) AS c FROM sales GROUP BY region": set(),
}


@pytest.mark.parametrize("sql", CASES)
def test_what_is_made_of_a_correlation(sql: str) -> None:
    assert correlated(place(to_plan(sql, CATALOG), CATALOG)) == CASES[sql]
