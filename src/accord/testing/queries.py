"""Random questions over `tables.random_world`, in the SQL that the planner takes; and smaller ones that may fail the same way.

A question is a tree of clauses, so that it shrinks by leaving clauses out. Orders that decide what a row is told (LIMIT, ROW_NUMBER,
frames) name every column, so that there is one right answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from accord.testing.tables import KINDS, OWNERS, REGIONS, Chance

NUMBER, DATE, BOOL, TEXT = "number", "date", "bool", "text"
REGION, KIND, SHOP = "region", "kind", "shop"
BADGE = "badge"
"""A text key: compared and counted, never shown or ordered."""
TABLES: dict[str, tuple[tuple[str, str], ...]] = {
    "people": (("person", NUMBER), ("region", REGION), ("born", DATE), ("income", NUMBER), ("name", TEXT), ("badge", BADGE)),
    "jobs": (("person", NUMBER), ("kind", KIND), ("pay", NUMBER), ("full", BOOL), ("since", DATE)),
    "visits": (("visit", NUMBER), ("person", NUMBER), ("day", DATE), ("cost", NUMBER), ("code", TEXT), ("badge", BADGE)),
    "shops": (("shop", SHOP), ("region", REGION), ("size", NUMBER)),
    "areas": (("region", REGION), ("rank", NUMBER)),
}
"""Each table's columns and their kinds."""
VALUES = {REGION: REGIONS, KIND: KINDS, SHOP: OWNERS, TEXT: ("a", "ab", "Ba", "zz", "ä")}
KEYS = {"people": "person", "jobs": "person", "visits": "person", "shops": "region", "areas": "region"}


@dataclass(frozen=True)
class Select:
    """One SELECT, clause by clause. Each of `columns` has an alias of its own."""

    columns: tuple[str, ...]
    source: str
    joins: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    having: str = ""
    is_distinct: bool = False
    order: str = ""
    limit: str = ""
    with_: str = ""

    @property
    def sql(self) -> str:
        parts = [
            self.with_,
            f"SELECT {'DISTINCT ' if self.is_distinct else ''}{', '.join(self.columns)}",
            f"FROM {self.source}",
            *self.joins,
            f"WHERE {' AND '.join(f'({one})' for one in self.where)}" if self.where else "",
            f"GROUP BY {', '.join(self.group)}" if self.group else "",
            f"HAVING {self.having}" if self.having else "",
            f"ORDER BY {self.order}" if self.order else "",
            self.limit,
        ]
        return " ".join(part for part in parts if part)

    def smaller(self) -> Iterator[Select]:
        """With one thing less; some of these are no questions."""
        for one in (
            replace(self, limit=""),
            replace(self, order="", limit=""),
            replace(self, having=""),
            replace(self, is_distinct=False),
            replace(self, with_=""),
        ):
            if one != self:
                yield one
        for name in ("where", "joins", "group", "columns"):
            whole = getattr(self, name)
            for at in range(len(whole)):
                if len(whole) > 1 or name != "columns":
                    changed: Any = {name: (*whole[:at], *whole[at + 1 :])}
                    yield replace(self, **changed)


@dataclass(frozen=True)
class Combined:
    """Two questions' rows together: UNION, UNION ALL, INTERSECT, EXCEPT."""

    first: Select
    second: Select
    word: str

    @property
    def sql(self) -> str:
        return f"{self.first.sql} {self.word} {self.second.sql}"

    def smaller(self) -> Iterator[Select | Combined]:
        yield self.first
        yield self.second
        for at in range(len(self.first.columns)):
            if len(self.first.columns) > 1:
                both = [replace(one, columns=(*one.columns[:at], *one.columns[at + 1 :])) for one in (self.first, self.second)]
                yield Combined(both[0], both[1], self.word)
        yield from (Combined(one, self.second, self.word) for one in self.first.smaller() if len(one.columns) == len(self.first.columns))
        yield from (Combined(self.first, one, self.word) for one in self.second.smaller() if len(one.columns) == len(self.first.columns))


Query = Select | Combined
Scope: TypeAlias = "tuple[Column, ...]"


def shrunk(query: Query, fails: Callable[[Query], bool], tries_max: int = 200) -> Query:
    """The smallest question found that fails too, leaving out one thing at a time."""
    tries = 0
    while True:
        for smaller in query.smaller():
            tries += 1
            if tries > tries_max:
                return query
            if fails(smaller):
                query = smaller
                break
        else:
            return query


