"""Three server processes on this machine: started, listened to, and stopped together.

A run succeeds only if all three say so. When one fails, the others are given a moment to say what they saw, and are then ended; the
error that is raised is the one that names the cause.
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec

from accord.base import errors
from accord.base.errors import AccordError, OurFault, PeerFault, Refused
from accord.base.limits import STOP_TIMEOUT_SECONDS, STUDY_TIMEOUT_SECONDS
from accord.node.job import Job, Phase, Said, decode_said, encode

Progress = Callable[[Phase], None]
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(512 << 20)}
"""glibc: keep freed memory. Else every row block is given back and faulted in again, a quarter of a server's time."""
CORES = "ACCORD_CORES"
"""The variable that says how many cores are a server's own; all of the machine's where it is not set."""
NOISE_LINES_MAX = 40
"""How much is kept of what a process wrote that is no message: the end of a trace."""


def environment(servers: int) -> dict[str, str]:
    """What a server's process needs beside this one's variables, `servers` of them sharing the machine.

    Row blocks and BLAS get the server's part of the cores: more threads than cores would wait for each other.
    """
    cores = str(max(1, (os.cpu_count() or 1) // servers))
    return {**ALLOCATOR, "OPENBLAS_NUM_THREADS": cores, CORES: cores}


def block_pool() -> ThreadPoolExecutor | None:
    """Threads that compute row blocks side by side, one for each of this server's cores; none where it has a single one."""
    told = os.environ.get(CORES, "")
    cores = int(told) if told.isdigit() else os.cpu_count() or 1
    return ThreadPoolExecutor(cores, "blocks") if cores > 1 else None


class _Died(PeerFault):
    """A process that ended without a word."""


@dataclass
class _Server:
    """One process, its last words, and whatever else came out of it."""

    party: str
    process: subprocess.Popen[bytes]
    end: Said | None = None
    noise: list[bytes] = field(default_factory=list)


def run_servers(jobs: Sequence[Job], progress: Progress, kept_open: Iterable[int] = ()) -> list[Said]:
    """Run the jobs as processes; their closing words, in order. The processes inherit the file descriptors `kept_open`.

    Where servers fail, raises the error that tells most: what one refused, else that one died without a word (PeerFault; what it wrote
    is in the error's notes), else what they say of each other.
    """
    words: queue.Queue[tuple[int, bytes]] = queue.Queue()
    servers: list[_Server] = []
    try:
        for number, job in enumerate(jobs):
            servers.append(_start(number, job, words, kept_open, environment(len(jobs))))
        failures = _listen(servers, words, progress)
    finally:
        _stop(servers)
    if failures:
        raise min(failures, key=_remoteness)
    return [one.end for one in servers if one.end is not None]


def _start(number: int, job: Job, words: queue.Queue[tuple[int, bytes]], kept_open: Iterable[int], settings: dict[str, str]) -> _Server:
    process = subprocess.Popen(
        [sys.executable, "-m", "accord.node.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**settings, **os.environ},
        pass_fds=[*kept_open, *([job.listener] if job.listener >= 0 else [])],
    )
    threading.Thread(target=_read, args=(number, process, words), daemon=True).start()
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as told:  # a process that died at once is found by its end
        told.write(encode(job))
    return _Server(job.party, process)


def _read(number: int, process: subprocess.Popen[bytes], words: queue.Queue[tuple[int, bytes]]) -> None:
    assert process.stdout is not None
    with process.stdout as out:
        for line in out:
            words.put((number, line))
    process.wait()
    words.put((number, b""))


def _listen(servers: list[_Server], words: queue.Queue[tuple[int, bytes]], progress: Progress) -> list[AccordError]:
    """Until every process has ended; after a first error only a moment more, and after a refusal none. What went wrong, if anything."""
    running = set(range(len(servers)))
    failures: list[AccordError] = []
    deadline = math.inf
    while running and not any(isinstance(one, Refused) for one in failures):
        try:
            number, line = words.get(timeout=max(0.0, min(deadline - time.monotonic(), STUDY_TIMEOUT_SECONDS)))
        except queue.Empty:
            return failures or [PeerFault("the servers said nothing any more", rule=f"{STUDY_TIMEOUT_SECONDS} seconds at most")]
        failure = _hear(servers[number], line, progress) if line else _died(servers[number])
        if not line:
            running.discard(number)
        if failure is not None:
            failures.append(failure)
            deadline = min(deadline, time.monotonic() + STOP_TIMEOUT_SECONDS)
    return failures


def _remoteness(error: AccordError) -> int:
    """How far an error is from its cause."""
    return next(at for at, kind in enumerate((Refused, _Died, OurFault, AccordError)) if isinstance(error, kind))


def _hear(server: _Server, line: bytes, progress: Progress) -> AccordError | None:
    """Take one line in; the error that it tells of, if it does."""
    try:
        said = decode_said(line)
    except msgspec.MsgspecError:
        server.noise.append(line)
        return None
    if said.kind == "phase":
        progress(Phase(said.name, said.done, said.total, server.party))
        return None
    server.end = said
    return _error(server, said) if said.kind == "error" else None


def _error(server: _Server, said: Said) -> AccordError:
    kind = getattr(errors, said.blame, PeerFault)
    told_of_peer = kind is PeerFault and said.where.startswith("server")
    where = f"{server.party} about {said.where}" if told_of_peer else f"server {server.party}{', ' if said.where else ''}{said.where}"
    error: AccordError = kind(said.error, where=where, rule=said.rule, do=said.do)
    return error


def _died(server: _Server) -> PeerFault | None:
    """The end of a process: an error unless it said so before."""
    if server.end is not None:
        return None
    fault = _Died(
        f"the server process of {server.party} ended in mid-run ({_exit(server.process)})",
        rule="any fault aborts; nothing was released",
        do="run again: a new attempt takes new keys",
    )
    for line in server.noise[-NOISE_LINES_MAX:]:
        fault.add_note(line.decode(errors="replace").rstrip())
    return fault


def _exit(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"


def _stop(servers: list[_Server]) -> None:
    """No process lives when this returns. Nothing is lost by it: what a run leaves is undone unless all three succeeded."""
    for server in servers:
        server.process.kill()
    for server in servers:
        server.process.wait()
