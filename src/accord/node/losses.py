"""What the noise of a study's releases loses, of which unit, told to whom: as it stands in ledgers, receipts and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from accord.node.compiled import Compiled
from accord.release.accounting import Law, Loss, laws_of
from accord.release.noise import Unit, read_noise


@dataclass(frozen=True)
class Lost:
    """One release's loss: the law of each column or family that a unit reaches, and the δ at which an ε is told."""

    release: str
    recipients: tuple[str, ...]
    unit: Unit
    delta: Fraction
    laws: Mapping[str, Law]

    @property
    def loss(self) -> Loss:
        return Loss(tuple(self.laws.values()))

    @property
    def sentence(self) -> str:
        return self.loss.sentence(self.unit.sentence, self.delta)

    def document(self) -> dict[str, Any]:
        """As plain data: the laws, and what they come to."""
        return {
            "release": self.release,
            "recipients": list(self.recipients),
            "hides": self.unit.sentence,
            "columns": {name: law.document() for name, law in self.laws.items()},
            "delta": str(self.delta),
            "loses": self.loss.told(self.delta),
            "sentence": self.sentence,
        }


def lost(compiled: Compiled) -> tuple[Lost, ...]:
    """Of every release with noise, from the scales that its columns draw."""
    found = []
    for branch in compiled.branches:
        if branch.text.noise:
            asked, spec = read_noise(branch.text.noise), branch.spec
            laws = laws_of(spec.noise)
            found.append(Lost(spec.name, spec.parties, asked.unit, asked.delta, laws))
    return tuple(found)
