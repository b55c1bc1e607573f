"""Short fingerprints of wide keys: a public hash that is linear over the bits, so that servers hash their shares alone.

The hash is a Toeplitz matrix of uniform bits [MNT93]: bit i of the hash is ⊕_j t_(i+j) key_j. The hashes of two keys that differ have a
uniform difference, so that h bits fail to tell them apart with the chance 2^−h. The bits are tossed in the run itself, after every owner
has given its data: no data can be chosen against them.
"""

from __future__ import annotations

from accord.base.errors import OurFault
from accord.base.ring import Column
from accord.mpc.bits import bools_from_planes
from accord.mpc.cost import Cost, costs
from accord.mpc.kernels_hash import toeplitz
from accord.mpc.open import open_cost, open_uniform
from accord.mpc.party import Party
from accord.mpc.share import Bits

FAILURE_BITS = 40
"""False matches in a whole table are to have a chance of at most 2^−40."""


def hash_bits(rows: int, failure_bits: int = FAILURE_BITS) -> int:
    """Bits of a hash that may stand for the key in a sort or a join: some two of `rows` keys that differ collide with a chance of at most
    rows · (rows − 1) / 2 · 2^−bits ≤ 2^−failure_bits. Where adjacent rows alone are compared, rows · 2^−bits bounds it.
    """
    pairs = rows * (rows - 1) // 2
    return (max(pairs, 1) - 1).bit_length() + failure_bits


def hash_keys_cost(width: int, bits: int) -> Cost:
    return open_cost(width + bits - 1, 1)


@costs(hash_keys_cost)
async def hash_keys(me: Party, keys: list[Bits], bits: int) -> list[Bits]:
    """Hashes of `bits` planes of columns of keys of one width (any), all under one hash: equal keys have equal hashes.

    Two given keys that differ have equal hashes with the chance 2^−bits; `hash_bits` says how many are enough for a table. The order
    of hashes says nothing of the keys'. Raises OurFault for keys of several widths.

    Learns: nobody anything; the coins that are opened have nothing to do with the keys.
    Opens:  width + bits − 1 uniform bits, the hash function.
    Cost:   1 round, width + bits − 1 bits a server, whatever the rows. Facts: width, bits.
    Needs:  keys that were fixed before this step.
    """
    width = keys[0].width
    if bits < 1 or not width or any(one.width != width for one in keys):
        raise OurFault(f"hashes of {bits} bits of {keys}", do="pad keys with planes of zeros to one width")
    coins = await _toss(me, width + bits - 1)
    return [Bits(one.rows, *(toeplitz(part, coins, bits) for part in (one.own, one.next))) for one in keys]


async def _toss(me: Party, count: int) -> Column:
    """`count` uniform booleans that nobody knew before, the same at every server: each component is unknown to one server."""
    own, after = (me.step("toss").mask_planes(me.index + j, 1, count) for j in (0, 1))
    tossed = await open_uniform(me.step("open"), Bits(count, own, after), "the coins of a public hash of keys")
    return bools_from_planes(tossed, count)
