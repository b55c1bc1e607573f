"""The view check has eyes: a randomised result that one server comes to know is seen, though no input shows."""

from __future__ import annotations

from accord.base.ring import Ring
from accord.mpc.party import Party
from accord.mpc.share import Share
from accord.testing.views import every_view

Z4 = Ring(2)


async def random_value(me: Party, x: Share) -> Share:
    """A shared random value, whatever x is."""
    own, after = (me.mask(component, x.ring, x.rows) for component in (me.index, me.right))
    await me.step("quiet").swap(x.ring.zeros(x.rows), x.ring)
    return Share(x.ring, own, after)


async def known_random_value(me: Party, x: Share) -> Share:
    """The same, and every server is told the component that it lacks."""
    made = await random_value(me.step("made"), x)
    await me.step("told").swap(made.next, x.ring)
    return made


def test_who_knows_a_random_result_is_found() -> None:
    inputs = [(value,) for value in range(4)]
    quiet, told = (every_view(protocol, (Z4,), inputs) for protocol in (random_value, known_random_value))
    for server in range(3):
        assert not quiet.differ(server) and not told.differ(server), "neither says anything of x"
        assert not quiet.depend(server)
        assert told.depend(server), "the view holds the result's value, which the server's shares of it do not"
