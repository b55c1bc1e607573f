"""The gate: the only maker of the permit to open.

Rules are judged on shares. Each row gets a status: absent (0), suppressed (1) or released (2); values are multiplied by the flag
that it is released. Then each server re-randomises its part. A recipient learns of a suppressed row that it is suppressed, of an
absent row that it is absent, and of a released row its values; servers learn none of this. Rows whose layout is secret are first brought
to places that tell nothing. Where a fault was found while computing, all rows are absent, and recipients learn which fault it was.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.base import canonical
from accord.base.limits import KEY_BYTES
from accord.base.ring import Z64
from accord.mpc.bits import bools_from_planes, planes_from_bools
from accord.mpc.compose import in_blocks, together
from accord.mpc.cost import Cost
from accord.mpc.open import GATE_TOKEN, Permit, reveal
from accord.mpc.party import LAN, Party, Profile
from accord.mpc.rows import every_row
from accord.mpc.share import Bits, Share
from accord.plan.clock import Work
from accord.plan.expression import Expression
from accord.plan.lower import execute_all, stand_ins
from accord.plan.nodes import Field, Node
from accord.plan.secure_calls import bit_to_ring, count_work, multiply
from accord.plan.secure_expression import compute
from accord.plan.secure_flags import Flag, any_of, as_bits, both, negation
from accord.plan.secure_key import as_secret
from accord.plan.secure_relations import keep
from accord.plan.secure_table import PublicColumn, SecretColumn, SecureTable
from accord.plan.typing import call
from accord.release import private
from accord.release.front import in_front
from accord.release.layout import Layout
from accord.release.overlap import stopped
from accord.release.rule import RowRule, Rule, TableRule
from accord.release.spec import ReleaseSpec

Faults = tuple[tuple[str, Bits], ...]
"""As a table's (see SecureTable)."""


@dataclass(frozen=True)
class ReleasePart:
    """One server's part of a release for one recipient: the public layout, and masked columns as bytes.

    The payload has a word for each fault, two planes (there, released), then each secret column's value (a text's planes) and, where its
    type has NULLs, a plane of them.
    """

    release: str
    recipient: str
    layout: bytes
    payload: bytes = field(repr=False)


async def release(me: Party, spec: ReleaseSpec, table: SecureTable) -> dict[str, ReleasePart]:
    """Judge the table and give this server's part for each recipient, by party. A private release's parts hold this server's noise.

    Learns: servers nothing; each recipient, from the three parts of its rows, each row's status and the values of released rows, and
            which faults were found.
    Opens:  nothing to servers; statuses, faults and released values to recipients.
    """
    protected = await protect(me, spec, table)
    permit = Permit(spec.name, spec.parties, GATE_TOKEN)
    parts = [await reveal(me.step(f"reveal.{at}"), secret, permit) for at, secret in enumerate(protected)]
    for at, noise in private.shares(spec, table.rows, secrets.token_bytes(KEY_BYTES)).items():
        parts[at] = parts[at] + noise
    return {party: _part(spec, table, party, protected, parts) for party in spec.parties}


async def protect(me: Party, spec: ReleaseSpec, table: SecureTable) -> list[Share | Bits]:
    """On shares still: the faults, which rows are there, which are released, and each column's values and NULLs, 0 in rows that are not
    released."""
    passed, faults = await judge(me.step("rules"), spec.node, spec.rules, table)
    table = replace(table, faults=(*table.faults, *faults))
    (released,) = await both(me.step("released"), (table.valid, passed))
    for at, rule in enumerate(spec.changes if table.rows else ()):
        table = await rule.change(me.step(f"change.{at}"), table)
    if not spec.has_public_rows and table.rows > 1:
        judged = any(isinstance(rule, RowRule) for rule in spec.rules)
        table = replace(table, columns={one.name: table.columns[one.name] for one in spec.released})
        table, released = await in_front(me.step("front"), table, passed if judged else True, released, is_ordered=spec.is_ordered)
    if table.faults:
        table, released = await _unless_broken(me.step("faults"), table, released)
    flag = await _number(me.step("flag"), released)
    secret = [one for one in spec.released if not one.public]
    columns = await together(*(_masked(me.step(f"column.{at}"), one, table, passed, released, flag) for at, one in enumerate(secret)))
    shown = (True, True) if spec.noise and not spec.within else (table.valid, released)
    status = [as_bits(me, one, table.rows) for one in shown]
    return [*(fault for _, fault in table.faults), *status, *(part for column in columns for part in column)]


async def _unless_broken(me: Party, table: SecureTable, released: Flag) -> tuple[SecureTable, Flag]:
    """The same where no fault was found; else no row is there. Values are no longer taken to be 0 in rows that are not."""
    broken = await any_of(me.step("any"), [fault for _, fault in table.faults])
    sound = every_row(_bits(negation(me, as_bits(me, broken, 1))), table.rows)
    valid, freed = await both(me.step("rows"), (table.valid, sound), (released, sound))
    columns = {name: replace(one, clean=False) if isinstance(one, SecretColumn) else one for name, one in table.columns.items()}
    return replace(table, columns=columns, valid=valid), freed


