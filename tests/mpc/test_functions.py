"""Fixed-point functions: within their stated errors on every kind of value, at their declared costs, in blocks, from any pivot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from accord.base.errors import AccordError, Refused
from accord.base.ring import Z32
from accord.mpc.compose import in_blocks
from accord.mpc.cost import cost_of
from accord.mpc.exponential import ROUNDING_UNITS, ExpRange, exp
from accord.mpc.ideal import TWINS
from accord.mpc.logarithm import LOG_ERROR, log
from accord.mpc.logistic import EDGE_ERROR, LOGISTIC_ERROR, LogisticRange, logistic
from accord.mpc.party import Party, Profile
from accord.mpc.root import INVERSE, INVERSE_SQRT, SQRT, Root, inverse, inverse_sqrt, sqrt
from accord.mpc.share import Share
from accord.testing.world import World
from tests.mpc.cases import PIVOTS, run_at_cost

ONE = 1 << 16
MANY = 100_000
"""Rows of a quick run."""
STATED = 2.0**-14
"""What every function is to keep at 16 fraction bits: absolute, or relative where results are above 1."""


@dataclass(frozen=True)
class Case:
    """A function with its public arguments; stored values from `low` to `high`. `bound` gives each result's stated error, in units."""

    protocol: Callable[..., Any]
    public: tuple[tuple[str, int], ...]
    low: int
    high: int
    bound: Callable[[np.ndarray, np.ndarray], np.ndarray]
    evenly: bool = True

    @property
    def facts(self) -> list[int]:
        return [value for _, value in self.public]

    @property
    def fraction_bits(self) -> int:
        return dict(self.public).get("fraction_bits", 16)

    def values(self, rows: int, seed: int) -> np.ndarray:
        """Random values (evenly, or of every size) with the edges among them."""
        rng = np.random.default_rng([rows, seed])
        if self.evenly:
            column = rng.integers(self.low, self.high + 1, rows)
        else:
            column = (2 ** rng.uniform(np.log2(max(self.low, 1)), np.log2(self.high + 1), rows)).astype(np.int64)
        edges = self.edges()
        column[: len(edges)] = edges[:rows]
        return np.clip(column, self.low, self.high)

    def edges(self) -> list[int]:
        powers = [sign * (1 << j) + d for j in range(63) for sign in (1, -1) for d in (-1, 0, 1)]
        floor = ExpRange(self.low, self.high, self.fraction_bits).floor if self.protocol is exp else 0
        far = 11 << self.fraction_bits
        around = [edge + d for edge in (self.low, self.high, floor, far, -far) for d in (-1, 0, 1)]
        return sorted({one for one in [0, *powers, *around] if self.low <= one <= self.high})

    def miss(self, column: np.ndarray, got: np.ndarray) -> float:
        """The largest error, by its stated bound."""
        ideal = TWINS[self.protocol](column, **dict(self.public))
        return float((np.abs(got - ideal) / self.bound(column, ideal)).max())


def of_root(power: Fraction, protocol: Any, bits: int, fraction_bits: int = 16, low: int = 1) -> Case:
    error = float(Root(power, bits, fraction_bits).relative_error)
    public = (("bits", bits), ("fraction_bits", fraction_bits))
    return Case(protocol, public, low, (1 << bits) - 1, lambda x, ideal: ROUNDING_UNITS + error * ideal, evenly=False)


def of_log(bits: int, fraction_bits: int = 16) -> Case:
    units = 1 + float(LOG_ERROR * (1 << fraction_bits))
    public = (("bits", bits), ("fraction_bits", fraction_bits))
    return Case(log, public, 1, (1 << bits) - 1, lambda x, ideal: np.full(x.shape, units), evenly=False)


def of_exp(low: int, high: int, fraction_bits: int = 16) -> Case:
    error = float(ExpRange(low, high, fraction_bits).relative_error)
    public = (("low", low), ("high", high), ("fraction_bits", fraction_bits))
    return Case(exp, public, low, high, lambda x, ideal: ROUNDING_UNITS + error * ideal)


def of_logistic(low: int, high: int, fraction_bits: int = 16) -> Case:
    middle, beyond = (float(one * (1 << fraction_bits)) for one in (LOGISTIC_ERROR, EDGE_ERROR))
    edge = LogisticRange(low, high, fraction_bits).edge
    public = (("low", low), ("high", high), ("fraction_bits", fraction_bits))
    return Case(logistic, public, low, high, lambda x, ideal: np.where(np.abs(x) <= edge, 1 + middle, beyond + 1e-6))


