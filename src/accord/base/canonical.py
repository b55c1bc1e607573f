"""Canonical bytes: one value has one encoding, and one encoding one digest.

A document is built of text, integers, booleans, None, lists and text-keyed dicts; no floats, which have no
one spelling. The encoding is JSON in UTF-8 with sorted keys and no spaces.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from accord.base.errors import OurFault
from accord.base.limits import PROTOCOL_VERSION

_ENCODER = msgspec.json.Encoder(order="deterministic")


def encode(document: Any) -> bytes:
    """The canonical bytes of a document. Raises OurFault for a float or another type that has no one spelling."""
    _require_plain(document)
    return _ENCODER.encode(document)


def decode(encoded: bytes) -> Any:
    """The document of some canonical bytes. Raises OurFault where they are not JSON, or not canonical."""
    try:
        document = msgspec.json.decode(encoded)
    except msgspec.DecodeError as error:
        raise OurFault(f"these bytes are no document: {error}") from error
    if encode(document) != encoded:
        raise OurFault("this document is not in canonical form", do="encode it again before signing")
    return document


def digest(domain: str, *parts: bytes) -> bytes:
    """SHA-256 over the parts, each with its length, under a domain name and the protocol version: 32 bytes."""
    state = hashlib.sha256(f"accord/{PROTOCOL_VERSION}/{domain}".encode())
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.digest()


def _require_plain(document: Any) -> None:
    if isinstance(document, dict):
        for key, value in document.items():
            if not isinstance(key, str):
                raise OurFault(f"a key of type {type(key).__name__} in a document", rule="keys are text")
            _require_plain(value)
    elif isinstance(document, list | tuple):
        for value in document:
            _require_plain(value)
    elif not (document is None or isinstance(document, str | int | bool)):
        raise OurFault(f"a value of type {type(document).__name__} in a document", rule="text, integers, booleans, lists, dicts")
