"""Where coins come from: labelled AES-CTR streams of the pair keys.

Component i of a replicated value is known to servers i and i − 1; those two share the pair key of component i. A
draw is addressed by (component, path, lane, first row); a keyed hash of that address is the stream's first counter block, so
that no order of running, retry or block can make two draws meet. An address is spent once.

Q draws of at most L blocks each under one pair key: two of them overlap with a chance of at most Q²·L / 2^128, and all of
them differ from true randomness by at most (Q·L)² / 2^128 (AES as a permutation). With 2^30 draws of 2^14 blocks, which is
256 TB, both stay below 2^-40.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from threading import Lock, local
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from accord.base.errors import OurFault
from accord.base.limits import KEY_BYTES, PROTOCOL_VERSION
from accord.base.ring import Column, Ring

_ZEROS = bytes(1 << 20)
_PERSON = f"accord/coin/{PROTOCOL_VERSION}".encode()
_USES = ("accord/label", "accord/stream")
"""What the two keys that a pair key becomes are for."""


class Coins(Protocol):
    """One server's source of pseudorandom columns; `component` is absolute, and one that the server holds."""

    def column(self, component: int, ring: Ring, rows: int, path: str, lane: str, row: int) -> Column:
        """`rows` uniform elements of the ring."""
        ...

    def planes(self, component: int, width: int, rows: int, path: str, lane: str, row: int) -> Column:
        """`width` planes of `rows` uniform bits: shape (width, ⌈rows / 64⌉), uint64; bits past `rows` are uniform too."""
        ...


class PairKeys:
    """Coins from pair keys: `keys[c]` (16 bytes) for the two components that this server holds.

    Raises OurFault when an address is drawn twice, or a component is not held.
    """

    def __init__(self, keys: dict[int, bytes]) -> None:
        if len(keys) != 2 or any(len(key) != KEY_BYTES for key in keys.values()):
            raise OurFault("a server needs two pair keys", rule=f"{KEY_BYTES} bytes each")
        self._streams = {component: _Streams(key) for component, key in keys.items()}
        self._spent: set[tuple[int, str, str, int]] = set()
        self._spending = Lock()

    def column(self, component: int, ring: Ring, rows: int, path: str, lane: str, row: int) -> Column:
        out = np.empty(rows, ring.dtype)
        self._fill(out, component, path, lane, row)
        if not ring.is_full:
            out &= ring.mask
        return out

    def planes(self, component: int, width: int, rows: int, path: str, lane: str, row: int) -> Column:
        out = np.empty((width, (rows + 63) // 64), np.uint64)
        self._fill(out, component, path, lane, row)
        return out

    def _fill(self, out: Column, component: int, path: str, lane: str, row: int) -> None:
        address = (component, path, lane, row)
        with self._spending:  # row blocks may be computed by several threads
            if address in self._spent:
                raise OurFault(f"the coins at {path}, lane {lane!r}, row {row} are spent", do="give the second use a step of its own")
            self._spent.add(address)
        if component not in self._streams:
            raise OurFault(f"component {component} is not held here")
        self._streams[component].fill(f"{lane}\0{path}".encode() + struct.pack("<Q", row), out)


class _Streams:
    """The streams of one pair key: one AES key schedule a thread, and a counter that begins where the label's hash says."""

    def __init__(self, key: bytes) -> None:
        self._hash_key, aes_key = (blake2b(key=key, digest_size=KEY_BYTES, person=use.encode()).digest() for use in _USES)
        self._cipher = Cipher(algorithms.AES(aes_key), modes.CTR(bytes(16)))
        self._own = local()

    def fill(self, label: bytes, out: Column) -> None:
        encryptor = self._own.__dict__.get("encryptor") or self._own.__dict__.setdefault("encryptor", self._cipher.encryptor())
        encryptor.reset_nonce(blake2b(label, key=self._hash_key, digest_size=16, person=_PERSON).digest())
        _encrypt_zeros(encryptor, out)


def stream(key: bytes, label: bytes, out: Column) -> None:
    """Fill a contiguous array with the AES-128-CTR stream whose key is a hash of the label under `key` (16 bytes)."""
    stream_key = blake2b(label, key=key, digest_size=KEY_BYTES, person=_PERSON).digest()
    _encrypt_zeros(Cipher(algorithms.AES(stream_key), modes.CTR(bytes(16))).encryptor(), out)


def _encrypt_zeros(encryptor: CipherContext, out: Column) -> None:
    target = memoryview(out.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    for at in range(0, len(target), len(_ZEROS)):
        piece = target[at : at + len(_ZEROS)]
        encryptor.update_into(memoryview(_ZEROS)[: len(piece)], piece)
