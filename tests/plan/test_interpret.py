"""What every node and function means: interpreted, and by DuckDB from SQL written by hand and from the owner's SQL of the plan."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from accord.base.errors import Refused
from accord.data.encode import encode
from accord.data.publics import PublicTable, load_public
from accord.data.read import connect
from accord.data.schema import ColumnSchema
from accord.frame.oracle import local_field
from accord.plan.evaluate import Plain, evaluate
from accord.plan.expression import LOCAL_FUNCTIONS, AggregateCall, Call, ColumnRef, Literal, WindowCall
from accord.plan.interpret import Table, interpret
from accord.plan.local_sql import local_sql
from accord.plan.nodes import Aggregate, Concatenate, Field, Filter, Join, Limit, Project, Scan, Sort, Window
from accord.plan.types import BOOL, DATE, INT, Type
from accord.plan.types import TEXT as TEXT_KIND
from accord.plan.typing import call, column, integer

LETTERS = ("", "a", "ab", "aB%", "Straße", "ŉ İ", " \u00a0x\t", "a\nb", "zoë", "a_b")
COLUMNS = (
    ColumnSchema("k", "int", 0, 4, nullable=True),
    ColumnSchema("c", "category", values=("b", "c", "a"), nullable=True),
    ColumnSchema("d", "date", -800_000 // 20, 40_000, nullable=True),
    ColumnSchema("x", "int", -9, 9, nullable=True),
    ColumnSchema("t", "text", bytes_max=12, nullable=True),
    ColumnSchema("ok", "bool", nullable=True),
    ColumnSchema("id", "int", 0, 99),
)
ROWS = 40


def fields(prefix: str = "") -> tuple[Field, ...]:
    return tuple(Field(f"{prefix}{one.name}", Type.of(one)) for one in COLUMNS)


def rows(seed: int, count: int = ROWS) -> Table:
    chance = random.Random(seed)
    made = []
    for at in range(count):
        row = [None if one.nullable and chance.random() < 0.25 else chance.randint(Type.of(one).low, Type.of(one).high) for one in COLUMNS]
        row[4] = None if row[4] is None else chance.choice(LETTERS)
        made.append((*row[:6], at))
    return Table.of(tuple(one.name for one in COLUMNS), made)


HELD = {"one": {"a": rows(1)}, "two": {"a": rows(2, 17)}, "none": {"a": rows(3, 0)}}


@pytest.fixture(scope="module")
def base():
    with connect() as connection:
        for name, held in HELD.items():
            load_public(connection, name, PublicTable(tuple(map(local_field, fields())), tuple(held["a"].tuples())))
        yield connection


def scan(name: str = "one") -> Scan:
    return Scan(name, fields())


def other(name: str = "two") -> Project:
    return Project(scan(name), tuple((f"o_{one.name}", column(one)) for one in fields()))


def asked(base, sql: str, node) -> list[tuple]:
    relation = encode(base, "asked", sql, tuple(map(local_field, node.fields)))
    names = tuple(one.name for one in node.fields)
    return Table({name: Plain(relation.values[name], relation.nulls[name]) for name in names}, relation.rows).tuples(names)


def agree(base, node, sql: str, ordered: bool = False) -> list[tuple]:
    """The rows by the interpreter, by the SQL given here, and by the owner's SQL of the plan."""
    plain = interpret(node, HELD).tuples(tuple(one.name for one in node.fields))
    for text in (sql, local_sql(node)):
        found = asked(base, text, node)
        if ordered:
            assert plain == found, text
        else:
            assert Counter(plain) == Counter(found), f"{text}\n{Counter(plain) - Counter(found)}\n{Counter(found) - Counter(plain)}"
    return plain


ALL = ", ".join(f"l.{one.name}" for one in COLUMNS)
BOTH = ALL + ", " + ", ".join(f"r.{one.name} AS o_{one.name}" for one in COLUMNS)


