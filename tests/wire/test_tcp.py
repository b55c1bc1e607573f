"""Real sockets with TLS: servers meet or are refused by name, transcripts are those of one process, no fault hangs."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from accord.base.errors import OurFault, PeerFault, Refused
from accord.base.limits import INBOX_BYTES_MAX, OUTBOX_BYTES_MAX, OUTBOX_FRAMES_MAX
from accord.base.ring import Z64
from accord.mpc.coins import PairKeys
from accord.mpc.compose import in_blocks
from accord.mpc.party import Party, Profile
from accord.mpc.product import multiply
from accord.mpc.share import Share
from accord.wire.attempts import Attempts
from accord.wire.exchange import Exchange, Expected, Message
from accord.wire.handshake import Server
from accord.wire.local import run_local
from accord.wire.tcp import address_of, connect, drive, listen
from accord.wire.tls import Identity, client_context, fingerprint, make_certificate, server_context
from accord.wire.traffic import Traffic
from tests.wire.servers import NAMES, SPAWN, at_once, binding, column, each, identity, listeners, meet, pass_around

MEBIBYTE = 1 << 20


def run_three(protocol, tmp_path, **options):
    """Run `protocol(index)` at three servers in threads over TLS; results or errors, in order."""
    doors = listeners()

    def serve(index):
        with meet(index, doors, tmp_path, **options) as links:
            return drive(protocol(index), links)

    return each(serve)


# ---- meeting


def test_three_servers_meet_and_share_keys_by_pairs(tmp_path):
    doors = listeners()

    def serve(index):
        with meet(index, doors, tmp_path) as links:
            assert "keys" not in repr(links) and links.names[1] == "server 1 (beta)"
            return links.keys

    keys = each(serve)
    assert [set(one) for one in keys] == [{0, 1}, {1, 2}, {2, 0}]
    assert all(keys[c][c] == keys[c - 1][c] for c in range(3)) and len({key for one in keys for key in one.values()}) == 3


def test_the_links_are_tls_13_and_one_way(tmp_path):
    doors = listeners()

    def serve(index):
        with meet(index, doors, tmp_path) as links:
            socks = [box._sock for box in links._outboxes.values()] + [box.sock for box in links._inboxes.values()]
            return [(type(sock), sock.version(), sock.context.verify_mode, sock.getpeercert(True)) for sock in socks]

    for index, socks in enumerate(each(serve)):
        peers = [identity(name).certificate for name in NAMES if name != NAMES[index]]
        assert [one[3] for one in socks] == peers * 2
        assert {one[:3] for one in socks} == {(ssl.SSLSocket, "TLSv1.3", ssl.CERT_REQUIRED)}


def test_listeners_give_no_session_tickets():
    """A dialler never reads: an unread ticket would turn its close into a reset, which can eat its last words."""
    assert server_context(identity("alpha"), identity("beta").certificate).num_tickets == 0


def test_p256_certificates_do_as_well(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = make_certificate("beta", key)
    who = Identity(tmp_path / "p256.pem", tmp_path / "p256.private.pem")
    who.certificate_file.write_text(ssl.DER_cert_to_PEM_cert(certificate))
    who.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    servers = list(binding().servers)
    servers[1] = Server("beta", fingerprint(certificate))
    doors = listeners()

    def serve(index):
        own = who if index == 1 else None
        with meet(index, doors, tmp_path, bound=binding(servers=tuple(servers)), who=own) as links:
            return drive(pass_around(index, 2, 100), links)

    assert all(isinstance(one, int) for one in each(serve))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "it runs protocol version 2, we run 1"),
        ({"run_id": "run-2"}, "it is in another run: run-2"),
        ({"attempt": 2}, "it is at attempt 2"),
        ({"plan_hash": b"q" * 32}, "it has another plan: 71717171"),
        ({"study_hash": b"t" * 32}, "it has another study"),
        ({"servers": tuple(Server(f"{name}-x", identity(name).fingerprint) for name in NAMES)}, "it names another party set: alpha-x"),
    ],
)
def test_a_server_that_differs_is_refused_by_name(change, says, tmp_path):
    doors = listeners()
    bindings = [binding(), binding(**change), binding()]
    failed = each(lambda index: meet(index, doors, tmp_path, bound=bindings[index]))
    assert all(isinstance(error, PeerFault) for error in failed)
    for index in (0, 2):
        assert "server 1 (beta): " in str(failed[index]) and says in str(failed[index]), failed[index]
    assert "version 1, we run 2" in str(failed[1]) or "ours: " in str(failed[1]) or "we are at attempt 2" in str(failed[1])


def test_a_wrong_certificate_is_refused_by_name(tmp_path):
    """A server that shows another certificate than the consortium's, and believes in it, meets nobody."""
    doors = listeners()
    wrong = identity("mallory")
    servers = binding().servers
    believes = binding(servers=(servers[0], Server("beta", wrong.fingerprint), servers[2]))
    failed = at_once(
        lambda: meet(0, doors, tmp_path),
        lambda: meet(1, doors, tmp_path, bound=believes, who=wrong),
        lambda: meet(2, doors, tmp_path),
    )
    for index in (0, 2):
        assert "server 1 (beta): its certificate is not the one in the consortium" in str(failed[index])
    assert "when it saw our certificate" in str(failed[1]) or "did not come" in str(failed[1])


