"""A gap that could be filled is never alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accord.base.ring import Z64
from accord.mpc.party import Party
from accord.mpc.share import Bits, Share
from accord.plan.evaluate import Flags, Plain
from accord.plan.secure_calls import bit_to_ring, is_zero
from accord.plan.secure_flags import Flag, both, either, negation
from accord.plan.secure_table import SecureTable, take_flag
from accord.plan.secure_values import shared, subtract
from accord.release.rule import TableRule


@dataclass(frozen=True)
class NeverAlone(TableRule):
    """Where one row alone is suppressed, the row after it is too; after the last comes the first."""

    name: ClassVar[str] = "never_alone"
    stops: ClassVar[str] = "filling the only gap of a table by subtracting its other rows from a total that is known"
    does_not_stop: ClassVar[str] = "filling it where the second row is known from elsewhere"

    @property
    def sentence(self) -> str:
        return "where a single row would be suppressed, the row after it is suppressed too"

    async def judge(self, me: Party, table: SecureTable, passed: Flag) -> Flag:
        """Passed, and not the row after the only one that did not."""
        if not isinstance(passed, Bits):
            return passed if isinstance(passed, bool) else self.plain({}, passed)
        rows, gap = table.rows, negation(me, passed)
        counted: Share = await bit_to_ring(me.step("number"), gap, ring=Z64)
        left = shared(me, subtract(me, counted.sum(), 1))
        single = await is_zero(me.step("single"), left, bits=max(rows.bit_length(), 1))
        after = take_flag(gap, np.roll(np.arange(rows), 1))
        (company,) = await both(me.step("company"), (take_flag(single, np.zeros(rows, np.intp)), after))
        (lost,) = await either(me.step("lost"), (gap, company))
        return negation(me, lost)

    def plain(self, columns: Mapping[str, Plain], passed: Flags) -> Flags:
        gap = ~passed
        return passed & ~np.roll(gap, 1) if gap.sum() == 1 else passed
