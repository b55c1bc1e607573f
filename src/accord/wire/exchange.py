"""What a protocol says to its driver: what it sends and whom it hears. The only thing a protocol ever awaits."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Payload = NDArray[np.uint8]
T = TypeVar("T")


class Message(NamedTuple):
    """Bytes for one peer. `path` is the structural path of the step; the payload is one-dimensional uint8.

    Who sends must not write to the payload again: a queue may still hold it.
    """

    peer: int
    path: str
    payload: Payload


class Expected(NamedTuple):
    """Bytes that one peer owes us: their path and exact number, both public."""

    peer: int
    path: str
    nbytes: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one party sends and whom it hears, in one round.

    Awaiting it gives the payloads heard, in the order of `hears`. Every party of a protocol awaits the same
    number of exchanges, an empty one where it has nothing to say or hear, so that compositions stay in step.

    `ahead`: the messages belong to a later exchange of the same protocol, which hears its peers' (`mpc.compose.in_blocks`).
    """

    sends: tuple[Message, ...] = ()
    hears: tuple[Expected, ...] = ()
    ahead: bool = False

    def __await__(self) -> Generator[Exchange, list[Payload], list[Payload]]:
        return (yield self)


Protocol = Coroutine[Exchange, list[Payload], T]
"""A running protocol that returns a T."""
