"""Every error of Accord: one root, and who is to blame.

`str(error)` is one readable sentence for a person: what is wrong, where, which rule says so, what to do.
It never holds a secret.
"""

from __future__ import annotations


class AccordError(Exception):
    """The root of all errors that Accord raises on purpose.

    Arguments: `what` is wrong; `where` (file, row, party, step); the `rule` that says so; what to `do` about it.
    """

    def __init__(self, what: str, *, where: str = "", rule: str = "", do: str = "") -> None:
        self.what, self.where, self.rule, self.do = what, where, rule, do
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        rule = f" (rule: {self.rule})" if self.rule else ""
        remedy = f"; {self.do}" if self.do else ""
        return f"{place}{self.what}{rule}{remedy}"


class OurFault(AccordError):
    """This program was used wrongly, or has a bug."""


class PeerFault(AccordError):
    """Another party sent or did something that the protocol does not allow, or went away."""


class Refused(AccordError):
    """A rule said no: bad input, a missing signature, a plan that would disclose. Nothing was released."""
