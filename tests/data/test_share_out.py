"""Input packages: what three servers hold adds up to the owner's columns, and each package opens in its own place only."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.base.errors import OurFault, Refused
from accord.base.ring import Z64
from accord.data.encode import LocalField
from accord.data.local import LocalColumns
from accord.data.share_out import SUITE, VALID, _info, open_package, parts_of, share_out
from accord.mpc.bits import bools_from_planes
from accord.mpc.package import Package, expand
from accord.mpc.share import Share
from accord.plan.nodes import Field, Input
from accord.plan.secure_table import input_parts
from accord.plan.types import Type

KEYS = [X25519PrivateKey.generate() for _ in range(3)]
PUBLIC = [key.public_key().public_bytes_raw() for key in KEYS]
CONTEXT = b"plan\0run\0input"
FIELDS = (
    LocalField("x", "int", -(1 << 40), 1 << 40, nullable=True),
    LocalField("day", "date", 0, 30_000),
    LocalField("ill", "bool", nullable=True),
)


@st.composite
def inputs(draw):
    rows = draw(st.integers(1, 130))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    valid = rng.random(rows) < 0.8
    nulls = {"x": valid & (rng.random(rows) < 0.3), "ill": valid & (rng.random(rows) < 0.3)}
    values = {
        "x": np.where(valid & ~nulls["x"], rng.integers(-(1 << 40), 1 << 40, rows), 0),
        "day": np.where(valid, rng.integers(0, 30_000, rows), 0),
        "ill": np.where(valid & ~nulls["ill"], rng.integers(0, 2, rows), 0),
    }
    return LocalColumns("in", FIELDS, values, nulls, valid)


def opened(columns, sealed):
    return [expand(open_package(one, key, CONTEXT), parts_of(columns), CONTEXT) for one, key in zip(sealed, KEYS, strict=True)]


def together(shares):
    """The plain column of three servers' shares; neighbours hold the same component."""
    for server in range(3):
        assert np.array_equal(shares[server].next, shares[(server + 1) % 3].own)
    if isinstance(shares[0], Share):
        return Z64.decode(shares[0].own + shares[1].own + shares[2].own)
    return bools_from_planes(shares[0].own ^ shares[1].own ^ shares[2].own, shares[0].rows)


@settings(max_examples=30)
@given(inputs())
def test_the_servers_together_hold_the_columns(columns):
    held = opened(columns, share_out(columns, PUBLIC, CONTEXT))
    for name, values in columns.values.items():
        assert np.array_equal(together([one[name] for one in held]), values)
    for name, nulls in columns.nulls.items():
        assert np.array_equal(together([one[name + "?null"] for one in held]), nulls)
    assert np.array_equal(together([one[VALID] for one in held]), columns.valid)


def some(rows=1000):
    zeros = np.zeros(rows, np.int64)
    return LocalColumns("in", FIELDS, {"x": zeros, "day": zeros, "ill": zeros}, {"x": zeros > 0, "ill": zeros > 0}, zeros == 0)


def test_the_parts_are_those_that_the_plan_expects():
    types = (Type("int", -(1 << 40), 1 << 40, nullable=True), Type("date", 0, 30_000), Type("bool", nullable=True))
    fields = [Field(field.name, kind) for field, kind in zip(FIELDS, types, strict=True)]
    year = Field("year", Type("int", 2000, 2009), public=True)
    node = Input("in", "anna", "SELECT 1", (("year", tuple(range(2000, 2010))),), 100, (year, *fields))
    assert parts_of(some()) == input_parts(node)


def test_two_packages_of_the_same_columns_have_nothing_in_common():
    one, other = share_out(some(), PUBLIC, CONTEXT), share_out(some(), PUBLIC, CONTEXT)
    plain = [[open_package(each, key, CONTEXT) for each, key in zip(sealed, KEYS, strict=True)] for sealed in (one, other)]
    for first, second in zip(*plain, strict=True):
        assert not {*first.seeds, *first.openings} & {*second.seeds, *second.openings}
    explicit = [np.unpackbits(np.frombuffer(plain[at][1].explicit, np.uint8)) for at in range(2)]
    assert abs(np.mean(explicit[0] ^ explicit[1]) - 0.5) < 0.02  # 1.3e5 bits: 14 standard deviations
    assert abs(explicit[0].mean() - 0.5) < 0.02


@pytest.mark.parametrize("rows", [1, 64, 1000, 1001])
def test_sizes_follow_from_public_facts(rows):
    sizes = [len(one) for one in share_out(some(rows), PUBLIC, CONTEXT)]
    explicit = 2 * 8 * rows + 4 * ((rows + 7) // 8)
    assert sizes[0] < 200
    assert explicit < sizes[1] == sizes[2] < explicit + 200


def test_a_package_opens_in_its_own_place_only():
    sealed = share_out(some(), PUBLIC, CONTEXT)
    flipped = bytearray(sealed[1])
    flipped[-1] ^= 1
    renumbered = bytes([2]) + sealed[1][1:]
    for wrong, key, context in [
        (sealed[1], KEYS[0], CONTEXT),
        (sealed[1], KEYS[1], CONTEXT + b"x"),
        (bytes(flipped), KEYS[1], CONTEXT),
        (renumbered, KEYS[1], CONTEXT),
        (sealed[1][:40], KEYS[1], CONTEXT),
        (sealed[1][:1], KEYS[1], CONTEXT),
    ]:
        with pytest.raises(Refused, match="does not open here: it is for another server or run, or was altered"):
            open_package(wrong, key, context)
    for wrong in (b"", b"\x03abc"):
        with pytest.raises(Refused, match="these bytes are no input package"):
            open_package(wrong, KEYS[0], CONTEXT)


def test_a_package_under_another_servers_number():
    inner = Package(1, (bytes(16),), (bytes(32), bytes(32)), b"").encode()
    sealed = b"\0" + SUITE.encrypt(inner, KEYS[0].public_key(), _info(CONTEXT, 0))
    with pytest.raises(Refused, match="this input package is server 1's, sealed as server 0's"):
        open_package(sealed, KEYS[0], CONTEXT)


def test_three_keys_are_needed():
    for keys in (PUBLIC[:2], [PUBLIC[0], *PUBLIC[:2]]):
        with pytest.raises(OurFault, match="three servers, each with a key of its own"):
            share_out(some(), keys, CONTEXT)