@pytest.mark.parametrize("right", ["two", "none"])
@pytest.mark.parametrize("kind", ["inner", "left", "right", "full", "cross"])
def test_joins(base, kind: str, right: str) -> None:
    on = () if kind == "cross" else (("k", "o_k"), ("c", "o_c"))
    condition = "" if kind == "cross" else "ON l.k = r.k AND l.c = r.c"
    agree(base, Join(scan(), other(right), kind, on), f"SELECT {BOTH} FROM one l {kind.upper()} JOIN {right} r {condition}")
    swapped = Join(scan(right), other("one"), kind, on)
    agree(base, swapped, f"SELECT {BOTH} FROM {right} l {kind.upper()} JOIN one r {condition}")


@pytest.mark.parametrize("right", ["two", "none"])
@pytest.mark.parametrize(("kind", "word"), [("semi", ""), ("anti", "NOT ")])
@pytest.mark.parametrize("nulls_agree", [False, True])
def test_choices(base, kind: str, word: str, nulls_agree: bool, right: str) -> None:
    equal = "IS NOT DISTINCT FROM" if nulls_agree else "="
    node = Join(scan(), scan(right), kind, (("k", "k"), ("x", "x")), nulls_agree)
    sql = f"SELECT {ALL} FROM one l WHERE {word}EXISTS (SELECT 1 FROM {right} r WHERE l.k {equal} r.k AND l.x {equal} r.x)"
    found = agree(base, node, sql)
    assert len(found) < ROWS or kind == "anti"


def test_a_join_with_more_rows_than_its_bound_is_refused() -> None:
    on = (("k", "o_k"),)
    count = interpret(Join(scan(), other(), "inner", on), HELD).rows
    assert interpret(Join(scan(), other(), "inner", on, rows_max=count), HELD).rows == count
    with pytest.raises(Refused, match=f"the join on k = o_k has more than the {count - 1} rows that the study declares"):
        interpret(Join(scan(), other(), "inner", on, rows_max=count - 1), HELD)


# ---- windows, orders, limits

FULL_ORDER = (("x", True), ("t", False), ("id", False))
FULL = "ORDER BY x DESC, t, id"
FRAMES = {
    ("range", None, 0): "",
    ("range", None, None): "RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    ("range", 0, None): "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    ("rows", None, 0): "ROWS UNBOUNDED PRECEDING",
    ("rows", -2, 1): "ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING",
    ("rows", -3, -2): "ROWS BETWEEN 3 PRECEDING AND 2 PRECEDING",
    ("rows", 1, None): "ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING",
}


@pytest.mark.parametrize("partition", [(), ("k",), ("k", "c")])
def test_ranks(base, partition: tuple[str, ...]) -> None:
    number = Type(INT, 0, 1_000)
    calls = [("row_number", FULL_ORDER, FULL), ("rank", (("c", True),), "ORDER BY c DESC"), ("dense_rank", (("t", False),), "ORDER BY t")]
    by = f"PARTITION BY {', '.join(partition)}" if partition else ""
    for function, order, text in calls:
        node = Window(scan(), partition, order, (("w", WindowCall(function, None, number)),))
        agree(base, node, f"SELECT *, {function}() OVER ({by} {text}) AS w FROM one")


@pytest.mark.parametrize("of", ["x", "t", "c", "d"])
@pytest.mark.parametrize("frame", FRAMES)
def test_frames(base, frame: tuple[str, int | None, int | None], of: str) -> None:
    type = next(one.type for one in fields() if one.name == of)
    argument = ColumnRef(type, of)
    functions = ["min", "max", "count", "first_value", "last_value", *(["sum"] if of == "x" else [])]
    result = {"count": Type(INT, 0, 99), "sum": Type(INT, -999, 999, nullable=True)}
    for order, text in ((FULL_ORDER, FULL), *([((("k", False),), "ORDER BY k"), ((), "")] if frame[0] == "range" else [])):
        used = functions if order == FULL_ORDER else [one for one in functions if "value" not in one]
        calls = tuple((f"w_{one}", WindowCall(one, argument, result.get(one, type), frame)) for one in used)
        listed = ", ".join(f"{one}({of}) OVER (PARTITION BY ok {text} {FRAMES[frame]}) AS w_{one}" for one in used)
        agree(base, Window(scan(), ("ok",), order, calls), f"SELECT *, {listed} FROM one")


