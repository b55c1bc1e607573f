"""Reading what an office has: the tidy form, or UN Comtrade's own CSV export (the old portal's and the new one's).

A file or a folder of CSV files goes through DuckDB and comes out as one tidy CSV for each office. Every row is either written, set
aside under a counted reason, or refused with its file, row and column.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from accord.base.errors import Refused
from accord.gallery.trade.files import COLUMNS, OfficeFiles
from accord.gallery.trade.parameters import DEFAULT, Parameters

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FIELDS: dict[str, tuple[str, ...]] = {
    "year": ("year", "refyear", "yr"),
    "period": ("period",),
    "frequency": ("freqcode",),
    "reporter": ("reporteriso", "rt3iso", "reporter"),
    "reporter_number": ("reportercode", "rtcode"),
    "partner": ("partneriso", "pt3iso", "partner"),
    "partner_number": ("partnercode", "ptcode"),
    "second_partner": ("partner2code", "2ndpartnercode", "ptcode2"),
    "flow": ("flowcode", "tradeflowcode", "rgcode", "flow"),
    "commodity": ("commoditycode", "cmdcode", "commodity"),
    "level": ("commoditylevel", "level"),
    "customs": ("customscode", "customsproccode", "cstcode"),
    "transport": ("motcode", "modeoftransportcode"),
    "supply": ("moscode",),
    "value_usd": ("primaryvalue", "tradevalueus", "tradevalue", "valueusd"),
}
"""What is read, and the headings it may have (letters and digits in lower case): the first that a file has is taken."""

REQUIRED = (("year", "period"), ("reporter", "reporter_number"), ("partner", "partner_number"), ("flow",), ("commodity",), ("value_usd",))
"""A file has one of each."""

COUNTRY_NUMBERS = {"842": "usa", "840": "usa", "528": "nld", "381": "ita", "380": "ita", "826": "gbr"}
"""UN Comtrade's and M49's numbers, for exports without ISO codes."""

FLOWS = {
    "x": "export",
    "2": "export",
    "export": "export",
    "exports": "export",
    "m": "import",
    "1": "import",
    "import": "import",
    "imports": "import",
}
FLOWS_OTHER = (
    "3", "4", "rx", "rm", "dx", "fm", "mip", "mop", "xip", "xop", "re-export", "re-import", "re-exports", "re-imports",
)  # fmt: skip
"""Re-exports and re-imports, domestic and foreign goods, processing: parts of X and M, which already contain them."""


@dataclass(frozen=True)
class _Form:
    """How a file is written: its headings in order, delimiter, encoding; one nameless column more where rows end with a delimiter."""

    headings: tuple[str, ...]
    delimiter: str
    encoding: str
    extra: bool

    def heading(self, field: str) -> str | None:
        """The file's own heading of a field, if it has one."""
        plain = {re.sub(r"[^a-z0-9]", "", heading.lower()): heading for heading in reversed(self.headings)}
        return next((plain[name] for name in FIELDS[field] if name in plain), None)

    def column(self, field: str) -> str:
        """SQL that reads a field as trimmed text, NULL where blank or not in this file."""
        heading = self.heading(field)
        return "NULL" if heading is None else f"nullif(trim(c{self.headings.index(heading)}), '')"


def read(source: Path, folder: Path, parameters: Parameters = DEFAULT) -> OfficeFiles:
    """Turn a CSV file, or a folder of them, into one tidy CSV for each office in `folder` (made if missing).

    Only reports of the offices about each other count, exports and imports as such, HS6 and TOTAL, in the study's years and
    commodities; the rest is set aside and counted. Fractions of a dollar are rounded half up. Raises Refused for a file of another
    form, a bad cell, the same report twice, or an office without any report.
    """
    import duckdb

    paths = _csv_files(source)
    with duckdb.connect() as database:
        forms = _load(database, paths)
        _sort_out(database, parameters)
        _check(database, forms, parameters)
        return _write(database, source, folder, parameters)


def _csv_files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    paths = sorted(path for path in source.glob("*") if path.suffix.lower() == ".csv")
    if not paths:
        raise Refused("no CSV file is there", where=str(source), do="give a CSV file, or a folder that holds some")
    return paths


# ---- what the files say ---------------------------------------------------------------------------------------------


def _form(path: Path) -> _Form:
    """Look at the first rows of a file. Raises Refused where it cannot be one of the known forms."""
    encoding = _encoding(path)
    with path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
        first = file.readline()
        delimiter = max(",;\t", key=first.count)
        file.seek(0)
        rows = csv.reader(file, delimiter=delimiter)
        headings = tuple(heading.strip() for heading in next(rows, []))
        below = next(rows, [])
    form = _Form(headings, delimiter, encoding, extra=len(below) == len(headings) + 1 and not below[-1])
    for fields in REQUIRED:
        if not any(form.heading(field) for field in fields):
            raise Refused(
                f"no column for the {fields[0].replace('_', ' ')}",
                where=path.name,
                rule=f"the tidy form ({', '.join(COLUMNS)}) or UN Comtrade's CSV export",
                do="export it again with its headings, or take the file out of the folder",
            )
    return form


