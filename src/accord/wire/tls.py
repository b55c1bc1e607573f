"""TLS 1.3 between servers: certificates of a party's own making, pinned by their fingerprint. No authority signs anything.

A certificate only carries a public key through TLS. Who may use which is said by the consortium, which all parties sign
and which holds each server's fingerprint; so a certificate has no end date, and trust has one root.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from accord.base.errors import Refused

_START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_NEVER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
"""No well-defined end [RFC5280, 4.1.2.5]."""


@dataclass(frozen=True)
class Identity:
    """A server's certificate and private key, as PEM files. The key file is readable by its owner alone."""

    certificate_file: Path
    key_file: Path

    @property
    def certificate(self) -> bytes:
        """The certificate in DER. Raises Refused where the file is missing or damaged."""
        try:
            return ssl.PEM_cert_to_DER_cert(self.certificate_file.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise Refused("there is no readable certificate", where=str(self.certificate_file), do="make it with: accord keys") from error

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(self.certificate)


def fingerprint(certificate: bytes) -> bytes:
    """SHA-256 of a certificate in DER: 32 bytes."""
    return hashlib.sha256(certificate).digest()


def make_certificate(name: str, key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> bytes:
    """A self-signed certificate (DER) that carries the key's public half under a party's name."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_START)
        .not_valid_after(_NEVER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    algorithm = None if isinstance(key, Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


def make_identity(name: str, folder: Path) -> Identity:
    """A fresh Ed25519 key and its certificate, written as `tls.pem` and `tls.private.pem` (mode 600).

    Raises Refused where a key is there already: none is ever overwritten.
    """
    folder.mkdir(parents=True, exist_ok=True)
    identity = Identity(folder / "tls.pem", folder / "tls.private.pem")
    key = Ed25519PrivateKey.generate()
    try:
        handle = os.open(identity.key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused("a TLS key is there already", where=str(identity.key_file), do="move it away first") from error
    with os.fdopen(handle, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    identity.certificate_file.write_text(ssl.DER_cert_to_PEM_cert(make_certificate(name, key)), encoding="ascii")
    return identity


def client_context(identity: Identity, peer: bytes) -> ssl.SSLContext:
    """For dialling the peer that has this certificate (DER), and no other."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, identity, peer)
    context.check_hostname = False
    return context


def server_context(identity: Identity, peer: bytes) -> ssl.SSLContext:
    """For hearing the peer that has this certificate (DER), and no other."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, identity, peer)
    context.num_tickets = 0  # a dialler never reads: unread tickets would turn its close into a reset that eats our data
    return context


def _context(side: int, identity: Identity, peer: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if side == ssl.PROTOCOL_TLS_CLIENT:
        context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(identity.certificate_file, identity.key_file)
    except (OSError, ValueError) as error:
        raise Refused("our TLS key and certificate cannot be used", where=str(identity.key_file), do="make them again") from error
    context.load_verify_locations(cadata=peer)
    return context
