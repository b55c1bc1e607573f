"""What a protocol costs, declared beside it; a test compares it with what is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Cost:
    """Sequential message hops, and payload bytes of the three servers together."""

    rounds: int
    bytes: int

    def then(self, other: Cost) -> Cost:
        """Both, one after the other."""
        return Cost(self.rounds + other.rounds, self.bytes + other.bytes)

    def beside(self, other: Cost) -> Cost:
        """Both at the same time."""
        return Cost(max(self.rounds, other.rounds), self.bytes + other.bytes)

    @property
    def bytes_per_server(self) -> float:
        return self.bytes / 3


FREE = Cost(0, 0)


def costs(declared: Callable[..., Cost]) -> Callable[[F], F]:
    """Declare a protocol's cost: a function of public facts (rows, bits, …) that returns a `Cost`.

    The protocol gets the function as its attribute `cost`.
    """

    def attach(protocol: F) -> F:
        protocol.cost = declared  # type: ignore[attr-defined]
        return protocol

    return attach


def cost_of(protocol: Callable[..., Any], *facts: Any) -> Cost:
    """The declared cost of a protocol for these public facts."""
    declared: Callable[..., Cost] = protocol.cost  # type: ignore[attr-defined]
    return declared(*facts)


def plane_bytes(width: int, rows: int) -> int:
    """Wire bytes of `width` bit-planes: whole words of 64 rows."""
    return width * ((rows + 63) // 64) * 8
