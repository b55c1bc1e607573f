"""Fixed point: numbers to the nearest unit, bounds that hold for every sum and product, overflow refused beforehand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.errors import Refused
from accord.base.fixed import FixedPoint

BOUNDS = st.tuples(st.integers(-50, 50), st.integers(-50, 50)).map(sorted)


def ends(of: FixedPoint) -> list[int]:
    return [of.low, (of.low + of.high) // 2, of.high]


@given(BOUNDS, BOUNDS, st.integers(0, 3))
def test_bounds_travel_with_sums_and_products(a: list[int], b: list[int], fraction_bits: int) -> None:
    x, y = (FixedPoint.between(*one, fraction_bits) for one in (a, b))
    summed, product = x.plus(y), x.times(y)
    for one in ends(x):
        for other in ends(y):
            assert summed.low <= one + other <= summed.high
            floor = one * other >> fraction_bits
            assert product.low <= floor and floor + (fraction_bits > 0) <= product.high, "the shift may round up"


@given(st.floats(-100, 100), st.integers(0, 20))
def test_numbers_are_stored_to_the_nearest_unit(number: float, fraction_bits: int) -> None:
    kind = FixedPoint.between(-100, 100, fraction_bits)
    stored = kind.encode([number])
    assert abs(Fraction(int(stored[0])) * kind.ulp - Fraction(number)) <= kind.ulp / 2
    assert kind.decode(stored)[0] == stored[0] / 2**fraction_bits


@pytest.mark.parametrize("number", [2.01, -1.01, float("nan"), float("inf")])
def test_a_number_out_of_bounds_is_named_by_its_row(number: float) -> None:
    with pytest.raises(Refused, match=r"row 2: a number out of bounds .*-1 to 2"):
        FixedPoint.between(-1, 2, 10).encode([1.5, number])


def test_what_could_overflow_is_refused() -> None:
    widest = FixedPoint(0, -(2**62) + 1, 2**62 - 1)
    assert widest.magnitude_bits == 62
    one = FixedPoint(0, 0, 1)
    for wrong in (
        lambda: FixedPoint(0, 0, 2**62),
        lambda: FixedPoint(0, -(2**62), 0),
        lambda: widest.plus(one),
        lambda: FixedPoint(31, 0, 2**31).times(FixedPoint(31, 0, 2**31)),
        lambda: FixedPoint(62, 0, 1),
        lambda: FixedPoint(-1, 0, 1),
        lambda: FixedPoint(0, 1, 0),
        lambda: one.plus(FixedPoint(1, 0, 1)),
    ):
        with pytest.raises(Refused):
            wrong()


def test_encoding_gives_integers() -> None:
    assert FixedPoint.between(0, 1, 1).encode([0.0, 0.5, 1.0]).dtype == np.int64
