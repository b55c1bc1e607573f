"""The exact integer square root: an approximation says where to look, comparisons say which it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil, isqrt

from accord.base.errors import OurFault, Refused
from accord.base.limits import RING_BITS_MAX, VALUE_BITS_MAX
from accord.base.ring import Z64
from accord.mpc.compare import maximum, sign
from accord.mpc.compose import together
from accord.mpc.convert import bit_to_ring
from accord.mpc.cost import Cost, cost_of, costs
from accord.mpc.inputs import add_public
from accord.mpc.party import Party
from accord.mpc.product import square
from accord.mpc.root import SQRT, root_of, sqrt
from accord.mpc.share import Share

FEW_ROOTS = 3
"""So many roots beside 0 are counted at once."""
WAYS = 4
"""A step of the search tells this many ranges apart: three comparisons side by side."""


# ---- where the root is searched: public, and where exactness is proven


@dataclass(frozen=True)
class Search:
    """The search for ⌊√x⌋, x < 2^bits, from `margin` below an approximation; with `margin` 0 from 0.

    `units`: what a digit of each step counts, the last 1.
    """

    bits: int
    margin: int
    units: tuple[int, ...]

    @property
    def root_most(self) -> int:
        return isqrt((1 << self.bits) - 1)

    def width(self, unit: int) -> int:
        """Bits of x − c², for a candidate c and the root both within WAYS · unit above the same start, which is at most the root."""
        distance = WAYS * unit
        return (distance * (2 * self.root_most + distance + 1)).bit_length() + 1


@cache
def search(bits: int) -> Search:
    """The steps for x < 2^bits.

    `sqrt` gives r with |r − √x| ≤ E = 2 + √(2^bits) · its relative error. Whence r − E − 1 < ⌊√x⌋ ≤ r + E: with the margin
    m = ⌈E⌉ + 1 the root lies in r − m … r + m, which the steps cover.
    """
    most = isqrt((1 << bits) - 1)
    if most <= FEW_ROOTS:
        return Search(bits, 0, (1,))
    margin = ceil(2 + root_of(SQRT, bits, 0).relative_error * (most + 1)) + 1
    units = [1]
    while WAYS * units[0] <= 2 * margin:
        units.insert(0, WAYS * units[0])
    return Search(bits, margin, tuple(units))


# ---- the root


def _count_cost(rows: int, width: int, count: int) -> Cost:
    return _side_by_side(cost_of(sign, rows, width).then(cost_of(bit_to_ring, rows, Z64)), count)


def _side_by_side(each: Cost, count: int) -> Cost:
    return Cost(each.rounds, count * each.bytes)


def floor_root_cost(rows: int, bits: int) -> Cost:
    plan, squared = search(bits), cost_of(square, rows, Z64)
    if not plan.margin:
        return _count_cost(rows, bits + 1, plan.root_most)
    total = cost_of(sqrt, rows, bits, 0).then(cost_of(maximum, rows, _start_bits(plan), Z64))
    for unit in plan.units:
        total = total.then(squared).then(_count_cost(rows, plan.width(unit), WAYS - 1))
    return total


def _start_bits(plan: Search) -> int:
    return (plan.root_most + 2 * plan.margin).bit_length() + 1


@costs(floor_root_cost)
async def floor_root(me: Party, x: Share, bits: int) -> Share:
    """⌊√x⌋, exactly and whatever the coins are.

    An approximation says where to look; then each step finds the root's next digit to the base 4, by the signs of x − c² for the three
    candidates c side by side. All squares follow from that of the step's start.

    Why exact: the start s is at most the root (see `search`; `maximum` keeps it from below 0, where squares would mislead), so c ≤ √x
    exactly where c² ≤ x; the steps cover all roots that the approximation leaves; and each sign is exact, x − c² being within its width.

    Learns: nobody anything, beside what `sqrt` says; the coins' roundings are repaired before anything leaves.
    Opens:  nothing.
    Cost:   79 rounds and about 490 bytes a row and server at 62 bits, 44 and 230 at 40. Facts: rows, bits.
    Needs:  0 ≤ x < 2^bits, 1 to 62 bits, a ring of 64. For other x the result is some number.
    """
    _require(x, bits)
    plan = search(bits)
    if not plan.margin:
        signs = [_at_least(me.step(f"of.{c}"), x, c * c, bits + 1) for c in range(1, plan.root_most + 1)]
        return _total(await together(*signs))
    near = await sqrt(me.step("near"), x, bits, 0)
    least = add_public(me, x.times(0), plan.margin)
    low = add_public(me, await maximum(me.step("start"), near, least, _start_bits(plan)), -plan.margin)
    for unit in plan.units:
        here = me.step(f"by.{unit}")
        rest = x - await square(here.step("square"), low)
        ahead = [rest - low.times(2 * way * unit) for way in range(1, WAYS)]
        width = plan.width(unit)
        found = await together(*(_at_least(here.step(f"way.{way}"), one, (way * unit) ** 2, width) for way, one in enumerate(ahead, 1)))
        low = low + _total(found).times(unit)
    return low


async def _at_least(me: Party, x: Share, least: int, bits: int) -> Share:
    """1 where x ≥ least, in the ring."""
    below = await bit_to_ring(me.step("ring"), await sign(me.step("sign"), add_public(me, x, -least), bits), x.ring)
    return add_public(me, below.times(-1), 1)


def _total(shares: list[Share] | tuple[Share, ...]) -> Share:
    total = shares[0]
    for one in shares[1:]:
        total = total + one
    return total


def _require(x: Share, bits: int) -> None:
    if x.ring.bits != RING_BITS_MAX:
        raise OurFault(f"a root of {x!r}", do="cast it to 64 bits")
    if not 1 <= bits <= VALUE_BITS_MAX:
        raise Refused(f"a root of {bits} bits", rule=f"1 to {VALUE_BITS_MAX}", do="narrow the declared bounds")
