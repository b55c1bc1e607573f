"""Exact views: a protocol under every sequence of coins at once, and what each server saw counted.

A server's view is its input shares, its coins and the messages it received. Rows of a column are independent, so every row can be one
case, (input, coin sequence), and one run of the protocol is all of them: `every_view` finds out which coins are drawn, gives the
digits of the case number as coins, and counts. At Z_2^1 to Z_2^4 a leaf protocol has 2^6 to 2^22 sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.base.errors import OurFault
from accord.base.limits import SERVERS
from accord.base.ring import Column, Ring
from accord.mpc.bits import column_from_planes, planes_from_column
from accord.mpc.party import Party, Profile
from accord.mpc.share import Bits, Secret, Share
from accord.testing.world import Dealt, Ending, deal_parts, reconstruct
from accord.wire.exchange import Protocol
from accord.wire.local import run_local

SEQUENCE_BITS_MAX = 22
"""At most 2^22 coin sequences an input."""
CASES_MIN = 1 << 12
"""Fewer cases are repeated up to here, so that a payload's size tells how it is packed."""
DENSE_SPREAD = 8
"""Keys up to so many times their number are renumbered by a table, others by sorting."""

Keys = NDArray[np.int64]
"""One number a case; equal numbers stand for equal things."""


@dataclass(frozen=True)
class At:
    """A plaintext argument that one server has (the others get None): elements of a ring, or words of so many bits as planes."""

    server: int
    form: Ring | int


Form = Ring | int | At
"""How a secret argument is dealt: a Share over the ring, Bits of that width, or `At` one server."""


@dataclass(frozen=True)
class Views:
    """The views of all cases. `inputs` and `values` (the result put together; 0 where there is none) say which case is which;
    `shares[i]` stands for server i's shares of the inputs and of the result, `views[i]` for its whole view; `results` for what
    the servers returned in clear.
    """

    sequences: int
    inputs: Keys
    values: Keys
    shares: tuple[Keys, ...]
    views: tuple[Keys, ...]
    results: Keys

    def without_last(self) -> Views:
        shares, views = (tuple(one[:-1] for one in every) for every in (self.shares, self.views))
        return Views(self.sequences, self.inputs[:-1], self.values[:-1], shares, views, self.results[:-1])

    def differ(self, server: int, *, groups: Sequence[Hashable] | None = None, with_results: bool = False) -> bool:
        """Whether some two inputs (of one group; all are one unless told) give this server different multisets of views.

        `with_results` adds what all servers returned in clear: the view of a recipient who sees one server's view as well.
        """
        seen = combine([self.views[server], self.results]) if with_results else self.views[server]
        labels = [0] * (int(self.inputs.max()) + 1) if groups is None else list(groups)
        numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
        of_input = np.array([numbers[label] for label in labels], np.int64)
        return not _same_within(of_input[self.inputs], self.inputs, seen)

    def depend(self, server: int) -> bool:
        """Whether, given this server's shares of inputs and result, its view still depends on the inputs or on the result's value.

        If not, a simulator that is given those shares makes the view: the joint law of view and result is the functionality's.
        """
        return not _same_within(self.shares[server], combine([self.inputs, self.values]), self.views[server])


