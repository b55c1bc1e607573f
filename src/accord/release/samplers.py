"""Exact samplers of integer noise: whole-number arithmetic on uniform words, no floating point anywhere.

Every draw reads a labelled stream of a key that one server alone knows. A server's share of noise is drawn here; what any two servers
draw together has the law that the accounting assumes, so that the third, and a recipient who is its friend, gain nothing.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np

from accord.base.errors import OurFault
from accord.mpc.coins import stream

WORD_BITS = 64
WORDS_DRAWN = 512


class Words:
    """Uniform 64-bit words of a labelled stream of `key` (16 bytes), in order; a label is used once."""

    def __init__(self, key: bytes, label: str) -> None:
        self._key, self._label, self._drawn = key, label, 0
        self._left: list[int] = []

    def bits(self, count: int) -> int:
        """A uniform integer of `count` bits."""
        found = 0
        for _ in range(-(-count // WORD_BITS)):
            found = found << WORD_BITS | self._word()
        return found >> -count % WORD_BITS

    def below(self, bound: int) -> int:
        """A uniform integer 0 … bound − 1, by rejection: each exactly as likely."""
        if bound < 1:
            raise OurFault(f"a draw below {bound}")
        width = (bound - 1).bit_length()
        while (found := self.bits(width)) >= bound:
            pass
        return found

    def _word(self) -> int:
        if not self._left:
            block = np.empty(WORDS_DRAWN, np.uint64)
            stream(self._key, f"{self._label}\0{self._drawn}".encode(), block)
            self._drawn += 1
            self._left = block.tolist()[::-1]
        return self._left.pop()


# ---- coins


def bernoulli(words: Words, numerator: int, denominator: int) -> bool:
    """True with the chance numerator / denominator."""
    return words.below(denominator) < numerator


def bernoulli_exp(words: Words, numerator: int, denominator: int) -> bool:
    """True with the chance exp(−numerator / denominator), both at least 0 [CKS20, algorithm 1]."""
    while numerator > denominator:
        if not _bernoulli_exp_below_1(words, 1, 1):
            return False
        numerator -= denominator
    return _bernoulli_exp_below_1(words, numerator, denominator)


def _bernoulli_exp_below_1(words: Words, numerator: int, denominator: int) -> bool:
    trial = 1
    while bernoulli(words, numerator, denominator * trial):
        trial += 1
    return trial % 2 == 1


# ---- laws


def geometric(words: Words, rate: Fraction) -> int:
    """k = 0, 1, … with a chance proportional to exp(−rate · k), rate > 0 [CKS20, algorithm 2]."""
    step, whole = rate.numerator, rate.denominator
    while True:
        rest = words.below(whole)
        if bernoulli_exp(words, rest, whole):
            break
    wholes = 0
    while bernoulli_exp(words, 1, 1):
        wholes += 1
    return (rest + whole * wholes) // step


def half_geometric(words: Words, rate: Fraction) -> int:
    """The negative binomial law of order one half: the sum of two independent draws is a `geometric` one.

    Given their sum n, one of the two is beta-binomial with both parameters one half: the number of black balls after n draws from an urn
    that begins with half a ball of each colour and gains one of the colour drawn [JK77]. About n steps.
    """
    black = 0
    for drawn in range(geometric(words, rate)):
        black += bernoulli(words, 2 * black + 1, 2 * drawn + 2)
    return black


def laplace_share(words: Words, rate: Fraction) -> int:
    """A server's share: two of them add up to a discrete Laplace draw, x with a chance proportional to exp(−rate · |x|).

    Three have one and a half times its variance.
    """
    return half_geometric(words, rate) - half_geometric(words, rate)


def discrete_gaussian(words: Words, variance: Fraction) -> int:
    """x with a chance proportional to exp(−x² / (2 variance)), variance > 0 [CKS20, algorithm 3]."""
    over, under = variance.numerator, variance.denominator
    scale = isqrt(over // under) + 1
    while True:
        found = _two_sided(words, scale)
        # exp(−(|x| − variance / scale)² / (2 variance)), as whole numbers.
        gap = abs(found) * scale * under - over
        if bernoulli_exp(words, gap * gap, 2 * over * under * scale * scale):
            return found


def gaussian_share(words: Words, variance: Fraction) -> int:
    """A server's share, of half the variance that two of them are to have together; their sum is nearly discrete Gaussian [KLS21]."""
    return discrete_gaussian(words, variance / 2)


def _two_sided(words: Words, scale: int) -> int:
    """x with a chance proportional to exp(−|x| / scale)."""
    while True:
        size, negative = geometric(words, Fraction(1, scale)), words.bits(1)
        if size or not negative:
            return -size if negative else size
