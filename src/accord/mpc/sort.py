"""Radix sort on secret keys of any width: stable, a few bits a pass, lowest bits first [CHI+19].

A pass makes the one-hot of each row's digit, counts with it where the row goes, opens these row numbers behind a fresh shuffle, and
moves what is left of the key, with the row's original number, to the opened places. In the pivot view a digit is u ⊕ v: role 0
shares the one-hot of u, and roles 1 and 2, who know v, put their parts of it into the order of u ⊕ v.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from accord.base.errors import OurFault
from accord.base.limits import ROWS_MAX
from accord.base.ring import Column, Ring
from accord.mpc.bits import not_bits
from accord.mpc.compose import in_blocks
from accord.mpc.cost import Cost, costs
from accord.mpc.kernels import Pair
from accord.mpc.kernels_permute import destinations, one_hot_rest, one_hot_sums, one_hot_turned, pack, unpack
from accord.mpc.party import LAN, PROFILES, Party, Profile
from accord.mpc.permute import Permutation, apply_first, apply_first_cost, carried, gather, index_ring
from accord.mpc.share import Bits, Share
from accord.mpc.shuffle import AnyColumn, Load, Span, Way, Words, draw_shuffle, load_of, shuffle_cost, way_through, words_from_bits

KEY_BITS_MAX = 256
assert all((ROWS_MAX - 1).bit_length() + one.chunk_bits <= 64 for one in PROFILES.values()), "a row's number and its key bits fill one word"
assert all((one.block_rows - 1).bit_length() + one.wider[1] <= 64 for one in PROFILES.values() if one.wider), "so they do in one block"

# ---- keys


def signed_key(me: Party, word: Bits) -> Bits:
    """Two's complement, as of `to_bits`, in the order of the numbers: the sign turned over. Local."""
    return Bits.stack([word.planes(slice(-1)), not_bits(me, word.plane(word.width - 1))])


def descending_key(me: Party, key: Bits) -> Bits:
    """The same key for the opposite order. Local."""
    return not_bits(me, key)


def null_key(me: Party, valid: Bits, key: Bits, *, nulls_first: bool = False) -> Bits:
    """A key of values that may be NULL, one bit wider. Local. Needs: keys that are alike in all invalid rows (`scan.keep`), since NULLs
    are equal to each other in an order.
    """
    return joined_key([valid if nulls_first else not_bits(me, valid), key])


def joined_key(keys: Sequence[Bits]) -> Bits:
    """Several keys as one, the first being the most significant. Local."""
    return Bits.stack(list(reversed(keys)))


# ---- one digit


@dataclass(frozen=True)
class OneHots:
    """The indicators of the values 1 … 2^D − 1 of every row's digit, replicated, in blocks by their first rows: (2^D − 1, rows) elements
    each. `sums` are those of all rows so far.
    """

    ring: Ring
    values: int
    blocks: dict[int, Pair]
    sums: Pair

    @staticmethod
    def room(ring: Ring, bits: int) -> OneHots:
        values = (1 << bits) - 1
        return OneHots(ring, values, {}, (np.zeros(values, ring.dtype), np.zeros(values, ring.dtype)))

    def put(self, start: int, own: Column, after: Column) -> None:
        self.blocks[start] = own, after
        for total, part in zip(self.sums, (own, after), strict=True):
            total += one_hot_sums(part)


def one_hot_cost(rows: int, bits: int, ring: Ring) -> Cost:
    return Cost(2, 3 * ring.nbytes(rows * ((1 << bits) - 1)))


@costs(one_hot_cost)
async def one_hot(me: Party, digits: Words, span: Span, into: OneHots) -> None:
    """The indicators of the digits of rows `span`, as one block.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   2 rounds, 2^D − 1 elements a row and server. Facts: rows, D, ring.
    """
    ring, shape = into.ring, (into.values, digits.rows)
    view = digits.own ^ digits.next if me.role == 0 else digits.next if me.role == 1 else digits.own
    parts = await _pivot_parts(me.step("pivot"), view, ring, shape)
    me = me.step("reshare")
    fresh = [me.role_mask(role, ring, shape[0] * shape[1]).reshape(shape) for role in (0, 1) if me.role in (0, 2 - role)]
    if parts is None:
        await me.exchange({}, {})
        into.put(span.start, *fresh)
        return
    (mask,), peer = fresh, me.server(3 - me.role)
    sent = one_hot_turned(parts, view, me.role - 1, mask, ring)
    heard = await me.exchange({peer: pack(sent.reshape(-1), ring)}, {peer: ring.nbytes(sent.size)})
    last = unpack(heard[peer], ring, sent.size).reshape(shape) + sent
    last &= ring.mask
    into.put(span.start, *((mask, last) if me.role == 1 else (last, mask)))


