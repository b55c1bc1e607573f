"""The embedded data: an invented sample and an invented register, from a seed. No number in it belongs to anybody."""

from __future__ import annotations

from pathlib import Path

from accord.gallery.dice import ONE, Dice
from accord.gallery.financial_aid.study import INCOME_BANDS, INSTITUTIONS, REGISTER, SSN, SURVEY
from accord.gallery.one_table import Files, money, write_csv

SEED = 2016
SAMPLED, AIDED, IN_BOTH = 9_000, 24_000, 4_200
DESCRIPTION = (
    "Invented students from a seeded generator, not real persons: a survey's sample with weights and a register of aid, "
    "which have 4,200 persons in common; give your own with --data (a folder with sample.csv and aid.csv)."
)
INSTITUTION_PERMILLE = (425, 350, 200, 25)
BAND_PERMILLE = (330, 290, 220, 160)
AID_MEAN_CENTS = (390_000, 330_000, 260_000, 180_000)
"""By income band; half of it more or less is one normal deviate."""


def generate(folder: Path, seed: int = SEED) -> Files:
    """Write `sample.csv` and `aid.csv` under `folder`, each owner's in a folder of its own."""
    dice = Dice(seed)
    numbers = _numbers(dice, SAMPLED + AIDED - IN_BOTH)
    sampled = {number: (_drawn(dice, INSTITUTION_PERMILLE), _drawn(dice, BAND_PERMILLE)) for number in numbers[:SAMPLED]}
    sample = [(number, money(dice.below(90_000) + 5_000), INSTITUTIONS[i], INCOME_BANDS[b]) for number, (i, b) in sampled.items()]
    aid = [(number, money(_amount(dice, sampled.get(number, (0, 0))[1]))) for number in numbers[SAMPLED - IN_BOTH :]]
    header = ("ssn", "weight", "institution", "income_band")
    return {
        SURVEY: {"sample": write_csv(folder / SURVEY / "sample.csv", header, _mixed(dice, sample))},
        REGISTER: {"aid": write_csv(folder / REGISTER / "aid.csv", ("ssn", "amount"), _mixed(dice, aid))},
    }


def _numbers(dice: Dice, count: int) -> list[int]:
    """Distinct numbers in no order."""
    found: dict[int, None] = {}
    while len(found) < count:
        found[SSN[0] + dice.below(SSN[1] - SSN[0])] = None
    return list(found)


def _drawn(dice: Dice, permille: tuple[int, ...]) -> int:
    at, rest = 0, dice.permille()
    while rest >= permille[at]:
        rest -= permille[at]
        at += 1
    return at


def _amount(dice: Dice, band: int) -> int:
    mean = AID_MEAN_CENTS[band]
    return min(max(mean + dice.normal() * mean // (2 * ONE), 10_000), 1_999_999)


def _mixed(dice: Dice, rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [rows[place] for place in dice.order(len(rows))]
