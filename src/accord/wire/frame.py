"""Frames: a header, then a payload. Encoding, decoding and the rules of one direction of one link; no input or output.

A header is 24 bytes, little-endian, and the path in UTF-8:

    version 1 | kind 1 | path bytes 2 | round 4 | sequence 8 | payload bytes 8 | path

`round` is the sender's logical clock, so that a receiver counts rounds as one process would.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from accord.base.errors import OurFault, PeerFault
from accord.base.limits import FRAME_PAYLOAD_BYTES_MAX, PATH_BYTES_MAX, PROTOCOL_VERSION

_PREFIX = struct.Struct("<BBHIQQ")
PREFIX_BYTES = _PREFIX.size


class Kind(IntEnum):
    """What a frame is for. `SECRET` carries one end's contribution to a pair key, `CONFIRM` the proof that both derived it."""

    DATA = 1
    HELLO = 2
    SECRET = 3
    CONFIRM = 4
    GOODBYE = 5
    ABORT = 6


class Header(NamedTuple):
    """What stands before a payload of `nbytes`."""

    kind: Kind
    path: str
    sequence: int
    nbytes: int
    round: int = 0
    version: int = PROTOCOL_VERSION


def encode(header: Header) -> bytes:
    """The header's bytes. Raises OurFault for a path or payload beyond the limits."""
    path = header.path.encode()
    if len(path) > PATH_BYTES_MAX:
        raise OurFault(f"a path of {len(path)} bytes", where=header.path[:80], rule=f"at most {PATH_BYTES_MAX}", do="use shorter labels")
    if header.nbytes > FRAME_PAYLOAD_BYTES_MAX:
        raise OurFault(
            f"a payload of {header.nbytes} bytes", where=header.path, rule=f"at most {FRAME_PAYLOAD_BYTES_MAX}", do="run it with in_blocks"
        )
    return _PREFIX.pack(header.version, header.kind, len(path), header.round, header.sequence, header.nbytes) + path


def decode(buffer: memoryview, where: str, version: int = PROTOCOL_VERSION) -> tuple[Header, int] | None:
    """The header at the start of the buffer and its length; None where it is not all there yet.

    `where` names the peer. Raises PeerFault for another version, an unknown kind, a path or payload beyond the limits.
    """
    if len(buffer) and buffer[0] != version:
        raise PeerFault(f"it runs protocol version {buffer[0]}, we run {version}", where=where, do="install the same release everywhere")
    if len(buffer) < PREFIX_BYTES:
        return None
    _, kind, path_bytes, round, sequence, nbytes = _PREFIX.unpack_from(buffer)
    if path_bytes > PATH_BYTES_MAX:
        raise PeerFault(f"it sent a path of {path_bytes} bytes", where=where, rule=f"at most {PATH_BYTES_MAX}")
    if nbytes > FRAME_PAYLOAD_BYTES_MAX:
        raise PeerFault(f"it announced a payload of {nbytes} bytes", where=where, rule=f"at most {FRAME_PAYLOAD_BYTES_MAX}")
    end = PREFIX_BYTES + path_bytes
    if len(buffer) < end:
        return None
    return Header(_kind(kind, where), _path(bytes(buffer[PREFIX_BYTES:end]), where), sequence, nbytes, round, version), end


def _kind(number: int, where: str) -> Kind:
    try:
        return Kind(number)
    except ValueError:
        raise PeerFault(f"it sent a frame of the unknown kind {number}", where=where) from None


def _path(encoded: bytes, where: str) -> str:
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        raise PeerFault("it sent a path that is not UTF-8", where=where) from None


class Outward:
    """Our direction of one link: numbers the frames."""

    def __init__(self, version: int = PROTOCOL_VERSION) -> None:
        self.version, self._sequence = version, 0

    def header(self, kind: Kind, path: str, nbytes: int, round: int = 0) -> bytes:
        """The next frame's header bytes."""
        encoded = encode(Header(kind, path, self._sequence, nbytes, round, self.version))
        self._sequence += 1
        return encoded


class Inward:
    """A peer's direction of one link. `where` names the peer in errors."""

    def __init__(self, where: str, version: int = PROTOCOL_VERSION) -> None:
        self.where, self.version, self._sequence = where, version, 0

    def read(self, buffer: memoryview) -> tuple[Header, int] | None:
        """As `decode`. Raises PeerFault, too, for a frame out of its turn: lost, sent twice or replayed."""
        found = decode(buffer, self.where, self.version)
        if found is not None:
            self._take_turn(found[0])
        return found

    def _take_turn(self, header: Header) -> None:
        if header.sequence != self._sequence:
            raise PeerFault(
                f"it sent frame {header.sequence} ({header.path}) where frame {self._sequence} is due",
                where=self.where,
                rule="nothing is lost, sent twice or replayed",
            )
        self._sequence += 1


def require(header: Header, kind: Kind, path: str, nbytes: int, where: str) -> None:
    """Raises PeerFault unless the frame is the one that is due. An ABORT is left to `stopped`."""
    if (header.kind, header.path, header.nbytes) == (kind, path, nbytes):
        return
    if header.kind is not kind:
        what = f"it sent {header.kind.name.lower()} ({header.path or 'no path'})"
    elif header.path != path:
        what = f"it sent {header.nbytes} bytes at {header.path}"
    else:
        what = f"it sent {header.nbytes} bytes"
    raise PeerFault(what, where=where, rule=f"{nbytes} bytes of {kind.name.lower()} at {path or 'no path'} are due")


def stopped(reason: bytes, where: str) -> PeerFault:
    """The error that a peer's ABORT stands for; its payload is one sentence."""
    text = "".join(letter for letter in reason.decode(errors="replace") if letter.isprintable())
    return PeerFault(f"it stopped the run: {text or 'it gave no reason'}", where=where)
