"""Reading a TOML table field by field: every miss is one sentence that names the place; nothing unknown passes silently."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from accord.base.errors import Refused

T = TypeVar("T")

_KIND_NAMES = {str: "text", int: "an integer", bool: "true or false", list: "a list", dict: "a table"}


class Fields:
    """One TOML table. Take each field once, then call `done`: what is left over is refused with the nearest known name."""

    def __init__(self, table: dict[str, Any], where: str) -> None:
        self._left = dict(table)
        self._known: list[str] = []
        self.where = where

    def take(self, name: str, kind: type[T], default: T | None = None) -> T:
        """The field's value. Raises Refused where it is missing without default, or of another kind."""
        self._known.append(name)
        if name not in self._left:
            if default is None:
                raise Refused(f"{name} is missing", where=self.where, do=f"add {name} = … ({_KIND_NAMES[kind]})")
            return default
        value = self._left.pop(name)
        if type(value) is not kind:
            raise Refused(f"{name} = {value!r}", where=self.where, rule=f"{name} is {_KIND_NAMES[kind]}", do="correct it")
        return value

    def texts(self, name: str, default: list[str] | None = None) -> tuple[str, ...]:
        """A list of text."""
        values = self.take(name, list, default)
        if not all(isinstance(value, str) for value in values):
            raise Refused(f"{name} holds something else than text", where=self.where, rule=f"{name} is a list of text")
        return tuple(values)

    def tables(self, name: str, default: list[Any] | None = None) -> list[Fields]:
        """A list of tables, `[[name]]` in TOML."""
        values = self.take(name, list, default)
        return [Fields(require_table(value, f"{self.where} {name}[{at}]"), f"{self.where} {name}[{at}]") for at, value in enumerate(values)]

    def any(self, name: str, default: Any = None) -> Any:
        """A field of whatever kind."""
        self._known.append(name)
        return self._left.pop(name, default)

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that nobody took yet."""
        return tuple(self._left)

    def has(self, name: str) -> bool:
        return name in self._left

    def done(self) -> None:
        """Raises Refused for a field that nobody took."""
        for name in self._left:
            near = difflib.get_close_matches(name, self._known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(self._known)}"
            raise Refused(f"{name!r} is no field of this table", where=self.where, do=hint)


def require_table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{value!r} stands where a table is due", where=where)
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file. Raises Refused where it cannot be read, with the line that is wrong."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Refused("no such file", where=str(path), do="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"this is not TOML: {error}", where=str(path), do="correct that line") from error
