"""What three servers agree on before the first word of a run, and the pair keys that come of it; no input or output.

1. Hello: each tells each its version, run, attempt, plan, study, party set and a fresh nonce. Every mismatch is refused by
   name. The transcript is the digest of all three hellos: whatever differs in one of them, gives other keys.
2. Secret: the two holders of a component, server c and server c − 1, each send the other 32 fresh random bytes inside
   their TLS connection, with the transcript they saw. The third server never sees these.
3. Confirm: each proves by a MAC that it derived the same keys, before any data.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from accord.base import canonical
from accord.base.errors import OurFault, PeerFault
from accord.base.limits import KEY_BYTES, NONCE_BYTES, PROTOCOL_VERSION, SERVERS

_MAC_KEY_BYTES = 32
_NONCE = re.compile(rf"[0-9a-f]{{{2 * NONCE_BYTES}}}")


class Server(NamedTuple):
    """A computing server as the consortium has it: its party's name and its certificate's SHA-256 fingerprint (32 bytes)."""

    name: str
    fingerprint: bytes


def _fresh_nonce() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)


@dataclass(frozen=True)
class Binding:
    """What one server binds itself to in one attempt of a run. All but the nonce must be the same at all three.

    `servers` in their order around the ring. A nonce serves once: every attempt takes a new Binding.
    """

    run_id: str
    plan_hash: bytes
    servers: tuple[Server, Server, Server]
    study_hash: bytes = b""
    attempt: int = 1
    version: int = PROTOCOL_VERSION
    nonce: bytes = field(default_factory=_fresh_nonce)

    def __post_init__(self) -> None:
        if len(self.servers) != SERVERS or len(set(self.servers)) != SERVERS:
            raise OurFault(f"{len(set(self.servers))} different servers", rule=f"{SERVERS} servers")
        if len(self.nonce) != NONCE_BYTES:
            raise OurFault(f"a nonce of {len(self.nonce)} bytes", rule=f"{NONCE_BYTES} bytes")

    def named(self, server: int) -> str:
        """How errors name it: `server 1 (beta)`."""
        return f"server {server} ({self.servers[server].name})"

    def document(self, index: int) -> dict[str, Any]:
        """The hello of server `index`."""
        return {
            "version": self.version,
            "run": self.run_id,
            "attempt": self.attempt,
            "plan": self.plan_hash.hex(),
            "study": self.study_hash.hex(),
            "servers": [[server.name, server.fingerprint.hex()] for server in self.servers],
            "index": index,
            "nonce": self.nonce.hex(),
        }


_DIFFERENCES = {
    "version": "it runs protocol version {theirs}, we run {ours}",
    "servers": "it names another party set: {theirs}; ours: {ours}",
    "run": "it is in another run: {theirs}; ours: {ours}",
    "attempt": "it is at attempt {theirs} of this run, we are at attempt {ours}",
    "study": "it has another study: {theirs}; ours: {ours}",
    "plan": "it has another plan: {theirs}; ours: {ours}",
}
"""In the order in which they are looked at: what is most likely the cause stands first."""


class Handshake:
    """One server's side. Hear both hellos, then send and hear secrets, then confirmations; `keys` stands at the end.

    Raises PeerFault, naming the peer and the field, for whatever does not fit; OurFault for a call out of turn.
    """

    def __init__(self, index: int, binding: Binding) -> None:
        self.index, self.binding = index, binding
        self._hellos = {index: canonical.encode(binding.document(index))}
        self._given = {peer: secrets.token_bytes(NONCE_BYTES) for peer in range(SERVERS) if peer != index}
        self._pairs: dict[int, _Pair] = {}
        self._confirmed: set[int] = set()

    @property
    def peers(self) -> tuple[int, ...]:
        return tuple(self._given)

    def hello(self) -> bytes:
        return self._hellos[self.index]

    def hear_hello(self, peer: int, body: bytes) -> None:
        """A peer says hello on each of its two connections: both must be the same."""
        where = self.binding.named(peer)
        theirs = _read_hello(body, where)
        _require_same(self.binding.document(peer), theirs, where)
        if theirs["nonce"] == self.binding.nonce.hex():
            raise PeerFault("it sent our own nonce back", where=where, rule="every server draws a fresh one")
        if self._hellos.setdefault(peer, body) != body:
            raise PeerFault("it said two different hellos", where=where, do="start one server process a run")

    def secret(self, peer: int) -> bytes:
        """The transcript (32 bytes) and our contribution to the pair key (32 bytes), for this peer alone."""
        return self._transcript() + self._given[peer]

    def hear_secret(self, peer: int, body: bytes) -> None:
        where, transcript = self.binding.named(peer), self._transcript()
        if len(body) != len(transcript) + NONCE_BYTES:
            raise PeerFault(f"it sent a contribution of {len(body)} bytes", where=where)
        if body[: len(transcript)] != transcript:
            raise PeerFault("it heard other hellos than we did", where=where, rule="all three servers see the same three hellos")
        theirs, ours = body[len(transcript) :], self._given[peer]
        if theirs == ours:
            raise PeerFault("it sent our own contribution back", where=where)
        contributions = ours + theirs if self.index < peer else theirs + ours
        self._pairs[peer] = _derive(transcript, shared_component(self.index, peer), contributions)

    def confirm(self, peer: int) -> bytes:
        """Our proof that we hold the pair key."""
        return self._mac(peer, self.index)

    def hear_confirm(self, peer: int, body: bytes) -> None:
        if not hmac.compare_digest(body, self._mac(peer, peer)):
            raise PeerFault("it did not confirm the pair key", where=self.binding.named(peer), rule="both holders derive the same key")
        self._confirmed.add(peer)

    @property
    def keys(self) -> dict[int, bytes]:
        """The pair keys (16 bytes) of the two components that this server holds, by component."""
        if self._confirmed != set(self._given):
            raise OurFault("the pair keys are not confirmed yet")
        return {shared_component(self.index, peer): pair.key for peer, pair in self._pairs.items()}

    def _mac(self, peer: int, sender: int) -> bytes:
        if peer not in self._pairs:
            raise OurFault("the pair key is not derived yet")
        return hmac.digest(self._pairs[peer].mac_key, b"confirm" + bytes([sender]) + self._transcript(), "sha256")

    def _transcript(self) -> bytes:
        if len(self._hellos) != SERVERS:
            raise OurFault("not all hellos are heard yet")
        return transcript(self._hellos)


def transcript(hellos: Mapping[int, bytes]) -> bytes:
    """The digest of all three hellos in the order of the servers: 32 bytes."""
    return canonical.digest("handshake", *(hellos[index] for index in range(SERVERS)))


def shared_component(a: int, b: int) -> int:
    """The component that servers a and b both hold: component c is held by servers c and c − 1."""
    return next(c for c in range(SERVERS) if {c, (c - 1) % SERVERS} == {a, b})


@dataclass(frozen=True)
class _Pair:
    """What two servers share and the third lacks."""

    key: bytes = field(repr=False)
    mac_key: bytes = field(repr=False)


def _derive(transcript: bytes, component: int, contributions: bytes) -> _Pair:
    """HKDF-SHA256 [RFC5869] of both contributions (the lower server's first), salted with the transcript."""
    info = f"accord/{PROTOCOL_VERSION}/pair/{component}".encode()
    derived = HKDF(SHA256(), KEY_BYTES + _MAC_KEY_BYTES, transcript, info).derive(contributions)
    return _Pair(derived[:KEY_BYTES], derived[KEY_BYTES:])


def _read_hello(body: bytes, where: str) -> dict[str, Any]:
    try:
        document = canonical.decode(body)
    except OurFault:
        document = None
    if not isinstance(document, dict) or not _NONCE.fullmatch(str(document.get("nonce"))):
        raise PeerFault("its hello cannot be read", where=where, do="install the same release everywhere")
    return document


def _require_same(ours: dict[str, Any], theirs: dict[str, Any], where: str) -> None:
    for name, sentence in _DIFFERENCES.items():
        if theirs.get(name) != ours[name]:
            told = (_told(name, document.get(name)) for document in (theirs, ours))
            raise PeerFault(sentence.format(theirs=next(told), ours=next(told)), where=where, rule="all servers run the same")
    if canonical.encode(theirs) != canonical.encode({**ours, "nonce": theirs["nonce"]}):
        raise PeerFault(f"it takes itself for server {_told('index', theirs.get('index'))}, or has more to say than we", where=where)


def _told(name: str, value: Any) -> str:
    """A field's value in a few characters: it comes from outside."""
    if name == "servers" and isinstance(value, list):
        return ", ".join(f"{str(one[0])[:24]} {str(one[-1])[:8]}…" for one in value[: SERVERS + 1] if isinstance(one, list) and one)
    text = str(value)
    return f"{text[:8]}…" if name in ("plan", "study") and text else text[:72]
