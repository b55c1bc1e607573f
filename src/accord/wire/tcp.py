"""How three servers meet: listen, dial, TLS 1.3 with pinned certificates, hellos, pair keys. `connect` gives the links.

Every connection begins with both ends' certificates in the clear. Each end compares the other's with the fingerprint that
the consortium has for it, then runs mutual TLS that trusts this one certificate: so fingerprints are all that has to be
agreed, and no authority is needed. Inside TLS both say hello at once, so that each can name what differs.

A stranger at the listener is turned away and remembered; only a server of the consortium can end an attempt.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from accord.base.errors import AccordError, OurFault, PeerFault, Refused
from accord.base.limits import (
    CONNECT_TIMEOUT_SECONDS,
    DIAL_PAUSE_SECONDS,
    HANDSHAKE_PAYLOAD_BYTES_MAX,
    HANGUP_TIMEOUT_SECONDS,
    PATH_BYTES_MAX,
    ROUND_TIMEOUT_SECONDS,
    SERVERS,
)
from accord.wire.attempts import Attempts
from accord.wire.frame import PREFIX_BYTES, Inward, Kind, Outward, stopped
from accord.wire.handshake import Binding, Handshake
from accord.wire.tcp_boxes import Incoming, Outgoing
from accord.wire.tcp_links import Links, drive
from accord.wire.tls import Identity, client_context, fingerprint, server_context

__all__ = ["Links", "address_of", "adopt", "connect", "drive", "listen"]

_PREAMBLE = struct.Struct("<8sH")
_MAGIC = b"accord\r\n"
_GREETINGS_MAX = 16
"""Callers that are greeted at the same time."""


def listen(address: str) -> socket.socket:
    """A listening socket at `host:port`; port 0 takes a free one. Raises Refused where that cannot be had."""
    host, port = _split(address)
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Refused(f"we cannot listen at {address} ({error.strerror})", do="free the port, or change the address") from error


def adopt(descriptor: int) -> socket.socket:
    """The listening socket that a parent process left open at this descriptor."""
    return socket.socket(fileno=descriptor)


def address_of(listener: socket.socket) -> str:
    """`host:port` where a socket listens."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise Refused(f"{address!r} is no address", rule="host:port")
    return host.strip("[]"), int(port)


def connect(
    index: int,
    addresses: Sequence[str],
    identity: Identity,
    binding: Binding,
    attempts: Attempts,
    *,
    listener: socket.socket | None = None,
    connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
    round_timeout_seconds: float = ROUND_TIMEOUT_SECONDS,
) -> Links:
    """Meet the two other servers and derive the pair keys, as server `index` of `binding.servers`.

    `addresses` are `host:port` of the three servers; a `listener` that already listens at ours may be given, and is closed
    in the end. The attempt is spent before anything is sent. Raises Refused for a spent attempt, and PeerFault that names
    the server and the field where one does not come, shows another certificate, or is bound to something else.
    """
    mine = binding.servers[index]
    if identity.fingerprint != mine.fingerprint:
        raise Refused(
            f"our certificate is not the one that the consortium has for {mine.name}",
            where=str(identity.certificate_file),
            do="use the key that was announced, or announce the new one",
        )
    attempts.spend(binding.run_id, binding.attempt, binding.nonce)
    meeting = _Meeting(index, tuple(addresses), identity, binding, time.monotonic() + connect_timeout_seconds)
    with listener or listen(addresses[index]) as door:
        ends = sorted(meeting.gather(door), key=lambda end: end.peer)
    keys = _agree(meeting.handshake, ends)
    names = {number: binding.named(number) for number in range(SERVERS)}
    outgoing = {end.peer: Outgoing(end.wire.sock, end.wire.outward) for end in ends if end.dialled}
    incoming = {end.peer: Incoming(end.wire.sock, end.wire.inward) for end in ends if not end.dialled}
    return Links(index, names, outgoing, incoming, keys, round_timeout_seconds)


