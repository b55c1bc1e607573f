"""What an owner can be held to without showing it: salted commitments to inputs, keyed versions of files.

A bare hash of data would let anyone test guesses against it; here every digest needs 32 random bytes that only the owner holds.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np

from accord.base import canonical
from accord.base.errors import Refused
from accord.base.limits import PROTOCOL_VERSION, SALT_BYTES
from accord.data.encode import LocalField
from accord.data.local import LocalColumns

_READ_BYTES = 1 << 20


def commit(columns: LocalColumns) -> tuple[bytes, bytes]:
    """A hiding and binding commitment to an input: (commitment, opening), 32 bytes each.

    The commitment may be published; the opening stays with the owner, who can show it with the columns to prove what was put in.
    """
    opening = secrets.token_bytes(SALT_BYTES)
    return _commitment(columns, opening), opening


def verify_commitment(columns: LocalColumns, commitment: bytes, opening: bytes) -> None:
    """Raises Refused unless the commitment was made to exactly these columns with this opening."""
    if len(opening) != SALT_BYTES or not hmac.compare_digest(_commitment(columns, opening), commitment):
        rule, do = "a commitment opens to one input only", "use the opening and the data of the same run"
        raise Refused("these are not the committed columns", where=columns.name, rule=rule, do=do)


def canonical_bytes(columns: LocalColumns) -> bytes:
    """One encoding of an input: a canonical header with names, kinds and rows, then the columns, little-endian, bits packed."""
    header = {
        "input": columns.name,
        "rows": columns.rows,
        "columns": [_described(field) for field in columns.fields],
    }
    head = canonical.encode(header)
    parts = [len(head).to_bytes(8, "big"), head, np.packbits(columns.valid, bitorder="little").tobytes()]
    for field in columns.fields:
        column = columns.values[field.name]
        parts.append((column if field.kind == "text" else column.astype("<i8")).tobytes())
        if field.nullable:
            parts.append(np.packbits(columns.nulls[field.name], bitorder="little").tobytes())
    return b"".join(parts)


def _described(field: LocalField) -> list[Any]:
    """A column in the header; of a text its bytes too."""
    described: list[Any] = [field.name, field.kind, field.scale, list(field.values), field.nullable]
    return [*described, field.bytes_max] if field.kind == "text" else described


def data_version(path: str | Path, secret: bytes) -> str:
    """A keyed digest of a file's bytes, 64 hex characters, for the owner's own ledger: the same file gives the same version.

    `secret`: 32 random bytes that the owner keeps; without them the version says nothing about the file. Raises Refused for another length.
    """
    if len(secret) != SALT_BYTES:
        raise Refused(f"a version key of {len(secret)} bytes", rule=f"{SALT_BYTES} random bytes", do="make it with new_secret()")
    state = hmac.new(secret, f"accord/{PROTOCOL_VERSION}/data-version".encode(), hashlib.sha256)
    with Path(path).open("rb") as file:
        while block := file.read(_READ_BYTES):
            state.update(block)
    return state.hexdigest()


def new_secret() -> bytes:
    """32 random bytes for `data_version`; the owner keeps them beside its ledger."""
    return os.urandom(SALT_BYTES)


def _commitment(columns: LocalColumns, opening: bytes) -> bytes:
    return canonical.digest("input-commitment", opening, canonical_bytes(columns))
