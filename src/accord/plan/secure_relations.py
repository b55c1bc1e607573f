"""The protocols of `mpc` on whole tables (sorts, groups, joins) that plans run on, each under its own name here; for a counter their cost
and zeros of the right shape.

Their messages are replayed in the pattern of a run of few rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import lru_cache, wraps
from typing import Any

import numpy as np

from accord.base.limits import KEY_BYTES, SERVERS
from accord.base.ring import Ring
from accord.mpc import bits, convert, group, hash_keys, join, lookup, permute, scan, segments, sort
from accord.mpc import group_largest as group_largest_of
from accord.mpc import join_many as many
from accord.mpc import join_range as ranged
from accord.mpc.coins import PairKeys
from accord.mpc.cost import cost_of
from accord.mpc.group import Arranged, Chosen, Groups
from accord.mpc.join import Joined, Merged
from accord.mpc.join_many import Paired, Partners, partner_ring
from accord.mpc.join_range import Between, Ranged, point_ring
from accord.mpc.party import Party, Profile
from accord.mpc.permute import Permutation
from accord.mpc.rows import zeros_like
from accord.mpc.share import Bits, Share
from accord.mpc.shuffle import Shuffle, draw_shuffle
from accord.plan.secure_calls import Counter, Pattern, _replay, _Step, _Tally, counted, zeros
from accord.wire.exchange import Protocol
from accord.wire.local import run_local

AnyProtocol = Callable[..., Protocol[Any]]


def relation(protocol: AnyProtocol, facts: Callable[..., tuple[Any, ...]], result: Callable[..., Any]) -> AnyProtocol:
    """The protocol; or for a counter messages of its cost for the facts of these arguments, and a result of zeros."""

    @wraps(protocol)
    async def call(me: Any, *secrets: Any, **public: Any) -> Any:
        if not isinstance(me, Counter):
            return await protocol(me, *secrets, **public)
        made = result(*secrets, **public)
        assert isinstance(me.coins, _Tally)
        if me.coins.replays:
            cost = cost_of(protocol, *facts(me, *secrets, **public))
            scale = _scale((*secrets, *public.values()), me.profile)
            described = _described(secrets, scale, me.pivot)
            named = _described([[name, scale(value) if name == "rows_max" else value] for name, value in public.items()], scale, me.pivot)
            few = cost_of(protocol, *facts(me, *_built(None, described), **dict(_built(None, named))))
            profile = me.profile if scale is _unscaled else replace(me.profile, block_rows=SMALL_BLOCK_ROWS)
            pattern, pivots = _pattern(protocol, described, named, profile, max(cost.rounds - few.rounds, 0))
            if me.index == 0:
                me.coins.bytes += cost.bytes
            handled = cost.bytes + _held((*secrets, *public.values()))
            await _replay(me, protocol.__name__, cost.bytes, handled, pattern)
            made = _with_pivots(made, pivots, me.pivot)
        return made

    return call


# ---- patterns of messages

ROWS_REPLAYED_MAX = 1 << 10
"""Of tables of so many rows or fewer, patterns are those of their own runs; of larger ones, those of as many blocks of few rows."""
SMALL_BLOCK_ROWS, SMALL_BLOCKS_MAX = 1 << 10, 16
Description = tuple[Any, ...]
Scale = Callable[[int], int]


def _scale(arguments: Any, profile: Profile) -> Scale:
    """How many rows stand for so many: all in one proportion, so that tables one after the other have as many blocks."""
    if _rows(arguments) <= ROWS_REPLAYED_MAX:
        return _unscaled
    return lambda rows: min(max(-(-rows * SMALL_BLOCK_ROWS // profile.block_rows), 2), SMALL_BLOCKS_MAX * SMALL_BLOCK_ROWS)


def _unscaled(rows: int) -> int:
    return rows


def _rows(arguments: Any) -> int:
    """The rows of the largest column."""
    if isinstance(arguments, list | tuple):
        return max(map(_rows, arguments), default=0)
    if isinstance(arguments, Joined):
        return arguments.merged.rows
    by = getattr(arguments, "by", None)
    return by.rows if by is not None else getattr(arguments, "rows", 0)


@lru_cache(maxsize=4096)
def _pattern(
    protocol: AnyProtocol, described: Description, named: Description, profile: Profile, further: int
) -> tuple[Pattern, Description]:
    """Who says how much to whom in a run of such arguments, then the further rounds of more rows; and the pivots of resulting shuffles."""
    found: list[list[_Step]] = [[] for _ in range(SERVERS)]
    keys = [PairKeys({i: bytes(KEY_BYTES), (i + 1) % SERVERS: bytes(KEY_BYTES)}) for i in range(SERVERS)]
    parties = [Party(index, keys[index], profile=profile) for index in range(SERVERS)]
    runs = (protocol(me, *_built(me, described), **dict(_built(me, named))) for me in parties)
    done = run_local([_listened(run, steps) for run, steps in zip(runs, found, strict=True)])
    last = [_Step((((role - 1) % SERVERS, 1),), (((role + 1) % SERVERS, 1),), False) for role in range(SERVERS)]
    return tuple((*steps, *[last[role]] * further) for role, steps in enumerate(found)), _pivots(done.results[0])


async def _listened(running: Protocol[Any], steps: list[_Step]) -> Any:
    """A protocol of which every exchange is written down."""
    answer: Any = None
    while True:
        try:
            request = running.send(answer)
        except StopIteration as stop:
            return stop.value
        sends = tuple((one.peer, one.payload.size) for one in request.sends)
        hears = tuple((one.peer, one.nbytes) for one in request.hears)
        steps.append(_Step(sends, hears, request.ahead))
        answer = await request


TABLES = (Arranged, Groups, Joined, Merged)
"""Results that hold shuffles."""


def _pivots(made: Any) -> Description:
    """Of a result, the pivot of each shuffle in it, in order."""
    if isinstance(made, Permutation):
        return (made.shuffle.pivot,)
    parts = [getattr(made, one.name) for one in fields(made)] if isinstance(made, TABLES) else made
    return tuple(one for part in parts for one in _pivots(part)) if isinstance(parts, list | tuple) else ()


def _with_pivots(made: Any, pivots: Description, turns: int) -> Any:
    """The result with such pivots, so many servers further."""
    left = list(pivots)

    def visit(one: Any) -> Any:
        if isinstance(one, Permutation):
            return Permutation(Shuffle(one.rows, (left.pop(0) + turns) % SERVERS, {}), one.place)
        if isinstance(one, TABLES):
            return replace(one, **{name.name: visit(getattr(one, name.name)) for name in fields(one)})
        return type(one)(map(visit, one)) if isinstance(one, list | tuple) else one

    return visit(made) if left else made


def _described(argument: Any, scale: Scale, pivot: int) -> Any:
    """Of an argument what a pattern depends on: kinds and shapes, of few rows, and pivots as seen from that of who runs it."""
    if isinstance(argument, Share):
        return "ring", argument.ring.bits, scale(argument.rows)
    if isinstance(argument, Bits):
        return "bits", argument.width, scale(argument.rows)
    if isinstance(argument, Permutation):
        return "permutation", scale(argument.rows), (argument.shuffle.pivot - pivot) % SERVERS
    if isinstance(argument, Merged):
        left, right = scale(argument.left_rows), scale(argument.right_rows)
        turns = [(one.shuffle.pivot - pivot) % SERVERS for one in (argument.by, argument.left_by)]
        permutations = ("permutation", left + right, turns[0]), ("permutation", left, turns[1])
        return "made", Merged, (*permutations, ("is", left), ("is", right))
    if isinstance(argument, TABLES):
        return "made", type(argument), tuple(_described(getattr(argument, one.name), scale, pivot) for one in fields(argument))
    if isinstance(argument, list | tuple):
        return "list", *(_described(one, scale, pivot) for one in argument)
    return "is", tuple(argument.tolist()) if isinstance(argument, np.ndarray) else argument


def _built(me: Party | None, described: Any) -> Any:
    """An argument like the one described, of zeros; of nobody, if only its shape is asked for."""
    kind, *what = described
    if kind in ("ring", "bits"):
        return zeros(kind, *what)
    if kind == "permutation":
        shuffle = draw_shuffle(replace(me.step("drawn"), pivot=what[1]), what[0]) if me else Shuffle(what[0], what[1], {})
        return Permutation(shuffle, np.arange(what[0], dtype=np.uint32))
    if kind == "made":
        return what[0](*(_built(me and me.step(str(at)), one) for at, one in enumerate(what[1])))
    if kind == "list":
        return [_built(me and me.step(str(at)), one) for at, one in enumerate(what)]
    return np.array(what[0], np.int64) if isinstance(what[0], tuple) else what[0]


def _held(arguments: Any) -> int:
    """Bytes of a server's columns."""
    if isinstance(arguments, Share | Bits):
        return int(arguments.own.nbytes + arguments.next.nbytes)
    return sum(map(_held, arguments)) if isinstance(arguments, list | tuple) else 0


