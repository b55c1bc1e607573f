"""Small random worlds to ask questions of, random questions, and three ways to answer them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from accord.data.encode import encode
from accord.data.publics import PublicTable, load_public
from accord.data.read import connect
from accord.data.schema import ColumnSchema, TableSchema
from accord.frame.oracle import local_field, run_clear
from accord.frame.sql import to_plan
from accord.plan.catalog import Catalog, TableInfo
from accord.plan.evaluate import Plain
from accord.plan.facts import walk
from accord.plan.interpret import Table, interpret
from accord.plan.nodes import Field, Input, Node, Public, Sort
from accord.plan.place import place
from accord.plan.types import Type

SHOPS, REGIONS, KINDS = ("anna", "bert", "cleo"), ("north", "south", "west"), ("x", "y")


def category(name: str, values: tuple[str, ...], nullable: bool = False) -> ColumnSchema:
    return ColumnSchema(name, "category", values=values, nullable=nullable)


SALES = TableSchema(
    "sales",
    (
        category("shop", SHOPS),
        category("region", REGIONS),
        category("kind", KINDS, nullable=True),
        ColumnSchema("day", "date", 19723, 19726),
        ColumnSchema("amount", "int", -50, 100, nullable=True),
        ColumnSchema("price", "decimal", 0, 5000, precision=9, scale=2),
        ColumnSchema("ok", "bool", nullable=True),
        ColumnSchema("n", "int", 0, 3),
    ),
)
STAFF = TableSchema(
    "staff",
    (category("region", ("west", "north", "east")), ColumnSchema("pay", "int", 0, 1000, nullable=True), ColumnSchema("grade", "int", 1, 4)),
)
SHIPPED = TableSchema(
    "shipped", (category("shop", SHOPS), ColumnSchema("n", "int", 0, 3), ColumnSchema("weight", "int", 0, 9)), ("shop", "n")
)


def public(name: str, columns: tuple[ColumnSchema, ...], rows: tuple[tuple[int | None, ...], ...]) -> Public:
    return Public(name, tuple(Field(one.name, Type.of(one), True) for one in columns), rows)


AREA = public("area", (category("region", REGIONS), ColumnSchema("rank", "int", 1, 3)), ((0, 2), (1, 1), (2, 3)))
FACTOR = public(
    "factor",
    (category("region", REGIONS), category("kind", KINDS), ColumnSchema("permille", "int", 900, 1100, nullable=True)),
    ((0, 0, 1000), (0, 1, 1050), (1, 0, 900), (2, 1, None)),
)
CATALOG = Catalog(
    {
        "sales": TableInfo(SALES, ("a", "b", "c"), (12, 8, 8), "shop", SHOPS),
        "staff": TableInfo(STAFF, ("a", "b"), (6, 6)),
        "shipped": TableInfo(SHIPPED, ("a", "b", "c"), (4, 4, 4), "shop", SHOPS),
    },
    {"area": AREA, "factor": FACTOR},
)


def random_rows(info: TableInfo, place: int, chance: random.Random) -> Table:
    names = tuple(one.name for one in info.schema.columns)
    rows: dict[Any, tuple[int | None, ...]] = {}
    for _ in range(chance.choice((0, 1, info.rows_max[place]))):
        row = [
            None if one.nullable and chance.random() < 0.3 else chance.randint(Type.of(one).low, Type.of(one).high)
            for one in info.schema.columns
        ]
        if info.owner_column:
            row[names.index(info.owner_column)] = place
        key = tuple(row[names.index(name)] for name in info.schema.unique) if info.schema.unique else len(rows)
        rows[key] = tuple(row)
    return Table.of(names, list(rows.values()))


Pooled = dict[str, dict[str, Table]]


@lru_cache(maxsize=64)
def world(seed: int) -> Pooled:
    chance = random.Random(seed)
    return {name: {owner: random_rows(info, at, chance) for at, owner in enumerate(info.owners)} for name, info in CATALOG.tables.items()}


@lru_cache(maxsize=64)
def owner_connection(seed: int, owner: str) -> Any:
    """What the owner's DuckDB holds: its own tables, and the public ones."""
    connection = connect()
    for name, held in world(seed).items():
        if owner in held:
            columns = tuple(local_field(Field(one.name, Type.of(one))) for one in CATALOG.tables[name].schema.columns)
            load_public(connection, name, PublicTable(columns, tuple(held[owner].tuples())))
    for name, one in CATALOG.publics.items():
        load_public(connection, name, PublicTable(tuple(map(local_field, one.fields)), one.rows))
    return connection