# ---- one connection


class _Wire:
    """Frames on one connection while servers meet: small, blocking, used by one thread at a time."""

    def __init__(self, sock: socket.socket, where: str, version: int) -> None:
        self.sock, self.where = sock, where
        self.outward, self.inward = Outward(version), Inward(where, version)

    def write(self, kind: Kind, payload: bytes) -> None:
        with _named(self.where):
            self.sock.sendall(self.outward.header(kind, "", len(payload)) + payload)

    def read(self, kind: Kind) -> bytes:
        """The payload of the next frame. Raises PeerFault where it is of another kind, or the peer stopped."""
        start = self._exactly(PREFIX_BYTES)
        found = self.inward.read(memoryview(start))
        if found is None:
            extra = int.from_bytes(start[2:4], "little")
            found = self.inward.read(memoryview(start + self._exactly(min(extra, PATH_BYTES_MAX))))
        assert found is not None, "a prefix and its path make a header"
        header, _ = found
        if header.nbytes > HANDSHAKE_PAYLOAD_BYTES_MAX:
            raise PeerFault(f"it announced {header.nbytes} bytes", where=self.where, rule=f"at most {HANDSHAKE_PAYLOAD_BYTES_MAX} to meet")
        payload = self._exactly(header.nbytes)
        if header.kind is Kind.ABORT:
            raise stopped(payload, self.where)
        if header.kind is not kind:
            raise PeerFault(f"it sent {header.kind.name.lower()}", where=self.where, rule=f"{kind.name.lower()} is due")
        return payload

    def _exactly(self, count: int) -> bytes:
        with _named(self.where):
            return _exactly(self.sock, count)


def _exactly(sock: socket.socket, count: int) -> bytes:
    """Raises OSError where the connection ends before."""
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise ConnectionResetError("the connection ended")
        data += piece
    return data


class _Broken(PeerFault):
    """A connection that ended or was silent: some other connection may tell why."""


