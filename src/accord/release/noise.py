"""Differential privacy of a release: which noise, how much, and what that promises.

Each of the three servers adds a share of noise of its own to its part of a release, which no other server learns; the recipient's sum of
the parts holds all three. Shares are drawn so that any two of them have the law that is accounted for: the third may be known to
whoever looks at the release. So its true variance is one and a half times that law's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isqrt
from statistics import NormalDist
from typing import Any

import numpy as np

from accord.base.errors import Refused
from accord.base.limits import SERVERS
from accord.base.ring import Z64, Column
from accord.mpc.laplace import WORD_BITS, coin_bounds
from accord.release.samplers import Words, gaussian_share, laplace_share

LAPLACE, GAUSSIAN = "discrete_laplace", "discrete_gaussian"
LAPLACE_SCALE_MAX = 1 << 16
"""A share of discrete Laplace noise takes about so many steps."""
EPSILON_MAX = RHO_MAX = 20
DELTA = Fraction(1, 10**10)
"""At which δ a loss in ρ is told as an ε too, where the study names none."""
DELTA_MAX, DELTA_MIN = Fraction(1, 10**5), Fraction(1, 10**30)
REACH_SCALES, REACH_DEVIATIONS = 128, 16
"""Within so many scales of Laplace noise, or standard deviations of two servers' Gaussian shares, a share is taken."""
CONFIDENCE = 0.95
"""Of the intervals that a recipient is told."""
JOINT = "joint"
SHARES_COUNTED = 2
SHARE_VARIANCE_MIN = 4
"""Of a discrete Gaussian share: from here on the sum of two differs from a discrete Gaussian by less than 10^-15 [KLS21]."""


@dataclass(frozen=True)
class Unit:
    """Whose presence a release hides: one row of `table`, or all rows that agree on `columns`, of which `rows_max` count."""

    table: str
    columns: tuple[str, ...] = ()
    rows_max: int = 1

    @property
    def sentence(self) -> str:
        if not self.columns:
            return f"one row of {self.table}"
        return f"all rows of one {', '.join(self.columns)} in {self.table}, of which {self.rows_max} count"


@dataclass(frozen=True)
class Noise:
    """What a study asks for: `loss` is ε of discrete_laplace (pure), or ρ of discrete_gaussian (zCDP), for the whole release. `delta` is
    the chance that an ε may fail, where it is told one."""

    mechanism: str
    loss: Fraction
    unit: Unit
    delta: Fraction = DELTA
    sampling: str = ""

    def of_column(self, sensitivity: int, parts: int, family: str = "") -> ColumnNoise:
        """The noise of a column, alone or in a family, where the loss is parted equally among so many of them."""
        made = ColumnNoise(self.mechanism, self.loss / parts, sensitivity, sampling=self.sampling, family=family)
        return replace(made, delta=made.cut) if self.sampling else made


