"""The same question on the pooled rows, in plain Python and whole numbers: what the study must give."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from accord.gallery.financial_aid.study import MATCHED_MIN, REGISTER, SURVEY
from accord.gallery.one_table import Answer, Files, cents, read_csv


def answer(files: Files) -> Answer:
    """Every group with enough matched students: institution, income band, average to the cent, rounded half up."""
    aid = {int(row["ssn"]): cents(row["amount"]) for row in read_csv(files[REGISTER]["aid"])}
    groups: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for row in read_csv(files[SURVEY]["sample"]):
        if int(row["ssn"]) in aid:
            groups[row["institution"], row["income_band"]].append((cents(row["weight"]), aid[int(row["ssn"])]))
    shown = {key: members for key, members in groups.items() if len(members) >= MATCHED_MIN}
    rows: list[tuple[Any, ...]] = [(*key, Decimal(_average(members)).scaleb(-2)) for key, members in shown.items()]
    return Answer(tuple(sorted(rows)), len(groups) - len(shown))


def matched(files: Files) -> int:
    """How many persons are in both files."""
    numbers = [{int(row["ssn"]) for row in read_csv(path)} for path in (files[SURVEY]["sample"], files[REGISTER]["aid"])]
    return len(numbers[0] & numbers[1])


def _average(members: list[tuple[int, int]]) -> int:
    """Of (weight, cents) pairs, in cents."""
    over, under = sum(weight * amount for weight, amount in members), sum(weight for weight, _ in members)
    return (2 * over + under) // (2 * under)
