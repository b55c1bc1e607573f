"""A server's links to its two peers over connected sockets, and the driver that runs a protocol over them.

Two one-way connections a pair. Each outgoing one has a thread that sends from a bounded queue. The incoming ones are read
by the driving thread itself: a message is waited for where it is needed, so a reader thread would add two hand-overs a
round and gain nothing. No socket object is ever used by two threads at the same time.

Why nobody waits for ever: a server waits only for a message, or for room in a queue before an exchange (never between the
sends of one exchange), and while it waits it takes in whatever any peer sends. So every queue drains whenever its receiver
waits, a receiver that does not wait runs, and the server that is furthest behind has all its messages sent or queued.
"""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, Self, TypeVar

import numpy as np

from accord.base.errors import AccordError, OurFault, PeerFault
from accord.base.limits import (
    HANGUP_TIMEOUT_SECONDS,
    INBOX_BYTES_MAX,
    LINK_BYTES_MAX,
    OUTBOX_BYTES_MAX,
    OUTBOX_FRAMES_MAX,
    ROUND_TIMEOUT_SECONDS,
)
from accord.wire.exchange import Exchange, Expected, Payload, Protocol
from accord.wire.frame import Header, Inward, Kind, Outward, require, stopped
from accord.wire.traffic import Traffic

T = TypeVar("T")

_RECORD_BYTES = 1 << 14
"""One TLS record; small frames travel together in one, and a payload below it is copied rather than sent by itself."""
_SEND_BYTES = 1 << 20
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
        self._dropping = self.waiting = False
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
        except OSError as error:
            self.failure = error
        self._wake()

    def _send(self, item: _Item) -> bool:
        """Send or set aside one frame; whether it was the last."""
        ended = item.kind in (Kind.GOODBYE, Kind.ABORT)
        if ended or not self._dropping:
            self._pending += self._outward.header(item.kind, item.path, item.payload.size, item.round)
            if item.payload.size < _RECORD_BYTES // 2:
                self._pending += item.payload.data
            else:
                self._flush()
                self._write(item.payload.data)
            if len(self._pending) > _RECORD_BYTES:
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
        self._scratch = memoryview(bytearray(2 * _RECORD_BYTES))
        self._from = self._to = 0
        self.header: Header | None = None
        self._payload, self._view, self._filled = _EMPTY, memoryview(b""), 0
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
            count = self._receive(target)
            if count < 0:
                return moved
            moved = True
            if self.header is None:
                self._to += count
            else:
                self._filled += count
                self._complete()
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

    def _receive(self, target: memoryview) -> int:
        """Bytes read; −1 where none are there yet."""
        try:
            count = self.sock.recv_into(target)
        except _AGAIN:
            return -1
        except OSError as error:
            raise PeerFault(f"the connection broke: {_reason(error)}", where=self.where) from error
        if count == 0:
            raise PeerFault("it closed the connection without a goodbye", where=self.where)
        return count