def test_our_own_wrong_certificate_is_found_before_anything_is_sent(tmp_path):
    with pytest.raises(Refused, match="our certificate is not the one that the consortium has for alpha"):
        meet(0, listeners(), tmp_path, who=identity("mallory"))
    assert not (tmp_path / "attempts-0").exists()


def test_a_certificate_without_its_key_gets_nowhere(tmp_path):
    """Anybody can copy a public certificate; TLS asks for the key behind it."""
    thief = Identity(identity("beta").certificate_file, identity("mallory").key_file)
    with pytest.raises(Refused, match="our TLS key and certificate cannot be used"):
        client_context(thief, identity("alpha").certificate)
    ours, theirs = socket.socketpair()
    said = []

    def serve():
        try:
            server_context(identity("alpha"), identity("beta").certificate).wrap_socket(theirs, server_side=True)
        except ssl.SSLError as error:
            said.append(error)

    serving = threading.Thread(target=serve)
    serving.start()
    with client_context(identity("mallory"), identity("alpha").certificate).wrap_socket(ours) as sock, pytest.raises(OSError):
        sock.recv(1)
    serving.join()
    assert isinstance(said[0], ssl.SSLCertVerificationError)


def test_a_replayed_attempt_is_refused_after_a_restart(tmp_path):
    doors = listeners()
    bindings = [binding() for _ in NAMES]
    for links in each(lambda index: meet(index, doors, tmp_path, bound=bindings[index])):
        links.abort("only met")
    for bound in (bindings[0], binding()):
        with pytest.raises(Refused, match="attempt 1 of run run-1 was begun before"):
            meet(0, listeners(), tmp_path, bound=bound)
    doors = listeners()
    again = [binding(attempt=2) for _ in NAMES]
    for links in each(lambda index: meet(index, doors, tmp_path, bound=again[index])):
        links.abort("only met")


def test_strangers_and_silent_callers_are_turned_away(tmp_path):
    """Callers that say nothing, nonsense, or show an unknown certificate do not keep the servers from meeting."""
    doors = listeners()
    host, port = doors[0].getsockname()[:2]
    callers = [socket.create_connection((host, port)) for _ in range(6)]
    callers[1].sendall(b"GET / HTTP/1.1\r\n\r\n")
    callers[2].sendall(b"\x00" * 400)
    callers[3].close()
    stranger = identity("mallory").certificate
    callers[4].sendall(b"accord\r\n" + len(stranger).to_bytes(2, "little") + stranger)
    callers[5].sendall(b"accord\r\n" + len(identity("beta").certificate).to_bytes(2, "little") + identity("beta").certificate + b"not TLS")
    met = each(lambda index: meet(index, doors, tmp_path))
    assert not [one for one in met if isinstance(one, Exception)]
    for links in met:
        links.abort("only met")
    for caller in callers:
        caller.close()


def test_a_server_that_does_not_come_is_named(tmp_path):
    doors = listeners()
    doors[1].close()
    addresses = [address_of(doors[0]), "127.0.0.1:1", address_of(doors[2])]
    failed = at_once(
        *(lambda index=index: meet(index, doors, tmp_path, addresses=addresses, connect_timeout_seconds=0.4) for index in (0, 2))
    )
    for error in failed:
        assert "server 1 (beta)" in str(error) and "start all three servers" in str(error)


def test_addresses(tmp_path):
    with pytest.raises(Refused, match="is no address"):
        listen("no-port")
    with listen("127.0.0.1:0") as door, pytest.raises(Refused, match="we cannot listen at"):
        listen(address_of(door))
    with pytest.raises(OurFault, match="2 addresses"):
        connect(0, ["a:1", "b:2"], identity("alpha"), binding(), Attempts(tmp_path / "a"), listener=listen("127.0.0.1:0"))


# ---- the same as in one process


