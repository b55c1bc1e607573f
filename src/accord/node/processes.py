"""Three server processes on this machine: started, listened to, and stopped together.

A run succeeds only if all three say so; when one fails, the others are given a moment to notice and are then ended.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from accord.base import errors
from accord.base.errors import AccordError, PeerFault
from accord.base.limits import STOP_TIMEOUT_SECONDS, STUDY_TIMEOUT_SECONDS
from accord.node.job import Job, Phase, Said, decode_said, encode

Progress = Callable[[Phase], None]


@dataclass
class _Server:
    """One process and what it has said."""

    party: str
    process: subprocess.Popen[bytes]
    end: Said | None = None
    noise: list[bytes] = field(default_factory=list)


def run_servers(jobs: Sequence[Job], progress: Progress) -> list[Said]:
    """Run the jobs as processes; their closing words, in order.

    Raises the error of the server that failed first (PeerFault where a process died without a word).
    """
    words: queue.Queue[tuple[int, bytes]] = queue.Queue()
    servers = [_start(number, job, words) for number, job in enumerate(jobs)]
    try:
        _listen(servers, words, progress)
    finally:
        _stop(servers)
    return [one.end for one in servers if one.end is not None]


def _start(number: int, job: Job, words: queue.Queue[tuple[int, bytes]]) -> _Server:
    process = subprocess.Popen(
        [sys.executable, "-m", "accord.node.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[job.listener] if job.listener >= 0 else [],
    )
    assert process.stdin is not None
    process.stdin.write(encode(job))
    process.stdin.close()
    threading.Thread(target=_read, args=(number, process, words), daemon=True).start()
    return _Server(job.party, process)


def _read(number: int, process: subprocess.Popen[bytes], words: queue.Queue[tuple[int, bytes]]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        words.put((number, line))
    process.wait()
    words.put((number, b""))


def _listen(servers: list[_Server], words: queue.Queue[tuple[int, bytes]], progress: Progress) -> None:
    """Until every process has ended. Raises the first error that one of them tells."""
    running = set(range(len(servers)))
    while running:
        try:
            number, line = words.get(timeout=STUDY_TIMEOUT_SECONDS)
        except queue.Empty:
            raise PeerFault("the servers said nothing any more", rule=f"{STUDY_TIMEOUT_SECONDS} seconds at most") from None
        server = servers[number]
        if line:
            _hear(server, line, progress)
        else:
            running.discard(number)
            if server.end is None:
                raise _died(server)


def _hear(server: _Server, line: bytes, progress: Progress) -> None:
    try:
        said = decode_said(line)
    except msgspec.MsgspecError:
        server.noise.append(line)
        return
    if said.kind == "phase":
        progress(Phase(said.name, said.done, said.total, server.party))
    elif said.kind == "error":
        raise _error(server, said)
    else:
        server.end = said


def _error(server: _Server, said: Said) -> AccordError:
    kind = getattr(errors, said.blame, PeerFault)
    where = said.where if said.where.startswith("server") else f"server {server.party}{', ' if said.where else ''}{said.where}"
    error: AccordError = kind(said.error, where=where, rule=said.rule, do=said.do)
    return error


def _died(server: _Server) -> PeerFault:
    fault = PeerFault(
        f"the server process of {server.party} ended in mid-run (exit code {server.process.returncode})",
        rule="any fault aborts; nothing was released",
        do="run again: a new attempt takes new keys",
    )
    for line in server.noise[-40:]:
        fault.add_note(line.decode(errors="replace").rstrip())
    return fault


def _stop(servers: list[_Server]) -> None:
    for server in servers:
        try:
            server.process.wait(timeout=STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()
