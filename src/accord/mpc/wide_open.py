"""Wide results on their way out: to all servers, or to an outside recipient, against a permit as any other (`open`)."""

from __future__ import annotations

from collections.abc import Sequence

from accord.base.ring import Z64, Column, Ring
from accord.mpc.cost import FREE, Cost, costs
from accord.mpc.kernels_wide import add, subtract
from accord.mpc.open import Permit, require_permit
from accord.mpc.party import Party
from accord.mpc.product import product_cost
from accord.mpc.wide import Wide, mask_wide


def open_wide_cost(rows: int, lane: Ring = Z64) -> Cost:
    return product_cost(2 * rows, lane)


@costs(open_wide_cost)
async def open_result_wide(me: Party, x: Wide, permit: Permit) -> Column:
    """A permitted wide result, in clear at every server: lanes, (rows, 2), for `signed_numbers`.

    Learns: every server the result.
    Opens:  the result.
    Cost:   1 round, 1 wide element a row and server. Facts: rows, lane.
    Needs:  servers among the permit's recipients.
    """
    require_permit(permit)
    last = await me.swap(x.next.reshape(-1), x.lane)
    return add(add(x.own, x.next, x.lane), last.reshape(x.own.shape), x.lane)


@costs(lambda rows, lane: FREE)
async def reveal_wide(me: Party, x: Wide, permit: Permit) -> Column:
    """This server's part, lanes (rows, 2), of a permitted wide result for an outside recipient, who puts three together (`put_together`).

    As `reveal`: each part gets a summand of a fresh zero share, so that the parts are uniform but for their sum.

    Learns: no server anything; the recipient, whoever of the servers helps, the result.
    Opens:  nothing to servers.
    Cost:   no rounds here; each part goes to the recipient under the recipient's key. Facts: rows, lane.
    """
    require_permit(permit)
    own, after = (mask_wide(me, component, x.lane, x.rows) for component in (me.index, me.right))
    return add(x.own, subtract(own, after, x.lane), x.lane)


def put_together(parts: Sequence[Column], lane: Ring = Z64) -> Column:
    """The sum of a recipient's parts."""
    whole = parts[0]
    for one in parts[1:]:
        whole = add(whole, one, lane)
    return whole


def signed_numbers(lanes: Column, lane: Ring = Z64) -> list[int]:
    """What lanes in clear say, as Python's integers, which know no width."""
    return [int(low) + (int(high) << lane.bits) for low, high in zip(lanes[:, 0], lane.decode(lanes[:, 1]), strict=True)]
