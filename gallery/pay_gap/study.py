"""What the council and the employers sign: who is counted where, the two tables, and their rules. All public."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from accord.base.canonical import encode
from accord.gallery.pay_gap.payrolls import Payrolls

COUNCIL, UNIVERSITY, TRUSTEE = "council", "university", "trustee"
"""The council receives; it and two others compute. No employer runs a server."""
ALL = "all"
EMPLOYERS_MIN, EMPLOYEES_MIN = 8, 8
"""A cohort is shown from so many employers on, a cell from so many employees on: the council's own two thresholds."""
WITHOUT_JOBS = ("non-binary",)
"""Genders of which there are too few anywhere to show them by job."""
WIDTH = 8
"""Of what is held back, the sums that are shown leave each headcount open by so much at least."""
PAY_MAX, MONTHS_MAX = 1_500_000, 720
RACE_TABLE, COHORT_TABLE = "by_race", "by_cohort"
TABLES = (RACE_TABLE, COHORT_TABLE)
MONEY = ("pay", "bonus", "months")
UNIT_DOLLARS_MIN = 1_000


def document(payrolls: Payrolls, servers: tuple[str, str, str] = (COUNCIL, UNIVERSITY, TRUSTEE)) -> str:
    """The text of `study.toml`."""
    unit = unit_dollars(payrolls)
    return "\n".join([_head(servers), _publics(payrolls), _table(payrolls), _queries(unit), *_releases(payrolls, unit)])