def input_table(node: Input, seed: int) -> Table:
    """The owner's rows; they keep to the grid that the node promises."""
    relation = encode(owner_connection(seed, node.owner), node.name, node.sql, tuple(map(local_field, node.columns)))
    table = Table({one.name: Plain(relation.values[one.name], relation.nulls[one.name]) for one in node.columns}, relation.rows)
    cells = Counter(table.tuples(tuple(name for name, _ in node.keys)))
    assert all(count <= node.slots for count in cells.values()), f"{node.name} promises {node.slots} rows a key, has {max(cells.values())}"
    assert all(value in values for cell in cells for value, (_, values) in zip(cell, node.keys, strict=True)), (
        f"{node.name} leaves its grid"
    )
    return table


def three_ways(sql: str, plan: Node, placed: Node, seed: int) -> tuple[Table, Table, Table]:
    """By DuckDB on the pooled data, by the plan run plainly, and by the placed plan with each owner's step run by DuckDB."""
    inputs = {node.name: input_table(node, seed) for node in walk(placed) if isinstance(node, Input)}
    pooled: Any = world(seed)
    return run_clear(sql, CATALOG, pooled), interpret(plan, world(seed)), interpret(placed, inputs=inputs)


def assert_agree(sql: str, seed: int, plan: Node | None = None, placed: Node | None = None) -> Node:
    """Fails unless the three answers are the same rows, in the same order of the sort keys."""
    plan = plan or to_plan(sql, CATALOG)
    answers = three_ways(sql, plan, placed or place(plan, CATALOG), seed)
    names = tuple(one.name for one in plan.fields)
    rows = [one.tuples(names) for one in answers]
    if isinstance(plan, Sort):
        keys = [tuple(one.tuples(tuple(name for name, _ in plan.keys))) for one in answers]
        assert keys[0] == keys[1] == keys[2], sql
    clear, plain, placed = (Counter(one) for one in rows)
    assert clear == plain, f"{sql}\nDuckDB {clear - plain}, plan {plain - clear}"
    assert plain == placed, f"{sql}\nplan {plain - placed}, placed {placed - plain}"
    return plan


# ---- random questions

Columns = dict[str, list[str]]
"""Kind to the columns of that kind, as SQL names."""

SALES_COLUMNS: Columns = {
    "number": ["amount", "price", "n"],
    "natural": ["n"],
    "region": ["region"],
    "kind": ["kind"],
    "bool": ["ok"],
    "date": ["day"],
}


def numbers(columns: Columns, depth: int) -> st.SearchStrategy[str]:
    leaves = st.one_of(st.sampled_from(columns["number"]), st.integers(-9, 200).map(str), st.sampled_from(["0.5", "12.25", "NULL"]))
    if depth == 0:
        return leaves
    below = numbers(columns, depth - 1)
    conditions = st.deferred(lambda: predicates(columns, depth - 1))
    natural = st.one_of(st.sampled_from(columns["natural"]), st.integers(0, 9).map(str))
    return st.one_of(
        leaves,
        st.tuples(below, st.sampled_from("+-*"), below).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(below, below).map(lambda t: f"({t[0]} / {t[1]})"),
        st.tuples(natural, natural).map(lambda t: f"({t[0]} // {t[1]})"),
        st.tuples(st.sampled_from(["COALESCE", "LEAST", "GREATEST", "NULLIF"]), below, below).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
        below.map(lambda one: f"ABS({one})"),
        below.map(lambda one: f"-({one})"),
        st.tuples(below, st.integers(0, 3)).map(lambda t: f"ROUND({t[0]}, {t[1]})"),
        st.tuples(below, st.sampled_from(["BIGINT", "DECIMAL(18, 3)", "DECIMAL(12, 1)"])).map(lambda t: f"CAST({t[0]} AS {t[1]})"),
        st.tuples(conditions, below, below).map(lambda t: f"CASE WHEN {t[0]} THEN {t[1]} ELSE {t[2]} END"),
        st.tuples(conditions, below).map(lambda t: f"CASE WHEN {t[0]} THEN {t[1]} END"),
    )


