"""What the arithmetic functions of FUNCTIONS do to secret numbers. Each takes its call and its arguments' values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from accord.mpc.compose import together
from accord.mpc.party import Party
from accord.mpc.share import Share
from accord.plan.evaluate import quotient_factors, recoding
from accord.plan.expression import Call
from accord.plan.secure_calls import is_zero, maximum, minimum, sign
from accord.plan.secure_flags import Flag, any_of, as_numbers, both, difference, negation
from accord.plan.secure_quotient import Range, floor_quotient, rounded_by_constant, rounded_quotient
from accord.plan.secure_values import (
    Amount,
    Number,
    Truth,
    Value,
    add,
    negative,
    null_of,
    number,
    product,
    scaled,
    shared,
    subtract,
    truth,
    zeroed,
)
from accord.plan.types import BOOL, CATEGORY, Type


async def any_null(me: Party, values: Sequence[Value]) -> Flag:
    """Where some argument is NULL."""
    return await any_of(me, [null for one in values if (null := null_of(me, one)) is not False])


def _linear(combine: Callable[..., Amount]) -> Callable[..., Awaitable[Number]]:
    """A function that costs nothing but the NULLs of its arguments."""

    async def meaning(me: Party, _: Call, *arguments: Value) -> Number:
        null = await any_null(me, arguments)
        return Number(combine(me, *(number(one).value for one in arguments)), null, zeroed=null is False)

    return meaning


async def _multiply(me: Party, _: Call, left: Value, right: Value) -> Number:
    a, b = number(left), number(right)
    null, value = await together(any_null(me.step("null"), (a, b)), product(me.step("product"), a.value, b.value))
    return Number(value, null, a.zeroed and b.zeroed)


async def _negate(me: Party, _: Call, argument: Value) -> Number:
    a = number(argument)
    return Number(negative(a.value), a.null, a.zeroed)


async def _abs(me: Party, call: Call, argument: Value) -> Number:
    a, of = number(argument), Range.of(call.arguments[0].type)
    x = shared(me, a.value)
    if of.low >= 0 or of.high <= 0:
        return Number(x if of.low >= 0 else -x, a.null, a.zeroed)
    (below,) = await as_numbers(me.step("below"), await sign(me.step("sign"), x, bits=of.bits))
    return Number(add(me, x, scaled(await product(me.step("part"), below, x), -2)), a.null, a.zeroed)


async def _divide(me: Party, call: Call, left: Value, right: Value) -> Number:
    a, b = number(left), number(right)
    of, by = (one.type for one in call.arguments)
    up, down = quotient_factors(call.type, of, by)
    null, (zero, divisor) = await together(any_null(me.step("null"), (a, b)), _safe_divisor(me.step("divisor"), b.value, by))
    value, (all_null,) = await together(
        rounded_quotient(me.step("quotient"), a.value, Range.of(of), divisor, Range.of(by), up, down), _either(me.step("nulls"), null, zero)
    )
    return Number(value, all_null, zeroed=all_null is False)


async def _floor_divide(me: Party, call: Call, left: Value, right: Value) -> Number:
    a, b = number(left), number(right)
    of, by = (one.type for one in call.arguments)
    null, (zero, divisor) = await together(any_null(me.step("null"), (a, b)), _safe_divisor(me.step("divisor"), b.value, by))
    value, (all_null,) = await together(
        floor_quotient(me.step("quotient"), shared(me, a.value), of.high, divisor, by.high), _either(me.step("nulls"), null, zero)
    )
    return Number(value, all_null, zeroed=all_null is False)


async def _either(me: Party, null: Flag, zero: Flag) -> tuple[Flag]:
    return (await any_of(me, [null, zero]),)


async def _safe_divisor(me: Party, b: Amount, of: Type) -> tuple[Flag, Amount]:
    """Where a divisor is 0, and the divisor with 1 there."""
    if not isinstance(b, Share):
        zero = b == 0
        return (zero if zero.any() else False), np.where(zero, 1, b)
    flag: Flag = False
    if of.low <= 0 <= of.high or of.nullable:
        flag = await is_zero(me.step("zero"), b, bits=max(Range.of(of).most.bit_length(), 1))
    (one,) = await as_numbers(me.step("one"), flag)
    return flag, add(me, b, one)


async def rescaled(me: Party, a: Amount, of: Type, digits: int) -> Amount:
    """Units of 10^-s as units of 10^-(s + digits), rounded half away from zero."""
    if digits >= 0:
        return scaled(a, 10**digits)
    return await rounded_by_constant(me, shared(me, a), Range.of(of), 1, 10**-digits)


async def _round(me: Party, call: Call, argument: Value, _: Value) -> Number:
    of = call.arguments[0].type
    a = number(argument)
    return Number(await rescaled(me, a.value, of, call.type.scale - of.scale), a.null, a.zeroed)


async def _cast(me: Party, call: Call, argument: Value) -> Value:
    before, after = call.arguments[0].type, call.type
    if before.kind == BOOL and after.kind != BOOL:
        given = truth(argument)
        (value,) = await as_numbers(me, given.true)
        return Number(value, difference(me, given.true, given.maybe))  # type: ignore[arg-type]
    if isinstance(argument, Truth):
        return argument
    a = number(argument)
    if after.kind == BOOL:
        return await _is_true(me, a, before)
    if after.kind == CATEGORY:
        return Number(await _recoded(me, shared(me, a.value), recoding(before, after)), a.null, zeroed=a.null is False)
    return Number(await rescaled(me, a.value, before, after.scale - before.scale), a.null, a.zeroed)


async def _is_true(me: Party, a: Number, of: Type) -> Truth:
    here = await zeroed(me.step("value"), a)
    zero = await is_zero(me.step("zero"), shared(me, here.value), bits=max(Range.of(of).most.bit_length(), 1))
    true = negation(me, zero)
    return Truth(true, difference(me, true, a.null))


async def _recoded(me: Party, code: Share, codes: list[int]) -> Amount:
    """The new code of each old one: the code, plus a step at each place from which on the two numberings differ by something else."""
    shifts = [new - old for old, new in enumerate(codes)]
    places = [at for at in range(1, len(codes)) if shifts[at] != shifts[at - 1]]
    width = Range(-len(codes), len(codes)).bits
    below = await together(*(sign(me.step(f"below.{at}"), shared(me, subtract(me, code, at)), bits=width) for at in places))
    reached = await as_numbers(me.step("reached"), *(negation(me, one) for one in below))
    moved: Amount = add(me, code, shifts[0])
    for at, there in zip(places, reached, strict=True):
        moved = add(me, moved, scaled(there, shifts[at] - shifts[at - 1]))  # type: ignore[arg-type]
    return moved


def _extreme(pick: str) -> Callable[..., Awaitable[Number]]:
    """LEAST or GREATEST, which pass over NULLs: a NULL stands aside as the far end of all ranges."""

    async def meaning(me: Party, call: Call, *arguments: Value) -> Number:
        ranges = [Range.of(one.type) for one in call.arguments]
        hull = Range(min(one.low for one in ranges), max(one.high for one in ranges))
        far = hull.high if pick == "least" else hull.low
        aside = [_aside(me.step(f"aside.{at}"), number(one), far) for at, one in enumerate(arguments)]
        values = await together(*aside)
        null = await _all_null(me.step("null"), [number(one).null for one in arguments])
        while len(values) > 1:
            here = me.step(f"of.{len(values)}")
            pairs = list(zip(values[::2], values[1::2], strict=False))
            chosen = [choose(here.step(f"pair.{at}"), pick, a, b, hull) for at, (a, b) in enumerate(pairs)]
            values = await together(*chosen) + values[2 * len(pairs) :]
        return Number(values[0], null, zeroed=null is False)

    return meaning


async def choose(me: Party, pick: str, a: Amount, b: Amount, hull: Range) -> Amount:
    """The smaller ("least") or larger of two columns, row by row."""
    if not isinstance(a, Share) and not isinstance(b, Share):
        return np.minimum(a, b) if pick == "least" else np.maximum(a, b)
    chooser = minimum if pick == "least" else maximum
    chosen: Share = await chooser(me, shared(me, a), shared(me, b), bits=(hull - hull).bits)
    return chosen


async def _aside(me: Party, one: Number, far: int) -> Amount:
    if one.null is False:
        return one.value
    here = await zeroed(me.step("zeroed"), one)
    (null,) = await as_numbers(me.step("null"), one.null)
    return add(me, here.value, scaled(null, far))  # type: ignore[arg-type]


async def _all_null(me: Party, nulls: Sequence[Flag]) -> Flag:
    if any(one is False for one in nulls):
        return False
    left = list(nulls)
    for at, one in enumerate(left[1:]):
        (left[0],) = await both(me.step(f"both.{at}"), (left[0], one))
    return left[0]


ARITHMETIC: dict[str, Callable[..., Awaitable[Value]]] = {
    "add": _linear(add),
    "subtract": _linear(subtract),
    "multiply": _multiply,
    "negate": _negate,
    "abs": _abs,
    "divide": _divide,
    "floor_divide": _floor_divide,
    "round": _round,
    "cast": _cast,
    "least": _extreme("least"),
    "greatest": _extreme("greatest"),
}
