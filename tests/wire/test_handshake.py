"""The handshake without sockets: who agrees gets the same keys, who differs is named, the third server is left out."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from accord.base import canonical
from accord.base.errors import OurFault, PeerFault
from accord.base.limits import KEY_BYTES
from accord.wire.handshake import Binding, Handshake, Server, shared_component

SERVERS = tuple(Server(name, name.encode() * 6 + b"\0" * 2) for name in ("alpha", "betas", "gamma"))
BOUND = Binding("run-1", b"p" * 32, SERVERS, b"s" * 32)
PAIRS = list(itertools.permutations(range(3), 2))


def fresh(**changes) -> Binding:
    return replace(BOUND, nonce=Binding("x", b"", SERVERS).nonce, **changes)


def three(bindings=None) -> list[Handshake]:
    return [Handshake(index, one) for index, one in enumerate(bindings or [fresh() for _ in range(3)])]


def greet(sides) -> None:
    for sender, receiver in PAIRS:
        sides[receiver].hear_hello(sender, sides[sender].hello())


def agree(sides) -> None:
    for sender, receiver in PAIRS:
        sides[receiver].hear_secret(sender, sides[sender].secret(receiver))
    for sender, receiver in PAIRS:
        sides[receiver].hear_confirm(sender, sides[sender].confirm(receiver))


def test_both_holders_of_a_component_get_its_key_and_nobody_else():
    sides = three()
    greet(sides)
    agree(sides)
    for index, side in enumerate(sides):
        assert set(side.keys) == {index, (index + 1) % 3}
        assert all(len(key) == KEY_BYTES for key in side.keys.values())
    for component in range(3):
        assert sides[component].keys[component] == sides[component - 1].keys[component]
    assert len({key for side in sides for key in side.keys.values()}) == 3
    assert [shared_component(0, 1), shared_component(1, 2), shared_component(0, 2)] == [1, 2, 0]


def test_every_attempt_has_other_keys():
    seen = set()
    for _ in range(5):
        sides = three()
        greet(sides)
        agree(sides)
        seen.add(sides[0].keys[1])
    assert len(seen) == 5


OTHERS = (*SERVERS[:2], Server("delta", b"d" * 32))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "it runs protocol version 2, we run 1"),
        ({"run_id": "run-2"}, "it is in another run: run-2; ours: run-1"),
        ({"attempt": 2}, "it is at attempt 2 of this run, we are at attempt 1"),
        ({"plan_hash": b"q" * 32}, "it has another plan: 71717171…; ours: 70707070…"),
        ({"study_hash": b"t" * 32}, "it has another study: 74747474…; ours: 73737373…"),
        ({"servers": OTHERS}, "it names another party set: .*delta.*; ours: .*gamma"),
    ],
)
def test_every_mismatch_is_named(change, says):
    sides = three([fresh(), fresh(**change), fresh()])
    for index in (0, 2):
        with pytest.raises(PeerFault, match=says) as caught:
            sides[index].hear_hello(1, sides[1].hello())
        assert str(caught.value).startswith("server 1 (betas): ")
    with pytest.raises(PeerFault, match=r"^server 0 \(alpha\): "):
        sides[1].hear_hello(0, sides[0].hello())
    sides[2].hear_hello(0, sides[0].hello())


def test_a_hello_is_not_anybodys():
    sides = three()
    with pytest.raises(PeerFault, match="takes itself for server 2"):
        sides[0].hear_hello(1, sides[2].hello())
    mirror = Handshake(1, replace(fresh(), nonce=sides[0].binding.nonce))
    with pytest.raises(PeerFault, match="our own nonce"):
        sides[0].hear_hello(1, mirror.hello())
    sides[0].hear_hello(1, sides[1].hello())
    with pytest.raises(PeerFault, match="two different hellos"):
        sides[0].hear_hello(1, Handshake(1, fresh()).hello())


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff\xfe", canonical.encode({"nonce": 5}), b'{"nonce": "x"}'])
def test_an_unreadable_hello_is_refused(body):
    with pytest.raises(PeerFault, match="cannot be read"):
        three()[0].hear_hello(1, body)


def test_fields_more_or_less_are_refused():
    sides = three()
    hello = canonical.decode(sides[1].hello())
    for odd in ({**hello, "extra": 1}, {**hello, "index": True}, {**hello, "index": 2}):
        with pytest.raises(PeerFault):
            sides[0].hear_hello(1, canonical.encode(odd))


def test_whoever_heard_other_hellos_is_found_out():
    sides = three()
    greet(sides)
    told_otherwise = Handshake(1, sides[1].binding)
    told_otherwise.hear_hello(0, sides[0].hello())
    told_otherwise.hear_hello(2, Handshake(2, fresh()).hello())
    with pytest.raises(PeerFault, match=r"server 1 \(betas\): it heard other hellos"):
        sides[0].hear_secret(1, told_otherwise.secret(0))


def test_another_contribution_is_caught_by_the_confirmation():
    """Whatever enters the key derivation differs: the MAC says so before any data."""
    sides = three()
    greet(sides)
    for sender, receiver in PAIRS:
        sides[receiver].hear_secret(sender, sides[sender].secret(receiver))
    body = bytearray(sides[1].secret(0))
    body[-1] ^= 1
    sides[0].hear_secret(1, bytes(body))
    with pytest.raises(PeerFault, match=r"server 1 \(betas\): it did not confirm"):
        sides[0].hear_confirm(1, sides[1].confirm(0))
    with pytest.raises(PeerFault, match="did not confirm"):
        sides[2].hear_confirm(1, sides[2].confirm(1))
    with pytest.raises(PeerFault, match="contribution of 3 bytes"):
        sides[0].hear_secret(1, b"abc")
    with pytest.raises(PeerFault, match="our own contribution"):
        sides[0].hear_secret(2, sides[0].secret(2))


def test_the_keys_hang_on_all_three_nonces():
    """The secrets between 0 and 1 stay the same; another nonce of server 2 alone changes their key."""
    sides = three()
    greet(sides)
    agree(sides)
    again = three([sides[0].binding, sides[1].binding, fresh()])
    for side, old in zip(again[:2], sides[:2], strict=True):
        side._given = old._given
    greet(again)
    agree(again)
    assert again[0].keys[1] == again[1].keys[1] != sides[0].keys[1]


def test_nothing_goes_out_of_turn():
    side = three()[0]
    for call in (lambda: side.secret(1), lambda: side.keys, lambda: side.confirm(1), lambda: side.hear_confirm(1, b"")):
        with pytest.raises(OurFault):
            call()


def test_no_secret_shows():
    sides = three()
    greet(sides)
    agree(sides)
    assert sides[0].keys[0].hex() not in repr(vars(sides[0]))
    assert all(key not in repr(sides[0]._pairs).encode() for key in sides[0].keys.values())
