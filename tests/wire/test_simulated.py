"""The simulated network: order never matters, a seed says all, no fault gives a wrong result or hangs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from accord.base.errors import OurFault, PeerFault
from accord.base.limits import ROUND_TIMEOUT_SECONDS
from accord.base.ring import Z64
from accord.mpc.coins import PairKeys
from accord.mpc.compose import in_blocks, together
from accord.mpc.party import Party, Profile
from accord.mpc.product import multiply
from accord.mpc.share import Share
from accord.wire.exchange import Exchange, Expected, Message
from accord.wire.local import run_local
from accord.wire.simulated import Crash, Faults, Partition, run_simulated
from tests.wire.servers import column

ROWS = 256
X, Y = (np.arange(ROWS, dtype=np.uint64) * np.uint64(step) + np.uint64(3) for step in (2**40 + 1, 2**50 + 7))
SEEDS = range(200)


def share(values: np.ndarray, index: int, salt: int) -> Share:
    a, b = np.random.default_rng(salt).integers(0, 2**63, (2, values.size), dtype=np.uint64)
    parts = (a, b, values - a - b)
    return Share(Z64, parts[index], parts[(index + 1) % 3])


async def program(me: Party) -> np.ndarray:
    """Blocks in flight, merged rounds, a dependent product, an opening: x·y·(x + y)."""
    x, y = share(X, me.index, 1), share(Y, me.index, 2)
    z = await in_blocks(multiply, me.step("blocks"), x, y)
    u, v = await together(multiply(me.step("u"), z, x), multiply(me.step("v"), z, y))
    total = u + v
    return total.own + total.next + await me.step("open").swap(total.next, Z64)


RIGHT = X * Y * (X + Y)


def servers():
    keys = [bytes([c + 1]) * 16 for c in range(3)]
    parties = [
        Party(i, PairKeys({c: keys[c] for c in (i, (i + 1) % 3)}), profile=Profile(block_rows=64, blocks_in_flight=3)) for i in range(3)
    ]
    return [program(me) for me in parties]


HERE = run_local(servers(), keep=True)
EXCHANGES = 12
"""Exchanges of `program`: four blocks sent and heard, one merged, one opening, and a few to spare."""


def is_right(result) -> bool:
    return result is not None and bool((result == RIGHT).all())


def test_the_program_is_right_here():
    assert all(is_right(result) for result in HERE.results)


def test_delivery_order_never_changes_a_byte():
    for seed in SEEDS:
        ran = run_simulated(servers(), seed, Faults(delay_seconds_max=5.0, reorder=True), keep=True)
        assert ran.succeeded and all(is_right(result) for result in ran.results), f"seed {seed}"
        assert [one.lines for one in ran.traffic] == [one.lines for one in HERE.traffic], f"seed {seed}"
        assert [one.rounds for one in ran.traffic] == [one.rounds for one in HERE.traffic], f"seed {seed}"


def test_reordering_happens():
    """Or the test above would show nothing."""
    for seed in range(5):
        overtaking, orderly = (run_simulated(servers(), seed, Faults(delay_seconds_max=5.0, reorder=order)) for order in (True, False))
        assert not in_order(overtaking.log) and in_order(orderly.log), f"seed {seed}"


def in_order(log: list[str]) -> bool:
    """Whether the blocks of every link arrive in the order of their rows."""
    arrived: dict[str, list[int]] = {}
    for line in log:
        if "arrives: data blocks@" in line:
            _, _, _, where, link = line.split()
            arrived.setdefault(link, []).append(int(where.split("@")[1]))
    assert len(arrived) >= 3
    return all(rows == sorted(rows) for rows in arrived.values())


WEATHER = [
    Faults(duplicate=0.3, reorder=True),
    Faults(drop=0.03),
    Faults(corrupt=0.03),
    Faults(drop=0.02, corrupt=0.02, duplicate=0.2, reorder=True),
    Faults(partitions=(Partition(0, 1, 0.05, 20.0),)),
    Faults(partitions=(Partition(1, 2, 0.0, 1e6),)),
    Faults(crashes=(Crash(2, 3),), duplicate=0.2),
    Faults(crashes=(Crash(1, 5, silent=True),)),
]


def check(ran, note: str) -> None:
    """What must hold whatever happens: a server that returns returns the right result, and only where all three computed it."""
    assert all(result is None or is_right(result) for result in ran.results), note
    if any(result is not None for result in ran.results):
        assert all(ran.computed), note
    for index, (result, error) in enumerate(zip(ran.results, ran.errors, strict=True)):
        assert (result is None) or (error is None), note
        assert result is not None or isinstance(error, PeerFault) or f"server {index} crashes" in " ".join(ran.log), note


@pytest.mark.parametrize("faults", WEATHER, ids=range(len(WEATHER)))
def test_no_weather_gives_a_wrong_result_or_a_hang(faults):
    ended = []
    for seed in range(60):
        ran = run_simulated(servers(), seed, faults)
        check(ran, f"seed {seed}, {faults}")
        ended.append(ran.succeeded)
        assert ran.seconds < 4 * ROUND_TIMEOUT_SECONDS + 30
    safe = faults.drop == faults.corrupt == 0 and not faults.crashes and all(one.stop < ROUND_TIMEOUT_SECONDS for one in faults.partitions)
    assert all(ended) if safe else not all(ended)


def test_same_seed_same_log():
    for faults in WEATHER:
        one, other, another = (run_simulated(servers(), seed, faults) for seed in (7, 7, 8))
        assert one.log == other.log and [str(e) for e in one.errors] == [str(e) for e in other.errors]
        assert one.log != another.log


def test_a_duplicate_is_refused_by_name_and_changes_nothing():
    ran = run_simulated(servers(), 3, Faults(duplicate=1.0))
    refused = [line for line in ran.log if "refused: frame" in line and "was here before" in line]
    assert ran.succeeded and len(refused) >= sum(one.frames_sent for one in HERE.traffic)
    assert any("blocks@64" in line for line in refused)


def losing(path: str, seeds=range(400)):
    """The first run in which exactly one frame is lost, and that one is at `path`."""
    for seed in seeds:
        ran = run_simulated(servers(), seed, Faults(drop=0.05))
        lost = [line for line in ran.log if "lost: " in line and "lost: abort" not in line]
        if len(lost) == 1 and f"data {path}" in lost[0]:
            return ran, lost[0]
    raise AssertionError("no such seed")


@pytest.mark.parametrize("path", ["blocks@0", "v@0", "open@0"])
def test_a_lost_frame_ends_by_name_within_the_timeout(path):
    ran, lost = losing(path)
    sender, receiver = (int(part) for part in lost.split()[-1].split("→"))
    assert not any(result is not None for result in ran.results), "nobody returns"
    assert f"server {sender}" in str(ran.errors[receiver]), lost
    assert ran.seconds <= 2 * ROUND_TIMEOUT_SECONDS + 1
    for error in ran.errors:
        assert isinstance(error, PeerFault) and (" is due" in str(error) or "are due" in str(error)), "each says what it waited for"


def test_a_changed_frame_is_refused_by_its_receiver_and_stops_all():
    for seed in range(300):
        ran = run_simulated(servers(), seed, Faults(corrupt=0.02))
        changed = [line for line in ran.log if "changed: data" in line]
        if len(changed) == 1 and not any("changed: abort" in line for line in ran.log):
            break
    sender, receiver = (int(part) for part in changed[0].split()[-1].split("→"))
    assert f"server {sender}: a frame was changed on its way" in str(ran.errors[receiver])
    others = [error for index, error in enumerate(ran.errors) if index != receiver]
    assert all(isinstance(error, PeerFault) for error in others)


def test_a_crash_at_any_step_stops_the_others_by_name():
    for victim, exchange, silent in itertools.product(range(3), range(EXCHANGES), (False, True)):
        ran = run_simulated(servers(), exchange, Faults(crashes=(Crash(victim, exchange, silent),)))
        note = f"server {victim} at exchange {exchange}"
        check(ran, note)
        if not any("crashes" in line for line in ran.log):
            assert ran.succeeded and exchange > 8, note
            continue
        assert ran.results == [None] * 3, note
        told = [str(error) for index, error in enumerate(ran.errors) if index != victim]
        assert any(f"server {victim}" in text for text in told) and len(told) == 2, note


def test_a_partition_that_heals_in_time_costs_only_time():
    ran = run_simulated(servers(), 1, Faults(partitions=(Partition(0, 2, 0.0, 30.0),)))
    assert ran.succeeded and 30 <= ran.seconds < 40 + ROUND_TIMEOUT_SECONDS
    cut = run_simulated(servers(), 1, Faults(partitions=(Partition(0, 2, 0.0, 30.0 + ROUND_TIMEOUT_SECONDS),)))
    assert not cut.succeeded and cut.results == [None] * 3


def test_a_protocol_out_of_step_is_refused_by_name():
    async def speaks(index, path, size):
        await Exchange((Message(1 - index, path, column(size, 1)),), (Expected(1 - index, "here", 5),))

    for path, size, says in (("there", 5, "it sent 5 bytes at there"), ("here", 4, "it sent 4 bytes")):
        ran = run_simulated([speaks(0, "here", 5), speaks(1, path, size)], 0)
        assert f"server 1: {says} (rule: 5 bytes of data at here are due)" in str(ran.errors[0])
        assert isinstance(ran.errors[1], PeerFault)


def test_a_protocols_own_error_comes_through():
    async def broken():
        raise OurFault("a bug")

    with pytest.raises(OurFault, match="a bug"):
        run_simulated([broken()], 0)


def test_a_line_carries_so_many_bytes_a_second() -> None:
    """One message of a known size: delay and size give its arrival; two messages of one server share its line."""

    async def speak(me: int, nbytes: int) -> int:
        left, right = (me - 1) % 3, (me + 1) % 3
        sent = np.zeros(nbytes, np.uint8)
        heard = await Exchange(
            (Message(left, "a", sent), Message(right, "a", sent)), (Expected(left, "a", nbytes), Expected(right, "a", nbytes))
        )
        return sum(one.size for one in heard)

    def seconds(nbytes: int, bytes_per_second: float | None) -> float:
        faults = Faults(delay_seconds_min=0.02, delay_seconds_max=0.02, bytes_per_second=bytes_per_second)
        return run_simulated([speak(me, nbytes) for me in range(3)], 1, faults).seconds

    goodbye = 0.02
    assert seconds(100_000, None) == pytest.approx(0.02 + goodbye)
    assert seconds(100_000, 1e6) == pytest.approx(0.2 + 0.02 + goodbye, rel=0.01)
    assert seconds(200_000, 1e6) == pytest.approx(0.4 + 0.02 + goodbye, rel=0.01)


def test_with_a_clock_computing_takes_time() -> None:
    """A clock that moves one second with each look at it: every turn of a server then takes one simulated second."""
    ticks = itertools.count()
    slow = run_simulated(servers(), 1, Faults(), clock=lambda: float(next(ticks)))
    quick = run_simulated(servers(), 1, Faults())
    assert all(map(is_right, slow.results)) and slow.succeeded
    turns = max(one.rounds for one in slow.traffic) + 1
    assert slow.seconds >= turns > quick.seconds
