"""One server's place in a protocol: who its neighbours are, where its coins are, how it speaks.

Every step of a protocol has a structural path ("sort/pass.3/carry"). The path names its coins, its frames and its
errors; `step` narrows it, `from_row` says which row block runs.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from accord.base.limits import BLOCK_ROWS, BLOCKS_IN_FLIGHT, KEY_BYTES, SERVERS
from accord.base.ring import Column, Ring
from accord.mpc.coins import Coins
from accord.wire.exchange import Exchange, Expected, Message, Payload

SMALL_PARTS = 4
"""A table of at most this part of a block's rows is not split: a round of three blocks takes longer to start than one of a whole one."""
PLANE_WORD_ROWS = 64


@dataclass(frozen=True)
class Profile:
    """What all servers must agree on before they start; part of the plan hash.

    `block_rows` is a multiple of 64; `blocks_in_flight` blocks run between two waits; `adder` names the network that
    full sums of bits take (mpc/adder.py): "brent-kung" sends least, "sklansky" has fewest rounds. `digit_bits` are the bits of a
    key that one pass of a sort takes (mpc/sort.py): more of them are fewer rounds and more bytes; `chunk_bits` those that travel along
    with a row's number, others being fetched in their turn: more of them are fewer rounds, and words that fill more of the cache.
    `wider` is what a sort that is not cut into blocks takes in place of both: there rounds cost more than bytes.
    """

    name: str = "lan"
    block_rows: int = BLOCK_ROWS
    blocks_in_flight: int = BLOCKS_IN_FLIGHT
    adder: str = "brent-kung"
    digit_bits: int = 3
    chunk_bits: int = 12
    wider: tuple[int, int] | None = None

    def block_size(self, rows: int) -> int:
        """Rows of each block of a table but the last, which has what is left: a multiple of 64, or all of a small table.

        The number of blocks is a multiple of three where the rows allow it, so that each server is the pivot of as many.
        """
        if rows <= self.block_rows // SMALL_PARTS:
            return rows
        blocks = -(-rows // (self.block_rows * SERVERS)) * SERVERS
        return -(-rows // (blocks * PLANE_WORD_ROWS)) * PLANE_WORD_ROWS


LAN = Profile()
WAN = Profile("wan", blocks_in_flight=512, adder="sklansky", chunk_bits=18, wider=(4, 36))
"""Long links, such as 20 ms and 100 Mbit/s: fewer rounds for more bytes, and all blocks of ten million rows in flight at once. Blocks are
no larger, since many of them turn the pivot often, which keeps the lines of the three servers even."""
PROFILES = {profile.name: profile for profile in (LAN, WAN)}


@dataclass(frozen=True, slots=True)
class Party:
    """Server `index` at one step of a protocol.

    `pivot` is the server that plays role 0 in protocols with a pivot; `in_blocks` rotates it so that links are even.
    """

    index: int
    coins: Coins
    path: str = ""
    row: int = 0
    pivot: int = 0
    profile: Profile = field(default=LAN)
    pool: ThreadPoolExecutor | None = None
    """Threads that compute row blocks side by side, where this server has cores of its own for them. Peers need not have as many."""
    own: bytes = field(default_factory=lambda: secrets.token_bytes(KEY_BYTES), repr=False)
    """The key of what this server draws alone and no other may know: its part of noise."""

    @property
    def left(self) -> int:
        return (self.index - 1) % SERVERS

    @property
    def right(self) -> int:
        return (self.index + 1) % SERVERS

    @property
    def role(self) -> int:
        """0 for the pivot, 1 for its right neighbour, 2 for its left one.

        In the pivot view role 0 alone knows c = x_p + x_(p+1); roles 1 and 2 know r = x_(p+2); x = c + r.
        """
        return (self.index - self.pivot) % SERVERS

    def step(self, label: str) -> Party:
        """The same server one step deeper in the path."""
        path = f"{self.path}/{label}" if self.path else label
        return type(self)(self.index, self.coins, path, self.row, self.pivot, self.profile, self.pool, self.own)

    def from_row(self, row: int, pivot: int) -> Party:
        """The same step for the block of rows that begins at `row`."""
        return replace(self, row=row, pivot=pivot)

    def turned(self, by: int) -> Party:
        """The same step with the pivot so many servers further: what sends more in one role does so in turn."""
        return replace(self, pivot=(self.pivot + by) % SERVERS)

    # ---- coins

    def mask(self, component: int, ring: Ring, rows: int, lane: str = "") -> Column:
        """The uniform column of one absolute component, known to its two holders and hidden from the third server."""
        return self.coins.column(component % SERVERS, ring, rows, self.path, lane, self.row)

    def mask_planes(self, component: int, width: int, rows: int, lane: str = "") -> Column:
        return self.coins.planes(component % SERVERS, width, rows, self.path, lane, self.row)

    def zero_share(self, ring: Ring, rows: int, lane: str = "") -> Column:
        """This server's summand of a fresh additive sharing of zero."""
        own, after = (self.mask(self.index + j, ring, rows, lane) for j in (0, 1))
        return ring.reduce(own - after)

    def zero_planes(self, width: int, rows: int, lane: str = "") -> Column:
        """This server's summand of a fresh XOR sharing of zero."""
        own, after = (self.mask_planes(self.index + j, width, rows, lane) for j in (0, 1))
        return own ^ after

    def role_mask(self, component: int, ring: Ring, rows: int, lane: str = "") -> Column:
        """As `mask`, with the component counted from the pivot: role 0 and 1 know 1, role 0 and 2 know 0, role 1 and 2 know 2."""
        return self.mask(self.pivot + component, ring, rows, lane)

    def role_mask_planes(self, component: int, width: int, rows: int, lane: str = "") -> Column:
        return self.mask_planes(self.pivot + component, width, rows, lane)

    # ---- words

    def server(self, role: int) -> int:
        """The server that plays a role."""
        return (self.pivot + role) % SERVERS

    async def exchange(self, sends: Mapping[int, Payload], hears: Mapping[int, int]) -> dict[int, Payload]:
        """One round: wire bytes to each peer, and from each peer as many as `hears` says. Peers are server numbers."""
        tag = f"{self.path}@{self.row}"
        heard = await Exchange(
            tuple(Message(peer, tag, payload) for peer, payload in sends.items()),
            tuple(Expected(peer, tag, nbytes) for peer, nbytes in hears.items()),
        )
        return dict(zip(hears, heard, strict=True))

    async def swap(self, column: Column, ring: Ring) -> Column:
        """Send a column to the left neighbour, hear the right one's: one round."""
        heard = await self.exchange({self.left: ring.pack(column)}, {self.right: ring.nbytes(column.shape[0])})
        return ring.unpack(heard[self.right], column.shape[0])

    async def swap_planes(self, planes: Column) -> Column:
        """Send bit-planes to the left neighbour, hear the right one's: one round."""
        heard = await self.exchange({self.left: as_payload(planes)}, {self.right: planes.nbytes})
        return heard[self.right].view(np.uint64).reshape(planes.shape)


def as_payload(planes: Column) -> Payload:
    """The wire bytes of an array: a view where it is contiguous."""
    return np.ascontiguousarray(planes).reshape(-1).view(np.uint8)
