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
from accord.base.limits import PROTOCOL_VERSION, RING_BITS_MAX, SALT_BYTES, SERVERS
from accord.base.ring import Z64
from accord.mpc.bits import bools_from_planes, column_from_planes
from accord.plan.evaluate import Plain
from accord.plan.secure_table import bits_shared
from accord.plan.types import BOOL, TEXT
from accord.release.formula import finished
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
    there twice, or parts that do not fit together; and for a promise that the data broke, in which case nothing was released.
    """
    opened = sorted((_open(blob, private_key) for blob in blobs), key=lambda one: one.binding.server)
    _require_one_release([one.binding for one in opened], study, run)
    if len({one.layout for one in opened}) != 1:
        raise Refused("the servers disagree on the layout of this release", rule="three parts of one plan", do=AGAIN)
    layout = _read_layout(opened[0].layout)
    if any(len(one.payload) != layout.payload_bytes for one in opened):
        raise Refused("a part of this release is not of the size that its layout has", do=AGAIN)
    readers = [_Reader(one.payload, layout.rows) for one in opened]
    _require_no_fault(layout, readers)
    status, columns = _combine(layout, readers)
    _require_sound(layout, status, columns)
    commitments = tuple(one.commitment for one in opened)
    facts = (layout.release, layout.title, layout.recipient, layout.fields)
    table = ReleasedTable(*facts, status, columns, layout.sentences, commitments, layout.noise, bounds=layout.bounds)
    return finished(table, layout.formulas)


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


def _require_no_fault(layout: Layout, readers: Sequence[_Reader]) -> None:
    """A word for each sentence; its lowest bit says whether it holds."""
    words = [reduce(np.bitwise_xor, (one.planes(1, rows=1) for one in readers)) for _ in layout.faults]
    broken = [sentence for sentence, word in zip(layout.faults, words, strict=True) if int(word[0, 0]) & 1]
    if broken:
        rule = "what the study promises of its data holds and no other release is too close, or nothing is released"
        do = "correct the data or the study, or ask for other groups; other releases of the run open by name (accord open --release)"
        raise Refused("; ".join(broken), where=f"release {layout.release}", rule=rule, do=do)


def _combine(layout: Layout, readers: Sequence[_Reader]) -> tuple[NDArray[np.uint8], dict[str, Plain]]:
    """Add the masked values and XOR the masked planes; masks cancel."""

    def planes(width: int) -> NDArray[np.uint64]:
        return reduce(np.bitwise_xor, (one.planes(width) for one in readers))

    def plane() -> NDArray[np.bool_]:
        return bools_from_planes(planes(1), layout.rows)

    there, released = (plane() for _ in range(STATUS_PLANES))
    columns = dict(layout.public)
    for one in layout.fields:
        if one.public:
            continue
        values: NDArray[Any]
        if one.type.kind == TEXT:
            values = _texts(planes(bits_shared(one.type)), layout.rows)
        elif one.type.kind == BOOL:
            values = plane().astype(np.int64)
        else:
            values = Z64.decode(reduce(np.add, (each.column() for each in readers)))
        columns[one.name] = Plain(values, plane() if one.type.nullable else np.zeros(layout.rows, np.bool_))
    return there.astype(np.uint8) + released, columns


def _texts(planes: NDArray[np.uint64], rows: int) -> NDArray[Any]:
    """Texts of their planes, each an object: bytes of UTF-8, the first in the highest planes, zeros behind the end."""
    words = [column_from_planes(planes[low : low + RING_BITS_MAX], rows) for low in range(0, len(planes), RING_BITS_MAX)]
    encoded = np.stack(words[::-1], axis=1).astype(">u8").view(np.uint8)[:, -(len(planes) // 8) :]
    try:
        texts = [bytes(row).rstrip(b"\0").decode() for row in encoded]
    except UnicodeDecodeError as error:
        raise Refused(
            "the three parts do not add up to a table: a text is no UTF-8", rule="parts of one run of one plan", do=AGAIN
        ) from error
    out = np.empty(rows, object)
    out[:] = texts
    return out


class _Reader:
    """A payload, column by column."""

    def __init__(self, payload: bytes, rows: int) -> None:
        self.words, self.rows, self.at = np.frombuffer(payload, "<u8"), rows, 0

    def planes(self, width: int, rows: int | None = None) -> NDArray[np.uint64]:
        return self._next(width * (((self.rows if rows is None else rows) + 63) // 64)).reshape(width, -1)

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
        none = column.values == ("" if one.type.kind == TEXT else 0)
        inside = one.type.kind == TEXT or (column.values >= one.type.low) & (column.values <= one.type.high)
        if not np.where(released, np.where(column.nulls, none, inside), none & ~column.nulls).all():
            raise Refused(f"the three parts do not add up to a table: column {one.name}", rule="parts of one run of one plan", do=AGAIN)