@contextlib.contextmanager
def _named(where: str, when: str = "while we met") -> Iterator[None]:
    """Turns what the operating system and TLS raise into an error that names the peer."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise PeerFault(f"its certificate does not hold ({error.verify_message})", where=where) from error
    except TimeoutError as error:
        raise _Broken("it did not answer in time", where=where) from error
    except OSError as error:
        if "ALERT" in (getattr(error, "reason", None) or ""):
            raise PeerFault("it does not accept our certificate", where=where, do="compare the fingerprints") from error
        raise _Broken(f"it closed the connection {when}", where=where, do="look at what it says itself") from error


# ---- meeting


class _End(NamedTuple):
    """One connection that stands: to or from which peer."""

    peer: int
    dialled: bool
    wire: _Wire


class _Failure(NamedTuple):
    peer: int
    dialled: bool
    error: AccordError


@dataclass
class _Meeting:
    """One server on its way to four connections: two that it dials, two that it accepts, each on a thread of its own."""

    index: int
    addresses: tuple[str, ...]
    identity: Identity
    binding: Binding
    deadline: float
    strangers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.addresses) != SERVERS:
            raise OurFault(f"{len(self.addresses)} addresses", rule=f"one for each of {SERVERS} servers")
        self.handshake = Handshake(self.index, self.binding)
        self._events: queue.SimpleQueue[_End | _Failure] = queue.SimpleQueue()
        self._over = threading.Event()
        self._greetings = threading.Semaphore(_GREETINGS_MAX)
        self._lock = threading.Lock()

    def gather(self, door: socket.socket) -> list[_End]:
        """All four connections. Raises the error that says most where one fails."""
        for peer in self.handshake.peers:
            threading.Thread(target=self._dial, args=(peer,), daemon=True).start()
        listening = threading.Thread(target=self._accept, args=(door,), daemon=True)
        listening.start()
        ends: list[_End] = []
        failures: list[_Failure] = []
        try:
            self._collect(ends, failures)
            if failures:
                raise _worst(failures)
            self._require_all(ends)
        except AccordError as error:
            hang_up(ends, str(error))
            raise
        finally:
            with self._lock:
                self._over.set()
            self._clear()
            listening.join()
        return ends

    def _clear(self) -> None:
        """Close what came while nobody collected any more."""
        while not self._events.empty():
            event = self._events.get()
            if isinstance(event, _End):
                hang_up([event], "the attempt is over")

    def _stands(self, end: _End) -> None:
        """Hand over a connection; one that comes too late is closed."""
        with self._lock:
            late = self._over.is_set()
            if not late:
                self._events.put(end)
        if late:
            hang_up([end], "the attempt is over")

    def _collect(self, ends: list[_End], failures: list[_Failure]) -> None:
        """Until four connections stand, or time is over; after a failure only a moment more, for what explains it."""
        deadline = self.deadline
        while len(ends) + len(failures) < 2 * (SERVERS - 1):
            left = deadline - time.monotonic()
            try:
                event = self._events.get(timeout=max(left, 0))
            except queue.Empty:
                return
            if isinstance(event, _End):
                ends.append(event)
                continue
            failures.append(event)
            if not isinstance(event.error, _Broken):
                return
            deadline = min(deadline, time.monotonic() + HANGUP_TIMEOUT_SECONDS)

    def _require_all(self, ends: list[_End]) -> None:
        here = {(end.peer, end.dialled) for end in ends}
        for peer in self.handshake.peers:
            if (peer, True) not in here or (peer, False) not in here:
                turned_away = f"; turned away: {', '.join(self.strangers)}" if self.strangers else ""
                raise PeerFault(
                    f"it did not come to the meeting at {self.addresses[peer]}{turned_away}",
                    where=self.binding.named(peer),
                    do="start all three servers",
                )

    # ---- dialling

    def _dial(self, peer: int) -> None:
        try:
            with _named(self.binding.named(peer), "when it saw our certificate"):
                wire = self._secure(self._reach(peer), peer)
            self._greet(wire, peer)
            self._stands(_End(peer, True, wire))
        except AccordError as error:
            self._events.put(_Failure(peer, True, error))

    def _reach(self, peer: int) -> socket.socket:
        """A TCP connection, tried again until the peer listens."""
        address = _split(self.addresses[peer])
        while True:
            try:
                return socket.create_connection(address, timeout=self._left())
            except OSError as error:
                if self._over.wait(DIAL_PAUSE_SECONDS) or time.monotonic() > self.deadline:
                    raise _Broken(
                        f"nobody listens at {self.addresses[peer]}", where=self.binding.named(peer), do="start all three servers"
                    ) from error

    # ---- listening

    def _accept(self, door: socket.socket) -> None:
        door.settimeout(DIAL_PAUSE_SECONDS)
        while not self._over.is_set():
            try:
                sock, address = door.accept()
            except TimeoutError:
                continue
            if self._greetings.acquire(blocking=False):
                threading.Thread(target=self._answer, args=(sock, str(address[0])), daemon=True).start()
            else:
                sock.close()

    def _answer(self, sock: socket.socket, address: str) -> None:
        """Find out who calls; a server of the consortium becomes an event, anybody else is remembered as a stranger."""
        peer = None
        try:
            sock.settimeout(self._left())
            certificate = self._swap_certificates(sock)
            peer = next((p for p in self.handshake.peers if self.binding.servers[p].fingerprint == fingerprint(certificate)), None)
            if peer is not None:
                with _named(self.binding.named(peer)):
                    wire = self._wrap(sock, certificate, peer, dialled=False)
        except (OSError, AccordError) as error:
            peer = None
            self.strangers.append(f"{address} ({type(error).__name__})")
        finally:
            self._greetings.release()
        if peer is None:
            _linger(sock)
            return
        try:
            self._greet(wire, peer)
            self._stands(_End(peer, False, wire))
        except AccordError as error:
            self._events.put(_Failure(peer, False, error))

    # ---- both

    def _secure(self, sock: socket.socket, peer: int) -> _Wire:
        """As the one who dialled: certificates compared with the consortium's, then TLS."""
        sock.settimeout(self._left())
        certificate = self._swap_certificates(sock)
        if fingerprint(certificate) != self.binding.servers[peer].fingerprint:
            sock.close()
            raise PeerFault(
                "its certificate is not the one in the consortium",
                where=self.binding.named(peer),
                rule=f"fingerprint {self.binding.servers[peer].fingerprint.hex()[:16]}…; its own is {fingerprint(certificate).hex()[:16]}…",
                do="ask this party which key it uses",
            )
        return self._wrap(sock, certificate, peer, dialled=True)

    def _swap_certificates(self, sock: socket.socket) -> bytes:
        """The other end's certificate in DER; ours goes out at the same time."""
        own = self.identity.certificate
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(_PREAMBLE.pack(_MAGIC, len(own)) + own)
        magic, length = _PREAMBLE.unpack(_exactly(sock, _PREAMBLE.size))
        if magic != _MAGIC or length > HANDSHAKE_PAYLOAD_BYTES_MAX:
            raise ConnectionAbortedError("this is no server of Accord")
        return _exactly(sock, length)

    def _wrap(self, sock: socket.socket, certificate: bytes, peer: int, dialled: bool) -> _Wire:
        context = (client_context if dialled else server_context)(self.identity, certificate)
        secure = context.wrap_socket(sock, server_side=not dialled)
        shown = secure.getpeercert(binary_form=True)
        if shown != certificate:
            raise PeerFault("it showed two certificates", where=self.binding.named(peer))
        return _Wire(secure, self.binding.named(peer), self.binding.version)

    def _greet(self, wire: _Wire, peer: int) -> None:
        """Both say hello at once; each judges the other's."""
        try:
            wire.write(Kind.HELLO, self.handshake.hello())
            hello = wire.read(Kind.HELLO)
            with self._lock:
                self.handshake.hear_hello(peer, hello)
        except AccordError:
            _linger(wire.sock)
            raise

    def _left(self) -> float:
        return max(self.deadline - time.monotonic(), DIAL_PAUSE_SECONDS)


