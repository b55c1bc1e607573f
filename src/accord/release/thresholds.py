"""Below which noised count a group is left out, so that one which a single unit alone makes is hardly ever shown.

A group that only one unit has is there or not as that unit is. It is shown where its count and the noise of all three servers reach the
threshold: the third server's share counts here too, since its holder sees what the sum did. The chance is that of the exact law, bounded
from above [KKMN09].
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from fractions import Fraction

from accord.base.errors import Refused
from accord.release.noise import LAPLACE, ColumnNoise

DIGITS = 60
SCALE_MAX = 1 << 10
"""Of the noise on a count that a threshold is taken of: the law is added up term by term."""


def least_count(noise: ColumnNoise, delta: Fraction) -> int:
    """The threshold on a count with this noise: all groups that one unit alone makes are shown with a chance of at most δ together.

    A unit that is in g of them has at most sensitivity − g + 1 rows in each. Raises Refused for noise of too large a scale.
    """
    tail = _laplace_tail(noise) if noise.mechanism == LAPLACE else _gaussian_tail(noise)
    return max(_reach(tail, delta / groups) + noise.sensitivity - groups + 1 for groups in range(1, noise.sensitivity + 1))


def _reach(tail: Callable[[int], Decimal], chance: Fraction) -> int:
    """The least distance that noise reaches with at most this chance."""
    most = _decimal(chance)
    high = 1
    while tail(high) > most:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if tail(middle) > most else (low, middle)
    return high


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def _laplace_tail(noise: ColumnNoise) -> Callable[[int], Decimal]:
    """P(A − B ≥ t), both of the negative binomial law: of order 3/2 for what three servers draw of either sign, 1 for a joint draw."""
    if noise.scale > SCALE_MAX:
        raise Refused(
            f"a threshold for noise of scale {float(noise.scale):,.0f}",
            rule=f"at most {SCALE_MAX:,} on the count of groups that no list names",
            do="ask for a larger epsilon, fewer columns, or fewer rows of a unit",
        )
    with localcontext(Context(prec=DIGITS)):
        rate = 1 / _decimal(noise.scale)
        q = (-rate).exp()
        order = _decimal(noise.order)
        chances = [((1 - q).ln() * order).exp()]
        for k in range(1, int(noise.scale * 2 * DIGITS) + 2 * DIGITS):
            chances.append(chances[-1] * q * (k - 1 + order) / k)
        # Beyond the last term the law falls faster than a geometric one with the ratio of the last two.
        last = chances[-1] / chances[-2]
        above = [chances[-1] * last / (1 - last)]
        for chance in reversed(chances):
            above.append(above[-1] + chance)
        above.reverse()
    kept: dict[int, Decimal] = {}

    def tail(distance: int) -> Decimal:
        if distance not in kept:
            with localcontext(Context(prec=DIGITS, rounding=ROUND_CEILING)):
                pairs = ((chance, above[min(b + distance, len(above) - 1)]) for b, chance in enumerate(chances))
                kept[distance] = sum((chance * reach for chance, reach in pairs), above[-1])
        return kept[distance]

    return tail


def _gaussian_tail(noise: ColumnNoise) -> Callable[[int], Decimal]:
    """exp(−t² / (2 v)), v the variance of three servers' shares together: discrete Gaussians are no wider than that [CKS20]."""

    def tail(distance: int) -> Decimal:
        with localcontext(Context(prec=DIGITS)):
            return (-_decimal(distance**2 / (3 * noise.variance))).exp()

    return tail
