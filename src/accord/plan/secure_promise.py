"""What a study promises of all owners' rows together, checked on shares: the answer is a fault bit that no server learns."""

from __future__ import annotations

from dataclasses import replace

from accord.mpc.bits import not_bits
from accord.mpc.compose import together
from accord.mpc.party import Party
from accord.mpc.share import Bits
from accord.mpc.sort import joined_key
from accord.plan.faults import repeated_keys
from accord.plan.nodes import Promise
from accord.plan.secure_flags import as_bits
from accord.plan.secure_key import constant_plane, equal_key, shortened
from accord.plan.secure_relations import has_duplicate, sort_rows
from accord.plan.secure_table import SecureTable


async def keeps_promises(me: Party, node: Promise, table: SecureTable, *keys: SecureTable) -> SecureTable:
    """The table with a fault for each promised key: whether two rows that are there have the same."""
    found = await together(*(_repeats(me.step(f"keys.{at}"), one) for at, one in enumerate(keys)))
    pairs = zip(node.tables, keys, found, strict=True)
    faults = tuple((repeated_keys(name, tuple(one.columns)), flag) for name, one, flag in pairs)
    return replace(table, faults=(*table.faults, *faults))


async def _repeats(me: Party, keys: SecureTable) -> Bits:
    """One row, one plane. Rows that are not there stand behind all others, and repeat nothing."""
    (key,) = await shortened(me.step("hash"), [await equal_key(me.step("key"), list(keys.columns.values()), keys.rows)])
    key = key if key.width else constant_plane(me, False, keys.rows)
    valid = as_bits(me, keys.valid, keys.rows)
    _, (moved,) = await sort_rows(me.step("sort"), joined_key([not_bits(me, valid), key]), [joined_key([valid, key])])
    repeated: Bits = await has_duplicate(me.step("alike"), moved.planes(slice(key.width)), moved.plane(key.width))
    return repeated
