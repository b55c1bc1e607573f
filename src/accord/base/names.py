"""Names that people give: parties, tables, columns, releases. Frozen, short, safe in paths and SQL."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import count

from accord.base.errors import Refused
from accord.base.limits import NAME_CHARACTERS_MAX

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def party_name(text: str) -> str:
    """`text` if it can name a party, study or release: a lower-case letter, then letters, digits, `-` or `_`.

    Raises Refused for anything else, and beyond 63 characters.
    """
    if not _NAME.fullmatch(text) or len(text) > NAME_CHARACTERS_MAX:
        raise Refused(
            f"{text!r} cannot be a name",
            rule=f"a lower-case letter, then at most {NAME_CHARACTERS_MAX - 1} of a–z, 0–9, - and _",
            do="choose another name",
        )
    return text


def column_name(text: str) -> str:
    """`text` if it can name a table or column without quotes. Raises Refused otherwise."""
    if not _IDENTIFIER.fullmatch(text) or len(text) > NAME_CHARACTERS_MAX:
        raise Refused(
            f"{text!r} cannot name a table or column",
            rule=f"a letter or _, then letters, digits and _, at most {NAME_CHARACTERS_MAX} characters",
            do="rename it in the schema",
        )
    return text


def fresh_name(name: str, taken: Collection[str]) -> str:
    """`name`, or with the first of _2, _3, … that makes it differ from all those taken."""
    numbered = (f"{name}_{number}" for number in count(2))
    return name if name not in taken else next(one for one in numbered if one not in taken)