def _encoding(path: Path) -> str:
    """UTF-8 if every byte agrees; else Latin-1, in which the new Comtrade portal writes country names."""
    try:
        with path.open(encoding="utf-8") as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _load(database: DuckDBPyConnection, paths: Iterable[Path]) -> dict[str, _Form]:
    """All files into one table of text fields, with file and row. Returns each file's form."""
    forms: dict[str, _Form] = {}
    fields = ", ".join(f"{field} VARCHAR" for field in FIELDS)
    database.execute(f"CREATE TABLE rows (file VARCHAR, row BIGINT, {fields})")
    for path in paths:
        form = forms[path.name] = _form(path)
        width = len(form.headings) + form.extra
        columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(width))
        spill = f"coalesce(c{width - 1}, '')" if form.extra else "''"
        database.execute(
            f"""CREATE OR REPLACE TEMP TABLE text AS SELECT row_number() OVER () + 1 AS row, {spill} AS spill, * FROM read_csv(?,
                auto_detect = false, header = true, delim = ?, quote = '"', escape = '"', encoding = ?,
                columns = {{{columns}}}, store_rejects = true)""",
            [str(path), form.delimiter, form.encoding],
        )
        _refuse_ragged(database, path, len(form.headings))
        database.execute(f"INSERT INTO rows SELECT ?, row, {', '.join(map(form.column, FIELDS))} FROM text", [path.name])
    return forms


def _refuse_ragged(database: DuckDBPyConnection, path: Path, width: int) -> None:
    bad = database.execute(
        "SELECT line FROM reject_errors UNION ALL SELECT row FROM text WHERE spill <> '' ORDER BY ALL LIMIT 1"
    ).fetchone()
    if bad:
        raise Refused(
            "the row has more or fewer columns than the heading",
            where=f"{path.name}, row {bad[0]}",
            rule=f"{width} columns in each row",
            do="put texts that hold the delimiter in quotes",
        )


# ---- which rows count -----------------------------------------------------------------------------------------------


def _sort_out(database: DuckDBPyConnection, parameters: Parameters) -> None:
    """Bring every row to the study's words, and give a reason to each that the study does not use."""
    _lists(database, parameters)
    database.execute(r"""
        CREATE TABLE sorted AS
        WITH plain AS (
            SELECT file, row, year AS year_text, value_usd AS value_text, lower(flow) AS flow_text, upper(level) AS level_text,
                coalesce(lower(reporter), a.office, reporter_number) AS reporter,
                coalesce(lower(partner), b.office, partner_number) AS partner,
                coalesce(try_cast(year AS INTEGER), try_cast(period AS INTEGER)) AS year,
                coalesce(upper(frequency) <> 'A', false) OR length(period) > 4 AS is_partial,
                coalesce(second_partner, '0') <> '0' OR coalesce(upper(customs), 'C00') <> 'C00'
                    OR coalesce(transport, '0') <> '0' OR coalesce(supply, '0') <> '0' AS is_part,
                CASE WHEN regexp_full_match(commodity, '[0-9]+') AND length(commodity) % 2 = 1 THEN '0' ELSE '' END
                    || upper(commodity) AS commodity
            FROM rows LEFT JOIN numbers a ON a.number = reporter_number LEFT JOIN numbers b ON b.number = partner_number
        ), known AS (
            SELECT plain.*, f.flow, CASE WHEN commodity = 'TOTAL' THEN 'TOTAL'
                WHEN regexp_full_match(commodity, '[0-9]{6}') THEN 'HS6' ELSE 'other' END AS level
            FROM plain LEFT JOIN flows f ON f.code = flow_text
        )
        SELECT *, round(try_cast(value_text AS DECIMAL(38, 15)), 0) AS value, CASE
            WHEN reporter NOT IN (FROM offices) THEN 'reports of other countries'
            WHEN partner NOT IN (FROM offices) THEN 'trade with other countries'
            WHEN reporter = partner THEN 'trade of a country with itself'
            WHEN is_partial THEN 'months and quarters (the study is annual)'
            WHEN flow = 'other' THEN 'other flows than exports and imports'
            WHEN is_part THEN 'parts by customs procedure, transport, supply or second partner'
            WHEN commodity IS NULL THEN NULL
            WHEN level = 'other' THEN 'other levels than HS6 and TOTAL'
            WHEN level = 'HS6' AND commodity NOT IN (FROM commodities) THEN 'commodities outside the study'
            WHEN year IS NOT NULL AND (level, year) NOT IN (SELECT (level, year) FROM years) THEN 'years outside the study'
            END AS reason
        FROM known""")


