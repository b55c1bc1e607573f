"""A column of which two servers know one summand each: what protocols with a pivot hold before they reshare it, or open it."""

from __future__ import annotations

from dataclasses import dataclass

from accord.base.limits import SERVERS
from accord.base.ring import Column, Ring
from accord.mpc.kernels_permute import pack, unpack
from accord.mpc.party import Party
from accord.mpc.share import Secret


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Summands(Secret):
    """x = a + b (⊕ if `is_xor`) over `ring`: `holders` are the two servers, `part` is this server's summand, None at the third one."""

    ring: Ring
    rows: int
    holders: tuple[int, int]
    part: Column | None
    is_xor: bool = False

    def __repr__(self) -> str:
        return f"<secret column of two parts, {self.rows} rows over Z_2^{self.ring.bits}>"

    async def told(self, me: Party) -> Column:
        """The value at every server: each holder tells its part to the two others. One round, four elements a row in all."""
        peers = {holder: self.ring.nbytes(self.rows) for holder in self.holders if holder != me.index}
        if self.part is None:
            heard = await me.exchange({}, peers)
        else:
            wire = pack(self.part, self.ring)
            heard = await me.exchange({server: wire for server in range(SERVERS) if server != me.index}, peers)
        columns = [unpack(heard[peer], self.ring, self.rows) for peer in peers]
        other = columns[1] if self.part is None else self.part
        return columns[0] ^ other if self.is_xor else self.ring.reduce(columns[0] + other)
