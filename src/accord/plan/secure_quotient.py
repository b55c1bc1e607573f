"""Exact quotients of secret integers: rounded half away from zero, or floored; never a stochastic last digit."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

from accord.base.errors import Refused
from accord.base.limits import VALUE_BITS_MAX
from accord.mpc.compose import together
from accord.mpc.division import DIVISION_BITS_MAX
from accord.mpc.party import Party
from accord.mpc.share import Share
from accord.plan.secure_calls import floor_shift, multiply, quotient, sign
from accord.plan.secure_flags import as_numbers
from accord.plan.secure_values import Amount, add, product, shared, subtract
from accord.plan.types import Type

VALUES_MAX = 1 << VALUE_BITS_MAX
DIVIDED_MAX = 1 << DIVISION_BITS_MAX


@dataclass(frozen=True)
class Range:
    """Inclusive bounds of a column."""

    low: int
    high: int

    @property
    def most(self) -> int:
        """The greatest magnitude."""
        return max(abs(self.low), abs(self.high))

    @property
    def bits(self) -> int:
        """The width of a signed number in this range."""
        return 1 + max((-self.low - 1 if self.low < 0 else 0).bit_length(), max(self.high, 0).bit_length())

    def __sub__(self, other: Range) -> Range:
        return Range(self.low - other.high, self.high - other.low)

    def with_zero(self) -> Range:
        return Range(min(self.low, 0), max(self.high, 0))

    @staticmethod
    def of(type: Type) -> Range:
        """The range of a column's values; NULL has the value 0, which may lie outside."""
        return Range(type.low, type.high)


def constant(a: Amount) -> int | None:
    """The value that a public column has in every row, if it has one."""
    if isinstance(a, Share) or a.size == 0 or a.min() != a.max():
        return None
    return int(a[0])


async def floor_by_constant(me: Party, x: Share, high: int, divisor: int) -> Share:
    """⌊x / divisor⌋ for 0 ≤ x ≤ high < 2^62 and a public divisor ≥ 1.

    A shift, or the product with a rounded-up reciprocal and a shift where that fits [GM94]; else by division.
    """
    if divisor & (divisor - 1) == 0:
        shifted: Share = x if divisor == 1 else await floor_shift(me.step("shift"), x, shift=divisor.bit_length() - 1)
        return shifted
    shift = high.bit_length() + (divisor - 1).bit_length()
    reciprocal = -(-(1 << shift) // divisor)
    if high * reciprocal < VALUES_MAX:
        exact: Share = await floor_shift(me.step("shift"), x.times(reciprocal), shift=shift)
        return exact
    return await _floor(me.step("quotient"), x, high, shared(me, np.full(x.rows, divisor, np.int64)), divisor)


async def rounded_by_constant(me: Party, a: Share, of: Range, up: int, divisor: int) -> Share:
    """a · up / divisor rounded half away from zero, for a public divisor ≥ 1.

    Needs: |a| · 2 up + 3 divisor < 2^62 (see `fits_constant`).
    ⌊(2 a up + divisor − [a < 0]) / 2 divisor⌋ is the rounded quotient; it is moved to where it cannot be negative first.
    """
    common = gcd(up, divisor)
    up, divisor = up // common, divisor // common
    if divisor == 1:
        return a.times(up)
    offset = -(-max(-of.low, 0) * up // divisor) + 1
    moved = add(me, a.times(2 * up), divisor + 2 * divisor * offset)
    if of.low < 0 and divisor % 2 == 0:
        (below,) = await as_numbers(me.step("below"), await sign(me.step("sign"), a, bits=of.with_zero().bits))
        moved = subtract(me, moved, below)
    assert isinstance(moved, Share)
    high = 2 * max(of.high, 0) * up + divisor + 2 * divisor * offset
    floor = await floor_by_constant(me.step("floor"), moved, high, 2 * divisor)
    result = subtract(me, floor, offset)
    assert isinstance(result, Share)
    return result


def fits_constant(of: Range, up: int, divisor: int) -> bool:
    return 4 * of.most * up + 6 * divisor < VALUES_MAX


async def rounded_quotient(me: Party, a: Amount, a_range: Range, b: Amount, b_range: Range, up: int, down: int) -> Share:
    """a · up / (b · down) rounded half away from zero. Anything where b = 0, but harmless.

    Needs: the rounded quotient within ±2^62, and |b| · down · (2 up + 1) < 2^62.
    """
    by = constant(b)
    if by and isinstance(a, Share) and fits_constant(a_range, up, abs(by) * down):
        way = 1 if by > 0 else -1
        turned = a_range if by > 0 else Range(-a_range.high, -a_range.low)
        return await rounded_by_constant(me.step("constant"), a.times(way), turned, up, abs(by) * down)
    (a_sign, over), (b_sign, under) = await together(
        _magnitude(me.step("over"), shared(me, a), a_range), _magnitude(me.step("under"), shared(me, b), b_range)
    )
    size = await _half_up(me.step("size"), over, a_range.most, under.times(down), b_range.most * down, up)
    signed = await product(me.step("sign"), await product(me.step("signs"), a_sign, b_sign), size)
    assert isinstance(signed, Share)
    return signed


async def _magnitude(me: Party, x: Share, of: Range) -> tuple[Amount, Share]:
    """±1 (public where it is known) and the absolute value."""
    if of.low >= 0 or of.high <= 0:
        way = 1 if of.low >= 0 else -1
        return np.full(x.rows, way, np.int64), x.times(way)
    (below,) = await as_numbers(me.step("below"), await sign(me.step("sign"), x, bits=of.bits))
    assert isinstance(below, Share)
    way_share = add(me, below.times(-2), 1)
    size: Share = await multiply(me.step("size"), x, way_share)
    return way_share, size


async def _half_up(me: Party, a: Share, a_most: int, b: Share, b_most: int, up: int) -> Share:
    """a · up / b rounded half up, for a ≥ 0 and b ≥ 1: at once where it fits, else whole part and remainder apart."""
    if 2 * a_most * up + b_most < DIVIDED_MAX:
        return await floor_quotient(me.step("at-once"), a.times(2 * up) + b, 2 * a_most * up + b_most, b.times(2), 2 * b_most)
    whole = await floor_quotient(me.step("whole"), a, a_most, b, b_most)
    rest = a - await multiply(me.step("back"), whole, b)
    part = await floor_quotient(me.step("part"), rest.times(2 * up) + b, b_most * (2 * up + 1), b.times(2), 2 * b_most)
    return whole.times(up) + part


async def floor_quotient(me: Party, a: Share, a_most: int, b: Amount, b_most: int) -> Share:
    """⌊a / b⌋ for 0 ≤ a ≤ a_most and 1 ≤ b ≤ b_most."""
    by = constant(b)
    if by:
        return await floor_by_constant(me, a, a_most, by)
    return await _floor(me, a, a_most, shared(me, b), b_most)


async def _floor(me: Party, a: Share, a_most: int, b: Share, b_most: int) -> Share:
    bits = [max(most.bit_length(), 1) for most in (a_most, b_most)]
    if max(bits) > DIVISION_BITS_MAX:
        raise Refused(
            f"a division of up to {max(a_most, b_most)}",
            rule=f"numerator and denominator stay below 2^{DIVISION_BITS_MAX}, the digits asked for included",
            do="ask for fewer decimals with ROUND(x / y, digits), or narrow the declared bounds",
        )
    made: Share = await quotient(me, a, b, a_bits=bits[0], b_bits=bits[1])
    return made
