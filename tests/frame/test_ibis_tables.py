"""The Python face: Ibis expressions take the road of SQL, give its answers and its refusals, and import no backend."""

from __future__ import annotations

import subprocess
import sys

import ibis
import pytest

from accord.base.errors import Refused
from accord.frame import ibis_tables
from accord.frame.sql import to_plan
from tests.plan.worlds import CATALOG, assert_agree


def sales():
    return ibis_tables.table(CATALOG, "sales")


def area():
    return ibis_tables.table(CATALOG, "area")


def questions():
    _ = ibis._
    grouped = sales().group_by("region").agg(x=_.amount.sum(), n=_.count())
    return {
        "grouped": sales()
        .filter(_.n > 1)
        .group_by("region")
        .agg(x=_.amount.sum(), n=_.count(), m=_.price.mean(), k=_.kind.nunique(), w=_.amount.sum(where=_.ok))
        .order_by(ibis.desc("region")),
        "joined": grouped.join(area(), "region").mutate(y=_.x / _.rank, q=_.rank // 2),
        "left": area()
        .left_join(grouped, "region")
        .select("region", "rank", "x", z=_.x.fill_null(0), k=ibis.cases((_.x.isnull(), "none"), (_.x > 5, "much"), else_="some")),
        "rows": sales()
        .filter(_.region.isin(["north", "west"]))
        .select(
            "region",
            r=(_.price / 3).round(2),
            b=_.amount.between(1, 5),
            k=_.amount.notnull(),
            a=(-_.amount).abs(),
            c=_.price.cast("decimal(12,1)"),
        ),
        "scalar": sales().amount.sum(),
        "having": sales().group_by("region").having(_.count() > 1).agg(x=_.amount.max()),
    }


@pytest.mark.parametrize("name", ["grouped", "joined", "left", "rows", "scalar", "having"])
def test_ibis_gives_duckdbs_answer(name: str) -> None:
    expression = questions()[name]
    plan = ibis_tables.to_plan(expression, CATALOG)
    said = ibis_tables.to_sql(expression)
    assert plan == to_plan(said, CATALOG)
    assert_agree(said, 3)


def test_tables_are_typed_as_declared() -> None:
    schema = sales().schema()
    assert (schema["price"].scale, schema["amount"].nullable, schema["n"].nullable) == (2, True, False)
    assert str(schema["day"]).startswith("!date") and schema["region"].is_string() and schema["ok"].is_boolean()


def test_a_step_of_the_study_is_a_table_too() -> None:
    named = {"sold": to_plan("SELECT region, SUM(n) AS total FROM sales GROUP BY region", CATALOG)}
    sold = ibis_tables.table(CATALOG, "sold", named)
    plan = ibis_tables.to_plan(sold.filter(sold.total > 3), CATALOG, named)
    assert [one.name for one in plan.fields] == ["region", "total"]


def test_refusals_name_the_part_of_the_sql() -> None:
    with pytest.raises(Refused, match=r'"n" % .*: % \(remainder\) is not supported; write x - x // y \* y'):
        ibis_tables.to_plan(sales().mutate(d=ibis._.n % 2), CATALOG)
    with pytest.raises(Refused, match="is no table; release a table"):
        ibis_tables.to_plan(sales().amount, CATALOG)
    with pytest.raises(Refused, match="no table 'wages'"):
        ibis_tables.table(CATALOG, "wages")


def test_no_backend_is_imported() -> None:
    code = """
import sys
from accord.plan.catalog import Catalog
from accord.plan.nodes import Field, Public
from accord.plan.types import INT, Type
from accord.frame import ibis_tables
catalog = Catalog({}, {"t": Public("t", (Field("x", Type(INT, 0, 9), True),), ((1,), (2,)))})
table = ibis_tables.table(catalog, "t")
assert ibis_tables.to_plan(table.mutate(y=table.x + 1), catalog).fields[1].type.high == 10
print(sorted({"duckdb", "pandas", "pyarrow", "polars"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