@pytest.mark.parametrize("of", ["x", "t"])
def test_neighbours(base, of: str) -> None:
    type = next(one.type for one in fields() if one.name == of)
    for function, offset in (("lag", 1), ("lag", 3), ("lead", 2), ("lead", 0)):
        node = Window(scan(), ("k",), FULL_ORDER, (("w", WindowCall(function, ColumnRef(type, of), type, offset=offset)),))
        agree(base, node, f"SELECT *, {function}({of}, {offset}) OVER (PARTITION BY k {FULL}) AS w FROM one")


def test_windows_of_nothing_and_counts_of_rows(base) -> None:
    for name in ("none", "one"):
        calls = (("n", WindowCall("count", None, Type(INT, 0, 99))), ("w", WindowCall("min", column(fields()[3]), fields()[3].type)))
        agree(
            base,
            Window(scan(name), ("c",), (), calls),
            f"SELECT *, COUNT(*) OVER w AS n, MIN(x) OVER w AS w FROM {name} WINDOW w AS (PARTITION BY c)",
        )


@pytest.mark.parametrize("name", ["k", "c", "d", "x", "t", "ok"])
def test_orders(base, name: str) -> None:
    for down, word in ((False, ""), (True, " DESC")):
        order = Sort(scan(), ((name, down), ("id", not down)))
        text = f"SELECT * FROM one ORDER BY {name}{word}, id{'' if down else ' DESC'}"
        agree(base, order, text, ordered=True)
        agree(base, Limit(order, 7, 3), f"{text} LIMIT 7 OFFSET 3", ordered=True)
        agree(base, Limit(order, 500), text, ordered=True)


def test_steps_above_finished_ones(base) -> None:
    """Windows, limits and unions are closed before anything else is done with them."""
    first = Limit(Sort(scan(), (("id", False),)), 9)
    ranked = Window(first, (), (("id", True),), (("w", WindowCall("row_number", None, Type(INT, 1, 99))),))
    chosen = Filter(ranked, call("gt", ColumnRef(Type(INT, 1, 99), "w"), integer(4)))
    inner = "SELECT *, ROW_NUMBER() OVER (ORDER BY id DESC) AS w FROM (SELECT * FROM one ORDER BY id LIMIT 9)"
    agree(base, chosen, f"SELECT * FROM ({inner}) WHERE w > 4")
    both = Concatenate((chosen, ranked))
    agree(base, both, f"SELECT * FROM ({inner}) WHERE w > 4 UNION ALL {inner}")
    grouped = Aggregate(both, ("w",), (("n", AggregateCall("count", None, Type(INT, 0, 99))),))
    agree(base, grouped, f"SELECT w, COUNT(*) AS n FROM (SELECT * FROM ({inner}) WHERE w > 4 UNION ALL {inner}) GROUP BY w")
    meets = Join(scan("two"), Project(chosen, (("o", ColumnRef(fields()[0].type, "k")),)), "semi", (("k", "o"),))
    agree(base, meets, f"SELECT * FROM two l WHERE EXISTS (SELECT 1 FROM ({inner}) r WHERE w > 4 AND r.k = l.k)")


# ---- aggregates