async def _pivot_parts(me: Party, view: Column, ring: Ring, shape: tuple[int, int]) -> Column | None:
    """Role 0 shares the one-hot of its digits among roles 1 and 2: their parts; None at role 0."""
    count = shape[0] * shape[1]
    if me.role == 2:
        heard = await me.exchange({}, {me.server(0): ring.nbytes(count)})
        return unpack(heard[me.server(0)], ring, count).reshape(shape)
    mask = me.role_mask(1, ring, count).reshape(shape)
    if me.role == 1:
        await me.exchange({}, {})
        return mask
    await me.exchange({me.server(2): pack(one_hot_rest(view, mask, ring).reshape(-1), ring)}, {})
    return None


# ---- where rows go


async def _row_numbers(me: Party, way: Way, hots: OneHots) -> Load:
    """Σ_v f_v S_v of every row, the row number that it goes to, at the entrance of a shuffle: A and B know one summand each.

    One round, one element a row from C to A.
    """
    ring, rows = hots.ring, way.rows
    ones = int(me.index == 0), int(me.right == 0)
    before = tuple(_before(sums, one * rows, one) for sums, one in zip(hots.sums, ones, strict=True))
    summands = np.empty(rows, ring.dtype)
    for start in sorted(hots.blocks):
        own, after = hots.blocks.pop(start)
        destinations((own, after), ones, (before[0], before[1]), summands[start : start + own.shape[1]])
    await in_blocks(_told, me, Span(0, rows), way=way, ring=ring, summands=summands)
    return Load(ring, False, None if me.index == way.c else summands, opens=True)


def _before(sums: Column, rows: int, one: int) -> Column:
    """For every value of the digit the number of rows with a smaller one, less one: where its first row goes, less one."""
    zeros = np.full(1, rows & np.iinfo(sums.dtype).max, sums.dtype) - sums.sum(dtype=sums.dtype, keepdims=True)
    smaller: Column = np.cumsum(np.r_[sums.dtype.type(0), zeros, sums[:-1]], dtype=sums.dtype) - one
    return smaller


async def _told(me: Party, span: Span, way: Way, ring: Ring, summands: Column) -> None:
    """C's summands go to A, who adds them to its own, under a mask that B takes off its own."""
    here = summands[span.start : span.stop]
    if me.index == way.b:
        here -= me.mask(way.bc, ring, span.rows)
    if me.index == way.c:
        here += me.mask(way.bc, ring, span.rows)
        await me.exchange({way.a: pack(ring.reduce(here), ring)}, {})
        return
    heard = await me.exchange({}, {way.c: ring.nbytes(span.rows)} if me.index == way.a else {})
    if heard:
        here += unpack(heard[way.c], ring, span.rows)
    here &= ring.mask


def pass_cost(rows: int, bits: int, *kinds: Ring | int) -> Cost:
    ring = index_ring(rows)
    return one_hot_cost(rows, bits, ring).then(Cost(1, ring.nbytes(rows))).then(apply_first_cost(rows, ring, *kinds))


@costs(pass_cost)
async def by_digit(me: Party, way: Way, digits: Words, loads: Sequence[Load]) -> tuple[Permutation, list[Share | Words]]:
    """The stable permutation by a digit of D bits, opened behind the way's shuffle, and the loads in its order.

    Learns: every server a uniform permutation of the rows.
    Opens:  the shuffled row numbers.
    Cost:   5 rounds; 3 (2^D − 1) + 7 row numbers a row, and 4 elements of each load, all servers together. Facts: rows, D, the ring or
            width of each load.
    """
    hots = OneHots.room(index_ring(way.rows), digits.ring.bits)
    await in_blocks(one_hot, me.step("digit"), digits, Span(0, way.rows), into=hots)
    first = await _row_numbers(me.step("rows"), way, hots)
    return await carried(me.step("move"), way, first, loads)


# ---- all digits


def chunks_of(bits: int, profile: Profile) -> list[tuple[int, list[int]]]:
    """The lowest bit of each chunk of a key, and the widths of its digits."""
    chunks = []
    for low in range(0, bits, profile.chunk_bits):
        width = min(profile.chunk_bits, bits - low)
        chunks.append((low, [min(profile.digit_bits, width - at) for at in range(0, width, profile.digit_bits)]))
    return chunks


def suited(profile: Profile, rows: int) -> Profile:
    """The profile with the digits and chunks of so many rows."""
    if profile.wider is None or profile.block_size(rows) < rows:
        return profile
    digit_bits, chunk_bits = profile.wider
    return replace(profile, digit_bits=digit_bits, chunk_bits=chunk_bits)


