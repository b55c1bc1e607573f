"""Fixed-point types: bounds travel along, what could overflow is refused before it runs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.base.fixed import FixedPoint
from accord.mpc.fixed import fixed_multiply
from accord.testing.world import World


def test_numbers_go_in_and_out_to_the_nearest_unit() -> None:
    kind = FixedPoint.between(-8, 8, 16)
    values = np.array([0.0, 1.5, -1.5, 8.0, -8.0, 1 / 3, 1.5 / 65536, 2.5 / 65536])
    stored = kind.encode(values)
    assert stored.tolist()[:5] == [0, 98304, -98304, 524288, -524288]
    assert stored.tolist()[6:] == [2, 2], "ties to even"
    assert np.abs(kind.decode(stored) - values).max() <= float(kind.ulp / 2)


def test_bounds_hold_at_both_ends() -> None:
    kind = FixedPoint.between(Fraction(-1, 3), 2.5, 8)
    assert (kind.low, kind.high, kind.magnitude_bits) == (-86, 640, 10)
    for outside in (2.51, -0.36, np.nan, np.inf):
        with pytest.raises(Refused, match="row 2"):
            kind.encode([0, outside])


@pytest.mark.parametrize(("fraction_bits", "low", "high"), [(-1, 0, 1), (62, 0, 1), (0, 1, 0), (0, 0, 1 << 62), (0, -(1 << 62), 0)])
def test_types_that_cannot_be_are_refused(fraction_bits: int, low: int, high: int) -> None:
    with pytest.raises(Refused):
        FixedPoint(fraction_bits, low, high)
    assert FixedPoint(0, 1 - (1 << 62), (1 << 62) - 1).magnitude_bits == 62


def test_sums_have_one_scale() -> None:
    a = FixedPoint(16, -5, 7)
    assert a.plus(FixedPoint(16, 1, 2)) == FixedPoint(16, -4, 9)
    with pytest.raises(Refused, match="one scale"):
        a.plus(FixedPoint(15, 1, 2))
    with pytest.raises(Refused, match="could reach"):
        FixedPoint(0, 0, (1 << 62) - 1).plus(FixedPoint(0, 0, 1))


def test_products_that_could_overflow_are_refused() -> None:
    """31 and 31 bits fit, one unit more does not, although the result after the shift would."""
    wide = FixedPoint(16, 0, 1 << 31)
    assert wide.times(FixedPoint(16, 0, (1 << 31) - 1)).fraction_bits == 16
    with pytest.raises(Refused, match="could reach"):
        wide.times(FixedPoint(16, 0, 1 << 31))


@given(st.lists(st.integers(-(2**30), 2**30), min_size=4, max_size=4), st.integers(0, 40))
def test_a_product_stays_within_its_type(ends: list[int], fraction_bits: int) -> None:
    """The extremes of both factors, through the protocol."""
    x, y = FixedPoint(8, *sorted(ends[:2])), FixedPoint(fraction_bits, *sorted(ends[2:]))
    kind = x.times(y)
    left, right = np.meshgrid([x.low, x.high], [y.low, y.high])
    got = World(fraction_bits).run(fixed_multiply, left.ravel(), right.ravel(), fraction_bits=fraction_bits).signed
    assert kind.low <= got.min() and got.max() <= kind.high