def shares(index: int, rows: int) -> tuple[Share, Share]:
    parts = np.random.default_rng(5).integers(0, 2**63, (2, 3, rows), dtype=np.uint64)
    return tuple(Share(Z64, one[index], one[(index + 1) % 3]) for one in parts)  # type: ignore[return-value]


async def products(me: Party, rows: int) -> tuple[Share, Share]:
    """Blocks, single rounds, and rounds that one server alone speaks in."""
    x, y = shares(me.index, rows)
    z = await in_blocks(multiply, me.step("blocks"), x, y)
    w = await multiply(me.step("again"), z, z)
    await me.step("empty").exchange({}, {})
    told = await me.step("tell").exchange({1: np.arange(9, dtype=np.uint8)} if me.index == 0 else {}, {0: 9} if me.index == 1 else {})
    assert me.index != 1 or told[0].tolist() == list(range(9))
    return z, w


def party(index: int, keys: dict[int, bytes]) -> Party:
    return Party(index, PairKeys(keys), profile=Profile(block_rows=256))


def serve_products(index, doors, who, bound, store, rows, out) -> None:
    with connect(index, [address_of(door) for door in doors], who, bound, Attempts(store), listener=doors[index]) as links:
        traffic = Traffic(index, keep=True)
        z, w = drive(products(party(index, links.keys), rows), links, traffic)
    out.send((links.keys, traffic.lines, (traffic.rounds, traffic.bytes_sent, traffic.frames_sent), (z.own, w.next)))


def test_transcripts_over_tls_are_those_of_one_process(tmp_path):
    """Three processes; then the same keys in one process: every message, byte for byte, and every count."""
    rows, doors = 2_000, listeners()
    pipes = [SPAWN.Pipe(duplex=False) for _ in NAMES]
    servers = [
        SPAWN.Process(target=serve_products, args=(i, doors, identity(NAMES[i]), binding(), tmp_path / f"attempts-{i}", rows, pipes[i][1]))
        for i in range(3)
    ]
    for server in servers:
        server.start()
    over_tls = [ear.recv() for ear, _ in pipes]
    for server in servers:
        server.join()
    here = run_local([products(party(i, over_tls[i][0]), rows) for i in range(3)], keep=True)
    for index, (_, lines, counts, (own, after)) in enumerate(over_tls):
        traffic = here.traffic[index]
        assert len(lines) > 8 and lines == traffic.lines
        assert counts == (traffic.rounds, traffic.bytes_sent, traffic.frames_sent)
        z, w = here.results[index]
        assert (own == z.own).all() and (after == w.next).all()


# ---- large and many


def test_many_blocks_ahead_of_their_hearing_do_not_block(tmp_path):
    """All three queue far more than queues and sockets hold before any of them hears: only servers that take in while they wait end."""
    ahead, size = 5 * OUTBOX_FRAMES_MAX, MEBIBYTE // 8
    payload = column(size, 3)

    async def blocks(index):
        for number in range(ahead):
            await Exchange(tuple(Message(peer, f"b{number}", payload) for peer in range(3) if peer != index))
        heard = 0
        for number in range(ahead):
            got = await Exchange(hears=tuple(Expected(peer, f"b{number}", size) for peer in range(3) if peer != index))
            heard += sum(one.size for one in got)
        assert (got[0] == payload).all()
        return heard

    assert run_three(blocks, tmp_path) == [2 * ahead * size] * 3


def test_one_exchange_beyond_every_buffer(tmp_path):
    """All three send 24 MiB before any of them hears."""
    payload = np.resize(column(1009, 0), 24 * MEBIBYTE)

    async def whole(index):
        (heard,) = await Exchange((Message((index + 1) % 3, "whole", payload),), (Expected((index - 1) % 3, "whole", payload.size),))
        return bool((heard == payload).all())

    assert run_three(whole, tmp_path) == [True] * 3


def test_a_slow_reader_bounds_the_senders_memory(tmp_path):
    """Server 1 reads nothing until server 0's queue is full; the queue never holds more than its bound."""
    doors, full, size, frames = listeners(), threading.Event(), MEBIBYTE // 4, 4 * OUTBOX_FRAMES_MAX
    held, payload = [], column(size, 1)

    async def pour(index):
        for number in range(frames):
            if index == 0:
                await Exchange((Message(1, f"f{number}", payload),))
            elif index == 1:
                (got,) = await Exchange(hears=(Expected(0, f"f{number}", size),))
                assert got.size == size
        return index

    def serve(index):
        with meet(index, doors, tmp_path) as links:
            if index == 1:
                full.wait(10)

            def watch(_):
                if index == 0:
                    box = links._outboxes[1]
                    held.append((box._put - box._sent, box._put_bytes - box._sent_bytes))
                    if box.is_full:
                        full.set()

            return drive(pour(index), links, progress=watch)

    assert each(serve) == [0, 1, 2]
    assert full.is_set(), "the test needs a full queue"
    assert max(count for count, _ in held) <= OUTBOX_FRAMES_MAX and max(nbytes for _, nbytes in held) <= OUTBOX_BYTES_MAX
    assert size * frames > OUTBOX_BYTES_MAX // 2 and INBOX_BYTES_MAX >= OUTBOX_BYTES_MAX


