"""From an owner's plain columns to three sealed input packages, one for each server; and a server's opening of its own.

A package is HPKE in base mode (X25519, HKDF-SHA256, AES-128-GCM) [RFC9180] behind one byte with the server's number; its `info` binds
that number and the context (study or plan, run, input). HPKE hides the package and notices changes; it does not say who sent it: the
owner's signature belongs around it. Sizes follow from public facts: server 0 gets seeds alone, about 200 bytes whatever the rows;
servers 1 and 2 get, beside about 200 bytes, 8 bytes a row for each value (of a text each of its bytes, of a digest 16) and 1 bit a row
for each bool, NULL flag and `valid`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from numpy.typing import NDArray

from accord.base import canonical
from accord.base.errors import OurFault, Refused
from accord.base.limits import SERVERS
from accord.base.ring import Z64
from accord.data.encode import DIGEST_BYTES, LocalField
from accord.data.local import LocalColumns
from accord.mpc.package import Package, Part, bit_parts, deal

VALID = "?valid"
"""The part that says which rows are real, and below the ending of a column's NULL flags; no column can have such a name."""
NULL = "?null"
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
AGAIN = "let the owner share the input again"


def parts_of(columns: LocalColumns) -> tuple[Part, ...]:
    """What is shared, in order: each column (a bool as 1 bit, a text as bits, all else over Z_2^64), its NULL flags where it can have any,
    `valid`."""
    parts: list[Part] = []
    for field in columns.fields:
        if field.kind == "text":
            parts += bit_parts(field.name, 8 * (field.bytes_max or DIGEST_BYTES), columns.rows)
        else:
            is_bool = field.kind == "bool"
            parts.append(Part(field.name, "bits" if is_bool else "ring", 1 if is_bool else Z64.bits, columns.rows))
        if field.nullable:
            parts.append(Part(field.name + NULL, "bits", 1, columns.rows))
    return (*parts, Part(VALID, "bits", 1, columns.rows))


def share_out(columns: LocalColumns, server_keys: Sequence[bytes], context: bytes) -> tuple[bytes, bytes, bytes]:
    """Fresh shares of the columns, sealed to the raw X25519 keys (32 bytes each) of servers 0, 1 and 2.

    `context` is what the servers expect the input to belong to; they must give the same bytes to `open_package` and to
    mpc.package.expand. Raises OurFault unless there are three distinct keys.
    """
    if len(set(server_keys)) != SERVERS or len(server_keys) != SERVERS:
        raise OurFault("an input is shared out to three servers, each with a key of its own")
    packages = deal_columns(columns, context)
    first, second, third = (_seal(package, key, context) for package, key in zip(packages, server_keys, strict=True))
    return first, second, third


def deal_columns(columns: LocalColumns, context: bytes) -> tuple[Package, Package, Package]:
    """Fresh shares of the columns as three packages in the clear: for servers in this process."""
    flags = {field.name + NULL: columns.nulls[field.name] for field in columns.fields if field.nullable}
    values = {name: column for field in columns.fields for name, column in _shared(field, columns).items()}
    return deal(parts_of(columns), {**values, **flags, VALID: columns.valid}, context)


def _shared(field: LocalField, columns: LocalColumns) -> dict[str, NDArray[Any]]:
    """A column by the names of its parts."""
    column = columns.values[field.name]
    if field.kind != "text":
        return {field.name: column}
    parts = bit_parts(field.name, 8 * (field.bytes_max or DIGEST_BYTES), columns.rows)
    return {part.name: word for part, word in zip(parts, text_words(column), strict=True)}


def text_words(column: NDArray[np.bytes_]) -> list[NDArray[np.uint64]]:
    """Texts of n bytes as ⌈n / 8⌉ words a row, the lowest first: together one big-endian number, ordered as texts are."""
    rows, size = column.shape[0], column.dtype.itemsize
    padded = np.zeros((rows, (size + 7) // 8 * 8), np.uint8)
    padded[:, padded.shape[1] - size :] = np.ascontiguousarray(column).view(np.uint8).reshape(rows, size)
    return list(padded.view(">u8").astype(np.uint64).T[::-1])


def open_package(sealed: bytes, private_key: X25519PrivateKey, context: bytes) -> Package:
    """A server's package from what the owner sent it.

    Raises Refused for bytes that were altered, sealed to another key, or made for another context or server number.
    """
    if len(sealed) < 1 or sealed[0] >= SERVERS:
        raise Refused("these bytes are no input package", do=AGAIN)
    server = sealed[0]
    try:
        plain = SUITE.decrypt(sealed[1:], private_key, _info(context, server))
    except (InvalidTag, ValueError):
        rule = "a package opens with its own server's key, for its own study, run and input"
        raise Refused(
            "this input package does not open here: it is for another server or run, or was altered", rule=rule, do=AGAIN
        ) from None
    package = Package.decode(plain)
    if package.server != server:
        raise Refused(f"this input package is server {package.server}'s, sealed as server {server}'s", do=AGAIN)
    return package


def _seal(package: Package, key: bytes, context: bytes) -> bytes:
    sealed = SUITE.encrypt(package.encode(), X25519PublicKey.from_public_bytes(key), _info(context, package.server))
    return bytes([package.server]) + sealed


def _info(context: bytes, server: int) -> bytes:
    return canonical.digest("input-package", context, bytes([server]))
