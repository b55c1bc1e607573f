"""Each server's part of a release, encrypted to its recipient; and the recipient's opening of the three.

A sealed part is HPKE in base mode (X25519, HKDF-SHA256, AES-128-GCM) [RFC9180], whose `info` binds study, run, release, recipient
and server. Inside stand 32 random bytes of salt, the public layout and the server's masked payload. The server's commitment to its
part is SHA-256 over the salt and the rest: it can stand in a receipt, since nobody without the salt can test a guess against it, and
the recipient, who has the salt, can show what it opens to. The size of a sealed part follows from public facts alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import reduce
from typing import Any, NamedTuple

import msgspec
import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from numpy.typing import NDArray

from accord.base import canonical
from accord.base.errors import OurFault, Refused
from accord.base.limits import PROTOCOL_VERSION, SALT_BYTES, SERVERS
from accord.base.ring import Z64
from accord.mpc.bits import bools_from_planes
from accord.plan.evaluate import Plain
from accord.plan.types import BOOL
from accord.release.gate import ReleasePart
from accord.release.layout import STATUS_PLANES, Layout
from accord.release.table import SUPPRESSED, ReleasedTable, Suppressed

__all__ = ["SUPPRESSED", "Binding", "ReleasedTable", "Sealed", "Suppressed", "open_sealed", "require_committed", "seal"]

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
DOMAIN = f"accord/{PROTOCOL_VERSION}/release/".encode()
LENGTH_BYTES = 4
AGAIN = "ask the servers for their parts of this run again"


@dataclass(frozen=True)
class Binding:
    """What a sealed part belongs to: the study's hash in hex, the run, the release, the recipient, and the server 0, 1 or 2."""

    study: str
    run: str
    release: str
    recipient: str
    server: int

    @property
    def encoded(self) -> bytes:
        return canonical.encode(asdict(self))

    @property
    def of_all(self) -> tuple[str, str, str, str]:
        """What the three parts of one release have in common."""
        return self.study, self.run, self.release, self.recipient


@dataclass(frozen=True)
class Sealed:
    """`blob` for the recipient; `commitment` (32 bytes) for the receipt."""

    blob: bytes = field(repr=False)
    commitment: bytes


class _Opened(NamedTuple):
    binding: Binding
    layout: bytes
    payload: bytes
    commitment: bytes


def seal(part: ReleasePart, binding: Binding, public_key: bytes) -> Sealed:
    """Encrypt a part to a recipient's raw X25519 key (32 bytes). Raises OurFault where the binding is of another release."""
    if (part.release, part.recipient) != (binding.release, binding.recipient):
        raise OurFault(f"a part of {part.release} for {part.recipient} under the binding of another", do="bind each part to its own")
    salt = secrets.token_bytes(SALT_BYTES)
    plain = salt + _with_length(part.layout) + part.payload
    sealed = SUITE.encrypt(plain, X25519PublicKey.from_public_bytes(public_key), DOMAIN + binding.encoded)
    return Sealed(_with_length(binding.encoded) + sealed, _commitment(binding, plain))


def open_sealed(blobs: Sequence[bytes], private_key: X25519PrivateKey, study: str | None = None, run: str | None = None) -> ReleasedTable:
    """The table of three servers' sealed parts. `study` and `run` are what the recipient expects, where it expects something.

    Raises Refused, in one sentence, for another key, an altered part, parts of different releases or runs, a server that is
    there twice, or parts that do not fit together.
    """
    opened = sorted((_open(blob, private_key) for blob in blobs), key=lambda one: one.binding.server)
    _require_one_release([one.binding for one in opened], study, run)
    if len({one.layout for one in opened}) != 1:
        raise Refused("the servers disagree on the layout of this release", rule="three parts of one plan", do=AGAIN)
    layout = _read_layout(opened[0].layout)
    if any(len(one.payload) != layout.payload_bytes for one in opened):
        raise Refused("a part of this release is not of the size that its layout has", do=AGAIN)
    status, columns = _combine(layout, [one.payload for one in opened])
    _require_sound(layout, status, columns)
    commitments = tuple(one.commitment for one in opened)
    return ReleasedTable(layout.release, layout.title, layout.recipient, layout.fields, status, columns, layout.sentences, commitments)


def require_committed(table: ReleasedTable, commitments: Mapping[int, bytes]) -> None:
    """Return only if the opened parts are those that the servers committed to in the receipt. Raises Refused naming the server."""
    for server, commitment in enumerate(table.commitments):
        if commitments.get(server) != commitment:
            raise Refused(
                f"server {server}'s part of {table.name} is not the one that it committed to",
                rule="the receipt holds the commitment of each part",
                do=AGAIN,
            )