def every_view(
    protocol: Callable[..., Protocol[Any]],
    forms: Sequence[Form],
    inputs: Sequence[tuple[Any, ...]],
    *,
    rows: int = 1,
    pivot: int = 0,
    profile: Profile | None = None,
    arrange: Callable[[int], Mapping[str, Any]] = lambda cases: {},
) -> Views:
    """Run `protocol(me, *arguments, **arrange(cases))` on every input under every sequence of coins.

    forms: how each argument is dealt. inputs: for each input one value an argument, an integer or `rows` of them; a case takes
    `rows` consecutive rows of every argument. arrange: public arguments that depend on how many cases run side by side.
    Raises OurFault beyond 2^22 sequences.
    """
    run = _Run(protocol, forms, rows, pivot, profile or Profile(), arrange)
    table = _Table()
    run.over(table, np.zeros(1, np.uint64), 0, list(inputs))
    if table.bits > SEQUENCE_BITS_MAX:
        raise OurFault(f"2^{table.bits} coin sequences", rule=f"at most 2^{SEQUENCE_BITS_MAX}", do="take a smaller ring or fewer inputs")
    cases = len(inputs) << table.bits
    # A multiple of 64, and one more: payloads then have a size that tells elements from planes. The one is dropped at the end.
    number = np.arange(cases * (64 * -(-CASES_MIN // (64 * cases)) if cases < CASES_MIN or cases % 64 else 1) + 1, dtype=np.uint64)
    return run.over(table, number, table.bits, list(inputs)).without_last()


# ---- coins from case numbers


class _Table:
    """Which bits of a case number are which coin: places are given out as draws are first met."""

    def __init__(self) -> None:
        self.places: dict[object, tuple[int, int]] = {}
        self.bits = 0
        self.case = np.zeros(1, np.uint64)

    def digits(self, address: object, bits: int, rows: int) -> Column:
        """`rows` elements of `bits` bits, those of one case side by side."""
        each = rows // self.case.shape[0]
        if address not in self.places:
            self.places[address] = self.bits, each
            self.bits += bits * each
        place, drawn = self.places[address]
        if rows != drawn * self.case.shape[0]:
            raise OurFault(f"{rows} coins at {address} for {self.case.shape[0]} cases", rule="as many for every case")
        mask = np.uint64((1 << bits) - 1)
        # Beyond 64 places only the first, single case is run: it finds out that there are too many.
        columns = [(self.case >> np.uint64(min(place + j * bits, 63))) & mask for j in range(each)]
        return np.stack(columns, axis=1).reshape(-1)


class _Coins:
    """One server's coins from the table; remembers what it drew. An address is spent once."""

    def __init__(self, table: _Table, index: int) -> None:
        self.table, self.held = table, (index, (index + 1) % SERVERS)
        self.drawn: dict[object, Column] = {}

    def column(self, component: int, ring: Ring, rows: int, path: str, lane: str, row: int) -> Column:
        return self._draw((component, path, lane, row), ring.bits, rows).astype(ring.dtype)

    def planes(self, component: int, width: int, rows: int, path: str, lane: str, row: int) -> Column:
        return planes_from_column(self._draw((component, path, lane, row), width, rows), width)

    def _draw(self, address: tuple[int, str, str, int], bits: int, rows: int) -> Column:
        if address in self.drawn or address[0] not in self.held:
            raise OurFault(f"coins at {address} drawn twice or not held")
        column = self.table.digits(address, bits, rows)
        self.drawn[address] = column
        return column


# ---- a run of all cases


@dataclass(frozen=True)
class _Run:
    protocol: Callable[..., Protocol[Any]]
    forms: Sequence[Form]
    rows: int
    pivot: int
    profile: Profile
    arrange: Callable[[int], Mapping[str, Any]]

    def over(self, table: _Table, number: Column, sequence_bits: int, inputs: list[tuple[Any, ...]]) -> Views:
        """All cases of these numbers: coin sequence in the low bits, then the input, over and over."""
        table.case = number & np.uint64((1 << sequence_bits) - 1)
        which = (number >> np.uint64(sequence_bits)).astype(np.int64) % len(inputs)
        dealt = [self._dealt(table, at, form, which, inputs) for at, form in enumerate(self.forms)]
        coins = [_Coins(table, i) for i in range(SERVERS)]
        parties = [Party(i, coins[i], pivot=self.pivot, profile=self.profile) for i in range(SERVERS)]
        public = self.arrange(number.shape[0])
        running = [self.protocol(me, *(one.at[me.index] for one in dealt), **public) for me in parties]
        with Ending(running, f"in every_view, pivot {self.pivot}"):
            outcome = run_local(running, keep=True)
        return self._views(1 << sequence_bits, which, dealt, coins, outcome)

    def _dealt(self, table: _Table, at: int, form: Form, which: Keys, inputs: list[tuple[Any, ...]]) -> Dealt:
        column = np.array([np.broadcast_to(np.asarray(one[at]), self.rows) for one in inputs], np.int64)[which].reshape(-1)
        if isinstance(form, At):
            plain = _form_column(form.form, column)
            return Dealt(tuple(plain if i == form.server else None for i in range(SERVERS)))
        bits = form.bits if isinstance(form, Ring) else form
        a, b = (table.digits(("deal", at, component), bits, column.shape[0]) for component in (0, 1))
        if isinstance(form, Ring):
            a, b = a.astype(form.dtype), b.astype(form.dtype)
            return deal_parts((a, b, form.reduce(form.encode(column) - a - b)), lambda own, after: Share(form, own, after))
        x, a, b = (planes_from_column(one.astype(np.uint64), form) for one in (column, a, b))
        return deal_parts((a, b, x ^ a ^ b), lambda own, after: Bits(column.shape[0], own, after))

    def _views(self, sequences: int, which: Keys, dealt: list[Dealt], coins: list[_Coins], outcome: Any) -> Views:
        cases = which.shape[0]
        given = [[key for one in dealt for key in _keys_of(one.at[i], cases)] for i in range(SERVERS)]
        taken = [_keys_of(outcome.results[i], cases) for i in range(SERVERS)]
        views, shares = [], []
        for i in range(SERVERS):
            drawn = [key for column in coins[i].drawn.values() for key in _case_keys(column, cases)]
            heard = [
                _payload_keys(line.payload, cases, self.rows)
                for one in outcome.traffic
                for line in one.lines
                if line.receiver == i and line.payload is not None
            ]
            views.append(combine([*given[i], *drawn, *heard, which * 0]))
            shares.append(combine([*given[i], *taken[i], which * 0]))
        clear = combine([which * 0, *(key for one in outcome.results for key in _clear_keys(one, cases))])
        values = combine([which * 0, *_value_keys(outcome.results, cases)])
        return Views(sequences, which, values, tuple(shares), tuple(views), clear)


def _form_column(form: Ring | int, column: Column) -> Column:
    return form.encode(column) if isinstance(form, Ring) else planes_from_column(column.astype(np.uint64), form)


# ---- keys


def combine(columns: Sequence[Keys]) -> Keys:
    """One number a case for all columns together: equal where all are equal, dense from 0."""
    key, size = np.zeros(columns[0].shape[0], np.int64), 1
    roomy = DENSE_SPREAD * key.shape[0]
    for column in columns:
        column, count = (column, int(column.max()) + 1) if column.min() >= 0 else _dense(column)
        if size * count > roomy:
            (key, size), (column, count) = _dense(key), _dense(column)
        key, size = key * count + column, size * count
    return _dense(key)[0]


def _dense(column: Keys) -> tuple[Keys, int]:
    """The same column with its values numbered from 0, and how many there are; by a table where they lie close enough."""
    low, high = int(column.min()), int(column.max())
    if not 0 <= low <= high < DENSE_SPREAD * column.shape[0]:
        values, dense = np.unique(column, return_inverse=True)
        return dense.astype(np.int64), values.shape[0]
    seen = np.zeros(high + 1, np.bool_)
    seen[column] = True
    numbers = np.cumsum(seen, dtype=np.int64) - 1
    return numbers[column], int(numbers[-1]) + 1


def _same_within(group: Keys, member: Keys, seen: Keys) -> bool:
    """Whether in every group all its members have seen the same things equally often: n(seen, member) n(group) = n(seen) n(member).

    What one member never saw and another did shows, too: those that saw it have then seen it too often.
    """
    members, both = combine([group, member]), combine([group, seen])
    pairs = combine([members, both])
    first = np.zeros(int(pairs.max()) + 1, np.intp)
    first[pairs] = np.arange(pairs.shape[0])
    of_group, of_member, of_both, of_pair = (np.bincount(one)[one[first]] for one in (combine([group]), members, both, pairs))
    return bool((of_pair * of_group == of_both * of_member).all())


def _case_keys(column: Column, cases: int) -> list[Keys]:
    """Elements as one key column for each row of a case."""
    each = column.astype(np.uint64).astype(np.int64).reshape(cases, -1)
    return [each[:, j] for j in range(each.shape[1])]


def _keys_of(secret: Any, cases: int) -> list[Keys]:
    """A server's own holding of a secret (or its plain argument): both components."""
    if secret is None:
        return []
    if isinstance(secret, tuple):
        return [key for one in secret for key in _keys_of(one, cases)]
    if isinstance(secret, Share):
        return [key for one in (secret.own, secret.next) for key in _case_keys(one, cases)]
    if isinstance(secret, Bits):
        return [key for one in (secret.own, secret.next) for key in _case_keys(column_from_planes(one, secret.rows), cases)]
    return _clear_keys(secret, cases)


def _clear_keys(result: Any, cases: int) -> list[Keys]:
    """A plain column of elements, or planes of one row a case."""
    if not isinstance(result, np.ndarray):
        return []
    column = column_from_planes(result, cases) if result.ndim == 2 else result
    return _case_keys(column, cases)


def _value_keys(results: Sequence[Any], cases: int) -> list[Keys]:
    """The value of a secret result, or of each of a tuple of them."""
    if isinstance(results[0], tuple):
        return [key for one in zip(*results, strict=True) for key in _value_keys(one, cases)]
    return _case_keys(reconstruct(results), cases) if isinstance(results[0], Secret) else []


def _payload_keys(payload: bytes, cases: int, rows: int) -> Keys:
    """A message as one key a case: elements row by row, or planes; its size tells which, and how many bits a case has."""
    bits = np.unpackbits(np.frombuffer(payload, np.uint8), bitorder="little")
    for each in {1, rows}:
        words = (cases * each + 63) // 64
        width = len(payload) // (8 * words)
        if width and len(payload) == 8 * words * width:
            planes = bits.reshape(width, -1)[:, : cases * each].reshape(width, cases, each)
            return combine([plane[:, j].astype(np.int64) for plane in planes for j in range(each)])
    count = 8 * len(payload) // cases
    if (cases * count + 7) // 8 != len(payload):
        raise OurFault(f"a message of {len(payload)} bytes for {cases} cases", rule="as many bits for every case")
    return combine([one.astype(np.int64) for one in bits[: cases * count].reshape(cases, count).T])
