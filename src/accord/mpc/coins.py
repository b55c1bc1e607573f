"""Where coins come from: labelled AES-CTR streams of the pair keys.

Component i of a replicated value is known to servers i and i − 1; those two share the pair key of component i. A
draw is addressed by (component, path, lane, first row); its stream key is a keyed hash of that address, so that no
order of running, retry or block can make two draws meet. An address is spent once.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from accord.base.errors import OurFault
from accord.base.limits import KEY_BYTES, PROTOCOL_VERSION
from accord.base.ring import Column, Ring

_ZEROS = bytes(1 << 20)
_PERSON = f"accord/coin/{PROTOCOL_VERSION}".encode()


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
        self._keys = dict(keys)
        self._spent: set[tuple[int, str, str, int]] = set()

    def column(self, component: int, ring: Ring, rows: int, path: str, lane: str, row: int) -> Column:
        out = np.empty(rows, ring.dtype)
        self._fill(out, component, path, lane, row)
        return ring.reduce(out)

    def planes(self, component: int, width: int, rows: int, path: str, lane: str, row: int) -> Column:
        out = np.empty((width, (rows + 63) // 64), np.uint64)
        self._fill(out, component, path, lane, row)
        return out

    def _fill(self, out: Column, component: int, path: str, lane: str, row: int) -> None:
        address = (component, path, lane, row)
        if address in self._spent:
            raise OurFault(f"the coins at {path}, lane {lane!r}, row {row} are spent", do="give the second use a step of its own")
        self._spent.add(address)
        if component not in self._keys:
            raise OurFault(f"component {component} is not held here")
        stream(self._keys[component], f"{lane}\0{path}".encode() + struct.pack("<Q", row), out)


def stream(key: bytes, label: bytes, out: Column) -> None:
    """Fill a contiguous array with the AES-128-CTR stream whose key is a hash of the label under `key` (16 bytes)."""
    stream_key = blake2b(label, key=key, digest_size=KEY_BYTES, person=_PERSON[:16]).digest()
    target = memoryview(out.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    encryptor = Cipher(algorithms.AES(stream_key), modes.CTR(bytes(16))).encryptor()
    for at in range(0, len(target), len(_ZEROS)):
        piece = target[at : at + len(_ZEROS)]
        encryptor.update_into(memoryview(_ZEROS)[: len(piece)], piece)
