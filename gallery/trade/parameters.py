"""What the four offices agree on and sign: who takes part, the grids, the factors, the tolerance, the rules. One place; all public."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise, permutations

from accord.base.errors import Refused
from accord.base.limits import VALUE_BITS_MAX
from accord.gallery.trade.codes import GROUPS

CLASSES = ("neither", "small", "one side only", "agree", "disagree")
"""A cell's class; its number in the study is its place here."""
NEITHER, SMALL, ONE_SIDE_ONLY, AGREE, DISAGREE = range(5)

TOTAL = "TOTAL"
"""The commodity (and level) of all goods together."""
HS6 = "HS6"

OFFICE_NAMES = {"usa": "United States", "nld": "Netherlands", "ita": "Italy", "gbr": "United Kingdom"}
"""Party name to country name. A party's name is its ISO 3166 code in lower case; it is also the value of `reporter` and `partner`."""

FACTOR_PERMILLE = {
    ("usa", "nld"): 1055,
    ("usa", "ita"): 1065,
    ("usa", "gbr"): 1055,
    ("nld", "usa"): 1055,
    ("nld", "ita"): 1040,
    ("nld", "gbr"): 1030,
    ("ita", "usa"): 1065,
    ("ita", "nld"): 1040,
    ("ita", "gbr"): 1045,
    ("gbr", "usa"): 1055,
    ("gbr", "nld"): 1030,
    ("gbr", "ita"): 1045,
}
"""(exporter, importer) to what freight and insurance add to the value at the exporter's border, in permille of it, 1000 or more.

Illustrative, of the size that published CIF/FOB margins have: a few percent within Europe, more across the Atlantic. Offices sign
their own.
"""


def _default_groups() -> dict[str, tuple[str, ...]]:
    return {name: tuple(codes) for name, codes in GROUPS.items()}


@dataclass(frozen=True)
class Parameters:
    """The signed parameters of one reconciliation. Raises Refused where they contradict each other or could overflow.

    Values are whole US dollars, `value_usd_max` at most. `groups` maps a name to its HS6 codes: at least `commodities_min`, none in
    two groups. `years` are those of the HS6 grid, `total_years` those of the grid of totals: the two are never mixed.
    """

    offices: tuple[str, ...] = tuple(OFFICE_NAMES)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=_default_groups)
    years: tuple[int, ...] = tuple(range(2012, 2025))
    total_years: tuple[int, ...] = tuple(range(2015, 2019))
    factor_permille: Mapping[tuple[str, str], int] = field(default_factory=lambda: dict(FACTOR_PERMILLE))
    tolerance_permille: int = 150
    floor_usd: int = 250_000
    materiality_usd: int = 1_000_000
    commodities_min: int = 3
    band_cuts_percent: tuple[int, ...] = (5, 10, 25)
    value_usd_max: int = 500_000_000_000

    def __post_init__(self) -> None:
        self._require_offices()
        self._require_groups()
        if list(self.band_cuts_percent) != sorted(set(self.band_cuts_percent)) or not self.band_cuts_percent:
            raise Refused(
                "the cut points of the bands do not rise", rule="at least one, each above the one before", do="sort band_cuts_percent"
            )
        if self.largest_intermediate.bit_length() > VALUE_BITS_MAX:
            raise Refused(
                f"a sum could reach {self.largest_intermediate}",
                rule=f"every intermediate value stays below 2^{VALUE_BITS_MAX}",
                do="lower value_usd_max, or take fewer years or commodities",
            )

    def _require_offices(self) -> None:
        if set(self.factor_permille) != set(self.pairs) or min(self.factor_permille.values()) < 1000:
            raise Refused(
                "CIF/FOB factors are missing or too small",
                rule="one of at least 1000 permille for each ordered pair",
                do="complete the table",
            )

    def _require_groups(self) -> None:
        for name, codes in self.groups.items():
            if len(set(codes)) < self.commodities_min:
                raise Refused(
                    f"the group {name} has {len(set(codes))} commodities",
                    rule=f"at least {self.commodities_min} commodities in a group",
                    do="merge it with another",
                )
        if len(set(self.commodities)) != len(self.commodities):
            raise Refused("a commodity stands in two groups", rule="each commodity belongs to one group", do="take it out of one")

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(exporter, importer), every ordered pair of two different offices."""
        return tuple(permutations(self.offices, 2))

    @property
    def commodities(self) -> tuple[str, ...]:
        """The HS6 codes of all groups."""
        return tuple(code for codes in self.groups.values() for code in codes)

    @property
    def cells(self) -> int:
        """Cells of the HS6 grid."""
        return len(self.pairs) * len(self.commodities) * len(self.years)

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands of the asymmetry; a band's number in the study is its place here."""
        cuts = self.band_cuts_percent
        between = [f"{low} to {high} %" for low, high in pairwise(cuts)]
        return (f"below {cuts[0]} %", *between, f"{cuts[-1]} % and more")

    @property
    def largest_intermediate(self) -> int:
        """What no intermediate value of the study can exceed: the widest comparison is 100 · Σ|X − M′| against cut · Σ(X + M′) over all
        cells.

        Each of |X − M′| and max(X, M′) is at most `value_usd_max`, their sum at most twice that; a class compares 1000 times one
        value.
        """
        widest = max(100, 2 * max(self.band_cuts_percent))
        one_cell = self.value_usd_max * max(1000, self.tolerance_permille)
        return max(self.cells * self.value_usd_max * widest, one_cell, self.floor_usd * 1000)


DEFAULT = Parameters()
"""What the gallery runs with."""
