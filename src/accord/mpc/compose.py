"""Composition: protocols side by side, and one protocol over row blocks.

Both keep every party in step: all parties visit the same exchanges in the same order, whatever their roles.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import replace
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np

from accord.base.errors import OurFault
from accord.base.limits import SERVERS
from accord.base.ring import Ring
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share, rows_of
from accord.wire.exchange import Exchange, Message, Payload, Protocol

T = TypeVar("T")


class Lockstep(Generic[T]):
    """A running protocol whose sends ahead are held back until the exchange that hears their counterparts.

    Side by side with others it must be so: a link delivers in order, and a receiver would find the block that was sent ahead
    before the neighbour's message that it awaits.
    """

    def __init__(self, protocol: Protocol[T]) -> None:
        self._protocol = protocol
        self._held: deque[tuple[Message, ...]] = deque()

    def send(self, heard: list[Payload] | None) -> Exchange:
        """The next exchange; raises StopIteration with the result."""
        request = self._protocol.send(heard)  # type: ignore[arg-type]
        while request.ahead:
            self._held.append(request.sends)
            request = self._protocol.send([])
        return Exchange(self._held.popleft() + request.sends, request.hears) if self._held else request


async def together(*protocols: Protocol[Any]) -> list[Any]:
    """Run protocols side by side and merge their rounds; returns their results in order.

    Their steps must have distinct paths. Protocols of fewer rounds end earlier; blocks of one go one by one (`Lockstep`).
    """
    results: list[Any] = [None] * len(protocols)
    running = [Lockstep(protocol) for protocol in protocols]
    live = {number: _advance(one, None, results, number) for number, one in enumerate(running)}
    while waiting := {number: one for number, one in live.items() if one is not None}:
        heard = await Exchange(
            tuple(message for one in waiting.values() for message in one.sends),
            tuple(expected for one in waiting.values() for expected in one.hears),
        )
        at = 0
        live = {}
        for number, one in waiting.items():
            part, at = heard[at : at + len(one.hears)], at + len(one.hears)
            live[number] = _advance(running[number], part, results, number)
    return results


def _advance(protocol: Lockstep[Any], heard: list[Payload] | None, results: list[Any], number: int) -> Exchange | None:
    """Run one protocol to its next exchange; None when it has returned."""
    try:
        return protocol.send(heard)
    except StopIteration as stop:
        results[number] = stop.value
        return None


async def in_blocks(protocol: Callable[..., Protocol[Any]], me: Party, *secrets: Any, **public: Any) -> Any:
    """Run a row-wise protocol of any number of rounds over row blocks, several in flight.

    `protocol(me, *blocks, **public)` gets the block's secret columns and returns one secret column, or a tuple of
    them, of as many rows; or None where it has put its rows into place itself. Block size and depth come from the
    profile; the pivot rotates from block to block. What a block sends goes out before the block before it is waited
    for, so masks, arithmetic and wire overlap; the bound on blocks in flight is kept in a loop, because a block with
    more rounds comes back into the flight.
    """
    rows = secrets[0].rows
    size = me.profile.block_size(rows)
    if rows <= size:
        return await protocol(me, *secrets, **public)
    if me.pool is not None and _is_pure(secrets, public):
        return await _side_by_side(protocol, me, size, secrets, public)
    whole: Any = None
    flight: deque[tuple[int, Protocol[Any], Exchange]] = deque()

    async def advance(start: int, running: Protocol[Any], heard: list[Payload] | None) -> None:
        nonlocal whole
        try:
            request = running.send(heard)  # type: ignore[arg-type]
        except StopIteration as stop:
            whole = _put(whole, stop.value, start, rows, min(size, rows - start))
            return
        await Exchange(request.sends, ahead=True)
        flight.append((start, running, request))

    async def land() -> None:
        start, running, request = flight.popleft()
        await advance(start, running, await Exchange((), request.hears))

    for start in range(0, rows, size):
        blocks = [rows_of(secret, start, min(start + size, rows)) for secret in secrets]
        here = me.from_row(me.row + start, (me.pivot + start // size) % SERVERS)
        await advance(start, protocol(here, *blocks, **public), None)
        while len(flight) >= me.profile.blocks_in_flight:
            await land()
    while flight:
        await land()
    return whole


# ---- on several cores


def _is_pure(secrets: tuple[Any, ...], public: dict[str, Any]) -> bool:
    """Whether blocks share nothing that one of them changes, so that they may run at the same time."""
    return all(isinstance(one, Share | Bits) for one in secrets) and all(isinstance(one, int | str | Ring) for one in public.values())


class _Line:
    """Every n-th block of a table, one after the other: where there are n lines, the order in which `in_blocks` has them without a pool.

    Which block comes next thus does not depend on which one is computed first.
    """

    def __init__(self, starts: Iterable[int], begin: Callable[[int], Protocol[Any]], put: Callable[[int, Any], None]) -> None:
        self._starts, self._begin, self._put = iter(starts), begin, put
        self._at = 0
        self._running: Protocol[Any] | None = None

    def step(self, heard: list[Payload] | None) -> Exchange | None:
        """Run to the next exchange of this block, or else of the line's next one; None after the last."""
        while True:
            if self._running is None:
                if (at := next(self._starts, None)) is None:
                    return None
                self._at, self._running, heard = at, self._begin(at), None
            try:
                request: Exchange = self._running.send(heard)  # type: ignore[arg-type]
                return request
            except StopIteration as stop:
                self._running = None
                self._put(self._at, stop.value)