def predicates(columns: Columns, depth: int) -> st.SearchStrategy[str]:
    compare = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
    below_numbers = numbers(columns, max(depth - 1, 0))
    options = [st.tuples(below_numbers, compare, below_numbers).map(lambda t: f"{t[0]} {t[1]} {t[2]}")]
    for kind, values in (("region", ("north", "west")), ("kind", KINDS)):
        if columns.get(kind):
            options.append(
                st.tuples(st.sampled_from(columns[kind]), st.sampled_from(["=", "<>"]), st.sampled_from(values)).map(
                    lambda t: f"{t[0]} {t[1]} '{t[2]}'"
                )
            )
            options.append(
                st.tuples(st.sampled_from(columns[kind]), st.sampled_from(values)).map(lambda t: f"{t[0]} NOT IN ('{t[1]}', '{t[1]}')")
            )
    if columns.get("bool"):
        options += [st.sampled_from(columns["bool"]), st.sampled_from(columns["bool"]).map(lambda one: f"{one} IS NOT TRUE")]
    if columns.get("date"):
        options.append(st.sampled_from(columns["date"]).map(lambda one: f"{one} BETWEEN '2024-01-01' AND DATE '2024-01-02'"))
    options.append(st.tuples(below_numbers, st.sampled_from(["IS NULL", "IS NOT NULL"])).map(lambda t: f"({t[0]}) {t[1]}"))
    if depth == 0:
        return st.one_of(options)
    below = predicates(columns, depth - 1)
    return st.one_of(
        *options,
        st.tuples(below, st.sampled_from(["AND", "OR"]), below).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        below.map(lambda one: f"NOT ({one})"),
    )


def aggregates(columns: Columns) -> st.SearchStrategy[str]:
    argument = numbers(columns, 1)
    plain = st.one_of(
        st.just("COUNT(*)"),
        st.tuples(st.sampled_from(["SUM", "COUNT", "MIN", "MAX", "AVG"]), argument).map(lambda t: f"{t[0]}({t[1]})"),
        st.sampled_from([f"COUNT(DISTINCT {name})" for name in columns.get("region", [])[:1]] or ["COUNT(*)"]),
    )
    return st.one_of(plain, st.tuples(plain, predicates(columns, 1)).map(lambda t: f"{t[0]} FILTER (WHERE {t[1]})"))


def listed(strategy: st.SearchStrategy[str], prefix: str, most: int = 3) -> st.SearchStrategy[str]:
    """One to `most` expressions with aliases."""
    return st.lists(strategy, min_size=1, max_size=most).map(
        lambda parts: ", ".join(f"{one} AS {prefix}{at}" for at, one in enumerate(parts))
    )


def optional(strategy: st.SearchStrategy[str], word: str) -> st.SearchStrategy[str]:
    return st.one_of(st.just(""), strategy.map(lambda one: f" {word} {one}"))


def row_questions() -> st.SearchStrategy[str]:
    source = st.sampled_from(
        [
            "sales",
            "sales JOIN area USING (region)",
            "sales s LEFT JOIN factor f USING (region, kind)",
            "(SELECT * FROM sales WHERE n > 0) AS sales",
        ]
    )
    both = st.one_of(numbers(SALES_COLUMNS, 2), predicates(SALES_COLUMNS, 2))
    return st.tuples(listed(both, "c"), source, optional(predicates(SALES_COLUMNS, 2), "WHERE")).map(
        lambda t: f"SELECT {t[0]} FROM {t[1]}{t[2]}"
    )


KEYS = (
    "region",
    "shop",
    "n",
    "day",
    "region, shop",
    "n // 2",
    "COALESCE(kind, 'x')",
    "CASE WHEN amount > 3 THEN 'much' ELSE 'little' END",
    "ok IS NULL",
)


def grouped_questions() -> st.SearchStrategy[str]:
    source = st.sampled_from(["sales", "sales JOIN area USING (region)", "sales LEFT JOIN shipped USING (shop, n)"])
    keys = st.sampled_from(["", *KEYS])
    columns = SALES_COLUMNS
    return st.tuples(
        keys,
        listed(aggregates(columns), "c"),
        source,
        optional(predicates(columns, 1), "WHERE"),
        st.booleans(),
        optional(aggregates(columns), "HAVING 3 <"),
    ).map(lambda t: _grouped(*t))


def _grouped(keys: str, chosen: str, source: str, where: str, ordered: bool, having: str) -> str:
    names = [f"k{at}" for at, _ in enumerate(keys.split(", "))] if keys and "(" not in keys else ["k0"] if keys else []
    parts = keys.split(", ") if len(names) > 1 else [keys] if keys else []
    listed_keys = "".join(f"{part} AS {name}, " for part, name in zip(parts, names, strict=True))
    group = f" GROUP BY {', '.join(str(at + 1) for at in range(len(names)))}" if keys else ""
    order = f" ORDER BY {', '.join(f'{name} DESC' for name in names)}" if ordered and keys else ""
    return f"SELECT {listed_keys}{chosen} FROM {source}{where}{group}{having if 'DISTINCT' not in having else ''}{order}"


