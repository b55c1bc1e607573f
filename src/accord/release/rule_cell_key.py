"""Cell-key perturbation: the same small noise on the same cell, wherever and however often it is shown [FW05].

Each row carries a record key, uniform below 2^m and kept with the data for good. A cell's key is the sum of its rows' keys modulo 2^m,
and a public table says which noise a count has at which key. A table that is given by runs, noise rising, needs comparisons with the
ends of the runs alone: which ends are the count's is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from accord.base.errors import Refused
from accord.base.limits import VALUE_BITS_MAX
from accord.base.ring import Z64, Ring
from accord.mpc.compose import in_blocks, together
from accord.mpc.lookup import INDEX_BITS_MAX
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.plan.beside import SumBeside, with_sum_beside
from accord.plan.catalog import Catalog
from accord.plan.evaluate import Integers, Plain
from accord.plan.expression import ColumnRef
from accord.plan.nodes import Field, Node
from accord.plan.secure_calls import bit_to_ring, floor_shift, sign
from accord.plan.secure_expression import compute
from accord.plan.secure_relations import look_up_each
from accord.plan.secure_table import PublicColumn, SecretColumn, SecureTable
from accord.plan.secure_values import shared
from accord.plan.typing import call, integer
from accord.release.rule import ChangeRule, Types

Runs = tuple[tuple[tuple[int, int], ...], ...]
"""For each count from 1 on, the noise of the lowest keys and for how many keys, then of the next, …; the last list is for all larger."""
KEY_BITS_MAX = 16
COUNTS_MAX = (1 << INDEX_BITS_MAX) - 1


@dataclass(frozen=True)
class CellKey(ChangeRule):
    """`key` is the column of rows that holds their record keys, 0 … 2^m − 1; the question's `column` counts these rows."""

    column: str
    key: str
    table: Runs

    name: ClassVar[str] = "cell_key"
    stops: ClassVar[str] = "subtracting tables that differ by a few persons, or asking again to average the noise away"
    does_not_stop: ClassVar[str] = "undoing the noise where a cell's record keys are known, as to an owner of all its rows"

    def __post_init__(self) -> None:
        if not self.table or not all(self.table) or not all(_is_run(run) for one in self.table for run in one):
            raise self._refused("such a table")
        sizes = {sum(keys for _, keys in one) for one in self.table}
        if len(sizes) > 1 or self.keys & (self.keys - 1) or not 2 <= self.keys <= 1 << KEY_BITS_MAX:
            raise self._refused(f"{', '.join(map(str, sorted(sizes)))} keys")
        for count, one in enumerate(self.table, 1):
            noise = [value for value, _ in one]
            if noise != sorted(set(noise)) or noise[0] < -count:
                raise self._refused(f"noise of {', '.join(map(str, noise))} for a count of {count}")
        if len(self.table) > COUNTS_MAX:
            raise self._refused(f"{len(self.table)} counts")

    def _refused(self, what: str) -> Refused:
        rule = f"for each count from 1 on (at most {COUNTS_MAX}) [[noise, number of keys], …], noise rising, none below 0, as many keys "
        do = "write table = [[[-1, 64], [0, 128], [1, 64]], …]"
        return Refused(f"{self.name} with {what}", rule=f"{rule}for each: a power of two up to 2^{KEY_BITS_MAX}", do=do)

    @property
    def keys(self) -> int:
        return sum(keys for _, keys in self.table[0])

    @cached_property
    def noises(self) -> list[int]:
        """All values that the noise can have, with 0, rising."""
        return sorted({0, *(value for one in self.table for value, _ in one)})

    @cached_property
    def ends(self) -> list[Integers]:
        """For each noise but the least, by count from 0 on: how many keys have less."""
        return [
            np.array([self.keys * (noise > 0), *(sum(keys for value, keys in one if value < noise) for one in self.table)], np.int64)
            for noise in self.noises[1:]
        ]

    @property
    def sentence(self) -> str:
        return f"{self.column} is shown with noise of {self.noises[0]} to {self.noises[-1]} that is the cell's own, the same in every table"

    @property
    def adds(self) -> tuple[str, ...]:
        return (f"{self.column}_cell_key",)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, *self.adds)

    @property
    def shows(self) -> tuple[str, ...]:
        return (self.column,)

    def prepared(self, plan: Node, catalog: Catalog) -> Node:
        return with_sum_beside(plan, self.column, SumBeside(self.adds[0], self.key), catalog)

    def require_applies(self, node: Node) -> None:
        super().require_applies(node)
        if node.field(self.column).type.low < 0:
            raise Refused(f"{self.column} can be below 0", rule="cell keys are for counts", do="name a COUNT(*)")

    def changed(self, field: Field) -> Field:
        if field.name != self.column:
            return field
        most = (1 << VALUE_BITS_MAX) - 1
        low, high = field.type.low + self.noises[0], field.type.high + self.noises[-1]
        return replace(field, type=replace(field.type, low=max(low, 0), high=min(high, most)))

    def bound(self, field: Field) -> str:
        return f"−{-self.noises[0]} to +{self.noises[-1]}, cell key"

    # ---- on shares

    async def change(self, me: Party, table: SecureTable) -> SecureTable:
        given, keys = table.columns[self.column], table.columns[self.adds[0]]
        known = ColumnRef(given.type, self.column)
        expression = call("coalesce", known, integer(0)) if given.type.nullable else known
        (capped,) = await compute(me.step("capped"), table, [call("least", expression, integer(len(self.table)))])
        counts, index, key = (shared(me, _amount(one)) for one in (given, capped, keys))
        made = await in_blocks(_perturbed, me.step("noise"), counts, index, key, rule=self)
        null = given.nulls if isinstance(given, PublicColumn) else given.null
        column = SecretColumn(given.type, made, null if given.type.nullable else False)
        return replace(table, columns={**table.columns, self.column: column})

    # ---- plainly

    def plain(self, columns: Mapping[str, Plain], types: Types) -> dict[str, Plain]:
        counts, keys = (columns[name] for name in self.columns)
        made = [self.noise(int(count), int(key)) for count, key in zip(counts.values, keys.values, strict=True)]
        return {self.column: Plain.of(counts.values + np.array(made, np.int64), counts.nulls)}

    def noise(self, count: int, key: int) -> int:
        """The table's word for it."""
        if count == 0:
            return 0
        left = key % self.keys
        for value, keys in self.table[min(count, len(self.table)) - 1]:
            if left < keys:
                return value
            left -= keys
        raise AssertionError("the runs cover all keys")


