"""Division of secret columns: the exact integer quotient, and a fixed-point ratio with a stated error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from math import ceil

from accord.base.errors import OurFault, Refused
from accord.base.limits import RING_BITS_MAX, VALUE_BITS_MAX
from accord.base.ring import Z64
from accord.mpc.compare import sign
from accord.mpc.compose import together
from accord.mpc.convert import bit_to_ring
from accord.mpc.cost import FREE, Cost, cost_of, costs
from accord.mpc.inputs import add_public
from accord.mpc.party import Party
from accord.mpc.product import multiply, product_cost, select
from accord.mpc.reciprocal import (
    LOW_BITS,
    RECIPROCAL_BITS,
    RECIPROCAL_ERROR,
    Reciprocal,
    reciprocal,
    reciprocal_cost,
    scaled,
    scaled_cost,
    shifted,
    shifted_cost,
)
from accord.mpc.share import Share

DIVISION_BITS_MAX = 61
"""Of dividend and divisor, and of what `divide` returns: one below the limit of truncation."""
SPAN = 1 << LOW_BITS
"""Divisors are handled in ranges of at most this many bits."""
LAST_ERROR_MAX = Fraction(3, 8)
"""An approximation this close to the quotient needs one correction by −1, 0 or 1."""


# ---- the schedule of approximations: public, and where the bound is proven


@dataclass(frozen=True)
class Approach:
    """One way from a remainder r to r / b, for divisors b in [2^low, 2^high): three shifts with two products between them.

    r / 2^first · A / 2^middle · B / 2^last, where (A, B) is (2^z, 1/b's inverse), or the reverse where `inverse_first`;
    `bias` is subtracted before the last shift. `error` bounds the distance from r / b, without the last rounding.
    """

    low: int
    high: int
    first: int
    middle: int
    last: int
    inverse_first: bool
    error: Fraction
    bias: int = 0


def _by_dividend(low: int, high: int, remainder_bits: int, span: int) -> Approach:
    """For |r| < 2^remainder_bits: r is cut to 30 bits, so that the error is small beside r.

    Errors of r / b, times b: the inverse's; the first cut, one unit of 2^first; the middle cut, one unit of 2^(first + middle − 30).
    """
    first, middle = max(remainder_bits - RECIPROCAL_BITS, 0), span - 1
    error = RECIPROCAL_ERROR * 2**remainder_bits + (2**first if first else 0) + Fraction(2) ** (first + middle - RECIPROCAL_BITS)
    last = RECIPROCAL_BITS + high - middle - first
    return Approach(low, high, first, middle, last, True, error * (1 + RECIPROCAL_ERROR) / 2**low)


def _by_quotient(low: int, high: int, quotient_bits: int) -> Approach:
    """For |r / b| < 2^quotient_bits: r is scaled with b first, so that the error is small beside the largest quotient.

    r · 2^z < 2^(quotient_bits + high) is kept below 2^61 by a first cut, of one unit of 2^first / b; then cut to 30 bits.
    """
    size = quotient_bits + high
    first = max(size - DIVISION_BITS_MAX, 0)
    middle = size - RECIPROCAL_BITS - first
    error = RECIPROCAL_ERROR * 2**quotient_bits + (Fraction(2**first, 2**low) if first else 0)
    error += Fraction(2) ** (quotient_bits + 1 - RECIPROCAL_BITS) if middle > 0 else 0
    last = 2 * RECIPROCAL_BITS - quotient_bits
    return Approach(low, high, first, middle, last, False, error * (1 + RECIPROCAL_ERROR))


@cache
def schedule(dividend_bits: int, divisor_bits: int) -> tuple[tuple[Approach, ...], ...]:
    """The steps of `quotient`, each with an approach for every range of divisors; in the last every error is at most ⅜.

    A step leaves |r / b| ≤ error + 1, for its rounding; every remainder stays below 2^62. Steps go by quotient, but for the
    first where that could leave a larger remainder: by dividend |r| ≤ b · error + b, and b · error is small whatever b is.
    """
    ranges = [(0, divisor_bits)] if divisor_bits <= SPAN else [(divisor_bits - SPAN, divisor_bits), (0, divisor_bits - SPAN)]
    bounds = [Fraction(2) ** min(dividend_bits, dividend_bits - low) for low, _ in ranges]
    steps: list[tuple[Approach, ...]] = []
    while not steps or max(one.error for one in steps[-1]) > LAST_ERROR_MAX:
        sizes = [_bits_of(bound) for bound in bounds]
        step = [_by_quotient(low, high, size) for (low, high), size in zip(ranges, sizes, strict=True)]
        if not steps and any((one.error + 1) * 2**one.high >= 2**VALUE_BITS_MAX for one in step):
            step = [_by_dividend(low, high, dividend_bits, min(divisor_bits, SPAN)) for low, high in ranges]
        bounds = [one.error + 1 for one in step]
        steps.append(tuple(step))
    return (*steps[:-1], tuple(_biased(one) for one in steps[-1]))


def _biased(one: Approach) -> Approach:
    """The approach from below: its error taken off, in units of 2^−last."""
    return replace(one, bias=ceil(one.error * Fraction(2) ** one.last))


def _bits_of(bound: Fraction) -> int:
    """The smallest q with bound ≤ 2^q."""
    return (ceil(bound) - 1).bit_length()


# ---- exact


def _approach_cost(rows: int, one: Approach) -> Cost:
    product = product_cost(rows, Z64)
    cuts = [shifted_cost(rows, right) for right in (one.first, one.middle, one.last)]
    return cuts[0].then(product).then(cuts[1]).then(product).then(cuts[2])


def quotient_cost(rows: int, dividend_bits: int, divisor_bits: int, adder: str = "brent-kung") -> Cost:
    product, total = product_cost(rows, Z64), reciprocal_cost(rows, divisor_bits, adder)
    for step in schedule(dividend_bits, divisor_bits):
        approaches = [_approach_cost(rows, one) for one in step]
        both = approaches[0].beside(approaches[1]).then(product) if len(step) > 1 else approaches[0]
        total = total.then(both).then(product)
    each = cost_of(sign, rows, divisor_bits + 2).then(cost_of(bit_to_ring, rows, Z64))
    return total.then(each.beside(each))


@costs(quotient_cost)
async def quotient(me: Party, a: Share, b: Share, a_bits: int, b_bits: int) -> Share:
    """⌊a / b⌋, exactly and whatever the coins are [CH10].

    Approximate quotients, each by the reciprocal of b, are taken off until |r / b| is small; then the last is corrected.

    Why exact: every step's distance from r / b is bounded by its approach's `error` (see `schedule`), with the coins of every
    cut inside the bound. In the last step the approximation, its error ε ≤ ⅜ taken off, is at most r / b and more than r / b − 2ε − 1/16,
    and its rounding moves it by less than 1 down and at most 1 up: so −b ≤ r' < 2b for the remainder r' it leaves, and
    the floor is one less where r' < 0, one more where r' ≥ b. Both tests are exact.

    Learns: nobody anything; the coins' roundings are repaired before anything leaves.
    Opens:  nothing.
    Cost:   about 270 bytes a row and server and 62 rounds at 50 and 24 bits, 550 and 80 at 61 and 61. Facts: rows, a_bits, b_bits, adder.
    Needs:  0 ≤ a < 2^a_bits, 1 ≤ b < 2^b_bits; 1 to 61 bits, rings of 64. For b = 0 the result is some number.
    """
    _require_division(a, b, a_bits, b_bits)
    inverse = await reciprocal(me.step("reciprocal"), b, b_bits)
    total, rest = a.times(0), a
    for number, step in enumerate(schedule(a_bits, b_bits)):
        here = me.step(f"step.{number}")
        part = await _approximate(here, rest, inverse, step)
        total, rest = total + part, rest - await multiply(here.step("back"), part, b)
    below, short = await together(_is_negative(me.step("below"), rest, b_bits + 2), _is_negative(me.step("short"), rest - b, b_bits + 2))
    return add_public(me, total - below - short, 1)


async def _approximate(me: Party, r: Share, inverse: Reciprocal, step: tuple[Approach, ...]) -> Share:
    """r / b by the approach for b's range."""
    found = await together(*(_approach(me.step(f"from.{one.low}"), r, inverse, one) for one in step))
    if inverse.high is None:
        only: Share = found[0]
        return only
    return await select(me.step("range"), inverse.high, found[1], found[0])


async def _approach(me: Party, r: Share, inverse: Reciprocal, one: Approach) -> Share:
    factors = (inverse.inverse, inverse.low) if one.inverse_first else (inverse.low, inverse.inverse)
    r = await multiply(me.step("one"), await shifted(me.step("first"), r, one.first), factors[0])
    r = await multiply(me.step("two"), await shifted(me.step("middle"), r, one.middle), factors[1])
    return await shifted(me.step("last"), add_public(me, r, -one.bias), one.last)


async def _is_negative(me: Party, x: Share, bits: int) -> Share:
    """1 where x < 0, in the ring."""
    return await bit_to_ring(me.step("ring"), await sign(me.step("sign"), x, bits), x.ring)


# ---- fixed point


def divide_cost(rows: int, fraction_bits: int, a_bits: int, b_bits: int, adder: str = "brent-kung") -> Cost:
    total = reciprocal_cost(rows, b_bits, adder).then(scaled_cost(rows, b_bits))
    product, right = product_cost(rows, Z64), _low_shift(fraction_bits, b_bits)
    low = product.then(shifted_cost(rows, right)) if right <= DIVISION_BITS_MAX else FREE
    if a_bits + b_bits - 1 <= RECIPROCAL_BITS:
        return total.then(low)
    high = product.then(shifted_cost(rows, right - RECIPROCAL_BITS))
    return total.then(shifted_cost(rows, RECIPROCAL_BITS)).then(high.beside(low))


@costs(divide_cost)
async def divide(me: Party, a: Share, b: Share, fraction_bits: int, a_bits: int, b_bits: int) -> Share:
    """a / b as a fixed-point number, for integers or fixed-point numbers a and b of one scale.

    The error is below |a / b| · 3 · 2^−30 and 2 units of 2^−fraction_bits, whatever the coins are: the reciprocal's, and one unit
    for each of two cuts. a · 2^z is cut into halves of 30 bits, so that both products with the inverse fit the ring.

    Learns: nobody anything; the rounding as `truncate`.
    Opens:  nothing.
    Cost:   about 200 bytes a row and server and 43 rounds at 30 and 24 bits. Facts: rows, fraction_bits, a_bits, b_bits, adder.
    Needs:  |a| < 2^a_bits, 1 ≤ b < 2^b_bits, a_bits + b_bits ≤ 61, a_bits + fraction_bits ≤ 61; rings of 64. For b = 0 the
            result is some number.
    """
    _require_division(a, b, a_bits, b_bits)
    for name, bits in (("the divisor's", b_bits), ("the fraction's", fraction_bits)):
        if bits < 0 or a_bits + bits > DIVISION_BITS_MAX:
            raise Refused(
                f"a fixed-point ratio whose dividend has {a_bits} bits, and {name} bits are {bits}",
                rule=f"together at most {DIVISION_BITS_MAX}",
                do="narrow the declared bounds, or use the exact integer quotient",
            )
    inverse = await reciprocal(me.step("reciprocal"), b, b_bits)
    whole = await scaled(me.step("scaled"), a, inverse.low if b_bits > 1 else None, inverse.high)
    low_shift = _low_shift(fraction_bits, b_bits)
    if a_bits + b_bits - 1 <= RECIPROCAL_BITS:
        return await _ratio(me.step("ratio"), whole, inverse.inverse, low_shift)
    high = await shifted(me.step("halves"), whole, RECIPROCAL_BITS)
    parts = [_ratio(me.step("high"), high, inverse.inverse, low_shift - RECIPROCAL_BITS)]
    if low_shift <= DIVISION_BITS_MAX:
        parts.append(_ratio(me.step("low"), whole - high.times(1 << RECIPROCAL_BITS), inverse.inverse, low_shift))
    found = await together(*parts)
    total: Share = found[0] + found[1] if len(found) > 1 else found[0]
    return total


async def _ratio(me: Party, x: Share, inverse: Share, right: int) -> Share:
    return await shifted(me.step("cut"), await multiply(me.step("product"), x, inverse), right)


def _low_shift(fraction_bits: int, b_bits: int) -> int:
    """What (a · 2^z) · inverse is above (a / b) · 2^fraction_bits."""
    return b_bits + RECIPROCAL_BITS - fraction_bits


def _require_division(a: Share, b: Share, a_bits: int, b_bits: int) -> None:
    if a.ring.bits != RING_BITS_MAX or b.ring.bits != RING_BITS_MAX:
        raise OurFault(f"a division of {a!r} by {b!r}", do="cast both to 64 bits")
    if not (1 <= a_bits <= DIVISION_BITS_MAX and 1 <= b_bits <= DIVISION_BITS_MAX):
        raise Refused(
            f"a division of {a_bits} by {b_bits} bits",
            rule=f"dividend and divisor have 1 to {DIVISION_BITS_MAX} bits",
            do="narrow the declared bounds, or scale the dividend down",
        )