def unit_dollars(payrolls: Payrolls) -> int:
    """In what an employer's total is squared: a thousand dollars, or as many more as the sums of squares need to stay below 2^61."""
    unit, most = UNIT_DOLLARS_MIN, len(payrolls.files) * max(payrolls.rows_max.values()) * PAY_MAX
    while 2 * (most // (2 * unit) + 1) ** 2 >= 1 << 61:
        unit *= 10
    return unit


def _head(servers: tuple[str, str, str]) -> str:
    return f"""# What are women and men paid, over the payrolls of employers that show theirs to nobody?
[study]
name = "pay_gap"
title = "What are women and men paid, by job, race or ethnicity, and industry?"
purpose = "Measure the gap in pay between women and men over all employers, without showing any employer's payroll or any small headcount"
expires = 2027-12-31
servers = {_text(servers)}
"""


def _publics(payrolls: Payrolls) -> str:
    lists = {"employer": tuple(payrolls.files), "job": payrolls.jobs, "race": payrolls.races, "gender": payrolls.genders}
    lined = {"job": _with_all((one, one) for one in payrolls.jobs), "race": _with_all((one, one) for one in payrolls.races)}
    lined["employer"] = _with_all(payrolls.cohorts.items())
    names = {"job": payrolls.jobs, "race": payrolls.races, "cohort": payrolls.cohort_names}
    domains = [f"[domains.{name}]\nvalues = {_text(values)}\n" for name, values in lists.items()]
    lines = [f"[domains.{name}_line]\nvalues = {_text((*values, ALL))}\n" for name, values in names.items()]
    whose = [_lines(f"lines_of_{key}", key, f"{'cohort' if key == 'employer' else key}_line", rows) for key, rows in lined.items()]
    return "\n".join(
        [*domains, "# A total is a line of a table too.", *lines, "# In which lines a job, a race and an employer count.", *whose]
    )


def _lines(name: str, key: str, line: str, rows: Sequence[tuple[str, str]]) -> str:
    return f"""[publics.{name}]
columns = [
  {{ name = "{key}", kind = "category", domain = "{key}" }},
  {{ name = "{line}", kind = "category", domain = "{line}" }},
]
rows = {encode([list(row) for row in rows]).decode()}
"""


def _with_all(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each in its own line, and in the total."""
    return [row for key, line in pairs for row in ((key, line), (key, ALL))]


def _table(payrolls: Payrolls) -> str:
    employers = tuple(payrolls.files)
    bounds = ", ".join(f"{name} = {payrolls.rows_max[name]}" for name in employers)
    return f"""# What each employer brings: one row a person. The number of its staff is hidden within its size class.
[tables.staff]
owners = {_text(employers)}
rows_max = {{ {bounds} }}
owner_column = "employer"
owner_values = {{ {", ".join(f"{name} = {_text(name)}" for name in employers)} }}
columns = [
  {{ name = "employer", kind = "category", domain = "employer" }},
  {{ name = "job", kind = "category", domain = "job" }},
  {{ name = "race", kind = "category", domain = "race" }},
  {{ name = "gender", kind = "category", domain = "gender" }},
  {{ name = "pay", kind = "int", low = 0, high = {PAY_MAX} }},
  {{ name = "bonus", kind = "int", low = 0, high = {PAY_MAX} }},
  {{ name = "months", kind = "int", low = 0, high = {MONTHS_MAX} }},
]
"""


def _queries(unit: int) -> str:
    sums = ", ".join(f"SUM(s.{one}) AS {one}" for one in MONEY)
    totals = ", ".join(f"SUM({one}) AS {one}" for one in MONEY)
    cells = f"SUM(n) AS n, {totals}, STDDEV_POP(pay // {unit}) AS deviation"
    return f"""# Each employer adds up its own staff, line by line; the cells of both tables are sums of these.
[queries]
parts_by_race = \"\"\"
SELECT s.employer, j.job_line AS job, r.race_line AS race, s.gender, COUNT(*) AS n, {sums}
FROM staff AS s JOIN lines_of_job AS j ON j.job = s.job JOIN lines_of_race AS r ON r.race = s.race
GROUP BY s.employer, j.job_line, r.race_line, s.gender\"\"\"
cells_by_race = \"\"\"
SELECT job, race, gender, {cells} FROM parts_by_race GROUP BY job, race, gender\"\"\"
parts_by_cohort = \"\"\"
SELECT s.employer, c.cohort_line AS cohort, j.job_line AS job, s.gender, COUNT(*) AS n, {sums}
FROM staff AS s JOIN lines_of_employer AS c ON c.employer = s.employer JOIN lines_of_job AS j ON j.job = s.job
GROUP BY s.employer, c.cohort_line, j.job_line, s.gender\"\"\"
cells_by_cohort = \"\"\"
SELECT cohort, job, gender, {cells} FROM parts_by_cohort GROUP BY cohort, job, gender\"\"\"
contributing = \"\"\"
SELECT c.cohort_line AS cohort, COUNT(DISTINCT s.employer) AS employers
FROM staff AS s JOIN lines_of_employer AS c ON c.employer = s.employer GROUP BY c.cohort_line\"\"\"
"""


@dataclass(frozen=True)
class _Table:
    """One of the two tables: its `key` beside the job with its lines, where its cells come from, and whose employers are counted."""

    name: str
    title: str
    key: str
    lines: tuple[str, ...]
    cells: str
    employers: str


def _tables(payrolls: Payrolls) -> tuple[_Table, _Table]:
    everywhere = f"CROSS JOIN (SELECT cohort_line AS cohort FROM cohort_line WHERE cohort_line = '{ALL}') AS o"
    counted = "LEFT JOIN contributing AS k ON k.cohort ="
    by_race = _Table(
        RACE_TABLE, "By race or ethnicity and job", "race", payrolls.races, "cells_by_race", f"{everywhere} {counted} o.cohort"
    )
    return by_race, _Table(
        COHORT_TABLE, "By industry and job", "cohort", payrolls.cohort_names, "cells_by_cohort", f"{counted} f.cohort_line"
    )


def release_name(table: str, gender: str) -> str:
    return f"{table}_{gender}"


def _releases(payrolls: Payrolls, unit: int) -> list[str]:
    """Both tables for each gender: a cell hides behind cells of its own gender, and what both tables share are large totals."""
    return [_release(one, gender, len(payrolls.jobs), unit) for gender in payrolls.genders for one in _tables(payrolls)]


def _release(table: _Table, gender: str, jobs: int, unit: int) -> str:
    means = ", ".join(f"ROUND(c.{one} / c.n, {digits}) AS mean_{one}" for one, digits in zip(MONEY, (2, 2, 1), strict=True))
    key, line = table.key, f"{table.key}_line"
    has_jobs = gender not in WITHOUT_JOBS
    dimensions, rows = ((key, "job"), (len(table.lines) + 1) * (jobs + 1)) if has_jobs else ((key,), len(table.lines) + 1)
    chosen = "" if has_jobs else f" AND j.job_line = '{ALL}'"
    hidden = f'dimensions = {_text(dimensions)}, columns = ["n"], total = "{ALL}", width = {WIDTH}, kept = ["{key}"]'
    return f"""[[releases]]
name = "{release_name(table.name, gender)}"
title = "{table.title}: {gender}"
sql = \"\"\"
SELECT f.{line} AS {key}, j.job_line AS job, COALESCE(c.n, 0) AS n, {means}, c.deviation, COALESCE(k.employers, 0) AS employers
FROM {line} AS f CROSS JOIN job_line AS j CROSS JOIN gender AS g
LEFT JOIN {table.cells} AS c ON c.{key} = f.{line} AND c.job = j.job_line AND c.gender = g.gender
{table.employers}
WHERE g.gender = '{gender}'{chosen} ORDER BY {key}, job\"\"\"
recipients = ["{COUNCIL}"]
judged = ["employers"]
rules = [
  {{ rule = "minimum_contributors", column = "employers", minimum = {EMPLOYERS_MIN} }},
  {{ rule = "minimum_count", column = "n", minimum = {EMPLOYEES_MIN} }},
  {{ rule = "complementary_suppression", {hidden}, primaries_max = {rows} }},
]
notes = ["The deviation is of employers' own totals in a cell, in units of {unit:,} dollars: it says how unlike employers are."]
"""


def _text(values: Sequence[str] | str) -> str:
    return encode(values if isinstance(values, str) else list(values)).decode()
