"""The correlation of two columns from their second moments: what it is on plain integers, and how far from the true one.

CORR is c / √(x · y) for c = n Σab − Σa Σb, x = n Σa² − (Σa)², y = n Σb² − (Σb)², all integers below 2^62, with c² ≤ x · y. Their
products pass the ring, so x and y are first multiplied by the squares of powers of two, h and g, and cut to 26 bits; c goes along with
h · g. That is exact integer arithmetic, the same wherever it runs. The result is within 0.68 of a unit of its last digit, 10^-6:

X = x h² / 2^36 is in [2^24, 2^26), and Y likewise. Cut to a whole number each loses at most 2^-24 of itself, so the root of their product
as much, and 2^-24 more where that is cut: s ≥ √(X Y) (1 − 2^-23). |c| h g / 2^36 loses less than 1, which is 2^-24 of s. So the quotient
is within 2^-23 + 2^-24 < 0.18 · 10^-6 of the true one, and rounding adds half a unit. At ±1 the quotient lies between 1 − 2^-24 and
1 + 2^-22.9, so that ±1 is shown as ±1, and nothing beyond.
"""

from __future__ import annotations

from math import isqrt

from accord.base.limits import VALUE_BITS_MAX

CORRELATION_DIGITS = 6
NORMAL_BITS = VALUE_BITS_MAX
"""Variances are multiplied until they have this many bits, or one less."""
CUT_BITS = 36
"""And lose this many: of the 26 that remain, the product's root is exact even in floating point."""


def headroom(x: int) -> int:
    """The largest power of two h with x · h² below 2^NORMAL_BITS. Needs: x ≥ 1."""
    power: int = 1 << (NORMAL_BITS - x.bit_length()) // 2
    return power


def correlation(c: int, x: int, y: int) -> int:
    """c / √(x · y) in units of 10^-6. Needs: x, y in 1 … 2^62 − 1, c² ≤ x · y."""
    h, g = headroom(x), headroom(y)
    root = isqrt((x * h * h >> CUT_BITS) * (y * g * g >> CUT_BITS))
    size: int = (2 * (abs(c) * h * g >> CUT_BITS) * 10**CORRELATION_DIGITS + root) // (2 * root)
    return -size if c < 0 else size
