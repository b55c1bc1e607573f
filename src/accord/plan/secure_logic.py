"""What comparisons, the connectives, CASE and COALESCE do to secret values, in SQL's three-valued logic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np

from accord.mpc.compose import together
from accord.mpc.party import Party
from accord.mpc.share import Share
from accord.plan.expression import Call
from accord.plan.secure_arithmetic import any_null
from accord.plan.secure_calls import is_zero, sign
from accord.plan.secure_flags import Flag, all_of, as_numbers, before_each, both, difference, negation
from accord.plan.secure_quotient import Range
from accord.plan.secure_values import Amount, Number, Truth, Value, add, null_of, number, product, subtract, truth, zeroed
from accord.plan.types import BOOL


async def _compare(me: Party, call: Call, left: Value, right: Value) -> Truth:
    compared = _same_truth if call.arguments[0].type.kind == BOOL else _compared
    holds, null = await together(compared(me.step("holds"), call, left, right), any_null(me.step("null"), (left, right)))
    (true,) = await both(me.step("true"), (holds, negation(me, null)))
    return Truth(true, difference(me, true, null))


async def _same_truth(me: Party, call: Call, left: Value, right: Value) -> Flag:
    differ = difference(me, truth(left).true, truth(right).true)
    return differ if call.function == "ne" else negation(me, differ)


async def _compared(me: Party, call: Call, left: Value, right: Value) -> Flag:
    """Whether the comparison holds of two numbers that are not NULL."""
    a, b = number(left).value, number(right).value
    ranges = [Range.of(one.type) for one in call.arguments]
    if call.function in ("gt", "le"):
        a, b, ranges = b, a, ranges[::-1]
    turned = call.function in ("le", "ge", "ne")
    span = ranges[0] - ranges[1]
    found = await (_equal if call.function in ("eq", "ne") else _below)(me, subtract(me, a, b), span)
    return negation(me, found) if turned else found


async def _below(me: Party, x: Amount, span: Range) -> Flag:
    if span.high < 0 or span.low >= 0:
        return span.high < 0
    if not isinstance(x, Share):
        return np.less(x, 0)
    below: Flag = await sign(me, x, bits=span.bits)
    return below


async def _equal(me: Party, x: Amount, span: Range) -> Flag:
    if span.high < 0 or span.low > 0:
        return False
    if not isinstance(x, Share):
        return np.equal(x, 0)
    equal: Flag = await is_zero(me, x, bits=max(span.most.bit_length(), 1))
    return equal


async def _and(me: Party, _: Call, *arguments: Value) -> Truth:
    """True where all are; maybe where all may be."""
    given = [truth(one) for one in arguments]
    if all(one.true is one.maybe for one in given):
        true = await all_of(me, [one.true for one in given])
        return Truth(true, true)
    true, maybe = await together(
        all_of(me.step("true"), [one.true for one in given]), all_of(me.step("maybe"), [one.maybe for one in given])
    )
    return Truth(true, maybe)


async def _not(me: Party, _: Call, argument: Value) -> Truth:
    given = truth(argument)
    true = negation(me, given.maybe)
    return Truth(true, true if given.true is given.maybe else negation(me, given.true))


async def _or(me: Party, call: Call, *arguments: Value) -> Truth:
    turned = [await _not(me, call, one) for one in arguments]
    return await _not(me, call, await _and(me, call, *turned))


async def _is_null(me: Party, _: Call, argument: Value) -> Truth:
    null = null_of(me, argument)
    return Truth(null, null)


async def _case(me: Party, call: Call, *arguments: Value) -> Value:
    """The first value whose condition is true: conditions are taken together, then one exclusive flag a value."""
    conditions = [truth(one).true for one in arguments[:-1:2]]
    values = [*arguments[1:-1:2], arguments[-1]]
    none_before = await before_each(me.step("before"), [negation(me, one) for one in conditions])
    first = [*await both(me.step("first"), *zip(conditions, none_before[:-1], strict=True)), none_before[-1]]
    if call.type.kind == BOOL:
        return await _chosen_truth(me.step("choose"), first, [truth(one) for one in values])
    return await _chosen_number(me.step("choose"), first, [number(one) for one in values])


async def _chosen_truth(me: Party, first: Sequence[Flag], values: Sequence[Truth]) -> Truth:
    parts = [one.true for one in values] + [one.maybe for one in values]
    chosen = await both(me, *zip([*first, *first], parts, strict=True))
    return Truth(_union(me, chosen[: len(values)]), _union(me, chosen[len(values) :]))


async def _chosen_number(me: Party, first: Sequence[Flag], values: Sequence[Number]) -> Number:
    """The last value plus, for the one that is first, the difference to it."""
    nulls, value = await together(
        both(me.step("null"), *((flag, one.null) for flag, one in zip(first, values, strict=True))),
        _selected(me.step("value"), first[:-1], [one.value for one in values]),
    )
    return Number(value, _union(me, nulls), all(one.zeroed for one in values))


async def _selected(me: Party, first: Sequence[Flag], values: Sequence[Amount]) -> Amount:
    flags = await as_numbers(me.step("flags"), *first)
    last = values[-1]
    steps = [subtract(me, one, last) for one in values[:-1]]
    parts = await together(*(product(me.step(f"part.{at}"), flag, step) for at, (flag, step) in enumerate(zip(flags, steps, strict=True))))
    for part in parts:
        last = add(me, last, part)
    return last


def _union(me: Party, flags: Sequence[Flag]) -> Flag:
    """OR of flags of which at most one is set."""
    out: Flag = False
    for one in flags:
        out = difference(me, out, one)
    return out


async def _coalesce(me: Party, call: Call, *arguments: Value) -> Value:
    """The first that is not NULL: 0 where NULL, plus the next where the one before is NULL."""
    if call.type.kind == BOOL:
        return await _coalesced_truth(me, [truth(one) for one in arguments])
    out = number(arguments[-1])
    for at, one in reversed(list(enumerate(arguments[:-1]))):
        here = me.step(f"or.{at}")
        first, (flag,) = await together(zeroed(here.step("value"), number(one)), as_numbers(here.step("null"), number(one).null))
        rest, (null,) = await together(product(here.step("rest"), flag, out.value), both(here.step("nulls"), (first.null, out.null)))
        out = Number(add(me, first.value, rest), null, out.zeroed)
    return out


async def _coalesced_truth(me: Party, values: Sequence[Truth]) -> Truth:
    out = values[-1]
    for at, one in reversed(list(enumerate(values[:-1]))):
        null = difference(me, one.true, one.maybe)
        true, maybe = await both(me.step(f"or.{at}"), (null, out.true), (null, out.maybe))
        out = Truth(difference(me, one.true, true), difference(me, one.true, maybe))
    return out


LOGIC: dict[str, Callable[..., Awaitable[Any]]] = {
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), _compare),
    "and": _and,
    "or": _or,
    "not": _not,
    "is_null": _is_null,
    "case": _case,
    "coalesce": _coalesce,
}
