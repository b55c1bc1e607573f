"""How seconds grow with rows: a + b · n, and how much b differs from one size to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Growth(NamedTuple):
    """`start` in seconds, `slope` in seconds a row; the least and greatest slope between neighbouring sizes."""

    start: float
    slope: float
    least: float
    most: float

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