AT_16_BITS = {
    "sqrt": of_root(SQRT, sqrt, 30, low=0),
    "sqrt of 44 bits": of_root(SQRT, sqrt, 44, low=0),
    "inverse_sqrt": of_root(INVERSE_SQRT, inverse_sqrt, 30),
    "inverse_sqrt of 60 bits": of_root(INVERSE_SQRT, inverse_sqrt, 60),
    "inverse": of_root(INVERSE, inverse, 30),
    "inverse of 44 bits": of_root(INVERSE, inverse, 44),
    "log": of_log(30),
    "log of 62 bits": of_log(62),
    "exp to 8": of_exp(-8 * ONE, 8 * ONE),
    "exp to 16": of_exp(-16 * ONE, 16 * ONE),
    "exp from far below": of_exp(-(1 << 40), 11 * ONE),
    "logistic to 11": of_logistic(-11 * ONE, 11 * ONE),
    "logistic to 32": of_logistic(-32 * ONE, 32 * ONE),
}
OTHER = {
    "sqrt of integers": of_root(SQRT, sqrt, 40, 0, low=0),
    "sqrt of 3 bits": of_root(SQRT, sqrt, 3, low=0),
    "sqrt of 1 bit": of_root(SQRT, sqrt, 1, low=0),
    "sqrt of 31 bits": of_root(SQRT, sqrt, 31, 20, low=0),
    "sqrt of 62 bits": of_root(SQRT, sqrt, 62, low=0),
    "sqrt of 30 fraction bits": of_root(SQRT, sqrt, 50, 30, low=0),
    "inverse_sqrt of 2 bits": of_root(INVERSE_SQRT, inverse_sqrt, 2),
    "inverse_sqrt of 30 fraction bits": of_root(INVERSE_SQRT, inverse_sqrt, 50, 30),
    "inverse of 20 fraction bits": of_root(INVERSE, inverse, 40, 20),
    "log of 2 bits": of_log(2),
    "log of 31 bits": of_log(31),
    "log of integers": of_log(50, 0),
    "log of 30 fraction bits": of_log(61, 30),
    "exp of integers": of_exp(-30, 29, 0),
    "exp up to 20": of_exp(-ONE, 20 * ONE),
    "exp of one value": of_exp(0, 0),
    "exp below every result": of_exp(-(1 << 60), -1000 * ONE),
    "exp of 24 fraction bits": of_exp(-17 << 24, 12 << 24, 24),
    "logistic of 30 fraction bits": of_logistic(-20 << 30, 3 << 30, 30),
    "logistic of one side": of_logistic(10 * ONE, 1 << 50),
    "logistic of few fraction bits": of_logistic(-200, 4000, 4),
}
CASES = AT_16_BITS | OTHER


@pytest.mark.parametrize("name", CASES)
def test_errors_are_within_the_stated_bound_at_the_declared_cost(name: str) -> None:
    case = CASES[name]
    column = case.values(1003, 1)
    ran = run_at_cost(World(5), cost_of(case.protocol, 1003, *case.facts), case.protocol, column, pivot=1, **dict(case.public))
    assert case.miss(column, ran.signed) <= 1


