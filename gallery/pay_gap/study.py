"""What the council and the employers sign: who is counted where, the two tables, and their rules. All public."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from accord.base.canonical import encode
from accord.gallery.pay_gap.payrolls import Payrolls

COUNCIL, UNIVERSITY, TRUSTEE = "council", "university", "trustee"
"""The council receives; it and two others compute. No employer runs a server."""
ALL = "all"
EMPLOYERS_MIN, EMPLOYEES_MIN = 8, 8
"""A cohort is shown from so many employers on, a cell from so many employees on: the council's own two thresholds."""
PAY_MAX, MONTHS_MAX = 1_500_000, 720
RACE_TABLE, COHORT_TABLE = "by_race", "by_cohort"
MONEY = ("pay", "bonus", "months")
UNIT_DOLLARS_MIN = 1_000


def document(payrolls: Payrolls, servers: tuple[str, str, str] = (COUNCIL, UNIVERSITY, TRUSTEE)) -> str:
    """The text of `study.toml`."""
    unit = unit_dollars(payrolls)
    return "\n".join([_head(servers), _publics(payrolls), _table(payrolls), _queries(unit), _race_release(unit), _cohort_release(unit)])


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
    cells = f"SUM(n) AS n, {totals}, VAR_POP(pay // {unit}) AS variance"
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
contributing_in_all = \"\"\"
SELECT COUNT(DISTINCT employer) AS employers FROM staff\"\"\"
"""


def _race_release(unit: int) -> str:
    grid = "race_line AS r CROSS JOIN job_line AS j CROSS JOIN gender AS g"
    keys = "r.race_line AS race, j.job_line AS job, g.gender"
    match = "c.race = r.race_line AND c.job = j.job_line AND c.gender = g.gender"
    title = "Staff and pay by race or ethnicity, job and gender, over all employers"
    return _release(
        RACE_TABLE,
        title,
        keys,
        f"{grid} LEFT JOIN cells_by_race AS c ON {match} CROSS JOIN contributing_in_all AS k",
        "race, job, gender",
        unit,
    )


def _cohort_release(unit: int) -> str:
    grid = "cohort_line AS o CROSS JOIN job_line AS j CROSS JOIN gender AS g"
    keys = "o.cohort_line AS cohort, j.job_line AS job, g.gender"
    match = "c.cohort = o.cohort_line AND c.job = j.job_line AND c.gender = g.gender"
    title = "Staff and pay by industry, job and gender"
    cells = f"{grid} LEFT JOIN cells_by_cohort AS c ON {match} LEFT JOIN contributing AS k ON k.cohort = o.cohort_line"
    return _release(COHORT_TABLE, title, keys, cells, "cohort, job, gender", unit)


def _release(name: str, title: str, keys: str, cells: str, order: str, unit: int) -> str:
    means = ", ".join(f"ROUND(c.{one} / c.n, {digits}) AS mean_{one}" for one, digits in zip(MONEY, (2, 2, 1), strict=True))
    return f"""[[releases]]
name = "{name}"
title = "{title}"
sql = \"\"\"
SELECT {keys}, COALESCE(c.n, 0) AS n, {means}, c.variance, COALESCE(k.employers, 0) AS employers
FROM {cells}
ORDER BY {order}\"\"\"
recipients = ["{COUNCIL}"]
judged = ["employers"]
rules = [
  {{ rule = "minimum_contributors", column = "employers", minimum = {EMPLOYERS_MIN} }},
  {{ rule = "minimum_count", column = "n", minimum = {EMPLOYEES_MIN} }},
]
notes = ["The variance is of employers' own totals in a cell, in units of {unit:,} dollars: it says how unlike employers are."]
"""


def _text(values: Sequence[str] | str) -> str:
    return encode(values if isinstance(values, str) else list(values)).decode()
