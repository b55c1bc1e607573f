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
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

import numpy as np

from accord.base.errors import AccordError, PeerFault
from accord.base.limits import HANGUP_TIMEOUT_SECONDS, INBOX_BYTES_MAX, OUTBOX_FRAMES_MAX, ROUND_TIMEOUT_SECONDS
from accord.wire.exchange import Exchange, Expected, Payload, Protocol
from accord.wire.frame import Header, Kind, require
from accord.wire.tcp_boxes import RECORD_BYTES, Inbox, Incoming, Outbox, Outgoing, reason_of
from accord.wire.traffic import Traffic

T = TypeVar("T")


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
        raise PeerFault(f"it takes no more of what we send: {reason_of(failure)}", where=self.names[peer], rule=self._due()) from failure

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
        words = np.frombuffer(reason.encode()[: RECORD_BYTES // 4], np.uint8)
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
