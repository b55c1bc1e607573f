"""What all three servers know of a release for one recipient: its columns, its rows' public values, the rules that judged it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from accord.base.errors import OurFault, Refused
from accord.plan.after_noise import Formulas
from accord.plan.document import formula_document, read_formula
from accord.plan.evaluate import Plain
from accord.plan.nodes import Field
from accord.plan.secure_table import PublicColumn, bits_shared
from accord.plan.types import Type
from accord.release.noise import ColumnNoise
from accord.release.spec import ReleaseSpec

STATUS_PLANES = 2
"""Whether a row is there, whether it is released."""
WORD_BYTES = 8


@dataclass(frozen=True)
class Layout:
    """`public` holds the public columns by name; `sentences` are the rules or the noise, or why there are none. `faults` are what may have
    been found broken while computing, each with a bit of its own in the payload. `formulas` make of this what the
    recipient sees, where that is something else. `bounds` says of columns that rules show otherwise how far they can be from the truth."""

    release: str
    title: str
    recipient: str
    rows: int
    fields: tuple[Field, ...]
    public: Mapping[str, Plain]
    sentences: tuple[str, ...]
    faults: tuple[str, ...] = ()
    noise: Mapping[str, ColumnNoise] = field(default_factory=dict)
    formulas: Formulas = ()
    bounds: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(spec: ReleaseSpec, recipient: str, public: Mapping[str, PublicColumn], rows: int, faults: tuple[str, ...] = ()) -> Layout:
        plain = {name: one.plain for name, one in public.items()}
        noise = dict(spec.noise)
        return Layout(
            spec.name, spec.title, recipient, rows, spec.released, plain, spec.sentences, faults, noise, spec.formulas, spec.bounds
        )

    @property
    def payload_bytes(self) -> int:
        """The size of a server's payload: it follows from public facts alone."""
        plane = (self.rows + 63) // 64 * WORD_BYTES
        secret = [one.type for one in self.fields if not one.public]
        values = sum(bits_shared(one) * plane or WORD_BYTES * self.rows for one in secret)
        return WORD_BYTES * len(self.faults) + plane * (STATUS_PLANES + sum(one.nullable for one in secret)) + values

    def document(self) -> dict[str, Any]:
        """As plain data, for canonical bytes."""
        return {
            "release": self.release,
            "title": self.title,
            "recipient": self.recipient,
            "rows": self.rows,
            "fields": [_field(one) for one in self.fields],
            "public": {
                name: [None if null else value for value, null in zip(one.values.tolist(), one.nulls.tolist(), strict=True)]
                for name, one in self.public.items()
            },
            "sentences": list(self.sentences),
            "faults": list(self.faults),
            "noise": {name: one.document() for name, one in self.noise.items()},
            "formulas": [[name, formula_document(one)] for name, one in self.formulas],
            "bounds": dict(self.bounds),
        }

    @staticmethod
    def read(document: dict[str, Any]) -> Layout:
        """Raises Refused for what is no layout."""
        try:
            fields = tuple(_read_field(one) for one in document["fields"])
            layout = Layout(
                document["release"],
                document["title"],
                document["recipient"],
                document["rows"],
                fields,
                {name: _plain(values) for name, values in document["public"].items()},
                tuple(document["sentences"]),
                tuple(document["faults"]),
                {name: ColumnNoise.read(one) for name, one in document["noise"].items()},
                tuple((name, read_formula(one)) for name, one in document["formulas"]),
                dict(document["bounds"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OurFault) as error:
            raise Refused("this release holds no layout", do="ask the servers for their parts again") from error
        if any(len(one.values) != layout.rows for one in layout.public.values()):
            raise Refused("this release's public columns are not of its length", do="ask the servers for their parts again")
        return layout


def _field(one: Field) -> dict[str, Any]:
    kind = one.type
    return {
        "name": one.name,
        "public": one.public,
        "kind": kind.kind,
        "low": kind.low,
        "high": kind.high,
        "scale": kind.scale,
        "values": list(kind.values),
        "nullable": kind.nullable,
        "bytes_max": kind.bytes_max,
    }


def _read_field(one: dict[str, Any]) -> Field:
    kind = Type(one["kind"], one["low"], one["high"], one["scale"], tuple(one["values"]), one["nullable"], one["bytes_max"])
    return Field(one["name"], kind, one["public"])


def _plain(values: list[int | None]) -> Plain:
    nulls = np.array([value is None for value in values], np.bool_)
    return Plain(np.array([value or 0 for value in values], np.int64), nulls)
