"""Types of values in a plan: kind, scale, range, domain, whether NULL can occur. Ranges are inferred and never trusted past 2^62."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from accord.base.errors import Refused
from accord.base.limits import VALUE_BITS_MAX
from accord.data.schema import ColumnSchema

INT, DECIMAL, DATE, CATEGORY, BOOL, TEXT = "int", "decimal", "date", "category", "bool", "text"


@dataclass(frozen=True)
class Type:
    """What a column or expression can be.

    kind: one of the six above. The value on shares is an integer: `low` … `high` bound it inclusively (int: the number;
    decimal: units of 10^-scale; date: days since 1970-01-01; category: the code, its place in `values`; bool: 0 or 1).
    A text is its UTF-8 bytes, at most `bytes_max` of them, or where that is 0 a digest of 128 bits, which is equal where texts are equal
    and has no order.
    """

    kind: str
    low: int = 0
    high: int = 1
    scale: int = 0
    values: tuple[str, ...] = ()
    nullable: bool = False
    bytes_max: int = field(default=0, repr=False)  # inputs are named by a hash of this text, and those without texts keep their names

    def __post_init__(self) -> None:
        if max(abs(self.low), abs(self.high)) >= 1 << VALUE_BITS_MAX:
            raise Refused(
                f"a value could reach {max(self.low, self.high, key=abs)}",
                rule=f"secret values stay within ±2^{VALUE_BITS_MAX}",
                do="narrow the declared bounds, or bound the value with LEAST(…, a maximum)",
            )

    @property
    def bits(self) -> int:
        """The smallest k with −2^(k−1) ≤ low and high < 2^(k−1)."""
        return 1 + max((-self.low - 1 if self.low < 0 else 0).bit_length(), max(self.high, 0).bit_length())

    def as_nullable(self, nullable: bool = True) -> Type:
        return replace(self, nullable=nullable)

    def as_noised(self) -> Type:
        """The type with noise on it: any value that fits, and never NULL."""
        most = (1 << VALUE_BITS_MAX) - 1
        return replace(self, low=-most, high=most, nullable=False)

    @staticmethod
    def of(column: ColumnSchema) -> Type:
        """The type of a declared column."""
        if column.kind == "category":
            return Type(CATEGORY, 0, len(column.values) - 1, 0, column.values, column.nullable)
        if column.kind == "bool":
            return Type(BOOL, 0, 1, nullable=column.nullable)
        if column.kind == "text key":
            return Type(TEXT, 0, 0, nullable=column.nullable)
        if column.kind == "text":
            return Type(TEXT, 0, 0, nullable=column.nullable, bytes_max=column.bytes_max)
        return Type(column.kind, column.low, column.high, column.scale, (), column.nullable)


def hull(types: Sequence[Type]) -> Type:
    """What a value of one of several types can be. Needs: they are of one kind, scale and domain."""
    low, high = min(one.low for one in types), max(one.high for one in types)
    widths = [one.bytes_max for one in types]
    kind = DECIMAL if any(one.kind == DECIMAL for one in types) else types[0].kind
    nullable, bytes_max = any(one.nullable for one in types), 0 if 0 in widths else max(widths)
    return replace(types[0], kind=kind, low=low, high=high, nullable=nullable, bytes_max=bytes_max)
