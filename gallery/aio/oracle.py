"""The same question on the pooled rows, in plain Python and whole numbers: what the study must give."""

from __future__ import annotations

from collections import defaultdict

from accord.gallery.aio.study import GROSS_MAX, INCOMES, NET_PERCENT, PENSIONS
from accord.gallery.one_table import Answer, Files, cents, read_csv


def answer(files: Files) -> Answer:
    """Every household, and whether its net income lies below its norm."""
    gross: dict[int, int] = defaultdict(int)
    for row in read_csv(files[INCOMES]["incomes"]):
        gross[int(row["bsn"])] += cents(row["gross"])
    norms: dict[int, int] = defaultdict(int)
    nets: dict[int, int] = defaultdict(int)
    for row in read_csv(files[PENSIONS]["pensioners"]):
        household = int(row["household"])
        norms[household] = max(norms[household], cents(row["norm"]))
        nets[household] += net(min(gross[int(row["bsn"])], cents(GROSS_MAX)))
    return Answer(tuple((household, nets[household] < 100 * norm) for household, norm in sorted(norms.items())))


def net(gross: int) -> int:
    """In hundredths of a cent, of a gross amount in cents: each piece of it at its own percentage."""
    ends = [100 * start for start, _ in NET_PERCENT[1:]]
    starts = [100 * start for start, _ in NET_PERCENT]
    pieces = [max(min(gross, end) - start, 0) for start, end in zip(starts, [*ends, gross], strict=True)]
    return sum(piece * percent for piece, (_, percent) in zip(pieces, NET_PERCENT, strict=True))
