"""What a question uses of owners' columns, and what its counts count."""

import pytest

from accord.data.schema import ColumnSchema, TableSchema
from accord.frame.sql import to_plan
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.nodes import Field, Public
from accord.plan.types import Type
from accord.plan.usage import AFTER_GROUPING, AGGREGATED, AS_INPUT, IN_CONDITIONS, JOIN_KEY, usage

CATEGORY = ("a", "b", "c")


def table(name, owner, *columns, unique=()):
    return TableInfo(TableSchema(name, columns, unique), (owner,), (50,))


def sector(name="sector"):
    return ColumnSchema(name, "category", values=CATEGORY)


STAFF = table(
    "staff",
    "north",
    ColumnSchema("person", "int", 0, 999),
    sector(),
    ColumnSchema("wage", "int", 0, 9999, nullable=True),
    ColumnSchema("firm", "int", 0, 5000),
    unique=("person",),
)
VISITS = table("visits", "south", ColumnSchema("person", "int", 0, 999), ColumnSchema("days", "int", 0, 99))
PEOPLE = table("people", "south", ColumnSchema("person", "int", 0, 999), ColumnSchema("age", "int", 0, 120), unique=("person",))
GRID = Public("grid", tuple(Field(one.name, Type.of(one), True) for one in (sector(), sector("wing"))), ((0, 0), (1, 0), (2, 1)))
CATALOG = Catalog({"staff": STAFF, "visits": VISITS, "people": PEOPLE}, {"grid": GRID})

BY_SECTOR = "SELECT sector, COUNT(*) AS n FROM staff GROUP BY sector"
WAGE, SECTOR, PERSON, FIRM = (f"staff.{one}" for one in ("wage", "sector", "person", "firm"))


def uses(sql, judged=()):
    found = usage(to_plan(sql, CATALOG), CATALOG, judged)
    return {(f"{one.table}.{one.column}", one.use) for one in found.uses}


def origin(sql, name="n"):
    return usage(to_plan(sql, CATALOG), CATALOG).columns[name]


