"""Names that people give: parties, tables, columns, releases. Frozen, short, safe in paths and SQL."""

from __future__ import annotations

import re

from accord.base.errors import Refused
from accord.base.limits import NAME_CHARACTERS_MAX

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Name(str):
    """A party's, study's or release's name: a lower-case letter, then letters, digits, `-` or `_`.

    Raises Refused for anything else, and beyond 63 characters.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Name:
        if not _NAME.fullmatch(text) or len(text) > NAME_CHARACTERS_MAX:
            raise Refused(
                f"{text!r} cannot be a name",
                rule=f"a lower-case letter, then at most {NAME_CHARACTERS_MAX - 1} of a–z, 0–9, - and _",
                do="choose another name",
            )
        return super().__new__(cls, text)


def column_name(text: str) -> str:
    """`text` if it can name a table or column without quotes. Raises Refused otherwise."""
    if not _IDENTIFIER.fullmatch(text) or len(text) > NAME_CHARACTERS_MAX:
        raise Refused(
            f"{text!r} cannot name a table or column",
            rule=f"a letter or _, then letters, digits and _, at most {NAME_CHARACTERS_MAX} characters",
            do="rename it in the schema",
        )
    return text