def _worst(failures: list[_Failure]) -> AccordError:
    """The one that names a cause; a broken connection only where nothing else is known."""
    return min(failures, key=lambda failure: isinstance(failure.error, _Broken)).error


def _agree(handshake: Handshake, ends: list[_End]) -> dict[int, bytes]:
    """Secrets, then confirmations: each goes out to both peers before either is heard."""
    out = {end.peer: end.wire for end in ends if end.dialled}
    by = {end.peer: end.wire for end in ends if not end.dialled}
    try:
        for kind, say, hear in (
            (Kind.SECRET, handshake.secret, handshake.hear_secret),
            (Kind.CONFIRM, handshake.confirm, handshake.hear_confirm),
        ):
            for peer, wire in out.items():
                wire.write(kind, say(peer))
            for peer, wire in by.items():
                hear(peer, wire.read(kind))
    except AccordError as error:
        hang_up(ends, str(error))
        raise
    return handshake.keys


def hang_up(ends: Sequence[_End], reason: str) -> None:
    """Tell every peer that is there why we stop, and close."""
    for end in ends:
        if end.dialled:
            with contextlib.suppress(AccordError):
                end.wire.write(Kind.ABORT, reason.encode()[:PATH_BYTES_MAX])
    _linger(*(end.wire.sock for end in ends))


def _linger(*socks: socket.socket) -> None:
    """Close so that what we said is still read: say that no more comes, and wait a moment for the other ends' closes."""
    for sock in socks:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + HANGUP_TIMEOUT_SECONDS
    for sock in socks:
        with contextlib.suppress(OSError), sock:
            while (left := deadline - time.monotonic()) > 0:
                sock.settimeout(left)
                if not sock.recv(PATH_BYTES_MAX):
                    break