async def _side_by_side(
    protocol: Callable[..., Protocol[Any]], me: Party, size: int, secrets: tuple[Any, ...], public: dict[str, Any]
) -> Any:
    """As `in_blocks`, the blocks being computed by the pool; what they say goes out in the order in which it does without one.

    Nobody waits for ever: a server hears a step of a block after it has sent all that belongs to it and to what comes before.
    """
    rows, lock, results = secrets[0].rows, Lock(), [None]
    flight: deque[tuple[_Line, Exchange]] = deque()
    computing: deque[tuple[_Line, Future[Exchange | None]]] = deque()
    assert me.pool is not None
    threads, in_flight = me.pool, me.profile.blocks_in_flight

    def begin(start: int) -> Protocol[Any]:
        blocks = [rows_of(secret, start, min(start + size, rows)) for secret in secrets]
        return protocol(me.from_row(me.row + start, (me.pivot + start // size) % SERVERS), *blocks, **public)

    def put(start: int, part: Any) -> None:
        with lock:
            results[0] = _put(results[0], part, start, rows, min(size, rows - start))

    async def say() -> None:
        line, future = computing.popleft()
        if (request := future.result()) is not None:
            await Exchange(request.sends, ahead=True)
            flight.append((line, request))

    for first in range(0, min(in_flight * size, rows), size):
        line = _Line(range(first, rows, in_flight * size), begin, put)
        computing.append((line, threads.submit(line.step, None)))
    while flight or computing:
        while computing and (len(computing) >= in_flight or not flight):
            await say()
        if flight:
            line, request = flight.popleft()
            heard = await Exchange((), request.hears)
            computing.append((line, threads.submit(line.step, heard)))
        while computing and computing[0][1].done():
            await say()
    return results[0]


def _put(whole: Any, part: Any, start: int, rows: int, part_rows: int) -> Any:
    """Put a block's result into the whole column, made with the first one; tuples column by column.

    Copied at once, not kept and joined at the end: the block's memory then serves the next block while it is in the cache.
    """
    if part is None:
        return None
    if isinstance(part, tuple):
        return tuple(_put(whole and whole[i], one, start, rows, part_rows) for i, one in enumerate(part))
    if part.rows != part_rows:
        raise OurFault(f"a block of {part_rows} rows gave {part.rows}", rule="in_blocks is for row-wise protocols")
    whole = _room(part, rows) if whole is None else whole
    for into, given in ((whole.own, part.own), (whole.next, part.next)):
        if isinstance(part, Bits):
            into[:, start // 64 : start // 64 + given.shape[1]] = given
        else:
            into[start : start + part_rows] = given
    return whole


def _room(part: Any, rows: int) -> Any:
    """An unfilled secret column like `part`, of so many rows."""
    shape = (part.width, (rows + 63) // 64) if isinstance(part, Bits) else (rows, *part.own.shape[1:])
    own, after = (np.empty(shape, part.own.dtype) for _ in range(2))
    return Bits(rows, own, after) if isinstance(part, Bits) else replace(part, own=own, next=after)
