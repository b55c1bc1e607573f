"""Complementary suppression: of a table that is released with its totals, further cells are held back, so that sums tell little of those
that failed.

Recipients see one pattern: a cell that failed and one that was suppressed for its sake look alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from accord.base.errors import Refused
from accord.base.limits import RING_BITS_MAX
from accord.base.ring import Z64, Ring
from accord.mpc.compose import in_blocks, together
from accord.mpc.inputs import add_public, public_share
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.plan.evaluate import Flags, Plain
from accord.plan.lower import all_there, public_layouts
from accord.plan.nodes import Node
from accord.plan.secure_calls import bit_to_ring, is_zero, sign
from accord.plan.secure_flags import Flag, any_of, as_bits, negation
from accord.plan.secure_key import as_secret
from accord.plan.secure_table import PublicColumn, SecureTable, join_bits, take_bits
from accord.plan.types import DECIMAL, INT, Type
from accord.release import suppression_plain
from accord.release.rule import TableRule
from accord.release.suppression_fits import negated, rows_of_plane
from accord.release.suppression_grid import DIMENSIONS_MAX, Grid, grids_of
from accord.release.suppression_shares import suppressed

PERCENT = 100
PRIMARIES_MAX = 200


@dataclass(frozen=True, slots=True)
class ComplementarySuppression(TableRule):
    """Where cells failed, others are suppressed with them, until in none of the columns the sums tell a suppressed cell to within a width.

    With `width`, in units of the last digit, that holds of every suppressed cell. With `width_percent` it holds of each cell that failed,
    for that part of its value, and at least of one unit; a cell suppressed for its sake moves as far as it does. Totals over the `kept`
    dimensions, which another table may show, are never suppressed for another cell's sake; where one is needed, the whole table is.
    (Slots, since a field here has the name of a property of all rules.)
    """

    dimensions: tuple[str, ...]
    columns: tuple[str, ...] = field()
    total: str = ""
    width: int = 0
    width_percent: int = 0
    primaries_max: int = PRIMARIES_MAX
    kept: tuple[str, ...] = ()

    told_by_study: ClassVar[tuple[str, ...]] = ("primaries_max",)
    name: ClassVar[str] = "complementary_suppression"
    stops: ClassVar[str] = "reading a suppressed cell, or nearly, from the totals and the cells that are shown"
    does_not_stop: ClassVar[str] = (
        "what is known beside the table: another table of the same data, bounds of a value, a cell that must be 0, a contributor's own part"
    )

    def __post_init__(self) -> None:
        if not 1 <= len(self.dimensions) <= DIMENSIONS_MAX or len(set(self.dimensions)) < len(self.dimensions):
            rule = f"one to {DIMENSIONS_MAX} dimensions, each once"
            raise Refused(f"{self.name} over {len(self.dimensions)} dimensions", rule=rule, do="release a table of fewer dimensions")
        if not self.columns or len(set(self.columns)) < len(self.columns):
            raise Refused(f"{self.name} of no column, or of one twice", rule="the columns that add up", do='write columns = ["n"]')
        if not set(self.kept) <= set(self.dimensions):
            raise Refused(f"{self.name} that keeps totals over {_listed(self.kept)}", rule="some of its dimensions", do="name dimensions")
        if (self.width > 0) == (self.width_percent > 0) or min(self.width, self.width_percent) < 0 or self.primaries_max < 1:
            given = f"width = {self.width}, width_percent = {self.width_percent}, primaries_max = {self.primaries_max}"
            rule = "either a width or a width_percent, and primaries_max, each 1 or more"
            raise Refused(f"{self.name} with {given}", rule=rule, do="write width = 5, or width_percent = 10")

    @property
    def sentence(self) -> str:
        of = f"{self.width} in the last digit" if self.width else f"{self.width_percent} percent of a cell that failed"
        broken = " or where ".join(self.promises)
        kept = f", without totals over {_listed(self.kept)}, or else all are" if self.kept else ""
        return (
            f"where cells of the table by {_listed(self.dimensions)} fail, more are suppressed with them{kept}, so that sums tell none to "
            f"within {of} in {_listed(self.columns)}; nothing is released, and recipients learn which it was, where {broken}"
        )

    @property
    def promises(self) -> tuple[str, ...]:
        return (
            f"more than {self.primaries_max} cells by {_listed(self.dimensions)} fail the other rules",
            f"totals of {_listed(self.columns)} are not the sums of their cells",
        )

    def require_applies(self, node: Node) -> None:
        for name in self.columns:
            type = node.field(name).type
            if type.kind not in (INT, DECIMAL) or type.low < 0:
                raise Refused(
                    f"rule {self.name} reads {name}, of kind {type.kind}{' and below 0' if type.kind in (INT, DECIMAL) else ''}",
                    rule="columns that add up, whole numbers or decimals of at least 0",
                    do="name counts and sums; split what can be below 0 into two sums",
                )
        if secret := [name for name in self.dimensions if not node.field(name).public]:
            do = "group by a column with a declared domain"
            raise Refused(f"{self.name} over {_listed(secret)}, which is secret", rule="dimensions are public keys", do=do)
        if all_there(node):
            cells = max(grid.cells for grid in self._grids(public_layouts((node,))[0]))
            for name in self.columns:
                self._require_room(name, node.field(name).type, cells)

    def _require_room(self, name: str, type: Type, cells: int) -> None:
        if self._bits(type) > RING_BITS_MAX or (type.high * cells).bit_length() >= RING_BITS_MAX:
            do = "declare narrower ranges, or fewer digits"
            raise Refused(f"{self.name} of {name}, which can be {type.high}", rule="sums and percents fit into 63 bits", do=do)

    def _grids(self, public: Mapping[str, Any]) -> list[Grid]:
        """One, or where rows are alike in the dimensions, one for each combination of other public columns."""
        others = [(name, one) for name, one in public.items() if isinstance(one, PublicColumn) and name not in self.dimensions]
        kept = frozenset(self.dimensions.index(name) for name in self.kept)
        return grids_of([(name, public[name]) for name in self.dimensions], others, self.total, kept)

    def _bits(self, type: Type) -> int:
        """Bits of what is compared, with its sign."""
        return max(self.width, type.high * (max(self.width_percent, PERCENT) if self.width_percent else 1)).bit_length() + 1

    # ---- on shares

    async def judge(self, me: Party, table: SecureTable, passed: Flag) -> Flag:
        grids = self._grids(table.columns)
        failed = as_bits(me, negation(me, passed), table.rows)
        runs = (self._held(me.step(f"table.{at}"), grid, table, failed) for at, grid in enumerate(grids))
        held = join_bits(await together(*runs))
        return negation(me, take_bits(held, np.argsort(np.concatenate([grid.rows for grid in grids]))))

    async def _held(self, me: Party, grid: Grid, table: SecureTable, failed: Bits) -> Bits:
        """Which cells of a grid are suppressed, in its order."""
        values, bits = self._values(me, grid, table), [self._bits(table.columns[name].type) for name in self.columns]
        large = await self._large(me.step("large"), values, bits) if self.width else []

        async def enough(here: Party, cells: Sequence[Share]) -> list[Share]:
            return large or await self._in_percent(here, grid, values, cells, bits)

        return await suppressed(me.step("boxes"), grid, take_bits(failed, grid.rows), values, enough, self.primaries_max)

    def _values(self, me: Party, grid: Grid, table: SecureTable) -> list[Share]:
        return [_share(as_secret(me, table.columns[name]).value)[grid.rows] for name in self.columns]

    async def _large(self, me: Party, values: Sequence[Share], bits: Sequence[int]) -> list[Share]:
        """For each column which cells are as large as the width: one row for all."""
        runs = (
            in_blocks(sign, me.step(f"column.{at}"), add_public(me, one, -self.width), bits=width)
            for at, (one, width) in enumerate(zip(values, bits, strict=True))
        )
        return [negated(me, rows_of_plane(below)) for below in await together(*runs)]

    async def _in_percent(self, me: Party, grid: Grid, values: Sequence[Share], cells: Sequence[Share], bits: Sequence[int]) -> list[Share]:
        """For each column and secret cell, which cells are larger than its part: 100 times them is more than so many times it."""
        made = []
        for at, (column, own, width) in enumerate(zip(values, cells, bits, strict=True)):
            apart = _repeated(own.times(self.width_percent), grid.cells) - _tiled(column.times(PERCENT), own.rows)
            made.append(in_blocks(sign, me.step(f"column.{at}"), apart, bits=width))
        return [rows_of_plane(one) for one in await together(*made)]

    async def broken(self, me: Party, table: SecureTable, passed: Flag) -> tuple[Bits, ...]:
        failed, made = as_bits(me, negation(me, passed), table.rows), []
        for at, grid in enumerate(self._grids(table.columns)):
            made.append(self._too_many(me.step(f"many.{at}"), take_bits(failed, grid.rows)))
            made.append(_uneven(me.step(f"sums.{at}"), grid, self._values(me, grid, table)))
        found = await together(*made)
        many, uneven = [await any_of(me.step(f"any.{kind}"), found[kind::2]) for kind in (0, 1)]
        return _bits(many), _bits(uneven)

    async def _too_many(self, me: Party, failed: Bits) -> Bits:
        ring = Ring(failed.rows.bit_length() + 1)
        counted: Share = await in_blocks(bit_to_ring, me.step("number"), failed, ring=ring)
        most = public_share(me, ring.encode(np.array([min(self.primaries_max, failed.rows)], np.int64)), ring)
        return _bits(await sign(me.step("many"), most - counted.sum(), bits=ring.bits))

    # ---- plainly

    def plainly(self, node: Node, columns: Mapping[str, Plain], passed: Flags) -> Flags:
        public = {one.name: PublicColumn.of(one.type, columns[one.name]) for one in node.fields if one.public}
        out = passed.copy()
        for grid in self._grids(public):
            out[grid.rows] = ~self._held_plainly(grid, columns, ~passed[grid.rows])
        return out

    def _held_plainly(self, grid: Grid, columns: Mapping[str, Plain], failed: Flags) -> Flags:
        values = [columns[name].values[grid.rows] for name in self.columns]
        many, uneven = self.promises
        if failed.sum() > self.primaries_max:
            raise Refused(many, do="raise primaries_max, or publish fewer cells")
        if any((one[parts].sum(axis=1) != one[total]).any() for one in values for parts, total in grid.sums):
            raise Refused(uneven, do="name columns that add up")
        return suppression_plain.suppressed(grid, values, failed, self._needed)

    def _needed(self, value: int) -> int:
        return self.width or value * self.width_percent // PERCENT + 1


async def _uneven(me: Party, grid: Grid, values: Sequence[Share]) -> Bits:
    """Whether some total is not the sum of its cells."""
    gaps = []
    for one in values:
        for parts, total in grid.sums:
            width = parts.shape[1]
            added = one[parts.reshape(-1)].group_sums(np.arange(0, parts.size, width))
            gaps.append(added - one[total])
    whole = Share.concatenate(gaps)
    even = await in_blocks(is_zero, me.step("even"), whole, bits=Z64.bits)
    ring = Ring(whole.rows.bit_length())
    counted: Share = await in_blocks(bit_to_ring, me.step("number"), _bits(negation(me, even)), ring=ring)
    return _bits(negation(me, await is_zero(me.step("none"), counted.sum(), bits=ring.bits)))


def _repeated(x: Share, times: int) -> Share:
    """Each row so many times."""
    return Share(x.ring, np.repeat(x.own, times), np.repeat(x.next, times))


def _tiled(x: Share, times: int) -> Share:
    """All rows so many times."""
    return Share(x.ring, np.tile(x.own, times), np.tile(x.next, times))


def _share(value: Share | Bits) -> Share:
    assert isinstance(value, Share)
    return value


def _bits(flag: Flag) -> Bits:
    assert isinstance(flag, Bits)
    return flag


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
