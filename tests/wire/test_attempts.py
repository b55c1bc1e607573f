"""Spent attempts stay spent: after a restart, from another process, and never in a store that was changed."""

from __future__ import annotations

import pytest

from accord.base.errors import Refused
from accord.wire.attempts import Attempts
from tests.wire.servers import SPAWN


def test_an_attempt_is_spent_once_and_stays_spent(tmp_path):
    path = tmp_path / "deep" / "attempts"
    Attempts(path).spend("run-1", 1, b"a" * 32)
    Attempts(path).spend("run-1", 2, b"b" * 32)
    Attempts(path).spend("run-2", 1, b"c" * 32)
    for run, attempt in (("run-1", 1), ("run-1", 2), ("run-2", 1)):
        with pytest.raises(Refused, match=f"attempt {attempt} of run {run} was begun before.*start a new attempt"):
            Attempts(path).spend(run, attempt, b"z" * 32)
    with pytest.raises(Refused):
        Attempts(path).spend("run-3", 1, b"b" * 32)
    Attempts(path).spend("run-3", 1, b"d" * 32)


def test_a_refused_attempt_spends_nothing(tmp_path):
    store = Attempts(tmp_path / "attempts")
    store.spend("run-1", 1, b"a" * 32)
    before = (tmp_path / "attempts").read_bytes()
    with pytest.raises(Refused):
        store.spend("run-1", 1, b"b" * 32)
    assert (tmp_path / "attempts").read_bytes() == before


def test_the_store_tells_nothing_of_runs_and_nonces(tmp_path):
    Attempts(tmp_path / "attempts").spend("run-of-a-secret-kind", 1, b"nonce-of-thirty-two-bytes-length")
    text = (tmp_path / "attempts").read_bytes()
    assert b"secret" not in text and b"nonce" not in text and (tmp_path / "attempts").stat().st_mode & 0o77 == 0


def test_a_changed_store_is_refused(tmp_path):
    path = tmp_path / "attempts"
    for number in range(3):
        Attempts(path).spend("run", number, bytes([number]) * 32)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    damaged = [whole[: at % len(whole)] + b"0" + whole[at % len(whole) + 1 :] for at in range(0, len(whole), 37)]
    damaged = [one for one in damaged if one != whole]
    damaged += [whole[:-1], b"".join(lines[1:]), lines[1] + lines[0] + b"".join(lines[2:]), whole + b"\n", whole + lines[0], whole.upper()]
    for one in damaged:
        path.write_bytes(one)
        with pytest.raises(Refused, match="the store of spent attempts was changed"):
            Attempts(path).spend("run", 9, b"n" * 32)
        assert path.read_bytes() == one
    path.write_bytes(whole)
    Attempts(path).spend("run", 9, b"n" * 32)


def spend_many(path, numbers, won) -> None:
    for number in numbers:
        try:
            Attempts(path).spend("run", number, bytes([number, *numbers[:1]]) * 16)
        except Refused:
            continue
        won.put(number)


def test_two_processes_never_spend_the_same(tmp_path):
    won = SPAWN.Queue()
    forward, backward = list(range(12)), list(reversed(range(12)))
    workers = [SPAWN.Process(target=spend_many, args=(tmp_path / "attempts", order, won)) for order in (forward, backward)]
    for worker in workers:
        worker.start()
    winners = [won.get(timeout=10) for _ in range(12)]
    for worker in workers:
        worker.join()
    assert sorted(winners) == list(range(12)) and won.empty()
