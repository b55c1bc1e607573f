"""The declared schema of an owner's table: what each column may hold. Checked before anything is shared."""

from __future__ import annotations

from dataclasses import dataclass

from accord.base.errors import Refused
from accord.base.limits import CATEGORY_VALUES_MAX, VALUE_BITS_MAX
from accord.base.names import column_name

DECIMAL_DIGITS_MAX = 18
"""10^18 < 2^62: every decimal of so many digits is a secret value."""
TEXT_BYTES_MAX = 256
"""Of a text that is shared, as UTF-8: each of its bytes is eight planes of every row."""
KINDS = ("int", "decimal", "date", "category", "bool", "text", "text key")


@dataclass(frozen=True)
class ColumnSchema:
    """One column.

    kind: one of KINDS. `low` and `high` bound the value inclusively: integers for int, units of 10^-scale for decimal,
    days since 1970-01-01 for date; a category's code is its place in `values`; a text key has at most
    `characters_max` characters (0: any number); what is shared of it is a digest that is equal where texts are equal, so that it can be
    joined and grouped by, and neither ordered nor released. A text has at most `bytes_max` bytes of UTF-8, none of them 0, and is
    shared whole.
    A decimal has at most `precision` digits in all (0: DECIMAL_DIGITS_MAX), `scale` of them after the point.
    """

    name: str
    kind: str
    low: int = 0
    high: int = 0
    precision: int = 0
    scale: int = 0
    values: tuple[str, ...] = ()
    characters_max: int = 0
    nullable: bool = False
    bytes_max: int = 0

    def __post_init__(self) -> None:
        column_name(self.name)
        if self.kind not in KINDS:
            raise Refused(f"column {self.name} is of kind {self.kind!r}", rule=f"one of {', '.join(KINDS)}", do="change its kind")
        if self.kind in ("int", "decimal", "date"):
            self._require_bounds()
        if self.kind == "category":
            self._require_values()
        if not (1 if self.kind == "text" else 0) <= self.bytes_max <= (TEXT_BYTES_MAX if self.kind == "text" else 0):
            raise Refused(
                f"column {self.name} is a {self.kind} of at most {self.bytes_max} bytes",
                rule=f"a text has 1 to {TEXT_BYTES_MAX} bytes, other kinds declare none",
                do="declare the bytes that a text can have; for longer ones that are only compared, a text key",
            )
        if not 0 <= self.scale <= self.digits <= DECIMAL_DIGITS_MAX:
            raise Refused(
                f"column {self.name} is a decimal({self.precision}, {self.scale})",
                rule=f"at most {DECIMAL_DIGITS_MAX} digits in all, scale of them after the point",
                do="declare fewer digits",
            )

    @property
    def digits(self) -> int:
        """A decimal's digits, before and after the point."""
        return self.precision or DECIMAL_DIGITS_MAX

    def _require_bounds(self) -> None:
        if not -(1 << VALUE_BITS_MAX) < self.low <= self.high < 1 << VALUE_BITS_MAX:
            raise Refused(
                f"column {self.name} is bounded by {self.low} and {self.high}",
                rule=f"low ≤ high, both within ±2^{VALUE_BITS_MAX}",
                do="declare the range that the values can have",
            )

    def _require_values(self) -> None:
        if not 1 <= len(self.values) <= CATEGORY_VALUES_MAX or len(set(self.values)) != len(self.values) or "" in self.values:
            raise Refused(
                f"category {self.name} declares {len(self.values)} values",
                rule=f"1 to {CATEGORY_VALUES_MAX} distinct values, none of them empty",
                do="list each value that may occur, once",
            )


@dataclass(frozen=True)
class TableSchema:
    """A table's columns, in order; `unique` columns together differ in every row. Raises Refused for a repeated name."""

    name: str
    columns: tuple[ColumnSchema, ...]
    unique: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        column_name(self.name)
        if len({column.name.lower() for column in self.columns}) != len(self.columns):
            rule = "upper and lower case count as one"
            raise Refused(f"table {self.name} names a column twice", rule=rule, do="give each column a name of its own")
        for name in self.unique:
            if self.column(name).nullable:
                raise Refused(f"column {name} of the unique key is nullable", where=self.name, do="declare it not nullable")

    def column(self, name: str) -> ColumnSchema:
        for column in self.columns:
            if column.name == name:
                return column
        raise Refused(f"no column {name!r} in table {self.name}; it has {', '.join(one.name for one in self.columns)}")