CASES = {
    "a value as it is": ("SELECT wage FROM staff", {(WAGE, AS_INPUT)}),
    "arithmetic keeps rows": ("SELECT wage * 2 + 1 AS x FROM staff", {(WAGE, AS_INPUT)}),
    "an aggregate": ("SELECT AVG(wage) AS x FROM staff", {(WAGE, AGGREGATED)}),
    "groups": ("SELECT sector, COUNT(*) AS n FROM staff GROUP BY sector", {(SECTOR, AFTER_GROUPING)}),
    "distinct rows": ("SELECT DISTINCT sector FROM staff", {(SECTOR, AFTER_GROUPING)}),
    "groups that nobody names": ("SELECT COUNT(*) AS n FROM staff GROUP BY sector", {(SECTOR, AFTER_GROUPING)}),
    "groups below groups": (
        "SELECT sector, MAX(s) AS s FROM (SELECT sector, firm, SUM(wage) AS s FROM staff GROUP BY sector, firm) GROUP BY sector",
        {(SECTOR, AFTER_GROUPING), (FIRM, AGGREGATED), (WAGE, AGGREGATED)},
    ),
    "different values": ("SELECT COUNT(DISTINCT firm) AS n FROM staff", {(FIRM, AGGREGATED)}),
    "a condition": ("SELECT COUNT(*) AS n FROM staff WHERE wage > 5", {(WAGE, IN_CONDITIONS)}),
    "a condition on what is missing": ("SELECT COUNT(*) AS n FROM staff WHERE wage IS NULL", {(WAGE, IN_CONDITIONS)}),
    "a condition in an aggregate": (
        "SELECT SUM(CASE WHEN wage > 5 THEN 1 ELSE 0 END) AS n FROM staff",
        {(WAGE, IN_CONDITIONS), (WAGE, AGGREGATED)},
    ),
    "FILTER": (
        "SELECT SUM(wage) FILTER (WHERE firm = 7) AS n FROM staff",
        {(FIRM, IN_CONDITIONS), (FIRM, AGGREGATED), (WAGE, AGGREGATED)},
    ),
    "a condition on groups": (
        "SELECT COUNT(*) AS n FROM staff GROUP BY sector HAVING sector = 'a'",
        {(SECTOR, AFTER_GROUPING), (SECTOR, IN_CONDITIONS)},
    ),
    "a condition on sums": ("SELECT COUNT(*) AS n FROM staff HAVING SUM(wage) > 5", {(WAGE, AGGREGATED), (WAGE, IN_CONDITIONS)}),
    "a condition on counts": ("SELECT COUNT(*) AS n FROM staff HAVING COUNT(*) > 5", set()),
    "sums that are compared and released": ("SELECT SUM(wage) > 5 AS n FROM staff", {(WAGE, AGGREGATED)}),
    "sums that are compared and counted": (
        "SELECT COUNT(*) FILTER (WHERE high) AS n FROM (SELECT sector, SUM(wage) > 5 AS high FROM staff GROUP BY sector) AS t",
        {(WAGE, AGGREGATED), (SECTOR, AGGREGATED), (WAGE, IN_CONDITIONS)},
    ),
    "the highest sums": (
        "SELECT sector FROM staff GROUP BY sector ORDER BY SUM(wage) DESC LIMIT 2",
        {(WAGE, AGGREGATED), (SECTOR, AFTER_GROUPING), (WAGE, IN_CONDITIONS)},
    ),
    "the highest": ("SELECT firm FROM staff ORDER BY wage DESC LIMIT 1", {(FIRM, AS_INPUT), (WAGE, IN_CONDITIONS)}),
    "an order": ("SELECT firm FROM staff ORDER BY wage", {(FIRM, AS_INPUT), (WAGE, IN_CONDITIONS)}),
    "a window keeps rows": (
        "SELECT SUM(wage) OVER (PARTITION BY sector) AS x FROM staff",
        {(WAGE, AS_INPUT), (SECTOR, IN_CONDITIONS), (SECTOR, AS_INPUT)},
    ),
    "a rank": ("SELECT MAX(r) AS x FROM (SELECT RANK() OVER (ORDER BY wage) AS r FROM staff)", {(WAGE, IN_CONDITIONS), (WAGE, AGGREGATED)}),
    "a join": (
        "SELECT COUNT(*) AS n FROM staff JOIN people USING (person)",
        {(PERSON, JOIN_KEY), ("people.person", JOIN_KEY)},
    ),
    "the other side of a join tells": (
        "SELECT p.person FROM staff AS s JOIN people AS p ON p.person = s.person",
        {(PERSON, JOIN_KEY), ("people.person", JOIN_KEY), (PERSON, AS_INPUT), ("people.person", AS_INPUT)},
    ),
    "a semi join tells too": (
        "SELECT person FROM people WHERE person IN (SELECT person FROM staff)",
        {(PERSON, JOIN_KEY), ("people.person", JOIN_KEY), (PERSON, AS_INPUT), ("people.person", AS_INPUT)},
    ),
    "an anti join tells that it met none": (
        "SELECT person FROM people AS p WHERE NOT EXISTS (SELECT 1 FROM staff AS s WHERE s.person = p.person)",
        {(PERSON, JOIN_KEY), ("people.person", JOIN_KEY), ("people.person", AS_INPUT)},
    ),
    "a public table chooses": (
        "SELECT COUNT(*) AS n FROM staff JOIN grid USING (sector)",
        {(SECTOR, IN_CONDITIONS)},
    ),
    "a public column tells the key that it was met by": (
        "SELECT g.wing FROM staff AS s JOIN grid AS g ON g.sector = s.sector",
        {(SECTOR, IN_CONDITIONS), (SECTOR, AS_INPUT)},
    ),
    "a grid of groups": (
        f"SELECT g.sector, t.n FROM grid AS g LEFT JOIN ({BY_SECTOR}) AS t ON t.sector = g.sector",
        {(SECTOR, IN_CONDITIONS), (SECTOR, AFTER_GROUPING)},
    ),
    "tables one below the other": (
        "SELECT person FROM staff UNION ALL SELECT person FROM visits",
        {(PERSON, AS_INPUT), ("visits.person", AS_INPUT)},
    ),
    "set operations": (
        "SELECT person FROM people EXCEPT SELECT person FROM staff",
        {("people.person", JOIN_KEY), (PERSON, JOIN_KEY), ("people.person", AFTER_GROUPING)},
    ),
    "a subquery": (
        "SELECT COUNT(*) AS n FROM staff WHERE wage > (SELECT AVG(wage) FROM staff)",
        {(WAGE, IN_CONDITIONS), (WAGE, AGGREGATED)},
    ),
    "what nothing reads is not used": (
        "SELECT sector FROM (SELECT sector, wage > 5 AS high, MAX(firm) AS f FROM staff GROUP BY sector, wage > 5) AS t",
        {(SECTOR, AFTER_GROUPING), (WAGE, IN_CONDITIONS), (WAGE, AFTER_GROUPING)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_question_uses_what_it_uses(case):
    sql, expected = CASES[case]
    assert uses(sql) == expected


def test_a_column_that_only_rules_read_is_used_in_conditions():
    assert uses("SELECT sector, wage FROM staff", ("wage",)) == {(SECTOR, AS_INPUT), (WAGE, IN_CONDITIONS)}


COUNTED = [
    "SELECT COUNT(*) AS n FROM staff",
    "SELECT COUNT(wage) AS n FROM staff WHERE wage > 5",
    "SELECT sector, COUNT(*) AS n FROM staff GROUP BY sector",
    "SELECT SUM(CASE WHEN wage > 5 THEN 1 ELSE 0 END) AS n FROM staff",
    "SELECT SUM(n) AS n FROM (SELECT sector, COUNT(*) AS n FROM staff GROUP BY sector)",
    f"SELECT g.wing, SUM(COALESCE(t.n, 0)) AS n FROM grid AS g LEFT JOIN ({BY_SECTOR}) AS t ON t.sector = g.sector GROUP BY g.wing",
    "SELECT COUNT(*) AS n FROM staff JOIN people USING (person)",
    "SELECT COUNT(*) AS n FROM staff LEFT JOIN people USING (person)",
    "SELECT COUNT(*) AS n FROM staff WHERE person IN (SELECT person FROM visits)",
    "SELECT COUNT(DISTINCT staff.firm) AS n FROM staff JOIN visits USING (person)",
    "SELECT sector, COALESCE(n, 0) AS n FROM (SELECT sector, COUNT(*) AS n FROM staff GROUP BY sector)",
    "SELECT sector, firm, COUNT(*) AS n, SUM(wage) AS w FROM staff GROUP BY CUBE (sector, firm)",
]
NOT_COUNTED = [
    "SELECT sector, 100 AS n FROM staff GROUP BY sector",
    "SELECT sector, COUNT(*) + 100 AS n FROM staff GROUP BY sector",
    "SELECT sector, SUM(firm) AS n FROM staff GROUP BY sector",
    "SELECT sector, MAX(firm) AS n FROM staff GROUP BY sector",
    "SELECT sector, SUM(2) AS n FROM staff GROUP BY sector",
    "SELECT staff.sector, COUNT(*) AS n FROM staff CROSS JOIN grid GROUP BY staff.sector",
    "SELECT COUNT(*) AS n FROM staff JOIN visits USING (person)",
    "SELECT COUNT(*) AS n FROM staff AS a JOIN people AS p ON p.age = a.person JOIN visits AS v ON v.person = a.person",
    "SELECT COUNT(*) AS n FROM (SELECT firm, COUNT(*) AS k FROM people LEFT JOIN staff USING (person) GROUP BY firm)",
    "SELECT a.sector, COUNT(*) AS n FROM staff AS a JOIN staff AS b ON a.person = b.person GROUP BY a.sector",
    "SELECT COUNT(*) AS n FROM people LEFT JOIN staff USING (person)",
    "SELECT COUNT(*) AS n FROM grid LEFT JOIN (SELECT sector, COUNT(*) AS k FROM staff GROUP BY sector) AS t ON t.sector = grid.sector",
    "SELECT COUNT(*) AS n FROM (SELECT person FROM staff UNION ALL SELECT person FROM staff)",
    "SELECT COUNT(DISTINCT staff.firm + grid.k) AS n FROM staff CROSS JOIN (SELECT COUNT(*) AS k FROM grid) AS grid",
    "SELECT SUM(n) AS n FROM (SELECT sector, COUNT(*) AS n FROM staff GROUP BY sector) AS t CROSS JOIN grid",
    "SELECT SUM(n) AS n FROM (SELECT sector, COUNT(*) AS n FROM staff GROUP BY ROLLUP (sector)) AS t",
    """SELECT w, n FROM (SELECT SUM(wage) AS w FROM staff) AS s CROSS JOIN (SELECT sector, COUNT(*) AS n FROM staff GROUP BY sector) AS t
    UNION ALL SELECT w, n FROM (SELECT sector, SUM(wage) AS w FROM staff GROUP BY sector) AS s
    CROSS JOIN (SELECT COUNT(*) AS n FROM staff) AS t""",
    "SELECT sector, COUNT(*) AS n FROM staff GROUP BY sector UNION ALL SELECT sector, 100 FROM grid",
    "SELECT COUNT(*) AS n FROM people WHERE person NOT IN (SELECT person FROM staff)",
]  # fmt: skip


@pytest.mark.parametrize("sql", COUNTED)
def test_what_counts_a_tables_rows_is_known(sql):
    assert "staff" in origin(sql).counts


@pytest.mark.parametrize("sql", NOT_COUNTED)
def test_what_could_exceed_the_number_of_a_tables_rows_does_not_count_them(sql):
    assert "staff" not in origin(sql).counts


def test_a_count_of_different_values_names_their_column():
    plain = "SELECT sector, COUNT(DISTINCT firm) AS n FROM staff GROUP BY sector"
    few = "SELECT firm, COUNT(DISTINCT sector) AS n FROM staff GROUP BY firm"
    twice = "SELECT sector, COUNT(*) AS n FROM (SELECT sector, firm, SUM(wage) AS w FROM staff GROUP BY sector, firm) GROUP BY sector"
    assert origin(plain).distinct == origin(twice).distinct == {("staff", "firm")}
    assert origin(few).distinct == {("staff", "sector")}
    assert origin("SELECT sector, COUNT(DISTINCT firm * 2) AS n FROM staff GROUP BY sector").distinct == frozenset()
    assert origin("SELECT sector, COUNT(*) AS n FROM staff GROUP BY sector").distinct == frozenset()


def test_values_of_one_group_by_are_known_to_be():
    both = "SELECT t.s, c.n FROM ({}) AS c JOIN ({}) AS t ON t.sector = c.sector"
    coarse, fine = (
        "SELECT sector, COUNT(*) AS n FROM staff GROUP BY sector",
        "SELECT sector, firm, SUM(wage) AS s FROM staff GROUP BY sector, firm",
    )
    one = "SELECT sector, COUNT(*) AS n, SUM(wage) / COUNT(wage) AS s FROM staff GROUP BY sector HAVING COUNT(*) > 2"
    assert origin(one, "s").groupings == origin(one, "n").groupings != frozenset()
    apart = both.format(coarse, fine)
    assert not origin(apart, "s").groupings & origin(apart, "n").groupings
