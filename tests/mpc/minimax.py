"""The best approximation of a function by a linear combination of others, by the exchange algorithm of Remez.

For functions that form a Chebyshev system on the interval (trigonometric sums on less than a period, odd sines on less than half
of one) the best one is unique, and is the one whose error reaches its largest value, with changing signs, once more than there are
coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

Functions = Callable[[np.ndarray], np.ndarray]
"""Points to one row a point, one column a function."""


def remez(target: Callable[[np.ndarray], np.ndarray], basis: Functions, low: float, high: float) -> tuple[np.ndarray, float]:
    """The coefficients, and the largest error."""
    grid = (low + high) / 2 - np.cos(np.linspace(0, np.pi, 40_001)) * (high - low) / 2
    every, wanted = basis(grid), target(grid)
    count = every.shape[1]
    at = np.linspace(0, grid.size - 1, count + 1).astype(np.intp)
    for _ in range(50):
        signs = (-1.0) ** np.arange(count + 1)
        *coefficients, level = np.linalg.solve(np.column_stack([every[at], signs]), wanted[at])
        error = wanted - every @ np.array(coefficients)
        if np.abs(error).max() <= abs(level) * (1 + 1e-6):
            break
        at = exchanged(error, count + 1)
    return np.array(coefficients), float(np.abs(error).max())


def exchanged(error: np.ndarray, count: int) -> np.ndarray:
    """Where the error is largest between its changes of sign; so many neighbouring places, with the larger ends."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(np.sign(error))) + 1, [error.size]])
    peaks = [start + int(np.abs(error[start:stop]).argmax()) for start, stop in pairwise(starts)]
    while len(peaks) > count:
        peaks.pop(0 if abs(error[peaks[0]]) < abs(error[peaks[-1]]) else -1)
    assert len(peaks) == count, "the error changes its sign too seldom"
    return np.array(peaks)