@dataclass(frozen=True)
class ColumnNoise:
    """Noise of one column, in units of its last digit: `sensitivity` is the most that one unit can change all its rows together (L1).

    `delta` is a chance that it may fail by itself: of a threshold on it, or of a law that is cut. `sampling`:
    JOINT where it is drawn on shares and nobody knows any of it; else each server draws a share. `family`: columns of one name are moved by
    one unit by at most `sensitivity` together, and lose what one of them does (plan/families.py).

    Raises Refused where the share of noise would take too long to draw, or its law is not what is accounted for.
    """

    mechanism: str
    loss: Fraction
    sensitivity: int
    delta: Fraction = Fraction(0)
    sampling: str = ""
    family: str = ""

    def __post_init__(self) -> None:
        if self.mechanism == LAPLACE and self.scale > LAPLACE_SCALE_MAX:
            raise Refused(
                f"discrete Laplace noise of scale {float(self.scale):,.0f}",
                rule=f"at most {LAPLACE_SCALE_MAX:,} units of the last digit",
                do="sum in larger units (x // 1000), bound each value lower with LEAST, or ask for discrete_gaussian",
            )
        if self.mechanism == GAUSSIAN and self.variance / SHARES_COUNTED < SHARE_VARIANCE_MIN:
            raise Refused(
                f"discrete Gaussian noise of variance {float(self.variance):.2g}",
                rule=f"at least {SHARES_COUNTED * SHARE_VARIANCE_MIN}: two servers' shares add up to that law only then",
                do="ask for a smaller rho, or for discrete_laplace",
            )

    def document(self) -> dict[str, Any]:
        """As plain data."""
        failing = {"delta": str(self.delta)} if self.delta else {}
        failing |= {"sampling": self.sampling} if self.sampling else {}
        failing |= {"family": self.family} if self.family else {}
        return {"mechanism": self.mechanism, "loss": str(self.loss), "sensitivity": self.sensitivity, **failing}

    @staticmethod
    def read(document: Mapping[str, Any]) -> ColumnNoise:
        return ColumnNoise(
            document["mechanism"],
            Fraction(document["loss"]),
            document["sensitivity"],
            Fraction(document.get("delta", "0")),
            document.get("sampling", ""),
            document.get("family", ""),
        )

    @property
    def scale(self) -> Fraction:
        """Of discrete Laplace noise: sensitivity / ε."""
        return self.sensitivity / self.loss

    @property
    def variance(self) -> Fraction:
        """Of the discrete Gaussian that two shares make: sensitivity² / (2 ρ)."""
        return self.sensitivity**2 / (2 * self.loss)

    @property
    def sentence(self) -> str:
        """What the column's reader must know, in exact numbers: it is part of what is signed."""
        law = f"scale {self.scale}" if self.mechanism == LAPLACE else f"variance {self.variance}"
        if self.sampling:
            cut = f"cut at ±{2 ** len(self.bounds):,}, by coins of {WORD_BITS} bits"
            return f"noise of discrete laplace, {law} in units of the last digit, drawn on shares so that nobody knows any of it, {cut}"
        return f"noise of {self.mechanism.replace('_', ' ')}, {law} in units of the last digit from any two of the three servers"

    def share(self, words: Words, rows: int) -> Column:
        """One server's share for each row, over Z_2^64."""
        if self.sensitivity == 0:
            return np.zeros(rows, np.uint64)
        if self.mechanism == LAPLACE:
            drawn = [laplace_share(words, 1 / self.scale) for _ in range(rows)]
        else:
            drawn = [gaussian_share(words, self.variance) for _ in range(rows)]
        return Z64.encode(np.array(drawn, np.int64))

    @property
    def bounds(self) -> tuple[int, ...]:
        """Of the coins of a joint draw."""
        return coin_bounds(self.scale) if self.sampling and self.sensitivity else ()

    @property
    def cut(self) -> Fraction:
        """The chance that a joint draw fails: of coins that are less than 2^-64 off and numbers cut below 2^-100, in every row that one
        unit changes, in both of two worlds of which one may be e^ε times as likely."""
        rows, worlds = self.sensitivity, 1 + 3 ** math.ceil(self.loss)
        return Fraction(rows * worlds * 2 * (len(self.bounds) + 1), 1 << WORD_BITS)

    @property
    def order(self) -> Fraction:
        """How many geometric numbers of either sign are in the noise that is seen."""
        return Fraction(1) if self.sampling else Fraction(SERVERS, SHARES_COUNTED)

    @property
    def reach(self) -> int:
        """How far a server's share can be from 0: what is drawn beyond, once in 2^180 draws, counts as the end."""
        return REACH_SCALES * (int(self.scale) + 1) if self.mechanism == LAPLACE else REACH_DEVIATIONS * (isqrt(int(self.variance)) + 1)

    def drawn(self, key: bytes, label: str, rows: int) -> Column:
        """One server's share for each row from a stream of its own key, over Z_2^64, within reach."""
        drawn = Z64.decode(self.share(Words(key, label), rows))
        return Z64.encode(np.clip(drawn, -self.reach, self.reach))

    def mean_size(self) -> float:
        """The mean distance from the truth: of what is seen, mostly all three shares."""
        if self.mechanism == GAUSSIAN:
            return math.sqrt(2 / math.pi * float(self.variance) * SERVERS / SHARES_COUNTED)
        law = self._laplace_law()
        return float(2 * np.arange(law.size // 2) @ law[: law.size // 2])

    def half_width(self, confidence: float = CONFIDENCE, draws: int = 1) -> int:
        """How far from the truth a sum of so many noised values lies at most, with this confidence: of the law of all three shares."""
        if self.sensitivity == 0:
            return 0
        if self.mechanism == GAUSSIAN:
            deviation = math.sqrt(draws * self.variance * SERVERS / SHARES_COUNTED)
            return int(NormalDist().inv_cdf((1 + confidence) / 2) * deviation) + 1
        law = self._laplace_law(draws)
        inside = law[0] + np.concatenate([[0.0], np.cumsum(law[1 : law.size // 2] + law[: law.size // 2 : -1])])
        return int(np.searchsorted(inside, confidence))

    def _laplace_law(self, draws: int = 1) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Chances of 0, 1, … and, from the end, −1, −2, …: the inverse transform of the characteristic function of three shares, of a sum
        of so many."""
        size = 1 << max(10, int(64 * self.scale * math.ceil(math.sqrt(draws))).bit_length())
        q, angles = np.exp(-float(1 / self.scale)), 2 * np.pi * np.arange(size // 2 + 1) / size
        characteristic = ((1 - q) ** 2 / (1 - 2 * q * np.cos(angles) + q * q)) ** float(self.order * draws)
        return np.fft.irfft(characteristic, size)


def read_noise(document: Mapping[str, Any]) -> Noise:
    """Noise as a study writes it: `{ mechanism = "discrete_laplace", epsilon = "1", unit = { table = "trade" } }`. Raises Refused."""
    wanted = {LAPLACE: ("epsilon", EPSILON_MAX), GAUSSIAN: ("rho", RHO_MAX)}
    mechanism = str(document.get("mechanism"))
    if mechanism not in wanted:
        raise Refused(f"noise of {mechanism!r}", rule=f"one of {', '.join(wanted)}", do='write mechanism = "discrete_laplace"')
    name, most = wanted[mechanism]
    free = {"delta", "sampling"} if mechanism == LAPLACE else {"delta"}
    if set(document) - free != {"mechanism", name, "unit"} or document.get("sampling", JOINT) != JOINT:
        takes = f"{mechanism} takes {name} and unit, and may take {' and '.join(sorted(free))}{f' = {JOINT!r}' if len(free) > 1 else ''}"
        raise Refused(f"noise with {', '.join(document)}", rule=takes, do=f'write {name} = "1"')
    delta = _delta(document["delta"]) if "delta" in document else DELTA
    return Noise(mechanism, _loss(name, document[name], most), _unit(document["unit"]), delta, document.get("sampling", ""))


def _loss(name: str, text: Any, most: int) -> Fraction:
    try:
        found = Fraction(text) if isinstance(text, str) else None
    except (ValueError, ZeroDivisionError):
        found = None
    if found is None or not 0 < found <= most or found.denominator > 10**6:
        raise Refused(f"{name} = {text!r}", rule=f"text, above 0 and at most {most}, with at most six decimals", do=f'write {name} = "1"')
    return found


def _delta(text: Any) -> Fraction:
    try:
        found = Fraction(text) if isinstance(text, str) else None
    except (ValueError, ZeroDivisionError):
        found = None
    if found is None or not DELTA_MIN <= found <= DELTA_MAX:
        rule = "text, from 1e-30 to 1e-5: far below one in the number of units"
        raise Refused(f"delta = {text!r}", rule=rule, do='write delta = "1e-10", or leave it out')
    return found


def _unit(document: Any) -> Unit:
    rule = "a table; for units of several rows their columns, and how many rows of each count"
    if not isinstance(document, dict) or not set(document) <= {"table", "columns", "rows_max"} or "table" not in document:
        raise Refused(f"unit = {document!r}", rule=rule, do='write unit = { table = "visits", columns = ["person"], rows_max = 5 }')
    columns, rows_max = document.get("columns", []), document.get("rows_max", 1)
    if not isinstance(rows_max, int) or rows_max < 1 or (bool(columns) != ("rows_max" in document)):
        raise Refused(f"unit = {document!r}", rule=rule, do='write unit = { table = "visits", columns = ["person"], rows_max = 5 }')
    return Unit(str(document["table"]), tuple(map(str, columns)), rows_max)