def _lists(database: DuckDBPyConnection, parameters: Parameters) -> None:
    """The public lists as tables."""
    flows = [*FLOWS.items(), *((code, "other") for code in FLOWS_OTHER)]
    years = [*(("HS6", year) for year in parameters.years), *(("TOTAL", year) for year in parameters.total_years)]
    tables: dict[str, tuple[str, list[tuple[object, ...]]]] = {
        "offices": ("office VARCHAR", [(office,) for office in parameters.offices]),
        "commodities": ("commodity VARCHAR", [(code,) for code in parameters.commodities]),
        "numbers": ("number VARCHAR, office VARCHAR", list(COUNTRY_NUMBERS.items())),
        "flows": ("code VARCHAR, flow VARCHAR", list(flows)),
        "years": ("level VARCHAR, year INTEGER", list(years)),
    }
    for name, (columns, rows) in tables.items():
        database.execute(f"CREATE TABLE {name} ({columns})")
        database.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)


# ---- whether they are right -----------------------------------------------------------------------------------------


def _check(database: DuckDBPyConnection, forms: Mapping[str, _Form], parameters: Parameters) -> None:
    """Raises Refused for the first bad cell, in the order of files and rows. No message holds a value in dollars."""
    limit = parameters.value_usd_max
    rules = (
        ("reporter", "reporter IS NULL", "is blank", "an ISO code of three letters, or UN Comtrade's number"),
        ("partner", "partner IS NULL", "is blank", "an ISO code of three letters, or UN Comtrade's number"),
        ("flow", "flow IS NULL", "is not a flow", "export or import (X or M, 2 or 1), or another flow of UN Comtrade"),
        ("commodity", "commodity IS NULL AND reason IS NULL", "is blank", "an HS code as text, or TOTAL"),
        ("year", "year IS NULL AND reason IS NULL", "is not a year", "four digits"),
        (
            "level",
            "level_text IS NOT NULL AND level_text <> level AND reason IS NULL",
            "does not fit the commodity",
            "HS6 for six digits, TOTAL for TOTAL",
        ),
        (
            "value_usd",
            "value_text IS NULL AND reason IS NULL",
            "is blank",
            "a number of dollars; leave out the row if nothing was reported",
        ),
        (
            "value_usd",
            "value IS NULL AND reason IS NULL",
            "is not a number",
            "digits, with a point before fractions and nothing between thousands",
        ),
        ("value_usd", f"NOT value BETWEEN 0 AND {limit} AND reason IS NULL", "is out of bounds", f"0 to {limit:,} dollars"),
    )
    cases = " ".join(f"WHEN {wrong} THEN {place}" for place, (_, wrong, _, _) in enumerate(rules))
    bad = database.execute(
        f"SELECT file, row, CASE {cases} END AS rule FROM sorted WHERE rule IS NOT NULL ORDER BY file, row LIMIT 1"
    ).fetchone()
    if bad:
        file, row, place = bad
        field, _, what, rule = rules[place]
        column = forms[file].heading(field) or field
        raise Refused(f"the cell {what}", where=f"{file}, row {row}, column {column}", rule=rule, do="correct the cell and run again")
    _refuse_twice(database)


def _refuse_twice(database: DuckDBPyConnection) -> None:
    twice = database.execute("""
        SELECT list({file: file, row: row} ORDER BY file, row)[:2] AS places FROM sorted WHERE reason IS NULL
        GROUP BY year, reporter, partner, flow, commodity HAVING count(*) > 1 ORDER BY places LIMIT 1""").fetchone()
    if twice:
        first, second = (f"{place['file']}, row {place['row']}" for place in twice[0])
        raise Refused(
            f"the same report stands in {first}",
            where=second,
            rule="one row for a year, reporter, partner, flow and commodity",
            do="keep the one that is right",
        )


# ---- the offices' files ---------------------------------------------------------------------------------------------


def _write(database: DuckDBPyConnection, source: Path, folder: Path, parameters: Parameters) -> OfficeFiles:
    counts = dict(database.execute("SELECT reporter, count(*) FROM sorted WHERE reason IS NULL GROUP BY ALL").fetchall())
    for office in parameters.offices:
        if office not in counts:
            raise Refused(
                f"no report of {office} is left to use",
                where=str(source),
                rule="each office reports on its trade with the others, in the study's years and commodities",
                do=f"add the file of {office}",
            )
    folder.mkdir(parents=True, exist_ok=True)
    files = {office: folder / f"{office}.csv" for office in parameters.offices}
    for office, path in files.items():
        kept = database.sql(
            """SELECT year, reporter, partner, flow, commodity, level, value::BIGINT AS value_usd
               FROM sorted WHERE reporter = ? AND reason IS NULL ORDER BY ALL""",
            params=[office],
        )
        kept.write_csv(str(path), header=True)
    aside = database.execute(
        "SELECT reason, count(*) AS rows FROM sorted WHERE reason IS NOT NULL GROUP BY ALL ORDER BY rows DESC, reason"
    ).fetchall()
    rows = {office: counts[office] for office in parameters.offices}
    return OfficeFiles(f"What is in {source.name}, as it stands", files, rows, sum(rows.values()) + sum(dict(aside).values()), dict(aside))