async def judge(me: Party, node: Node, rules: Sequence[Rule], table: SecureTable) -> tuple[Flag, Faults]:
    """Which rows pass all rules, those of a row together, then those of the table in their order; and what these may have found broken."""
    conditions = [rule.condition(node) for rule in rules if isinstance(rule, RowRule)]
    passed: Flag = True
    if conditions:
        (column,) = await compute(me.step("rows"), table, [_all(conditions)])
        passed = (column.values != 0) & ~column.nulls if isinstance(column, PublicColumn) else _bits(column.value)
    faults: Faults = ()
    for at, rule in enumerate(one for one in rules if isinstance(one, TableRule)):
        broken, passed = await together(
            rule.broken(me.step(f"broken.{at}"), table, passed), rule.judge(me.step(f"table.{at}"), table, passed)
        )
        faults = (*faults, *zip(rule.promises, broken, strict=True))
    return passed, faults


def _all(conditions: Sequence[Expression]) -> Expression:
    return conditions[0] if len(conditions) == 1 else call("and", *conditions)


def _bits(value: Share | Flag) -> Bits:
    assert isinstance(value, Bits)
    return value


async def _number(me: Party, flag: Flag) -> Share | NDArray[np.uint64] | None:
    """The flag as 0 and 1; None where it is set in all rows."""
    if isinstance(flag, Bits):
        made: Share = await in_blocks(bit_to_ring, me, flag, ring=Z64)
        return made
    return None if isinstance(flag, bool) else flag.astype(np.uint64)


async def _masked(me: Party, field: Field, table: SecureTable, passed: Flag, released: Flag, flag: Any) -> list[Share | Bits]:
    """The column's value, and its NULLs where its type has any, with 0 in rows that are not released."""
    column = as_secret(me, table.columns[field.name])
    value, null = column.value, column.null
    out: list[Share | Bits]
    if isinstance(value, Bits) and value.width > 1:
        out = [(await keep(me.step("value"), as_bits(me, released, table.rows), [value]))[0] if released is not True else value]
    elif isinstance(value, Bits):
        (kept,) = await both(me.step("value"), (released, value))
        out = [as_bits(me, kept, table.rows)]
    elif flag is None or (passed is True and column.clean):
        out = [value]
    elif isinstance(flag, Share):
        out = [await in_blocks(multiply, me.step("value"), value, flag)]
    else:
        out = [value.times(flag)]
    if field.type.nullable:
        (kept,) = await both(me.step("null"), (released, null))
        out.append(as_bits(me, kept, table.rows))
    return out


def _part(spec: ReleaseSpec, table: SecureTable, party: str, protected: Sequence[Share | Bits], parts: Sequence[Any]) -> ReleasePart:
    public = {name: one for name, one in table.columns.items() if isinstance(one, PublicColumn)}
    rows = spec.rows_for(party, public, table.rows)
    promises = (one for rule in spec.rules if isinstance(rule, TableRule) for one in rule.promises)
    faults = (*(sentence for sentence, _ in table.faults), *promises)
    layout = Layout.of(spec, party, {one.name: public[one.name].take(rows) for one in spec.released if one.public}, len(rows), faults)
    numbers = [np.zeros(1, np.intp)] * len(faults) + [rows] * (len(parts) - len(faults))
    payload = b"".join(_bytes(secret, part, taken) for secret, part, taken in zip(protected, parts, numbers, strict=True))
    return ReleasePart(spec.name, party, canonical.encode(layout.document()), payload)


def _bytes(secret: Share | Bits, part: Any, rows: NDArray[np.intp]) -> bytes:
    if isinstance(secret, Bits):
        return b"".join(planes_from_bools(bools_from_planes(plane, secret.rows)[rows]).tobytes() for plane in part)
    return np.ascontiguousarray(part[rows], "<u8").tobytes()


def cost(specs: Sequence[ReleaseSpec], profile: Profile = LAN) -> Cost:
    """Rounds, and bytes of all three servers, that `run` takes: the plans and the gate. Parts for recipients go beside it."""
    return cost_and_work(specs, profile)[0]


def cost_and_work(specs: Sequence[ReleaseSpec], profile: Profile = LAN) -> tuple[Cost, Work]:
    """As `cost`, and the work, from which plan/clock.py foretells seconds."""
    nodes = tuple(spec.node for spec in specs)
    return count_work(lambda me: _protect_all(me, specs, stand_ins(nodes)), profile)[1:]


async def _protect_all(me: Party, specs: Sequence[ReleaseSpec], inputs: dict[str, SecureTable]) -> None:
    tables = stopped(specs, await execute_all(me.step("plan"), tuple(spec.node for spec in specs), inputs))
    await together(*(protect(me.step(f"gate.{at}"), spec, table) for at, (spec, table) in enumerate(zip(specs, tables, strict=True))))


async def run(me: Party, specs: Sequence[ReleaseSpec], inputs: dict[str, SecureTable]) -> list[dict[str, ReleasePart]]:
    """Everything between inputs and sealing: all plans (what they share runs once), then the gate for each release.

    Learns: as `release`.   Opens: as `release`.
    """
    tables = stopped(specs, await execute_all(me.step("plan"), tuple(spec.node for spec in specs), inputs))
    return await together(
        *(release(me.step(f"gate.{at}"), spec, table) for at, (spec, table) in enumerate(zip(specs, tables, strict=True)))
    )
