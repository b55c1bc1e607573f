"""One server's messages of two runs on figures of different kinds, side by side, and the test that cannot tell them apart.

Both runs take place in this process, where every message can be kept. The shape (who, where, how many bytes) must be equal; the bytes
are compared by a chi-squared test of homogeneity over their 256 values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from accord.gallery.trade.parameters import Parameters
from accord.node.job import Phase
from accord.node.runtimes import simulate
from accord.wire.traffic import Line

SMALL = Parameters(years=(2016, 2017, 2018), total_years=(2016,))
"""Three years are enough to see."""
SERVER = 1
"""The server that is watched: it hears the most."""
FLAT_USD = 2_000_000


@dataclass(frozen=True)
class Comparison:
    """What one server heard in two runs. `p_value`: the chance of byte counts at least as different, were there nothing to see."""

    first: Sequence[Line]
    second: Sequence[Line]
    statistic: float
    freedom: int
    p_value: float

    @property
    def same_shape(self) -> bool:
        """Whether the two runs' messages have the same senders, paths, rounds and sizes, in the same order."""
        return [_shape(line) for line in self.first] == [_shape(line) for line in self.second]

    @property
    def bytes_heard(self) -> int:
        return sum(line.nbytes for line in self.first)

    def side_by_side(self, lines: int = 8, columns: int = 12) -> list[str]:
        """Evenly chosen messages of some length, with their first bytes in both runs."""
        long = [pair for pair in zip(self.first, self.second, strict=False) if pair[0].nbytes >= columns]
        chosen = long[:: max(1, len(long) // lines)][:lines]
        return [f"{left.nbytes:>8,}  {_bytes(left, columns)}   {_bytes(right, columns)}" for left, right in chosen]


def compare(folder: Path) -> Comparison:
    """Run the study on the generated figures, and in a world where every report says FLAT_USD; what one server heard each time."""
    from accord.gallery.trade.entry import prepare

    heard = []
    for name, same_everywhere in (("figures", False), ("flat", True)):
        session, files = prepare(None, folder / name, SMALL)
        if same_everywhere:
            for path in files.files.values():
                _flatten(path)
        outcome, _ = simulate(session.folder, session.compiled, f"transcript-{name}", _quiet, keep=True)
        heard.append([line for one in outcome.traffic for line in one.lines if line.receiver == SERVER])
    statistic, freedom = _chi_squared(np.stack([_counts(lines) for lines in heard]))
    return Comparison(heard[0], heard[1], statistic, freedom, _upper_tail(statistic, freedom))


def _flatten(path: Path) -> None:
    """The same reports, each of FLAT_USD."""
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *(f"{row.rpartition(',')[0]},{FLAT_USD}" for row in rows)]) + "\n", encoding="utf-8")


def _quiet(_: Phase) -> None:
    """The caller says what is going on."""


def _shape(line: Line) -> tuple[int, int, str, int, int]:
    return line.sender, line.receiver, line.path, line.nbytes, line.round


def _bytes(line: Line, columns: int) -> str:
    return (line.payload or b"")[:columns].hex(" ").ljust(3 * columns - 1)


def _counts(lines: Sequence[Line]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How often each byte value occurs. Messages of single marks (one byte) are left out: they are public."""
    joined = b"".join(line.payload or b"" for line in lines if line.nbytes > 1)
    return np.bincount(np.frombuffer(joined, np.uint8), minlength=256)


def _chi_squared(counts: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> tuple[float, int]:
    """Pearson's statistic for one distribution behind both rows of counts, and its degrees of freedom (255 where every value occurs)."""
    seen = counts[:, counts.any(axis=0)]
    due = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / seen.sum()
    return float(((seen - due) ** 2 / due).sum()), seen.shape[1] - 1


def _upper_tail(statistic: float, freedom: int) -> float:
    """P(χ² ≥ statistic), by the cube-root normal approximation [Wilson and Hilferty 1931]; good to about 0.001 at 255 degrees."""
    spread = 2 / (9 * freedom)
    return math.erfc(((statistic / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(2 * spread)) / 2
