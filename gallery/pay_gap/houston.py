"""The City of Houston's open payroll of 2016 as payrolls: departments for employers. The file is the user's and no part of Accord."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from accord.base.errors import Refused
from accord.gallery.one_table import read_csv, write_csv
from accord.gallery.pay_gap.payrolls import COLUMNS, Payrolls, size_class

FILE = "houston_2016.csv"
AS_OF = datetime.date(2016, 5, 31)
"""The last day that the file knows: months of service are counted up to it."""
LEADS, UNIFORMED, OTHERS = "supervisors and managers", "police and fire", "all other staff"
LEADING = ("director", "manager", "supervisor", "superintendent", "chief", "captain", "sergeant", "lieutenant", "executive")
IN_UNIFORM = ("police", "fire", "engineer/operator", "jail")
UNSTATED = "not stated"
WORKS, PEOPLE, OFFICES = "safety and works", "services to residents", "administration"
DEPARTMENTS: Mapping[str, tuple[str, str]] = {
    "Houston Police Department-HPD": ("police", WORKS),
    "Houston Fire Department (HFD)": ("fire", WORKS),
    "Houston Emergency Center (HEC)": ("emergency_center", WORKS),
    "Public Works & Engineering-PWE": ("public_works", WORKS),
    "Solid Waste Management": ("solid_waste", WORKS),
    "Fleet Management Department": ("fleet", WORKS),
    "Houston Airport System (HAS)": ("airports", WORKS),
    "General Services Department": ("general_services", WORKS),
    "Health & Human Services": ("health", PEOPLE),
    "Parks & Recreation": ("parks", PEOPLE),
    "Library": ("library", PEOPLE),
    "Housing and Community Devp.": ("housing", PEOPLE),
    "Dept of Neighborhoods (DON)": ("neighborhoods", PEOPLE),
    "Convention and Entertainment": ("convention", PEOPLE),
    "Planning & Development": ("planning", PEOPLE),
    "Municipal Courts Department": ("municipal_courts", PEOPLE),
    "Admn. & Regulatory Affairs": ("regulatory_affairs", OFFICES),
    "Human Resources Dept.": ("human_resources", OFFICES),
    "Legal Department": ("legal", OFFICES),
    "City Council": ("city_council", OFFICES),
    "Finance": ("finance", OFFICES),
    "Houston Information Tech Svcs": ("information_technology", OFFICES),
    "City Controller's Office": ("controller", OFFICES),
    "Mayor's Office": ("mayor", OFFICES),
}
"""Each department's party and cohort; the three cohorts of eight are ours."""


def read(source: Path, folder: Path) -> Payrolls:
    """Write one CSV a department into `folder`. A row without a salary is set aside, a missing race is a value of its own; the file has no
    bonuses, which count 0. Raises Refused for a department that is not known here."""
    rows = read_csv(source / FILE)
    if unknown := {row["department"] for row in rows} - set(DEPARTMENTS):
        raise Refused(f"the department {sorted(unknown)[0]!r}", where=FILE, rule=f"one of {len(DEPARTMENTS)} departments of 2016")
    staff: dict[str, list[tuple[object, ...]]] = {party: [] for party, _ in DEPARTMENTS.values()}
    aside: Counter[str] = Counter()
    for row in rows:
        party, _ = DEPARTMENTS[row["department"]]
        if row["base_salary"]:
            staff[party].append(_person(party, row))
        else:
            aside["no salary"] += 1
    return Payrolls(
        description=f"City of Houston, open payroll of 2016: {sum(map(len, staff.values())):,} staff of {len(staff)} departments",
        files={party: write_csv(folder / party / "staff.csv", COLUMNS, mine) for party, mine in staff.items()},
        cohorts=dict(DEPARTMENTS.values()),
        rows_max={party: size_class(party, len(mine)) for party, mine in staff.items()},
        jobs=(LEADS, UNIFORMED, OTHERS),
        races=tuple(sorted({_race(row) for row in rows})),
        genders=("female", "male"),
        set_aside=dict(aside),
    )


def _person(party: str, row: Mapping[str, str]) -> tuple[object, ...]:
    return party, _job(row["position_title"].lower()), _race(row), row["gender"].lower(), int(float(row["base_salary"])), 0, _months(row)


def _job(title: str) -> str:
    """By words of the title, the first that applies: our own rough cut, not the city's."""
    if any(word in title for word in LEADING):
        return LEADS
    return UNIFORMED if any(word in title for word in IN_UNIFORM) else OTHERS


def _race(row: Mapping[str, str]) -> str:
    return row["race"].lower() or UNSTATED


def _months(row: Mapping[str, str]) -> int:
    hired = datetime.date.fromisoformat(row["hire_date"])
    return 12 * (AS_OF.year - hired.year) + AS_OF.month - hired.month - (hired.day > AS_OF.day)