class Links:
    """One server's links for one attempt of a run, as a context manager.

    Left normally, it says goodbye and waits for the goodbyes of both peers, so that a server goes on only if all three
    have got there; left by an error, it tells the peers to stop. `keys`: the two pair keys, by component.
    """

    def __init__(
        self,
        index: int,
        names: Mapping[int, str],
        outgoing: Mapping[int, Outgoing],
        incoming: Mapping[int, Incoming],
        keys: Mapping[int, bytes],
        round_timeout_seconds: float = ROUND_TIMEOUT_SECONDS,
    ) -> None:
        self.index, self.names, self.keys = index, dict(names), dict(keys)
        self._timeout = round_timeout_seconds
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._inboxes = {peer: Inbox(one) for peer, one in incoming.items()}
        for inbox in self._inboxes.values():
            self._selector.register(inbox.sock, selectors.EVENT_READ, inbox)
        self._paused: set[int] = set()
        for one in outgoing.values():
            one.sock.settimeout(None)
        self._outboxes = {peer: Outbox(one, self.names[peer], self._wake) for peer, one in outgoing.items()}
        self._step = ""
        self._open = True

    def __repr__(self) -> str:
        return f"<links of {self.names[self.index]}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            self.abort(str(error) if isinstance(error, PeerFault) else "an error of its own")

    # ---- one exchange

    def exchange(self, request: Exchange, traffic: Traffic) -> list[Payload]:
        """Send and hear what one exchange says; payloads in the order of `hears`.

        Raises PeerFault, naming the peer and the step that was waited for, where a peer fails or does not follow the protocol.
        """
        if request.sends:
            self._step = request.sends[0].path
            self._await_room()
            for message in request.sends:
                traffic.sent(message)
                self._outboxes[message.peer].put(Kind.DATA, message.path, message.payload, traffic.rounds + 1)
        heard = []
        later = 0
        for expected in request.hears:
            header, payload = self._hear(Kind.DATA, expected)
            later = max(later, header.round)
            heard.append(payload)
        traffic.heard(later)
        return heard

    def _hear(self, kind: Kind, expected: Expected) -> tuple[Header, Payload]:
        peer, self._step = expected.peer, expected.path
        inbox = self._inboxes[peer]
        if not inbox.ready:
            self._await_frame(inbox, kind, expected)
        header, payload = inbox.take()
        self._require(header, kind, expected)
        if peer in self._paused and inbox.ready_bytes < INBOX_BYTES_MAX:
            self._paused.discard(peer)
            self._selector.register(inbox.sock, selectors.EVENT_READ, inbox)
        return header, payload

    def _await_frame(self, inbox: Inbox, kind: Kind, expected: Expected) -> None:
        deadline = time.monotonic() + self._timeout
        while not inbox.ready:
            if self._pump(inbox, 1):
                deadline = time.monotonic() + self._timeout
            if inbox.ready:
                return
            if inbox.header is not None:
                self._require(inbox.header, kind, expected)
            if not self._idle(deadline, inbox):
                self._silent(expected.peer)

    def _require(self, header: Header, kind: Kind, expected: Expected) -> None:
        require(header, kind, expected.path, expected.nbytes, self.names[expected.peer])

    def _await_room(self) -> None:
        """Until no outbox is full; what comes in meanwhile is kept, so that peers that wait for us in the same way go on."""
        for peer, outbox in self._outboxes.items():
            self._check(peer)
            written, deadline = -1, 0.0
            while outbox.is_full:
                if written != outbox.written:
                    written, deadline = outbox.written, time.monotonic() + self._timeout
                outbox.waiting = True  # set before looking again, or the thread could finish in between and wake nobody
                if outbox.is_full and not self._idle(deadline) and written == outbox.written:
                    self._silent(peer)

    # ---- waiting

    def _idle(self, deadline: float, awaited: Inbox | None = None) -> bool:
        """Wait for anything to happen; take in what other peers send. False at the deadline."""
        events = self._selector.select(max(deadline - time.monotonic(), 0))
        for key, _ in events:
            if key.data is None:
                self._drain_wake()
            elif key.data is not awaited:
                self._keep(key.data)
        return bool(events)

    def _silent(self, peer: int) -> NoReturn:
        """Tell the others, then hear the silent one out: where it waits itself, its own reason names who is to blame."""
        fault = PeerFault(f"it was silent for {self._timeout:g} seconds", where=self.names[peer], rule=self._due())
        self._tell(str(fault))
        self._last_words(peer)
        raise fault

    def _keep(self, inbox: Inbox) -> None:
        """Take in what a peer sends ahead of its turn, within bounds."""
        for _ in range(OUTBOX_FRAMES_MAX):
            if inbox.ready_bytes >= INBOX_BYTES_MAX or not self._pump(inbox, len(inbox.ready) + 1):
                break
        if inbox.ended or inbox.ready_bytes >= INBOX_BYTES_MAX:
            self._selector.unregister(inbox.sock)
            self._paused.update(peer for peer, one in self._inboxes.items() if one is inbox and not inbox.ended)

    def _pump(self, inbox: Inbox, frames: int) -> bool:
        try:
            return inbox.pump(frames)
        except PeerFault as fault:
            raise PeerFault(fault.what, where=fault.where, rule=fault.rule or self._due(), do=fault.do) from fault

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(self._wake_in.recv(64)) == 64:
                pass
        for peer in self._outboxes:
            self._check(peer)

    def _check(self, peer: int) -> None:
        """Raises PeerFault where the peer takes nothing any more; if it said why, with its reason."""
        failure = self._outboxes[peer].failure
        if failure is None:
            return
        self._last_words(peer)
        raise PeerFault(f"it takes no more of what we send: {_reason(failure)}", where=self.names[peer], rule=self._due()) from failure

    def _due(self) -> str:
        return f"step {self._step or 'goodbye'} is due"

    def _last_words(self, peer: int) -> None:
        """Hear a peer out whose connection broke: its own reason tells more than ours. Raises PeerFault with it."""
        deadline = time.monotonic() + HANGUP_TIMEOUT_SECONDS
        inbox = self._inboxes[peer]
        while not inbox.ended and (left := deadline - time.monotonic()) > 0:
            if not self._pump(inbox, len(inbox.ready) + 1):
                with selectors.DefaultSelector() as selector:
                    selector.register(inbox.sock, selectors.EVENT_READ)
                    selector.select(left)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_out.send(b"\0")

    # ---- the end

    def close(self) -> None:
        """Say goodbye, hear both goodbyes, hand everything over. Raises PeerFault where a peer does not get there."""
        if not self._open:
            return
        try:
            for outbox in self._outboxes.values():
                outbox.put(Kind.GOODBYE, "")
            for peer in self._inboxes:
                self._hear(Kind.GOODBYE, Expected(peer, "", 0))
        except AccordError as error:
            self.abort(str(error))
            raise
        self._end(self._timeout)

    def abort(self, reason: str) -> None:
        """Tell the peers to stop, and why (one sentence without a secret), then close. Never raises for a peer's sake."""
        if not self._open:
            return
        self._tell(reason)
        self._end(HANGUP_TIMEOUT_SECONDS)

    def _tell(self, reason: str) -> None:
        """The last words to both peers; only the first ones are sent."""
        words = np.frombuffer(reason.encode()[: _RECORD_BYTES // 4], np.uint8)
        for outbox in self._outboxes.values():
            outbox.drop()
            outbox.put(Kind.ABORT, self._step, words)

    def _end(self, timeout_seconds: float) -> None:
        self._open = False
        for outbox in self._outboxes.values():
            outbox.end(timeout_seconds)
        self._selector.close()
        for inbox in self._inboxes.values():
            inbox.sock.close()
        self._wake_in.close()
        self._wake_out.close()


def drive(protocol: Protocol[T], links: Links, traffic: Traffic | None = None, progress: Callable[[str], None] | None = None) -> T:
    """Run one server's protocol over its links and return its result. `progress` is told the path of every exchange.

    Several protocols may be driven one after the other. Raises PeerFault as `Links.exchange` does; leaving the links'
    `with` block by it tells the other servers.
    """
    traffic = traffic or Traffic(links.index)
    heard: Any = None
    while True:
        try:
            request = protocol.send(heard)
        except StopIteration as stop:
            result: T = stop.value
            return result
        if progress is not None and (named := request.sends or request.hears):
            progress(named[0].path)
        heard = links.exchange(request, traffic)


def _reason(error: OSError) -> str:
    """What the operating system or TLS says, without numbers and addresses."""
    if isinstance(error, TimeoutError):
        return "it read nothing in time"
    return (getattr(error, "reason", None) or error.strerror or type(error).__name__).lower().replace("_", " ")
