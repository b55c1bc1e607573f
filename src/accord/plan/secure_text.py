"""Texts on shares: a word of their bytes, the first byte highest, zeros behind the end; or their digest. 0 where NULL.

They are compared for equality and chosen; what else is done with texts their owners do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import OurFault
from accord.data.encode import text_bytes
from accord.mpc.bits import not_bits, planes_from_bools, public_bits
from accord.mpc.party import Party
from accord.mpc.rows import zeros_like
from accord.mpc.share import Bits
from accord.plan.expression import Call
from accord.plan.secure_calls import and_bits
from accord.plan.secure_flags import Flag, before_each, both, difference, negation
from accord.plan.secure_relations import all_bits, look_up_bits
from accord.plan.secure_table import bits_shared
from accord.plan.secure_values import Number, Truth, Value, number, truth
from accord.plan.types import TEXT, Type
from accord.wire.exchange import Protocol

LOOKED_UP_BITS = 64


def planes_of_texts(texts: Sequence[str], bytes_max: int) -> NDArray[np.uint64]:
    """Public texts as bit-planes, as owners share them."""
    encoded = text_bytes(texts, bytes_max)
    bytes_each = encoded.view(np.uint8).reshape(len(texts), encoded.dtype.itemsize)[:, ::-1]
    bits = np.unpackbits(np.ascontiguousarray(bytes_each), axis=1, bitorder="little")
    return np.concatenate([planes_from_bools(one) for one in bits.T]) if len(texts) else np.zeros((bits.shape[1], 0), np.uint64)


def word_of(me: Party, value: Any, type: Type, bytes_max: int, rows: int) -> Bits:
    """A text's word of so many bytes (0: its digest), of a secret or a public one. Raises OurFault for a digest beside a text of bytes."""
    if not isinstance(value, Bits):
        return public_bits(me, planes_of_texts(value.tolist(), bytes_max), rows)
    if bool(type.bytes_max) != bool(bytes_max):
        raise OurFault("a digest beside a text of bytes", do="declare bytes_max for both, or for neither")
    missing = bits_shared(Type(TEXT, bytes_max=bytes_max)) - value.width
    none = zeros_like(value, rows).planes(slice(0, 1))
    return Bits.stack([*([none] * missing), value]) if missing else value


def _bytes_max(types: Sequence[Type]) -> int:
    """The form in which texts of these types are compared: bytes for the longest, or digests if one is a digest."""
    return max(one.bytes_max for one in types) if all(one.bytes_max for one in types) else 0


def _masked(flag: Flag, word: Bits) -> Bits | None:
    """The word where a public flag is set; None for a secret flag."""
    if isinstance(flag, Bits):
        return None
    if isinstance(flag, bool):
        return word if flag else zeros_like(word, word.rows)
    planes = planes_from_bools(flag)
    return Bits(word.rows, word.own & planes, word.next & planes)


async def where(me: Party, flag: Flag, word: Bits) -> Bits:
    """The word where the flag is set, 0 elsewhere."""
    known = _masked(flag, word)
    if known is not None:
        return known
    assert isinstance(flag, Bits)
    wide = Bits(word.rows, np.repeat(flag.own, word.width, axis=0), np.repeat(flag.next, word.width, axis=0))
    made: Bits = await and_bits(me, wide, word)
    return made


async def _compare(me: Party, call: Call, left: Value, right: Value, rows: int) -> Truth:
    types = [one.type for one in call.arguments]
    form = _bytes_max(types)
    a, b = (word_of(me, number(one).value, of, form, rows) for one, of in zip((left, right), types, strict=True))
    same: Flag = await all_bits(me.step("same"), not_bits(me, a ^ b))
    if call.function == "ne":
        same = negation(me, same)
    known = negation(me, number(left).null), negation(me, number(right).null)
    (both_known,) = await both(me.step("known"), known)
    (true,) = await both(me.step("true"), (same, both_known))
    return Truth(true, difference(me, true, negation(me, both_known)))


