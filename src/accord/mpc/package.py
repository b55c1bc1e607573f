"""Input packages: how a party outside the three servers shares its columns, and how the servers check that their copies agree.

Components 0 and 1 of every part are streams of two fresh 16-byte seeds, component 2 is what is missing to the data, packed to the
bit: an upload of one element a value and server, where three copies would take two. Each component has an opening of 32 random bytes
that only its two holders know, under which they compare digests: a bare digest would let the third server test guesses.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from accord.base.canonical import digest
from accord.base.errors import OurFault, Refused
from accord.base.limits import KEY_BYTES, RING_BITS_MAX, SALT_BYTES, SERVERS
from accord.base.ring import Column, Ring
from accord.mpc.bits import planes_from_column
from accord.mpc.coins import stream
from accord.mpc.cost import Cost, costs
from accord.mpc.open import without_pad
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.wire.exchange import Payload

SEEDED = 2
"""Components 0 and 1 come from seeds; component 2 is explicit."""
DIGEST_BYTES = 32
AGREE, DIFFER = b"\1", b"\0"


@dataclass(frozen=True)
class Part:
    """One shared column, public: `kind` "ring" (arithmetic over Z_2^width) or "bits" (boolean words of `width` bits); 1 to 64.

    Raises OurFault for another kind or width, or no rows.
    """

    name: str
    kind: Literal["ring", "bits"]
    width: int
    rows: int

    def __post_init__(self) -> None:
        if self.kind not in ("ring", "bits") or not 1 <= self.width <= RING_BITS_MAX or self.rows < 1:
            raise OurFault(
                f"part {self.name}: {self.rows} rows of kind {self.kind!r}, {self.width} bits", rule="ring or bits, 1 to 64, rows"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a component: one element a row, or one plane a bit."""
        return (self.rows,) if self.kind == "ring" else (self.width, (self.rows + 63) // 64)

    @property
    def ring(self) -> Ring:
        """Of an element, or of a word of a plane."""
        return Ring(self.width if self.kind == "ring" else 64)

    @property
    def nbytes(self) -> int:
        """Of the explicit component: packed elements, or each plane's whole bytes."""
        return self.ring.nbytes(self.rows) if self.kind == "ring" else self.width * ((self.rows + 7) // 8)


def bit_parts(name: str, width: int, rows: int) -> tuple[Part, ...]:
    """A boolean column of any width: parts of at most 64 planes, the lowest first; one part keeps the column's name."""
    if width <= RING_BITS_MAX:
        return (Part(name, "bits", width, rows),)
    lows = range(0, width, RING_BITS_MAX)
    return tuple(Part(f"{name}?{at}", "bits", min(RING_BITS_MAX, width - low), rows) for at, low in enumerate(lows))


@dataclass(frozen=True)
class Package:
    """What one server gets of an input: the seeds of components 0 and 1 that it holds, by rising component; the openings of its
    own and its next component; component 2 of all parts, in order, where it holds that.
    """

    server: int
    seeds: tuple[bytes, ...] = field(repr=False)
    openings: tuple[bytes, bytes] = field(repr=False)
    explicit: bytes = field(repr=False)

    def encode(self) -> bytes:
        """As bytes, to be sealed for the server."""
        return msgspec.msgpack.encode(self)

    @staticmethod
    def decode(encoded: bytes) -> Package:
        """The package of some bytes. Raises Refused where they are none; `expand` checks what it holds."""
        try:
            return msgspec.msgpack.decode(encoded, type=Package)
        except msgspec.MsgspecError as error:
            raise Refused("these bytes are no input package", do="let the owner deal the input again") from error


# ---- the owner's side


def deal(parts: Sequence[Part], columns: Mapping[str, NDArray[np.generic]], context: bytes) -> tuple[Package, Package, Package]:
    """Share columns out: integers of any sign (modulo 2^width) for each part, by its name; a package for each server.

    `context` binds the streams to one input of one run. Raises OurFault where columns and parts do not match, or parts share a name.
    """
    _require_distinct(parts)
    seeds = [secrets.token_bytes(KEY_BYTES) for _ in range(SEEDED)]
    openings = [secrets.token_bytes(SALT_BYTES) for _ in range(SERVERS)]
    explicit = b"".join(_packed(part, _missing(part, _values(part, columns), seeds, context)) for part in parts)
    return (
        Package(0, (seeds[0], seeds[1]), (openings[0], openings[1]), b""),
        Package(1, (seeds[1],), (openings[1], openings[2]), explicit),
        Package(2, (seeds[0],), (openings[2], openings[0]), explicit),
    )


def _values(part: Part, columns: Mapping[str, NDArray[np.generic]]) -> Column:
    """The part's column as ring elements or bit-planes."""
    if part.name not in columns or columns[part.name].shape != (part.rows,):
        raise OurFault(f"no column of {part.rows} rows for part {part.name}", do="give every part its column")
    column = columns[part.name]
    return part.ring.encode(column) if part.kind == "ring" else planes_from_column(column.astype(np.uint64), part.width)


def _missing(part: Part, values: Column, seeds: list[bytes], context: bytes) -> Column:
    """Component 2: the values less, or ⊕, the streams of components 0 and 1."""
    first, second = (_component(part, component, seed, context) for component, seed in enumerate(seeds))
    return part.ring.reduce(values - first - second) if part.kind == "ring" else values ^ first ^ second


# ---- a server's side


def expand(package: Package, parts: Sequence[Part], context: bytes) -> dict[str, Share | Bits]:
    """This server's shares of every part, by name. Raises Refused for a package that does not hold what the parts need."""
    _require_whole(package, parts)
    seeds, at = _seeds_by_component(package), 0
    shares: dict[str, Share | Bits] = {}
    for part in parts:
        explicit, at = package.explicit[at : at + part.nbytes], at + part.nbytes
        own, after = (
            _component(part, component, seeds[component], context) if component in seeds else _unpacked(part, explicit)
            for component in (package.server, (package.server + 1) % SERVERS)
        )
        shares[part.name] = Share(part.ring, own, after) if part.kind == "ring" else Bits(part.rows, own, after)
    return shares


@costs(lambda: Cost(2, SERVERS * 2 * (DIGEST_BYTES + 1)))
async def check_replicas(me: Party, package: Package, parts: Sequence[Part], context: bytes, name: str = "") -> None:
    """Refuse an input whose two copies of some component differ; `name` is what the error calls it.

    The holders of each component compare digests under its opening, then every server tells the others whether its two agree, so
    that all refuse together.

    Learns: nobody anything about an honest owner's data; a digest goes to a server that holds what it is of.
    Opens:  whether all copies agree.
    Cost:   2 rounds, 66 bytes a server.
    """
    _require_whole(package, parts)
    if package.server != me.index:
        raise OurFault(f"server {me.index} was given the package of server {package.server}", where=f"input {name}")
    own, after = (_digest(package, parts, context, component) for component in (me.index, me.right))
    heard = await me.step("digests").exchange({me.left: own, me.right: after}, {me.left: DIGEST_BYTES, me.right: DIGEST_BYTES})
    agree = heard[me.left].tobytes() == own.tobytes() and heard[me.right].tobytes() == after.tobytes()
    verdict = np.frombuffer(AGREE if agree else DIFFER, np.uint8)
    others = await me.step("verdicts").exchange({me.left: verdict, me.right: verdict}, {me.left: 1, me.right: 1})
    if not agree or any(one.tobytes() != AGREE for one in others.values()):
        raise Refused(
            "two servers hold different copies of this input",
            where=f"input {name}" if name else me.path,
            rule="the two holders of every component have the same bytes",
            do="let the owner deal the input again",
        )


def _digest(package: Package, parts: Sequence[Part], context: bytes, component: int) -> Payload:
    """Of all that decides a component: its seed or bytes, the parts and the context, under its opening."""
    opening = package.openings[0 if component == package.server else 1]
    content = _seeds_by_component(package).get(component, package.explicit)
    described = msgspec.msgpack.encode([(part.name, part.kind, part.width, part.rows) for part in parts])
    return np.frombuffer(digest("package/component", opening, bytes([component]), content, described, context), np.uint8)


def _seeds_by_component(package: Package) -> dict[int, bytes]:
    held = sorted({package.server, (package.server + 1) % SERVERS} & set(range(SEEDED)))
    return dict(zip(held, package.seeds, strict=True))


def _require_whole(package: Package, parts: Sequence[Part]) -> None:
    """All lengths follow from the server's number and the parts."""
    _require_distinct(parts)
    seeds, explicit = (2, 0) if package.server == 0 else (1, sum(part.nbytes for part in parts))
    found = [len(one) for one in package.seeds], [len(one) for one in package.openings], len(package.explicit)
    if package.server not in range(SERVERS) or found != ([KEY_BYTES] * seeds, [SALT_BYTES] * 2, explicit):
        raise Refused(
            f"an input package for server {package.server} that does not hold what its {len(parts)} parts need",
            rule=f"{seeds} seeds, 2 openings, {explicit} bytes",
            do="let the owner deal the input again from the same study",
        )


def _require_distinct(parts: Sequence[Part]) -> None:
    if len({part.name for part in parts}) != len(parts):
        raise OurFault("two parts of one name would share a stream", do="give every part a name of its own")


# ---- components


def _component(part: Part, component: int, seed: bytes, context: bytes) -> Column:
    """The stream of a seed for one part and component."""
    out = np.empty(part.shape, part.ring.dtype)
    stream(seed, digest("package/stream", context, part.name.encode(), bytes([component])), out)
    return part.ring.reduce(out)


def _packed(part: Part, component: Column) -> bytes:
    if part.kind == "ring":
        return part.ring.pack(component).tobytes()
    return without_pad(component, part.rows).view(np.uint8)[:, : (part.rows + 7) // 8].tobytes()


def _unpacked(part: Part, wire: bytes) -> Column:
    payload = np.frombuffer(wire, np.uint8)
    if part.kind == "ring":
        return part.ring.unpack(payload, part.rows)
    planes = np.zeros((part.width, part.shape[1] * 8), np.uint8)
    planes[:, : (part.rows + 7) // 8] = payload.reshape(part.width, -1)
    return planes.view(np.uint64)
