"""What a server sees of fixed-point functions: their leaves under every sequence of coins, the whole by labels, shape and statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pytest

from accord.base.ring import Column, Ring
from accord.mpc import exponential, halves, logarithm, logistic, root
from accord.mpc.compose import in_blocks
from accord.mpc.halves import fresh, given, half_product, tell, united
from accord.mpc.party import Party, Profile
from accord.mpc.residues import Residues
from accord.mpc.share import Share
from accord.testing.traces import NotingWorld, fixed_versus_random, label_faults, traffic_shape
from accord.testing.views import At, every_view
from accord.wire.local import run_local

R1, R2, R3 = Ring(1), Ring(2), Ring(3)
ROWS = 2_048
SEED = 23
FAMILY_LEVEL_MIN = 1e-3
"""A family of tests fails where chance would give such a p-value less than once in a thousand families."""


# ---- leaves over rings


def own_of(me: Party, element: Column | None, flag: Column | None) -> Column | None:
    """A ring element at role 1, a boolean at role 2."""
    return element if me.role == 1 else None if flag is None else flag.astype(bool)


def sees_no_more_than_its_own(protocol: Callable[..., Any], forms: tuple[Any, ...], inputs: list[tuple[Any, ...]], pivot: int) -> None:
    """Argument j is known to role j + 1: nobody's view depends on anything else, nor says more than the shares of the result."""
    views = every_view(protocol, forms, inputs, pivot=pivot, arrange=lambda cases: {"rows": cases})
    for role in range(3):
        server = (pivot + role) % 3
        known = [one[role - 1] if 0 < role <= len(one) else 0 for one in inputs]
        assert not views.differ(server, groups=known), f"role {role} sees what is not its own"
        assert not views.depend(server), f"role {role}'s view is more than its shares"
        if len(set(known)) > 1:
            assert views.differ(server), "who is given the data sees it: the enumeration must show that"


@pytest.mark.parametrize("pivot", [0, 1, 2])
@pytest.mark.parametrize("ring", [R1, R2, R3])
def test_products_of_halves_show_nothing(ring: Ring, pivot: int) -> None:
    inputs = list(product(range(1 << ring.bits), range(2)))
    forms = At((pivot + 1) % 3, ring), At((pivot + 2) % 3, R1)
    sees_no_more_than_its_own(lambda me, x, m, rows: half_product(me, own_of(me, x, m), ring, rows), forms, inputs, pivot)


def test_united_halves_show_nothing() -> None:
    async def joined(me: Party, x: Column | None, m: Column | None, rows: int) -> Share:
        return await united(me, None if me.role == 0 else R2.zeros(rows), own_of(me, x, m), R2, rows)

    sees_no_more_than_its_own(joined, (At(1, R2), At(2, R1)), list(product(range(4), range(2))), 0)


@pytest.mark.parametrize("pivot", [0, 1, 2])
def test_what_is_told_shows_nothing(pivot: int) -> None:
    async def told(me: Party, x: Column | None, y: Column | None, rows: int) -> Share:
        masks = fresh(me.step("masks"), R2, rows)
        return halves.as_share(me, await tell(me.step("tell"), x if me.role == 1 else y, masks), masks)

    forms = At((pivot + 1) % 3, R2), At((pivot + 2) % 3, R2)
    sees_no_more_than_its_own(told, forms, list(product(range(4), range(4))), pivot)


def test_a_bare_half_is_seen() -> None:
    async def bare(me: Party, x: Column | None, m: Column | None, rows: int) -> None:
        if me.role == 1:
            await me.exchange({me.server(2): R2.pack(x)}, {})  # type: ignore[arg-type]
        else:
            await me.exchange({}, {me.server(1): R2.nbytes(rows)} if me.role == 2 else {})

    with pytest.raises(AssertionError, match="not its own"):
        sees_no_more_than_its_own(bare, (At(1, R2), At(2, R1)), list(product(range(4), range(2))), 0)


# ---- leaves over residues, with coins that are uniform there


