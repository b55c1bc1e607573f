"""Noise within a plan: each server adds its own to shares of sums, of which no server learns the total, or all draw some on shares that
nobody knows; what stands above may then depend on noised values and public ones alone.

This is how rows are chosen or ordered by values with noise, and how groups are told that no list names in advance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from accord.base.errors import OurFault, Refused
from accord.base.ring import Column as Elements
from accord.mpc.compose import together
from accord.mpc.party import Party
from accord.mpc.share import Share
from accord.plan.nodes import Field, Node
from accord.plan.secure_calls import Counter, add_laplace, add_own
from accord.plan.secure_expression import compute
from accord.plan.secure_flags import Flag, all_of, as_numbers
from accord.plan.secure_key import as_secret
from accord.plan.secure_table import SecretColumn, SecureTable
from accord.plan.secure_values import product, shared
from accord.plan.typing import call, column, integer

COINS_MAX = 1 << 24
"""Of one column, drawn at once: 16 bytes each at every server."""


class Law(Protocol):
    """The noise of a column: what each server draws."""

    @property
    def sentence(self) -> str:
        """What its reader must know."""
        ...

    @property
    def reach(self) -> int:
        """How far one server's draw can be from 0."""
        ...

    def document(self) -> dict[str, Any]: ...

    @property
    def bounds(self) -> tuple[int, ...]:
        """Of the coins of a draw on shares, which nobody knows; none where each server draws its own."""
        ...

    def drawn(self, key: bytes, label: str, rows: int) -> Elements:
        """One server's draws, over Z_2^64, from the labelled stream of its own key."""
        ...


@dataclass(frozen=True)
class Threshold:
    """Rows whose `count` with noise is below `least` are not shown; `delta` says how likely a group of one unit alone is shown."""

    count: str
    least: int
    delta: str

    @property
    def sentence(self) -> str:
        shown = f"a group of one unit alone is shown with a chance of at most {self.delta}"
        return f"groups whose {self.count} with noise is below {self.least} are left out, so that {shown}"


@dataclass(frozen=True)
class Noised(Node):
    """The rows with noise on some columns, of which NULL counts 0. `release` names the draws.

    Where every other column is public, all rows of the public layout are there, data or not. Where one is secret, a `threshold` hides the
    rows that too few have.
    """

    input: Node
    release: str
    noise: tuple[tuple[str, Law], ...]
    threshold: Threshold | None = None

    def __post_init__(self) -> None:
        if self.has_secret_rows and self.threshold is None:
            raise OurFault("noise on groups that are secret, without a threshold", do="say which groups are shown")

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        laws = dict(self.noise)
        return tuple(_widened(one, laws[one.name]) if one.name in laws else one for one in self.input.fields)

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.input,)

    @property
    def has_secret_rows(self) -> bool:
        """Whether some column is neither public nor noised."""
        laws = dict(self.noise)
        return any(not one.public and one.name not in laws for one in self.input.fields)


def _widened(field: Field, law: Law) -> Field:
    """What the sum of three draws can add, at either end. Raises Refused where that may not fit."""
    more = 3 * law.reach
    return replace(field, type=replace(field.type, low=min(field.type.low, 0) - more, high=max(field.type.high, 0) + more, nullable=False))


async def noised(me: Party, node: Noised, table: SecureTable) -> SecureTable:
    """The table with noise on it.

    Learns: nobody anything; a server knows its own draws alone.
    Opens:  nothing.
    """
    made = await together(*(_column(me.step(name), node, name, law, table) for name, law in node.noise))
    columns = {**table.columns, **{name: one for (name, _), one in zip(node.noise, made, strict=True)}}
    if not node.has_secret_rows:
        return SecureTable(table.rows, columns, True)
    assert node.threshold is not None
    kept = SecureTable(table.rows, columns, table.valid)
    enough = call("ge", column(node.field(node.threshold.count)), integer(node.threshold.least))
    (shown,) = await compute(me.step("threshold"), kept, [enough])
    assert isinstance(shown, SecretColumn)
    flag: Flag = shown.value if not isinstance(shown.value, Share) else False
    return replace(kept, valid=await all_of(me.step("shown"), [table.valid, flag]))


def _require_few(coins: int) -> None:
    if coins > COINS_MAX:
        do = "group by less, or leave sampling out: each server then draws a share of its own"
        raise Refused(f"{coins:,} coins of noise drawn on shares", rule=f"at most {COINS_MAX:,}", do=do)


async def _column(me: Party, node: Noised, name: str, law: Law, table: SecureTable) -> SecretColumn:
    """The column, 0 in rows that are not there, with three draws on it."""
    held = as_secret(me, table.columns[name])
    value = held.value
    assert isinstance(value, Share)
    if not held.clean and table.valid is not True:
        (there,) = await as_numbers(me.step("there"), table.valid)
        value = shared(me, await product(me.step("zeroed"), there, value))
    if law.bounds:
        _require_few(table.rows * 2 * len(law.bounds))
        return SecretColumn(node.field(name).type, await add_laplace(me.step("noise"), value, bounds=law.bounds))
    own = None if isinstance(me, Counter) else law.drawn(me.own, f"{node.release}/{name}", table.rows)
    return SecretColumn(node.field(name).type, await add_own(me.step("noise"), value, own=own))
