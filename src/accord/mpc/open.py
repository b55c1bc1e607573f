"""The three ways out of secrecy: a release that the gate permits, to all servers or to an outside recipient, and uniform values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from accord.base.errors import OurFault
from accord.base.limits import SERVERS
from accord.base.ring import Column, Ring
from accord.mpc.cost import FREE, Cost, costs, plane_bytes
from accord.mpc.party import Party
from accord.mpc.share import AnySecret, Bits, Share
from accord.mpc.summands import Summands

GATE_TOKEN = object()
"""What the gate gives to make a permit. `tests/tidy` holds that `release/gate.py` alone calls `Permit`."""


@dataclass(frozen=True)
class Permit:
    """The gate's word that one release may be opened to its recipients.

    Raises OurFault for a maker that does not give the gate's token.
    """

    release: str
    recipients: tuple[str, ...]
    token: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.token is not GATE_TOKEN:
            raise OurFault(f"a permit for {self.release!r} made outside the gate", rule="only release/gate.py makes permits")


def open_cost(rows: int, kind: Ring | int, told: int = SERVERS) -> Cost:
    return Cost(1, told * (kind.nbytes(rows) if isinstance(kind, Ring) else plane_bytes(kind, rows)))


@costs(open_cost)
async def open_result(me: Party, x: AnySecret, permit: Permit) -> Column:
    """A permitted result, in clear at every server: ring elements, or bit-planes with zeros past the last row.

    Learns: every server the result.
    Opens:  the result.
    Cost:   1 round, 1 element a row (1 bit a bit) and server. Facts: rows, ring or width.
    Needs:  servers among the permit's recipients.
    """
    require_permit(permit)
    return await _opened(me, x)


@costs(lambda rows, kind: FREE)
async def reveal(me: Party, x: AnySecret, permit: Permit) -> Column:
    """This server's part of a permitted result for an outside recipient, who adds (for bits, XORs) the three parts.

    Each part gets a summand of a fresh zero share: components themselves carry structure (zeros, masks used before), the parts are
    uniform but for their sum.

    Learns: no server anything; the recipient, whoever of the servers helps, the result.
    Opens:  nothing to servers.
    Cost:   no rounds here; each part goes to the recipient under the recipient's key. Facts: rows, ring or width.
    """
    require_permit(permit)
    if isinstance(x, Bits):
        return without_pad(x.own ^ me.zero_planes(x.width, x.rows), x.rows)
    return x.ring.reduce(x.own + me.zero_share(x.ring, x.rows))


@costs(open_cost)
async def open_uniform(me: Party, x: AnySecret | Summands, reason: str) -> Column:
    """A value that is uniform whatever the data are, in clear at every server. The reason is argued in docs/openings.md.

    Learns: every server a uniform value.
    Opens:  the value.
    Cost:   1 round, 1 element a row (1 bit a bit) and server; of two summands 4 elements (`told`). Facts: rows, ring or width, told.
    Needs:  x uniform given all that is public already.
    """
    if not reason:
        raise OurFault("an opening without a reason", do="argue it in docs/openings.md and name the entry")
    return await _opened(me, x)


async def _opened(me: Party, x: AnySecret | Summands) -> Column:
    """Each server gets the component that it lacks from its right neighbour, or what it lacks of two summands from who has it."""
    if isinstance(x, Summands):
        return await x.told(me)
    if isinstance(x, Share):
        return x.ring.reduce(x.own + x.next + await me.swap(x.next, x.ring))
    # Pad bits may hold the secrets of rows that were cut off: they are cleared before they leave.
    last = await me.swap_planes(without_pad(x.next, x.rows))
    return without_pad(x.own ^ x.next, x.rows) ^ last


def without_pad(planes: Column, rows: int) -> Column:
    """The planes with zeros past the last row."""
    if rows % 64 == 0:
        return planes
    cleared = planes.copy()
    cleared[:, -1] &= np.uint64((1 << rows % 64) - 1)
    return cleared


def require_permit(permit: Permit) -> None:
    if not isinstance(permit, Permit):
        raise OurFault("an opening without a permit", rule="only release/gate.py makes permits")