@dataclass
class Digits:
    """Coins of all servers: the digits of the row number, base 2^bits − 1; each address takes the next one."""

    base: int
    rows: int
    drawn: dict[tuple[int, str], int] = field(default_factory=dict)

    def residue(self, me: Party, component: int) -> Column:
        place = self.drawn.setdefault(((me.pivot + component) % 3, me.path), len(self.drawn))
        return (np.arange(self.rows) // self.base**place % self.base).astype(np.uint8)


def views_over_residues(protocol: Callable[..., Any], bits: int, digits: int, monkeypatch: pytest.MonkeyPatch) -> list[Counter[Any]]:
    """Every server's views, counted: what it drew and what it heard, row by row."""
    base = (1 << bits) - 1
    coins = Digits(base, base**digits)
    monkeypatch.setattr(Residues, "role_mask", lambda self, me, component, rows: coins.residue(me, component))
    parties = [Party(i, None) for i in range(3)]  # type: ignore[arg-type]
    outcome = run_local([protocol(me, coins.rows) for me in parties], keep=True)
    assert len(coins.drawn) == digits
    seen = []
    for i in range(3):
        heard = [line.payload for one in outcome.traffic for line in one.lines if line.receiver == i]
        columns = [Ring(bits).unpack(np.frombuffer(payload or b"", np.uint8), coins.rows) for payload in heard]
        columns += [coins.residue(Party(0, None, path), c) for c, path in sorted(coins.drawn) if i in (c, (c - 1) % 3)]  # type: ignore[arg-type]
        seen.append(Counter(zip(*(column.tolist() for column in columns), strict=True)))
    return seen


@pytest.mark.parametrize("bits", [2, 3])
def test_residues_told_and_given_show_nothing(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modulo 3 and 7: what a role hears is as likely for any value that is not its own."""
    space, values = Residues(bits), range((1 << bits) - 1)

    def telling(x: int, y: int) -> Callable[..., Any]:
        async def run(me: Party, rows: int) -> None:
            masks = fresh(me.step("masks"), space, rows)
            await tell(me.step("tell"), None if me.role == 0 else np.full(rows, (x, y)[me.role - 1], np.uint8), masks)

        return run

    def giving(x: int) -> Callable[..., Any]:
        return lambda me, rows: given(me.step("given"), np.full((1, rows), x, np.uint8) if me.role == 0 else None, space, 1, rows)

    told = {(x, y): views_over_residues(telling(x, y), bits, 2, monkeypatch) for x, y in product(values, values)}
    for x, y in told:
        assert told[x, y][0] == told[0, 0][0]
        assert told[x, y][1] == told[x, 0][1] and told[x, y][2] == told[0, y][2]
    handed = [views_over_residues(giving(x), bits, 1, monkeypatch) for x in values]
    assert all(views[1:] == handed[0][1:] for views in handed)


# ---- whole functions


def of_blocks(protocol: Callable[..., Any], **public: Any) -> Callable[..., Any]:
    return lambda me, x: in_blocks(protocol, me, x, **public)


@dataclass(frozen=True)
class Whole:
    protocol: Callable[..., Any]
    public: dict[str, Any]
    low: int
    high: int

    @property
    def random(self) -> np.ndarray:
        return np.random.default_rng(SEED).integers(self.low, self.high, ROWS)


ONE = 1 << 16
FUNCTIONS = {
    "sqrt": Whole(root.sqrt, {"bits": 30}, 0, 1 << 30),
    "sqrt of 40 bits": Whole(root.sqrt, {"bits": 40}, 0, 1 << 40),
    "inverse_sqrt": Whole(root.inverse_sqrt, {"bits": 30}, 1, 1 << 30),
    "inverse": Whole(root.inverse, {"bits": 30}, 1, 1 << 30),
    "log": Whole(logarithm.log, {"bits": 30}, 1, 1 << 30),
    "log of 50 bits": Whole(logarithm.log, {"bits": 50}, 1, 1 << 50),
    "exp": Whole(exponential.exp, {"low": -8 * ONE, "high": 8 * ONE}, -8 * ONE, 8 * ONE),
    "exp with a floor": Whole(exponential.exp, {"low": -64 * ONE, "high": 8 * ONE}, -64 * ONE, 8 * ONE),
    "logistic": Whole(logistic.logistic, {"low": -11 * ONE, "high": 11 * ONE}, -11 * ONE, 11 * ONE),
    "logistic with edges": Whole(logistic.logistic, {"low": -32 * ONE, "high": 32 * ONE}, -32 * ONE, 32 * ONE),
}
SMALL = Profile(block_rows=256, blocks_in_flight=3)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_coins_are_spent_once_and_by_both_holders(name: str) -> None:
    one, world = FUNCTIONS[name], NotingWorld(SEED, SMALL)
    world.run(of_blocks(one.protocol, **one.public), one.random)
    assert label_faults(world.drawn) == [] and all(world.drawn)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_traffic_has_one_shape(name: str) -> None:
    one = FUNCTIONS[name]
    shapes = [
        traffic_shape(NotingWorld(seed, SMALL, keep=True).run(of_blocks(one.protocol, **one.public), column).outcome)
        for seed, column in ((1, one.random), (2, np.full(ROWS, one.random[0])), (3, np.full(ROWS, one.high - 1)))
    ]
    assert shapes[0] == shapes[1] == shapes[2] and len(shapes[0]) > 2


@pytest.mark.parametrize("name", FUNCTIONS)
def test_messages_look_alike_for_fixed_and_random_data(name: str) -> None:
    one = FUNCTIONS[name]
    found = fixed_versus_random(one.protocol, [np.full(ROWS, one.random[0])], [one.random], seed=SEED, **one.public)
    assert found.family_wise > FAMILY_LEVEL_MIN, found
