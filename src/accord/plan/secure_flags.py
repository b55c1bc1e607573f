"""Truth values of a column's rows, each as public as it can be: one constant for all rows, a public array, or secret bits.

Operations with a constant or a public array cost nothing; what is secret on both sides is put into one round.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accord.base.ring import Z64
from accord.mpc.bits import not_bits, planes_from_bools, public_bits, xor_public
from accord.mpc.compose import together
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.plan.evaluate import Flags, Integers
from accord.plan.secure_calls import and_bits, bit_to_ring

Flag = bool | Flags | Bits


def as_bits(me: Party, flag: Flag, rows: int) -> Bits:
    """The flag as a secret plane."""
    if isinstance(flag, Bits):
        return flag
    return public_bits(me, planes_from_bools(np.full(rows, flag) if isinstance(flag, bool) else flag), rows)


def negation(me: Party, flag: Flag) -> Flag:
    if isinstance(flag, bool):
        return not flag
    return not_bits(me, flag) if isinstance(flag, Bits) else ~flag


def difference(me: Party, a: Flag, b: Flag) -> Flag:
    """Exclusive or; the difference of nested flags, the union of disjoint ones."""
    if isinstance(a, bool):
        return negation(me, b) if a else b
    if isinstance(b, bool) or (isinstance(b, Bits) and not isinstance(a, Bits)):
        return difference(me, b, a)
    if isinstance(a, Bits):
        return a ^ b if isinstance(b, Bits) else xor_public(me, a, planes_from_bools(b))
    assert not isinstance(b, Bits)
    return a ^ b


async def both(me: Party, *pairs: tuple[Flag, Flag]) -> list[Flag]:
    """AND of each pair; all secret ones in one round."""
    secret = [(a, b) for a, b in pairs if isinstance(a, Bits) and isinstance(b, Bits)]
    products: list[Bits] = []
    if secret:
        product = await and_bits(me, Bits.stack([a for a, _ in secret]), Bits.stack([b for _, b in secret]))
        products = [product.plane(at) for at in range(len(secret))]
    return [products.pop(0) if isinstance(a, Bits) and isinstance(b, Bits) else _masked(a, b) for a, b in pairs]


def _masked(a: Flag, b: Flag) -> Flag:
    """AND where at least one side is public."""
    if isinstance(a, bool):
        return b if a else False
    if isinstance(b, bool | Bits):
        return _masked(b, a)
    if isinstance(a, Bits):
        planes = planes_from_bools(b)
        return Bits(a.rows, a.own & planes, a.next & planes)
    return a & b


async def either(me: Party, *pairs: tuple[Flag, Flag]) -> list[Flag]:
    """OR of each pair; all secret ones in one round."""
    turned = await both(me, *((negation(me, a), negation(me, b)) for a, b in pairs))
    return [negation(me, one) for one in turned]


async def all_of(me: Party, flags: Sequence[Flag]) -> Flag:
    """AND of all, in a tree; True for none."""
    left = list(flags) or [True]
    while len(left) > 1:
        here = me.step(f"all.{len(left)}")
        pairs = list(zip(left[::2], left[1::2], strict=False))
        left = await both(here, *pairs) + left[2 * len(pairs) :]
    return left[0]


async def any_of(me: Party, flags: Sequence[Flag]) -> Flag:
    """OR of all, in a tree; False for none."""
    return negation(me, await all_of(me, [negation(me, one) for one in flags]))


async def before_each(me: Party, flags: Sequence[Flag]) -> list[Flag]:
    """For each place, the AND of all flags before it, and last the AND of all: a prefix tree of logarithmic depth."""
    prefix = list(flags)
    width = 1
    while width < len(prefix):
        pairs = [(prefix[at - 1 - (at % width)], prefix[at]) for at in range(len(prefix)) if at // width % 2]
        products = await both(me.step(f"prefix.{width}"), *pairs)
        prefix = [products.pop(0) if at // width % 2 else prefix[at] for at in range(len(prefix))]
        width *= 2
    return [True, *prefix]


async def as_numbers(me: Party, *flags: Flag) -> list[Share | Integers | int]:
    """Each flag as 0 or 1 in Z64: a constant, a public array, or shares; all secret ones side by side."""
    secret = [one for one in flags if isinstance(one, Bits)]
    made = await together(*(bit_to_ring(me.step(f"number.{at}"), one, ring=Z64) for at, one in enumerate(secret)))
    return [made.pop(0) if isinstance(one, Bits) else int(one) if isinstance(one, bool) else one.astype(np.int64) for one in flags]