async def _case(me: Party, call: Call, *given: Any) -> Number:
    """As of numbers: one exclusive flag a value; the words of all, each where its flag is set, put together."""
    *arguments, rows = given
    conditions = [truth(one).true for one in arguments[:-1:2]]
    values = [number(one) for one in (*arguments[1:-1:2], arguments[-1])]
    none_before = await before_each(me.step("before"), [negation(me, one) for one in conditions])
    first = [*await both(me.step("first"), *zip(conditions, none_before[:-1], strict=True)), none_before[-1]]
    types = [one.type for one in (*call.arguments[1:-1:2], call.arguments[-1])]
    words = [word_of(me, one.value, of, call.type.bytes_max, rows) for one, of in zip(values, types, strict=True)]
    nulls = await both(me.step("null"), *((flag, one.null) for flag, one in zip(first, values, strict=True)))
    whole, null = words[-1] ^ words[-1], False
    for at, (flag, word, missing) in enumerate(zip(first, words, nulls, strict=True)):
        whole = whole ^ await where(me.step(f"value.{at}"), flag, word)
        null = difference(me, null, missing)  # type: ignore[assignment]
    return Number(whole, null)  # type: ignore[arg-type]


async def _coalesce(me: Party, call: Call, *arguments: Any) -> Number:
    *values, rows = arguments
    pairs = [
        (word_of(me, number(one).value, argument.type, call.type.bytes_max, rows), number(one).null)
        for one, argument in zip(values, call.arguments, strict=True)
    ]
    word, null = pairs[-1]
    for at, (here, missing) in reversed(list(enumerate(pairs[:-1]))):
        word = here ^ await where(me.step(f"or.{at}"), missing, word)
        (null,) = await both(me.step(f"null.{at}"), (missing, null))
    return Number(word, null)  # type: ignore[arg-type]


async def _cast(me: Party, call: Call, argument: Value, rows: int) -> Number:
    """A category's text, looked up; a text in more bytes."""
    of, given = call.arguments[0].type, number(argument)
    width = bits_shared(call.type)
    if of.kind == TEXT:
        return Number(word_of(me, given.value, of, call.type.bytes_max, rows), given.null)  # type: ignore[arg-type]
    table = planes_of_texts(of.values, call.type.bytes_max)
    parts = []
    for low in range(0, width, LOOKED_UP_BITS):
        words = _words(table[low : low + LOOKED_UP_BITS], len(of.values))
        parts.append(await look_up_bits(me.step(f"bits.{low}"), given.value, words, min(LOOKED_UP_BITS, width - low)))
    return Number(await where(me.step("known"), negation(me, given.null), Bits.stack(parts)), given.null)  # type: ignore[arg-type]


def _words(planes: NDArray[np.uint64], rows: int) -> NDArray[np.int64]:
    """Planes as integers modulo 2^64, signed."""
    bits = np.stack([np.unpackbits(one.view(np.uint8), count=rows, bitorder="little") for one in np.ascontiguousarray(planes)])
    weights = np.uint64(1) << np.arange(len(bits), dtype=np.uint64)
    words: NDArray[np.uint64] = (bits.astype(np.uint64) * weights[:, None]).sum(axis=0, dtype=np.uint64)
    return words.view(np.int64)


TEXTS: dict[str, Callable[..., Protocol[Any]]] = {
    "eq": _compare,
    "ne": _compare,
    "case": _case,
    "coalesce": _coalesce,
    "cast": _cast,
}
"""Functions of texts: the party, the call, its arguments' values, the number of rows."""


def of_texts(call: Call) -> bool:
    """Whether a call computes with texts as words."""
    compared = call.function in ("eq", "ne") and call.arguments[0].type.kind == TEXT
    return compared or (call.type.kind == TEXT and call.function in TEXTS)
