"""How seconds grow with rows: a + b · n, and how much b differs from one size to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

GATHERING = ("shuffle", "sort32", "sort64", "sort32x4")
"""Cases that take rows from all over their columns."""


class Growth(NamedTuple):
    """`start` in seconds, `slope` in seconds a row; the least and greatest slope between neighbouring sizes."""

    start: float
    slope: float
    least: float
    most: float

    def holds(self, gathers: bool) -> bool:
        """Whether every slope is near the line's: within a quarter where rows stream, within a factor of 3 where rows are gathered, since
        more of them leave the caches.
        """
        low, high = (1 / 3, 3.0) if gathers else (0.75, 1.25)
        return low * self.slope <= self.least and self.most <= high * self.slope

    @property
    def spread(self) -> str:
        return f"{self.least * 1e9:.1f} to {self.most * 1e9:.1f} ns a row"


def fit(points: Sequence[tuple[int, float]]) -> Growth:
    """The line through (rows, seconds) that errs least in proportion: small sizes count as much as large ones."""
    ordered = sorted(points)
    rows, seconds = (np.array(column, float) for column in zip(*ordered, strict=True))
    slopes = np.diff(seconds) / np.diff(rows)
    weighted = np.stack([1 / seconds, rows / seconds], axis=1)
    (start, slope), *_ = np.linalg.lstsq(weighted, np.ones(len(rows)), rcond=None)
    return Growth(float(start), float(slope), float(slopes.min()), float(slopes.max()))