AGGREGATES = {
    "count_distinct": ("COUNT(DISTINCT {0})", ("k", "c", "t", "ok", "d"), Type(INT, 0, 99)),
    "min": ("MIN({0})", ("k", "c", "t", "ok", "d"), None),
    "max": ("MAX({0})", ("k", "c", "t", "ok", "d"), None),
    "bool_and": ("BOOL_AND({0})", ("ok",), None),
    "bool_or": ("BOOL_OR({0})", ("ok",), None),
    "sum": ("SUM({0})", ("x",), Type(INT, -999, 999, nullable=True)),
    "count": ("COUNT({0})", ("x", "t"), Type(INT, 0, 99)),
    "quantile_disc": ("QUANTILE_DISC({0}, 0.3)", ("x", "d", "t"), None),
}


@pytest.mark.parametrize("keys", [(), ("k",), ("c", "t"), ("ok", "d")])
@pytest.mark.parametrize("function", AGGREGATES)
def test_aggregates(base, function: str, keys: tuple[str, ...]) -> None:
    text, names, result = AGGREGATES[function]
    quantile = (3, 10) if function == "quantile_disc" else None
    for name in names:
        type = next(one.type for one in fields() if one.name == name)
        made = AggregateCall(function, ColumnRef(type, name), result or type.as_nullable(), quantile)
        for table in ("one", "none"):
            listed = ", ".join([*keys, f"{text.format(name)} AS made"])
            grouped = f" GROUP BY {', '.join(keys)}" if keys else ""
            agree(base, Aggregate(scan(table), keys, (("made", made),)), f"SELECT {listed} FROM {table}{grouped}")


def test_distinct_rows(base) -> None:
    agree(base, Aggregate(scan(), ("k", "c", "ok"), ()), "SELECT DISTINCT k, c, ok FROM one")
    agree(base, Aggregate(scan("none"), (), (("n", AggregateCall("count", None, Type(INT, 0, 9))),)), "SELECT COUNT(*) AS n FROM none")


@pytest.mark.parametrize("share", [(0, 1), (1, 1), (1, 2), (1, 4), (9, 10)])
def test_quantiles(base, share: tuple[int, int]) -> None:
    of = fields()[3]
    made = AggregateCall("quantile_disc", column(of), of.type, share)
    sql = f"SELECT k, QUANTILE_DISC(x, {share[0] / share[1]}) AS q FROM one GROUP BY k"
    agree(base, Aggregate(scan(), ("k",), (("q", made),)), sql)


def test_a_large_table_takes_no_loop_over_pairs() -> None:
    """Sixty thousand rows of TPC-H's size are the oracle of placement, within seconds."""
    count = 60_000
    chance = np.random.default_rng(5)
    no = np.zeros(count, np.bool_)
    table = Table({"a": Plain(chance.integers(0, 15_000, count), no), "b": Plain(chance.integers(0, 9, count), no)}, count)
    number = Type(INT, 0, 1 << 20)
    node = Scan("large", (Field("a", number), Field("b", number)))
    right = Project(
        Aggregate(node, ("a",), (("n", AggregateCall("count", None, number)),)),
        (("o", ColumnRef(number, "a")), ("n", ColumnRef(number, "n"))),
    )
    joined = Window(
        Join(node, right, "left", (("a", "o"),)),
        ("b",),
        (("n", True),),
        (("w", WindowCall("max", ColumnRef(number, "a"), number, ("rows", -5, 5))),),
    )
    found = interpret(joined, {"large": {"one": table}})
    assert found.rows == count and int(found.columns["n"].values.sum()) == int((np.bincount(table.columns["a"].values) ** 2).sum())


# ---- functions of texts and dates

T, D = column(fields()[4]), column(fields()[2])


def text(value: str) -> Literal:
    return Literal(Type(TEXT_KIND, 0, 0, bytes_max=20), value)


def whole(value: int) -> Literal:
    return Literal(Type(INT, value, value), value)


