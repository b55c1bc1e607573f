"""The logistic function: a trigonometric sum where it is not yet flat, 0 and 1 beyond."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from accord.base.errors import Refused
from accord.base.ring import Z64, Column
from accord.mpc.bits import not_bits
from accord.mpc.compare import sign, sign_cost
from accord.mpc.compose import together
from accord.mpc.convert import bit_to_ring, summand
from accord.mpc.cost import Cost, cost_of, costs
from accord.mpc.exponential import require_scale
from accord.mpc.halves import cut, cut_cost, given, given_cost
from accord.mpc.inputs import add_public
from accord.mpc.logarithm import require_function
from accord.mpc.party import Party
from accord.mpc.product import multiply, product_cost
from accord.mpc.share import Share
from accord.mpc.waves import Sum, given_waves, half_sum

EDGE = 11
"""Beyond ±11 the function is within 2^−15.8 of 0 and 1."""
TURN = 46
"""θ / 2π is x / 46: the sum, odd and turned over by half a turn, has 23 − 11 to come back before −11 + 46."""
LOGISTIC = Sum(
    0,
    tuple(
        (0, b)
        for b in (
            678_941_056_199,
            179_477_962_197,
            71_261_287_474,
            29_870_437_204,
            12_634_694_819,
            5_356_497_638,
            2_267_996_510,
            964_020_022,
            406_062_095,
            174_694_046,
            71_565_756,
            39_062_021,
        )
    ),
    2,
    Fraction(1, 69_000),
)
"""1 / (1 + e^−x) − ½ from −11 to 11, the best of twelve odd harmonics; found again, and its error, in tests/mpc/test_functions.py."""
SUM_BITS = 58
"""Fraction bits of the sum before it is cut."""
LOGISTIC_ERROR = Fraction(1, 1 << 16)
"""Bounds the error within ±11, beside one unit; derived at `logistic`."""
EDGE_ERROR = Fraction(1, 59_000)
"""e^−11, which bounds the error beyond."""


@dataclass(frozen=True)
class LogisticRange:
    """What `logistic` does for stored integers from `low` to `high`: which edges it must look at."""

    low: int
    high: int
    fraction_bits: int

    def __post_init__(self) -> None:
        if self.low > self.high or max(abs(self.low), abs(self.high)) >> 61:
            raise Refused(f"logistic for stored values from {self.low} to {self.high}", rule="−2^61 < low ≤ high < 2^61")
        require_scale(self.fraction_bits)

    @property
    def edge(self) -> int:
        return EDGE << self.fraction_bits

    @property
    def has_edges(self) -> bool:
        return self.low < -self.edge or self.high > self.edge

    @property
    def sign_bits(self) -> int:
        """Of x ± edge."""
        return (max(abs(self.low), abs(self.high)) + self.edge).bit_length() + 1

    @property
    def factor(self) -> int:
        """From stored values to angles, 2^64 to the turn."""
        return round(Fraction(1 << 64, TURN << self.fraction_bits))


def logistic_cost(rows: int, low: int, high: int, fraction_bits: int = 16) -> Cost:
    middle, span = given_cost(rows, Z64, LOGISTIC.count).then(cut_cost(rows)), LogisticRange(low, high, fraction_bits)
    if not span.has_edges:
        return middle
    flag = sign_cost(rows, span.sign_bits).then(cost_of(bit_to_ring, rows, Z64))
    return middle.beside(flag.beside(flag)).then(product_cost(rows, Z64))


@costs(logistic_cost)
async def logistic(me: Party, x: Share, low: int, high: int, fraction_bits: int = 16) -> Share:
    """1 / (1 + e^−x), for a fixed-point column with stored values from `low` to `high`, public; as many fraction bits.

    The error is at most 1 unit of 2^−fraction_bits and 2^−16 up to ±11, and 2^−15.8 beyond, where the result is 0 or 1 (comparisons, only
    where the bounds reach so far): 2^−15 at 16 fraction bits, whatever the coins are.

    The bound: the sum's own error, below 2^−16.07; its arithmetic's (`Sum.arithmetic_error`), below 2^−23; the angle's factor and its
    32 bits, below 2^−26. Together below 2^−16. The cut adds at most one unit.

    Learns: nobody anything. Which way it rounds follows from masks that one or two servers know: the leak `rounding` of docs/openings.md.
    Opens:  nothing.
    Cost:   3 rounds and 74.7 bytes a row and server; 10 and about 120 with comparisons of 32 bits. Facts: rows, low, high, fraction_bits.
    Needs:  low ≤ x ≤ high, a ring of 64 bits. Raises Refused beyond 30 fraction bits.
    """
    require_function(x, fraction_bits)
    span, half = LogisticRange(low, high, fraction_bits), 1 << fraction_bits >> 1
    if not span.has_edges:
        return add_public(me, await _middle(me.step("middle"), x, span), half)
    rising, up, over = await together(
        _middle(me.step("middle"), x, span),
        _is_at_least_0(me.step("up"), add_public(me, x, span.edge), span),
        _is_at_least_0(me.step("over"), add_public(me, x, -span.edge), span),
    )
    total: Share = over.times(1 << fraction_bits) + await multiply(me.step("product"), up - over, add_public(me, rising, half))
    return total


async def _middle(me: Party, x: Share, span: LogisticRange) -> Share:
    """The function less ½, from −11 to 11."""
    rows, view = x.rows, summand(me, x.times(span.factor))
    angles: Column = (view >> np.uint64(32)).astype(np.uint32)
    known = given_waves(angles, LOGISTIC) if me.role == 0 else None
    halves = await given(me.step("given"), known, Z64, LOGISTIC.count, rows)
    half = None if halves is None else half_sum(angles, halves, LOGISTIC, Fraction(1), SUM_BITS)
    return await cut(me.step("cut"), half, SUM_BITS - span.fraction_bits, rows)


async def _is_at_least_0(me: Party, x: Share, span: LogisticRange) -> Share:
    negative = await sign(me.step("sign"), x, span.sign_bits)
    return await bit_to_ring(me.step("ring"), not_bits(me, negative), Z64)