@dataclass(frozen=True)
class Column:
    name: str
    kind: str


class Queries:
    """Makes questions; `counts` says how often each construct was used."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.counts: Counter[str] = Counter()

    def query(self) -> Query:
        """A question of any form."""
        make = self._pick(
            (4, "rows", self._rows),
            (5, "groups", self._groups),
            (1, "groups of groups", self._regrouped),
            (1, "WITH", self._named),
            (2, "window", self._windowed),
            (2, "combined", self._combined),
        )
        made = make()
        assert isinstance(made, Select | Combined)
        return made

    # ---- chance

    def _pick(self, *options: tuple[int, str, Callable[..., object]]) -> Callable[..., object]:
        """One of some weighted, named options."""
        spread = [option for option in options for _ in range(option[0])]
        _, name, made = self.chance.choice(spread)
        self.counts[name] += 1
        return made

    def _word(self, *words: str) -> str:
        word = self.chance.choice(words)
        self.counts[word] += 1
        return word

    def _maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def _any(self, scope: tuple[Column, ...]) -> str:
        """A column that can be shown and ordered."""
        return self.chance.choice([one.name for one in scope if one.kind != BADGE])

    def _of(self, scope: tuple[Column, ...], *kinds: str) -> str | None:
        names = [one.name for one in scope if one.kind in kinds]
        return self.chance.choice(names) if names else None

    # ---- FROM

    def _source(self, joins: bool = True) -> tuple[str, tuple[str, ...], tuple[Column, ...]]:
        """A table or subquery and perhaps joins; what can be named then."""
        first = self.chance.choice(tuple(TABLES))
        scope = tuple(Column(f"a.{name}", kind) for name, kind in TABLES[first])
        source = f"{first} AS a"
        if self._maybe(0.15):
            self.counts["subquery in FROM"] += 1
            source = f"(SELECT * FROM {first} AS a WHERE {self._predicate(scope, 0)}) AS a"
        made: list[str] = []
        for alias in ("b", "c"):
            if joins and self._maybe(0.4):
                clause, more = self._join(alias, scope)
                made.append(clause)
                scope += more
        return source, tuple(made), scope

    def _join(self, alias: str, scope: tuple[Column, ...]) -> tuple[str, tuple[Column, ...]]:
        """A join of another table on columns of one kind, perhaps of its groups."""
        table = self.chance.choice(tuple(TABLES))
        key = KEYS[table]
        columns = tuple(Column(f"{alias}.{name}", kind) for name, kind in TABLES[table])
        target = f"{table} AS {alias}"
        if self._maybe(0.35):
            self.counts["join of groups"] += 1
            number = self._of(tuple(Column(name, kind) for name, kind in TABLES[table]), NUMBER)
            target = f"(SELECT {key}, COUNT(*) AS many, MAX({number}) AS most FROM {table} GROUP BY {key}) AS {alias}"
            kind = dict(TABLES[table])[key]
            columns = (Column(f"{alias}.{key}", kind), Column(f"{alias}.many", NUMBER), Column(f"{alias}.most", NUMBER))
        mine = [one.name for one in scope if one.kind == dict(TABLES[table])[key] and (key != "person" or one.name.endswith(".person"))]
        if not mine:
            word = self._word("CROSS JOIN")
            return f"{word} areas AS {alias}", tuple(Column(f"{alias}.{name}", kind) for name, kind in TABLES["areas"])
        if self._maybe(0.15) and (by_time := self._by_time(alias, target, scope, columns)):
            return by_time
        if key == "person" and (badge := self._of(scope, BADGE)) and BADGE in [one.kind for one in columns] and self._maybe(0.4):
            self.counts["join on a text key"] += 1
            key, mine = "badge", [badge]
        word = self._word("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN")
        on = f"{self.chance.choice(mine)} = {alias}.{key}"
        if self._maybe(0.1):
            self.counts["comparison in ON"] += 1
            on += f" AND {self._comparison(columns)}"
        if word in ("JOIN", "LEFT JOIN") and self._maybe(0.2):
            word += self._word(" /*+ rows_max(9) */", " /*+ rows_max(400) */")
        return f"{word} {target} ON {on}", () if word in ("SEMI JOIN", "ANTI JOIN") else columns

    def _by_time(self, alias: str, target: str, scope: Scope, columns: Scope) -> tuple[str, Scope] | None:
        """A join of points with ranges, or with the nearest of groups, perhaps of equal keys too; None where the columns have no times."""
        kind = DATE if self._of(columns, DATE) and self._of(scope, DATE) and self._maybe(0.4) else NUMBER
        mine, others = self._of(scope, kind), self._of(columns, kind)
        if mine is None or others is None:
            return None
        regions = self._of(scope, REGION), self._of(columns, REGION)
        equal = f"{regions[0]} = {regions[1]} AND " if all(regions) and self._maybe(0.5) else ""
        low, high = self.chance.choice(((">=", "<="), (">", "<"), (">=", "<"), (">", "<=")))
        if target.startswith("("):
            if kind != NUMBER or columns[0].kind != NUMBER:
                return None
            word = self._word("ASOF JOIN", "ASOF LEFT JOIN")
            return f"{word} {target} ON {mine} {self.chance.choice((low, high))} {columns[0].name}", columns
        word = self._word("ranged JOIN", "ranged LEFT JOIN", "ranged SEMI JOIN", "ranged ANTI JOIN")[7:]
        hint = "" if word in ("SEMI JOIN", "ANTI JOIN") else self.chance.choice((" /*+ rows_max(400) */", " /*+ rows_max(9) */"))
        point, start, end = (mine, others, self._of(columns, kind)) if self._maybe(0.5) else (others, mine, self._of(scope, kind))
        on = f"{equal}{point} {low} {start} AND {point} {high} {end}"
        return f"{word}{hint} {target} ON {on}", () if word in ("SEMI JOIN", "ANTI JOIN") else columns

    # ---- expressions

    def _expression(self, scope: tuple[Column, ...], depth: int = 1) -> str:
        """A value of any kind that a column can have."""
        kinds: list[Callable[..., object]] = [self._number, self._number, self._predicate, self._date, self._text, self._category]
        made = self.chance.choice(kinds)(scope, depth)
        return str(made)

    def _number(self, scope: tuple[Column, ...], depth: int) -> str:
        name = self._of(scope, NUMBER)
        leaf = name if name and self._maybe(0.8) else self.chance.choice(("0", "1", "3", "7", "0.5"))
        if depth == 0:
            return leaf
        make = self._pick(
            (3, "column", lambda: leaf),
            (3, "arithmetic", lambda: f"({leaf} {self.chance.choice('+-*')} {self._number(scope, depth - 1)})"),
            (1, "/", lambda: f"({leaf} / {self._number(scope, depth - 1)})"),
            (1, "CASE", lambda: f"CASE WHEN {self._predicate(scope, 0)} THEN {leaf} ELSE {self._number(scope, 0)} END"),
            (1, "COALESCE", lambda: f"COALESCE({leaf}, {self._number(scope, 0)})"),
            (1, "NULLIF", lambda: f"NULLIF({leaf}, {self._number(scope, 0)})"),
            (1, "GREATEST", lambda: f"GREATEST({leaf}, {self._number(scope, 0)})"),
            (1, "ABS", lambda: f"ABS({leaf})"),
            (1, "ROUND", lambda: f"ROUND({leaf}, 1)"),
            (1, "CAST", lambda: f"CAST({leaf} AS DECIMAL(15, 3))"),
            (1, "part of a date", lambda: self._part(scope, leaf)),
            (1, "LENGTH", lambda: self._length(scope, leaf)),
        )
        return str(make())

    def _part(self, scope: tuple[Column, ...], otherwise: str) -> str:
        name = self._of(scope, DATE)
        return f"EXTRACT({self.chance.choice(('YEAR', 'QUARTER', 'MONTH', 'DAY'))} FROM {name})" if name else otherwise

    def _length(self, scope: tuple[Column, ...], otherwise: str) -> str:
        name = self._of(scope, TEXT)
        return f"LENGTH({name})" if name else otherwise

    def _date(self, scope: tuple[Column, ...], depth: int) -> str:
        name = self._of(scope, DATE)
        if name is None:
            return self._number(scope, 0)
        forms = (name, name, f"{name} + 3", f"{name} - INTERVAL 1 MONTH", f"{name} + INTERVAL 2 YEAR")
        self.counts["date"] += 1
        made = self.chance.choice(forms)
        return f"CAST({made} AS DATE)" if "INTERVAL" in made else made

    def _text(self, scope: tuple[Column, ...], depth: int) -> str:
        name = self._of(scope, TEXT)
        if name is None:
            return self._category(scope, depth)
        self.counts["text"] += 1
        forms = (name, name, f"SUBSTRING({name}, 1, 1)", f"UPPER({name})", f"{name} || '!'", f"COALESCE({name}, 'none')")
        return self.chance.choice(forms)

    def _category(self, scope: tuple[Column, ...], depth: int) -> str:
        name = self._of(scope, REGION, KIND, SHOP)
        return name or self._number(scope, 0)

    def _predicate(self, scope: tuple[Column, ...], depth: int) -> str:
        if depth and self._maybe(0.4):
            word = self._word("AND", "OR", "NOT")
            first = self._predicate(scope, depth - 1)
            return f"NOT ({first})" if word == "NOT" else f"({first} {word} {self._predicate(scope, depth - 1)})"
        make = self._pick(
            (4, "comparison", self._comparison),
            (1, "BETWEEN", lambda scope: f"{self._number(scope, 0)} BETWEEN 1 AND {self._number(scope, 0)}"),
            (1, "IS NULL", lambda scope: f"{self.chance.choice(scope).name} IS {self.chance.choice(('', 'NOT '))}NULL"),
            (1, "IN", self._in),
            (1, "LIKE", self._like),
            (1, "truth", self._truth),
        )
        return str(make(scope))

    def _comparison(self, scope: tuple[Column, ...]) -> str:
        named = self._of(scope, *VALUES)
        if named and self._maybe(0.3):
            return f"{named} {self.chance.choice(('=', '<>'))} '{self._constant(scope, named)}'"
        return f"{self._number(scope, 1)} {self.chance.choice(('=', '<>', '<', '<=', '>', '>='))} {self._number(scope, 0)}"

    def _constant(self, scope: tuple[Column, ...], name: str) -> str:
        return self.chance.choice(VALUES[next(one.kind for one in scope if one.name == name)])

    def _in(self, scope: tuple[Column, ...]) -> str:
        name = self._of(scope, *VALUES)
        if name is None:
            return f"{self._number(scope, 0)} IN (1, 3)"
        return f"{name} {self.chance.choice(('', 'NOT '))}IN ('{self._constant(scope, name)}', '{self._constant(scope, name)}')"

    def _like(self, scope: tuple[Column, ...]) -> str:
        name = self._of(scope, TEXT)
        return f"{name} LIKE '{self.chance.choice(('%a%', 'a%', '_b', '%'))}'" if name else self._comparison(scope)

    def _truth(self, scope: tuple[Column, ...]) -> str:
        name = self._of(scope, BOOL)
        return f"{name}{self.chance.choice(('', ' IS NOT TRUE', ' IS FALSE'))}" if name else self._comparison(scope)

    # ---- WHERE with subqueries

    def _conditions(self, scope: tuple[Column, ...]) -> tuple[str, ...]:
        made = [self._predicate(scope, 1) for _ in range(self.chance.choice((0, 0, 1, 1, 2)))]
        if self._maybe(0.2):
            made.append(self._asked(scope))
        return tuple(made)

    def _asked(self, scope: tuple[Column, ...]) -> str:
        """A condition with a subquery: IN, EXISTS or a scalar, perhaps correlated."""
        person = next((one.name for one in scope if one.name.endswith(".person")), None)
        table = self.chance.choice(("people", "jobs", "visits"))
        inner = tuple(Column(f"q.{name}", kind) for name, kind in TABLES[table])
        where = self._predicate(inner, 0)
        if person is None:
            self.counts["scalar subquery"] += 1
            return f"{self._number(scope, 0)} >= (SELECT MIN(q.person) FROM {table} AS q WHERE {where})"
        options = {
            "IN (SELECT)": f"{person} IN (SELECT q.person FROM {table} AS q WHERE {where})",
            "NOT IN (SELECT)": f"{person} NOT IN (SELECT q.person FROM {table} AS q WHERE q.person IS NOT NULL AND {where})",
            "EXISTS": f"EXISTS (SELECT 1 FROM {table} AS q WHERE q.person = {person} AND {where})",
            "NOT EXISTS": f"NOT EXISTS (SELECT 1 FROM {table} AS q WHERE q.person = {person} AND {where})",
            "EXISTS with <>": f"EXISTS (SELECT 1 FROM {table} AS q WHERE q.person = {person} AND "
            f"{self._number(inner, 0)} {self.chance.choice(('<>', '<', '>='))} {self._number(scope, 0)})",
            "scalar subquery": f"{self._number(scope, 0)} > (SELECT COUNT(*) FROM {table} AS q WHERE {where})",
            "correlated subquery": f"{self._number(scope, 0)} <= (SELECT MAX({self._number(inner, 0)}) FROM {table} AS q "
            f"WHERE q.person = {person})",
        }
        return options[self._word(*options)]

    # ---- whole questions

    def _columns(self, scope: tuple[Column, ...], most: int = 3) -> tuple[str, ...]:
        return tuple(f"{self._expression(scope)} AS c{at}" for at in range(self.chance.randint(1, most)))

    def _rows(self) -> Select:
        source, joins, scope = self._source()
        columns = self._columns(scope)
        query = Select(columns, source, joins, self._conditions(scope), is_distinct=self._maybe(0.25))
        self.counts["DISTINCT"] += query.is_distinct
        return self._ordered(query, 0.4)

    def _ordered(self, query: Select, share: float) -> Select:
        """Perhaps in the order of all columns, perhaps the first rows only."""
        if not self._maybe(share):
            return query
        names = [one.rsplit(" AS ", 1)[1] for one in query.columns]
        order = ", ".join(f"{name}{self._word('', ' DESC')}" for name in self.chance.sample(names, len(names)))
        self.counts["ORDER BY"] += 1
        limit = self._word("", "", "LIMIT 2", "LIMIT 3 OFFSET 1")
        return replace(query, order=order, limit=limit)

    def _aggregate(self, scope: tuple[Column, ...]) -> str:
        number = self._number(scope, 1)
        truth = self._predicate(scope, 0)
        column = self.chance.choice(scope).name
        one = self._of(scope, NUMBER) or "1"
        options = {
            "COUNT(*)": "COUNT(*)",
            "COUNT": f"COUNT({column})",
            **{name: f"{name}({number})" for name in ("SUM", "MIN", "MAX", "AVG")},
            "COUNT(DISTINCT)": f"COUNT(DISTINCT {column})",
            **{name: f"{name}({truth})" for name in ("BOOL_AND", "BOOL_OR")},
            **{name: f"{name}({one})" for name in ("MEDIAN", "VAR_POP", "STDDEV", "STDDEV_POP")},
            "QUANTILE_DISC": f"QUANTILE_DISC({one}, 0.3)",
            "CORR": f"CORR({one}, {self._of(scope, NUMBER) or '1'})",
        }
        word = self._word(*options, "COUNT(*)", "SUM", "SUM", "MIN", "MAX")
        if self._maybe(0.15) and word not in ("MEDIAN", "QUANTILE_DISC", "VAR_POP"):
            self.counts["FILTER"] += 1
            return f"{options[word]} FILTER (WHERE {self._predicate(scope, 0)})"
        return options[word]

    def _key(self, scope: tuple[Column, ...]) -> str:
        if self._maybe(0.75):
            return self._any(scope)
        self.counts["GROUP BY an expression"] += 1
        return self._expression(scope)

    def _groups(self) -> Select:
        source, joins, scope = self._source()
        keys = list(dict.fromkeys(self._key(scope) for _ in range(self.chance.choice((0, 1, 1, 2)))))
        listed = [f"{key} AS k{at}" for at, key in enumerate(keys)]
        made = [f"{self._aggregate(scope)} AS c{at}" for at in range(self.chance.randint(1, 2))]
        having = ""
        if self._maybe(0.15):
            self.counts["HAVING"] += 1
            having = f"COUNT(*) {self.chance.choice(('>', '='))} 1"
        query = Select((*listed, *made), source, joins, self._conditions(scope), self._grouped_by(keys), having)
        return self._ordered(query, 0.3) if keys else query

    def _grouped_by(self, keys: list[str]) -> tuple[str, ...]:
        """The keys, perhaps with margins."""
        if not keys or not self._maybe(0.2):
            return tuple(keys)
        word = self._word("ROLLUP", "CUBE", "GROUPING SETS")
        listed = ", ".join(keys)
        return (f"GROUPING SETS (({listed}), {keys[-1]}, ())",) if word == "GROUPING SETS" else (f"{word} ({listed})",)

    def _regrouped(self) -> Select:
        """Groups made of groups, or of ranked rows."""
        inner = self._groups() if self._maybe(0.7) else self._windowed()
        names = [one.rsplit(" AS ", 1)[1] for one in replace(inner, order="", limit="").columns]
        counted, key = names[-1], names[0]
        columns = (f"g.{key} AS k0", "COUNT(*) AS c0", f"COUNT(DISTINCT g.{counted}) AS c1")
        return Select(columns, f"({replace(inner, order='', limit='').sql}) AS g", group=(f"g.{key}",))

    def _named(self) -> Select:
        """A table with a name that is used twice."""
        inner = Select(
            ("a.person AS person", "COUNT(*) AS many", "MIN(a.person) AS least"), f"{self.chance.choice(('people', 'jobs', 'visits'))} AS a"
        )
        scope = tuple(Column(f"a.{name}", kind) for name, kind in TABLES[inner.source.split()[0]])
        inner = replace(inner, where=self._conditions(scope), group=("a.person",))
        join = self._word("JOIN", "LEFT JOIN", "SEMI JOIN", "ANTI JOIN")
        columns = ("x.person AS c0", "x.many AS c1") + (() if "I JOIN" in join else ("y.many AS c2",))
        joins = (f"{join} t AS y ON x.many = y.least",)
        return Select(columns, "t AS x", joins, ("x.many > 0",), with_=f"WITH t AS ({inner.sql})")

    def _windowed(self) -> Select:
        source, _, scope = self._source(joins=False)
        partition = f"PARTITION BY {self._any(scope)} " if self._maybe(0.6) else ""
        number = self._of(scope, NUMBER)
        names = [one.name for one in scope if one.kind != BADGE]
        order = "ORDER BY " + ", ".join(f"{name}{self.chance.choice(('', ' DESC'))}" for name in self.chance.sample(names, len(names)))
        some = f"ORDER BY {self.chance.choice(names)}"
        frame = self.chance.choice(("ROWS UNBOUNDED PRECEDING", "ROWS BETWEEN 0 PRECEDING AND 2 FOLLOWING", "ROWS 5 PRECEDING"))
        options = {
            "ROW_NUMBER": f"ROW_NUMBER() OVER ({partition}{order})",
            "RANK": f"RANK() OVER ({partition}{some})",
            "DENSE_RANK": f"DENSE_RANK() OVER ({partition}{some})",
            "LAG": f"LAG({number}) OVER ({partition}{order})",
            "LEAD": f"LEAD({number}, 2) OVER ({partition}{order})",
            "FIRST_VALUE": f"FIRST_VALUE({number}) OVER ({partition}{order})",
            "LAST_VALUE": f"LAST_VALUE({number}) OVER ({partition}{order} {frame})",
            "SUM OVER": f"SUM({number}) OVER ({partition}{some})",
            "framed SUM": f"SUM({number}) OVER ({partition}{order} {frame})",
            "COUNT OVER": f"COUNT({number}) OVER ({partition}{some})",
            "framed MIN": f"MIN({number}) OVER ({partition}{order} {frame})",
            "MAX OVER": f"MAX({number}) OVER ({partition})",
            "AVG OVER": f"AVG({number}) OVER ({partition}{some})",
        }
        made = [options[self._word(*options)] for _ in range(self.chance.randint(1, 2))]
        if number is None:
            return self._rows()
        columns = (f"{number} AS n", *(f"{one} AS c{at}" for at, one in enumerate(made)))
        return Select(columns, source, (), self._conditions(scope))

    def _combined(self) -> Combined:
        word = self._word("UNION ALL", "UNION", "INTERSECT", "EXCEPT")
        first, second = (self.chance.choice((("people", "region"), ("shops", "region"), ("areas", "region"))) for _ in range(2))
        pairs = [("person", "people"), ("person", "jobs"), ("person", "visits")]
        if self._maybe(0.6):
            (key, table), (_, other) = self.chance.choice(pairs), self.chance.choice(pairs)
            return Combined(self._side(table, (key,)), self._side(other, (key,)), word)
        numbers = {"people": "income", "shops": "size", "areas": "rank"}
        return Combined(self._side(first[0], ("region", numbers[first[0]])), self._side(second[0], ("region", numbers[second[0]])), word)

    def _side(self, table: str, names: tuple[str, ...]) -> Select:
        scope = tuple(Column(f"a.{name}", kind) for name, kind in TABLES[table])
        return Select(tuple(f"a.{name} AS c{at}" for at, name in enumerate(names)), f"{table} AS a", (), self._conditions(scope))