def made(function: str, *arguments) -> Call:
    kinds = {"like": BOOL, "starts_with": BOOL, "contains": BOOL, "length": INT, "add_months": DATE}
    kind = kinds.get(function, INT if arguments[0].type.kind == DATE else TEXT_KIND)
    wide = {INT: Type(INT, -10_000, 10_000, nullable=True), DATE: Type(DATE, -700_000, 100_000, nullable=True)}
    type = wide.get(kind, Type(kind, 0, 1, nullable=True, bytes_max=200 if kind == TEXT_KIND else 0))
    return Call(type, function, arguments)


FUNCTIONS = {
    "like": [(("%a%",), "t LIKE '%a%'"), (("_B!%", "!"), "t LIKE '_B!%' ESCAPE '!'"), (("a_b",), "t LIKE 'a_b'"), (("",), "t LIKE ''")],
    "substring": [((start, length), f"SUBSTRING(t, {start}, {length})") for start in (-9, -2, 0, 1, 2, 9) for length in (-3, 0, 1, 2, 9)],
    "upper": [((), "UPPER(t)")],
    "lower": [((), "LOWER(t)")],
    "trim": [((), "TRIM(t)"), (("ab",), "TRIM(t, 'ab')"), (("",), "TRIM(t, '')")],
    "length": [((), "LENGTH(t)")],
    "concat": [(("!",), "t || '!'")],
    "starts_with": [(("a",), "STARTS_WITH(t, 'a')"), (("",), "STARTS_WITH(t, '')")],
    "contains": [(("b",), "CONTAINS(t, 'b')")],
    "year": [((), "YEAR(d)")],
    "quarter": [((), "QUARTER(d)")],
    "month": [((), "MONTH(d)")],
    "day": [((), "DAY(d)")],
    "add_months": [((months,), f"CAST(d + TO_MONTHS({months}) AS DATE)") for months in (-1201, -13, -1, 0, 1, 12, 25)],
}


def test_every_local_function_is_tried() -> None:
    assert frozenset(FUNCTIONS) == LOCAL_FUNCTIONS


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions(base, function: str) -> None:
    for arguments, sql in FUNCTIONS[function]:
        of = D if "(d" in sql else T
        given = [whole(one) if isinstance(one, int) else text(one) for one in arguments]
        agree(base, Project(scan(), (("made", made(function, of, *given)),)), f"SELECT {sql} AS made FROM one")


def test_the_last_day_of_a_month(base) -> None:
    """Every day of two years moved by one month and by a year."""
    days = Table.of(("d",), [(day,) for day in range(18_262, 18_262 + 800)])
    load_public(base, "days", PublicTable((local_field(fields()[2]),), tuple(days.tuples())))
    node = Scan("days", (fields()[2],))
    for months in (1, -1, 11, 12, -12):
        step = Project(node, (("made", made("add_months", D, whole(months))),))
        assert Counter(interpret(step, {"days": {"a": days}}).tuples()) == Counter(asked(base, local_sql(step), step))


def test_texts_and_categories_compare_by_their_letters(base) -> None:
    c = column(fields()[1])
    for function, sign in (("eq", "="), ("ne", "<>"), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
        for left, right, sql in ((T, text("aB"), f"t {sign} 'aB'"), (c, T, f"c {sign} t"), (c, Literal(c.type, 1), f"c {sign} 'c'")):
            node = Project(scan(), (("made", Call(Type(BOOL, nullable=True), function, (left, right))),))
            agree(base, node, f"SELECT {sql} AS made FROM one")
    for function in ("least", "greatest", "coalesce"):
        node = Project(scan(), (("made", Call(T.type, function, (T, text("b")))),))
        agree(base, node, f"SELECT {function}(t, 'b') AS made FROM one")


def test_constants_need_no_rows() -> None:
    made_of = evaluate(made("concat", text("a"), text("b")), {}, 2)
    assert made_of.values.tolist() == ["ab", "ab"] and not made_of.nulls.any()
    assert evaluate(Literal(Type(TEXT_KIND, 0, 0, nullable=True), None), {}, 1).values.tolist() == [""]
