"""Values that enter: public ones as secrets, and one server's own column."""

from __future__ import annotations

import numpy as np

from accord.base.errors import OurFault
from accord.base.limits import SERVERS
from accord.base.ring import Column, Ring
from accord.mpc.compose import together
from accord.mpc.convert import pivot_input
from accord.mpc.cost import Cost, costs
from accord.mpc.party import Party
from accord.mpc.share import Share


def public_share(me: Party, column: Column, ring: Ring) -> Share:
    """A public column as a secret one: component 0 holds it, the others are zero."""
    zeros = ring.zeros(column.shape[0])
    return add_public(me, Share(ring, zeros, zeros), column)


def add_public(me: Party, x: Share, value: Column | int) -> Share:
    """x plus a public column, or a public integer of any sign: into component 0."""
    column = x.ring.encode(np.uint64(value & int(x.ring.mask)) if isinstance(value, int) else value)
    own = x.ring.reduce(x.own + column) if me.index == 0 else x.own
    return Share(x.ring, own, x.ring.reduce(x.next + column) if me.right == 0 else x.next)


@costs(lambda rows, ring: Cost(1, ring.nbytes(rows)))
async def input_from(me: Party, server: int, column: Column | None, ring: Ring, rows: int) -> Share:
    """A server's own column as a secret one; the others give None [CDI05].

    Learns: nobody anything; the column leaves its server under a mask that the receiver lacks.
    Opens:  nothing.
    Cost:   1 round, 1 element a row from that server to its left neighbour. Facts: rows, ring.
    """
    if (column is not None) != (me.index == server):
        raise OurFault(f"server {me.index} in an input of server {server}", rule="that server gives the column, and no other")
    return await pivot_input(me.from_row(me.row, server), None if column is None else ring.encode(column), ring, rows)


@costs(lambda rows, ring: Cost(1, SERVERS * ring.nbytes(rows)))
async def add_own(me: Party, x: Share, *, own: Column | None) -> Share:
    """x plus a column of each server, which no other server learns: noise of which nobody knows the sum [CDI05].

    Learns: nobody anything; each column leaves its server under a mask that the receiver lacks.
    Opens:  nothing.
    Cost:   1 round, 3 elements a row in all. Facts: rows, ring. A server that gives None adds zeros.
    """
    mine = x.ring.zeros(x.rows) if own is None else own
    given = (input_from(me.step(f"own.{at}"), at, mine if me.index == at else None, x.ring, x.rows) for at in range(SERVERS))
    for part in await together(*given):
        x = x + part
    return x
