"""Links without TLS, handshake or keys, to measure what TLS costs. For `bench` and tests alone: a test holds that no file
of the package imports this one, so no study can run over it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

from accord.base.limits import CONNECT_TIMEOUT_SECONDS, SERVERS
from accord.wire.frame import Inward, Outward
from accord.wire.tcp_boxes import Incoming, Outgoing
from accord.wire.tcp_links import Links


def connect_plain(index: int, addresses: Sequence[tuple[str, int]], listener: socket.socket) -> Links:
    """Links of server `index` to the two others, all of which listen already. Nothing is encrypted and nobody is who he says."""
    names = {number: f"server {number} (plain)" for number in range(SERVERS)}
    incoming: dict[int, Incoming] = {}

    def accept() -> None:
        with listener:
            listener.settimeout(CONNECT_TIMEOUT_SECONDS)
            while len(incoming) < SERVERS - 1:
                sock, _ = listener.accept()
                peer = sock.recv(1)[0]
                incoming[peer] = Incoming(sock, Inward(names[peer]))

    accepting = threading.Thread(target=accept)
    accepting.start()
    outgoing = {peer: Outgoing(_dial(index, addresses[peer]), Outward()) for peer in range(SERVERS) if peer != index}
    accepting.join()
    return Links(index, names, outgoing, incoming, {})


def _dial(index: int, address: tuple[str, int]) -> socket.socket:
    sock = socket.create_connection(address, timeout=CONNECT_TIMEOUT_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(bytes([index]))
    return sock
