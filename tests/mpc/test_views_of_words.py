"""Exact views of the row-wise protocols on bits, conversions and comparisons, over tiny rings.

A view is what one server holds, draws and hears. Row-wise protocols treat rows alike, so one run enumerates all coins: row i has
the i-th of all coin sequences. A protocol hides its inputs if every server's multiset of views is the same whatever they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pytest

from accord.base.ring import Column, Ring
from accord.mpc import bits, compare, convert
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.testing.world import reconstruct
from accord.wire.local import run_local

COIN_BITS_MAX = 20
DEALER = 3
"""The component number of coins that no server draws."""


@dataclass
class EveryRow:
    """Coins of all servers: each address takes the next bits of the row number, so that the rows together are every sequence."""

    rows: int
    drawn: dict[tuple[int, str, str], tuple[int, int]] = field(default_factory=dict)
    used: int = 0

    def value(self, component: int, width: int, path: str, lane: str) -> Column:
        address = component, path, lane
        if address not in self.drawn:
            self.drawn[address] = self.used, width
            self.used += width
        at, width = self.drawn[address]
        return np.arange(self.rows, dtype=np.uint64) >> np.uint64(at) & np.uint64((1 << width) - 1)

    def column(self, component: int, ring: Ring, rows: int, path: str, lane: str, row: int) -> Column:
        return self.value(component, ring.bits, path, lane).astype(ring.dtype)

    def planes(self, component: int, width: int, rows: int, path: str, lane: str, row: int) -> Column:
        return bits.planes_from_column(self.value(component, width, path, lane), width)


@dataclass(frozen=True)
class Case:
    """A protocol with its public facts filled in, its inputs (each a ring, or the width of a word) and its result.

    `elements`: a pattern of the paths whose messages are ring elements, not planes. `secrets`: all of the inputs' values unless
    the protocol needs a range.
    """

    protocol: Callable[..., Any]
    inputs: tuple[Ring | int, ...]
    twin: Callable[..., Any]
    elements: str = "(?!)"
    secrets: tuple[tuple[int, ...], ...] = ()
    has_pivot: bool = True


def deal(tape: EveryRow, name: str, kind: Ring | int, value: int) -> list[Column]:
    """Three components as uint64 columns, uniform but for their sum."""
    width = kind.bits if isinstance(kind, Ring) else kind
    a, b = (tape.value(DEALER, width, name, lane) for lane in "ab")
    rest = np.uint64(value) - a - b if isinstance(kind, Ring) else np.uint64(value) ^ a ^ b
    return [a, b, rest & np.uint64((1 << width) - 1)]


def hold(kind: Ring | int, parts: list[Column], i: int) -> Share | Bits:
    own, after = parts[i], parts[(i + 1) % 3]
    if isinstance(kind, Ring):
        return Share(kind, own.astype(kind.dtype), after.astype(kind.dtype))
    return Bits(len(own), bits.planes_from_column(own, kind), bits.planes_from_column(after, kind))


def split(payload: bytes, rows: int, as_elements: bool) -> tuple[Column, int]:
    """A message row by row, and its bits a row: ring elements are packed row after row, bits plane after plane."""
    wire, width = np.frombuffer(payload, np.uint8), len(payload) * 8 // rows
    if as_elements:
        return Ring(width).unpack(wire, rows).astype(np.uint64), width
    return bits.column_from_planes(wire.view(np.uint64).reshape(width, -1), rows), width


def packed(columns: list[tuple[Column, int]]) -> Column:
    """Columns of a few bits each as one number a row; the same numbers for the same columns."""
    number, used = np.zeros_like(columns[0][0]), 0
    for column, width in columns:
        number |= column << np.uint64(used)
        used += width
    assert used <= 64
    return number


def run(case: Case, secret: tuple[int, ...], pivot: int, rows: int) -> tuple[EveryRow, list[Column], Any]:
    """The coins, every server's views (a number a row), and the results."""
    tape, widths = EveryRow(rows), [kind.bits if isinstance(kind, Ring) else kind for kind in case.inputs]
    parts = [deal(tape, *given) for given in zip(("x", "y", "z"), case.inputs, secret, strict=False)]
    held = [[hold(kind, part, i) for kind, part in zip(case.inputs, parts, strict=True)] for i in range(3)]
    seen = [[(part[(i + j) % 3], width) for part, width in zip(parts, widths, strict=True) for j in (0, 1)] for i in range(3)]
    parties = [Party(i, tape, pivot=pivot) for i in range(3)]
    outcome = run_local([case.protocol(me, *held[me.index]) for me in parties], keep=True)
    for line in (line for one in outcome.traffic for line in one.lines):
        seen[line.receiver].append(split(line.payload or b"", rows, bool(re.search(case.elements, line.path.split("@")[0]))))
    for (component, path, lane), (_, width) in tape.drawn.items():
        for i in {component, component - 1} if component < DEALER else ():
            seen[i % 3].append((tape.value(component, width, path, lane), width))
    return tape, [packed(columns) for columns in seen], outcome.results


def views(case: Case, secret: tuple[int, ...], pivot: int) -> list[bytes]:
    """Every server's multiset of views over all coins; asserts the right result under each of them."""
    coin_bits = run(case, secret, pivot, 64)[0].used
    assert coin_bits <= COIN_BITS_MAX
    _, columns, results = run(case, secret, pivot, max(64, 1 << coin_bits))
    value = reconstruct(results)
    assert np.all(value == case.twin(*secret)), (secret, value)
    return [np.sort(column).tobytes() for column in columns]


