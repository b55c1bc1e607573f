"""Composition: protocols side by side, and one protocol over row blocks.

Both keep every party in step: all parties visit the same exchanges in the same order, whatever their roles.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from accord.base.limits import SERVERS
from accord.mpc.party import Party
from accord.mpc.share import rows_of
from accord.wire.exchange import Exchange, Payload, Protocol


async def together(*protocols: Protocol[Any]) -> list[Any]:
    """Run protocols side by side and merge their rounds; returns their results in order.

    Their steps must have distinct paths. Protocols of fewer rounds end earlier.
    """
    results: list[Any] = [None] * len(protocols)
    live = {number: _advance(protocol, None, results, number) for number, protocol in enumerate(protocols)}
    while waiting := {number: one for number, one in live.items() if one is not None}:
        heard = await Exchange(
            tuple(message for one in waiting.values() for message in one.sends),
            tuple(expected for one in waiting.values() for expected in one.hears),
        )
        at = 0
        live = {}
        for number, one in waiting.items():
            part, at = heard[at : at + len(one.hears)], at + len(one.hears)
            live[number] = _advance(protocols[number], part, results, number)
    return results


def _advance(protocol: Protocol[Any], heard: list[Payload] | None, results: list[Any], number: int) -> Exchange | None:
    """Run one protocol to its next exchange; None when it has returned."""
    try:
        return protocol.send(heard)  # type: ignore[arg-type]
    except StopIteration as stop:
        results[number] = stop.value
        return None


async def in_blocks(protocol: Callable[..., Protocol[Any]], me: Party, *secrets: Any, **public: Any) -> Any:
    """Run a row-wise protocol of any number of rounds over row blocks, several in flight.

    `protocol(me, *blocks, **public)` gets the block's secret columns and returns one secret column, or a tuple of
    them, of as many rows. Block size and depth come from the profile; the pivot rotates from block to block. What a
    block sends goes out before the block before it is waited for, so masks, arithmetic and wire overlap; the bound
    on blocks in flight is kept in a loop, because a block with more rounds comes back into the flight.
    """
    rows, size = secrets[0].rows, me.profile.block_rows
    if rows <= size:
        return await protocol(me, *secrets, **public)
    done: dict[int, Any] = {}
    flight: deque[tuple[int, Protocol[Any], Exchange]] = deque()

    async def advance(start: int, running: Protocol[Any], heard: list[Payload] | None) -> None:
        try:
            request = running.send(heard)  # type: ignore[arg-type]
        except StopIteration as stop:
            done[start] = stop.value
            return
        await Exchange(request.sends, ())
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
    return _join([done[start] for start in sorted(done)])


def _join(parts: list[Any]) -> Any:
    """Blocks in row order, put together; tuples column by column."""
    if isinstance(parts[0], tuple):
        return tuple(_join(list(column)) for column in zip(*parts, strict=True))
    return type(parts[0]).concatenate(parts)