def kinds(columns: Sequence[Share | Bits]) -> list[Ring | int]:
    """What costs depend on: each column's ring or width."""
    return [one.ring if isinstance(one, Share) else one.width for one in columns]


# ---- zeros


def _alike(columns: Sequence[Any], rows: int) -> list[Any]:
    return [zeros_like(one, rows) for one in columns]


def _plane(rows: int, width: int = 1) -> Bits:
    planes = np.zeros((width, (rows + 63) // 64), np.uint64)
    return Bits(rows, planes, planes)


def _ring(rows: int, ring: Ring) -> Share:
    return Share(ring, ring.zeros(rows), ring.zeros(rows))


def _permutation(rows: int) -> Permutation:
    return Permutation(Shuffle(rows, 0, {}), np.zeros(rows, np.uint32))


def _arranged(key: Bits, columns: Sequence[Any] = (), **_: Any) -> Arranged:
    rows = key.rows
    return Arranged(_permutation(rows), _plane(rows, key.width), _plane(rows), _plane(rows), _alike(columns, rows))


def _groups(arranged: Arranged, sums: Sequence[Share] = (), lasts: Sequence[Any] = ()) -> Groups:
    rows = arranged.rows
    return Groups(_permutation(rows), _plane(rows), _ring(rows, group.count_ring(rows)), _alike(sums, rows), _alike(lasts, rows))


def _chosen(arranged: Arranged, columns: Sequence[Any]) -> Chosen:
    return Chosen(_plane(arranged.rows), _plane(arranged.rows), _alike(columns, arranged.rows))


def _joined(left_key: Bits, left_valid: Bits, left_columns: Sequence[Any], right_key: Bits, right_valid: Bits) -> Joined:
    left, right = left_key.rows, right_key.rows
    merged = Merged(_permutation(left + right), _permutation(left), left, right)
    return Joined(_plane(right), _alike(left_columns, right), merged, _plane(1))


# ---- rows by rows

to_bits = counted(
    convert.to_bits,
    lambda me, x, bits: (x.rows, bits, me.profile.adder),
    lambda x, bits: ("bits", bits, x.rows),
)
look_up_each = relation(
    lookup.look_up_each,
    lambda me, index, tables, ring: (index.rows, len(tables), len(tables[0]), ring),
    lambda index, tables, ring: tuple(_ring(index.rows, ring) for _ in tables),
)
look_up_bits = relation(
    lookup.look_up_bits,
    lambda me, index, table, width: (index.rows, len(table), width),
    lambda index, table, width: _plane(index.rows, width),
)
hash_words = relation(
    hash_keys.hash_keys,
    lambda me, keys, bits: (keys[0].width, bits),
    lambda keys, bits: [_plane(one.rows, bits) for one in keys],
)
all_bits = relation(bits.all_bits, lambda me, a: (a.rows, a.width), lambda a: _plane(a.rows))
keep = relation(scan.keep, lambda me, flag, columns: (flag.rows, *kinds(columns)), lambda flag, columns: _alike(columns, flag.rows))

# ---- orders

sort_rows = relation(
    sort.sort,
    lambda me, key, columns: (key.rows, key.width, me.profile, *kinds(columns)),
    lambda key, columns: (_permutation(key.rows), _alike(columns, key.rows)),
)
gather = relation(
    permute.gather,
    lambda me, by, columns: (by.rows, *kinds(columns)),
    lambda by, columns: _alike(columns, by.rows),
)
partition = relation(
    scan.partition,
    lambda me, flag, columns: (flag.rows, *kinds(columns)),
    lambda flag, columns: (_permutation(flag.rows), _alike(columns, flag.rows)),
)

fill_down = relation(
    scan.fill_down,
    lambda me, header, columns: (header.rows, *kinds(columns)),
    lambda header, columns: _alike(columns, header.rows),
)
segmented_minimum = relation(
    segments.segmented_minimum,
    lambda me, first, x, bits: (x.rows, bits, x.ring, me.profile.adder),
    lambda first, x, bits: _ring(x.rows, x.ring),
)

# ---- groups


def _arrange_facts(me: Any, key: Bits, columns: Sequence[Any] = (), *, valid: Bits | None = None, within: Bits | None = None) -> Any:
    return key.rows, key.width, within.width if within is not None else 0, valid is not None, me.profile, *kinds(columns)


arrange = relation(group.arrange, _arrange_facts, _arranged)
run_ends = relation(
    group.run_ends,
    lambda me, key, valid=None: (key.rows, key.width, valid is not None),
    lambda key, valid=None: (_plane(key.rows), _plane(key.rows)),
)
group_rows = relation(
    group.aggregate,
    lambda me, arranged, sums=(), lasts=(): (arranged.rows, *kinds(sums), *kinds(lasts)),
    _groups,
)
to_rows = relation(
    group.to_rows,
    lambda me, groups, columns: (groups.by.rows, *kinds(columns)),
    lambda groups, columns: _alike(columns, groups.by.rows),
)
group_extremes = relation(
    group.group_extremes,
    lambda me, arranged, columns, *, counted=None: (arranged.rows, counted is not None, *kinds(columns)),
    lambda arranged, columns, *, counted=None: (_chosen(arranged, columns), _chosen(arranged, columns)),
)
group_quantile = relation(
    group.group_quantile_discrete,
    lambda me, arranged, columns, q, *, counted=None: (arranged.rows, q, counted is not None, *kinds(columns)),
    lambda arranged, columns, q, *, counted=None: _chosen(arranged, columns),
)

group_largest = relation(
    group_largest_of.group_largest,
    lambda me, arranged, value, ranks, *, counted=None: (arranged.rows, ranks, counted is not None, value.ring),
    lambda arranged, value, ranks, *, counted=None: _chosen(arranged, [value] * ranks),
)

# ---- joins

join_pk_fk = relation(
    join.join_pk_fk,
    lambda me, left_key, left_valid, left_columns, right_key, right_valid: (
        left_key.rows,
        right_key.rows,
        left_key.width,
        me.profile,
        *kinds(left_columns),
    ),
    _joined,
)
left_matched = relation(
    join.left_matched,
    lambda me, joined: (joined.merged.left_rows, joined.merged.right_rows),
    lambda joined: _plane(joined.merged.left_rows),
)


in_key_order = relation(
    join.in_key_order,
    lambda me, merged, flag, columns: (merged.left_rows, merged.right_rows, *kinds(columns)),
    lambda merged, flag, columns: _alike(columns, merged.right_rows),
)
has_duplicate = relation(join.has_duplicate, lambda me, key, valid: (key.rows, key.width), lambda key, valid: _plane(1))
join_as_of = relation(
    join.join_as_of,
    lambda me, left_key, left_time, left_valid, left_columns, right_key, right_time, right_valid: (
        left_key.rows,
        right_key.rows,
        left_key.width,
        left_time.width,
        me.profile,
        *kinds(left_columns),
    ),
    lambda left_key, left_time, left_valid, left_columns, right_key, right_time, right_valid: replace(
        _joined(left_key, left_valid, left_columns, right_key, right_valid), duplicate=None
    ),
)


def _range_facts(me: Any, key: Bits, time: Bits, valid: Bits, range_key: Bits, *_: Any, **__: Any) -> tuple[Any, ...]:
    return key.rows, range_key.rows, key.width + time.width, me.profile


def _between(key: Bits, time: Bits, valid: Bits, range_key: Bits, *_: Any, **__: Any) -> Between:
    points, ranges = key.rows, range_key.rows
    return Between(*(_ring(rows, point_ring(points)) for rows in (points, ranges, ranges)))


count_between = relation(ranged.count_between, _range_facts, _between)
count_ranges = relation(
    ranged.count_ranges,
    _range_facts,
    lambda key, time, valid, range_key, *_, **__: _ring(key.rows, group.count_ring(range_key.rows)),
)


def _ranged(key: Bits, time: Bits, valid: Bits, columns: Sequence[Any], range_key: Bits, *others: Any, rows_max: int, **_: Any) -> Ranged:
    counts = _ring(range_key.rows, point_ring(key.rows))
    return Ranged(_plane(rows_max), _alike(columns, rows_max), _alike(others[-1], rows_max), _plane(1), counts)


join_between = relation(
    ranged.join_between,
    lambda me, key, time, valid, columns, range_key, *others, rows_max, **_: (
        key.rows,
        range_key.rows,
        key.width + time.width,
        me.profile,
        rows_max,
        kinds(columns),
        kinds(others[-1]),
    ),
    _ranged,
)


def _paired(
    left_key: Bits, left_valid: Bits, lefts: Sequence[Any], right_key: Bits, right_valid: Bits, rights: Sequence[Any], rows_max: int
) -> Paired:
    left, right = left_key.rows, right_key.rows
    ring = partner_ring(left, right, rows_max)
    numbers = [_ring(rows, ring) for rows in (left, left, right, right, right, right)]
    partners = Partners(*numbers)
    return Paired(_plane(rows_max), _alike(lefts, rows_max), _alike(rights, rows_max), _plane(1), partners)


join_many = relation(
    many.join_many,
    lambda me, left_key, left_valid, lefts, right_key, right_valid, rights, rows_max: (
        left_key.rows,
        right_key.rows,
        left_key.width,
        me.profile,
        rows_max,
        kinds(lefts),
        kinds(rights),
    ),
    _paired,
)
