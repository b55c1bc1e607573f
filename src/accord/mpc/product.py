"""Products of replicated shares: element by element, and summed; selection by a secret 0 or 1."""

from __future__ import annotations

import numpy as np

from accord.base.errors import OurFault
from accord.base.limits import SERVERS
from accord.base.ring import Column, Ring
from accord.mpc.cost import Cost, costs
from accord.mpc.kernels_ring import dots, product
from accord.mpc.party import Party
from accord.mpc.share import Share


def product_cost(rows: int, ring: Ring) -> Cost:
    return Cost(1, SERVERS * ring.nbytes(rows))


@costs(product_cost)
async def multiply(me: Party, x: Share, y: Share) -> Share:
    """Product of two secret columns, modulo the ring [AFLNO16].

    Learns: nobody anything; each message is masked by a coin that its receiver lacks.
    Opens:  nothing.
    Cost:   1 round, 1 element a row and server. Facts: rows, ring.
    """
    _require_aligned(x, y)
    z = np.empty(x.rows, x.ring.dtype)
    product((x.own, x.next), (y.own, y.next), _masks(me, x.ring, x.rows), z)
    return await _replicated(me, z, x.ring)


@costs(product_cost)
async def square(me: Party, x: Share) -> Share:
    """The squares of a secret column, modulo the ring.

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   1 round, 1 element a row and server. Facts: rows, ring.
    """
    return await multiply(me, x, x)


@costs(product_cost)
async def dot(me: Party, x: Share, y: Share, starts: Column | None = None) -> Share:
    """Sums of products over consecutive public groups of rows: one element a group, however many its rows are.

    `starts` (intp, strictly increasing, the first is 0) holds each group's first row; without it all rows are one group.
    Raises OurFault for other starts.

    Learns: nobody anything; the products are summed before they are masked and sent.
    Opens:  nothing.
    Cost:   1 round, 1 element a group and server. Facts: groups, ring.
    """
    _require_aligned(x, y)
    first = np.zeros(1, np.intp) if starts is None else np.asarray(starts, np.intp)
    if not (first.size and first[0] == 0 and first[-1] < x.rows and (np.diff(first) > 0).all()):
        raise OurFault(f"groups of {x.rows} rows that do not start at 0 and grow", do="give every group at least one row")
    z = np.empty(first.size, x.ring.dtype)
    dots((x.own, x.next), (y.own, y.next), first, _masks(me, x.ring, first.size), z)
    return await _replicated(me, z, x.ring)


@costs(product_cost)
async def select(me: Party, condition: Share, a: Share, b: Share) -> Share:
    """a where the condition (0 or 1 a row) is 1, else b: b + condition · (a − b).

    Learns: nobody anything.
    Opens:  nothing.
    Cost:   1 round, 1 element a row and server. Facts: rows, ring.
    """
    return b + await multiply(me, condition, a - b)


def _masks(me: Party, ring: Ring, rows: int) -> tuple[Column, Column]:
    """Two streams whose difference is this server's summand of a fresh sharing of zero."""
    return me.mask(me.index, ring, rows), me.mask(me.right, ring, rows)


async def _replicated(me: Party, z: Column, ring: Ring) -> Share:
    """Three summands, one at each server, become a replicated share: each goes to the left neighbour."""
    z = ring.reduce(z)
    return Share(ring, z, await me.swap(z, ring))


def _require_aligned(x: Share, y: Share) -> None:
    if x.ring != y.ring or x.rows != y.rows:
        raise OurFault(f"a product of {x!r} and {y!r}", do="cast to one ring, align the rows")