def some(protocol: Callable[..., Any], *facts: Any) -> Callable[..., Any]:
    return lambda me, *secrets: protocol(me, *secrets, *facts)


R1, R2, R3 = Ring(1), Ring(2), Ring(3)

CASES = {
    "and": Case(bits.and_bits, (1, 1), lambda a, b: a & b, has_pivot=False),
    "or": Case(bits.or_bits, (1, 1), lambda a, b: a | b, has_pivot=False),
    "select": Case(bits.select_bits, (1, 1, 1), lambda c, a, b: a if c else b, has_pivot=False),
    "all of 3": Case(bits.all_bits, (3,), lambda a: a == 7, has_pivot=False),
    "bit to Z_2": Case(some(convert.bit_to_ring, R1), (1,), lambda b: b, elements=".*"),
    "bit to Z_8": Case(some(convert.bit_to_ring, R3), (1,), lambda b: b, elements=".*"),
    "word to Z_4": Case(some(convert.to_ring_direct, R2), (2,), lambda b: b, elements="^reshare"),
    "word to Z_8": Case(some(convert.to_ring_direct, R3), (2,), lambda b: b, elements="^reshare"),
    "word to Z_4 by adder": Case(some(convert.to_ring_adder, R2), (2,), lambda b: b),
    "short word to Z_4 by adder": Case(some(convert.to_ring_adder, R2), (1,), lambda b: b),
    "Z_2 to word": Case(convert.to_bits, (R1,), lambda x: x),
    "Z_4 to word": Case(convert.to_bits, (R2,), lambda x: x),
    "Z_8 to word": Case(convert.to_bits, (R3,), lambda x: x),
    "Z_4 to Z_8": Case(some(convert.cast_up, R3), (R2,), lambda x: x, elements=".*", secrets=((0,), (1,))),
    "Z_8 to Z_16": Case(some(convert.cast_up, Ring(4)), (R3,), lambda x: x, elements=".*", secrets=((0,), (1,), (2,), (3,))),
    "Z_4 to Z_8, signed": Case(some(convert.cast_up_signed, R3), (R2,), lambda x: (0, 0, 0, 7)[x], elements=".*", secrets=((0,), (3,))),
    "sign in Z_2": Case(some(compare.sign, 1), (R1,), lambda x: x),
    "sign in Z_4": Case(some(compare.sign, 2), (R2,), lambda x: x >> 1),
    "sign in Z_8": Case(some(compare.sign, 3), (R3,), lambda x: x >> 2),
    "sign of 2 bits in Z_8": Case(some(compare.sign, 2), (R3,), lambda x: x >> 1 & 1),
    "less than": Case(some(compare.less_than, 2), (R2, R2), lambda x, y: (x - y) % 4 >> 1),
    "zero in Z_8": Case(some(compare.is_zero, 3), (R3,), lambda x: x == 0),
    "equality": Case(some(compare.equality, 2), (R2, R2), lambda x, y: x == y),
    "words less than": Case(compare.less_than_bits, (2, 2), lambda a, b: a < b, secrets=((0, 0), (0, 3), (3, 1), (2, 3)), has_pivot=False),
    "words equal": Case(compare.equality_bits, (2, 2), lambda a, b: a == b, has_pivot=False),
}
"""By the smallest ring or width at which every branch of a protocol runs."""


def leaks(case: Case, pivot: int) -> bool:
    """Whether some server's views depend on the inputs."""
    sizes = [kind.bits if isinstance(kind, Ring) else kind for kind in case.inputs]
    secrets = case.secrets or tuple(product(*(range(1 << size) for size in sizes)))
    first = views(case, secrets[0], pivot)
    return any(views(case, secret, pivot) != first for secret in secrets[1:])


@pytest.mark.parametrize(("name", "pivot"), [(name, pivot) for name, case in CASES.items() for pivot in range(3 if case.has_pivot else 1)])
def test_no_server_sees_anything(name: str, pivot: int) -> None:
    assert not leaks(CASES[name], pivot)


class Unmasked(EveryRow):
    """Coins of which one, at one path, is always zero."""

    dropped = ""

    def value(self, component: int, width: int, path: str, lane: str) -> Column:
        coins = super().value(component, width, path, lane)
        return np.zeros_like(coins) if component < DEALER and path == self.dropped else coins


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("and", ""),
        ("bit to Z_8", "pivot"),
        ("bit to Z_8", "reshare"),
        ("word to Z_4", "pivot"),
        ("word to Z_4 by adder", "fresh"),
        ("Z_4 to Z_8", "wrap"),
        ("Z_4 to Z_8", "both"),
        ("sign in Z_8", "halves/pivot"),
        ("sign in Z_8", "halves/generate"),
        ("sign in Z_8", "carries/level.0"),
        ("zero in Z_8", "pivot"),
        ("zero in Z_8", "all/width.2"),
    ],
)
def test_a_dropped_mask_is_seen(name: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Unmasked, "dropped", path)
    monkeypatch.setitem(globals(), "EveryRow", Unmasked)
    assert leaks(CASES[name], pivot=1)