def _is_run(run: Any) -> bool:
    return isinstance(run, tuple) and len(run) == 2 and all(type(one) is int for one in run) and run[1] > 0


def _amount(column: PublicColumn | SecretColumn) -> Any:
    return column.values if isinstance(column, PublicColumn) else column.value


async def _perturbed(me: Party, counts: Share, index: Share, key: Share, rule: CellKey) -> Share:
    """count + the least noise + for each other noise the step to it, where the key is not below its end."""
    bits = rule.keys.bit_length() - 1
    ring = Ring(bits + 2)
    ends = await look_up_each(me.step("ends"), index, tables=rule.ends, ring=ring)
    high: Share = await floor_shift(me.step("key"), key, shift=bits)
    low = (key - high.times(rule.keys)).cast_down(ring)
    below: list[Bits] = await together(*(sign(me.step(f"below.{at}"), low - one, bits=ring.bits) for at, one in enumerate(ends)))
    numbers = await together(*(bit_to_ring(me.step(f"number.{at}"), one, ring=Z64) for at, one in enumerate(below)))
    made = counts
    for one, before, noise in zip(numbers, rule.noises, rule.noises[1:], strict=False):
        made = made - one.times(noise - before)
    most = np.full(counts.rows, rule.noises[-1], np.int64)
    return made + shared(me, most)
