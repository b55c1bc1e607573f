"""Roots and correlations on shares: the integers of plan/moments.py, exactly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from accord.mpc.compose import together
from accord.mpc.party import Party
from accord.mpc.share import Share
from accord.plan.expression import Call
from accord.plan.moments import CORRELATION_DIGITS, CUT_BITS, NORMAL_BITS
from accord.plan.secure_calls import floor_root, floor_shift, headroom, is_zero, multiply, sign
from accord.plan.secure_flags import Flag, any_of, as_numbers
from accord.plan.secure_quotient import floor_quotient
from accord.plan.secure_values import Number, Value, add, null_of, number, shared

KEPT_BITS = NORMAL_BITS - CUT_BITS


async def _units(me: Party, _: Call, argument: Value) -> Number:
    return number(argument)


async def _root(me: Party, call: Call, argument: Value) -> Number:
    a = number(argument)
    bits = max(call.arguments[0].type.high.bit_length(), 1)
    return Number(await floor_root(me, shared(me, a.value), bits=bits), a.null, a.zeroed)


async def _correlation(me: Party, _: Call, *arguments: Value) -> Number:
    c, x, y = (shared(me, number(one).value) for one in arguments)
    (null, zero), value = await together(_nulls(me.step("null"), arguments, x, y), _quotient(me.step("quotient"), c, x, y))
    return Number(value, await any_of(me.step("all"), [null, zero]), zeroed=False)


async def _nulls(me: Party, arguments: tuple[Value, ...], x: Share, y: Share) -> tuple[Flag, Flag]:
    """Where an argument is NULL, and where a variance is 0."""
    zeros = await together(*(is_zero(me.step(name), one, bits=NORMAL_BITS) for name, one in (("x", x), ("y", y))))
    given: list[Flag] = [null for one in arguments if (null := null_of(me, one)) is not False]
    return await any_of(me.step("given"), given), await any_of(me.step("zero"), list(zeros))


async def _quotient(me: Party, c: Share, x: Share, y: Share) -> Share:
    """c / √(x y), rounded; anything where x or y is 0."""
    (below,), h, g = await together(
        _below(me.step("below"), c), headroom(me.step("of-x"), x, bits=NORMAL_BITS), headroom(me.step("of-y"), y, bits=NORMAL_BITS)
    )
    way = add(me, below.times(-2), 1)
    assert isinstance(way, Share)
    first, second, over = await together(
        _scaled(me.step("x"), x, h, h), _scaled(me.step("y"), y, g, g), _scaled(me.step("c"), await multiply(me.step("size"), c, way), h, g)
    )
    root = await floor_root(me.step("root"), await multiply(me.step("product"), first, second), bits=2 * KEPT_BITS)
    unit = 10**CORRELATION_DIGITS
    most = (2 * unit + 1) << KEPT_BITS
    size = await floor_quotient(me.step("divide"), over.times(2 * unit) + root, most, root.times(2), 2 << KEPT_BITS)
    signed: Share = await multiply(me.step("sign"), size, way)
    return signed


async def _below(me: Party, c: Share) -> tuple[Share]:
    (below,) = await as_numbers(me.step("flag"), await sign(me.step("sign"), c, bits=NORMAL_BITS + 1))
    assert isinstance(below, Share)
    return (below,)


async def _scaled(me: Party, x: Share, h: Share, g: Share) -> Share:
    """⌊x · h · g / 2^CUT_BITS⌋."""
    high = await multiply(me.step("second"), await multiply(me.step("first"), x, h), g)
    cut: Share = await floor_shift(me.step("cut"), high, shift=CUT_BITS)
    return cut


MOMENTS: dict[str, Callable[..., Awaitable[Value]]] = {"units": _units, "root": _root, "correlation": _correlation}
