"""Values of expressions while a block of rows is computed: numbers and truth values, public where they can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accord.base.ring import Z64
from accord.mpc.inputs import add_public, public_share
from accord.mpc.party import Party
from accord.mpc.share import Share
from accord.plan.evaluate import Integers, Plain
from accord.plan.secure_calls import multiply
from accord.plan.secure_flags import Flag, as_numbers, difference, negation
from accord.plan.types import Type

Amount = Share | Integers
"""A column of integers: secret, or known to all servers."""


@dataclass(frozen=True, eq=False)
class Number:
    """A number, date or category's code. `zeroed`: 0 where NULL; else anything there."""

    value: Amount
    null: Flag = False
    zeroed: bool = True


@dataclass(frozen=True, eq=False)
class Truth:
    """A three-valued truth: `true` where it is true, `maybe` where it is true or NULL."""

    true: Flag
    maybe: Flag


Value = Number | Truth


def value_of(plain: Plain, type: Type) -> Value:
    """A plain column as a value."""
    nulls: Flag = plain.nulls if type.nullable else False
    if type.kind == "bool":
        true = plain.values != 0
        return Truth(true, true | plain.nulls if type.nullable else true)
    return Number(plain.values, nulls)


def null_of(me: Party, value: Value) -> Flag:
    return value.null if isinstance(value, Number) else difference(me, value.true, value.maybe)


def number(value: Value) -> Number:
    assert isinstance(value, Number)
    return value


def truth(value: Value) -> Truth:
    assert isinstance(value, Truth)
    return value


# ---- linear, local


def add(me: Party, a: Amount, b: Amount | int) -> Amount:
    if isinstance(a, Share):
        return a + b if isinstance(b, Share) else add_public(me, a, Z64.encode(np.broadcast_to(np.asarray(b, np.int64), (a.rows,))))
    return add(me, b, a) if isinstance(b, Share) else a + np.asarray(b, np.int64)


def negative(a: Amount) -> Amount:
    return -a


def subtract(me: Party, a: Amount, b: Amount | int) -> Amount:
    return add(me, a, -b)


def scaled(a: Amount, factor: int | Integers) -> Amount:
    """The product with a public integer or column."""
    if not isinstance(a, Share):
        return a * factor
    return a.times(factor if isinstance(factor, int) else Z64.encode(factor))


def shared(me: Party, a: Amount) -> Share:
    """The amount as a share."""
    return a if isinstance(a, Share) else public_share(me, Z64.encode(a), Z64)


# ---- with rounds


async def product(me: Party, a: Amount | int, b: Amount) -> Amount:
    """The product; free where one side is public."""
    if isinstance(a, Share) and isinstance(b, Share):
        made: Share = await multiply(me, a, b)
        return made
    return scaled(a, b) if isinstance(a, Share) and not isinstance(b, Share) else scaled(b, a)  # type: ignore[arg-type]


async def zeroed(me: Party, one: Number) -> Number:
    """The number with 0 where it is NULL."""
    if one.zeroed or one.null is False:
        return Number(one.value, one.null)
    (there,) = await as_numbers(me.step("there"), negation(me, one.null))
    return Number(await product(me.step("zeroed"), there, one.value), one.null)
