"""What the contexts of `tls` let through, over a socket pair: version 1.3 alone, and only who shows its pinned certificate."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest

from accord.base.errors import Refused
from accord.wire.tls import client_context, make_identity, server_context
from tests.wire.servers import identity


def shaken(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[str | None, str | None]:
    """The versions that both ends agree on; None at an end that refuses, be it only when it reads."""
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        one.settimeout(10)
    said: list[str | None] = []

    def end(sock: socket.socket, context: ssl.SSLContext, is_server: bool) -> str | None:
        try:
            with context.wrap_socket(sock, server_side=is_server) as secure:
                secure.sendall(b"!")
                return secure.version() if secure.recv(1) == b"!" else None
        except OSError:
            return None

    thread = threading.Thread(target=lambda: said.append(end(theirs, server, True)))
    thread.start()
    mine = end(ours, client, False)
    thread.join()
    return mine, said[0]


def older(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same end, as one of TLS 1.2 only would be."""
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def client() -> ssl.SSLContext:
    return client_context(identity("alpha"), identity("beta").certificate)


def server() -> ssl.SSLContext:
    return server_context(identity("beta"), identity("alpha").certificate)


def test_two_pinned_ends_speak_tls_1_3():
    assert shaken(client(), server()) == ("TLSv1.3", "TLSv1.3")


def test_older_tls_is_turned_away():
    assert shaken(older(client()), older(server())) == ("TLSv1.2", "TLSv1.2"), "the test must be able to speak it"
    assert shaken(older(client()), server()) == (None, None)
    assert shaken(client(), older(server())) == (None, None)


@pytest.mark.parametrize("name", ["gamma", "mallory"])
def test_another_certificate_than_the_pinned_one_is_turned_away(name):
    assert None in shaken(client_context(identity(name), identity("beta").certificate), server())
    assert None in shaken(client(), server_context(identity(name), identity("alpha").certificate))


def test_a_caller_without_a_certificate_is_turned_away():
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    assert shaken(anybody, server())[1] is None


def test_a_key_is_for_its_owner_alone_and_never_overwritten(tmp_path):
    made = make_identity("alpha", tmp_path)
    key = made.key_file.read_bytes()
    assert made.key_file.stat().st_mode & 0o777 == 0o600 and b"PRIVATE KEY" in key
    assert b"PRIVATE" not in made.certificate_file.read_bytes()
    with pytest.raises(Refused, match="a TLS key is there already"):
        make_identity("alpha", tmp_path)
    assert made.key_file.read_bytes() == key
