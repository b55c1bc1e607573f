"""A party's keys: Ed25519 to sign, X25519 to receive, and 32 bytes that salt its ledger's data versions.

The private file is readable by its owner alone. Key material never appears in a repr, an error or a log.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from accord.base.errors import Refused
from accord.base.limits import SALT_BYTES

PRIVATE_FILE = "keys.private.json"


@dataclass(frozen=True)
class PublicKeys:
    """What everybody knows of a party: raw 32-byte public keys."""

    signing: bytes
    encryption: bytes


@dataclass(frozen=True)
class PartyKeys:
    """What only the party knows."""

    party: str
    signing: Ed25519PrivateKey = field(repr=False)
    encryption: X25519PrivateKey = field(repr=False)
    salt: bytes = field(repr=False)

    @property
    def public(self) -> PublicKeys:
        return PublicKeys(self.signing.public_key().public_bytes_raw(), self.encryption.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes [RFC8032]."""
        return self.signing.sign(message)


def generate(party: str) -> PartyKeys:
    """Fresh keys from the operating system's randomness."""
    return PartyKeys(party, Ed25519PrivateKey.generate(), X25519PrivateKey.generate(), secrets.token_bytes(SALT_BYTES))


def save(keys: PartyKeys, folder: Path) -> Path:
    """Write the private file (mode 600). Raises Refused where one is there already: a key is never overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PRIVATE_FILE
    document = {
        "party": keys.party,
        "signing": keys.signing.private_bytes_raw().hex(),
        "encryption": keys.encryption.private_bytes_raw().hex(),
        "salt": keys.salt.hex(),
    }
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused("keys are there already", where=str(path), do="move them away first if you mean to replace them") from error
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(document)))
    return path


def load(folder: Path) -> PartyKeys:
    """The keys of a party's folder. Raises Refused where there are none, or the file is damaged."""
    path = folder / PRIVATE_FILE
    try:
        document = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        signing = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(document["signing"]))
        encryption = X25519PrivateKey.from_private_bytes(bytes.fromhex(document["encryption"]))
        return PartyKeys(document["party"], signing, encryption, bytes.fromhex(document["salt"]))
    except FileNotFoundError as error:
        raise Refused("no keys here", where=str(path), do="make them with: accord keys") from error
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        raise Refused("this key file is damaged", where=str(path), do="restore it from your backup") from error


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the key signed exactly this message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True
