"""An input package on its way from an owner to one server: sealed for the server, signed by the owner."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from accord.base import canonical
from accord.base.errors import Refused
from accord.study.keys import PartyKeys, PublicKeys, is_signed


@dataclass(frozen=True)
class Envelope:
    """`sealed` is encrypted to the server; `commitment` hides and binds the owner's columns, the same for all three servers."""

    owner: str
    input: str
    run: str
    server: str
    commitment: bytes
    sealed: bytes
    signature: bytes

    @staticmethod
    def message(owner: str, name: str, run: str, server: str, commitment: bytes, sealed: bytes) -> bytes:
        return canonical.digest("envelope", owner.encode(), name.encode(), run.encode(), server.encode(), commitment, sealed)


_DECODER = msgspec.msgpack.Decoder(Envelope)


def close(keys: PartyKeys, name: str, run: str, server: str, commitment: bytes, sealed: bytes) -> bytes:
    """The signed envelope's bytes."""
    signature = keys.sign(Envelope.message(keys.party, name, run, server, commitment, sealed))
    return msgspec.msgpack.encode(Envelope(keys.party, name, run, server, commitment, sealed, signature))


def open_envelope(encoded: bytes, *, owner: str, name: str, run: str, server: str, keys: PublicKeys) -> Envelope:
    """The envelope, checked: it is the one that is due, and its owner signed it. Raises Refused otherwise."""
    where = f"input {name} of {owner}"
    try:
        envelope = _DECODER.decode(encoded)
    except msgspec.MsgspecError as error:
        raise Refused("this input package is damaged", where=where, do="let the owner send it again") from error
    if (envelope.owner, envelope.input, envelope.run, envelope.server) != (owner, name, run, server):
        raise Refused("this input package is for another run, input or server", where=where, do="let the owner send it again")
    signed = Envelope.message(owner, name, run, server, envelope.commitment, envelope.sealed)
    if not is_signed(keys.signing, signed, envelope.signature):
        raise Refused(f"this input package is not signed by {owner}", where=where, do="let the owner send it again")
    return envelope
