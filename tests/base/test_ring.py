"""Rings: arithmetic as that of integers modulo 2^k, and wire bytes packed to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.errors import OurFault
from accord.base.ring import Ring

INTEGERS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40)


@given(st.integers(1, 64), INTEGERS, INTEGERS)
def test_arithmetic_is_that_of_integers(bits: int, a: list[int], b: list[int]) -> None:
    ring, size = Ring(bits), min(len(a), len(b))
    x, y = (ring.encode(np.array(one[:size])) for one in (a, b))
    for got, exact in (
        (ring.reduce(x + y), [p + q for p, q in zip(a, b, strict=False)]),
        (ring.reduce(x - y), [p - q for p, q in zip(a, b, strict=False)]),
        (ring.reduce(x * y), [p * q for p, q in zip(a, b, strict=False)]),
    ):
        assert got.dtype == ring.dtype and got.tolist() == [one % 2**bits for one in exact]


@given(st.integers(1, 64), INTEGERS)
def test_elements_are_read_as_signed_or_unsigned(bits: int, values: list[int]) -> None:
    ring = Ring(bits)
    column = ring.encode(np.array(values))
    unsigned = [one % 2**bits for one in values]
    assert ring.decode_unsigned(column).tolist() == unsigned
    assert ring.decode(column).tolist() == [one - 2**bits if one >= 2 ** (bits - 1) else one for one in unsigned]


@given(st.integers(1, 64), INTEGERS)
def test_wire_bytes_are_packed_to_the_bit_and_come_back(bits: int, values: list[int]) -> None:
    ring = Ring(bits)
    column = ring.encode(np.array(values))
    wire = ring.pack(column)
    assert wire.dtype == np.uint8 and wire.shape == (ring.nbytes(len(values)),) and ring.nbytes(len(values)) == -(-len(values) * bits // 8)
    assert int.from_bytes(wire.tobytes(), "little") == sum(int(one) << bits * at for at, one in enumerate(column))
    assert np.array_equal(ring.unpack(wire, len(values)), column)


def test_a_narrower_ring_keeps_low_bits() -> None:
    column = np.arange(256, dtype=np.uint8)
    assert Ring(8).cast_down(column, Ring(3)).tolist() == [one % 8 for one in range(256)]


@pytest.mark.parametrize("bits", [0, 65, -1])
def test_no_other_rings(bits: int) -> None:
    with pytest.raises(OurFault, match="1 to 64 bits"):
        Ring(bits)


def test_the_narrowest_dtype_is_taken() -> None:
    assert [Ring(bits).dtype.itemsize for bits in (1, 8, 9, 16, 17, 32, 33, 64)] == [1, 1, 2, 2, 4, 4, 8, 8]
