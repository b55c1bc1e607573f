"""The embedded data: invented employers and staff from a seed. No number in it belongs to anybody.

What it imitates: employers of very different size in thirteen industries, one of which has too few of them; jobs whose mix differs
from employer to employer; pay that differs by job, industry and employer, within each nearly log-normally, and by gender.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from accord.gallery.dice import ONE, Dice
from accord.gallery.one_table import write_csv
from accord.gallery.pay_gap.payrolls import COLUMNS, GENDERS, JOBS, RACES, Payrolls, size_class

SEED = 2016
EMPLOYERS = 116
DESCRIPTION = (
    "Invented employers and staff from a seeded generator, not real persons: {employers} employers in {industries} industries, "
    "{staff:,} staff; "
    "give your own with --data (a folder with employers.csv and one CSV an employer, or with houston_2016.csv)."
)
COHORTS = (
    "architecture and engineering",
    "arts and museums",
    "banking",
    "biotechnology",
    "construction",
    "consulting",
    "education",
    "health care",
    "hospitality",
    "insurance",
    "law",
    "nonprofits",
    "technology",
)
FEW, FEW_EMPLOYERS = "arts and museums", 6
"""One industry stays below the eight employers that a cohort needs."""
PAY_DOLLARS = (210_000, 128_000, 92_000, 66_000, 71_000, 52_000, 64_000, 48_000, 39_000, 37_000)
"""By job, of a man of middling luck."""
JOB_WEIGHTS = (3, 13, 34, 9, 6, 15, 4, 3, 3, 10)
RACE_WEIGHTS = (95, 120, 110, 4, 3, 25, 620, 23)
FEMALE_PERMILLE = (380, 480, 570, 480, 520, 760, 90, 300, 280, 560)
NON_BINARY_PERMILLE = 4
GAP_PERMILLE = {"female": 880, "male": 1_000, "non-binary": 920}
RACE_PERMILLE = (1_020, 900, 890, 900, 900, 950, 1_000, 960)
BONUS_PERMILLE = (260, 110, 60, 30, 140, 15, 10, 5, 0, 0)
PAY_MAX, MONTHS_MAX = 1_450_000, 600


def generate(folder: Path, employers: int = EMPLOYERS, seed: int = SEED, cohorts: Sequence[str] = COHORTS) -> Payrolls:
    """Write each employer's CSV under `folder`."""
    dice = Dice(seed)
    names = [f"employer_{number:03d}" for number in range(1, employers + 1)]
    staff = {name: list(_staff(dice, name, _size(dice))) for name in names}
    return Payrolls(
        description=DESCRIPTION.format(employers=employers, industries=len(cohorts), staff=sum(map(len, staff.values()))),
        files={name: write_csv(folder / name / "staff.csv", COLUMNS, rows) for name, rows in staff.items()},
        cohorts=dict(zip(names, _cohorts(employers, cohorts), strict=True)),
        rows_max={name: size_class(name, len(rows)) for name, rows in staff.items()},
    )


def _cohorts(employers: int, cohorts: Sequence[str]) -> list[str]:
    """Each in turn, but for the small one once it has its six."""
    others = [name for name in cohorts if name != FEW]
    few = [FEW] * min(FEW_EMPLOYERS if FEW in cohorts else 0, employers // len(cohorts))
    return [*few, *(others[at % len(others)] for at in range(employers - len(few)))]


def _size(dice: Dice) -> int:
    """Nearly log-normal: a median of 480, one in forty beyond 6,000."""
    return min(max(_times(480, dice.normal() * 13 // 10), 12), 9_500)


def _times(amount: int, exponent: int) -> int:
    """`amount` times e to an exponent in units of 1/65536, in whole numbers: (1 + x / 64), squared six times."""
    factor = max(ONE + exponent // 64, ONE // 64)
    for _ in range(6):
        factor = factor * factor // ONE
    return amount * factor // ONE


def _staff(dice: Dice, employer: str, size: int) -> Iterator[tuple[object, ...]]:
    weights = [max(weight * (300 + dice.below(1_700)), 1) for weight in JOB_WEIGHTS]
    level = dice.normal() // 8
    for _ in range(size):
        job, race = _drawn(dice, weights), _drawn(dice, RACE_WEIGHTS)
        gender = _gender(dice, job)
        middling = PAY_DOLLARS[job] * GAP_PERMILLE[gender] * RACE_PERMILLE[race] // 1_000_000
        pay = min(max(_times(middling, level + dice.normal() // 4), 16_000), PAY_MAX)
        bonus = pay * BONUS_PERMILLE[job] * dice.below(2_000) // 1_000_000
        months = min(max(_times(50, dice.normal()), 1), MONTHS_MAX)
        yield employer, JOBS[job], RACES[race], gender, pay, bonus, months


def _gender(dice: Dice, job: int) -> str:
    female, male, non_binary = GENDERS
    if dice.permille() < NON_BINARY_PERMILLE:
        return non_binary
    return female if dice.permille() < FEMALE_PERMILLE[job] else male


def _drawn(dice: Dice, weights: list[int] | tuple[int, ...]) -> int:
    at, rest = 0, dice.below(sum(weights))
    while rest >= weights[at]:
        rest -= weights[at]
        at += 1
    return at
