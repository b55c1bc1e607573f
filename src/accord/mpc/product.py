"""Products of replicated shares: element by element, and summed."""

from __future__ import annotations

from accord.base.limits import SERVERS
from accord.mpc.cost import Cost, costs
from accord.mpc.party import Party
from accord.mpc.share import Share
from accord.base.ring import Ring


@costs(lambda rows, ring: Cost(1, SERVERS * ring.nbytes(rows)))
async def multiply(me: Party, x: Share, y: Share) -> Share:
    """Product of two secret columns, modulo the ring [AFLNO16].

    Learns: nobody anything; each message is masked by a coin that its receiver lacks.
    Opens:  nothing.
    Cost:   1 round, 1 element a row and server.
    """
    ring = x.ring
    z = ring.reduce(x.own * (y.own + y.next) + x.next * y.own + me.zero_share(ring, x.rows))
    return Share(ring, z, await me.swap(z, ring))
