"""The in-process driver, and the rule that plain links stay out of the package's reach."""

from __future__ import annotations

from pathlib import Path

import pytest

import accord
from accord.base.errors import OurFault, PeerFault
from accord.wire.exchange import Exchange, Expected, Message
from accord.wire.local import run_local
from accord.wire.tcp import drive
from accord.wire.tcp_plain import connect_plain
from accord.wire.traffic import Traffic
from tests.wire.servers import column, each, listeners, pass_around


def test_counts_and_lines():
    ran = run_local([pass_around(index, 4, 10) for index in range(3)], keep=True)
    assert (ran.rounds, ran.bytes_sent) == (4, 120)
    first = ran.traffic[2].lines[0]
    assert (first.sender, first.receiver, first.path, first.nbytes, first.round) == (2, 1, "pass.0", 10, 1)
    assert first.payload == column(10, 2).tobytes()
    bare = run_local([pass_around(index, 4, 10) for index in range(3)])
    assert bare.traffic[0].lines == [] and bare.results == ran.results


async def says(index: int, path: str, size: int):
    await Exchange((Message(1 - index, path, column(size, 0)),), (Expected(1 - index, "here", 5),))


@pytest.mark.parametrize(("path", "size"), [("there", 5), ("here", 4)])
def test_what_is_not_awaited_is_refused(path, size):
    with pytest.raises(PeerFault, match=f"server 1 sent {size} bytes at {path}.*5 bytes at here are due"):
        run_local([says(0, "here", 5), says(1, path, size)])


def test_waiting_for_each_other_is_told_step_by_step():
    async def deaf(index):
        await Exchange(hears=(Expected((index + 1) % 3, f"step.{index}", 1),))

    with pytest.raises(
        OurFault, match=r"server 0 for step\.0 of server 1; server 1 for step\.1 of server 2; server 2 for step\.2 of server 0"
    ):
        run_local([deaf(index) for index in range(3)])


def test_plain_links_give_the_same_result():
    doors = listeners()
    places = [door.getsockname()[:2] for door in doors]

    def serve(index):
        with connect_plain(index, places, doors[index]) as links:
            assert links.keys == {}, "plain links have no keys to compute with"
            return drive(pass_around(index, 3, 100_000), links)

    assert each(serve) == run_local([pass_around(i, 3, 100_000) for i in range(3)]).results


def test_no_study_can_run_over_plain_links():
    root = Path(accord.__file__).parent
    sources = {path: path.read_text(encoding="utf-8") for path in root.rglob("*.py")}
    users = [path.name for path, text in sources.items() if "plain" in text and "connect_plain" in text and path.name != "tcp_plain.py"]
    importers = [path.name for path, text in sources.items() if "tcp_plain" in text]
    assert len(sources) > 20 and users == importers == []


def test_rounds_are_the_longest_chain_whoever_is_heard_last():
    """A message of an early round that is heard late does not turn the clock back."""
    clock = Traffic(0)
    for round, expected in ((1, 1), (3, 3), (1, 3), (4, 4), (2, 4)):
        clock.heard(round)
        assert clock.rounds == expected
