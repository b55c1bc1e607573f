"""The two ends of a one-way connection between servers: the outbox, which a thread of its own empties into the socket, and the inbox,
which is read where something is waited for.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from accord.base.errors import OurFault, PeerFault
from accord.base.limits import LINK_BYTES_MAX, OUTBOX_BYTES_MAX, OUTBOX_FRAMES_MAX
from accord.wire.exchange import Payload
from accord.wire.frame import Header, Inward, Kind, Outward, stopped

RECORD_BYTES = 1 << 14
_RECORD_OUTER_BYTES = RECORD_BYTES + 512
"""One TLS record; small frames travel together in one, and a payload below it is copied rather than sent by itself."""
_SEND_BYTES = 1 << 20
_CORKED_BYTES_MIN = 1 << 16
"""Frames from this size on leave in full segments: a segment a TLS record would cost a third more."""
_WAKE_BYTES_MAX = 1 << 17
"""Of a long payload a server that waits is woken for as many bytes at a time, not for each record."""
_AGAIN = (ssl.SSLWantReadError, BlockingIOError)


class Outgoing(NamedTuple):
    """A connected one-way socket to a peer, and the numbering of its frames so far."""

    sock: socket.socket
    outward: Outward


class Incoming(NamedTuple):
    """A connected one-way socket by which a peer sends, and the numbering of its frames so far."""

    sock: socket.socket
    inward: Inward


class _Item(NamedTuple):
    """One frame in an outbox, which owns it."""

    kind: Kind
    path: str
    payload: Payload
    round: int


_EMPTY = np.empty(0, np.uint8)


class Outbox:
    """One way to a peer: a thread sends from a queue. The driving thread puts and asks; only this thread uses the socket."""

    def __init__(self, outgoing: Outgoing, where: str, wake: Callable[[], None]) -> None:
        self._sock, self._outward, self.where, self._wake = outgoing.sock, outgoing.outward, where, wake
        self._raw = socket.socket(fileno=os.dup(outgoing.sock.fileno()))  # the driving thread's way to end the connection
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._pending = bytearray()
        self._put = self._put_bytes = self._sent = self._sent_bytes = self.written = 0  # each written by one thread only
        self._dropping = self.waiting = self._corked = False
        self.failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name=f"outbox to {where}", daemon=True)
        self._thread.start()

    def put(self, kind: Kind, path: str, payload: Payload = _EMPTY, round: int = 0) -> None:
        self._put += 1
        self._put_bytes += payload.size
        if self._put_bytes > LINK_BYTES_MAX:
            raise OurFault(f"more than {LINK_BYTES_MAX} bytes for {self.where}", where=path, do="split the study into runs")
        self._queue.put(_Item(kind, path, payload, round))

    @property
    def is_full(self) -> bool:
        return self._put - self._sent >= OUTBOX_FRAMES_MAX or self._put_bytes - self._sent_bytes >= OUTBOX_BYTES_MAX

    def drop(self) -> None:
        """Send nothing more of what is queued but the last words."""
        self._dropping = True

    def end(self, timeout_seconds: float) -> None:
        """Wait until the last words are handed to the operating system, then close; cut a thread that cannot get there."""
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            with contextlib.suppress(OSError):
                self._raw.shutdown(socket.SHUT_RDWR)
            self._thread.join()
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_WR)
        self._raw.close()
        self._sock.close()

    def _run(self) -> None:
        try:
            ended = False
            while not ended:
                ended = self._send(self._queue.get())
                if ended or self._queue.empty():
                    self._flush()
                    self._cork(False)
        except OSError as error:
            self.failure = error
        self._wake()

    def _send(self, item: _Item) -> bool:
        """Send or set aside one frame; whether it was the last."""
        ended = item.kind in (Kind.GOODBYE, Kind.ABORT)
        if ended or not self._dropping:
            self._pending += self._outward.header(item.kind, item.path, item.payload.size, item.round)
            if item.payload.size < RECORD_BYTES // 2:
                self._pending += item.payload.data
            else:
                self._cork(item.payload.size >= _CORKED_BYTES_MIN or self._corked)
                self._flush()
                self._write(item.payload.data)
            if len(self._pending) > RECORD_BYTES:
                self._flush()
        self._sent += 1
        self._sent_bytes += item.payload.size
        if not self.is_full:
            self._wake_waiting()
        return ended

    def _wake_waiting(self) -> None:
        """Wake the driving thread if it waits for room."""
        if self.waiting:
            self.waiting = False
            self._wake()

    def _flush(self) -> None:
        if self._pending:
            self._write(memoryview(bytes(self._pending)))
            self._pending.clear()

    def _cork(self, hold: bool) -> None:
        """Hold back segments that are not full, or let the last one go. Where the system has no such thing, nothing is held back."""
        if hold is not self._corked and hasattr(socket, "TCP_CORK"):
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, hold)
            self._corked = hold

    def _write(self, view: memoryview) -> None:
        """All of it. The socket has no timeout, which would cost a poll a TLS record: the driving thread waits, and can cut us."""
        at = 0
        while at < len(view):
            sent = self._sock.send(view[at : at + _SEND_BYTES])
            at += sent
            self.written += sent


class Inbox:
    """One way from a peer, read without blocking into buffers of each frame's own size."""

    def __init__(self, incoming: Incoming) -> None:
        self.sock, self._inward = incoming.sock, incoming.inward
        self.where = incoming.inward.where
        self.ready: deque[tuple[Header, Payload]] = deque()
        self.ready_bytes = 0
        self.ended = False
        self._scratch = memoryview(bytearray(2 * RECORD_BYTES))
        self._from = self._to = 0
        self.header: Header | None = None
        self._payload, self._view, self._filled = _EMPTY, memoryview(b""), 0
        self._wake_bytes = 1
        self._read = _reader(incoming.sock)
        incoming.sock.setblocking(False)

    def take(self) -> tuple[Header, Payload]:
        header, payload = self.ready.popleft()
        self.ready_bytes -= payload.size
        return header, payload

    def pump(self, frames: int) -> bool:
        """Read until so many frames are ready, or nothing more is there; whether anything came.

        Raises PeerFault for a frame out of turn, for an ABORT, and for an end without a goodbye.
        """
        moved = False
        while len(self.ready) < frames and not self.ended:
            if self.header is None and self._begin():
                continue
            target = self._scratch[self._to :] if self.header is None else self._view[self._filled :]
            count = self._receive(target, self.header is not None)
            moved = moved or count > 0
            if self.header is None:
                self._to += count
            else:
                self._filled += count
                self._complete()
            if count < len(target) and (count == 0 or self.header is not None):
                self._wake_after()
                return moved
        return moved

    def _begin(self) -> bool:
        """Take the next frame's header, and what is there of its payload, out of the scratch buffer."""
        found = self._inward.read(self._scratch[self._from : self._to])
        if found is None:
            self._make_room()
            return False
        self.header, length = found
        self._from += length
        self._payload = np.empty(self.header.nbytes, np.uint8)
        self._view = self._payload.data
        here = min(self.header.nbytes, self._to - self._from)
        self._view[:here] = self._scratch[self._from : self._from + here]
        self._from, self._filled = self._from + here, here
        self._complete()
        return True

    def _make_room(self) -> None:
        """Move the beginning of a header to the front of the scratch buffer."""
        left = self._to - self._from
        if self._from:
            self._scratch[:left] = bytes(self._scratch[self._from : self._to])
        self._from, self._to = 0, left

    def _complete(self) -> None:
        header = self.header
        if header is None or self._filled < header.nbytes:
            return
        if header.kind is Kind.ABORT:
            raise stopped(self._payload.tobytes(), self.where)
        self.ready.append((header, self._payload))
        self.ready_bytes += header.nbytes
        self.ended = header.kind is Kind.GOODBYE
        self.header = None
        self._wake_after()

    def _receive(self, target: memoryview, whole: bool) -> int:
        """Bytes read: one record's at most, or record by record until the target is full; fewer where no more is there yet."""
        at = 0
        try:
            while at < len(target) and (whole or at == 0):
                count = self._read(len(target) - at, target[at:])
                if count == 0:
                    raise PeerFault("it closed the connection without a goodbye", where=self.where)
                at += count
        except _AGAIN:
            pass
        except OSError as error:
            raise PeerFault(f"the connection broke: {reason_of(error)}", where=self.where) from error
        return at

    def _wake_after(self) -> None:
        """Say how much must be there before a wait for this peer ends. What TLS has of a record begun is no longer with the system."""
        left = 0 if self.header is None else self.header.nbytes - self._filled - _RECORD_OUTER_BYTES
        wake_bytes = max(1, min(left, _WAKE_BYTES_MAX))
        if wake_bytes != self._wake_bytes:
            self._wake_bytes = wake_bytes
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wake_bytes)


def _reader(sock: socket.socket) -> Callable[[int, memoryview], int]:
    """Reads so many bytes at most into a buffer. With TLS past `recv_into`, which calls the same after a look at its arguments."""
    return sock.read if isinstance(sock, ssl.SSLSocket) else lambda count, target: sock.recv_into(target, count)  # type: ignore[return-value]


def reason_of(error: OSError) -> str:
    """What the operating system or TLS says, without numbers and addresses."""
    if isinstance(error, TimeoutError):
        return "it read nothing in time"
    return (getattr(error, "reason", None) or error.strerror or type(error).__name__).lower().replace("_", " ")