@pytest.mark.parametrize("name", AT_16_BITS)
def test_bounds_hold_for_many(name: str) -> None:
    check_many(AT_16_BITS[name], MANY, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", AT_16_BITS)
def test_bounds_hold_for_ten_million(name: str) -> None:
    for seed in range(20):
        check_many(AT_16_BITS[name], 500_000, 3 + seed)


def check_many(case: Case, rows: int, seed: int) -> None:
    async def blocks(me: Party, x: Share) -> Any:
        return await in_blocks(case.protocol, me, x, **dict(case.public))

    column = case.values(rows, seed)
    got = World(seed).run(blocks, column).signed
    ideal = TWINS[case.protocol](column, **dict(case.public))
    assert case.miss(column, got) <= 1
    assert (np.abs(got - ideal) <= STATED * np.maximum(ideal, ONE)).all()


@pytest.mark.parametrize("name", ["exp to 16", "log", "logistic to 32", "sqrt", "sqrt of 44 bits"])
@pytest.mark.parametrize("rows", [1, 63, 64, 65])
def test_functions_of_any_number_of_rows(name: str, rows: int) -> None:
    case = CASES[name]
    column = case.values(400, 7)[-rows:]
    for pivot in PIVOTS:
        ran = run_at_cost(World(rows), cost_of(case.protocol, rows, *case.facts), case.protocol, column, pivot=pivot, **dict(case.public))
        assert case.miss(column, ran.signed) <= 1


@pytest.mark.parametrize("name", ["exp to 16", "log", "logistic to 32", "sqrt", "inverse of 44 bits"])
def test_functions_in_blocks_are_the_functions(name: str) -> None:
    case = CASES[name]

    async def blocks(me: Party, x: Share) -> Any:
        return await in_blocks(case.protocol, me, x, **dict(case.public))

    column = case.values(1003, 9)
    assert case.miss(column, World(1, Profile(block_rows=128, blocks_in_flight=3)).run(blocks, column).signed) <= 1


def test_one_value_does_not_depend_on_its_sharing() -> None:
    """One number a function under 3000 sharings, where leading bits, wraps and roundings fall in every way."""
    for name, value in (("sqrt", 3), ("log", (1 << 30) - 1), ("inverse", 1), ("exp to 16", -1), ("logistic to 32", 11 * ONE)):
        case = CASES[name]
        column = np.full(3000, value)
        assert case.miss(column, World(11).run(case.protocol, column, **dict(case.public)).signed) <= 1


def test_some_results_by_hand() -> None:
    world = World(2)
    assert np.abs(world.run(sqrt, [0, ONE, 4 * ONE, 2 * ONE], bits=20).signed - [0, ONE, 2 * ONE, 92_682]).max() <= 2
    assert np.abs(world.run(inverse, [ONE, 4 * ONE, ONE // 2], bits=20).signed - [ONE, ONE // 4, 2 * ONE]).max() <= 2
    assert np.abs(world.run(log, [ONE, 2 * ONE], bits=20).signed - [0, 45_426]).max() <= 1
    assert np.abs(world.run(exp, [0, ONE, 5 * ONE], low=0, high=5 * ONE).signed - [ONE, 178_145, 9_726_405]).max() <= 2
    assert np.abs(world.run(logistic, [0, ONE], low=0, high=ONE).signed - [ONE // 2, 47_911]).max() <= 2


def test_far_values_give_exact_ends() -> None:
    world, far = World(3), 1 << 40
    assert not world.run(exp, [-far, -20 * ONE], low=-far, high=0).value.any()
    assert world.run(logistic, [-far, far, 12 * ONE], low=-far, high=far).signed.tolist() == [0, ONE, ONE]


def test_a_value_outside_harms_nobody_else() -> None:
    """Of 0 and of negative numbers some number comes out, in their own rows only."""
    for protocol, twin in ((log, TWINS[log]), (inverse, TWINS[inverse]), (inverse_sqrt, TWINS[inverse_sqrt]), (sqrt, TWINS[sqrt])):
        got = World(4).run(protocol, [0, -1, -(1 << 50), 9 * ONE], bits=30).signed
        assert abs(got[3] - twin(np.array([9 * ONE]), bits=30)[0]) <= 2


@pytest.mark.parametrize(
    ("protocol", "public"),
    [
        (sqrt, {"bits": 63}),
        (sqrt, {"bits": 0}),
        (log, {"bits": 20, "fraction_bits": 31}),
        (log, {"bits": 63}),
        (inverse, {"bits": 46}),
        (inverse, {"bits": 40, "fraction_bits": 24}),
        (exp, {"low": 0, "high": 21 * ONE}),
        (exp, {"low": 1, "high": 0}),
        (exp, {"low": -(1 << 61), "high": 0}),
        (exp, {"low": 0, "high": 1, "fraction_bits": -1}),
        (logistic, {"low": 1, "high": 0}),
        (logistic, {"low": 0, "high": 1, "fraction_bits": 31}),
    ],
)
def test_what_cannot_be_held_is_refused(protocol: Callable[..., Any], public: dict[str, int]) -> None:
    with pytest.raises(Refused):
        World().run(protocol, [1], **public)
    with pytest.raises(Refused):
        cost_of(protocol, 1, *public.values())


def test_narrow_rings_are_refused() -> None:
    for protocol, public in ((sqrt, {"bits": 5}), (exp, {"low": 0, "high": 1}), (logistic, {"low": 0, "high": 1})):
        with pytest.raises(AccordError, match="64 bits"):
            World().run(protocol, [1], ring=Z32, **public)


def test_costs_are_below_those_of_the_design() -> None:
    """Bytes a row and server: 150 to 260 were to be expected, 25 to 40 rounds."""
    roots = {"sqrt": (77, 13), "inverse_sqrt": (77, 13), "inverse": (77, 13), "log": (74, 12)}
    others = {"exp to 8": (13.5, 3), "exp to 16": (37, 10), "logistic to 11": (75, 3), "logistic to 32": (114, 10)}
    for name, (nbytes, rounds) in (roots | others).items():
        cost = cost_of(CASES[name].protocol, 64_000, *CASES[name].facts)
        assert cost.bytes_per_server / 64_000 <= nbytes and cost.rounds == rounds
