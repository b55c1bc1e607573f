"""Uniform numbers that no server knows: their range, law and cost; coins that are spent once; what one server has tells nothing of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from accord.base.errors import OurFault
from accord.base.ring import Z64
from accord.mpc.cost import cost_of
from accord.mpc.uniform import BELOW_MAX, FINE_BITS, uniform_below
from accord.testing.world import World
from tests.mpc.cases import run_at_cost
from tests.views.composed import Composite, check_coins, check_shape

CHI_SQUARED_OF_TAIL = {4: 23.5, 9: 33.7}
"""By degrees of freedom: exceeded once in 10,000 times."""


def drawn(rows: int, below: int, seed: int = 1) -> np.ndarray:
    ran = run_at_cost(World(seed), cost_of(uniform_below, rows), lambda me, like: uniform_below(me, like, below), np.zeros(rows, np.int64))
    return Z64.decode(ran.value)


@pytest.mark.parametrize("rows", [0, 1, 65])
@pytest.mark.parametrize("below", [1, 2, 5, 1000, BELOW_MAX])
def test_the_range(rows: int, below: int) -> None:
    values = drawn(rows, below)
    assert len(values) == rows and ((values >= 0) & (values < below)).all()


def chi_squared(values: np.ndarray, chances: np.ndarray) -> float:
    expected = chances * len(values)
    return float(((np.bincount(values, minlength=len(chances)) - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("below", [5, 10])
def test_every_number_is_as_likely(below: int) -> None:
    """A law that is off by a tenth in one number would be noticed."""
    values = drawn(20_000, below)
    even = np.full(below, 1 / below)
    assert chi_squared(values, even) < CHI_SQUARED_OF_TAIL[below - 1]
    wrong = even.copy()
    wrong[0] *= 1.2
    assert chi_squared(values, wrong / wrong.sum()) > CHI_SQUARED_OF_TAIL[below - 1]


def test_the_chances_as_they_are_exactly() -> None:
    """⌊R · below / 2^32⌋ takes each value for ⌊2^32 / below⌋ or one more of the R."""
    for below in (3, 5, 7, 1000, BELOW_MAX):
        ends = [-(-(value << FINE_BITS) // below) for value in range(min(below, 50) + 1)]
        sizes = {after - before for before, after in pairwise(ends)}
        assert sizes <= {(1 << FINE_BITS) // below, (1 << FINE_BITS) // below + 1}


def test_runs_differ_and_servers_alone_know_nothing() -> None:
    assert drawn(50, 1000, 1).tolist() != drawn(50, 1000, 2).tolist()

    async def run(me, like):  # type: ignore[no-untyped-def]
        return (await uniform_below(me, like, 100),)

    composite = Composite(run, (np.arange(300),), (np.zeros(300, np.int64),))
    check_coins(composite, 3, World(0).profile)
    check_shape(composite, World(0).profile)


def test_bases_beyond_the_bound_are_refused() -> None:
    for below in (0, BELOW_MAX + 1):
        with pytest.raises(OurFault):
            World().run(lambda me, like, below=below: uniform_below(me, like, below), np.zeros(1, np.int64))
