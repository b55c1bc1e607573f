"""Products of secret matrices: one element an entry of the result, however long the sums are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accord.base.errors import OurFault
from accord.base.ring import Column, Ring
from accord.mpc.compose import in_blocks
from accord.mpc.cost import Cost, cost_of, costs
from accord.mpc.kernels_matrix import DIGIT_BITS, DIGITS_MAX, Factor, Rounding, add_product, digits_for
from accord.mpc.party import Party
from accord.mpc.product import product_cost
from accord.mpc.share import Secret, Share
from accord.mpc.truncate import truncate


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Matrix(Secret):
    """A secret matrix: entry (i, j) is row i · columns + j of `share`. Raises OurFault where the sizes do not fit."""

    share: Share
    rows: int
    columns: int

    def __post_init__(self) -> None:
        if min(self.rows, self.columns) < 1 or self.share.rows != self.rows * self.columns:
            raise OurFault(f"{self.share!r} as {self!r}", rule="rows · columns entries, at least one")

    def __repr__(self) -> str:
        return f"<secret matrix, {self.rows} × {self.columns}>"

    def transposed(self) -> Matrix:
        turned = (part.reshape(self.rows, self.columns).T.reshape(-1) for part in (self.share.own, self.share.next))
        return Matrix(Share(self.share.ring, *turned), self.columns, self.rows)


# ---- local


def matmul_public(x: Matrix, public: Column) -> Matrix:
    """A secret matrix times a public one of int64 entries, (columns of x, any): local and free.

    Narrow entries are cheap: below 2^21 in magnitude half of the arithmetic is left out, below 2^42 a sixth.
    Raises OurFault where the sizes do not fit.
    """
    ring, entries = x.share.ring, np.ascontiguousarray(public, np.int64)
    if entries.shape[0] != x.columns:
        raise OurFault(f"{x!r} times a public matrix of {entries.shape[0]} rows")
    reach = max(int(entries.max()), -int(entries.min())).bit_length()
    flat, digits = entries.reshape(-1).view(np.uint64), max(1, -(-reach // (DIGIT_BITS - 1)))
    right = Factor(flat, flat, x.columns, entries.shape[1], shift=0, scale=0, digits=min(digits, digits_for(ring.bits)))
    parts = []
    for part in (x.share.own, x.share.next):
        out = np.zeros((x.rows, entries.shape[1]), np.uint64)
        left = Factor(part, part, x.rows, x.columns, shift=0, scale=0, digits=digits_for(ring.bits))
        add_product(left, right, digits_for(ring.bits), Rounding(), out)
        parts.append(ring.encode(out.reshape(-1)))
    return Matrix(Share(ring, *parts), x.rows, entries.shape[1])


# ---- protocols


@costs(product_cost)
async def matmul(me: Party, x: Matrix, y: Matrix) -> Matrix:
    """Product of two secret matrices, modulo the ring, by one local product of matrices at each server.

    With components X0, X1, X2 counted from the pivot, over the integers
        X Y = (X1 − X0)(Y0 − Y1) + (2 X1 + X2)(2 Y1 + Y2) / 2 + (2 X0 + X2)(2 Y0 + Y2) / 2,
    and role i can compute term i: shares taken to points of a line, where products interpolate [CDI05]. Only their sum is even: modulo 2
    both last terms are X2 Y2, so that role 1 rounds its half up, role 2 down, and the two errors cancel.

    Learns: nobody anything; each message is masked by a coin that its receiver lacks.
    Opens:  nothing.
    Cost:   1 round, 1 element an entry of the result and server. Facts: entries, ring.
    """
    if x.columns != y.rows or x.share.ring != y.share.ring:
        raise OurFault(f"a product of {x!r} over {x.share!r} and {y!r} over {y.share!r}", do="cast to one ring, align the sizes")
    ring, entries = x.share.ring, x.rows * y.columns
    z = me.zero_share(ring, entries).astype(np.uint64, copy=False)
    left, right = (_factor(me, one, negate) for one, negate in ((x, True), (y, False)))
    add_product(left, right, left.digits, Rounding(halve=me.role > 0, up=me.role == 1), z.reshape(x.rows, y.columns))
    own = ring.encode(z)
    return Matrix(Share(ring, own, await me.swap(own, ring)), x.rows, y.columns)


def _factor(me: Party, x: Matrix, negate: bool) -> Factor:
    """This server's side of its term: X0 − X1 or its negative at role 0, 2 X1 + X2 at role 1, 2 X0 + X2 at role 2."""
    a, b = x.share.own, x.share.next
    if me.role == 2 or (me.role == 0 and negate):
        a, b = b, a
    shift, scale = (1, 1) if me.role else (0, -1)
    return Factor(a, b, x.rows, x.columns, shift, scale, digits_for(x.share.ring.bits + 1))


def fixed_matmul_cost(entries: int, fraction_bits: int, ring: Ring) -> Cost:
    return product_cost(entries, ring).then(cost_of(truncate, entries, fraction_bits, ring))


@costs(fixed_matmul_cost)
async def fixed_matmul(me: Party, x: Matrix, y: Matrix, fraction_bits: int) -> Matrix:
    """X · Y / 2^fraction_bits, rounded down or up once an entry, after the sum: the fixed-point product.

    Learns: nobody anything; the rounding as `truncate`.
    Opens:  nothing.
    Cost:   3 rounds (over one block); up to 32 fraction bits in Z_2^64 14.7 bytes an entry and server. Facts: entries, fraction_bits,
            ring.
    Needs:  −2^(k−2) ≤ (X · Y)_ij < 2^(k−2) in Z_2^k; 0 ≤ fraction_bits ≤ k − 2.
    """
    product = await matmul(me.step("product"), x, y)
    share = await in_blocks(truncate, me.step("truncate"), product.share, shift=fraction_bits)
    return Matrix(share, product.rows, product.columns)


assert digits_for(65) == DIGITS_MAX, "one bit more than the widest ring"