def row_numbers(me: Party, rows: int) -> Words:
    """The public row numbers as words: local."""
    ring = index_ring(rows)
    numbers = np.arange(rows, dtype=ring.dtype)
    return Words(ring, numbers if me.index == 0 else ring.zeros(rows), numbers if me.right == 0 else ring.zeros(rows))


def order_cost(rows: int, bits: int, profile: Profile = LAN) -> Cost:
    cost, number = Cost(0, 0), index_ring(rows).bits
    for low, digits in chunks_of(bits, suited(profile, rows)):
        left = sum(digits)
        if low:
            cost = cost.then(apply_first_cost(rows, number)).then(shuffle_cost(rows, left))
        for digit in digits:
            left -= digit
            cost = cost.then(pass_cost(rows, digit, number + left))
    return cost.then(apply_first_cost(rows, number))


@costs(order_cost)
async def order(me: Party, key: Bits) -> Permutation:
    """The stable ascending order of unsigned keys of 1 … 256 bits: row j of the sorted table is row dest[j], so that `gather` sorts.

    Learns: every server a uniform permutation of the rows a pass.
    Opens:  the shuffled row numbers, once a pass.
    Cost:   5 rounds a digit of D bits, and 3 (2^D − 1) + 7 row numbers and 4 words of what is left of the key and a number, all servers
            together; 4 rounds more for each chunk of the key but the first, 2 at the end. Facts: rows, bits, profile.
    """
    if not 1 <= key.width <= KEY_BITS_MAX:
        raise OurFault(f"a sort by {key!r}", rule=f"keys of 1 to {KEY_BITS_MAX} bits", do="hash wider keys")
    rows: Words | None = None
    for low, digits in chunks_of(key.width, suited(me.profile, key.rows)):
        here = me.step(f"bits.{low}")
        (chunk,) = words_from_bits(key.planes(slice(low, low + sum(digits))))
        if rows is not None:
            before, _ = await apply_first(here.step("open"), rows)
            (taken,) = await gather(here.step("take"), before, [chunk])
            assert isinstance(taken, Words)
            me, here, chunk = me.turned(1), here.turned(1), taken
        rows = await _chunk_sorted(here, chunk, digits, rows)
        me = me.turned(len(digits))
    assert rows is not None
    return (await apply_first(me.step("open"), rows))[0]


def sort_cost(rows: int, bits: int, profile: Profile, *kinds: Ring | int) -> Cost:
    return order_cost(rows, bits, profile).then(shuffle_cost(rows, *kinds))


@costs(sort_cost)
async def sort(me: Party, key: Bits, columns: Sequence[AnyColumn]) -> tuple[Permutation, list[AnyColumn]]:
    """The columns (the key among them where it is wanted) in the stable ascending order of the key, and that order.

    Learns: as `order`.
    Opens:  as `order`.
    Cost:   as `order`, and 2 rounds and 4 elements a row of each column, all servers together. Facts: rows, bits, profile, the
            ring or width of each column.
    """
    permutation = await order(me.step("order"), key)
    return permutation, await gather(me.step("columns"), permutation, columns)


async def _chunk_sorted(me: Party, chunk: Words, digits: Sequence[int], rows: Words | None) -> Words:
    """The rows' original numbers in the order of a chunk of their keys, digit by digit; `rows` has the numbers before, None for 0, 1, …"""
    record = _record(me, chunk, rows)
    for number, bits in enumerate(digits):
        here = me.step(f"digit.{number}").turned(number)
        way = way_through(draw_shuffle(here, record.rows))
        _, (moved,) = await by_digit(here, way, _lowest(record, bits), [_shortened(here, way, record, bits)])
        assert isinstance(moved, Words)
        record = moved
    return record


def _record(me: Party, chunk: Words, rows: Words | None) -> Words:
    """A word a row: the original row number above the bits of the key."""
    bits, ring = chunk.ring.bits, Ring(chunk.ring.bits + index_ring(chunk.rows).bits)
    rows = row_numbers(me, chunk.rows) if rows is None else rows
    pairs = (chunk.own, rows.own), (chunk.next, rows.next)
    return Words(ring, *(low.astype(ring.dtype) | high.astype(ring.dtype) << ring.dtype.type(bits) for low, high in pairs))


def _lowest(record: Words, bits: int) -> Words:
    """The digit: the lowest bits of each word."""
    ring = Ring(bits)
    return Words(ring, *((part & part.dtype.type(ring.mask)).astype(ring.dtype) for part in (record.own, record.next)))


def _shortened(me: Party, way: Way, record: Words, bits: int) -> Load:
    """The words without their lowest bits, at the entrance of a shuffle."""
    load, ring = load_of(me, way, record), Ring(record.ring.bits - bits)
    part = None if load.part is None else (load.part >> load.part.dtype.type(bits)).astype(ring.dtype, copy=False)
    return Load(ring, True, part)
