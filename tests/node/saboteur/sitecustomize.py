"""What makes one server process misbehave: Python runs this file at its start where this folder is on PYTHONPATH.

SABOTAGE=KIND:PARTY:FILE names what the server of PARTY does, and a file where it leaves its process number; other processes go on
as they are.
"""

import functools
import io
import json
import os
import signal
import sys


def deaf(job):
    """Ends without reading what it is told to do."""
    os._exit(3)


def noise(job):
    """Writes what is no message, and dies."""
    print("numbers that nobody expected\nTraceback (most recent call last):\nMemoryError", flush=True)
    os._exit(7)


def hang(job):
    """Announces that it computes, and then does nothing more; its end comes by itself where a test that failed forgets it."""
    from accord.wire import tcp

    signal.alarm(60)
    drive = tcp.drive

    @functools.wraps(drive)
    def hanging(protocol, links, traffic=None, progress=None):
        def stop(path):
            progress(path)
            signal.pause()

        return drive(protocol, links, traffic, stop)

    tcp.drive = hanging


def dies_instead(name):
    """Dies where it would do something with what it is about to release."""
    from accord.node import outgoing

    setattr(outgoing, name, lambda *arguments: os._exit(9))


def uncommitted(job):
    """Dies when it has its results, before it commits to them."""
    dies_instead("keep")


def unsent(job):
    """Dies when all have committed, before it sends anything."""
    dies_instead("send")


def version(job):
    """Is of a later release."""
    from accord.base import limits

    limits.PROTOCOL_VERSION += 1


def sabotage(kind, party, file):
    told = b"" if kind == "deaf" else sys.stdin.buffer.readline()
    if kind != "deaf":
        sys.stdin = io.TextIOWrapper(io.BytesIO(told))
    if kind == "deaf" or json.loads(told)["party"] == party:
        with open(file, "w") as here:
            here.write(str(os.getpid()))
        {"deaf": deaf, "noise": noise, "hang": hang, "version": version, "uncommitted": uncommitted, "unsent": unsent}[kind](told)


if "accord.node.server" in sys.orig_argv and "SABOTAGE" in os.environ:
    sabotage(*os.environ["SABOTAGE"].split(":", 2))