# ---- one part


def _with_length(body: bytes) -> bytes:
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def _split(body: bytes) -> tuple[bytes, bytes]:
    """What stands behind a length, and the rest. Raises Refused where it is cut short."""
    length = int.from_bytes(body[:LENGTH_BYTES], "big")
    rest = body[LENGTH_BYTES:]
    if len(body) < LENGTH_BYTES or len(rest) < length:
        raise Refused("this file is no sealed release, or is cut short", do=AGAIN)
    return rest[:length], rest[length:]


def _commitment(binding: Binding, plain: bytes) -> bytes:
    return canonical.digest("release part", plain[:SALT_BYTES], binding.encoded, plain[SALT_BYTES:])


def _open(blob: bytes, private_key: X25519PrivateKey) -> _Opened:
    head, sealed = _split(blob)
    binding = _read_binding(head)
    where = f"release {binding.release}, server {binding.server}"
    try:
        plain = SUITE.decrypt(sealed, private_key, DOMAIN + head)
    except InvalidTag:
        raise Refused(
            f"this key does not open it: it is sealed to {binding.recipient}, or was altered",
            where=where,
            do=f"use the key of {binding.recipient}; if it is, {AGAIN}",
        ) from None
    layout, payload = _split(plain[SALT_BYTES:])
    return _Opened(binding, layout, payload, _commitment(binding, plain))


def _read_binding(head: bytes) -> Binding:
    try:
        return msgspec.json.decode(head, type=Binding)
    except msgspec.MsgspecError as error:
        raise Refused("this file is no sealed release", do=AGAIN) from error


def _read_layout(encoded: bytes) -> Layout:
    try:
        document: Any = canonical.decode(encoded)
    except OurFault as error:
        raise Refused("this release holds no layout", do=AGAIN) from error
    return Layout.read(document)


def _require_one_release(bindings: Sequence[Binding], study: str | None, run: str | None) -> None:
    servers = [one.server for one in bindings]
    if len({one.of_all for one in bindings}) > 1:
        raise Refused("these parts are of different studies, runs, releases or recipients", rule="three parts of one release", do=AGAIN)
    if servers != list(range(SERVERS)):
        given = ", ".join(map(str, servers)) or "none"
        raise Refused(f"parts of servers {given}", rule="one part of each of the servers 0, 1 and 2", do="give all three parts, each once")
    for what, expected, found in (("study", study, bindings[0].study), ("run", run, bindings[0].run)):
        if expected is not None and expected != found:
            raise Refused(f"this release is of another {what}", rule=f"{what} {expected}", do="open the parts of that one")


# ---- three parts


def _combine(layout: Layout, payloads: Sequence[bytes]) -> tuple[NDArray[np.uint8], dict[str, Plain]]:
    """Add the masked values and XOR the masked planes; masks cancel."""
    readers = [_Reader(payload, layout.rows) for payload in payloads]

    def plane() -> NDArray[np.bool_]:
        together = reduce(np.bitwise_xor, (one.plane() for one in readers))
        return bools_from_planes(together.reshape(1, -1), layout.rows)

    there, released = (plane() for _ in range(STATUS_PLANES))
    columns = dict(layout.public)
    for one in layout.fields:
        if not one.public:
            values = plane().astype(np.int64) if one.type.kind == BOOL else Z64.decode(reduce(np.add, (each.column() for each in readers)))
            columns[one.name] = Plain(values, plane() if one.type.nullable else np.zeros(layout.rows, np.bool_))
    return there.astype(np.uint8) + released, columns


class _Reader:
    """A payload, column by column."""

    def __init__(self, payload: bytes, rows: int) -> None:
        self.words, self.rows, self.at = np.frombuffer(payload, "<u8"), rows, 0

    def plane(self) -> NDArray[np.uint64]:
        return self._next((self.rows + 63) // 64)

    def column(self) -> NDArray[np.uint64]:
        return self._next(self.rows)

    def _next(self, words: int) -> NDArray[np.uint64]:
        self.at += words
        return self.words[self.at - words : self.at].astype(np.uint64)


def _require_sound(layout: Layout, status: NDArray[np.uint8], columns: Mapping[str, Plain]) -> None:
    """What the parts add up to must be a table: values in range where released, nothing where not."""
    for one in layout.fields:
        if one.public:
            continue
        column, released = columns[one.name], status == 2
        inside = (column.values >= one.type.low) & (column.values <= one.type.high)
        empty = (column.values == 0) & ~column.nulls
        if not np.where(released, np.where(column.nulls, column.values == 0, inside), empty).all():
            raise Refused(f"the three parts do not add up to a table: column {one.name}", rule="parts of one run of one plan", do=AGAIN)
