"""The embedded data: invented households and incomes from a seed. No number in it belongs to anybody."""

from __future__ import annotations

from pathlib import Path

from accord.gallery.aio.study import BSN, HOUSEHOLD, INCOMES, PENSIONS
from accord.gallery.dice import ONE, Dice
from accord.gallery.one_table import Files, money, write_csv

SEED = 2023
HOUSEHOLDS, OTHERS = 6_000, 14_000
"""Households asked about, and people in the income register who are nobody's pensioner."""
DESCRIPTION = (
    "Invented pensioners and incomes from a seeded generator, not real persons: 6,000 households, and an income register in which most "
    "people are others; give your own with --data (a folder with pensioners.csv and incomes.csv)."
)
NORM_SINGLE_CENTS, NORM_COUPLE_CENTS = 145_000, 197_000
GROSS_MEAN_CENTS, NO_INCOME_PERMILLE, SECOND_SOURCE_PERMILLE = 160_000, 120, 250


def generate(folder: Path, seed: int = SEED) -> Files:
    """Write `pensioners.csv` and `incomes.csv` under `folder`, each owner's in a folder of its own."""
    dice = Dice(seed)
    numbers = iter(dict.fromkeys(BSN[0] + dice.below(BSN[1] - BSN[0]) for _ in range(3 * HOUSEHOLDS + OTHERS)))
    pensioners: list[tuple[int, int, str]] = []
    for household in dice.order(HOUSEHOLDS):
        members = 1 + (dice.permille() < 550)
        norm = money(NORM_COUPLE_CENTS if members == 2 else NORM_SINGLE_CENTS)
        pensioners += [(next(numbers), HOUSEHOLD[0] + 7 * household, norm) for _ in range(members)]
    incomes = [row for bsn, *_ in pensioners if dice.permille() >= NO_INCOME_PERMILLE for row in _sources(dice, bsn)]
    incomes += [row for _ in range(OTHERS) for row in _sources(dice, next(numbers))]
    mixed = [incomes[place] for place in dice.order(len(incomes))]
    return {
        PENSIONS: {"pensioners": write_csv(folder / PENSIONS / "pensioners.csv", ("bsn", "household", "norm"), pensioners)},
        INCOMES: {"incomes": write_csv(folder / INCOMES / "incomes.csv", ("bsn", "gross"), mixed)},
    }


def _sources(dice: Dice, bsn: int) -> list[tuple[int, str]]:
    """One income, or two."""
    count = 1 + (dice.permille() < SECOND_SOURCE_PERMILLE)
    amounts = (max(GROSS_MEAN_CENTS + dice.normal() * GROSS_MEAN_CENTS // (2 * ONE), 0) // count for _ in range(count))
    return [(bsn, money(amount)) for amount in amounts]
