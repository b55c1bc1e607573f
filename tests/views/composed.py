"""What tests of composed protocols have in common: coins by their labels, one shape of traffic, messages that look alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from accord.mpc.party import Profile
from accord.testing.traces import NotingWorld, fixed_versus_random, label_faults, traffic_shape

FAMILY_LEVEL_MIN = 1e-3
"""A family of tests fails where chance would give such a p-value less than once in a thousand families."""


@dataclass(frozen=True)
class Composite:
    """A protocol, columns for it, and `other` ones with the same public facts; `public` arguments."""

    protocol: Callable[..., Any]
    columns: tuple[Any, ...]
    other: tuple[Any, ...]
    public: dict[str, Any] = field(default_factory=dict)


def check_coins(one: Composite, seed: int, profile: Profile) -> None:
    """Every coin is spent once, and drawn by both servers that hold it."""
    world = NotingWorld(seed, profile)
    world.run(one.protocol, *one.columns, **one.public)
    assert label_faults(world.drawn) == [] and all(world.drawn)


def check_shape(one: Composite, profile: Profile) -> None:
    """Both sets of columns give the same traffic."""
    shapes = [
        traffic_shape(NotingWorld(seed, profile, keep=True).run(one.protocol, *columns, **one.public).outcome)
        for seed, columns in ((1, one.columns), (2, one.other))
    ]
    assert shapes[0] == shapes[1] and len(shapes[0]) > 2


def check_messages(one: Composite, seed: int) -> None:
    """No statistic of the messages tells one set of columns from the other."""
    found = fixed_versus_random(one.protocol, one.other, one.columns, seed=seed, **one.public)
    assert found.family_wise > FAMILY_LEVEL_MIN, found