def test_a_reader_that_never_reads_is_named(tmp_path):
    """Server 1 computes for ever; server 0, which only sends, stops when its queue is full for a round timeout."""
    doors, ended, payload = listeners(), threading.Event(), column(MEBIBYTE // 4, 1)

    async def pour():
        for number in range(10 * OUTBOX_FRAMES_MAX):
            await Exchange((Message(1, f"f{number}", payload),))

    def serve(index):
        try:
            with meet(index, doors, tmp_path, round_timeout_seconds=0.3 if index == 0 else 5) as links:
                if index == 1:
                    ended.wait(10)
                return drive(pour() if index == 0 else pass_around(index, 0, 0), links)
        finally:
            if index == 0:
                ended.set()

    failed = each(serve)
    assert "server 1 (beta): it was silent for 0.3 seconds (rule: step f" in str(failed[0])
    assert all(isinstance(error, PeerFault) for error in failed)


def test_what_a_peer_sends_ahead_is_bounded_too(tmp_path, monkeypatch):
    """Server 1 waits for server 2 while server 0 pours: it keeps up to its bound, then lets server 0 wait, and nothing is lost."""
    bound, size, frames = 2 * MEBIBYTE, MEBIBYTE // 8, 200
    monkeypatch.setattr("accord.wire.tcp_links.INBOX_BYTES_MAX", bound)
    doors, poured, kept = listeners(), threading.Event(), []

    async def pour(index):
        if index == 1:
            await Exchange(hears=(Expected(2, "late", 1),))
        if index == 2:
            poured.wait(10)
            await Exchange((Message(1, "late", column(1, 0)),))
        for number in range(frames):
            if index == 0:
                await Exchange((Message(1, f"f{number}", column(size, number)),))
            if index == 1:
                (got,) = await Exchange(hears=(Expected(0, f"f{number}", size),))
                assert (got == column(size, number)).all()
        return index

    def serve(index):
        with meet(index, doors, tmp_path) as links:

            def watch(_):
                if index == 0 and links._outboxes[1].is_full:
                    poured.set()
                if index == 1:
                    kept.append(links._inboxes[0].ready_bytes)

            return drive(pour(index), links, progress=watch)

    assert each(serve) == [0, 1, 2]
    assert poured.is_set() and bound / 2 < max(kept) <= bound + size


# ---- faults


def test_a_wrong_path_a_wrong_length_and_an_early_goodbye_are_refused(tmp_path):
    async def good(index):
        await Exchange((Message((index + 1) % 3, "step@0", column(8, 0)),), (Expected((index - 1) % 3, "step@0", 8),))

    async def path(index):
        await Exchange((Message((index + 1) % 3, "stop@0", column(8, 0)),), (Expected((index - 1) % 3, "step@0", 8),))

    async def length(index):
        await Exchange((Message((index + 1) % 3, "step@0", column(9, 0)),), (Expected((index - 1) % 3, "step@0", 8),))

    async def nothing(index):
        pass

    for number, (bad, says) in enumerate(
        [(path, "8 bytes at stop@0"), (length, "9 bytes"), (nothing, "it sent goodbye (no path)")],
    ):
        failed = run_three(lambda index, bad=bad: (bad if index == 1 else good)(index), tmp_path / str(number))
        assert f"server 1 (beta): it sent {says.removeprefix('it sent ')} (rule: 8 bytes of data at step@0 are due)" in str(failed[2])
        assert all(isinstance(error, PeerFault) for error in failed), "all three stop"


def test_an_error_of_our_own_stops_the_others_and_tells_nothing(tmp_path):
    async def broken(index):
        await pass_around(index, 2, 1000)
        if index == 1:
            raise OurFault("the secret is 42")
        return await pass_around(index, 2, 1000)

    failed = run_three(broken, tmp_path)
    assert isinstance(failed[1], OurFault)
    for index in (0, 2):
        assert isinstance(failed[index], PeerFault) and "server 1 (beta)" in str(failed[index])
        assert "an error of its own" in str(failed[index]) and "42" not in str(failed[index])


def serve_and_hang(index, doors, who, bound, store, here) -> None:
    with connect(index, [address_of(door) for door in doors], who, bound, Attempts(store), listener=doors[index]) as links:
        drive(pass_around(index, 3, 1000), links)
        here.send("in the middle")
        here.recv()


@pytest.mark.parametrize("victim_signal", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_killed_or_frozen_in_mid_run_stops_all(victim_signal, tmp_path):
    """kill −9 is noticed at once; a frozen server (half-open links) at the round timeout. Each names it and the step."""
    doors = listeners()
    ours, theirs = SPAWN.Pipe()
    victim = SPAWN.Process(target=serve_and_hang, args=(2, doors, identity("gamma"), binding(), tmp_path / "attempts-2", theirs))
    victim.start()

    def serve(index):
        with meet(index, doors, tmp_path, round_timeout_seconds=0.6, connect_timeout_seconds=10) as links:
            drive(pass_around(index, 3, 1000), links)
            if index == 0:
                assert ours.recv() == "in the middle"
                os.kill(victim.pid, victim_signal)
            return drive(pass_around(index, 9, 1000), links)

    failed = at_once(lambda: serve(0), lambda: serve(1))
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    assert all(isinstance(error, PeerFault) and "server 2 (gamma)" in str(error) for error in failed)
    assert "step pass." in str(failed[1])
    assert ("silent for 0.6 seconds" in str(failed[1])) == (victim_signal == signal.SIGSTOP)


class Tamperer:
    """Carries the bytes of one connection to a server and flips a bit in the first piece after `quiet` bytes."""

    def __init__(self, target: tuple[str, int], quiet: int) -> None:
        self.door, self.target, self.quiet, self.flipped = socket.create_server(("127.0.0.1", 0)), target, quiet, False
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        near, _ = self.door.accept()
        far = socket.create_connection(self.target)
        threading.Thread(target=self.carry, args=(far, near, None), daemon=True).start()
        self.carry(near, far, self.quiet)

    def carry(self, source, sink, quiet) -> None:
        seen = 0
        try:
            while piece := source.recv(1 << 16):
                seen += len(piece)
                if quiet is not None and seen > quiet and not self.flipped:
                    piece = piece[:-1] + bytes([piece[-1] ^ 1])
                    self.flipped = True
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()


def test_a_frame_changed_on_its_way_is_refused(tmp_path):
    doors = listeners()
    between = Tamperer(doors[1].getsockname(), quiet=100_000)
    addresses = [address_of(door) for door in doors]
    tampered = [addresses[0], address_of(between.door), addresses[2]]

    async def pour(index):
        """Server 0 to server 1 and on: the links that carry data."""
        for number in range(9):
            await Exchange((Message((index + 1) % 3, f"f{number}", column(50_000, 0)),), (Expected((index - 1) % 3, f"f{number}", 50_000),))

    def serve(index):
        with meet(index, doors, tmp_path, addresses=tampered if index == 0 else addresses) as links:
            return drive(pour(index), links)

    failed = each(serve)
    assert between.flipped and all(isinstance(error, PeerFault) for error in failed)
    assert "server 0 (alpha): the connection broke: decryption failed or bad record mac (rule: step f" in str(failed[1])
    assert "decryption failed" in str(failed[2]), "the reason goes around"


@pytest.mark.parametrize("quiet", [5, 700])
def test_a_changed_handshake_is_refused(quiet, tmp_path):
    """A bit flipped in the certificates' preamble or in the TLS handshake: no links."""
    doors = listeners()
    between = Tamperer(doors[1].getsockname(), quiet)
    addresses = [address_of(door) for door in doors]
    tampered = [addresses[0], address_of(between.door), addresses[2]]

    def serve(index):
        return meet(index, doors, tmp_path, addresses=addresses if index else tampered, connect_timeout_seconds=0.4)

    failed = each(serve)
    assert between.flipped and all(isinstance(error, PeerFault) for error in failed), failed


def test_a_result_counts_only_if_all_three_get_there(tmp_path):
    """Server 2 fails after the last exchange: the others have computed, and still leave with an error."""

    def protocol(index):
        async def run():
            await pass_around(index, 3, 100)
            if index == 2:
                raise OurFault("in the end")

        return run()

    failed = run_three(protocol, tmp_path)
    assert all(isinstance(failed[index], PeerFault) and "server 2 (gamma)" in str(failed[index]) for index in (0, 1))


def test_bindings_differ_in_their_nonce_alone():
    one, other = binding(), binding()
    assert one.nonce != other.nonce and replace(one, nonce=other.nonce) == other
