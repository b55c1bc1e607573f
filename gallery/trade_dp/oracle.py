"""The totals without noise, from the pooled files in plain Python; and what noise of this law does to them, drawn again and again."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from accord.gallery.trade.parameters import HS6
from accord.gallery.trade.result import Pair
from accord.gallery.trade_dp.study import BOUND_THOUSAND_USD
from accord.release.noise import ColumnNoise
from accord.release.samplers import Words


def totals(files: Mapping[str, Path]) -> dict[Pair, int]:
    """Thousand dollars for each ordered pair."""
    found: Counter[Pair] = Counter()
    for path in files.values():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["flow"] == "export" and row["level"] == HS6:
                    found[row["reporter"], row["partner"]] += min(int(row["value_usd"]) // 1000, BOUND_THOUSAND_USD)
    return dict(found)


def mean_error(noise: ColumnNoise, rows: int, seeds: int) -> float:
    """The mean size of what three servers' shares add up to, over so many seeds."""
    drawn = [
        sum(noise.share(Words(bytes([seed % 256, seed // 256, server] + [0] * 13), "error"), rows).view(np.int64) for server in range(3))
        for seed in range(seeds)
    ]
    return float(np.abs(np.array(drawn)).mean())
