"""Labelled streams: equal at both holders, independent at every label, spent once, of AES-CTR."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from accord.base.errors import OurFault
from accord.base.ring import Z8, Z64, Ring
from accord.mpc.coins import PairKeys, stream
from accord.testing.world import World

KEYS = {c: bytes([c]) * 16 for c in range(3)}


def held(*components: int) -> PairKeys:
    return PairKeys({c: KEYS[c] for c in components})


def test_both_holders_draw_the_same() -> None:
    for component in range(3):
        own, other = held(component, (component + 1) % 3), held((component - 1) % 3, component)
        address = (component, Z64, 100, "sort/pass.3", "mask", 64)
        assert np.array_equal(own.column(*address), other.column(*address))
        planes = (component, 3, 100, "sort/pass.3", "planes", 64)
        assert np.array_equal(own.planes(*planes), other.planes(*planes))


def test_every_part_of_the_address_matters() -> None:
    streams = {
        held(c, (c + 1) % 3).column(c, Z64, 4, path, lane, row).tobytes()
        for c in range(3)
        for path in ("", "a", "a/b", "b")
        for lane in ("", "a", "b")
        for row in (0, 1, 64)
    }
    assert len(streams) == 3 * 4 * 3 * 3


def test_an_address_is_spent_once() -> None:
    coins = held(0, 1)
    coins.column(0, Z64, 5, "a", "", 0)
    coins.column(1, Z64, 5, "a", "", 0)
    coins.column(0, Z64, 5, "a", "", 64)
    with pytest.raises(OurFault, match="spent"):
        coins.column(0, Z64, 5, "a", "", 0)
    with pytest.raises(OurFault, match="spent"):
        coins.planes(0, 1, 5, "a", "", 64)


def test_a_server_lacks_the_third_component() -> None:
    with pytest.raises(OurFault, match="not held"):
        held(0, 1).column(2, Z64, 5, "a", "", 0)


@pytest.mark.parametrize("keys", [{0: bytes(16)}, {0: bytes(16), 1: bytes(15)}, {c: bytes(16) for c in range(3)}])
def test_a_server_has_two_keys(keys: dict[int, bytes]) -> None:
    with pytest.raises(OurFault, match="two pair keys"):
        PairKeys(keys)


def test_elements_lie_in_their_ring_and_are_spread() -> None:
    for bits in (1, 5, 8, 33, 64):
        ring = Ring(bits)
        column = held(0, 1).column(0, ring, 50_000, "a", "", 0)
        assert column.dtype == ring.dtype and int(column.max()) <= int(ring.mask)
        ones = np.unpackbits(ring.pack(column)).mean()
        assert ones == pytest.approx(0.5, abs=5 * 0.5 / (50_000 * bits) ** 0.5)


def test_a_stream_is_aes_in_counter_mode_under_a_hashed_label() -> None:
    """Computed here from the primitives: beyond a megabyte too, where the stream is made piece by piece."""
    out = np.empty((1 << 20) + 77, np.uint8)
    stream(KEYS[1], b"label", out)
    key = blake2b(b"label", key=KEYS[1], digest_size=16, person=b"accord/coin/1").digest()
    expected = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(out.size))
    assert out.tobytes() == expected


def test_zero_shares_are_zero_together_and_nothing_alone() -> None:
    parties = World(6).parties()
    columns = [me.step("a").zero_share(Z64, 100) for me in parties]
    planes = [me.step("b").zero_planes(3, 100) for me in parties]
    assert not sum(columns[1:], columns[0]).any()
    assert not (planes[0] ^ planes[1] ^ planes[2]).any()
    assert all(np.unique(column).size == 100 for column in columns)
    narrow = [me.step("c").zero_share(Ring(3), 100) for me in parties]
    assert not Ring(3).reduce(narrow[0] + narrow[1] + narrow[2]).any()


def test_every_run_has_fresh_coins() -> None:
    world = World(7)
    first, second = (world.parties()[0].mask(0, Z8, 100) for _ in range(2))
    assert not np.array_equal(first, second)
    assert np.array_equal(World(7).parties()[0].mask(0, Z8, 100), first), "and the same ones from the same seed"