CELLS: Columns = {"number": ["s", "t", "m", "rank"], "natural": ["u"], "region": ["g.region"]}


def combined_questions() -> st.SearchStrategy[str]:
    """Two owners' group-bys over a public grid, computed with on shares; perhaps grouped again."""
    grids = st.sampled_from(
        [
            "area g",
            "(SELECT region, rank FROM area WHERE rank < 3) AS g",
            "(SELECT a.region, b.rank FROM area a CROSS JOIN area b WHERE a.rank <> b.rank) AS g",
        ]
    )
    join = st.sampled_from(["LEFT JOIN", "JOIN"])
    first = st.tuples(numbers(SALES_COLUMNS, 1), optional(predicates(SALES_COLUMNS, 1), "WHERE")).map(
        lambda t: f"sold AS (SELECT region, SUM({t[0]}) AS s, COUNT(*) AS u FROM sales{t[1]} GROUP BY region)"
    )
    second = st.sampled_from(
        [
            "paid AS (SELECT region, MAX(pay) AS t, AVG(grade) AS m FROM staff GROUP BY region)",
            "paid AS (SELECT region, pay AS t, grade AS m FROM staff WHERE grade < 3)",
        ]
    )
    both = st.one_of(numbers(CELLS, 2), predicates(CELLS, 2))
    where = optional(predicates(CELLS, 1), "WHERE")
    joined = st.tuples(grids, join, join, where).map(
        lambda t: f"FROM {t[0]} {t[1]} sold ON g.region = sold.region {t[2]} paid ON paid.region = g.region{t[3]}"
    )
    plain = st.tuples(first, second, listed(both, "c"), joined).map(lambda t: f"WITH {t[0]}, {t[1]} SELECT g.region, {t[2]} {t[3]}")
    grouped = st.tuples(first, second, listed(aggregates(CELLS), "c"), joined).map(
        lambda t: f"WITH {t[0]}, {t[1]} SELECT rank, {t[2]} {t[3]} GROUP BY rank"
    )
    return st.one_of(plain, grouped)


def questions() -> st.SearchStrategy[str]:
    return st.one_of(row_questions(), grouped_questions(), combined_questions())


def examples() -> Iterator[str]:
    """Questions that once went wrong, or that the strategies reach rarely."""
    yield "SELECT COUNT(*) AS n FROM sales"
    yield "SELECT region, COUNT(DISTINCT kind) AS kinds, AVG(amount) AS mean, SUM(n) AS total FROM sales GROUP BY region"
    yield "SELECT COUNT(DISTINCT CASE WHEN amount > 0 THEN region END) AS regions FROM sales"
    yield "SELECT s.shop, s.n, weight, amount FROM sales s RIGHT JOIN shipped p ON p.shop = s.shop AND p.n = s.n"
    yield "SELECT shop, n, SUM(weight) AS w, COUNT(amount) AS c FROM sales RIGHT JOIN shipped USING (shop, n) GROUP BY shop, n"
    yield """SELECT a.region, s.pay, t.amount FROM area a JOIN staff s ON a.region = s.region JOIN sales t ON t.region = s.region
        WHERE s.pay > t.amount"""
    yield """SELECT rank, n FROM (SELECT region, n, COUNT(*) AS c FROM sales GROUP BY region, n) JOIN area USING (region)
        ORDER BY n DESC, rank"""
    yield "SELECT SUM(n) AS s FROM sales JOIN area USING (region) HAVING 0 < COUNT(*) FILTER (WHERE region <> 'north')"
    yield "SELECT n // 2 AS half, c FROM (SELECT n, COUNT(*) AS c FROM sales GROUP BY n)"
    yield "SELECT c FROM (SELECT region, COUNT(*) AS c FROM sales GROUP BY region) WHERE c > 1"
    yield "SELECT shop, MAX(c) AS most FROM (SELECT shop, region, COUNT(*) AS c FROM sales GROUP BY shop, region) GROUP BY shop"
    yield "SELECT region, MAX(c) AS most FROM (SELECT shop, region, COUNT(*) AS c FROM sales GROUP BY shop, region) GROUP BY region"
    yield "SELECT day + 1 AS next, day - DATE '2024-01-01' AS days, CASE region WHEN 'north' THEN 'up' ELSE region END AS r FROM sales"
    yield """SELECT x.region, x.c, y.c AS d FROM (SELECT region, COUNT(*) AS c FROM sales WHERE n > 1 GROUP BY region) x,
        (SELECT region, COUNT(*) AS c FROM staff GROUP BY region) y WHERE x.region = y.region"""
